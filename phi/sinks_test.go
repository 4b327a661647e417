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
	"maps"
	"net/url"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"text/template"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi"
)

// sample is a value, and what must not be seen of it: without capitals, which its hexadecimal
// form would have differently.
type sample struct {
	name  string
	in    map[string]any // the value in everything that can hold it
	words []string
}

// The ways in which a program holds a value.
type (
	exported[T any]   struct{ Name T }
	unexported[T any] struct {
		Kind string
		name T
	}
)

func held[T any](v T) map[string]any {
	return map[string]any{
		"direct": v, "pointer": &v, "exported": exported[T]{v}, "unexported": unexported[T]{"x", v},
		"pointer to unexported": &unexported[T]{"x", v}, "deep": unexported[unexported[T]]{"y", unexported[T]{"x", v}},
		"slice": []T{v}, "array": [1]T{v}, "map": map[string]T{"v": v}, "any": unexported[any]{"x", v},
	}
}

// leaks returns where v is seen.
func (s sample) leaks() (found []string) {
	for where, v := range s.in {
		for name, sink := range sinks() {
			out := strings.ToLower(sink(v))
			for _, w := range s.words {
				if strings.Contains(out, w) || strings.Contains(out, fmt.Sprintf("%x", w)) {
					found = append(found, name+" of "+where)
					break
				}
			}
		}
	}
	return found
}

const (
	secret       = "Wilhelmina Featherstone"
	secretDay    = "1907-05-23"
	secretNumber = "-8675309271828.50"
)

// sealedKinds has a field of each kind.
type sealedKinds struct {
	ID     string     `phi:",row,patient"`
	Name   phi.Text   `phi:"name,class=name"`
	Birth  phi.Date   `phi:"birth,class=date"`
	Weight phi.Number `phi:"weight,class=clinical"`
}

func someKinds(t testing.TB) *sealedKinds {
	t.Helper()
	day, err := phi.ParseDate(secretDay)
	require.NoError(t, err)
	number, err := phi.ParseNumber(secretNumber)
	require.NoError(t, err)
	return &sealedKinds{"p-1", phi.NewText(secret), day, number}
}

// samples are values of every kind: loose ones, and ones that a codec opened.
func samples(t testing.TB) []sample {
	t.Helper()
	c, err := phi.For[sealedKinds](newVault(t), "kinds")
	require.NoError(t, err)
	loose := someKinds(t)
	opened := reopen(t, c, loose)
	require.True(t, opened.Name.Equal(loose.Name) && opened.Birth.Equal(loose.Birth) && opened.Weight.Equal(loose.Weight),
		"opened once, so that any cache would be filled")
	name := []string{"ilhelmina", "eatherstone"}
	day := []string{"1907-05", "05-23", "year:1907", "{1907 "}
	number := []string{"8675309271828"}
	return []sample{
		{"loose text", held(loose.Name), name},
		{"opened text", held(opened.Name), name},
		{"loose date", held(loose.Birth), day},
		{"opened date", held(opened.Birth), day},
		{"loose number", held(loose.Weight), number},
		{"opened number", held(opened.Weight), number},
		{"row", held(*opened), slices.Concat(name, day, number)},
	}
}

func TestNothingPrintsIt(t *testing.T) {
	t.Parallel()
	require.GreaterOrEqual(t, len(sinks()), 21)
	for _, s := range samples(t) {
		require.Empty(t, s.leaks(), s.name)
	}
}

// polite is what such types often are: it has every method and is a string.
type polite string

func (polite) String() string               { return "[PHI]" }
func (polite) GoString() string             { return "[PHI]" }
func (polite) Format(f fmt.State, _ rune)   { fmt.Fprint(f, "[PHI]") }
func (polite) LogValue() slog.Value         { return slog.StringValue("[PHI]") }
func (polite) MarshalJSON() ([]byte, error) { return []byte(`"[PHI]"`), nil }
func (polite) MarshalText() ([]byte, error) { return []byte("[PHI]"), nil }
func (polite) GobEncode() ([]byte, error)   { return []byte("[PHI]"), nil }
func (polite) Value() (driver.Value, error) { return nil, phi.ErrUnsealed }

