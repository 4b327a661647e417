package audit_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
)

// history records one event an hour for the last days, oldest first.
func history(t testing.TB, store audit.Store, now *time.Time, hours int) *audit.Log {
	t.Helper()
	end := *now
	log := newLog(t, store, &audit.Options{Now: clock(now)})
	for h := hours; h >= 0; h-- {
		*now = end.Add(-time.Duration(h) * time.Hour)
		e := event(h, "patient.read")
		e.Patients = []audit.Patient{audit.Patient(fmt.Sprintf("p-%d", h%3))}
		e.Objects = []audit.Object{{Type: "note", ID: fmt.Sprintf("n-%d", h%5)}}
		if h%4 == 0 {
			e.Outcome, e.Code = audit.Failure, "denied"
		}
		if h%2 == 0 {
			e.Actor.ID = "u-2"
		}
		require.NoError(t, log.Record(t.Context(), e))
	}
	return log
}

func TestQueryPeriods(t *testing.T) {
	t.Parallel()
	now := day(18)
	log := history(t, audit.NewMemory(), &now, 100*24)
	for _, test := range []struct {
		q    audit.Query
		want int
	}{
		{audit.Query{}, 2401},
		{audit.Query{Last: audit.Last24h}, 25}, // both ends
		{audit.Query{Last: audit.Last7d}, 169},
		{audit.Query{Last: audit.Last30d}, 721},
		{audit.Query{Last: audit.Last90d}, 2161},
		{audit.Query{Last: time.Hour - time.Nanosecond}, 1},
		{audit.Query{Period: audit.Period{Start: day(9), End: day(12)}}, 3}, // [start, end)
		{audit.Query{Period: audit.Period{Start: day(9).Add(1), End: day(12).Add(1)}}, 3},
		{audit.Query{Period: audit.Period{Start: day(17)}}, 2},
		{audit.Query{Period: audit.Period{End: day(18)}}, 2400},
		{audit.Query{Last: audit.Last24h, Patient: "p-1"}, 8},
		{audit.Query{Last: audit.Last24h, Actors: []audit.ActorID{"u-2"}}, 13},
		{audit.Query{Last: audit.Last24h, Actors: []audit.ActorID{"u-2", "u-9"}}, 25},
		{audit.Query{Last: audit.Last24h, Outcomes: []audit.Outcome{audit.Failure}}, 7},
		{audit.Query{Last: audit.Last24h, Actions: []audit.Action{"patient.write"}}, 0},
		{audit.Query{Last: audit.Last24h, ResourceType: "note"}, 25},
		{audit.Query{Last: audit.Last24h, ResourceType: "note", ResourceID: "n-0"}, 5},
		{audit.Query{Last: audit.Last24h, ResourceType: "note", ResourceID: "n-0", Patient: "p-0"}, 2},
	} {
		test.q.Tenant, test.q.Limit = staff.Tenant, 7
		events := pages(t, log, test.q)
		require.Len(t, events, test.want, "%+v", test.q)
		for i := 1; i < len(events); i++ {
			require.True(t, events[i].Recorded.Before(events[i-1].Recorded), "newest first, each once")
		}
	}
	require.Empty(t, pages(t, log, audit.Query{Tenant: "clinic-18"}))
}

// pages reads all pages of q.
func pages(t testing.TB, log *audit.Log, q audit.Query) []audit.Stored {
	t.Helper()
	var all []audit.Stored
	for {
		page, err := log.Query(t.Context(), q)
		require.NoError(t, err)
		limit := q.Limit
		if limit == 0 {
			limit = audit.DefaultLimit
		}
		require.LessOrEqual(t, len(page.Events), limit)
		all = append(all, page.Events...)
		if q.Cursor = page.Next; q.Cursor == "" {
			return all
		}
		require.Len(t, page.Events, limit, "only the last page may be short")
	}
}

