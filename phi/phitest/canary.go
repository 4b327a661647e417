package phitest

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"index/suffixarray"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf16"
)

// Canary looks for values that must not occur in clear: in a log, a dump of the database, a
// page, the files of a data directory. It looks for each value in any case, and as JSON, HTML,
// URL, hexadecimal, Base64 and UTF-16 write it; numbers also without what separates them.
//
// A search that finds nothing proves nothing by itself. So the test writes Decoy, in clear,
// through the same way that values take, and Check fails where it does not find the decoy.
type Canary struct {
	decoy   string
	needles []needle
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
	c := &Canary{decoy: "decoy-" + strings.ToLower(rand.Text())}
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

func (c *Canary) add(label, v string) {
	put := func(form string, text string, fold bool) {
		n := needle{label + " " + form, []byte(text), fold}
		if fold {
			n.text = bytes.ToLower(n.text)
		}
		if len(text) >= minValue && !slices.ContainsFunc(c.needles, func(m needle) bool {
			return bytes.Equal(m.text, n.text) && m.fold == n.fold
		}) {
			c.needles = append(c.needles, n)
		}
	}
	put("in clear", v, true)
	if js, err := json.Marshal(v); err == nil {
		put("as JSON", strings.Trim(string(js), `"`), true)
	}
	put("as HTML", html.EscapeString(v), true)
	put("in a URL", url.QueryEscape(v), true)
	put("in a URL path", url.PathEscape(v), true)
	put("as hexadecimal", hex.EncodeToString([]byte(v)), true)
	for i, form := range base64Forms(v) {
		put(fmt.Sprintf("as Base64, form %d", i), form, false)
	}
	put("as UTF-16, little-endian", utf16Form(v, binary.LittleEndian), true)
	put("as UTF-16, big-endian", utf16Form(v, binary.BigEndian), true)
	if digits := digitsOnly(v); len(digits) >= 9 {
		put("as bare digits", digits, true)
	}
}

// base64Forms returns what of v's Base64 does not depend on what surrounds it, for each of
// the three ways it can fall onto groups of three bytes and both alphabets.
func base64Forms(v string) []string {
	var forms []string
	for shift := range 3 {
		b := append(make([]byte, shift), v...)
		skip := (shift*8 + 5) / 6
		keep := len(b) * 8 / 6
		for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			forms = append(forms, e.EncodeToString(b)[skip:keep])
		}
	}
	return forms
}

func utf16Form(v string, order binary.AppendByteOrder) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(v)) {
		b = order.AppendUint16(b, u)
	}
	return string(b)
}

func digitsOnly(v string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9':
			return r
		case unicode.IsLetter(r):
			return 'x' // not a number: keeps "Room 12, 555…" from becoming one
		}
		return -1
	}, v)
}

// Search returns which values occur in what r yields, and whether the decoy does.
func (c *Canary) Search(r io.Reader) (found []string, decoy bool, err error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, false, fmt.Errorf("phitest: reading what to search: %w", err)
	}
	// Indexed, because a dump is megabytes and the needles are thousands.
	exact, folded := suffixarray.New(text), suffixarray.New(bytes.ToLower(text))
	for _, n := range c.needles {
		if has(exact, n.text) || n.fold && has(folded, n.text) {
			found = append(found, n.label)
		}
	}
	return found, has(folded, []byte(c.decoy)), nil
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
