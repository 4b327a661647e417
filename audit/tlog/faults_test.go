package tlog_test

import (
	"context"
	"crypto"
	"errors"
	"io"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tlog"
)

var errFault = errors.New("the disk is on fire")

// faulty fails its n-th call, and every one after it unless it is to fail once.
type faulty struct {
	events
	tlog.Store
	n     int
	once  bool
	after bool // does what was asked before it fails
	calls int
}

func (f *faulty) fails() bool {
	f.calls++
	return f.n > 0 && (f.calls == f.n || f.calls > f.n && !f.once)
}

func (f *faulty) Orders(ctx context.Context) iter.Seq2[audit.Order, error] {
	if f.fails() {
		return func(yield func(audit.Order, error) bool) { yield(audit.Order{}, errFault) }
	}
	return f.events.Orders(ctx)
}

func (f *faulty) Leaves(ctx context.Context, t audit.Tenant, from, to int64) ([][32]byte, error) {
	if f.fails() {
		return nil, errFault
	}
	return f.events.Leaves(ctx, t, from, to)
}

func (f *faulty) Purged(ctx context.Context, t audit.Tenant, from, to int64) ([]audit.Span, error) {
	if f.fails() {
		return nil, errFault
	}
	return f.events.Purged(ctx, t, from, to)
}

func (f *faulty) List(ctx context.Context, q audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error] {
	if f.fails() {
		return func(yield func(audit.Entry, error) bool) { yield(audit.Entry{}, errFault) }
	}
	return f.events.List(ctx, q, below, limit)
}

func (f *faulty) Latest(ctx context.Context) (tlog.Signed, error) {
	if f.fails() {
		return tlog.Signed{}, errFault
	}
	return f.Store.Latest(ctx)
}

func (f *faulty) Commit(ctx context.Context, c tlog.Commit) error {
	if f.fails() {
		if f.after {
			return errors.Join(f.Store.Commit(ctx, c), errFault)
		}
		return errFault
	}
	return f.Store.Commit(ctx, c)
}

func (f *faulty) Tiles(ctx context.Context, t audit.Tenant, ask []tlog.Tile) ([][]byte, error) {
	if f.fails() {
		return nil, errFault
	}
	return f.Store.Tiles(ctx, t, ask)
}

func (f *faulty) Heads(ctx context.Context, from int64) iter.Seq2[tlog.Head, error] {
	if f.fails() {
		return func(yield func(tlog.Head, error) bool) { yield(tlog.Head{}, errFault) }
	}
	return f.Store.Heads(ctx, from)
}

func (f *faulty) HeadsOf(ctx context.Context, t audit.Tenant, from int64) iter.Seq2[tlog.Head, error] {
	if f.fails() {
		return func(yield func(tlog.Head, error) bool) { yield(tlog.Head{}, errFault) }
	}
	return f.Store.HeadsOf(ctx, t, from)
}

// TestEveryCallFails: wherever a call fails, integrating answers ErrUnavailable and the next one
// makes good for it; a verification that could not look everywhere never says that all is well.
func TestEveryCallFails(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		for n := 1; ; n++ {
			f := &faulty{events: audit.NewMemory(), Store: tlog.NewMemory(), once: true, after: after}
			h := build(t, &house{events: f, trees: f}, "key", nil)
			history(t, h, "a")
			h.add(t, clinic, 300, "b")
			f.n, f.calls = n, 0
			_, err := build(t, &house{events: f, trees: f}, "key", nil).log.Integrate(t.Context())
			if f.calls < n {
				require.NoError(t, err)
				require.Greater(t, n, 4, "calls were made")
				break
			}
			require.ErrorIs(t, err, tlog.ErrUnavailable, "call %d", n)
			require.ErrorIs(t, err, errFault)
			require.NotErrorIs(t, err, tlog.ErrTampered, "an alarm for a broken disk")
			f.n = 0
			h.cover(t)
			report, err := h.verify(nil)
			require.NoError(t, err)
			require.Equal(t, int64(940), report.Events)
		}
	}
	for n := 1; ; n++ {
		f := &faulty{events: audit.NewMemory(), Store: tlog.NewMemory(), once: true}
		h := build(t, &house{events: f, trees: f}, "key", nil)
		old := history(t, h, "a")
		f.n, f.calls = n, 0
		_, err := h.verify(old)
		if f.calls < n {
			require.NoError(t, err)
			require.Greater(t, n, 6)
			break
		}
		require.ErrorIs(t, err, tlog.ErrUnavailable, "call %d", n)
	}
}

// TestProofsFailToo: a failing store is not taken for tampering.
func TestProofsFailToo(t *testing.T) {
	t.Parallel()
	f := &faulty{events: audit.NewMemory(), Store: tlog.NewMemory()}
	h := build(t, &house{events: f, trees: f}, "key", nil)
	history(t, h, "a")
	kept, err := tlog.OpenCheckpoint(h.log.Checkpoint(), h.log.VerifierKey())
	require.NoError(t, err)
	kept.Size-- // an older one
	f.n = 1
	_, err = h.log.Prove(t.Context(), clinic, 3)
	require.ErrorIs(t, err, tlog.ErrUnavailable)
	f.calls = 0
	_, err = h.log.Grown(t.Context(), kept)
	require.ErrorIs(t, err, tlog.ErrUnavailable)
	_, err = h.log.Grown(t.Context(), tlog.Checkpoint{Origin: origin, Size: 99})
	require.ErrorIs(t, err, tlog.ErrRolledBack)
	_, err = h.log.Grown(t.Context(), tlog.Checkpoint{})
	require.ErrorIs(t, err, tlog.ErrUncovered)
}