func TestQueryRefuses(t *testing.T) {
	t.Parallel()
	log := newLog(t, audit.NewMemory(), nil)
	many := make([]audit.ActorID, audit.MaxValues+1)
	for name, q := range map[string]audit.Query{
		"no tenant":     {},
		"negative":      {Tenant: "t", Last: -1},
		"two periods":   {Tenant: "t", Last: 1, Period: audit.Period{Start: day(1)}},
		"backwards":     {Tenant: "t", Period: audit.Period{Start: day(2), End: day(1)}},
		"id alone":      {Tenant: "t", ResourceID: "n-1"},
		"limit":         {Tenant: "t", Limit: audit.MaxLimit + 1},
		"below zero":    {Tenant: "t", Limit: -1},
		"many":          {Tenant: "t", Actors: many},
		"NUL":           {Tenant: "t", Patient: "p\x00"},
		"not UTF-8":     {Tenant: "t\xff"},
		"NUL in actor":  {Tenant: "t", Actors: []audit.ActorID{"\x00"}},
		"NUL in action": {Tenant: "t", Actions: []audit.Action{"\x00"}},
	} {
		_, err := log.Query(t.Context(), q)
		require.ErrorIs(t, err, audit.ErrBadQuery, name)
	}
}

func TestQueryPagesAreStable(t *testing.T) {
	t.Parallel()
	now := day(18)
	log := history(t, audit.NewMemory(), &now, 30)
	q := audit.Query{Tenant: staff.Tenant, Last: audit.Last24h, Limit: 10}
	first, err := log.Query(t.Context(), q)
	require.NoError(t, err)
	for i := range 5 { // meanwhile
		now = day(19).Add(time.Duration(i) * time.Minute)
		require.NoError(t, log.Record(t.Context(), event(1000+i, "patient.read")))
	}
	now = day(23)
	q.Cursor = first.Next
	rest := pages(t, log, q)
	all := append(first.Events, rest...)
	require.Len(t, all, 25, "the window is the first page's")
	for i, e := range all {
		require.Equal(t, day(18).Add(-time.Duration(i)*time.Hour), e.Recorded)
	}
}

func TestCursorBinding(t *testing.T) {
	t.Parallel()
	now := day(18)
	store := audit.NewMemory()
	log := history(t, store, &now, 30)
	base := audit.Query{
		Tenant: staff.Tenant, Last: audit.Last24h, Limit: 2,
		Actors: []audit.ActorID{"u-2", "u-9"}, Actions: []audit.Action{"patient.read", "patient.write"},
		Outcomes: []audit.Outcome{audit.Success, audit.Failure},
	}
	page, err := log.Query(t.Context(), base)
	require.NoError(t, err)
	base.Cursor = page.Next
	_, err = log.Query(t.Context(), base)
	require.NoError(t, err)

	for name, change := range map[string]func(q *audit.Query){
		"tenant":          func(q *audit.Query) { q.Tenant = "clinic-18" },
		"last":            func(q *audit.Query) { q.Last = audit.Last7d },
		"no last":         func(q *audit.Query) { q.Last = 0 },
		"period":          func(q *audit.Query) { q.Last, q.Period.Start = 0, day(1) },
		"period's end":    func(q *audit.Query) { q.Last, q.Period.End = 0, day(1) },
		"actors":          func(q *audit.Query) { q.Actors = q.Actors[:1] },
		"no actors":       func(q *audit.Query) { q.Actors = nil },
		"actions":         func(q *audit.Query) { q.Actions = q.Actions[:1] },
		"actor as action": func(q *audit.Query) { q.Actors, q.Actions = q.Actors[:1], append(q.Actions, "u-9") },
		"outcomes":        func(q *audit.Query) { q.Outcomes = q.Outcomes[:1] },
		"patient":         func(q *audit.Query) { q.Patient = "p-1" },
		"type":            func(q *audit.Query) { q.ResourceType = "note" },
		"id":              func(q *audit.Query) { q.ResourceType, q.ResourceID = "note", "n-1" },
	} {
		q := base
		change(&q)
		_, err := log.Query(t.Context(), q)
		require.ErrorIs(t, err, audit.ErrBadCursor, name)
	}
	same := base
	same.Limit = 50
	same.Actors = []audit.ActorID{"u-9", "u-2"}
	_, err = log.Query(t.Context(), same)
	require.NoError(t, err, "the size of a page and the order of alternatives are no filter")

	for i := range base.Cursor { // forged
		q := base
		other := byte('A')
		if q.Cursor[i] == 'A' {
			other = 'B'
		}
		q.Cursor = q.Cursor[:i] + string(other) + q.Cursor[i+1:]
		_, err := log.Query(t.Context(), q)
		require.ErrorIs(t, err, audit.ErrBadCursor)
	}
	for _, cursor := range []string{"x", "=", base.Cursor + "A", base.Cursor[1:], base.Cursor + "=", "\n" + base.Cursor, strings.Repeat("\n", len(base.Cursor)), "\n\n\n\n" + base.Cursor[4:]} {
		q := base
		q.Cursor = cursor
		_, err := log.Query(t.Context(), q)
		require.ErrorIs(t, err, audit.ErrBadCursor)
	}

	foreign := newLog(t, store, &audit.Options{Now: clock(&now)})
	_, err = foreign.Query(t.Context(), base)
	require.ErrorIs(t, err, audit.ErrBadCursor, "another process's key")
	key := make([]byte, 32)
	one := newLog(t, store, &audit.Options{CursorKey: key, Now: clock(&now)})
	two := newLog(t, store, &audit.Options{CursorKey: key, Now: clock(&now)})
	base.Cursor = ""
	page, err = one.Query(t.Context(), base)
	require.NoError(t, err)
	base.Cursor = page.Next
	_, err = two.Query(t.Context(), base)
	require.NoError(t, err, "servers that share the key share the pages")
}

