package audit_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
)

// TestPurgedEvents reads a log of which some events were purged, by every way there is.
func TestPurgedEvents(t *testing.T) {
	t.Parallel()
	store := audit.NewMemory()
	l := newLog(t, store, nil)
	ctx := audit.WithActor(t.Context(), staff)
	var list []audit.Event
	for i := range 10 {
		list = append(list, sent(i))
	}
	require.NoError(t, l.Record(ctx, list...))
	first, err := l.Query(ctx, audit.Query{Tenant: staff.Tenant, Limit: 3, Sort: audit.Sort{By: audit.ByTime}})
	require.NoError(t, err)
	require.NoError(t, store.Purge(ctx, staff.Tenant, []audit.Span{{From: 2, To: 4}, {From: 6, To: 10}}))

	_, err = l.Open(ctx, staff.Tenant, list[2].ID)
	require.ErrorIs(t, err, audit.ErrPurged)
	require.ErrorIs(t, err, audit.ErrNotFound)
	require.ErrorIs(t, l.Record(ctx, list[2]), audit.ErrConflict, "nobody can tell whether it says the same")
	require.NoError(t, l.Record(ctx, list[4]))
	require.NoError(t, l.Erase(ctx, staff.Tenant, audit.NewPrivate("asked to"), list[2].ID))
	_, err = l.Query(ctx, audit.Query{Tenant: staff.Tenant, Limit: 3, Sort: audit.Sort{By: audit.ByTime}, Cursor: first.Next})
	require.ErrorIs(t, err, audit.ErrBadCursor, "the event that the page ended with is gone")

	for _, sort := range []audit.Sort{{}, {By: audit.ByActor}} {
		page, err := l.Query(ctx, audit.Query{Tenant: staff.Tenant, Actions: []audit.Action{list[0].Action}, Sort: sort})
		require.NoError(t, err)
		var got []int64
		for _, e := range page.Events {
			got = append(got, e.Index)
		}
		require.Equal(t, []int64{5, 4, 1, 0}, got)
	}
	n, err := l.Count(ctx, audit.Query{Tenant: staff.Tenant, Patient: list[0].Patients[0]})
	require.NoError(t, err)
	require.Equal(t, 4, n.N)

	who := audit.Subject{Tenant: staff.Tenant, Patient: list[0].Patients[0]}
	report, err := l.Disclosures(ctx, who, nil)
	require.NoError(t, err)
	require.Equal(t, 4, report.Disclosures[0].Count)
	// Purged while the report is made.
	report, err = l.Disclosures(ctx, who, func(ctx context.Context, e audit.Event) (bool, error) {
		return false, store.Purge(ctx, staff.Tenant, []audit.Span{{From: 0, To: 4}})
	})
	require.NoError(t, err)
	require.Equal(t, 2, report.Disclosures[0].Count)
	views, err := l.Viewers(ctx, who)
	require.NoError(t, err)
	require.Len(t, views.Viewers, 1)
	require.Equal(t, 2, views.Viewers[0].Times)
}

// TestMissingBody is about an entry whose body is gone although the store does not call it purged.
func TestMissingBody(t *testing.T) {
	t.Parallel()
	store := audit.NewMemory()
	l := newLog(t, &bodiless{store}, nil)
	ctx := audit.WithActor(t.Context(), staff)
	e := sent(1)
	require.NoError(t, l.Record(ctx, e))
	_, err := l.Open(ctx, staff.Tenant, e.ID)
	require.ErrorIs(t, err, audit.ErrDamaged)
	require.NotErrorIs(t, err, audit.ErrNotFound)
}

// sent discloses something about p-1.
func sent(id int) audit.Event {
	e := event(id, "record.disclose")
	e.Patients = []audit.Patient{"p-1"}
	e.Disclosure = &audit.Disclosure{Recipient: audit.NewPrivate("Health Department"), Description: "a test result", Authority: "164.512(b)"}
	return e
}

// bodiless loses bodies.
type bodiless struct{ audit.Store }

func (s *bodiless) Get(ctx context.Context, t audit.Tenant, id string) (audit.Entry, error) {
	e, err := s.Store.Get(ctx, t, id)
	e.Body = nil
	return e, err
}

// TestMemoryPurged compares spans that are purged in any order with a list of places.
func TestMemoryPurged(t *testing.T) {
	t.Parallel()
	for seed := range 200 {
		store := audit.NewMemory()
		require.NoError(t, store.Append(t.Context(), plain(t, 40)))
		var gone [42]bool
		for k := range 12 {
			from := (seed*7 + k*k*13 + k*seed) % 40
			to := min(40, from+1+(seed+k)%5)
			require.NoError(t, store.Purge(t.Context(), staff.Tenant, []audit.Span{{From: int64(from), To: int64(to)}}))
			for i := from; i < to; i++ {
				gone[i] = true
			}
		}
		from, to := seed%20, 20+seed%22
		var want []audit.Span
		for i := from; i < to; i++ {
			switch {
			case !gone[i]:
			case len(want) > 0 && want[len(want)-1].To == int64(i):
				want[len(want)-1].To++
			default:
				want = append(want, audit.Span{From: int64(i), To: int64(i + 1)})
			}
		}
		got, err := store.Purged(t.Context(), staff.Tenant, int64(from), int64(to))
		require.NoError(t, err)
		require.Equal(t, want, got)
		for e, err := range store.List(t.Context(), audit.Filter{Tenant: staff.Tenant}, audit.Newest, 100) {
			require.NoError(t, err)
			require.False(t, gone[e.Index])
		}
	}
}

func plain(t *testing.T, n int) []audit.Entry {
	t.Helper()
	list := make([]audit.Entry, n)
	for i := range list {
		e := event(i, "note.read")
		e.Recorded, e.Tenant = day(1), staff.Tenant
		body, err := audit.Encode(e)
		require.NoError(t, err)
		list[i] = audit.Entry{Tenant: e.Tenant, ID: e.ID, Recorded: e.Recorded, Actor: e.Actor.ID, Action: e.Action, Body: body, Leaf: audit.Leaf(body)}
	}
	return list
}
