package purge_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/purge"
)

// wire is between a keeper and all it works with. One call fails: before it took effect, or after.
type wire struct {
	mu    sync.Mutex
	n, at int
	cut   bool // the call takes effect, and its answer is lost
	hits  int
}

func (w *wire) arm(at int, cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.n, w.at, w.cut, w.hits = 0, at, cut, 0
}

// call counts, and says whether this one fails, and whether it takes effect.
func (w *wire) call() (fails, happens bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.n++
	if w.n != w.at {
		return false, true
	}
	w.hits++
	return true, w.cut
}

func (w *wire) do(f func() error) error {
	fails, happens := w.call()
	if !happens {
		return errFault
	}
	if err := f(); err != nil {
		return err
	}
	if fails {
		return errFault
	}
	return nil
}

// through is a list that may fail at its beginning or at its end.
func through[T any](w *wire, seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		fails, happens := w.call()
		var zero T
		if !happens {
			yield(zero, errFault)
			return
		}
		for x, err := range seq {
			if !yield(x, err) {
				return
			}
		}
		if fails {
			yield(zero, errFault)
		}
	}
}

// get is a call that answers something.
func get[T any](w *wire, f func() (T, error)) (out T, err error) {
	err = w.do(func() error {
		out, err = f()
		return err
	})
	if err != nil {
		var zero T
		return zero, err
	}
	return out, nil
}

type wiredSource struct {
	purge.Source
	w *wire
}

func (s wiredSource) List(ctx context.Context, f audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error] {
	return through(s.w, s.Source.List(ctx, f, below, limit))
}

func (s wiredSource) Leaves(ctx context.Context, t audit.Tenant, from, to int64) ([][32]byte, error) {
	return get(s.w, func() ([][32]byte, error) { return s.Source.Leaves(ctx, t, from, to) })
}

func (s wiredSource) Purge(ctx context.Context, t audit.Tenant, spans []audit.Span) error {
	return s.w.do(func() error { return s.Source.Purge(ctx, t, spans) })
}

func (s wiredSource) Purged(ctx context.Context, t audit.Tenant, from, to int64) ([]audit.Span, error) {
	return get(s.w, func() ([]audit.Span, error) { return s.Source.Purged(ctx, t, from, to) })
}

type wiredStore struct {
	purge.Store
	w *wire
}

func (s wiredStore) Settings(ctx context.Context, t audit.Tenant) (purge.Settings, error) {
	return get(s.w, func() (purge.Settings, error) { return s.Store.Settings(ctx, t) })
}

func (s wiredStore) PutSettings(ctx context.Context, x purge.Settings) error {
	return s.w.do(func() error { return s.Store.PutSettings(ctx, x) })
}

func (s wiredStore) Holds(ctx context.Context, t audit.Tenant) iter.Seq2[purge.Hold, error] {
	return through(s.w, s.Store.Holds(ctx, t))
}

func (s wiredStore) PutHold(ctx context.Context, x purge.Hold) error {
	return s.w.do(func() error { return s.Store.PutHold(ctx, x) })
}

func (s wiredStore) Plan(ctx context.Context, t audit.Tenant, id string) (purge.Plan, error) {
	return get(s.w, func() (purge.Plan, error) { return s.Store.Plan(ctx, t, id) })
}

func (s wiredStore) Plans(ctx context.Context, t audit.Tenant) iter.Seq2[purge.Plan, error] {
	return through(s.w, s.Store.Plans(ctx, t))
}

func (s wiredStore) PutPlan(ctx context.Context, x purge.Plan) error {
	return s.w.do(func() error { return s.Store.PutPlan(ctx, x) })
}

func (s wiredStore) Open(ctx context.Context) iter.Seq2[purge.Plan, error] {
	return through(s.w, s.Store.Open(ctx))
}

type wiredRecorder struct {
	audit.Recorder
	w *wire
}

