package reqcheck

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The states of a requirement.
const (
	NotYet = "not yet"
	Partly = "partly"
	Done   = "done"
)

// Requirement is one row of the table.
type Requirement struct {
	ID    string
	Text  string
	State string
	Tests []Test
}

// Test names one test of one package, with the engine filled in.
type Test struct {
	Package string // folder inside the module, for example "mfa/mfasql"
	Name    string // for example "TestStore/sqlite/advance-once"
}

// String returns the test as the document writes it.
func (t Test) String() string { return t.Package + " " + t.Name }

var (
	idBlock = regexp.MustCompile("(?ms)^```ids (\\d+)\n(.*?)^```$")
	idForm  = regexp.MustCompile(`^[SLB]\d\d$`)
	entry   = regexp.MustCompile("^`([a-z0-9/_.-]+) (Test[^ `]*|Example[^ `]*|Fuzz[^ `]*)`(?: on ([a-z, ]+))?$")
)

var engines = [...]string{"memory", "sqlite", "postgres", "redis"}

// Parse reads the document. Every id of the block has to have exactly one row, every row has
// to be in the block, and a state has to fit its tests.
func Parse(document string) ([]Requirement, error) {
	ids, err := parseIDs(document)
	if err != nil {
		return nil, err
	}
	var all []Requirement
	for n, line := range strings.Split(document, "\n") {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| id |") {
			continue
		}
		r, err := parseRow(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
		i := slices.Index(ids, r.ID)
		if i < 0 {
			return nil, fmt.Errorf("line %d: %s is not listed, or has two rows", n+1, r.ID)
		}
		ids = slices.Delete(ids, i, i+1)
		all = append(all, r)
	}
	if len(ids) > 0 {
		return nil, fmt.Errorf("no row for %s", strings.Join(ids, ", "))
	}
	return all, nil
}

func parseIDs(document string) ([]string, error) {
	block := idBlock.FindStringSubmatch(document)
	if block == nil {
		return nil, fmt.Errorf("no fenced block of language ids")
	}
	ids := strings.Fields(block[2])
	if want, _ := strconv.Atoi(block[1]); want != len(ids) {
		return nil, fmt.Errorf("the block lists %d ids, but says %d", len(ids), want)
	}
	for i, id := range ids {
		if !idForm.MatchString(id) || slices.Contains(ids[:i], id) {
			return nil, fmt.Errorf("%s is no id, or is listed twice", id)
		}
	}
	return ids, nil
}

func parseRow(line string) (Requirement, error) {
	cells := strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "|"), "|"), "|")
	if len(cells) != 4 {
		return Requirement{}, fmt.Errorf("%d cells, want 4", len(cells))
	}
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	r := Requirement{ID: cells[0], Text: cells[1], State: cells[2]}
	if r.Text == "" {
		return r, fmt.Errorf("%s says nothing", r.ID)
	}
	if cells[3] != "" {
		for _, text := range strings.Split(cells[3], "<br>") {
			tests, err := parseEntry(strings.TrimSpace(text))
			if err != nil {
				return r, fmt.Errorf("%s: %w", r.ID, err)
			}
			r.Tests = append(r.Tests, tests...)
		}
	}
	switch {
	case r.State != NotYet && r.State != Partly && r.State != Done:
		return r, fmt.Errorf("%s has the unknown state %q", r.ID, r.State)
	case (r.State == NotYet) != (len(r.Tests) == 0):
		return r, fmt.Errorf("%s is %q with %d tests", r.ID, r.State, len(r.Tests))
	}
	return r, nil
}

func parseEntry(text string) ([]Test, error) {
	m := entry.FindStringSubmatch(text)
	if m == nil {
		return nil, fmt.Errorf("cannot read the test %q", text)
	}
	if strings.Contains(m[2], "*") != (m[3] != "") || strings.Count(m[2], "*") > 1 {
		return nil, fmt.Errorf("%q: one star and its engines belong together", text)
	}
	if m[3] == "" {
		return []Test{{m[1], m[2]}}, nil
	}
	var tests []Test
	for _, engine := range strings.Split(m[3], ",") {
		engine = strings.TrimSpace(engine)
		if !slices.Contains(engines[:], engine) {
			return nil, fmt.Errorf("%q: unknown engine %q", text, engine)
		}
		tests = append(tests, Test{m[1], strings.Replace(m[2], "*", engine, 1)})
	}
	return tests, nil
}
