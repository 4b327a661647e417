package recert_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/recert"
)

var errFault = errors.New("a fault")

// faults make the n-th of all calls of stores, recorders, effects and notices fail, before anything
// happened or after it did: the answer is lost.
type faults struct {
	mu    sync.Mutex
	at    int // counted down; it fails at 1
	after bool
	calls int
}

// arm makes the n-th call fail from now on; 0 none.
func (f *faults) arm(n int, after bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at, f.after, f.calls = n, after, 0
}

// do makes one call.
func (f *faults) do(call func() error) error {
	f.mu.Lock()
	f.calls++
	hit, after := f.at == f.calls, f.after
	f.mu.Unlock()
	if hit && !after {
		return errFault
	}
	if err := call(); err != nil {
		return err
	}
	if hit {
		return errFault
	}
	return nil
}

func (f *faults) fired() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at > 0 && f.calls >= f.at
}

// faultyStore is a Store with faults.
type faultyStore struct {
	recert.Store
	f *faults
}

func (s faultyStore) Get(ctx context.Context, t audit.Tenant, id string) (c recert.Campaign, err error) {
	err = s.f.do(func() (err error) { c, err = s.Store.Get(ctx, t, id); return err })
	if err != nil {
		return recert.Campaign{}, err
	}
	return c, nil
}

func (s faultyStore) Apply(ctx context.Context, w recert.Write) error {
	return s.f.do(func() error { return s.Store.Apply(ctx, w) })
}

func (s faultyStore) Items(ctx context.Context, t audit.Tenant, id string, f recert.ItemFilter) iter.Seq2[recert.Item, error] {
	return cut(s.f, s.Store.Items(ctx, t, id, f))
}

func (s faultyStore) Active(ctx context.Context) iter.Seq2[recert.Campaign, error] {
	return cut(s.f, s.Store.Active(ctx))
}

// cut ends a sequence with an error, before it or after all of it.
func cut[T any](f *faults, all iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var list []T
		err := f.do(func() error {
			for v, err := range all {
				if err != nil {
					return err
				}
				list = append(list, v)
			}
			return nil
		})
		for _, v := range list {
			if !yield(v, nil) {
				return
			}
		}
		if err != nil {
			var none T
			yield(none, err)
		}
	}
}

type faultyRecorder struct {
	audit.Recorder
	f *faults
}

func (r faultyRecorder) Record(ctx context.Context, events ...audit.Event) error {
	return r.f.do(func() error { return r.Recorder.Record(ctx, events...) })
}

type faultyEffects struct {
	recert.Effects
	f *faults
}

func (e faultyEffects) Allowed(ctx context.Context, o recert.Order) error {
	return e.f.do(func() error { return e.Effects.Allowed(ctx, o) })
}

func (e faultyEffects) Apply(ctx context.Context, o recert.Order) error {
	return e.f.do(func() error { return e.Effects.Apply(ctx, o) })
}

func (e faultyEffects) Check(ctx context.Context, o recert.Order) (c recert.Checked, err error) {
	err = e.f.do(func() (err error) { c, err = e.Effects.Check(ctx, o); return err })
	return c, err
}

type faultyMail struct {
	recert.Notices
	f *faults
}

func (m faultyMail) Notify(ctx context.Context, n recert.Notice) error {
	return m.f.do(func() error { return m.Notices.Notify(ctx, n) })
}

// faulty returns a house with faults.
func faulty(t testing.TB) (*house, *faults) {
	t.Helper()
	h, f := newHouse(t), &faults{}
	h.staffed(t)
	h.parts.Store = faultyStore{h.store, f}
	h.parts.Recorder = faultyRecorder{h.rec, f}
	h.parts.Notices = faultyMail{h.mail, f}
	for k, e := range h.parts.Effects {
		h.parts.Effects[k] = faultyEffects{e, f}
	}
	h.open(t)
	return h, f
}

// eachFault runs a story once for every call that it makes, with that call failing, before and after.
func eachFault(t *testing.T, story func(t *testing.T, h *house, f *faults, n int, after bool) (fired bool)) {
	t.Helper()
	for _, after := range []bool{false, true} {
		n := 1
		for ; n < 200; n++ {
			h, f := faulty(t)
			if !story(t, h, f, n, after) {
				break
			}
		}
		require.Greater(t, n, 2, "the story met no fault")
		require.Less(t, n, 200)
	}
}

