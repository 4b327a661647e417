package purge_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/purge"
)

func TestHoldsKeepWhatTheyCover(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hold purge.Hold
		goes int64
	}{
		"everything":                     {purge.Hold{All: true}, 0},
		"a patient":                      {purge.Hold{Patient: "m-3"}, 24},
		"an actor":                       {purge.Hold{Actor: "u-0"}, 20},
		"a type":                         {purge.Hold{ObjectType: "note"}, 0},
		"an object":                      {purge.Hold{ObjectType: "note", ObjectID: "n-7"}, 29},
		"somebody else":                  {purge.Hold{Patient: "m-9"}, 30},
		"another type":                   {purge.Hold{ObjectType: "n-7"}, 30},
		"nearly a type":                  {purge.Hold{ObjectType: "note", ObjectID: "n-70"}, 30},
		"a patient's name as an actor's": {purge.Hold{Actor: "m-3"}, 30},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := old(t, 30)
			h.place(t, c.hold)
			seen, err := h.keeper.Preview(bg, clinic)
			require.NoError(t, err)
			require.Equal(t, c.goes, seen.Count)
			require.Equal(t, 30-c.goes, seen.Held)
			if c.goes == 0 {
				_, err := h.keeper.Propose(as(bg, "p-ada"), clinic, "")
				require.ErrorIs(t, err, purge.ErrNothing)
				return
			}
			h.purge(t)
			require.EqualValues(t, 30-c.goes+3, h.reads(t))
		})
	}
}

func TestActsOnBehalfOfSomebodyAreTheirs(t *testing.T) {
	t.Parallel()
	h := purge.Hold{Actor: "p-lin"}
	require.True(t, h.Covers(&audit.Event{Actor: audit.Actor{ID: "s-bot", OnBehalfOf: "p-lin"}}))
	require.True(t, h.Covers(&audit.Event{Actor: audit.Actor{ID: "p-lin"}}))
	require.False(t, h.Covers(&audit.Event{Actor: audit.Actor{ID: "p-ada"}}))
	require.True(t, (&purge.Hold{}).Covers(&audit.Event{}), "a hold that a store damaged holds everything")
}

func TestHoldsThatSayNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, hold := range []purge.Hold{
		{},
		{All: true, Patient: "m-1"},
		{Patient: "m-1", Actor: "u-1"},
		{ObjectID: "n-1"},
		{Patient: "m\n1"},
		{ObjectType: string(make([]byte, 200))},
		{All: true, ObjectID: "n-1"},
	} {
		hold.Tenant, hold.Matter = clinic, "2026-014"
		_, err := h.keeper.Place(as(bg, "p-ada"), hold, "")
		require.ErrorIs(t, err, purge.ErrHold, "%+v", hold)
	}
	for _, matter := range []string{"", "a\nb", string(make([]byte, 65))} {
		_, err := h.keeper.Place(as(bg, "p-ada"), purge.Hold{Tenant: clinic, All: true, Matter: matter}, "")
		require.ErrorIs(t, err, purge.ErrHold)
	}
	require.Empty(t, h.actions(t))
}

// A release takes somebody else, and counts after a month.
func TestReleasing(t *testing.T) {
	t.Parallel()
	h := old(t, 30)
	hold := h.place(t, purge.Hold{All: true})
	_, err := h.keeper.Release(as(bg, "p-ada"), clinic, hold.ID, "")
	require.ErrorIs(t, err, purge.ErrSamePerson)
	_, err = h.keeper.Release(as(bg, "p-lin"), clinic, "h-nobody", "")
	require.ErrorIs(t, err, purge.ErrNotFound)
	_, err = h.keeper.Release(as(bg, "p-lin"), other, hold.ID, "")
	require.ErrorIs(t, err, purge.ErrPerson)
	released, err := h.keeper.Release(as(bg, "p-lin"), clinic, hold.ID, "settled")
	require.NoError(t, err)
	require.EqualValues(t, "p-lin", released.ReleasedBy)
	_, err = h.keeper.Release(as(bg, "p-lin"), clinic, hold.ID, "again")
	require.ErrorIs(t, err, purge.ErrConflict)

	_, err = h.keeper.Propose(as(bg, "p-ada"), clinic, "")
	require.ErrorIs(t, err, purge.ErrNothing)
	h.clock.pass(29 * day)
	_, err = h.keeper.Propose(as(bg, "p-ada"), clinic, "")
	require.ErrorIs(t, err, purge.ErrNothing)
	h.clock.pass(2 * day)
	require.EqualValues(t, 30, h.purge(t).Count)
	all, err := h.keeper.Holds(bg, clinic)
	require.NoError(t, err)
	require.Len(t, all, 1, "a released hold is kept")
	require.Equal(t, 1, h.actions(t)[audit.ActionHoldPlaced])
	require.Equal(t, 1, h.actions(t)[audit.ActionHoldReleased])
}

