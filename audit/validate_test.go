package audit_test

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
)

// texts returns a setter for each text in an event, by its path, found by reflection, so that
// a field added later is not forgotten.
func texts() map[string]func(e *audit.Event, s string) {
	out := map[string]func(*audit.Event, string){}
	var walk func(path string, typ reflect.Type, get func(e *audit.Event) reflect.Value)
	walk = func(path string, typ reflect.Type, get func(e *audit.Event) reflect.Value) {
		switch {
		case typ == reflect.TypeFor[audit.Private](), typ == reflect.TypeFor[time.Time](), typ == reflect.TypeFor[netip.Addr]():
		case typ.Kind() == reflect.String:
			out[path] = func(e *audit.Event, s string) { get(e).SetString(s) }
		case typ.Kind() == reflect.Struct:
			for i := range typ.NumField() {
				if f := typ.Field(i); f.IsExported() {
					walk(path+"."+f.Name, f.Type, func(e *audit.Event) reflect.Value { return get(e).Field(i) })
				}
			}
		case typ.Kind() == reflect.Pointer:
			walk(path, typ.Elem(), func(e *audit.Event) reflect.Value { return get(e).Elem() })
		case typ.Kind() == reflect.Slice && typ.Elem().Kind() != reflect.Uint8:
			walk(path+"[]", typ.Elem(), func(e *audit.Event) reflect.Value { return get(e).Index(0) })
		case typ.Kind() == reflect.Map:
			out[path+"[value]"] = func(e *audit.Event, s string) { e.Detail = map[string]string{"k": s} }
			out[path+"[key]"] = func(e *audit.Event, s string) { e.Detail = map[string]string{s: "v"} }
		}
	}
	walk("", reflect.TypeFor[audit.Event](), func(e *audit.Event) reflect.Value { return reflect.ValueOf(e).Elem() })
	return out
}

// TestEveryTextIsChecked: no text goes into an event unbounded or malformed.
func TestEveryTextIsChecked(t *testing.T) {
	t.Parallel()
	all := texts()
	require.Greater(t, len(all), 40)
	for path, set := range all {
		for _, hostile := range []string{
			strings.Repeat("x", audit.MaxText+1), "a\x00b", "a\nb", "a\x7fb", "a\u0085b", "\xff", "a\xed\xa0\x80b",
		} {
			e := fresh()
			set(&e, hostile)
			require.ErrorIs(t, e.Validate(), audit.ErrInvalid, "%s = %q", path, hostile)
		}
	}
}

// fresh is fullEvent that shares nothing with others.
func fresh() audit.Event { return fullEvent() }

// TestHostileTexts: what is allowed comes back exactly, whatever it looks like.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	hostile := []string{
		`"`, `\`, `\"`, `\\`, `</script>`, `"},"v":1,"x":{"`, `'; DROP TABLE audit_event; --`, "é", "e\u0301", "\u202e",
		"\u2028\u2029", "\ufeff", "\ufffd", "\U0010ffff", "=1+1", "%s%n", "${x}", "null", "\u00a0", strings.Repeat("\"", 60),
	}
	for path, set := range texts() {
		for _, s := range hostile {
			e := fresh()
			set(&e, s)
			if e.Validate() != nil {
				continue // codes such as the action's name take less
			}
			got := stored(t, e)
			body, err := audit.Encode(got.Event)
			require.NoError(t, err)
			require.Equal(t, string(got.Body), string(body), path)
			want := e
			want.Recorded, want.Actor.Origin = got.Recorded, netip.Addr{}
			want.Search, want.Why, want.Disclosure = got.Search, got.Why, got.Disclosure
			require.Equal(t, withoutOrigin(want), withoutOrigin(got.Event), path)
		}
	}
}