// consistent asserts that rows, grants and log say the same.
func (h *house) consistent(t *testing.T, campaign string) {
	t.Helper()
	counts := recert.Counts{}
	for _, i := range h.items(t, campaign) {
		who, role := i.Access.Subject, rbac.RoleName(i.Access.Role)
		grants, err := h.grants.Grants(context.Background(), clinic, who)
		require.NoError(t, err)
		require.LessOrEqual(t, len(grants), 1, "%s was given something twice", who)
		switch i.State {
		case recert.ItemOpen:
			counts.Open++
			require.True(t, h.holds(t, who, role), "%s is open and has nothing", who)
		case recert.ItemSuspended:
			counts.Suspended++
			require.False(t, h.holds(t, who, role))
		case recert.ItemPending:
			counts.Pending++
		case recert.ItemClosed:
			counts.Closed++
			require.Equal(t, i.Outcome != recert.Revoked && i.Outcome != recert.Gone, h.holds(t, who, role), "%s: %s", who, i.Outcome)
		}
		if i.Exception != "" {
			counts.Exception++
		}
		if i.Decision.Event != "" && i.Decision.By != "system:recert" {
			require.True(t, h.said(recert.ActionDecide, i.Decision.Event), "a decision without its record")
		}
	}
	c, err := h.store.Get(context.Background(), clinic, campaign)
	require.NoError(t, err)
	require.Equal(t, counts, c.Counts)
}

// said reports whether an event is on record.
func (h *house) said(a audit.Action, id string) bool {
	for _, e := range h.rec.of(a) {
		if e.ID == id && e.Outcome == audit.Success {
			return true
		}
	}
	return false
}

func TestStartUnderFaults(t *testing.T) {
	t.Parallel()
	eachFault(t, func(t *testing.T, h *house, f *faults, n int, after bool) bool {
		f.arm(n, after)
		c, err := h.r.Start(h.as("ada"), spec())
		fired := f.fired()
		f.arm(0, false)
		count := 0
		for got, err := range h.store.List(t.Context(), clinic, "") {
			require.NoError(t, err)
			require.True(t, h.said(recert.ActionStart, got.Snapshot.Event))
			count++
		}
		if err != nil {
			require.ErrorIs(t, err, errFault)
			require.Zero(t, count, "fault %d after=%t", n, after)
		} else {
			require.Equal(t, 1, count)
			require.NotEmpty(t, c.ID)
			h.consistent(t, c.ID)
		}
		return fired
	})
}

func TestDecisionsUnderFaults(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]recert.Verdict{
		"certify": {Do: recert.Certify, Why: words},
		"revoke":  {Do: recert.RevokeIt, Why: words},
		"reduce":  {Do: recert.Reduce, Reach: recert.Reach{Practices: []string{"south"}}, Why: words},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachFault(t, func(t *testing.T, h *house, f *faults, n int, after bool) bool {
				c := h.start(t, spec())
				tina := h.of(t, c.ID, "tina")
				f.arm(n, after)
				_, err := h.r.Decide(h.as(tina.Reviewer), c.ID, tina.Seq, v)
				fired := f.fired()
				f.arm(0, false)
				h.tick(t)
				i := h.of(t, c.ID, "tina")
				if err == nil {
					require.Equal(t, recert.ItemClosed, i.State, "fault %d after=%t", n, after)
				} else {
					require.True(t, fired)
					require.Equal(t, recert.ItemOpen, i.State, "not done is not done: fault %d after=%t: %v", n, after, err)
				}
				h.consistent(t, c.ID)
				return fired
			})
		})
	}
}

func TestTicksUnderFaults(t *testing.T) {
	t.Parallel()
	eachFault(t, func(t *testing.T, h *house, f *faults, n int, after bool) bool {
		s := spec()
		s.Every, s.Days = 1, 20
		c := h.start(t, s)
		dora := h.of(t, c.ID, "dora")
		h.days(25)
		f.arm(n, after)
		_, _ = h.r.Tick(t.Context(), h.clock())
		fired := f.fired()
		f.arm(0, false)
		h.tick(t)
		h.consistent(t, c.ID)
		require.Equal(t, recert.ItemSuspended, h.of(t, c.ID, "dora").State, "fault %d after=%t", n, after)
		sent := map[string]bool{}
		for _, m := range h.mail.take() {
			require.False(t, sent[m.ID])
			sent[m.ID] = true
		}
		// Given back by one call, also after a fault in its middle.
		_, err := h.r.Resume(h.as("ada"), c.ID, dora.Seq, words)
		require.NoError(t, err)
		h.days(10)
		h.tick(t)
		h.consistent(t, c.ID)
		require.Equal(t, recert.Revoked, h.of(t, c.ID, "dora").Outcome)
		rounds := 0
		for range h.store.List(t.Context(), clinic, "") {
			rounds++
		}
		require.Equal(t, 2, rounds)
		return fired
	})
}

