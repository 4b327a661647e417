package phitest_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/phitest"
)

const (
	canaryName   = "José <O'Brien>"
	canaryPhone  = "+1 (555) 555-0123"
	canaryDay    = "1984-02-29"
	canaryNumber = "8675309271.5"
)

func newCanary(t *testing.T) *phitest.Canary {
	t.Helper()
	c, err := phitest.NewCanary(canaryName, canaryPhone, canaryDay, canaryNumber)
	require.NoError(t, err)
	return c
}

func utf16le(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

func utf16be(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u>>8), byte(u))
	}
	return string(b)
}

// mime64 is Base64 in lines of 76 characters.
func mime64(s string) string {
	b := base64.StdEncoding.EncodeToString([]byte(s))
	var lines []string
	for ; len(b) > 76; b = b[76:] {
		lines = append(lines, b[:76])
	}
	return strings.Join(append(lines, b), "\r\n")
}

func TestCanaryNoticesEveryForm(t *testing.T) {
	t.Parallel()
	js, err := json.Marshal(map[string]string{"name": canaryName})
	require.NoError(t, err)
	forms := map[string]string{
		"clear":       canaryName,
		"other case":  strings.ToUpper(canaryName),
		"json":        string(js),
		"html":        "José &lt;O&#39;Brien&gt;",
		"query":       url.Values{"n": {canaryName}}.Encode(),
		"path":        url.PathEscape(canaryName),
		"hex":         hex.EncodeToString([]byte(canaryName)),
		"upper hex":   strings.ToUpper(hex.EncodeToString([]byte(canaryName))),
		"bytea":       `\x` + hex.EncodeToString([]byte("x"+canaryName+"y")),
		"base64 0":    base64.StdEncoding.EncodeToString([]byte(canaryName)),
		"base64 1":    base64.StdEncoding.EncodeToString([]byte("x" + canaryName + "yz")),
		"base64 2":    base64.URLEncoding.EncodeToString([]byte("xy" + canaryName + "z")),
		"base64 url":  base64.RawURLEncoding.EncodeToString([]byte("xyzw" + canaryName)),
		"utf-16":      utf16le(canaryName),
		"phone":       canaryPhone,
		"bare digits": "tel=15555550123;",
		"utf-16be":    utf16be(canaryName),
		"xml":         "José &lt;O&#39;Brien&gt;",
		"sql":         "'José <O''Brien>'",
		"backslashes": `'José <O\'Brien>'`,
		"go":          fmt.Sprintf("%q", []string{canaryName}),
		"ascii json":  `{"name":"Jos\u00e9 <O'Brien>"}`,
		"octal":       `Jos\303\251 <O'Brien>`,
		"mail":        "name=3D Jos=C3=A9 <O'Brien>",
		"decomposed":  "Jose\u0301 <O'Brien>",
		"mime":        mime64(strings.Repeat("x", 70) + canaryName + strings.Repeat("y", 70)),
		"compact day": "19840229",
		"us day":      "born 02/29/1984",
		"german day":  "29.02.1984",
		"written day": "February 29, 1984",
		"go day":      fmt.Sprintf("%v", struct{ d phi.Day }{phi.Day{Year: 1984, Month: 2, Day: 29}}),
		"go day +":    fmt.Sprintf("%+v", struct{ d phi.Day }{phi.Day{Year: 1984, Month: 2, Day: 29}}),
		"number":      "weight 8675309271.5 g",
	}
	for name, form := range forms {
		found, _, err := newCanary(t).Search(strings.NewReader("before " + form + " after"))
		require.NoError(t, err)
		require.NotEmpty(t, found, name)
		require.NotContains(t, strings.Join(found, " "), "José")
	}
}

// watcher is a testing.TB that only notes that it failed.
type watcher struct {
	testing.TB
	failed int
}

func (w *watcher) Errorf(string, ...any) { w.failed++ }
func (w *watcher) Helper()               {}

func TestCanaryCheck(t *testing.T) {
	t.Parallel()
	c := newCanary(t)
	cases := map[string]struct {
		text     string
		failures int
	}{
		"clean":              {"log line " + c.Decoy(), 0},
		"nothing searched":   {"", 1},
		"value":              {c.Decoy() + " " + canaryPhone, 1},
		"value and no decoy": {canaryPhone, 2},
	}
	for name, tc := range cases {
		w := &watcher{}
		c.Check(w, "log", strings.NewReader(tc.text))
		require.Equal(t, tc.failures > 0, w.failed > 0, name)
		require.GreaterOrEqual(t, w.failed, tc.failures, name)
	}
	w := &watcher{}
	c.Check(w, "broken", io.MultiReader(strings.NewReader(c.Decoy()), iotest.ErrReader(errors.New("cut"))))
	require.Equal(t, 1, w.failed)
}

