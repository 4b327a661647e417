package phi_test

import (
	"bytes"
	"database/sql/driver"
	"encoding"
	"encoding/csv"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"expvar"
	"fmt"
	htmltemplate "html/template"
	"log"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"text/tabwriter"
	"text/template"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi"
)

const secret = "Wilhelmina Featherstone"

// exported and unexported are the two ways in which a struct can hold a Text.
type exported struct{ Name phi.Text }

type unexported struct {
	Kind string
	name phi.Text
}

// sinks are the ways in which values get out of a program by accident.
func sinks() map[string]func(v any) string {
	slogWith := func(h func(*bytes.Buffer) slog.Handler) func(v any) string {
		return func(v any) string {
			var b bytes.Buffer
			slog.New(h(&b)).Info("seen", "v", v, slog.Group("g", "v", v))
			return b.String()
		}
	}
	return map[string]func(v any) string{
		"%v":      func(v any) string { return fmt.Sprintf("%v", v) },
		"%+v":     func(v any) string { return fmt.Sprintf("%+v", v) },
		"%#v":     func(v any) string { return fmt.Sprintf("%#v", v) },
		"%s":      func(v any) string { return fmt.Sprintf("%s", v) },
		"%q":      func(v any) string { return fmt.Sprintf("%q", v) },
		"%x":      func(v any) string { return fmt.Sprintf("%x %X", v, v) },
		"%d":      func(v any) string { return fmt.Sprintf("%d %T %p", v, v, v) },
		"Print":   func(v any) string { return fmt.Sprint(v) + fmt.Sprintln(v, &v) },
		"errors":  func(v any) string { return errors.Join(fmt.Errorf("for %v", v), fmt.Errorf("%+v", v)).Error() },
		"pointer": func(v any) string { return fmt.Sprintf("%v %+v %#v", &v, []any{v}, map[string]any{"v": v}) },
		"json": func(v any) string {
			b, err := json.Marshal(v)
			return fmt.Sprint(string(b), err)
		},
		"json indent": func(v any) string {
			b, err := json.MarshalIndent(map[string]any{"v": v, "l": []any{v}}, "", " ")
			return fmt.Sprint(string(b), err)
		},
		"xml": func(v any) string {
			b, err := xml.Marshal(v)
			return fmt.Sprint(string(b), err)
		},
		"gob": func(v any) string {
			var b bytes.Buffer
			err := gob.NewEncoder(&b).Encode(v)
			return fmt.Sprint(b.String(), err)
		},
		"text": func(v any) string {
			if m, ok := v.(encoding.TextMarshaler); ok {
				b, err := m.MarshalText()
				return fmt.Sprint(string(b), err)
			}
			return ""
		},
		"text/template": func(v any) string {
			var b bytes.Buffer
			err := template.Must(template.New("").Parse(`{{.}} {{printf "%v" .}} {{html .}} {{js .}}`)).Execute(&b, v)
			return fmt.Sprint(b.String(), err)
		},
		"html/template": func(v any) string {
			var b bytes.Buffer
			err := htmltemplate.Must(htmltemplate.New("").Parse(`<a title="{{.}}" href="?q={{.}}">{{.}}<script>x = {{.}}</script>`)).Execute(&b, v)
			return fmt.Sprint(b.String(), err)
		},
		"slog text": slogWith(func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) }),
		"slog json": slogWith(func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) }),
		"log": func(v any) string {
			var b bytes.Buffer
			l := log.New(&b, "", 0)
			l.Print(v)
			l.Printf("%v", v)
			return b.String()
		},
		"panic": func(v any) (out string) {
			defer func() { out = fmt.Sprint(recover()) }()
			panic(v)
		},
		"expvar": func(v any) string { return expvar.Func(func() any { return v }).String() },
		"test diff": func(v any) string {
			w := &recorder{}
			assert.Equal(w, v, "something else")
			assert.ElementsMatch(w, []any{v}, []any{1})
			assert.Nil(w, v)
			return w.b.String()
		},
		"tables": func(v any) string {
			var b bytes.Buffer
			c, w := csv.NewWriter(&b), tabwriter.NewWriter(&b, 0, 0, 1, ' ', 0)
			_ = c.Write([]string{fmt.Sprint(v)})
			c.Flush()
			fmt.Fprintf(w, "%v\t%s\n", v, url.Values{"v": {fmt.Sprint(v)}}.Encode())
			_ = w.Flush()
			return b.String()
		},
		"reflection": dumpDeep,
	}
}

