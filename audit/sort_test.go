package audit_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
)

// anyEvent draws an event whose elements are often equal and sometimes missing.
func anyEvent(r *rand.Rand) audit.Event {
	pick := func(prefix string) string {
		return []string{"", prefix, prefix + "1", prefix + `\`, prefix + `"x`, prefix + "é", "A", "a,b", "[", "}"}[r.IntN(10)]
	}
	e := audit.Event{
		Action: audit.Action(fmt.Sprintf("act.%d", r.IntN(3))), Verb: []audit.Verb{"C", "R", "U", "D", "E"}[r.IntN(5)],
		Actor:  audit.Actor{ID: audit.ActorID("u" + pick("-")), Kind: audit.KindStaff, Tenant: staff.Tenant, Device: pick("Firefox")},
		Client: audit.Client{App: pick("web"), Location: pick("ward")},
		Detail: map[string]string{"k": pick("v")},
	}
	if r.IntN(3) == 0 {
		e.Outcome, e.Code = audit.Failure, "denied"
	}
	for range r.IntN(3) {
		e.Patients = append(e.Patients, audit.Patient("p"+pick("-")))
	}
	for range r.IntN(3) {
		o := audit.Object{Type: "t" + pick("-"), ID: pick("n"), Category: pick("notes")}
		if r.IntN(2) == 0 {
			o.Fields, o.Labels = []string{"cat", "id"}, []string{"t"}
		}
		e.Objects = append(e.Objects, o)
	}
	return e
}

// element is what a report is sorted by, found in the decoded event.
func element(k audit.SortKey, e *audit.Stored) []string {
	first := func(o func(audit.Object) string) string {
		if len(e.Objects) == 0 {
			return ""
		}
		return o(e.Objects[0])
	}
	switch k {
	case audit.ByTime:
		return []string{e.Recorded.Format(time.RFC3339Nano)}
	case audit.ByPatient:
		return []string{string(append(e.Patients, "")[0])}
	case audit.ByActor:
		return []string{string(e.Actor.ID)}
	case audit.ByAction:
		return []string{string(e.Action)}
	case audit.ByVerb:
		return []string{string(e.Verb)}
	case audit.ByResource:
		return []string{first(func(o audit.Object) string { return o.Type }), first(func(o audit.Object) string { return o.ID })}
	case audit.ByCategory:
		return []string{first(func(o audit.Object) string { return o.Category })}
	case audit.ByOutcome:
		return []string{fmt.Sprintf("%02d", e.Outcome)}
	case audit.ByClient:
		return []string{e.Client.App}
	case audit.ByDevice:
		return []string{e.Actor.Device}
	case audit.ByLocation:
		return []string{e.Client.Location}
	}
	return nil
}

// report is the sorted query as a slow reader would answer it.
func report(all []audit.Stored, s audit.Sort, keep func(*audit.Stored) bool) (out []string) {
	rows := slices.Clone(all)
	slices.SortFunc(rows, func(a, b audit.Stored) int {
		c := cmp.Or(slices.Compare(element(s.By, &a), element(s.By, &b)), cmp.Compare(a.Index, b.Index))
		if !s.Ascending {
			c = -c
		}
		return c
	})
	for i := range rows {
		if keep(&rows[i]) {
			out = append(out, rows[i].ID)
		}
	}
	return out
}

// TestSortedPages compares every key, both ways, with and without filters, page by page, with
// a slow reader, while events are recorded between the pages.
func TestSortedPages(t *testing.T) {
	t.Parallel()
	const seed = 7
	r := rand.New(rand.NewPCG(seed, seed))
	now := day(0)
	log := newLog(t, newStaged(), &audit.Options{Now: func() time.Time { now = now.Add(time.Duration(r.IntN(3)) * time.Second); return now }})
	for range 80 {
		require.NoError(t, log.Record(t.Context(), anyEvent(r)))
	}
	for _, by := range audit.SortKeys() {
		for _, up := range []bool{false, true} {
			for _, failures := range []bool{false, true} {
				s := audit.Sort{By: by, Ascending: up}
				q := audit.Query{Tenant: staff.Tenant, Sort: s, Limit: 20 + r.IntN(60)}
				if failures {
					q.Outcomes = []audit.Outcome{audit.Failure}
				}
				want := report(pages(t, log, audit.Query{Tenant: staff.Tenant}), s, func(e *audit.Stored) bool {
					return !failures || e.Outcome == audit.Failure
				})
				var got []string
				for {
					page, err := log.Query(t.Context(), q)
					require.NoError(t, err)
					for _, e := range page.Events {
						got = append(got, e.ID)
					}
					if q.Cursor = page.Next; q.Cursor == "" {
						break
					}
					require.Len(t, page.Events, q.Limit)
					require.NoError(t, log.Record(t.Context(), anyEvent(r)))
				}
				require.Equal(t, want, got, "%+v, failures only: %v, seed %d", s, failures, seed)
			}
		}
	}
}

// TestSortKeysCoverTheRule: 45 CFR 170.210(e) names what a report must be sortable by.
func TestSortKeysCoverTheRule(t *testing.T) {
	t.Parallel()
	for rule, key := range map[string]audit.SortKey{
		"date and time":         audit.ByTime,
		"patient":               audit.ByPatient,
		"user":                  audit.ByActor,
		"type of action":        audit.ByVerb,
		"action":                audit.ByAction,
		"data accessed":         audit.ByResource,
		"category of data":      audit.ByCategory,
		"success or failure":    audit.ByOutcome,
		"software":              audit.ByClient,
		"device":                audit.ByDevice,
		"location":              audit.ByLocation,
		"as recorded (default)": audit.ByOrder,
	} {
		require.Contains(t, audit.SortKeys(), key, rule)
	}
	log := newLog(t, audit.NewMemory(), nil)
	_, err := log.Query(t.Context(), audit.Query{Tenant: "t", Sort: audit.Sort{By: "id; DROP TABLE"}})
	require.ErrorIs(t, err, audit.ErrBadQuery)
	require.NotContains(t, err.Error(), "DROP")
}

func TestSortedCursorBinding(t *testing.T) {
	t.Parallel()
	now := day(18)
	log := history(t, audit.NewMemory(), &now, 30)
	base := audit.Query{Tenant: staff.Tenant, Limit: 2, Sort: audit.Sort{By: audit.ByPatient}}
	page, err := log.Query(t.Context(), base)
	require.NoError(t, err)
	base.Cursor = page.Next
	plain := audit.Query{Tenant: staff.Tenant, Limit: 2}
	page, err = log.Query(t.Context(), plain)
	require.NoError(t, err)
	plain.Cursor = page.Next
	for name, change := range map[string]func() audit.Query{
		"another key":        func() audit.Query { q := base; q.Sort.By = audit.ByActor; return q },
		"the other way":      func() audit.Query { q := base; q.Sort.Ascending = true; return q },
		"unsorted":           func() audit.Query { q := base; q.Sort = audit.Sort{}; return q },
		"sorted all at once": func() audit.Query { q := plain; q.Sort = base.Sort; return q },
		"another tenant":     func() audit.Query { q := base; q.Tenant = "clinic-18"; return q },
		"another filter":     func() audit.Query { q := base; q.Patient = "p-1"; return q },
	} {
		_, err := log.Query(t.Context(), change())
		require.ErrorIs(t, err, audit.ErrBadCursor, name)
		_, err = log.Count(t.Context(), change())
		require.ErrorIs(t, err, audit.ErrBadCursor, name)
	}
	for i := range base.Cursor {
		q := base
		other := byte('A')
		if q.Cursor[i] == 'A' {
			other = 'B'
		}
		q.Cursor = q.Cursor[:i] + string(other) + q.Cursor[i+1:]
		_, err := log.Query(t.Context(), q)
		require.ErrorIs(t, err, audit.ErrBadCursor)
	}
}

// mill is a store of n entries that exist only while they are listed.
type mill struct {
	audit.Store
	n     int64
	make  func(i int64) audit.Entry
	chunk func() // after each call of List
	most  int    // the largest limit asked for
}

func (m *mill) Sequence(context.Context, int) (int, error) { return 0, nil }

func (m *mill) List(_ context.Context, _ audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error] {
	m.most = max(m.most, limit)
	return func(yield func(audit.Entry, error) bool) {
		for i := min(below, m.n) - 1; i >= 0 && limit > 0; i-- {
			limit--
			if !yield(m.make(i), nil) {
				return
			}
		}
		if m.chunk != nil {
			m.chunk()
		}
	}
}

// milled returns a maker of entries whose reason has the given size.
func milled(t testing.TB, size int) func(i int64) audit.Entry {
	return func(i int64) audit.Entry {
		e := event(int(i), "a")
		e.Tenant, e.Recorded = staff.Tenant, day(1).Add(time.Duration(i%1000)*time.Second)
		for j := 0; j < size/500; j++ {
			e.Objects = append(e.Objects, audit.Object{Type: "note", ID: fmt.Sprintf("%0250d", j), Origin: fmt.Sprintf("%0200d", i)})
		}
		body, err := audit.Encode(e)
		require.NoError(t, err)
		return audit.Entry{
			Index: i, Tenant: e.Tenant, ID: e.ID, Recorded: e.Recorded, Actor: e.Actor.ID, Action: e.Action,
			Body: body, Leaf: audit.Leaf(body),
		}
	}
}

func TestSortedLimit(t *testing.T) {
	t.Parallel()
	one := milled(t, 0)(0)
	store := &mill{n: audit.MaxSorted, make: func(i int64) audit.Entry { e := one; e.Index = i; return e }}
	log := newLog(t, store, nil)
	q := audit.Query{Tenant: staff.Tenant, Sort: audit.Sort{By: audit.ByTime}, Limit: 2}
	page, err := log.Query(t.Context(), q)
	require.NoError(t, err)
	require.Equal(t, int64(audit.MaxSorted-1), page.Events[0].Index)
	require.LessOrEqual(t, store.most, 1000, "no store is asked for more than it can hold")

	q.Cursor = page.Next
	store.n++
	_, err = log.Query(t.Context(), q)
	require.NoError(t, err, "what came later does not count")
	q.Cursor = ""
	_, err = log.Query(t.Context(), q)
	require.ErrorIs(t, err, audit.ErrTooMany)
}

// TestSortedMemory sorts a quarter of a gigabyte in the memory of a page.
func TestSortedMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("reads much")
	}
	live := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	const n, size = 8000, 32 << 10
	one := milled(t, size)(0)
	store := &mill{n: n, make: func(i int64) audit.Entry { e := one; e.Index, e.Body = i, bytes.Clone(one.Body); return e }}
	log := newLog(t, store, nil)
	before, most, total := live(), uint64(0), 0
	store.chunk = func() { most = max(most, live()); total += 1000 * size }
	for _, by := range []audit.SortKey{audit.ByTime, audit.ByResource} {
		page, err := log.Query(t.Context(), audit.Query{Tenant: staff.Tenant, Limit: 50, Sort: audit.Sort{By: by, Ascending: true}})
		require.NoError(t, err)
		require.Len(t, page.Events, 50)
	}
	require.Greater(t, total, 256<<20)
	require.Less(t, most-min(most, before), uint64(16<<20))
}