// frank is what is not protected at all.
type frank string

func (f frank) MarshalText() ([]byte, error) { return []byte(f), nil }

// The matrix notices what leaks: every sink shows a value without protection, and most show
// one whose methods are polite as soon as it is in an unexported field.
func TestMatrixNoticesLeaks(t *testing.T) {
	t.Parallel()
	noticed := map[string]bool{}
	for _, s := range []sample{
		{"string", held(secret), []string{"ilhelmina"}},
		{"frank", held(frank(secret)), []string{"ilhelmina"}},
	} {
		for _, l := range s.leaks() {
			sink, _, _ := strings.Cut(l, " of ")
			noticed[sink] = true
		}
	}
	require.ElementsMatch(t, slices.Collect(maps.Keys(sinks())), slices.Collect(maps.Keys(noticed)))

	leaks := sample{"polite", map[string]any{"unexported": unexported[polite]{"x", secret}}, []string{"ilhelmina"}}.leaks()
	require.GreaterOrEqual(t, len(leaks), 12, "%v", leaks)
	day := phi.Day{Year: 1907, Month: 5, Day: 23}
	require.NotEmpty(t, sample{"day", held(day), []string{"1907-05", "year:1907", "{1907 "}}.leaks())
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
		"slog text": slogWith(func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, timeless) }),
		"slog json": slogWith(func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, timeless) }),
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
		"sql": func(v any) string {
			got, err := driver.DefaultParameterConverter.ConvertValue(v)
			return fmt.Sprint(got, err, driver.NamedValue{Name: "v", Value: v})
		},
		"wrapped error": func(v any) string {
			err := fmt.Errorf("saving %v: %w", v, &carrier{v})
			return fmt.Sprintf("%v %+v %#v %v", err, err, err, errors.Unwrap(err))
		},
	}
}

// timeless leaves out when something was logged: on one day of the year it would be taken for the secret one.
var timeless = &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey && len(groups) == 0 {
		return slog.Attr{}
	}
	return a
}}

// carrier is an error that has the value with it.
type carrier struct{ v any }

func (c *carrier) Error() string { return fmt.Sprint("refused ", c.v) }

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

// Where its own methods are asked, a value prints as the mark.
func TestMark(t *testing.T) {
	t.Parallel()
	for _, s := range samples(t)[:6] {
		v := s.in["direct"]
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%10.2f"} {
			require.Equal(t, "[PHI]", fmt.Sprintf(verb, v), verb)
			require.Contains(t, fmt.Sprintf(verb, s.in["exported"]), "[PHI]", verb)
		}
		require.Equal(t, "[PHI]", v.(fmt.Stringer).String())
		require.Equal(t, "[PHI]", v.(fmt.GoStringer).GoString())
		b, err := json.Marshal(s.in["exported"])
		require.NoError(t, err)
		require.JSONEq(t, `{"Name":"[PHI]"}`, string(b))
		x, err := xml.Marshal(s.in["direct"])
		require.NoError(t, err)
		require.Contains(t, string(x), ">[PHI]<")
		got, err := v.(driver.Valuer).Value()
		require.ErrorIs(t, err, phi.ErrUnsealed, "no kind is a value for a database")
		require.Nil(t, got)
		require.False(t, reflect.TypeOf(v).Comparable(), "== and map keys do not compile")
	}
}

// An uncaught panic with a Text in it, in a process of its own.
func TestPanicProcess(t *testing.T) {
	t.Parallel()
	if os.Getenv("PHI_TEST_PANIC") != "" {
		panic(unexported[*sealedKinds]{"x", someKinds(t)})
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPanicProcess$")
	cmd.Env = append(os.Environ(), "PHI_TEST_PANIC=1", "GOTRACEBACK=all")
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "panic")
	text := regexp.MustCompile(`0x[0-9a-f]+|\.go:\d+`).ReplaceAllString(string(out), "") // addresses and lines have digits of their own
	for _, word := range []string{"Wilhelmina", secretDay, "1907", "8675309"} {
		require.NotContains(t, text, word)
	}
}