func TestCanaryCheckFiles(t *testing.T) {
	t.Parallel()
	c, dir := newCanary(t), t.TempDir()
	w := &watcher{}
	c.CheckFiles(w, dir)
	require.Equal(t, 1, w.failed, "an empty folder proves nothing")

	sub := filepath.Join(dir, "a", "b")
	require.NoError(t, os.MkdirAll(sub, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(sub, "db"), []byte("…"+c.Decoy()), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "log"), []byte("fine"), 0o600))
	c.CheckFiles(t, dir)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "log"), bytes.Repeat([]byte(canaryName), 2), 0o600))
	w = &watcher{}
	c.CheckFiles(w, dir)
	require.NotZero(t, w.failed)
	w = &watcher{}
	c.CheckFiles(w, filepath.Join(dir, "missing"))
	require.NotZero(t, w.failed)
}

func TestNewCanaryRefusesWhatMeansNothing(t *testing.T) {
	t.Parallel()
	_, err := phitest.NewCanary()
	require.Error(t, err)
	_, err = phitest.NewCanary("Jane Doe", "Ann")
	require.ErrorContains(t, err, "value 1")
	require.NotContains(t, err.Error(), "Ann")
}

// frankError quotes what it should not.
type frankError struct{ name string }

func (e *frankError) Error() string { return "no such patient" }

// CheckValue passes what shows nothing, and catches each of the ways in which a value shows.
func TestCanaryCheckValue(t *testing.T) {
	t.Parallel()
	c := newCanary(t)
	day, err := phi.ParseDate(canaryDay)
	require.NoError(t, err)
	number, err := phi.ParseNumber(canaryNumber)
	require.NoError(t, err)
	c.CheckValue(t, "row", struct {
		ID     string
		Name   phi.Text
		Birth  phi.Date
		Weight phi.Number
		hidden phi.Text
	}{"p-1", phi.NewText(canaryName), day, number, phi.NewText(canaryPhone)})
	c.CheckValue(t, "error", &phi.FieldError{Field: "patient.phone", Err: phi.ErrNotNormal})
	c.CheckValue(t, "nil", nil)

	for name, v := range map[string]any{
		"string":       canaryName,
		"exported":     struct{ Name string }{canaryName},
		"unexported":   struct{ name string }{canaryName},
		"day":          phi.Day{Year: 1984, Month: 2, Day: 29},
		"decimal":      []phi.Decimal{canaryNumber},
		"error":        errors.New("no patient " + canaryName),
		"wrapped":      fmt.Errorf("saving: %w", &frankError{canaryName}),
		"joined":       errors.Join(errors.New("x"), &frankError{canaryPhone}),
		"only json":    onlyJSON{},
		"only by text": onlyText{},
	} {
		w := &watcher{}
		c.CheckValue(w, name, v)
		require.NotZero(t, w.failed, name)
	}
}

type onlyJSON struct{}

func (onlyJSON) MarshalJSON() ([]byte, error) { return json.Marshal(canaryName) }

type onlyText struct{}

func (onlyText) MarshalText() ([]byte, error) { return []byte(canaryName), nil }

// Every printer shows its decoy: CheckValue is no empty promise.
func TestCanaryPrinters(t *testing.T) {
	t.Parallel()
	c := newCanary(t)
	for name, out := range phitest.Printed(c.Decoy()) {
		found, decoy, err := c.Search(strings.NewReader(out))
		require.NoError(t, err)
		require.Empty(t, found)
		require.True(t, decoy, name)
	}
}

// A Text and a Sealed value pass where the plaintext does not.
func TestCanaryAgainstText(t *testing.T) {
	t.Parallel()
	c := newCanary(t)
	v, err := phi.Open(t.Context(), "test", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil)
	require.NoError(t, err)
	s, err := v.Seal(t.Context(), phi.At{Tenant: "clinic", Field: "patient.name", Row: "1"}, []byte(canaryName))
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, json.NewEncoder(&b).Encode([]any{phi.NewText(canaryName), s, c.Decoy()}))
	c.Check(t, "json", &b)
}
