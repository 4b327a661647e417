package tlog_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tlog"
)

func TestNewNamesEverything(t *testing.T) {
	t.Parallel()
	_, err := tlog.New(nil, nil, "", nil, &tlog.Options{Sinks: []tlog.Sink{nil}, Every: time.Millisecond})
	for _, what := range []string{"no source", "Ed25519", "Sinks", "Every"} {
		require.ErrorContains(t, err, what)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	_, err = tlog.New(audit.NewMemory(), tlog.NewMemory(), origin, ec, nil)
	require.ErrorContains(t, err, "Ed25519")
	for _, name := range []string{"", "with space", "plus+", "two\nlines"} {
		_, err = tlog.New(audit.NewMemory(), tlog.NewMemory(), name, key("key"), nil)
		require.Error(t, err, name)
	}
}

// TestFromEventToProof is the whole way: events, a checkpoint, a proof of each event that
// somebody checks with the verifier key alone, and the proof that the log only grew.
func TestFromEventToProof(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(*tlog.Options) *house) {
		h := open(nil)
		ctx := t.Context()
		require.Zero(t, h.cover(t).Size)
		require.Nil(t, h.log.Checkpoint())
		_, err := h.log.Prove(ctx, clinic, 0)
		require.ErrorIs(t, err, tlog.ErrUncovered)

		h.add(t, clinic, 300, "first")
		h.add(t, other, 3, "first")
		first := h.cover(t)
		require.Equal(t, int64(2), first.Size)
		require.Equal(t, first, h.cover(t), "nothing new, nothing signed")
		old := h.log.Checkpoint()
		kept, err := tlog.OpenCheckpoint(old, h.log.VerifierKey())
		require.NoError(t, err)
		require.Equal(t, first, kept)

		h.add(t, clinic, 700, "second")
		second := h.cover(t)
		require.Equal(t, int64(3), second.Size, "one tenant had more")
		_, err = h.log.Prove(ctx, clinic, 1000)
		require.ErrorIs(t, err, tlog.ErrUncovered)
		_, err = h.log.Prove(ctx, clinic, -1)
		require.ErrorIs(t, err, tlog.ErrUncovered)

		for _, index := range []int64{0, 255, 256, 299, 300, 768, 999} {
			p, err := h.log.Prove(ctx, clinic, index)
			require.NoError(t, err)
			body := h.body(t, clinic, index)
			require.NoError(t, p.Check(h.log.VerifierKey(), body))
			require.ErrorIs(t, p.Check(h.log.VerifierKey(), h.body(t, clinic, (index+1)%1000)), tlog.ErrProof)
		}
		g, err := h.log.Grown(ctx, kept)
		require.NoError(t, err)
		require.NoError(t, g.Check(h.log.VerifierKey(), kept))

		report, err := h.verify(old)
		require.NoError(t, err)
		require.Equal(t, tlog.Report{Checkpoint: second, Tenants: 2, Events: 1003}, report)
		h.add(t, other, 2, "late")
		report, err = h.verify(nil)
		require.NoError(t, err)
		require.Equal(t, int64(2), report.Uncovered)
	})
}

// body returns an event's bytes.
func (h *house) body(t testing.TB, tenant audit.Tenant, index int64) []byte {
	t.Helper()
	for e, err := range h.events.List(t.Context(), audit.Filter{Tenant: tenant}, index+1, 1) {
		require.NoError(t, err)
		require.Equal(t, index, e.Index)
		return e.Body
	}
	t.Fatal("no such event")
	return nil
}

