package audittest

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// CrashOptions says what TestCrash needs to know about a store.
type CrashOptions struct {
	// Database prepares one empty database and returns its address: a path, a connection
	// string. It runs once, in the test itself.
	Database func(t testing.TB) (address string)
	// Open opens the store at the address. It runs in the test and in every process that is
	// going to be killed; what it registers with t.Cleanup does not run there.
	Open func(t testing.TB, address string) audit.Store

	Kills     int // how often the processes are killed; 3
	Processes int // how many share the database; 2, or 1 for a store that only one can have
}

// TestCrash kills processes that append, sequence, read and erase, without warning and at
// moments of chance, and looks at what they leave behind. Every acknowledged event and
// erasure is there, no call is there by half, places are dense, none that a reader was told
// has changed, and of two processes that wanted one ID at most one was told that it got it.
// After the first process is killed the others have to go on.
//
// It starts its own test binary again, with the -run pattern of this very test. What comes
// before TestCrash in the test function therefore runs in those processes, too: prepare the
// database in Database. A kill does not prove what a power failure does; that rests on the
// engine's promises and on the settings with which the store asks for them.
func TestCrash(t *testing.T, o CrashOptions) {
	t.Helper()
	if err := crash(t, o); err != nil {
		t.Fatal(err)
	}
}

// crashVariable tells a process that it is one of those that get killed, and what to do.
const crashVariable = "AUDITTEST_CRASH"

// crash returns what the store broke.
func crash(t testing.TB, o CrashOptions) error {
	if o.Kills == 0 {
		o.Kills = 3
	}
	if o.Processes == 0 {
		o.Processes = 2
	}
	if text := os.Getenv(crashVariable); text != "" {
		victim(t, o, text)
	}
	left := newWreck(o.Database(t))
	for round := range o.Kills {
		if err := left.round(t, o, round); err != nil {
			return fmt.Errorf("kill %d: %w", round+1, err)
		}
		if err := left.examine(t.Context(), o.Open(t, left.address)); err != nil {
			return fmt.Errorf("after kill %d: %w", round+1, err)
		}
	}
	t.Logf("%d kills, %s", o.Kills, left)
	return nil
}

// child is a process that is going to be killed.
type child struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	done   chan struct{} // closed when its output has ended
	stderr strings.Builder

	mu    sync.Mutex
	lines []string
}

// round starts all processes, kills the first one while it works, sees the others go on, and
// kills them, too.
func (w *wreck) round(t testing.TB, o CrashOptions, round int) error {
	var children []*child
	defer func() {
		for _, c := range children {
			c.kill()
		}
	}()
	for i := range o.Processes {
		c, err := startChild(t.Name(), fmt.Sprintf("%d %d %s", round, i, w.address))
		if err != nil {
			return err
		}
		children = append(children, c)
	}
	for i, c := range children {
		for _, alive := range children[i:] {
			if err := alive.progress(alive.acknowledged() + 25); err != nil {
				return err
			}
		}
		time.Sleep(rand.N(150 * time.Millisecond))
		c.kill()
	}
	for i, c := range children {
		if err := w.report(round, i, c.lines); err != nil {
			return err
		}
	}
	return nil
}

// startChild runs the named test again, as a victim.
func startChild(test, task string) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var pattern []string
	for name := range strings.SplitSeq(test, "/") {
		pattern = append(pattern, "^"+regexp.QuoteMeta(name)+"$")
	}
	c := &child{done: make(chan struct{})}
	c.cmd = exec.Command(program, "-test.run="+strings.Join(pattern, "/"), "-test.count=1", "-test.timeout=5m")
	c.cmd.Env = append(os.Environ(), crashVariable+"="+task)
	c.cmd.Stderr = &c.stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if c.stdin, err = c.cmd.StdinPipe(); err != nil { // it ends itself when this pipe does
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go c.listen(out)
	return c, nil
}

// listen keeps every line that was written to its end.
func (c *child) listen(out io.Reader) {
	defer close(c.done)
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		c.mu.Lock()
		c.lines = append(c.lines, strings.TrimSuffix(line, "\n"))
		c.mu.Unlock()
	}
}

// acknowledged counts the calls that were reported so far.
func (c *child) acknowledged() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, line := range c.lines {
		if strings.HasPrefix(line, reportAppended) {
			n++
		}
	}
	return n
}

// progress waits until the process has reported n calls.
func (c *child) progress(n int) error {
	for deadline := time.Now().Add(time.Minute); c.acknowledged() < n; time.Sleep(3 * time.Millisecond) {
		select {
		case <-c.done:
			_ = c.cmd.Wait()
			return fmt.Errorf("a process ended by itself:\n%s\n%s", strings.Join(c.lines[max(0, len(c.lines)-20):], "\n"), c.stderr.String())
		default:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("a process acknowledged %d calls in a minute, and then none", c.acknowledged())
		}
	}
	return nil
}

// kill ends the process at once and waits for what it had written.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	<-c.done
	_ = c.cmd.Wait()
	_ = c.stdin.Close()
}
