package review_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/review"
)

// wild records n events of a few people who do all sorts of things, so that every rule finds some.
func (h *house) wild(r *rand.Rand, n int) {
	for range n {
		h.at = h.at.Add(time.Duration(r.IntN(240)) * time.Second)
		if r.IntN(60) == 0 {
			h.at = h.at.Add(time.Duration(r.IntN(40)) * time.Hour)
		}
		who := audit.ActorID(fmt.Sprintf("u-%d", r.IntN(6)))
		if r.IntN(150) == 0 {
			for k := range 25 {
				h.at = h.at.Add(10 * time.Second)
				h.looks(who, audit.Patient(fmt.Sprintf("p-%d-%s", k, who)))
				h.refused(staff(who))
			}
		}
		switch r.IntN(12) {
		case 0:
			h.refused(staff(who), audit.Object{Type: "patient", ID: fmt.Sprintf("p-%d", h.n)})
		case 1:
			h.refused(audit.Actor{Kind: audit.KindAnonymous, Tenant: clinic})
		case 2:
			h.record(audit.Event{Action: audit.ActionRead, Actor: staff(who)})
		case 3:
			h.record(audit.Event{Action: audit.ActionExportCreated, Verb: audit.Execute, Actor: staff("u-9")})
		case 4:
			var page []audit.Patient
			for k := range 100 + r.IntN(150) {
				page = append(page, patient(who, k))
			}
			h.looks(who, page...)
		case 5:
			h.looks(who, patient("u-0", r.IntN(200)), patient(who, r.IntN(9)))
		default:
			h.looks(who, patient(who, r.IntN(60)))
		}
	}
}

// relations makes some patients relatives and stars.
func (h *house) relations() {
	for i := range 6 {
		who := audit.ActorID(fmt.Sprintf("u-%d", i))
		h.ties.of[review.Pair{Person: who, Patient: patient("u-0", 3*i)}] = review.Tie{Surname: i%2 == 0, VIP: i%3 == 0, Worker: i%2 == 1}
		h.ties.of[review.Pair{Person: who, Patient: patient("u-0", 50+i)}] = review.Tie{Unknown: true}
	}
}

// rulesOf are the rules that found something.
func rulesOf(all []review.Finding) map[review.Name]int {
	n := map[review.Name]int{}
	for _, f := range all {
		n[f.Rule]++
	}
	return n
}

// TestAnySplitFindsTheSame: whatever part of the log each tick gets to see, and in however large
// steps it goes, the findings are the same to the last number, and so is what is recorded of them.
func TestAnySplitFindsTheSame(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			whole := newHouse(t)
			whole.relations()
			whole.wild(rand.New(rand.NewPCG(seed, 1)), 1500)
			whole.tick()
			want := findings(t, whole.r)
			require.Greater(t, len(rulesOf(want)), 8, "%v", rulesOf(want))

			split := newHouse(t, func(o *review.Options) { o.Batch = 3 + int(seed)*50 })
			split.relations()
			r := rand.New(rand.NewPCG(seed, 1))
			for i := 0; i < 1500; i += 100 {
				split.wild(r, 100)
				split.tick()
			}
			require.Equal(t, opened(whole.recorded(review.ActionOpened)), opened(split.recorded(review.ActionOpened)))
			// What each tick records takes places of the log: the findings' own differ by that.
			got := placeless(findings(t, split.r))
			for i, f := range placeless(want) {
				require.Equal(t, f, got[i])
			}
			require.Len(t, got, len(want))
		})
	}
}

// opened are events without what depends on where they stand.
func opened(events []audit.Event) (all []string) {
	for _, e := range events {
		all = append(all, e.Detail["rule"]+" "+e.Detail["about"]+" "+e.Detail["limit"])
	}
	slices.Sort(all)
	return all
}

func placeless(all []review.Finding) []review.Finding {
	for i := range all {
		all[i].ID, all[i].Index, all[i].Version = "", 0, 0
	}
	slices.SortFunc(all, func(a, b review.Finding) int {
		return cmp.Or(a.From.Compare(b.From), a.To.Compare(b.To), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Actor, b.Actor))
	})
	return all
}

// TestManyServersFindTheSame: however many look through the same log at once, each finding is
// there once, with the numbers that one alone comes to.
func TestManyServersFindTheSame(t *testing.T) {
	t.Parallel()
	alone := newHouse(t)
	alone.relations()
	alone.wild(rand.New(rand.NewPCG(7, 1)), 1000)
	alone.tick()
	want := findings(t, alone.r)

	h := newHouse(t)
	h.relations()
	h.wild(rand.New(rand.NewPCG(7, 1)), 1000)
	var group sync.WaitGroup
	for i := range 4 {
		o := &review.Options{Ties: h.ties, Batch: 20 + 7*i, Past: 3660 * 24 * time.Hour, Now: func() time.Time { return h.at }}
		r := h.reviewer(o)
		group.Go(func() {
			for range 200 {
				if r.Tick(t.Context()) == nil {
					return
				}
			}
		})
	}
	group.Wait()
	h.tick()
	require.Equal(t, versionless(want), versionless(findings(t, h.r)))
	require.Len(t, h.recorded(review.ActionOpened), len(want), "each is recorded once")
}