func TestAJobMayPlaceAHoldAndNotReleaseOne(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	job := audit.WithActor(bg, audit.System(clinic, "incidents"))
	hold := purge.Hold{Tenant: clinic, ID: "incident:1", All: true, Matter: "incident"}
	placed, err := h.keeper.Place(job, hold, "")
	require.NoError(t, err)
	require.Equal(t, "incident:1", placed.ID)
	_, err = h.keeper.Place(job, hold, "")
	require.ErrorIs(t, err, purge.ErrConflict)
	_, err = h.keeper.Release(job, clinic, placed.ID, "")
	require.ErrorIs(t, err, purge.ErrPerson)
	_, err = h.keeper.Place(audit.WithActor(bg, audit.System(other, "incidents")), purge.Hold{Tenant: clinic, All: true, Matter: "m"}, "")
	require.ErrorIs(t, err, purge.ErrPerson)
}

// A hold that comes after the approval stops the plan; one that comes while bodies go saves the rest.
func TestHoldsThatComeLate(t *testing.T) {
	t.Parallel()
	t.Run("before the approval", func(t *testing.T) {
		t.Parallel()
		h := old(t, 30)
		p := h.propose(t)
		h.place(t, purge.Hold{Patient: "m-3"})
		_, err := h.keeper.Approve(as(bg, "p-diaz"), clinic, p.ID, "")
		require.ErrorIs(t, err, purge.ErrStopped)
		require.Equal(t, 33, h.reads(t))
		p, err = h.keeper.Plan(bg, clinic, p.ID)
		require.NoError(t, err)
		require.Equal(t, purge.Stopped, p.State)
		require.EqualValues(t, 24, h.purge(t).Count, "another plan goes without them")
	})
	t.Run("after the approval", func(t *testing.T) {
		t.Parallel()
		h := old(t, 30)
		p := h.propose(t)
		_, err := h.keeper.Approve(as(bg, "p-diaz"), clinic, p.ID, "")
		require.NoError(t, err)
		h.place(t, purge.Hold{Patient: "m-3"})
		_, err = h.keeper.Resume(bg, clinic, p.ID)
		require.ErrorIs(t, err, purge.ErrStopped)
		require.Equal(t, 33, h.reads(t))
		require.Zero(t, h.actions(t)[audit.ActionPurgeExecuted])
	})
	t.Run("while bodies go", func(t *testing.T) {
		t.Parallel()
		h := old(t, 1500)
		p := h.propose(t)
		_, err := h.keeper.Approve(as(bg, "p-diaz"), clinic, p.ID, "")
		require.NoError(t, err)
		h.src = &slowPurger{h.events, func() { h.place(t, purge.Hold{Patient: "m-3"}) }}
		require.NoError(t, h.keep())
		p, err = h.keeper.Resume(bg, clinic, p.ID)
		require.NoError(t, err)
		require.EqualValues(t, 200, p.Kept, "all of the patient's but those of the first part")
		require.Len(t, h.left(t, audit.Filter{Patient: "m-3", Actions: []audit.Action{"patient.read"}}), 200)
		require.Equal(t, 203, h.reads(t))
	})
	t.Run("a longer period while bodies go", func(t *testing.T) {
		t.Parallel()
		h := old(t, 1500)
		p := h.propose(t)
		_, err := h.keeper.Approve(as(bg, "p-diaz"), clinic, p.ID, "")
		require.NoError(t, err)
		h.src = &slowPurger{h.events, func() {
			_, err := h.keeper.Change(as(bg, "p-ada"), clinic, 240, 0, "")
			require.NoError(t, err)
		}}
		require.NoError(t, h.keep())
		p, err = h.keeper.Resume(bg, clinic, p.ID)
		require.NoError(t, err)
		require.EqualValues(t, 1000, p.Kept)
	})
}

// slowPurger does something after the first part was destroyed.
type slowPurger struct {
	purge.Source
	then func()
}

func (s *slowPurger) Purge(ctx context.Context, t audit.Tenant, spans []audit.Span) error {
	err := s.Source.Purge(ctx, t, spans)
	if then := s.then; then != nil {
		s.then = nil
		then()
	}
	return err
}

func TestInForce(t *testing.T) {
	t.Parallel()
	h := purge.Hold{Placed: noon}
	require.True(t, h.InForce(noon.AddDate(50, 0, 0)))
	h.Released, h.Ends = noon, noon.Add(time.Hour)
	require.True(t, h.InForce(noon.Add(59*time.Minute)))
	require.False(t, h.InForce(noon.Add(time.Hour)))
}
