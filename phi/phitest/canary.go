package phitest

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"index/suffixarray"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Canary looks for values that must not occur in clear: in a log, an error, a dump of the
// database, a page, the files of a data directory. It looks for each value in any case, and as
// JSON, HTML, XML, URLs, SQL, e-mail, hexadecimal, octal, Base64 and UTF-16 write it, its letters
// composed or not; for dates also in the usual other orders, for numbers also without what
// separates them. What is compressed or encrypted it cannot look into.
//
// A search that finds nothing proves nothing by itself. So the test writes Decoy, in clear,
// through the same way that values take, and Check fails where it does not find the decoy.
// CheckValue does both.
type Canary struct {
	decoy   string
	needles []needle
	known   map[string]bool
}

type needle struct {
	label string // says which value, without the value
	text  []byte
	fold  bool // in any case
}

// minValue is how short a value may be before finding it means nothing.
const minValue = 5

// NewCanary returns a Canary for values, each of at least 5 bytes. The failures that it
// reports name a value by its position, from 0, and its form.
func NewCanary(values ...string) (*Canary, error) {
	c := &Canary{decoy: "decoy-" + strings.ToLower(rand.Text()), known: map[string]bool{}}
	if len(values) == 0 {
		return nil, fmt.Errorf("phitest: a canary needs values")
	}
	for i, v := range values {
		if len(v) < minValue {
			return nil, fmt.Errorf("phitest: value %d is too short to be told from noise", i)
		}
		c.add(fmt.Sprintf("value %d", i), v)
	}
	return c, nil
}

// Decoy returns a random word, for the test to write where it later looks.
func (c *Canary) Decoy() string { return c.decoy }

// Search returns which values occur in what r yields, and whether the decoy does.
func (c *Canary) Search(r io.Reader) (found []string, decoy bool, err error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, false, fmt.Errorf("phitest: reading what to search: %w", err)
	}
	// Indexed, because a dump is megabytes and the needles are thousands.
	exact, folded := suffixarray.New(text), suffixarray.New(bytes.ToLower(text))
	wrapped := suffixarray.New(unwrap(text))
	for _, n := range c.needles {
		if has(exact, n.text) || n.fold && has(folded, n.text) || !n.fold && has(wrapped, n.text) {
			found = append(found, n.label)
		}
	}
	return found, has(folded, []byte(c.decoy)), nil
}

// unwrap joins the lines of Base64 that mail and PEM break after 64 or 76 characters.
func unwrap(text []byte) []byte {
	var joined []byte
	for line := range bytes.Lines(text) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 || !isBase64(line) {
			joined = append(joined, ' ')
			continue
		}
		joined = append(joined, line...)
	}
	return joined
}

func isBase64(line []byte) bool {
	return !bytes.ContainsFunc(line, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("+/-_=", r)
	})
}

func has(x *suffixarray.Index, text []byte) bool { return len(x.Lookup(text, 1)) > 0 }

// Check fails the test where a value occurs in what r yields, or where the decoy does not,
// because then the search was none.
func (c *Canary) Check(t testing.TB, name string, r io.Reader) {
	t.Helper()
	found, decoy, err := c.Search(r)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	for _, f := range found {
		t.Errorf("phitest: %s contains %s", name, f)
	}
	if !decoy {
		t.Errorf("phitest: %s does not contain the decoy, so a value would not have been found either", name)
	}
}

// CheckValue fails the test where a value occurs in what programs make of v by accident: the
// verbs of fmt, also of v inside an unexported field, JSON, XML, gob, the handlers of log/slog;
// of an error, the errors that it wraps too. It shows each of them the decoy as well.
func (c *Canary) CheckValue(t testing.TB, name string, v any) {
	t.Helper()
	for _, p := range printers() {
		var b bytes.Buffer
		p.print(&b, v)
		p.print(&b, decoyed(c.decoy))
		c.Check(t, name+" by "+p.name, &b)
	}
}

// CheckFiles is Check for all files below dir taken together.
func (c *Canary) CheckFiles(t testing.TB, dir string) {
	t.Helper()
	some := false
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		found, decoy, err := c.Search(f)
		for _, what := range found {
			t.Errorf("phitest: %s contains %s", d.Name(), what)
		}
		some = some || decoy
		return err
	})
	if err != nil {
		t.Errorf("phitest: searching files: %v", err)
	}
	if !some {
		t.Errorf("phitest: no file contains the decoy, so a value would not have been found either")
	}
}
