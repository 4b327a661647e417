package tlog_test

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tlog"
)

// purging is an event that says that spans are purged; change makes it another one, which nobody could
// have agreed to.
func purging(t testing.TB, tenant audit.Tenant, recorded time.Time, change func(*audit.Purge), spans ...audit.Span) audit.Event {
	t.Helper()
	p := audit.Purge{ID: "plan-1", Spans: spans, Newest: time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC), Months: 72, By: [2]audit.ActorID{"u-1", "u-2"}}
	e, err := p.Event(tenant)
	require.NoError(t, err)
	if change != nil {
		change(&p)
		if of, err := p.Event(tenant); err == nil {
			e = of
		} else {
			e.Detail["proposed"], e.Detail["approved"] = string(p.By[0]), string(p.By[1])
			e.Detail["months"] = strconv.Itoa(p.Months)
		}
	}
	e.ID, e.Recorded = audit.NewID(recorded), recorded.UTC().Truncate(time.Microsecond)
	e.Actor = audit.System(tenant, "purge")
	return e
}

// aged is a log of 400 events of a clinic: 300 that were covered in 2018, 100 in 2022; and it is 2024.
func aged(t testing.TB, h *house) *house {
	t.Helper()
	when := at(2018)
	h.now = &when
	h = build(t, h, "key", nil)
	h.add(t, other, 40, "old")
	for range 3 {
		h.add(t, clinic, 100, "old")
		h.cover(t)
	}
	h.turn(2022)
	h.add(t, clinic, 100, "young")
	h.cover(t)
	h.turn(2024)
	h.now = &when
	return h
}

// turn makes it another year.
func (h *house) turn(year int) { *h.now = at(year).AddDate(0, 6, 0) }

// put appends an event as it is, as whoever owns the database can, under a tenant.
func (h *house) put(t testing.TB, tenant audit.Tenant, e audit.Event) {
	t.Helper()
	en := encoded(e)
	en.Tenant = tenant
	for _, o := range e.Objects {
		en.Objects = append(en.Objects, audit.Ref{Type: o.Type, ID: o.ID})
	}
	require.NoError(t, h.events.Append(bg, []audit.Entry{en}))
	for {
		placed, err := h.events.Sequence(bg, 10_000)
		require.NoError(t, err)
		if placed == 0 {
			return
		}
	}
}

// agree records a purge and covers it.
func (h *house) agree(t testing.TB, spans ...audit.Span) {
	t.Helper()
	h.put(t, clinic, purging(t, clinic, *h.now, nil, spans...))
	h.cover(t)
}

// destroy destroys bodies.
func (h *house) destroy(t testing.TB, spans ...audit.Span) {
	t.Helper()
	require.NoError(t, h.events.(audit.Purger).Purge(bg, clinic, spans))
}

// check verifies by the house's clock.
func (h *house) check(o *tlog.VerifyOptions) (tlog.Report, error) {
	if o == nil {
		o = &tlog.VerifyOptions{}
	}
	o.Now = func() time.Time { return *h.now }
	return h.with(nil, o)
}

// span is places.
func span(from, to int64) audit.Span { return audit.Span{From: from, To: to} }

// eachAged runs f over an aged log in memory and on each engine.
func eachAged(t *testing.T, f func(t *testing.T, h *house)) {
	each(t, func(t *testing.T, open func(*tlog.Options) *house) {
		f(t, aged(t, open(nil)))
	})
}