// recorder is a testing.T that keeps what it is told.
type recorder struct{ b strings.Builder }

func (r *recorder) Errorf(format string, args ...any) { fmt.Fprintf(&r.b, format, args...) }

// dumpDeep prints everything that reflection reaches, unexported fields and what pointers
// point to included, without calling methods: what spew, pretty-printers and go-cmp do.
func dumpDeep(v any) string {
	var b strings.Builder
	seen := map[uintptr]bool{}
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() && !seen[v.Pointer()] {
				seen[v.Pointer()] = true
				walk(v.Elem())
			}
		case reflect.Interface:
			if !v.IsNil() {
				walk(v.Elem())
			}
		case reflect.Struct:
			c := reflect.New(v.Type()).Elem()
			c.Set(v)
			for i := range c.NumField() {
				f := c.Field(i)
				walk(reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem())
			}
		case reflect.Slice, reflect.Array:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Map:
			for it := v.MapRange(); it.Next(); {
				walk(it.Key())
				walk(it.Value())
			}
		default:
			fmt.Fprintf(&b, "%v ", v)
		}
	}
	walk(reflect.ValueOf(v))
	return b.String()
}

// texts are a loose Text and one that a codec opened.
func texts(t *testing.T) map[string]phi.Text {
	c, err := phi.For[person](newVault(t), "person")
	require.NoError(t, err)
	rec, err := c.Seal(t.Context(), clinic, &person{ID: "p-1", Name: phi.NewText(secret)})
	require.NoError(t, err)
	p, err := c.Open(t.Context(), clinic, phi.Row{ID: "p-1", Cols: map[string]phi.Sealed{"name": rec.Col("name")}})
	require.NoError(t, err)
	require.True(t, p.Name.Equal(phi.NewText(secret)), "opened once, so that any cache would be filled")
	return map[string]phi.Text{"loose": phi.NewText(secret), "opened": p.Name}
}

type person struct {
	ID   string   `phi:",row,patient"`
	Name phi.Text `phi:"name,class=name"`
}

func TestNothingPrintsIt(t *testing.T) {
	t.Parallel()
	require.GreaterOrEqual(t, len(sinks()), 21)
	words := strings.Fields(secret)
	for origin, text := range texts(t) {
		for where, v := range map[string]any{
			"direct": text, "exported": exported{text}, "unexported": unexported{"x", text},
			"pointer": &unexported{"x", text}, "slice": []phi.Text{text},
		} {
			for name, sink := range sinks() {
				out := strings.ToLower(sink(v))
				for _, w := range words {
					require.NotContains(t, out, strings.ToLower(w), "%s %s into %s", origin, where, name)
					require.NotContains(t, out, fmt.Sprintf("%x", w), "%s %s into %s", origin, where, name)
				}
			}
		}
	}
}

// The sinks do show what is not protected; otherwise they would prove nothing.
func TestSinksShowOtherValues(t *testing.T) {
	t.Parallel()
	for name, sink := range sinks() {
		if name == "text" || name == "gob" {
			continue // a string has no methods; gob needs no proof beyond json's
		}
		out := strings.ToLower(sink(secret))
		shown := strings.Contains(out, "wilhelmina") || strings.Contains(out, fmt.Sprintf("%x", "wilhelmina")) ||
			strings.Contains(out, fmt.Sprintf("%x", "Wilhelmina"))
		require.True(t, shown, "%s: %s", name, out)
	}
}

// Where its own methods are asked, a Text prints as the mark.
func TestMark(t *testing.T) {
	t.Parallel()
	for _, text := range texts(t) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%10.2f"} {
			require.Equal(t, "[PHI]", fmt.Sprintf(verb, text), verb)
			require.Contains(t, fmt.Sprintf(verb, exported{text}), "[PHI]", verb)
		}
		require.Equal(t, "[PHI]", text.String())
		require.Equal(t, "[PHI]", text.GoString())
		b, err := json.Marshal(exported{text})
		require.NoError(t, err)
		require.JSONEq(t, `{"Name":"[PHI]"}`, string(b))
		x, err := xml.Marshal(exported{text})
		require.NoError(t, err)
		require.Equal(t, `<exported><Name>[PHI]</Name></exported>`, string(x))
	}
}

