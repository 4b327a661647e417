package reqcheck

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

const module = "github.com/wardkit/wardkit/"

// Results is what go test -json said about each test: "pass", "skip" or "fail"; the worst
// where one ran more than once.
type Results map[Test]string

// event is one line of go test -json.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// Read reads the output of go test -json and writes what a person wants to see of it: the
// closing line of each package, what failed with its output, what was skipped and why, and
// whatever is no JSON. Results of several reads add up in r.
func (r Results) Read(in io.Reader, human io.Writer) error {
	output := map[Test]*strings.Builder{}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			r.line(line, output, human)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r Results) line(line string, output map[Test]*strings.Builder, human io.Writer) {
	var e event
	if json.Unmarshal([]byte(line), &e) != nil || e.Action == "" {
		fmt.Fprint(human, line)
		return
	}
	t := Test{strings.TrimPrefix(e.Package, module), e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(human, e.Output)
	case "output":
		if e.Test != "" {
			if output[t] == nil {
				output[t] = new(strings.Builder)
			}
			output[t].WriteString(e.Output)
		} else if e.Output != "PASS\n" {
			fmt.Fprint(human, e.Output)
		}
	case "pass", "skip", "fail":
		r.result(t, e.Action, output[t], human)
		delete(output, t)
	}
}

// rank orders outcomes from good to bad.
func rank(action string) int { return strings.Index("pass skip fail", action) }

func (r Results) result(t Test, action string, output *strings.Builder, human io.Writer) {
	if t.Name == "" {
		return
	}
	if have, ok := r[t]; !ok || rank(action) > rank(have) {
		r[t] = action
	}
	if action != "pass" && output != nil {
		fmt.Fprint(human, output.String())
	}
}

// Count returns how many tests had an outcome.
func (r Results) Count(action string) (n int) {
	for _, a := range r {
		if a == action {
			n++
		}
	}
	return n
}