func TestValidateLimits(t *testing.T) {
	t.Parallel()
	list := func(n int) []string {
		out := make([]string, n)
		for i := range out {
			out[i] = "x"
		}
		return out
	}
	patients := func(n int) (out []audit.Patient) {
		for range n {
			out = append(out, "p")
		}
		return out
	}
	for name, test := range map[string]struct {
		field string
		at    func(e *audit.Event, over int) // 0 at the limit, 1 beyond
	}{
		"patients":  {"patients", func(e *audit.Event, over int) { e.Patients = patients(audit.MaxPatients + over) }},
		"objects":   {"objects", func(e *audit.Event, over int) { e.Objects = many(audit.MaxObjects + over) }},
		"fields":    {"objects.fields", func(e *audit.Event, over int) { e.Objects[0].Fields = list(audit.MaxFields + over) }},
		"labels":    {"objects.labels", func(e *audit.Event, over int) { e.Objects[0].Labels = list(audit.MaxList + over) }},
		"roles":     {"actor.roles", func(e *audit.Event, over int) { e.Actor.Roles = list(audit.MaxList + over) }},
		"methods":   {"actor.methods", func(e *audit.Event, over int) { e.Actor.Methods = list(audit.MaxList + over) }},
		"changes":   {"changes", func(e *audit.Event, over int) { e.Changes = changes(audit.MaxList + over) }},
		"hash":      {"changes", func(e *audit.Event, over int) { e.Changes[0].After = make([]byte, 64+over) }},
		"detail":    {"detail", func(e *audit.Event, over int) { e.Detail = details(audit.MaxList + over) }},
		"private":   {"why", func(e *audit.Event, over int) { e.Why = audit.NewPrivate(strings.Repeat("x", audit.MaxPrivate+over)) }},
		"assurance": {"actor.assurance", func(e *audit.Event, over int) { e.Actor.Assurance = audit.Assurance(3 + over) }},
		"clock":     {"clock", func(e *audit.Event, over int) { e.Clock.ErrMicros = 1<<53 - 1 + int64(over) }},
		"unknown":   {"clock", func(e *audit.Event, over int) { e.Clock.Known = over == 0 }},
		"count":     {"disclosure.count", func(e *audit.Event, over int) { e.Disclosure.Count = -over }},
		"year":      {"recorded", func(e *audit.Event, over int) { e.Recorded = time.Date(9999+over, 1, 1, 0, 0, 0, 0, time.UTC) }},
		"year zero": {"occurred", func(e *audit.Event, over int) { e.Occurred.Start = time.Date(1-over, 1, 2, 0, 0, 0, 0, time.UTC) }},
		"occurred":  {"occurred", func(e *audit.Event, over int) { e.Occurred.End = e.Occurred.Start.Add(-time.Duration(over)) }},
		"open start": {"occurred", func(e *audit.Event, over int) {
			e.Occurred.Start = e.Occurred.Start.Add(0)
			e.Occurred = drop(e.Occurred, over)
		}},
	} {
		e := fresh()
		test.at(&e, 0)
		require.NoError(t, e.Validate(), name)
		e = fresh()
		test.at(&e, 1)
		var invalid *audit.InvalidError
		require.ErrorAs(t, e.Validate(), &invalid, name)
		require.Equal(t, []string{test.field}, invalid.Wrong, name)
		require.Empty(t, invalid.Missing, name)
		require.ErrorContains(t, invalid, test.field)
	}
}

// drop removes the start of a period.
func drop(p audit.Period, over int) audit.Period {
	if over > 0 {
		p.Start = time.Time{}
	}
	return p
}

func many(n int) []audit.Object {
	out := make([]audit.Object, n)
	for i := range out {
		out[i].Type = "x"
	}
	return out
}

func changes(n int) []audit.Change {
	out := make([]audit.Change, n)
	for i := range out {
		out[i].Field = "x"
	}
	return out
}

func details(n int) map[string]string {
	out := map[string]string{}
	for i := range n {
		out[strings.Repeat("x", i+1)] = "v"
	}
	return out
}

func TestValidateSize(t *testing.T) {
	t.Parallel()
	log := newLog(t, audit.NewMemory(), nil)
	e := fresh()
	e.Objects = many(audit.MaxObjects)
	for i := range e.Objects {
		e.Objects[i].ID = strings.Repeat("x", audit.MaxID)
	}
	require.NoError(t, e.Validate(), "each field is within its limit")
	err := log.Record(t.Context(), e)
	var invalid *audit.InvalidError
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, []string{"size"}, invalid.Wrong)
}

func TestValidateAnonymous(t *testing.T) {
	t.Parallel()
	e := audit.Event{Action: "authn.sign_in", Verb: audit.Execute, Tenant: "t", Actor: audit.Anonymous("t", netip.Addr{})}
	require.NoError(t, e.Validate())
	e.Actor.Kind = audit.KindStaff
	require.ErrorContains(t, e.Validate(), "missing actor.id")
	e.Actor.Kind = "robot"
	require.ErrorContains(t, e.Validate(), "not recordable actor.kind")
}
