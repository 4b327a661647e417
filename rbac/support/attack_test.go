package support_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/support"
)

// An approval that gives more than was asked for is refused, on record, and nothing of it is kept.
func TestApprovalsDoNotWiden(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.requested()
	for name, an := range map[string]support.Answer{
		"longer":    {Length: a.Length + time.Second},
		"practices": {Practices: []rbac.PracticeID{"north"}},
		"locations": {Locations: []rbac.LocationID{"north"}},
		"queues":    {Queues: []rbac.QueueID{"north"}},
	} {
		_, err := h.desk.Approve(h.as(adam), a.ID, a.Version, an)
		require.ErrorIs(t, err, support.ErrWider, name)
	}
	_, err := h.desk.Approve(h.as(adam), a.ID, a.Version, support.Answer{Length: -time.Second})
	require.ErrorIs(t, err, support.ErrInput)
	require.Equal(t, a, h.stored(a))
	require.Empty(t, h.held())
}

// A narrower approval gives less: the lists of the grant are those that were approved.
func TestApprovalsNarrow(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	columns := rbac.Columns{ID: "id", Tenant: "tenant", Patient: "patient", Practice: "practice"}
	read := rbac.Define[thing]("thing.read", columns, rbac.Verb(audit.Read))
	rules := h.rules()
	rules.Actions = append(rules.Actions, read)
	rules.Roles[2].Allow = append(rules.Roles[2].Allow, rbac.In(rbac.Practice, read))
	p, err := rbac.Compile(rules)
	require.NoError(t, err)
	h.z, err = rbac.New(p, h.grants, h.log, &rbac.Options{Now: h.now})
	require.NoError(t, err)
	h.desk, h.other = h.server(nil), h.server(nil)
	request := ask()
	_, err = h.desk.Request(h.op(noor), request)
	require.ErrorIs(t, err, support.ErrInput, "a role of practices needs some")
	request.Practices = []rbac.PracticeID{"south", "north", "south"}
	a, err := h.desk.Request(h.op(noor), request)
	require.NoError(t, err)
	a = h.stored(a)
	require.Equal(t, []rbac.PracticeID{"north", "south"}, a.Practices)
	_, err = h.desk.Approve(h.as(adam), a.ID, a.Version, support.Answer{Practices: []rbac.PracticeID{"north", "west"}})
	require.ErrorIs(t, err, support.ErrWider)
	_, err = h.desk.Approve(h.as(adam), a.ID, a.Version, support.Answer{Practices: []rbac.PracticeID{"south"}, Length: time.Minute})
	require.NoError(t, err)
	require.Equal(t, []rbac.PracticeID{"south"}, h.held()[0].Practices)
	require.Equal(t, time.Minute, h.held()[0].Until.Sub(h.now()))
	_, _, err = h.desk.Enter(h.op(noor), clinic)
	require.NoError(t, err)
}

// A row that was put back as it was while the access stood opens nothing: the version is sealed with it, and its time is over.
func TestOldRowsDoNotOpen(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.entered()
	row, err := h.store.Get(t.Context(), clinic, a.ID)
	require.NoError(t, err)
	_, err = h.desk.End(h.as(adam), clinic, a.ID, "")
	require.NoError(t, err)
	now, err := h.store.Get(t.Context(), clinic, a.ID)
	require.NoError(t, err)
	forged := support.NewMemory()
	for range now.Version { // as somebody with the database could
		err = forged.Apply(t.Context(), row, h.version(forged, a.ID))
		require.NoError(t, err)
	}
	h.store = forged
	h.desk = h.server(nil)
	_, _, err = h.desk.Guard(h.op(noor), clinic)
	require.ErrorIs(t, err, support.ErrUnavailable, "it does not open under another version")

	// the very row, with the very version, and without its grant
	same := support.NewMemory()
	for range row.Version {
		require.NoError(t, same.Apply(t.Context(), row, h.version(same, a.ID)))
	}
	h.store = same
	h.desk = h.server(nil)
	_, _, err = h.desk.Guard(h.op(noor), clinic)
	require.ErrorIs(t, err, support.ErrClosed)
	h.pass(3 * time.Hour)
	_, _, err = h.desk.Guard(h.op(noor), clinic)
	require.ErrorIs(t, err, support.ErrClosed)
}