// TestPurge: bodies may be missing where a purge covers them, and everything else is proven as before.
func TestPurge(t *testing.T) {
	t.Parallel()
	eachAged(t, func(t *testing.T, h *house) {
		old := h.log.Checkpoint()
		h.agree(t, span(0, 100), span(120, 121), span(122, 200))
		report, err := h.check(nil)
		require.NoError(t, err)
		require.Zero(t, report.Purged, "nothing was destroyed yet")
		h.destroy(t, span(0, 100), span(122, 200))
		report, err = h.check(nil)
		require.NoError(t, err, "a purge that was killed half-way")
		require.Equal(t, int64(178), report.Purged)
		h.destroy(t, span(0, 100), span(120, 121), span(122, 200))
		h.agree(t, span(200, 299))
		h.destroy(t, span(200, 299))
		h.add(t, clinic, 10, "new")
		h.cover(t)
		report, err = tlog.Verify(bg, h.events, h.trees, h.log.VerifierKey(), old, &tlog.VerifyOptions{Now: func() time.Time { return *h.now }})
		require.NoError(t, err)
		require.Equal(t, int64(278), report.Purged)
		require.Equal(t, int64(40+412-278), report.Events)
		require.Zero(t, report.Uncovered)

		body, err := h.log.Prove(bg, clinic, 121)
		require.NoError(t, err)
		for e, err := range h.events.List(bg, audit.Filter{Tenant: clinic}, 122, 1) {
			require.NoError(t, err)
			require.NoError(t, body.Check(h.log.VerifierKey(), e.Body), "a neighbour is proven as before")
		}
	})
}

// attack is something that somebody who owns the database does, and the places that are found.
type attack struct {
	name string
	do   func(t *testing.T, h *house)
	want []audit.Span
}

func attacks() []attack {
	hundred := []audit.Span{span(0, 100)}
	young := []audit.Span{span(300, 400)}
	return []attack{
		{"bodies are said to be purged, and nobody agreed to anything", func(t *testing.T, h *house) {
			h.destroy(t, span(0, 100))
		}, hundred},
		{"a purge that is not covered yet", func(t *testing.T, h *house) {
			h.put(t, clinic, purging(t, clinic, *h.now, nil, span(0, 100)))
			h.destroy(t, span(0, 100))
		}, hundred},
		{"one place more than agreed to, at each end", func(t *testing.T, h *house) {
			h.agree(t, span(1, 100))
			h.destroy(t, span(0, 101))
		}, []audit.Span{span(0, 1), span(100, 101)}},
		{"what two purges name is not what lies between them", func(t *testing.T, h *house) {
			h.agree(t, span(0, 100))
			h.agree(t, span(110, 200))
			h.destroy(t, span(0, 200))
		}, []audit.Span{span(100, 110)}},
		{"one person agrees with themselves", func(t *testing.T, h *house) {
			h.put(t, clinic, purging(t, clinic, *h.now, func(p *audit.Purge) { p.By[1] = p.By[0] }, span(0, 100)))
			h.cover(t)
			h.destroy(t, span(0, 100))
		}, hundred},
		{"less than six years", func(t *testing.T, h *house) {
			h.put(t, clinic, purging(t, clinic, *h.now, func(p *audit.Purge) { p.Months = 71 }, span(0, 100)))
			h.cover(t)
			h.destroy(t, span(0, 100))
		}, hundred},
		{"young events, which the purge says are old", func(t *testing.T, h *house) {
			h.agree(t, span(300, 400))
			h.destroy(t, span(300, 400))
		}, young},
		{"young events, and the purge says that it is from another year", func(t *testing.T, h *house) {
			h.put(t, clinic, purging(t, clinic, at(2031), nil, span(300, 400)))
			h.cover(t)
			h.destroy(t, span(300, 400))
		}, young},
		{"young events, while a server's clock is set ahead", func(t *testing.T, h *house) {
			h.turn(2031)
			h.agree(t, span(300, 400))
			h.turn(2024)
			h.destroy(t, span(300, 400))
		}, young},
		{"young events that a server with a clock set back covers", func(t *testing.T, h *house) {
			h.turn(2010)
			h.add(t, clinic, 50, "young")
			h.cover(t)
			h.turn(2024)
			h.agree(t, span(400, 450))
			h.destroy(t, span(400, 450))
		}, []audit.Span{span(400, 450)}},
		{"one young event makes all of a purge void", func(t *testing.T, h *house) {
			h.agree(t, span(0, 100), span(200, 301))
			h.destroy(t, span(0, 100))
		}, hundred},
		{"longer kept than it was", func(t *testing.T, h *house) {
			h.put(t, clinic, purging(t, clinic, *h.now, func(p *audit.Purge) { p.Months = 84 }, span(0, 100)))
			h.cover(t)
			h.destroy(t, span(0, 100))
		}, hundred},
		{"a purge that names itself", func(t *testing.T, h *house) {
			h.agree(t, span(0, 401))
			h.destroy(t, span(0, 100))
		}, hundred},
		{"a purge that names what comes after it", func(t *testing.T, h *house) {
			h.agree(t, span(0, 100), span(402, 500))
			h.destroy(t, span(0, 100))
		}, hundred},
		{"a purge of a purge", func(t *testing.T, h *house) {
			h.agree(t, span(0, 100))
			h.turn(2031)
			h.agree(t, span(400, 401))
			h.destroy(t, span(0, 100), span(400, 401))
		}, hundred},
		{"the purge's own body is destroyed", func(t *testing.T, h *house) {
			h.agree(t, span(0, 100))
			h.destroy(t, span(0, 100), span(400, 401))
		}, []audit.Span{span(0, 100), span(400, 401)}},
		{"a purge of another tenant", func(t *testing.T, h *house) {
			h.put(t, other, purging(t, other, *h.now, nil, span(0, 30)))
			h.cover(t)
			h.destroy(t, span(0, 30))
		}, []audit.Span{span(0, 30)}},
		{"a purge that failed", func(t *testing.T, h *house) {
			e := purging(t, clinic, *h.now, nil, span(0, 100))
			e.Outcome, e.Code = audit.MinorFailure, "no"
			h.put(t, clinic, e)
			h.cover(t)
			h.destroy(t, span(0, 100))
		}, hundred},
		{"another action of the same form", func(t *testing.T, h *house) {
			e := purging(t, clinic, *h.now, nil, span(0, 100))
			e.Action = audit.ActionExportCreated
			h.put(t, clinic, e)
			h.cover(t)
			h.destroy(t, span(0, 100))
		}, hundred},
	}
}