// TestAProofIsOfOneThing: whatever is changed in a proof, it proves nothing any more.
func TestAProofIsOfOneThing(t *testing.T) {
	t.Parallel()
	h := build(t, &house{events: audit.NewMemory(), trees: tlog.NewMemory()}, "key", nil)
	h.add(t, clinic, 20, "a")
	h.cover(t)
	h.add(t, clinic, 20, "b")
	h.add(t, other, 5, "b")
	h.cover(t)
	proof, err := h.log.Prove(t.Context(), clinic, 7)
	require.NoError(t, err)
	body := h.body(t, clinic, 7)
	good, err := json.Marshal(proof)
	require.NoError(t, err)
	var same tlog.Proof
	require.NoError(t, json.Unmarshal(good, &same))
	require.NoError(t, same.Check(h.log.VerifierKey(), body))

	for name, change := range map[string]func(*tlog.Proof){
		"index":            func(p *tlog.Proof) { p.Index++ },
		"negative":         func(p *tlog.Proof) { p.Index = -1 },
		"beyond":           func(p *tlog.Proof) { p.Index = p.Head.Size },
		"tenant":           func(p *tlog.Proof) { p.Head.Tenant = other },
		"size":             func(p *tlog.Proof) { p.Head.Size-- },
		"huge":             func(p *tlog.Proof) { p.Head.Size = 1 << 62 },
		"place of head":    func(p *tlog.Proof) { p.Head.N-- },
		"root":             func(p *tlog.Proof) { p.Head.Root[3] ^= 1 },
		"time":             func(p *tlog.Proof) { p.Head.At = p.Head.At.Add(time.Microsecond) },
		"event's path":     func(p *tlog.Proof) { p.Event[0][0] ^= 1 },
		"shorter":          func(p *tlog.Proof) { p.Event = p.Event[1:] },
		"longer":           func(p *tlog.Proof) { p.Event = append(p.Event, tlog.Hash{}) },
		"head's path":      func(p *tlog.Proof) { p.Path[0][31] ^= 1 },
		"none":             func(p *tlog.Proof) { p.Path = nil },
		"checkpoint":       func(p *tlog.Proof) { p.Checkpoint = strings.Replace(p.Checkpoint, "\n3\n", "\n4\n", 1) },
		"signature":        func(p *tlog.Proof) { p.Checkpoint = p.Checkpoint[:len(p.Checkpoint)-3] + "==\n" },
		"without":          func(p *tlog.Proof) { p.Checkpoint = "" },
		"older checkpoint": func(p *tlog.Proof) { p.Checkpoint = string(olderNote(t)) },
	} {
		var p tlog.Proof
		require.NoError(t, json.Unmarshal(good, &p))
		change(&p)
		require.Error(t, p.Check(h.log.VerifierKey(), body), name)
	}
	require.ErrorIs(t, same.Check(build(t, &house{events: audit.NewMemory(), trees: tlog.NewMemory()}, "another", nil).log.VerifierKey(), body), tlog.ErrCheckpoint)
}

// olderNote is a checkpoint of the same key over another history.
func olderNote(t testing.TB) []byte {
	h := build(t, &house{events: audit.NewMemory(), trees: tlog.NewMemory()}, "key", nil)
	h.add(t, clinic, 1, "x")
	h.cover(t)
	return h.log.Checkpoint()
}

// TestSeveralServers: two logs over one database follow each other and sign one history.
func TestSeveralServers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(*tlog.Options) *house) {
		one := open(nil)
		two := one.again(t, nil)
		for round := range 6 {
			one.add(t, clinic, 40, "a")
			one.add(t, other, 1, "a")
			var group sync.WaitGroup
			for _, h := range []*house{one, two} {
				group.Go(func() {
					_, err := h.log.Integrate(context.Background())
					require.NoError(t, err)
				})
			}
			group.Wait()
			require.Equal(t, one.cover(t), two.cover(t), "round %d", round)
		}
		_, err := one.verify(two.log.Checkpoint())
		require.NoError(t, err)
	})
}

// TestANewProcess goes on where the last one stopped, and compares with what the sink has.
func TestANewProcess(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(*tlog.Options) *house) {
		sink := tlog.NewFileSink(filepath.Join(t.TempDir(), "checkpoints"))
		h := open(&tlog.Options{Sinks: []tlog.Sink{sink}})
		h.add(t, clinic, 300, "a")
		h.cover(t)
		first := h.log.Checkpoint()
		last, err := sink.Last(t.Context())
		require.NoError(t, err)
		require.Equal(t, first, last)

		later := h.again(t, &tlog.Options{Sinks: []tlog.Sink{sink}})
		later.add(t, clinic, 300, "b")
		later.cover(t)
		_, err = later.verify(first)
		require.NoError(t, err)
		last, err = sink.Last(t.Context())
		require.NoError(t, err)
		require.Equal(t, later.log.Checkpoint(), last)
	})
}

// TestRun covers what is new until it is stopped, and Health says whether it does.
func TestRun(t *testing.T) {
	t.Parallel()
	h := build(t, &house{events: audit.NewMemory(), trees: tlog.NewMemory()}, "key", nil)
	require.ErrorIs(t, h.log.Health(t.Context()), tlog.ErrNotRunning)
	h.add(t, clinic, 3, "a")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.log.Run(ctx) }()
	require.Eventually(t, func() bool { return h.log.Checkpoint() != nil && h.log.Health(ctx) == nil }, 30*time.Second, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	require.ErrorIs(t, h.log.Health(t.Context()), tlog.ErrNotRunning)
}

// TestManyEventsAtOnce: more than one commit covers, and more than one level of tiles.
func TestManyEventsAtOnce(t *testing.T) {
	t.Parallel()
	h := build(t, &house{events: audit.NewMemory(), trees: tlog.NewMemory()}, "key", nil)
	h.add(t, clinic, 70_000, "a")
	h.cover(t)
	h.add(t, clinic, 1, "a")
	h.cover(t)
	p, err := h.log.Prove(t.Context(), clinic, 65_535)
	require.NoError(t, err)
	require.NoError(t, p.Check(h.log.VerifierKey(), h.body(t, clinic, 65_535)))
	report, err := h.verify(nil)
	require.NoError(t, err)
	require.Equal(t, int64(70_001), report.Events)
}