func (h *house) version(s support.Store, id string) int64 {
	r, err := s.Get(h.t.Context(), clinic, id)
	if errors.Is(err, support.ErrNotFound) {
		return 0
	}
	require.NoError(h.t, err)
	return r.Version
}

// A grant beside the approved one, whoever wrote it, closes the door: nobody approved the sum.
func TestGrantsBesideCloseTheDoor(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.entered()
	require.True(t, h.in(noor))
	v, err := h.grants.Version(t.Context(), clinic)
	require.NoError(t, err)
	extra := rbac.Grant{ID: "forged", Tenant: clinic, Person: a.Visitor(), Role: "admin", Until: h.now().Add(time.Hour), Source: rbac.SourceSupport, By: "eve"}
	require.NoError(t, h.grants.Apply(t.Context(), clinic, v, rbac.Change{Add: []rbac.Grant{extra}}))
	require.False(t, h.in(noor))
	list, err := h.desk.Controls(t.Context(), clinic)
	require.NoError(t, err)
	require.Equal(t, "support.no_standing_access", list[0].ID)
	require.Contains(t, list[0].Detail, "without an approval: 1")
}

// Who leaves the platform is out with the next request, and out for good.
func TestWhoLeavesThePlatformIsOut(t *testing.T) {
	t.Parallel()
	for _, run := range []bool{false, true} {
		h := newHouse(t)
		a := h.entered()
		h.crew.fire(noor)
		if run {
			require.NoError(t, h.other.Tick(t.Context()))
			require.Empty(t, h.held())
		}
		require.False(t, h.in(noor))
		h.crew.gone = map[audit.ActorID]bool{}
		require.False(t, h.in(noor), "back again, and the access is not")
		require.Equal(t, support.OperatorGone, h.stored(a).Closing)
		require.Empty(t, h.held())
	}
	h := newHouse(t)
	a := h.requested()
	h.crew.fire(noor)
	_, err := h.desk.Approve(h.as(adam), a.ID, a.Version, support.Answer{})
	require.Error(t, err)
	require.Equal(t, support.Lapsed, h.stored(a).State)
}

// A clock that was set back opens nothing that was seen closed, nor what is not yet approved.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.entered()
	h.pass(-time.Second)
	require.False(t, h.in(noor), "before the approval")
	h.pass(a.Length + time.Second)
	require.False(t, h.in(noor))
	h.pass(-time.Hour)
	require.False(t, h.in(noor))
	require.Equal(t, support.Expired, h.stored(a).State)
}

// Another session of the operator is not inside, and who enters from it puts the first one out.
func TestSessionsAreApart(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.entered()
	actor, _ := audit.ActorFrom(h.op(noor))
	actor.Session = "s-elsewhere"
	elsewhere := audit.WithActor(t.Context(), actor)
	_, _, err := h.desk.Guard(elsewhere, clinic)
	require.ErrorIs(t, err, support.ErrClosed)
	_, _, err = h.desk.Enter(elsewhere, clinic)
	require.NoError(t, err)
	_, _, err = h.desk.Guard(elsewhere, clinic)
	require.NoError(t, err)
	require.False(t, h.in(noor))
	require.Len(t, h.log.of(clinic, support.ActionEnter), 2)
	actor.Session = ""
	_, _, err = h.desk.Enter(audit.WithActor(t.Context(), actor), clinic)
	require.ErrorIs(t, err, support.ErrNoActor)
	actor.Session, actor.Assurance = "s-elsewhere", audit.AAL1
	_, _, err = h.desk.Guard(audit.WithActor(t.Context(), actor), clinic)
	require.ErrorIs(t, err, support.ErrAssurance)
	_, _, err = h.desk.Guard(elsewhere, "other-clinic")
	require.ErrorIs(t, err, support.ErrClosed)
}

