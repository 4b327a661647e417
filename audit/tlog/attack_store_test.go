package tlog_test

import (
	"context"
	"encoding/json"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/evidence"
	"github.com/wardkit/wardkit/audit/tlog"
)

// lying is a store and a source that answer as whoever owns them likes.
type lying struct {
	events
	tlog.Store
	orders  func(audit.Order) audit.Order
	heads   func(tlog.Head) (tlog.Head, bool)
	headsOf func(tlog.Head) (tlog.Head, bool)
	latest  func(tlog.Signed) tlog.Signed
}

func (l *lying) Orders(ctx context.Context) iter.Seq2[audit.Order, error] {
	return func(yield func(audit.Order, error) bool) {
		for o, err := range l.events.Orders(ctx) {
			if l.orders != nil {
				o = l.orders(o)
			}
			if !yield(o, err) {
				return
			}
		}
	}
}

func (l *lying) Latest(ctx context.Context) (tlog.Signed, error) {
	s, err := l.Store.Latest(ctx)
	if l.latest != nil {
		s = l.latest(s)
	}
	return s, err
}

func told(from iter.Seq2[tlog.Head, error], lie func(tlog.Head) (tlog.Head, bool)) iter.Seq2[tlog.Head, error] {
	return func(yield func(tlog.Head, error) bool) {
		for h, err := range from {
			ok := true
			if lie != nil {
				h, ok = lie(h)
			}
			if ok && !yield(h, err) {
				return
			}
		}
	}
}

func (l *lying) Heads(ctx context.Context, from int64) iter.Seq2[tlog.Head, error] {
	return told(l.Store.Heads(ctx, from), l.heads)
}

func (l *lying) HeadsOf(ctx context.Context, t audit.Tenant, from int64) iter.Seq2[tlog.Head, error] {
	return told(l.Store.HeadsOf(ctx, t, from), l.headsOf)
}

// liarHouse is a house with a history, whose store and source lie from then on.
func liarHouse(t testing.TB) (*house, *lying) {
	t.Helper()
	l := &lying{events: audit.NewMemory(), Store: tlog.NewMemory()}
	h := build(t, &house{events: l, trees: l}, "key", nil)
	history(t, h, "a")
	return h, l
}

// TestAStoreThatLies: nothing that the database says of itself is believed, by a server that
// starts without a sink, or by a verification.
func TestAStoreThatLies(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lie             func(l *lying)
		started, verify error
	}{
		"the truth":           {func(*lying) {}, nil, nil},
		"a head's root":       {func(l *lying) { l.heads = edit(3, func(h *tlog.Head) { h.Root[0] ^= 1 }) }, tlog.ErrRewritten, tlog.ErrRewritten},
		"a head's place":      {func(l *lying) { l.heads = edit(5, func(h *tlog.Head) { h.N = 50 }) }, tlog.ErrRewritten, tlog.ErrRewritten},
		"a head left out":     {func(l *lying) { l.heads = func(h tlog.Head) (tlog.Head, bool) { return h, h.N != 2 } }, tlog.ErrRewritten, tlog.ErrRewritten},
		"one tenant's heads":  {func(l *lying) { l.headsOf = func(h tlog.Head) (tlog.Head, bool) { return h, false } }, nil, tlog.ErrRewritten},
		"a tenant's old head": {func(l *lying) { l.headsOf = edit(3, func(h *tlog.Head) { h.Size-- }) }, nil, tlog.ErrAltered},
		"no checkpoint":       {func(l *lying) { l.latest = func(tlog.Signed) tlog.Signed { return tlog.Signed{} } }, nil, tlog.ErrRewritten},
		"another size":        {func(l *lying) { l.latest = func(s tlog.Signed) tlog.Signed { s.Size--; return s } }, tlog.ErrRewritten, nil},
	} {
		h, l := liarHouse(t)
		c.lie(l)
		_, err := h.verify(nil)
		same(t, c.verify, err, name)
		if name == "no checkpoint" {
			continue // it begins a log anew, which is why sinks are kept
		}
		_, err = h.again(t, nil).log.Integrate(t.Context())
		same(t, c.started, err, name)
	}
}

// edit changes the head at a place.
func edit(n int64, f func(*tlog.Head)) func(tlog.Head) (tlog.Head, bool) {
	return func(h tlog.Head) (tlog.Head, bool) {
		if h.N == n {
			f(&h)
		}
		return h, true
	}
}

// TestCutAtATile: a log that lost its end is noticed, also where no leaf of the last tile is read.
func TestCutAtATile(t *testing.T) {
	t.Parallel()
	l := &lying{events: audit.NewMemory(), Store: tlog.NewMemory()}
	h := build(t, &house{events: l, trees: l}, "key", nil)
	h.add(t, clinic, 512, "a")
	h.cover(t)
	l.orders = func(o audit.Order) audit.Order { o.Size = 500; return o }
	_, err := h.log.Integrate(t.Context())
	require.ErrorIs(t, err, tlog.ErrMissing)
}

