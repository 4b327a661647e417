package audit_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
)

// hostile returns a function that draws texts as a stranger would choose them.
func hostile(r *rand.Rand) func() string {
	parts := []string{
		"\x00", "\n", "\r\n", "\x1b[2J", "\x7f", "\u0085", "\u2028", "\u202e", "\ufeff", "\ufffd", "\xff", "\xc0\xaf", "\xed\xa0\x80",
		"\xf4\x90\x80\x80", "\U0010ffff", "e\u0301", "é", `"`, `\`, `\"`, `\u0000`, `","v":1,"x":"`, `"}],"v":2}`, `{"$c":"`, "'; DROP TABLE audit_event; --",
		"</script><script>", "=cmd|' /C calc'!A0", "%s%n%x", "${jndi:ldap://x}", "../../etc/passwd", "null", "-0", "1e999", "a", " ", "\t", "\u00a0",
		strings.Repeat("A", audit.MaxName), strings.Repeat("é", 200), strings.Repeat("\"", 300), strings.Repeat("x", 70_000),
	}
	return func() string { return draw(r, parts) }
}

func draw(r *rand.Rand, parts []string) string {
	var b strings.Builder
	for n := 1 + r.IntN(3); n > 0 || b.Len() == 0; n-- {
		if r.IntN(4) == 0 {
			for range r.IntN(12) {
				b.WriteByte(byte(r.IntN(256)))
			}
			continue
		}
		b.WriteString(parts[r.IntN(len(parts))])
	}
	return b.String()
}

// TestHostileStrings puts a hundred thousand hostile texts into every field that takes text. Each
// is recorded exactly or refused by the field's name; nothing raw reaches the bytes.
func TestHostileStrings(t *testing.T) {
	t.Parallel()
	tries := 100_000
	if testing.Short() {
		tries = 3000
	}
	fields := texts()
	privates := map[string]func(e *audit.Event, s string){
		"why":       func(e *audit.Event, s string) { e.Why = audit.NewPrivate(s) },
		"search":    func(e *audit.Event, s string) { e.Search = audit.NewPrivate(s) },
		"recipient": func(e *audit.Event, s string) { e.Disclosure.Recipient = audit.NewPrivate("x" + s) },
		"address":   func(e *audit.Event, s string) { e.Disclosure.Address = audit.NewPrivate(s) },
	}
	paths := make([]string, 0, len(fields)+len(privates))
	for path := range fields {
		paths = append(paths, path)
	}
	for path := range privates {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	log, err := audit.New(audit.NewMemory(), audit.DropOpenings{}, nil)
	require.NoError(t, err)
	next := hostile(rand.New(rand.NewPCG(1, 2)))
	recorded := 0
	for i := range tries {
		path, s := paths[i%len(paths)], next()
		e := fullEvent()
		if set := fields[path]; set != nil {
			set(&e, s)
		} else {
			privates[path](&e, s)
		}
		entries, err := log.Prepare(t.Context(), e)
		if err != nil {
			requireNamed(t, err, path, s)
			continue
		}
		recorded++
		body := entries[0].Body
		require.True(t, utf8.Valid(body) && bytes.IndexFunc(body, unicode.IsControl) < 0, "%s = %q is recorded raw", path, s)
		got, err := audit.Decode(body)
		require.NoError(t, err, "%s = %q", path, s)
		if set := fields[path]; set == nil {
			require.False(t, len(s) > 8 && bytes.Contains(body, []byte(s)), "%s = %q", path, s)
			continue
		} else if set(&got, s); path != ".Recorded" {
			again, err := audit.Encode(got) // setting what is there already changes nothing
			require.NoError(t, err)
			require.Equal(t, string(body), string(again), "%s = %q", path, s)
		}
	}
	require.Greater(t, recorded, tries/10)
	require.Less(t, recorded, tries*9/10)
}

// requireNamed checks that an error names a field and nothing of the text.
func requireNamed(t *testing.T, err error, path, s string) {
	t.Helper()
	var invalid *audit.InvalidError
	require.ErrorAs(t, err, &invalid, path)
	names := slices.Concat(invalid.Missing, invalid.Wrong)
	require.NotEmpty(t, names)
	last := strings.ToLower(strings.TrimRight(path[strings.LastIndex(path, ".")+1:], "[]"))
	known := slices.ContainsFunc(names, func(n string) bool {
		n = strings.ReplaceAll(n, "_", "")
		return n == "size" || strings.Contains(strings.ToLower(path), strings.Split(n, ".")[0]) || strings.Contains(n, last)
	})
	require.True(t, known, "%s is called %q", path, names)
	require.LessOrEqual(t, len(err.Error()), 200)
	if len(s) > 12 {
		require.NotContains(t, err.Error(), s)
	}
}

// TestHostileRequests: what a stranger can choose about a request does not keep it out of the
// log.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	log, err := audit.New(audit.NewMemory(), audit.DropOpenings{}, nil)
	require.NoError(t, err)
	next := hostile(rand.New(rand.NewPCG(3, 4)))
	const requests = 500
	for range requests {
		actor := staff
		actor.Device = next()
		ctx, trail := audit.WithTrail(audit.WithActor(context.Background(), actor), log, audit.Event{
			Correlation: audit.Correlation{Request: next(), Trace: next()},
			Client:      audit.Client{App: next(), Location: next()},
		})
		require.NoError(t, audit.Decide(ctx, audit.Event{Action: "a", Verb: audit.Read, Objects: []audit.Object{{Type: "note", ID: next()}}}))
		require.NoError(t, audit.Seen(ctx, "", audit.Object{Type: "note", ID: next()}))
		require.NoError(t, audit.Decide(ctx, audit.Event{Action: "a", Verb: audit.Read, Actor: actor}), "named by hand")
		require.NoError(t, trail.Flush(ctx))
		require.NoError(t, log.Record(ctx, audit.Event{Action: "b", Verb: audit.Read}))
	}
	require.Equal(t, 3*requests, count(t, log))
}