// TestSortedDamage: one damaged event anywhere fails every page, because it might belong there.
func TestSortedDamage(t *testing.T) {
	t.Parallel()
	good := milled(t, 0)
	for name, harm := range map[string]func(e *audit.Entry){
		"body":      func(e *audit.Entry) { e.Body[60] ^= 1 },
		"leaf":      func(e *audit.Entry) { e.Leaf[0] ^= 1 },
		"no body":   func(e *audit.Entry) { e.Body = nil },
		"its place": func(e *audit.Entry) { e.Index += 100 },
	} {
		store := &mill{n: 50, make: func(i int64) audit.Entry {
			e := good(i)
			if i == 3 {
				harm(&e)
			}
			return e
		}}
		log := newLog(t, store, nil)
		for _, by := range audit.SortKeys() {
			_, err := log.Query(t.Context(), audit.Query{Tenant: staff.Tenant, Limit: 1, Sort: audit.Sort{By: by, Ascending: true}})
			require.ErrorIs(t, err, audit.ErrDamaged, "%s %s", name, by)
		}
	}
}

// TestPagesOfADisorderlyStore: a store that repeats itself or goes backwards is not believed.
func TestPagesOfADisorderlyStore(t *testing.T) {
	t.Parallel()
	good := milled(t, 0)
	for name, place := range map[string]func(i int64) int64{
		"repeats":   func(i int64) int64 { return i | 1 },
		"ascends":   func(i int64) int64 { return 50 - i },
		"no place":  func(i int64) int64 { return -1 },
		"too high":  func(i int64) int64 { return audit.Newest },
		"same ones": func(int64) int64 { return 7 },
	} {
		store := &mill{n: 50, make: func(i int64) audit.Entry { e := good(i); e.Index = place(i); return e }}
		log := newLog(t, store, nil)
		for _, s := range []audit.Sort{{}, {By: audit.ByTime}} {
			_, err := log.Query(t.Context(), audit.Query{Tenant: staff.Tenant, Sort: s})
			require.ErrorIs(t, err, audit.ErrDamaged, name)
		}
	}
}