// TestUncoveredPurges: who owns the database cannot destroy what nobody agreed to, or what is too young.
func TestUncoveredPurges(t *testing.T) {
	t.Parallel()
	for _, a := range attacks() {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			eachAged(t, func(t *testing.T, h *house) {
				var state tlog.Verified
				_, err := h.check(&tlog.VerifyOptions{Save: func(s tlog.Verified) error { state = s; return nil }})
				require.NoError(t, err)
				a.do(t, h)
				report, err := h.check(nil)
				require.ErrorIs(t, err, tlog.ErrUncoveredPurge)
				require.ErrorIs(t, err, tlog.ErrTampered)
				require.Equal(t, findings(a.want), report.Findings)

				report, err = h.check(&tlog.VerifyOptions{Since: &state})
				require.ErrorIs(t, err, tlog.ErrUncoveredPurge, "what was whole the last time")
				require.Equal(t, findings(a.want), report.Findings)

				n := 5000
				if h.pool != nil {
					n = 50 // each takes a few statements
				}
				report, err = tlog.Sample(bg, h.events, h.trees, h.log.VerifierKey(), nil, n, &tlog.VerifyOptions{Now: func() time.Time { return *h.now }})
				if h.pool == nil {
					require.ErrorIs(t, err, tlog.ErrUncoveredPurge)
				}
				for _, f := range report.Findings { // those that were drawn
					require.Condition(t, func() bool {
						return slices.ContainsFunc(a.want, func(s audit.Span) bool { return s.From <= f.From && f.To <= s.To })
					})
				}
			})
		})
	}
}