// versionless are findings without how many commits they were made in.
func versionless(all []review.Finding) []review.Finding {
	for i := range all {
		all[i].Version = 0
	}
	return all
}

// faulty fails the nth call of anything that a Reviewer calls.
type faulty struct {
	mode  string // "fails": it did not happen; "is cut off": it did, and says that it did not; "stalls": until the context ends
	at, n int
	end   func() // of the context, for a stall
}

var errFault = errors.New("words of a driver")

func (f *faulty) do(ctx context.Context, call func() error) error {
	f.n++
	if f.n != f.at {
		return call()
	}
	switch f.mode {
	case "is cut off":
		_ = call()
	case "stalls":
		f.end()
		<-ctx.Done()
		return ctx.Err()
	}
	return errFault
}

// broken is a store and a recorder through a faulty.
type broken struct {
	review.Store
	rec audit.Recorder
	*faulty
}

func (b *broken) Place(ctx context.Context, t audit.Tenant) (p review.Place, err error) {
	err = b.do(ctx, func() error { p, err = b.Store.Place(ctx, t); return err })
	return p, err
}

func (b *broken) Actors(ctx context.Context, t audit.Tenant, ids []audit.ActorID) (a []review.Actor, err error) {
	err = b.do(ctx, func() error { a, err = b.Store.Actors(ctx, t, ids); return err })
	return a, err
}

func (b *broken) Commit(ctx context.Context, c review.Commit) error {
	return b.do(ctx, func() error { return b.Store.Commit(ctx, c) })
}

func (b *broken) Finding(ctx context.Context, t audit.Tenant, id string) (f review.Finding, err error) {
	err = b.do(ctx, func() error { f, err = b.Store.Finding(ctx, t, id); return err })
	return f, err
}

func (b *broken) Update(ctx context.Context, f review.Finding) error {
	return b.do(ctx, func() error { return b.Store.Update(ctx, f) })
}

func (b *broken) Settings(ctx context.Context, t audit.Tenant) (s review.Settings, err error) {
	err = b.do(ctx, func() error { s, err = b.Store.Settings(ctx, t); return err })
	return s, err
}

func (b *broken) SaveSettings(ctx context.Context, t audit.Tenant, s review.Settings) error {
	return b.do(ctx, func() error { return b.Store.SaveSettings(ctx, t, s) })
}

func (b *broken) Record(ctx context.Context, events ...audit.Event) error {
	return b.do(ctx, func() error { return b.rec.Record(ctx, events...) })
}

// breaks returns a reviewer of the house whose nth call fails.
func (h *house) breaks(f *faulty, o review.Options) *review.Reviewer {
	b := &broken{h.store, h.log, f}
	r, err := review.New(h.events, b, b, sealer{}, &o)
	require.NoError(h.t, err)
	return r
}

// TestEveryCallOfATickMayFail: whatever fails, stalls or is cut off, and wherever a server dies,
// the next tick goes on, and what is found is what a tick without failures finds.
func TestEveryCallOfATickMayFail(t *testing.T) {
	t.Parallel()
	alone := newHouse(t)
	alone.relations()
	alone.wild(rand.New(rand.NewPCG(3, 1)), 250)
	alone.tick()
	want := versionless(findings(t, alone.r))
	require.NotEmpty(t, want)
	for _, mode := range []string{"fails", "stalls", "is cut off"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			for at := 1; ; at++ {
				h := newHouse(t)
				h.relations()
				h.wild(rand.New(rand.NewPCG(3, 1)), 250)
				ctx, cancel := context.WithCancel(t.Context())
				f := &faulty{mode: mode, at: at, end: cancel}
				o := review.Options{Ties: h.ties, Past: 3660 * 24 * time.Hour, Batch: 50, Now: func() time.Time { return h.at }}
				r := h.breaks(f, o)
				err := r.Tick(ctx)
				cancel()
				if f.n < at {
					require.Greater(t, at, 20)
					return
				}
				require.ErrorIs(t, err, review.ErrUnavailable)
				if mode != "stalls" { // whose caller has gone
					require.ErrorIs(t, r.Health(t.Context()), review.ErrUnavailable)
				}
				h.tick() // on another server
				require.Equal(t, want, versionless(findings(t, h.r)), "call %d", at)
				require.Len(t, h.recorded(review.ActionOpened), len(want), "call %d", at)
			}
		})
	}
}

// TestNothingIsFoundThatCannotBeRecorded.
func TestNothingIsFoundThatCannotBeRecorded(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.record(audit.Event{Action: audit.ActionExportCreated, Verb: audit.Execute, Actor: staff("ada")})
	r, err := review.New(h.events, h.store, deaf{}, sealer{}, &review.Options{Now: func() time.Time { return h.at }})
	require.NoError(t, err)
	require.ErrorIs(t, r.Tick(t.Context()), review.ErrUnavailable)
	require.Empty(t, findings(t, r))
	f := h.one(review.Export)
	e := h.recorded(review.ActionOpened)
	require.Len(t, e, 1)
	require.Equal(t, f.ID, e[0].ID)
	require.Equal(t, "ada", e[0].Detail["about"])
	require.Equal(t, audit.KindSystem, e[0].Actor.Kind)
}

type deaf struct{}

func (deaf) Record(context.Context, ...audit.Event) error { return errFault }
