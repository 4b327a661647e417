package auditsql_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/internal/enginetest"
)

// entryOf is an entry as a Log makes it.
func entryOf(t testing.TB, e audit.Event) audit.Entry {
	t.Helper()
	body, err := audit.Encode(e)
	require.NoError(t, err)
	out := audit.Entry{
		Index: -1, Tenant: e.Tenant, ID: e.ID, Recorded: e.Recorded, Actor: e.Actor.ID, Action: e.Action, Outcome: e.Outcome,
		Patients: slices.Clone(e.Patients), Body: body, Leaf: audit.Leaf(body),
	}
	for _, o := range e.Objects {
		out.Objects = append(out.Objects, audit.Ref{Type: o.Type, ID: o.ID})
	}
	return out
}

// random returns an entry of few tenants, actors, patients and objects.
func random(t testing.TB, r *rand.Rand, n int) audit.Entry {
	e := event(audit.Action(fmt.Sprint("note.a", r.IntN(4))))
	e.Tenant = audit.Tenant(fmt.Sprint("clinic-", r.IntN(3)))
	e.Recorded = time.Unix(1_800_000_000+int64(n)-int64(r.IntN(2)*r.IntN(50)), 0).UTC()
	e.ID = audit.NewID(e.Recorded)
	e.Actor.ID, e.Actor.Tenant = audit.ActorID(fmt.Sprint("u-", r.IntN(9))), e.Tenant
	e.Patients, e.Objects = nil, nil
	for i := range r.IntN(4) {
		e.Patients = append(e.Patients, audit.Patient(fmt.Sprint("p-", i, "-", r.IntN(40))))
		e.Objects = append(e.Objects, audit.Object{Type: fmt.Sprint("t-", r.IntN(2)), ID: fmt.Sprint("o-", i, "-", r.IntN(60))})
	}
	return entryOf(t, e)
}

func randomFilter(r *rand.Rand) audit.Filter {
	f := audit.Filter{Tenant: audit.Tenant(fmt.Sprint("clinic-", r.IntN(4)))}
	for i := range r.IntN(3) {
		switch r.IntN(6) {
		case 0:
			f.Actors = append(f.Actors, audit.ActorID(fmt.Sprint("u-", r.IntN(10))), audit.ActorID(fmt.Sprint("u-", r.IntN(10))))
		case 1:
			f.Actions = append(f.Actions, audit.Action(fmt.Sprint("note.a", r.IntN(5))))
		case 2:
			f.Patient = audit.Patient(fmt.Sprint("p-", r.IntN(3), "-", r.IntN(40)))
		case 3:
			f.ObjectType = fmt.Sprint("t-", r.IntN(2))
		case 4:
			f.ObjectType, f.ObjectID = fmt.Sprint("t-", r.IntN(2)), fmt.Sprint("o-", i, "-", r.IntN(60))
		case 5:
			f.From = time.Unix(1_800_000_000+int64(r.IntN(3000)), 0)
			f.To = f.From.Add(time.Duration(r.IntN(1000)) * time.Second)
		}
	}
	return f
}

// model is what a store should hold, by tenant and in order.
type model map[audit.Tenant][]audit.Entry

func (m model) list(f *audit.Filter, below int64, limit int) (ids []string) {
	all := m[f.Tenant]
	for i := min(below, int64(len(all))) - 1; i >= 0 && len(ids) < limit; i-- {
		if f.Matches(&all[i]) {
			ids = append(ids, all[i].ID)
		}
	}
	return ids
}

func (m model) compare(t testing.TB, s *auditsql.Store, r *rand.Rand) {
	t.Helper()
	f := randomFilter(r)
	below, limit := audit.Newest, 1+r.IntN(60)
	if r.IntN(2) == 0 {
		below = int64(r.IntN(len(m[f.Tenant]) + 2))
	}
	var got []string
	for e, err := range s.List(t.Context(), f, below, limit) {
		require.NoError(t, err)
		require.Equal(t, m[f.Tenant][e.Index].ID, e.ID)
		got = append(got, e.ID)
	}
	require.Equal(t, m.list(&f, below, limit), got, "%+v below %d", f, below)
	n, err := s.Count(t.Context(), f, limit)
	require.NoError(t, err)
	require.Equal(t, len(m.list(&f, audit.Newest, limit)), n)
}