func findings(want []audit.Span) (out []tlog.Finding) {
	for _, s := range want {
		out = append(out, tlog.Finding{Tenant: clinic, Err: tlog.ErrUncoveredPurge, From: s.From, To: s.To})
	}
	return out
}

// TestADestructionThatWasAgreedToLater: until a purge covers it, it is a finding. Afterwards nobody can
// tell which came first, and it is what two people agreed to.
func TestADestructionThatWasAgreedToLater(t *testing.T) {
	t.Parallel()
	eachAged(t, func(t *testing.T, h *house) {
		h.destroy(t, span(0, 100))
		_, err := h.check(nil)
		require.ErrorIs(t, err, tlog.ErrUncoveredPurge)
		h.agree(t, span(0, 100))
		_, err = h.check(nil)
		require.NoError(t, err)
	})
}

// TestAPurgeMovedToAnotherTenant: an event that names another tenant inside says nothing here.
func TestAPurgeMovedToAnotherTenant(t *testing.T) {
	t.Parallel()
	h := aged(t, &house{events: audit.NewMemory(), trees: tlog.NewMemory()})
	h.put(t, clinic, purging(t, other, *h.now, nil, span(0, 30)))
	h.cover(t)
	h.destroy(t, span(0, 30))
	report, err := h.check(nil)
	require.ErrorIs(t, err, tlog.ErrUncoveredPurge)
	require.Equal(t, findings([]audit.Span{span(0, 30)}), report.Findings)
}

// purgeLiar lies about what is purged.
type purgeLiar struct {
	*audit.Memory
	purged func(from, to int64, told []audit.Span) []audit.Span
	leaves func(from int64, told [][32]byte) error
	list   func()
	hide   bool // purges from whoever filters
}

func (l *purgeLiar) Purged(ctx context.Context, t audit.Tenant, from, to int64) ([]audit.Span, error) {
	spans, err := l.Memory.Purged(ctx, t, from, to)
	if l.purged != nil && t == clinic {
		spans = l.purged(from, to, spans)
	}
	return spans, err
}

func (l *purgeLiar) Leaves(ctx context.Context, t audit.Tenant, from, to int64) ([][32]byte, error) {
	leaves, err := l.Memory.Leaves(ctx, t, from, to)
	if l.leaves != nil && t == clinic && err == nil {
		err = l.leaves(from, leaves)
	}
	return leaves, err
}

func (l *purgeLiar) List(ctx context.Context, f audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error] {
	if l.list != nil {
		then := l.list
		l.list = nil
		defer then()
	}
	if l.hide && len(f.Actions) > 0 {
		return func(func(audit.Entry, error) bool) {}
	}
	return l.Memory.List(ctx, f, below, limit)
}

func liarOfPurges(t testing.TB) (*house, *purgeLiar) {
	t.Helper()
	l := &purgeLiar{Memory: audit.NewMemory()}
	h := aged(t, &house{events: l, trees: tlog.NewMemory()})
	h.agree(t, span(0, 100))
	h.destroy(t, span(0, 100))
	_, err := h.check(nil)
	require.NoError(t, err)
	return h, l
}