func FuzzCursor(f *testing.F) {
	now := day(18)
	log := newLog(f, audit.NewMemory(), &audit.Options{Now: clock(&now), CursorKey: make([]byte, 32)})
	require.NoError(f, log.Record(f.Context(), event(1, "a"), event(2, "a")))
	q := audit.Query{Tenant: staff.Tenant, Limit: 1}
	page, err := log.Query(f.Context(), q)
	require.NoError(f, err)
	valid := page.Next
	f.Add(valid)
	f.Add("")
	f.Add(valid[:40])
	f.Fuzz(func(t *testing.T, cursor string) {
		q := q
		q.Cursor = cursor
		_, err := log.Query(t.Context(), q)
		if cursor == "" || cursor == valid {
			require.NoError(t, err)
			return
		}
		require.ErrorIs(t, err, audit.ErrBadCursor)
	})
}

// failing is a store whose reads fail.
type failing struct {
	*audit.Memory
	err error
}

func (s failing) Get(context.Context, audit.Tenant, string) (audit.Entry, error) {
	return audit.Entry{}, s.err
}

func (s failing) List(ctx context.Context, f audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		for e := range s.Memory.List(ctx, f, below, limit) {
			if !yield(e, nil) {
				return
			}
		}
		yield(audit.Entry{}, s.err)
	}
}

func TestQueryStoreFails(t *testing.T) {
	t.Parallel()
	down := errors.New(`SELECT … WHERE patient = 'Smith': connection reset`)
	store := failing{audit.NewMemory(), down}
	log := newLog(t, store, nil)
	require.NoError(t, log.Record(t.Context(), event(1, "a")))
	_, err := log.Query(t.Context(), audit.Query{Tenant: staff.Tenant})
	require.ErrorIs(t, err, audit.ErrUnavailable, "a part is not the whole")
	require.ErrorIs(t, err, down)
	require.NotContains(t, err.Error(), "Smith")
	_, err = log.Open(t.Context(), staff.Tenant, event(1, "a").ID)
	require.ErrorIs(t, err, audit.ErrUnavailable)
	require.NotContains(t, err.Error(), "Smith")
	require.False(t, log.Health(t.Context()).OK)
}