// An uncaught panic with a Text in it, in a process of its own.
func TestPanicProcess(t *testing.T) {
	t.Parallel()
	if os.Getenv("PHI_TEST_PANIC") != "" {
		panic(&unexported{"x", phi.NewText(secret)})
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPanicProcess$")
	cmd.Env = append(os.Environ(), "PHI_TEST_PANIC=1", "GOTRACEBACK=all")
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "panic")
	require.NotContains(t, string(out), "Wilhelmina")
}

func TestTextIsNoDatabaseValue(t *testing.T) {
	t.Parallel()
	var v driver.Valuer = phi.NewText(secret)
	got, err := v.Value()
	require.ErrorIs(t, err, phi.ErrUnsealed)
	require.Nil(t, got)
	require.NotContains(t, err.Error(), secret)
}

func TestTextInput(t *testing.T) {
	t.Parallel()
	var e exported
	require.NoError(t, json.Unmarshal([]byte(`{"Name":"Wilhelmina Featherstone"}`), &e))
	require.True(t, e.Name.Equal(phi.NewText(secret)))
	require.NoError(t, json.Unmarshal([]byte(`{"Name":null}`), &e))
	require.True(t, e.Name.IsZero())
	require.NoError(t, json.Unmarshal([]byte(`{"Name":""}`), &e))
	require.False(t, e.Name.IsZero(), "empty is a value")
	require.NoError(t, xml.Unmarshal([]byte(`<exported><Name>x</Name></exported>`), &e))
	require.True(t, e.Name.Equal(phi.NewText("x")))

	require.ErrorIs(t, json.Unmarshal([]byte(`{"Name":"[PHI]"}`), &e), phi.ErrMark)
	require.ErrorIs(t, xml.Unmarshal([]byte(`<exported><Name>[PHI]</Name></exported>`), &e), phi.ErrMark)
	err := json.Unmarshal([]byte(`{"Name":5550123}`), &e)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "5550123")
}

// What was hidden on the way out does not come back as a value.
func TestHiddenDoesNotRoundTrip(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(exported{phi.NewText(secret)})
	require.NoError(t, err)
	var e exported
	require.ErrorIs(t, json.Unmarshal(b, &e), phi.ErrMark)
	require.True(t, e.Name.IsZero())

	var buf bytes.Buffer
	require.NoError(t, gob.NewEncoder(&buf).Encode(exported{phi.NewText(secret)}))
	require.Error(t, gob.NewDecoder(&buf).Decode(&e))
	require.True(t, e.Name.IsZero())
}

func TestTextEqual(t *testing.T) {
	t.Parallel()
	var zero phi.Text
	a, b := phi.NewText("a"), phi.NewText("a")
	require.True(t, a.Equal(b))
	require.False(t, a.Equal(phi.NewText("b")))
	require.False(t, a.Equal(zero))
	require.False(t, zero.Equal(phi.NewText("")))
	require.True(t, zero.Equal(phi.Text{}))
	for _, opened := range texts(t) {
		require.True(t, opened.Equal(phi.NewText(secret)))
	}
	require.False(t, reflect.TypeFor[phi.Text]().Comparable(), "== and map keys do not compile")
}

func FuzzTextUnmarshal(f *testing.F) {
	f.Add([]byte(`"x"`))
	f.Add([]byte(`"[PHI]"`))
	f.Add([]byte(`null`))
	f.Add([]byte(`{"a":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var text phi.Text
		var want *string
		err := text.UnmarshalJSON(data)
		if json.Unmarshal(data, &want) != nil || want != nil && *want == "[PHI]" {
			require.Error(t, err)
			require.True(t, text.IsZero())
			return
		}
		require.NoError(t, err)
		if want == nil {
			require.True(t, text.IsZero())
		} else {
			require.True(t, text.Equal(phi.NewText(*want)))
		}
	})
}