// TestPurgedHashesAreProven: of what has no bytes the hash is still the one that was signed.
func TestPurgedHashesAreProven(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lie  func(l *purgeLiar)
		want error
	}{
		"a hash replaced": {func(l *purgeLiar) {
			l.leaves = func(from int64, told [][32]byte) error {
				if from <= 50 && from+int64(len(told)) > 50 {
					told[50-from][0] ^= 1
				}
				return nil
			}
		}, tlog.ErrAltered},
		"a hash is gone": {func(l *purgeLiar) {
			l.leaves = func(from int64, told [][32]byte) error {
				if from <= 50 && from+int64(len(told)) > 50 {
					return audit.ErrDamaged
				}
				return nil
			}
		}, tlog.ErrMissing},
		"what is there is said to be purged": {func(l *purgeLiar) {
			l.purged = func(from, to int64, _ []audit.Span) []audit.Span { return []audit.Span{span(from, min(to, 400))} }
		}, tlog.ErrUncoveredPurge},
		"what is purged is said to be there": {func(l *purgeLiar) {
			l.purged = func(int64, int64, []audit.Span) []audit.Span { return nil }
		}, tlog.ErrAltered},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, l := liarOfPurges(t)
			c.lie(l)
			_, err := h.check(nil)
			require.ErrorIs(t, err, c.want)
		})
	}
	for name, bad := range map[string][]audit.Span{
		"empty": {span(5, 5)}, "below": {span(-1, 5)}, "beyond": {span(0, 1<<41)}, "backwards": {span(9, 10), span(1, 2)}, "twice": {span(1, 2), span(1, 2)},
	} {
		h, l := liarOfPurges(t)
		l.purged = func(int64, int64, []audit.Span) []audit.Span { return bad }
		_, err := h.check(nil)
		require.ErrorIs(t, err, tlog.ErrUnavailable, name)
	}
}

// TestAHiddenPurge: whoever reads everything finds the purges by themselves; who does not has to be told, and
// what is not shown allows nothing.
func TestAHiddenPurge(t *testing.T) {
	t.Parallel()
	h, l := liarOfPurges(t)
	l.hide = true
	_, err := h.check(nil)
	require.NoError(t, err)
	_, err = tlog.Sample(bg, h.events, h.trees, h.log.VerifierKey(), nil, 5000, nil)
	require.ErrorIs(t, err, tlog.ErrUncoveredPurge)
}

// TestHeadsThatLookOld: ages are those of the signed heads, not of what the store says of one tenant's.
func TestHeadsThatLookOld(t *testing.T) {
	t.Parallel()
	memory := audit.NewMemory()
	l := &lying{events: memory, Store: tlog.NewMemory()}
	h := aged(t, &house{events: l, trees: l})
	h.agree(t, span(300, 400))
	require.NoError(t, memory.Purge(bg, clinic, []audit.Span{span(300, 400)}))
	l.headsOf = func(h tlog.Head) (tlog.Head, bool) {
		if h.Size == 400 {
			h.At = at(2015)
		}
		return h, true
	}
	now := func() time.Time { return *h.now }
	_, err := tlog.Sample(bg, h.events, h.trees, h.log.VerifierKey(), nil, 5000, &tlog.VerifyOptions{Now: now})
	require.ErrorIs(t, err, tlog.ErrUncoveredPurge)
	_, err = h.check(nil)
	require.ErrorIs(t, err, tlog.ErrRewritten)
}

// asked is a source that does something when somebody asks for purges.
type asked struct {
	*audit.Memory
	then func()
}

func (a *asked) List(ctx context.Context, f audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error] {
	if len(f.Actions) > 0 {
		a.then()
	}
	return a.Memory.List(ctx, f, below, limit)
}

// TestAnotherLogMeanwhile: a longer log under which a purge might be covered has to continue the one that
// was verified, also where it is signed with the real key.
func TestAnotherLogMeanwhile(t *testing.T) {
	t.Parallel()
	forged := aged(t, &house{events: audit.NewMemory(), trees: tlog.NewMemory(), n: 5000})
	forged.agree(t, span(0, 100))
	forged.agree(t, span(0, 100))
	swapped := &lying{events: audit.NewMemory(), Store: tlog.NewMemory()}
	a := &asked{Memory: audit.NewMemory()}
	h := aged(t, &house{events: a, trees: swapped})
	h.destroy(t, span(0, 100))
	a.then = func() { swapped.Store = forged.trees }
	_, err := h.check(nil)
	require.ErrorIs(t, err, tlog.ErrRewritten)
}

// inventing is a source that shows a purge which is not in the tree to whoever asks for purges.
type inventing struct {
	*audit.Memory
	forged audit.Entry
}