// sinkhole is a sink that fails or lies.
type sinkhole struct {
	put, last error
	note      []byte
	puts      int
}

func (s *sinkhole) Put(_ context.Context, note []byte) error {
	if s.put == nil {
		s.note = note
		s.puts++
	}
	return s.put
}

func (s *sinkhole) Last(context.Context) ([]byte, error) { return s.note, s.last }

// TestSinksFail: a sink that is away does not stop integrating and gets the next checkpoint; one
// that cannot say what it has stops everything, because nobody knows then whether this is the
// same history.
func TestSinksFail(t *testing.T) {
	t.Parallel()
	bad, good := &sinkhole{put: errFault}, &sinkhole{}
	h := build(t, &house{events: audit.NewMemory(), trees: tlog.NewMemory()}, "key", &tlog.Options{Sinks: []tlog.Sink{bad, good}})
	h.add(t, clinic, 3, "a")
	_, err := h.log.Integrate(t.Context())
	require.ErrorIs(t, err, tlog.ErrSink)
	require.ErrorIs(t, h.log.Health(t.Context()), tlog.ErrSink)
	require.Equal(t, 1, good.puts)
	bad.put = nil
	h.cover(t)
	require.Equal(t, h.log.Checkpoint(), bad.note)
	require.Equal(t, 1, good.puts, "once")

	mute := &sinkhole{last: errFault}
	next := h.again(t, &tlog.Options{Sinks: []tlog.Sink{mute}})
	h.add(t, clinic, 3, "b")
	_, err = next.log.Integrate(t.Context())
	require.ErrorIs(t, err, tlog.ErrUnavailable)
	strange := &sinkhole{note: []byte("no checkpoint")}
	_, err = h.again(t, &tlog.Options{Sinks: []tlog.Sink{strange}}).log.Integrate(t.Context())
	require.ErrorIs(t, err, tlog.ErrCheckpoint)
}

// liar signs something else.
type liar struct{ crypto.Signer }

func (l liar) Sign(r io.Reader, _ []byte, o crypto.SignerOpts) ([]byte, error) {
	return l.Signer.Sign(r, []byte("something else"), o)
}

// TestASignerThatFails: nothing is stored that is not signed.
func TestASignerThatFails(t *testing.T) {
	t.Parallel()
	h := &house{events: audit.NewMemory(), trees: tlog.NewMemory()}
	log, err := tlog.New(h.events, h.trees, origin, liar{key("key")}, nil)
	require.NoError(t, err)
	h.add(t, clinic, 3, "a")
	_, err = log.Integrate(t.Context())
	require.ErrorIs(t, err, tlog.ErrUnavailable)
	last, err := h.trees.Latest(t.Context())
	require.NoError(t, err)
	require.Zero(t, last)
}

// TestOneTenantsTroubleIsNotEverybodys: what was changed is not signed again, the rest is.
func TestOneTenantsTroubleIsNotEverybodys(t *testing.T) {
	t.Parallel()
	onSQL(t, func(t *testing.T, open func(*tlog.Options) *house) {
		h := open(nil)
		history(t, h, "a")
		o := take(t, h)
		o.run(`UPDATE audit_entry SET leaf = body WHERE place = ?`, o.first(clinic)+599)
		h.add(t, clinic, 1, "b")
		h.add(t, other, 1, "b")
		c, err := h.log.Integrate(t.Context())
		require.ErrorIs(t, err, tlog.ErrTampered)
		require.Equal(t, int64(7), c.Size, "the other tenant's head")
		_, err = h.log.Prove(t.Context(), other, 40)
		require.NoError(t, err)
		_, err = h.log.Prove(t.Context(), clinic, 600)
		require.ErrorIs(t, err, tlog.ErrUncovered)
	})
}

// TestProofsOfWhatWasChanged: no proof is given from changed tiles.
func TestProofsOfWhatWasChanged(t *testing.T) {
	t.Parallel()
	onSQL(t, func(t *testing.T, open func(*tlog.Options) *house) {
		h := open(nil)
		history(t, h, "a")
		o := take(t, h)
		o.run(`DELETE FROM audit_tile WHERE tenant = 'clinic'`)
		_, err := h.log.Prove(t.Context(), clinic, 3)
		require.ErrorIs(t, err, tlog.ErrAltered)
		_, err = h.verify(nil)
		require.NoError(t, err, "the events themselves are whole")
		h.add(t, clinic, 1, "b")
		_, err = h.log.Integrate(t.Context())
		require.ErrorIs(t, err, tlog.ErrAltered)
	})
}
