package purge_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/purge"
)

const day = 24 * time.Hour

func TestSevenYearsWhereNothingIsSet(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s, err := h.keeper.Settings(bg, clinic)
	require.NoError(t, err)
	require.Equal(t, 84, s.Effective(noon))
	require.Equal(t, 72, audit.Floor)
}

func TestTheFloorIsUnderWhatIsSet(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, months := range []int{71, 12, 1, 0, -84} {
		_, err := h.keeper.Change(as(bg, "p-ada"), clinic, months, 0, "to save space")
		require.ErrorIs(t, err, purge.ErrFloor)
		require.ErrorIs(t, err, purge.ErrSettings)
	}
	_, err := h.keeper.Change(as(bg, "p-ada"), clinic, 1201, 0, "for ever")
	require.ErrorIs(t, err, purge.ErrSettings)
	require.NotErrorIs(t, err, purge.ErrFloor)
	require.Empty(t, h.actions(t))
	_, err = h.keeper.Change(as(bg, "p-ada"), clinic, 72, 0, "the law's")
	require.NoError(t, err)
}

// A store that answers less than six years is not believed.
func TestTheFloorIsUnderWhatIsStored(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.clock.set(noon.AddDate(0, -71, 0))
	h.add(t, clinic, 5)
	h.cover(t)
	h.clock.set(noon)
	h.cover(t)
	for i, months := range []int{71, 1, 0, -1000} {
		require.NoError(t, h.rows.PutSettings(bg, purge.Settings{Tenant: clinic, Version: int64(i), Months: months, Changed: long, By: "p-eve"}))
		p, err := h.keeper.Preview(bg, clinic)
		require.NoError(t, err)
		require.Equal(t, 72, p.Months)
		require.Zero(t, p.Count)
		_, err = h.keeper.Propose(as(bg, "p-ada"), clinic, "")
		require.ErrorIs(t, err, purge.ErrNothing)
	}
}

func TestLongerCountsAtOnceShorterLater(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.clock.set(noon)
	effective := func() int {
		s, err := h.keeper.Settings(bg, clinic)
		require.NoError(t, err)
		return s.Effective(h.clock.now())
	}
	change := func(months int, version int64) {
		_, err := h.keeper.Change(as(bg, "p-ada"), clinic, months, version, "reason")
		require.NoError(t, err)
	}
	change(120, 0)
	require.Equal(t, 120, effective())
	change(72, 1)
	require.Equal(t, 120, effective(), "shorter waits")
	h.clock.pass(29 * day)
	require.Equal(t, 120, effective())
	change(73, 2)
	h.clock.pass(29 * day)
	require.Equal(t, 120, effective(), "a change while it waits waits anew")
	h.clock.pass(2 * day)
	require.Equal(t, 73, effective())
	change(84, 3)
	require.Equal(t, 84, effective())
	require.Equal(t, 4, h.actions(t)[audit.ActionRetentionChanged])
}

// Lower it, purge, raise it again: the purge finds the period that was.
func TestNobodyLowersThePeriodForAMoment(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.clock.set(noon.AddDate(0, -80, 0))
	h.add(t, clinic, 5)
	h.cover(t)
	h.clock.set(noon)
	h.cover(t)
	s, err := h.keeper.Change(as(bg, "p-eve"), clinic, 72, 0, "for a moment")
	require.NoError(t, err)
	_, err = h.keeper.Propose(as(bg, "p-eve"), clinic, "")
	require.ErrorIs(t, err, purge.ErrNothing)
	_, err = h.keeper.Change(as(bg, "p-eve"), clinic, 84, s.Version, "nobody saw")
	require.NoError(t, err)
	h.clock.pass(31 * day)
	_, err = h.keeper.Propose(as(bg, "p-eve"), clinic, "")
	require.ErrorIs(t, err, purge.ErrNothing)
}

func TestAChangeSaysWhatWasAndWhatIs(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, err := h.keeper.Change(as(bg, "p-ada"), clinic, 72, 0, "the reason she typed")
	require.NoError(t, err)
	for e, err := range h.events.List(bg, audit.Filter{Tenant: clinic}, audit.Newest, 1) {
		require.NoError(t, err)
		event, err := audit.Decode(e.Body)
		require.NoError(t, err)
		require.Equal(t, "84", event.Detail["before"])
		require.Equal(t, "72", event.Detail["after"])
		require.NotEmpty(t, event.Detail["from"])
		require.EqualValues(t, "p-ada", event.Actor.ID)
		require.False(t, event.Why.IsZero())
		require.NotContains(t, string(e.Body), "reason she typed")
	}
	_, err = h.keeper.Change(as(bg, "p-ada"), clinic, 90, 0, "stale")
	require.ErrorIs(t, err, purge.ErrConflict)
	require.Equal(t, 1, h.actions(t)[audit.ActionRetentionChanged], "what was refused beforehand is no change")
}

// Ten years (ASTM E2147-18, 4.1) are a setting; minors are what the host's records say.
func TestRecordsKeepLonger(t *testing.T) {
	t.Parallel()
	h := old(t, 50)
	h.options.Records = records{"m-1": noon.AddDate(9, 0, 0), "m-2": noon.Add(-day)}
	require.NoError(t, h.keep())
	p := h.purge(t)
	require.EqualValues(t, 40, p.Count)
	require.Len(t, h.left(t, audit.Filter{Patient: "m-1"}), 11)

	_, err := h.keeper.Change(as(bg, "p-ada"), clinic, 120, 0, "ASTM E2147-18")
	require.NoError(t, err)
	h.options.Records = nil
	require.NoError(t, h.keep())
	_, err = h.keeper.Propose(as(bg, "p-ada"), clinic, "")
	require.ErrorIs(t, err, purge.ErrNothing)

	h.options.Records = records{}
	require.NoError(t, h.keep())
	h.clock.pass(4 * 366 * day)
	_, err = h.keeper.Propose(as(bg, "p-ada"), clinic, "")
	require.ErrorIs(t, err, purge.ErrUnavailable, "a patient whom the records do not know is an error here, and nothing goes")
}

type records map[audit.Patient]time.Time

func (r records) Until(_ context.Context, _ audit.Tenant, p audit.Patient) (time.Time, error) {
	if len(r) == 0 {
		return time.Time{}, errFault
	}
	return r[p], nil
}