// TestSortedPageLosesItsPlace: without the event that a page ended with there is no next page.
func TestSortedPageLosesItsPlace(t *testing.T) {
	t.Parallel()
	store := &mill{n: 50, make: milled(t, 0)}
	log := newLog(t, store, nil)
	q := audit.Query{Tenant: staff.Tenant, Limit: 10, Sort: audit.Sort{By: audit.ByTime}}
	page, err := log.Query(t.Context(), q)
	require.NoError(t, err)
	q.Cursor = page.Next
	store.n = 20
	_, err = log.Query(t.Context(), q)
	require.ErrorIs(t, err, audit.ErrBadCursor)
}

func TestCount(t *testing.T) {
	t.Parallel()
	now := day(18)
	store := newStaged()
	log := history(t, store, &now, 100)
	for _, test := range []struct {
		q    audit.Query
		want audit.Count
	}{
		{audit.Query{}, audit.Count{N: 101}},
		{audit.Query{Last: audit.Last24h}, audit.Count{N: 25}},
		{audit.Query{Patient: "p-1", Limit: 1, Sort: audit.Sort{By: audit.ByTime}}, audit.Count{N: 34}},
		{audit.Query{Patient: "nobody"}, audit.Count{}},
	} {
		test.q.Tenant = staff.Tenant
		n, err := log.Count(t.Context(), test.q)
		require.NoError(t, err)
		require.Equal(t, test.want, n)
	}
	require.NoError(t, log.Record(t.Context(), event(900, "fresh")))
	n, err := log.Count(t.Context(), audit.Query{Tenant: staff.Tenant, Actions: []audit.Action{"fresh"}})
	require.NoError(t, err)
	require.Equal(t, audit.Count{N: 1}, n, "what was just recorded counts")
	_, err = log.Count(t.Context(), audit.Query{})
	require.ErrorIs(t, err, audit.ErrBadQuery)
}