func (r wiredRecorder) Record(ctx context.Context, events ...audit.Event) error {
	return r.w.do(func() error { return r.Recorder.Record(ctx, events...) })
}

type wiredBundles struct {
	purge.Bundles
	w *wire
}

func (b wiredBundles) Create(ctx context.Context, t audit.Tenant, id string) (purge.Draft, error) {
	return get(b.w, func() (purge.Draft, error) {
		d, err := b.Bundles.Create(ctx, t, id)
		return wiredDraft{d, b.w}, err
	})
}

func (b wiredBundles) Open(ctx context.Context, t audit.Tenant, id string) (events io.ReadCloser, manifest []byte, err error) {
	err = b.w.do(func() error {
		events, manifest, err = b.Bundles.Open(ctx, t, id)
		return err
	})
	return events, manifest, err
}

type wiredDraft struct {
	purge.Draft
	w *wire
}

func (d wiredDraft) Write(b []byte) (n int, err error) {
	err = d.w.do(func() error {
		n, err = d.Draft.Write(b)
		return err
	})
	return n, err
}

func (d wiredDraft) Commit(ctx context.Context, manifest []byte) error {
	return d.w.do(func() error { return d.Draft.Commit(ctx, manifest) })
}

// watched checks before each destruction that it is allowed, with what is really stored.
type watched struct {
	purge.Source
	h     *house
	wrong []string
}

func (s *watched) Purge(ctx context.Context, t audit.Tenant, spans []audit.Span) error {
	s.check(spans)
	return s.Source.Purge(ctx, t, spans)
}

func (s *watched) check(spans []audit.Span) {
	h := s.h
	said, err := h.purges()
	if err != nil {
		s.wrong = append(s.wrong, err.Error())
	}
	settings, err := h.rows.Settings(bg, clinic)
	if err != nil {
		settings = purge.Settings{Months: purge.DefaultMonths}
	}
	for _, span := range spans {
		for at := span.From; at < span.To; at++ {
			if !named(said, at) {
				s.wrong = append(s.wrong, fmt.Sprintf("place %d is destroyed without a covered purge", at))
			}
			for e := range h.events.List(bg, audit.Filter{Tenant: clinic}, at+1, 1) {
				s.event(at, &e, settings)
			}
		}
	}
}

func (s *watched) event(at int64, e *audit.Entry, settings purge.Settings) {
	if e.Index != at {
		return // destroyed before
	}
	event, err := audit.Decode(e.Body)
	if err != nil {
		s.wrong = append(s.wrong, err.Error())
	}
	now := s.h.clock.now()
	if now.Before(event.Recorded.AddDate(0, settings.Effective(now), 0)) {
		s.wrong = append(s.wrong, fmt.Sprintf("place %d is too young", at))
	}
	for hold := range s.h.rows.Holds(bg, clinic) {
		if hold.InForce(now) && hold.Covers(&event) {
			s.wrong = append(s.wrong, fmt.Sprintf("place %d is held", at))
		}
	}
}

func named(said []audit.Purge, at int64) bool {
	for _, p := range said {
		for _, s := range p.Spans {
			if s.From <= at && at < s.To {
				return true
			}
		}
	}
	return false
}