func TestRoundsAndSignOffUnderFaults(t *testing.T) {
	t.Parallel()
	eachFault(t, func(t *testing.T, h *house, f *faults, n int, after bool) bool {
		s := spec()
		s.Every, s.Days = 1, 20
		c := h.start(t, s)
		h.rest(t, c.ID)
		f.arm(n, after)
		signed, err := h.r.SignOff(h.as("ada"), c.ID, "done")
		fired := f.fired()
		if !fired {
			h.days(31)
			_, _ = h.r.Tick(t.Context(), h.clock())
			fired = f.fired()
			h.days(-31)
		}
		f.arm(0, false)
		got, gerr := h.store.Get(t.Context(), clinic, c.ID)
		require.NoError(t, gerr)
		if err == nil {
			require.Equal(t, recert.Signed, signed.State)
			require.True(t, h.said(recert.ActionSignOff, got.SignOff.Event))
		} else {
			require.Equal(t, recert.Open, got.State, "fault %d after=%t", n, after)
			_, err = h.r.SignOff(h.as("ada"), c.ID, "done")
			require.NoError(t, err)
		}
		h.days(31)
		h.tick(t)
		rounds := 0
		for range h.store.List(t.Context(), clinic, "") {
			rounds++
		}
		require.Equal(t, 2, rounds, "fault %d after=%t", n, after)
		return fired
	})
}

// What fails leaves what it is, and says so, and nothing is done that was not recorded.
func TestWhatIsNotRecordedIsNotDone(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	c := h.start(t, spec())
	h.rec.fail = func() error { return errFault }
	dora := h.of(t, c.ID, "dora")
	_, err := h.r.Decide(h.as(dora.Reviewer), c.ID, dora.Seq, recert.Verdict{Do: recert.RevokeIt})
	require.ErrorIs(t, err, recert.ErrUnavailable)
	h.days(40)
	_, err = h.r.Tick(t.Context(), h.clock())
	require.ErrorIs(t, err, recert.ErrUnavailable)
	require.True(t, h.holds(t, "dora", "desk"))
	require.Equal(t, recert.ItemOpen, h.of(t, c.ID, "dora").State)
}

// An effect that fails stays pending, is tried again, and is not told as new each time.
func TestAnEffectThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	c := h.start(t, spec())
	dora := h.of(t, c.ID, "dora")
	h.effects.set(errFault, nil)
	i, err := h.r.Decide(h.as(dora.Reviewer), c.ID, dora.Seq, recert.Verdict{Do: recert.RevokeIt})
	require.NoError(t, err)
	require.Equal(t, recert.ExceptionFailed, i.Exception)
	for range 3 {
		rep := h.tick(t)
		require.Equal(t, []recert.Ref{{Tenant: clinic, Campaign: c.ID, Seq: dora.Seq, Exception: recert.ExceptionFailed}}, rep.Exceptions)
	}
	require.Len(t, h.rec.of(recert.ActionEffect), 1)
	h.effects.set(nil, errFault)
	h.tick(t)
	require.False(t, h.holds(t, "dora", "desk"))
	require.Equal(t, recert.ItemPending, h.of(t, c.ID, "dora").State, "nobody knows that it was done")
	h.effects.set(nil, nil)
	h.tick(t)
	i = h.of(t, c.ID, "dora")
	require.Equal(t, recert.ItemClosed, i.State)
	require.Equal(t, 6, i.Effects[0].Tries)
	require.Empty(t, i.Effects[0].Failed)
}

func TestOptionsAndParts(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, err := recert.New(recert.Parts{}, nil)
	require.ErrorContains(t, err, "Store, Recorder, Population, Policy, Effects, OnlyOne, Notices")
	for n, o := range []recert.Options{{Fresh: 1}, {Window: 1}, {Every: 1}} {
		_, err := recert.New(h.parts, &o)
		require.Error(t, err, fmt.Sprint(n))
	}
	require.ErrorIs(t, h.r.Health(t.Context()), recert.ErrNotRunning)
}
