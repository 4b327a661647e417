package audit_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
)

type document struct{ P audit.Private }

const secret = "Jane Roe, 555-0123"

// TestPrivateNeverPrints sends one through every way out that Go has.
func TestPrivateNeverPrints(t *testing.T) {
	t.Parallel()
	p := audit.NewPrivate(secret)
	e := audit.Event{Why: p, Search: p, Disclosure: &audit.Disclosure{Recipient: p, Address: p}}
	holder := struct {
		P     audit.Private
		Ptr   *audit.Private
		Slice []audit.Private
		Map   map[string]audit.Private
		Any   any
		inner audit.Private
	}{p, &p, []audit.Private{p}, map[string]audit.Private{"k": p}, p, p}

	var out []string
	for _, v := range []any{p, &p, e, &e, holder, &holder, []any{p, e}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%T", "%e", "%10v", "%w"} {
			out = append(out, fmt.Sprintf(verb, v))
		}
		b, err := json.Marshal(v)
		require.NoError(t, err)
		out = append(out, string(b), fmt.Sprint(v), fmt.Sprintln(v))
		out = append(out, errors.New(fmt.Sprint("failed: ", v)).Error(), fmt.Errorf("failed: %v", v).Error())
		for _, handler := range []func(b *bytes.Buffer) slog.Handler{
			func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
			func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		} {
			var b bytes.Buffer
			slog.New(handler(&b)).Info("event", "value", v, slog.Any("any", v))
			out = append(out, b.String())
		}
	}
	var b bytes.Buffer
	require.NoError(t, xml.NewEncoder(&b).Encode(document{p}))
	out = append(out, b.String(), p.String(), p.GoString(), p.LogValue().String())
	b.Reset()
	_ = gob.NewEncoder(&b).Encode(document{p}) // may refuse
	out = append(out, b.String())
	func() {
		defer func() { out = append(out, fmt.Sprint(recover())) }()
		panic(p)
	}()
	for _, s := range out {
		require.NotContains(t, s, "Roe")
		require.NotContains(t, s, "4a616e65", "hex")
		require.NotContains(t, s, "SmFuZ", "base64")
	}
	value, ok := p.Reveal()
	require.True(t, ok)
	require.Equal(t, secret, value, "the test would have found it")
	require.Contains(t, fmt.Sprintf("%v", p), "[private]")
}

func TestPrivateZero(t *testing.T) {
	t.Parallel()
	require.True(t, audit.NewPrivate("").IsZero())
	require.True(t, audit.Private{}.IsZero())
	require.False(t, audit.NewPrivate("x").IsZero())
	_, ok := audit.Private{}.Reveal()
	require.False(t, ok)
	require.Nil(t, audit.NewPrivate("x").Commitment())
}

// TestNothingPrivateReachesTheStore looks at every byte a store gets.
func TestNothingPrivateReachesTheStore(t *testing.T) {
	t.Parallel()
	for name, sealer := range map[string]audit.Sealer{"sealing": newSealer(t), "dropping": audit.DropOpenings{}} {
		store := audit.NewMemory()
		log, err := audit.New(store, sealer, nil)
		require.NoError(t, err)
		e := fullEvent()
		e.Why = audit.NewPrivate(secret)
		require.NoError(t, log.Record(t.Context(), e))
		entry, err := store.Get(t.Context(), "clinic-17", e.ID)
		require.NoError(t, err)
		everything := fmt.Sprintf("%+v %s %s %q", entry, entry.Body, entry.Openings, fmt.Sprint(entry))
		for _, s := range []string{"Jane Roe", "192.0.2.7", "smith", "County Court", "Example Street", "SmFuZ"} {
			require.NotContains(t, everything, s, name)
		}
		require.Contains(t, everything, "clinic-17", "the test would have found it")
		require.Equal(t, name == "dropping", entry.Openings == nil)
	}
	_, err := audit.DropOpenings{}.Unseal(t.Context(), "t", "l", nil)
	require.Error(t, err)
}