// purges are the purges that are intact leaves of the latest signed tree.
func (h *house) purges() (out []audit.Purge, err error) {
	for e, err := range h.events.List(bg, audit.Filter{Tenant: clinic, Actions: []audit.Action{audit.ActionPurgeExecuted}}, audit.Newest, 1<<20) {
		if err != nil {
			return nil, err
		}
		proof, err := h.tlog.Prove(bg, clinic, e.Index)
		if err != nil || proof.Check(h.tlog.VerifierKey(), e.Body) != nil {
			continue
		}
		event, err := audit.Decode(e.Body)
		if err != nil {
			return nil, err
		}
		p, err := audit.PurgeOf(event, e.Index)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// legal expects that each body that is missing is named by a purge that a signed tree covers.
func (h *house) legal(t testing.TB) {
	t.Helper()
	said, err := h.purges()
	require.NoError(t, err)
	missing, err := h.events.Purged(bg, clinic, 0, 1<<40)
	require.NoError(t, err)
	for _, s := range missing {
		for at := s.From; at < s.To; at++ {
			require.True(t, named(said, at), "place %d is missing and nobody said so", at)
		}
	}
}

// wired puts a wire into a house, and a watch behind it.
func (h *house) wired(t testing.TB) (*wire, *watched) {
	t.Helper()
	w := &wire{}
	watch := &watched{Source: h.events, h: h}
	h.src, h.rec = wiredSource{watch, w}, wiredRecorder{h.rec, w}
	var err error
	h.x, err = newExporter(h)
	require.NoError(t, err)
	plain, bundles := h.rows, h.bundles
	h.rows, h.bundles = wiredStore{plain, w}, wiredBundles{bundles, w}
	require.NoError(t, h.keep())
	h.rows, h.bundles = plain, bundles
	return w, watch
}

// Whatever fails or is cut off, nothing goes that must not, and it can be gone on with.
func TestEveryCallMayFail(t *testing.T) {
	t.Parallel()
	for _, cut := range []bool{false, true} {
		t.Run(fmt.Sprint("cut=", cut), func(t *testing.T) {
			t.Parallel()
			at := 1
			for ; failingAt(t, at, cut); at++ {
			}
			require.Greater(t, at, 30, "every call of the way was tried")
		})
	}
}

// failingAt purges with one failing call, and reports whether there was one.
func failingAt(t *testing.T, at int, cut bool) bool {
	t.Helper()
	h := old(t, 60)
	h.place(t, purge.Hold{Patient: "m-3"})
	w, watch := h.wired(t)
	w.arm(at, cut)
	for tries := 0; h.reads(t) > 15; tries++ {
		require.Less(t, tries, 10, "call %d: it does not get there", at)
		h.step(t)
		h.legal(t)
	}
	require.Empty(t, watch.wrong, "call %d", at)
	require.Equal(t, 15, h.reads(t))
	require.Len(t, h.left(t, audit.Filter{Patient: "m-3", Actions: []audit.Action{"patient.read"}}), 12)
	return w.hits > 0
}

// step does what is next, whatever that answers.
func (h *house) step(t testing.TB) {
	t.Helper()
	for p, err := range h.rows.Open(bg) {
		require.NoError(t, err)
		switch p.State {
		case purge.Proposed:
			_, _ = h.keeper.Approve(as(bg, "p-diaz"), clinic, p.ID, "")
		default:
			_, _ = h.keeper.Resume(bg, clinic, p.ID)
		}
		return
	}
	_, _ = h.keeper.Propose(as(bg, "p-ada"), clinic, "")
}

// What could not be made is not left standing as if it had been.
func TestWhatIsRecordedAndNotMadeIsSaid(t *testing.T) {
	t.Parallel()
	for _, cut := range []bool{false, true} {
		h := old(t, 5)
		w, _ := h.wired(t)
		for at := 1; ; at++ {
			w.arm(at, cut)
			_, err := h.keeper.Place(as(bg, "p-ada"), purge.Hold{Tenant: clinic, All: true, Matter: "2026-014"}, "")
			if w.hits == 0 {
				require.NoError(t, err)
				break
			}
			require.ErrorIs(t, err, purge.ErrUnavailable)
		}
		var placed, unsure int
		for e, err := range h.events.List(bg, audit.Filter{Tenant: clinic, Actions: []audit.Action{audit.ActionHoldPlaced}}, audit.Newest, 100) {
			require.NoError(t, err)
			event, err := audit.Decode(e.Body)
			require.NoError(t, err)
			if event.Outcome == audit.Success {
				placed++
			} else if event.Code == purge.CodeUnconfirmed {
				unsure++
			}
		}
		require.Equal(t, map[bool]int{false: 2, true: 3}[cut], placed)
		require.Equal(t, 1, unsure)
	}
}