// TestRunsAgainstModel compares random lists with a plain search through everything, with runs
// so small that there are many of them on several levels, always in the middle of a merge.
func TestRunsAgainstModel(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		for _, shape := range [][3]int{{64, 2, 1}, {100, 3, 4}, {3800, 8, 6}} {
			s := over(t, open(t))
			s.Shape(shape[0], shape[1], shape[2])
			r := rand.New(rand.NewPCG(uint64(shape[0]), 1))
			m := model{}
			n := 0
			for range less(60) {
				batch := make([]audit.Entry, 1+r.IntN(30))
				for i := range batch {
					batch[i] = random(t, r, n)
					n++
					m[batch[i].Tenant] = append(m[batch[i].Tenant], batch[i])
				}
				require.NoError(t, s.Append(t.Context(), batch))
				if _, err := s.Sequence(t.Context(), 1+r.IntN(40)); err != nil {
					require.NoError(t, err)
				}
				for range r.IntN(3) {
					_, err := s.Tidy(t.Context())
					require.NoError(t, err)
				}
				if r.IntN(3) == 0 {
					continue // compared once everything is findable
				}
				drain(t, s)
				for range 4 {
					m.compare(t, s, r)
				}
			}
			drain(t, s)
			for range less(100) {
				m.compare(t, s, r)
			}
		}
	})
}

// less is a smaller number of rounds under -short.
func less(n int) int {
	if testing.Short() {
		return n / 6
	}
	return n
}

// inTurn leaves out under -short, which goes with the race detector, a test that does one thing
// after the other and takes long.
func inTurn(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED: -short: nothing happens at once in it")
	}
}

func drain(t testing.TB, s *auditsql.Store) {
	t.Helper()
	for {
		n, err := s.Sequence(t.Context(), 100)
		require.NoError(t, err)
		if n < 100 {
			return
		}
	}
}

// TestRunsWhileMerging reads while others append, sequence and merge, and cuts these off
// in the middle. What a search started with, it finds.
func TestRunsWhileMerging(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := open(t)
		s := over(t, e)
		s.Shape(100, 2, 1)
		r := rand.New(rand.NewPCG(1, 2))
		m := model{}
		for n := range 300 {
			entry := random(t, r, n)
			m[entry.Tenant] = append(m[entry.Tenant], entry)
			require.NoError(t, s.Append(t.Context(), []audit.Entry{entry}))
		}
		drain(t, s)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for g := range 2 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(3, uint64(g)))
				other := over(t, e)
				other.Shape(100, 2, 1)
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					default:
					}
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(r.IntN(8000))*time.Microsecond)
					entry := random(t, r, 10_000+n)
					entry.Tenant = "elsewhere"
					_ = other.Append(ctx, []audit.Entry{entry})
					_, _ = other.Sequence(ctx, 1+r.IntN(9))
					_, _ = other.Tidy(ctx)
					cancel()
				}
			})
		}
		for range less(300) {
			m.compare(t, s, r)
		}
		close(stop)
		wg.Wait()
		drain(t, s)
		for range less(100) {
			m.compare(t, s, r)
		}
	})
}

func TestBlocks(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	for _, size := range []int{1, 40, 3800} {
		var pairs []auditsql.Pair
		key, place := int64(-1<<63), int64(0)
		for range 3000 {
			if r.IntN(3) == 0 {
				key, place = key+1+r.Int64N(1<<52), r.Int64N(1<<60)
			}
			place += 1 + r.Int64N(1<<uint(r.IntN(40)))
			pairs = append(pairs, auditsql.MakePair(key, place))
		}
		var got []auditsql.Pair
		for _, data := range auditsql.Blocks(pairs, size) {
			require.LessOrEqual(t, len(data), max(size, 30))
			some, ok := auditsql.Pairs(data)
			require.True(t, ok)
			got = append(got, some...)
		}
		require.Equal(t, pairs, got)
	}
}

func FuzzBlock(f *testing.F) {
	f.Add([]byte{})
	f.Add(auditsql.Blocks([]auditsql.Pair{auditsql.MakePair(1, 2), auditsql.MakePair(1, 3), auditsql.MakePair(7, 1)}, 100)[0])
	f.Fuzz(func(t *testing.T, data []byte) {
		pairs, ok := auditsql.Pairs(data)
		if !ok {
			return
		}
		var again []auditsql.Pair
		for _, b := range auditsql.Blocks(pairs, 3800) {
			some, ok := auditsql.Pairs(b)
			require.True(t, ok)
			again = append(again, some...)
		}
		require.Equal(t, pairs, again)
	})
}

// TestFewRuns: however entries come, one by one or many, there are few runs, and nothing that
// was merged is left for long.
func TestFewRuns(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		e := open(t)
		s := over(t, e)
		r := rand.New(rand.NewPCG(11, 1))
		for n := range 400 {
			require.NoError(t, s.Append(t.Context(), []audit.Entry{random(t, r, n)}))
			_, err := s.Sequence(t.Context(), 10)
			require.NoError(t, err)
			if n%50 != 0 {
				continue
			}
			var runs, dead int
			require.NoError(t, s.Kit().Get(t.Context(), []any{&runs, &dead}, `SELECT COUNT(*), COALESCE(SUM(CASE WHEN state = 2 THEN 1 ELSE 0 END), 0) FROM audit_run`))
			require.LessOrEqual(t, runs, 5*8)
			require.LessOrEqual(t, dead, 2*8)
		}
	})
}