func TestCountStops(t *testing.T) {
	t.Parallel()
	asked := 0
	for have, want := range map[int]audit.Count{
		audit.MaxCount - 1: {N: audit.MaxCount - 1},
		audit.MaxCount:     {N: audit.MaxCount},
		audit.MaxCount + 1: {N: audit.MaxCount, More: true},
	} {
		log := newLog(t, counting{Memory: audit.NewMemory(), have: have, asked: &asked}, nil)
		n, err := log.Count(t.Context(), audit.Query{Tenant: "t"})
		require.NoError(t, err)
		require.Equal(t, want, n)
		require.Equal(t, audit.MaxCount+1, asked)
	}
}

type counting struct {
	*audit.Memory
	have  int
	asked *int
}

func (c counting) Count(_ context.Context, _ audit.Filter, limit int) (int, error) {
	*c.asked = limit
	return min(limit, c.have), nil
}

// FuzzSort: what sorting looks at is what the decoded event says, whatever its texts.
func FuzzSort(f *testing.F) {
	f.Add(`a"b`, `\`, "[{", "x")
	f.Add(``, `"}],`, `\"`, `,"cat":"y"`)
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		now := day(18)
		log := newLog(t, audit.NewMemory(), &audit.Options{Now: clock(&now)})
		for _, s := range [][4]string{{a, b, c, d}, {b, c, d, a}, {c, d, a, b}, {d, a, b, c}} {
			e := audit.Event{
				Action: "fuzz", Verb: audit.Read, Client: audit.Client{App: s[0], Location: s[1]},
				Actor:    audit.Actor{ID: audit.ActorID("u" + s[2]), Kind: audit.KindStaff, Tenant: staff.Tenant, Device: s[3]},
				Patients: []audit.Patient{audit.Patient("p" + s[0])},
				Objects:  []audit.Object{{Type: "t" + s[1], ID: s[2], Category: s[3], Fields: []string{"f" + s[0]}, Labels: []string{"l" + s[1]}}},
				Detail:   map[string]string{"cat": s[0], "app": s[1]},
			}
			if log.Record(t.Context(), e) != nil {
				return
			}
		}
		all := pages(t, log, audit.Query{Tenant: staff.Tenant})
		for _, by := range audit.SortKeys() {
			s := audit.Sort{By: by, Ascending: true}
			var got []string
			for _, e := range pages(t, log, audit.Query{Tenant: staff.Tenant, Sort: s, Limit: 2}) {
				got = append(got, e.ID)
			}
			require.Equal(t, report(all, s, func(*audit.Stored) bool { return true }), got, by)
		}
	})
}

func BenchmarkSorted(b *testing.B) {
	log := newLog(b, audit.NewMemory(), nil)
	for range 200 {
		events := make([]audit.Event, 500)
		for i := range events {
			events[i] = typical()
		}
		require.NoError(b, log.Record(b.Context(), events...))
	}
	for _, by := range []audit.SortKey{audit.ByTime, audit.ByResource} {
		b.Run(string(by), func(b *testing.B) {
			for b.Loop() {
				_, err := log.Query(b.Context(), audit.Query{Tenant: "clinic-17", Sort: audit.Sort{By: by}})
				require.NoError(b, err)
			}
		})
	}
}