// A visitor gives nothing on: neither by rbac nor by answering requests.
func TestVisitorsGiveNothingOn(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.entered()
	visitor, _, err := h.desk.Guard(h.op(noor), clinic)
	require.NoError(t, err)
	ctx := audit.WithActor(t.Context(), visitor)
	_, err = h.z.Grant(ctx, rbac.Grant{Person: "p-eve", Role: "desk"})
	require.ErrorIs(t, err, rbac.ErrDenied)
	b, err := h.desk.Request(h.op(omar), ask())
	require.NoError(t, err)
	for _, d := range []*support.Desk{h.desk, h.other} {
		_, err = d.Approve(ctx, b.ID, h.stored(b).Version, support.Answer{})
		require.ErrorIs(t, err, support.ErrSelf)
		_, err = d.Refuse(ctx, b.ID, h.stored(b).Version, "")
		require.ErrorIs(t, err, support.ErrSelf)
		_, err = d.Request(ctx, ask())
		require.ErrorIs(t, err, support.ErrNoActor)
	}
	seats, err := h.z.Seats(h.as(adam))
	require.NoError(t, err)
	require.Equal(t, 2, seats.Taken, "nobody takes a seat for support")
}

// A policy that makes more of the role puts its visitors out.
func TestARoleThatGrowsClosesTheDoor(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.entered()
	b, err := h.desk.Request(h.op(omar), ask())
	require.NoError(t, err)
	rules := h.rules()
	rules.Roles[2].Allow = append(rules.Roles[2].Allow, rbac.In(rbac.Tenant, h.people))
	p, err := rbac.Compile(rules)
	require.NoError(t, err)
	require.NoError(t, h.z.Swap(audit.WithActor(t.Context(), audit.System(clinic, "setup")), p))
	_, _, err = h.desk.Guard(h.op(noor), clinic)
	require.ErrorIs(t, err, support.ErrClosed)
	require.Equal(t, support.RoleChanged, h.stored(a).Closing)
	_, err = h.desk.Approve(h.as(adam), b.ID, h.stored(b).Version, support.Answer{})
	require.ErrorIs(t, err, support.ErrState)
}

// Two servers, one access: of approving, refusing and withdrawing at once one succeeds, and who gets in follows from that one.
func TestAnswersAtOnce(t *testing.T) {
	t.Parallel()
	for range 60 {
		h := newHouse(t)
		a := h.requested()
		var wg sync.WaitGroup
		errs := make([]error, 4)
		for i, f := range []func() error{
			func() error {
				_, err := h.desk.Approve(h.as(adam), a.ID, a.Version, support.Answer{})
				return err
			},
			func() error {
				_, err := h.other.Approve(h.as(adam), a.ID, a.Version, support.Answer{Length: time.Minute})
				return err
			},
			func() error { _, err := h.other.Withdraw(h.op(noor), clinic, a.ID); return err },
			func() error { _, err := h.desk.Refuse(h.as(adam), a.ID, a.Version, ""); return err },
		} {
			wg.Go(func() { errs[i] = f() })
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
				continue
			}
			require.NotErrorIs(t, err, support.ErrUnavailable)
		}
		require.Equal(t, 1, won, "%v", errs)
		approved := h.stored(a).State == support.Approved
		require.Equal(t, approved, errs[0] == nil || errs[1] == nil)
		require.Equal(t, approved, len(h.held()) == 1)
	}
}

// Ending races with entering and with requests: once End has returned, nobody is in.
func TestEndingAtOnce(t *testing.T) {
	t.Parallel()
	for range 40 {
		h := newHouse(t)
		a := h.approved()
		var wg sync.WaitGroup
		wg.Go(func() { _, _, _ = h.desk.Enter(h.op(noor), clinic) })
		wg.Go(func() { _, _, _ = h.other.Enter(h.op(noor), clinic) })
		wg.Go(func() { _ = h.other.Tick(t.Context()) })
		_, err := h.other.End(h.as(dana), clinic, a.ID, "")
		require.NoError(t, err)
		_, _, err = h.desk.Guard(h.op(noor), clinic)
		require.ErrorIs(t, err, support.ErrClosed)
		wg.Wait()
		require.False(t, h.in(noor))
		require.NoError(t, h.desk.Tick(t.Context()))
		require.Empty(t, h.held())
		require.Len(t, h.log.of(clinic, support.ActionEnd), 1)
	}
}