func (i *inventing) List(ctx context.Context, f audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error] {
	if len(f.Actions) > 0 {
		return func(yield func(audit.Entry, error) bool) { yield(i.forged, nil) }
	}
	return i.Memory.List(ctx, f, below, limit)
}

// TestAnInventedPurge: what the store shows as a purge is proven by the tree before it allows anything.
func TestAnInventedPurge(t *testing.T) {
	t.Parallel()
	i := &inventing{Memory: audit.NewMemory()}
	h := aged(t, &house{events: i, trees: tlog.NewMemory()})
	i.forged = encoded(purging(t, clinic, *h.now, nil, span(0, 100)))
	h.turn(2031) // so that the head over that place is late enough
	h.add(t, clinic, 10, "late")
	h.cover(t)
	i.forged.Index = 405
	h.destroy(t, span(0, 100))
	_, err := h.check(nil)
	require.ErrorIs(t, err, tlog.ErrUncoveredPurge)
}

// misplaced is a source that says another number of each event.
type misplaced struct {
	events
	by int64
}

func (m misplaced) List(ctx context.Context, f audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		for e, err := range m.events.List(ctx, f, below, limit) {
			if e.Index += m.by; !yield(e, err) {
				return
			}
		}
	}
}

// TestNumbersThatAreNoPlaces: a source cannot lead outside of what was asked for.
func TestNumbersThatAreNoPlaces(t *testing.T) {
	t.Parallel()
	for _, by := range []int64{1, -1, 1 << 40, -1 << 40} {
		h, l := liarHouse(t)
		h.events = misplaced{l, by}
		_, err := h.verify(nil)
		require.ErrorIs(t, err, tlog.ErrAltered)
	}
}

// TestAPurgeMeanwhile: what is agreed to, covered and destroyed while somebody verifies is no finding.
func TestAPurgeMeanwhile(t *testing.T) {
	t.Parallel()
	for name, verify := range map[string]func(h *house, o *tlog.VerifyOptions) (tlog.Report, error){
		"all": func(h *house, o *tlog.VerifyOptions) (tlog.Report, error) { return h.with(nil, o) },
		"a sample": func(h *house, o *tlog.VerifyOptions) (tlog.Report, error) {
			return tlog.Sample(bg, h.events, h.trees, h.log.VerifierKey(), nil, 5000, o)
		},
	} {
		l := &purgeLiar{Memory: audit.NewMemory()}
		h := aged(t, &house{events: l, trees: tlog.NewMemory()})
		l.list = func() {
			h.agree(t, span(0, 300))
			h.destroy(t, span(0, 300))
		}
		report, err := verify(h, &tlog.VerifyOptions{Now: func() time.Time { return *h.now }})
		require.NoError(t, err, name)
		require.Equal(t, int64(6), report.Checkpoint.Size, name)
		require.NotZero(t, report.Purged)
	}
}