// TestHeadsNeverShrink: a root log in which a tenant has less than before was signed by somebody
// who should not have.
func TestHeadsNeverShrink(t *testing.T) {
	t.Parallel()
	h := build(t, &house{events: audit.NewMemory(), trees: tlog.NewMemory()}, "key", nil)
	h.add(t, clinic, 5, "a")
	whole, part, root := &tlog.Peaks{}, &tlog.Peaks{}, &tlog.Peaks{}
	leaves, err := h.events.Leaves(t.Context(), clinic, 0, 5)
	require.NoError(t, err)
	for i, leaf := range leaves {
		whole.Push(leaf)
		if i < 3 {
			part.Push(leaf)
		}
	}
	heads := []tlog.Head{{N: 0, Tenant: clinic, Size: 5, Root: whole.Root(), At: noon}, {N: 1, Tenant: clinic, Size: 3, Root: part.Root(), At: noon}}
	for _, head := range heads {
		root.Push(tlog.LeafOf(head))
	}
	c := tlog.Commit{Heads: heads, Signed: tlog.Signed{Size: 2, Note: signed(t, origin+"\n2\n"+root.Root().String()+"\n")}}
	require.NoError(t, h.trees.Commit(t.Context(), c))
	_, err = h.verify(nil)
	require.ErrorIs(t, err, tlog.ErrRewritten)
}

// TestGrowthIsOfOneLog: not of another origin, not backward, not of another history.
func TestGrowthIsOfOneLog(t *testing.T) {
	t.Parallel()
	h := build(t, &house{events: audit.NewMemory(), trees: tlog.NewMemory()}, "key", nil)
	third, err := tlog.OpenCheckpoint(history(t, h, "a"), h.log.VerifierKey())
	require.NoError(t, err)
	g, err := h.log.Grown(t.Context(), third)
	require.NoError(t, err)
	text, err := json.Marshal(g)
	require.NoError(t, err)
	var again tlog.Growth
	require.NoError(t, json.Unmarshal(text, &again))
	require.NoError(t, again.Check(h.log.VerifierKey(), third))
	change := func(f func(*tlog.Checkpoint)) error {
		c := third
		f(&c)
		return g.Check(h.log.VerifierKey(), c)
	}
	require.ErrorIs(t, change(func(c *tlog.Checkpoint) { c.Origin = "another" }), tlog.ErrProof)
	require.ErrorIs(t, change(func(c *tlog.Checkpoint) { c.Root[0] ^= 1 }), tlog.ErrProof)
	require.ErrorIs(t, change(func(c *tlog.Checkpoint) { c.Size++ }), tlog.ErrProof)
	require.ErrorIs(t, change(func(c *tlog.Checkpoint) { c.Size = 99 }), tlog.ErrRolledBack)
	require.ErrorIs(t, change(func(c *tlog.Checkpoint) { c.Size = 0 }), tlog.ErrProof)
	require.ErrorIs(t, g.Check("no key", third), tlog.ErrCheckpoint)
}

// TestControlsOfARunningLog: in force only where a sink keeps checkpoints.
func TestControlsOfARunningLog(t *testing.T) {
	t.Parallel()
	for want, sinks := range map[evidence.State][]tlog.Sink{evidence.Partly: nil, evidence.InForce: {&sinkhole{}}} {
		h := build(t, &house{events: audit.NewMemory(), trees: tlog.NewMemory()}, "key", &tlog.Options{Sinks: sinks})
		h.add(t, clinic, 3, "a")
		h.cover(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- h.log.Run(ctx) }()
		require.Eventually(t, func() bool {
			list, err := h.log.Controls(ctx, clinic)
			return err == nil && list[0].State == want
		}, waiting, tick)
		cancel()
		<-done
	}
}

// careless is a source that does not compare what it reads with its hash.
type careless struct{ events }

func (c careless) List(ctx context.Context, f audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		for e, err := range c.events.List(ctx, f, below, limit) {
			e.Body = append(e.Body[:len(e.Body):len(e.Body)], ' ')
			if !yield(e, err) {
				return
			}
		}
	}
}

// TestACarelessSource: bytes are compared with the tree, whatever the source makes of them.
func TestACarelessSource(t *testing.T) {
	t.Parallel()
	h, l := liarHouse(t)
	h.events = careless{l}
	_, err := h.verify(nil)
	require.ErrorIs(t, err, tlog.ErrAltered)
	_, err = tlog.Sample(t.Context(), h.events, h.trees, h.log.VerifierKey(), nil, 5, nil)
	require.ErrorIs(t, err, tlog.ErrAltered)
}