// TestVerifyGoesOnOverPurges: what has no bytes waits for its purge from one verification to the next.
func TestVerifyGoesOnOverPurges(t *testing.T) {
	t.Parallel()
	eachAged(t, func(t *testing.T, h *house) {
		var state tlog.Verified
		keep := func(s tlog.Verified) error { state = s; return nil }
		h.agree(t, span(0, 100))
		_, err := h.check(&tlog.VerifyOptions{Save: keep})
		require.NoError(t, err)
		h.destroy(t, span(0, 100))
		report, err := h.check(&tlog.VerifyOptions{Since: &state, Save: keep})
		require.NoError(t, err)
		require.Equal(t, int64(100), report.Purged, "by a purge that was read another time")
		require.Zero(t, report.Events)
		h.agree(t, span(150, 160))
		h.destroy(t, span(150, 160))
		report, err = h.check(&tlog.VerifyOptions{Since: &state, Save: keep})
		require.NoError(t, err)
		require.Equal(t, int64(110), report.Purged)
		require.Equal(t, int64(1), report.Events)

		part := tlog.Verified{Checkpoint: state.Checkpoint, Tenants: maps.Clone(state.Tenants)}
		peaks := &tlog.Peaks{}
		leaves, err := h.events.Leaves(bg, clinic, 0, 200)
		require.NoError(t, err)
		for _, leaf := range leaves {
			peaks.Push(leaf)
		}
		waits := func(spans ...audit.Span) *tlog.VerifyOptions {
			part.Tenants[clinic] = tlog.VerifiedTree{Size: 200, Peaks: peaks.Hashes(), Waiting: spans}
			return &tlog.VerifyOptions{Since: &part}
		}
		report, err = h.check(waits(span(0, 100), span(150, 160)))
		require.NoError(t, err)
		require.Equal(t, int64(110), report.Purged)
		report, err = h.check(waits(span(0, 101)))
		require.ErrorIs(t, err, tlog.ErrUncoveredPurge, "the body that was missing then was not compared with anything")
		require.Equal(t, findings([]audit.Span{span(100, 101)}), report.Findings)
		for _, bad := range []audit.Span{span(5, 5), span(-1, 3), span(199, 201)} {
			_, err = h.check(waits(bad))
			require.ErrorIs(t, err, tlog.ErrProof)
		}
	})
}

// TestNothingIsSavedOfAnUncoveredPurge: the next verification finds it again.
func TestNothingIsSavedOfAnUncoveredPurge(t *testing.T) {
	t.Parallel()
	eachAged(t, func(t *testing.T, h *house) {
		h.destroy(t, span(0, 100))
		var state tlog.Verified
		_, err := h.check(&tlog.VerifyOptions{Save: func(s tlog.Verified) error { state = s; return nil }})
		require.ErrorIs(t, err, tlog.ErrUncoveredPurge)
		require.Contains(t, state.Tenants, other)
		require.NotContains(t, state.Tenants, clinic)
	})
}

// TestAStateStaysAsItWas: what is found of a tenant does not get into the state of another one's end.
func TestAStateStaysAsItWas(t *testing.T) {
	t.Parallel()
	onSQL(t, func(t *testing.T, open func(*tlog.Options) *house) {
		h := open(nil)
		history(t, h, "a")
		var state tlog.Verified
		keep := func(s tlog.Verified) error { state = s; return nil }
		_, err := h.with(nil, &tlog.VerifyOptions{Save: keep})
		require.NoError(t, err)
		h.add(t, clinic, 20, "b")
		h.cover(t)
		o := take(t, h)
		o.run(`UPDATE audit_entry SET body = leaf WHERE place = ?`, o.first(clinic)+610)
		for range 2 {
			since := state
			_, err = h.with(nil, &tlog.VerifyOptions{Since: &since, Save: keep})
			require.ErrorIs(t, err, tlog.ErrAltered, "again and again")
		}
	})
}

// TestPurgesFail: a verification whose store fails never says that all is well.
func TestPurgesFail(t *testing.T) {
	t.Parallel()
	for _, sample := range []bool{false, true} {
		for n := 1; ; n++ {
			f := &faulty{events: audit.NewMemory(), Store: tlog.NewMemory(), once: true}
			h := aged(t, &house{events: f, trees: f})
			h.agree(t, span(0, 100))
			memory := f.events.(*audit.Memory)
			require.NoError(t, memory.Purge(bg, clinic, []audit.Span{span(0, 100)}))
			f.n, f.calls = n, 0
			var err error
			o := &tlog.VerifyOptions{Now: func() time.Time { return *h.now }}
			if sample {
				_, err = tlog.Sample(bg, h.events, h.trees, h.log.VerifierKey(), nil, 20, o)
			} else {
				_, err = h.with(nil, o)
			}
			if f.calls < n {
				require.NoError(t, err)
				break
			}
			require.ErrorIs(t, err, tlog.ErrUnavailable, "call %d", n)
		}
	}
}
