package recert_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/evidence"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/recert"
)

// overdue returns a house whose campaign of everybody is due, with adam's and ada's access decided.
func overdue(t *testing.T, s recert.Spec) (*house, recert.Campaign) {
	t.Helper()
	h := newHouse(t)
	h.staffed(t)
	c := h.start(t, s)
	for _, who := range []audit.ActorID{"adam", "ada", "olga"} {
		i := h.of(t, c.ID, who)
		_, err := h.r.Decide(h.as(i.Reviewer), c.ID, i.Seq, recert.Verdict{Do: recert.Certify, Why: words})
		require.NoError(t, err)
	}
	h.days(30)
	return h, c
}

func TestUndecidedAccessIsSuspendedAndThenRevoked(t *testing.T) {
	t.Parallel()
	h, c := overdue(t, spec())
	h.days(-1)
	require.Empty(t, h.tick(t).Effects, "not due yet")
	h.days(1)
	require.Len(t, h.tick(t).Effects, 3)
	for _, who := range []audit.ActorID{"tina", "theo", "dora"} {
		i := h.of(t, c.ID, who)
		require.Equal(t, recert.ItemSuspended, i.State)
		require.Equal(t, h.now.AddDate(0, 0, 10), i.Hold)
		require.True(t, i.Decision.IsZero(), "nobody decided")
	}
	require.False(t, h.holds(t, "theo", "therapist"))
	require.True(t, h.holds(t, "adam", "admin"))
	n := len(h.rec.events)
	require.Empty(t, h.tick(t).Effects, "once")
	require.Len(t, h.rec.events, n, "nothing new to say")

	// Somebody decides after all: it is given back.
	theo := h.of(t, c.ID, "theo")
	i, err := h.r.Decide(h.as(theo.Reviewer), c.ID, theo.Seq, recert.Verdict{Do: recert.Certify, Why: words})
	require.NoError(t, err)
	require.Equal(t, recert.Certified, i.Outcome)
	require.True(t, h.holds(t, "theo", "therapist"))
	grants, err := h.grants.Grants(t.Context(), clinic, "theo")
	require.NoError(t, err)
	require.Equal(t, []rbac.PracticeID{"north"}, grants[0].Practices)
	require.Equal(t, audit.ActorID("founder"), grants[0].By)

	// Given back in one call, and due again.
	dora := h.of(t, c.ID, "dora")
	_, err = h.r.Resume(h.as("dora"), c.ID, dora.Seq, words)
	require.ErrorIs(t, err, recert.ErrSelf)
	_, err = h.r.Resume(h.as("tina"), c.ID, dora.Seq, words)
	require.ErrorIs(t, err, recert.ErrReviewer)
	_, err = h.r.Resume(h.as("ada"), c.ID, dora.Seq, "")
	require.ErrorIs(t, err, recert.ErrReason)
	i, err = h.r.Resume(h.as("ada"), c.ID, dora.Seq, words)
	require.NoError(t, err)
	require.Equal(t, recert.ItemOpen, i.State)
	require.True(t, h.holds(t, "dora", "desk"))
	h.tick(t)
	require.True(t, h.holds(t, "dora", "desk"))

	h.days(10)
	h.tick(t)
	for _, who := range []audit.ActorID{"tina", "dora"} {
		i := h.of(t, c.ID, who)
		require.Equal(t, recert.ItemClosed, i.State, who)
		require.Equal(t, recert.Revoked, i.Outcome)
		require.Equal(t, audit.ActorID("system:recert"), i.Decision.By)
	}
	require.False(t, h.holds(t, "dora", "desk"), "suspended once, then revoked")
	_, err = h.r.Decide(h.as("olga"), c.ID, h.of(t, c.ID, "tina").Seq, recert.Verdict{Do: recert.Certify, Why: words})
	require.ErrorIs(t, err, recert.ErrState)
	_, err = h.r.SignOff(h.as("ada"), c.ID, "")
	require.NoError(t, err)
}

// When the hold is over it is over, although nobody has ticked since.
func TestTheHoldEndsByItself(t *testing.T) {
	t.Parallel()
	h, c := overdue(t, spec())
	h.tick(t)
	h.days(10)
	i := h.of(t, c.ID, "theo")
	for _, v := range []recert.Verdict{{Do: recert.Certify, Why: words}, {Do: recert.Delegate, To: "dora", Why: words}, {Do: recert.Abstain}} {
		_, err := h.r.Decide(h.as(i.Reviewer), c.ID, i.Seq, v)
		require.ErrorIs(t, err, recert.ErrState)
	}
	_, err := h.r.Resume(h.as("ada"), c.ID, i.Seq, words)
	require.ErrorIs(t, err, recert.ErrState)
}

func TestControls(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	state := func() (evidence.State, string) {
		all, err := h.r.Controls(t.Context(), clinic)
		require.NoError(t, err)
		require.Len(t, all, 1)
		return all[0].State, all[0].Warning
	}
	is, _ := state()
	require.Equal(t, evidence.Failing, is, "never reviewed")
	c := h.start(t, spec())
	is, _ = state()
	require.Equal(t, evidence.Partly, is)
	h.rest(t, c.ID)
	_, err := h.r.SignOff(h.as("ada"), c.ID, "")
	require.NoError(t, err)
	is, _ = state()
	require.Equal(t, evidence.InForce, is)
	h.start(t, spec())
	is, _ = state()
	require.Equal(t, evidence.InForce, is, "another one goes on")
	h.days(31)
	is, _ = state()
	require.Equal(t, evidence.Partly, is, "past its due date")
	h.days(400)
	_, why := state()
	require.Contains(t, why, "within a year")
}

func TestSuspendedAccessCanBeReduced(t *testing.T) {
	t.Parallel()
	h, c := overdue(t, spec())
	h.tick(t)
	tina := h.of(t, c.ID, "tina")
	i, err := h.r.Decide(h.as("olga"), c.ID, tina.Seq, recert.Verdict{Do: recert.Reduce, Reach: recert.Reach{Practices: []string{"south"}}, Why: words})
	require.NoError(t, err)
	require.Equal(t, recert.Reduced, i.Outcome)
	grants, err := h.grants.Grants(t.Context(), clinic, "tina")
	require.NoError(t, err)
	require.Len(t, grants, 1)
	require.Equal(t, []rbac.PracticeID{"south"}, grants[0].Practices)
}

// Giving it back is refused after all: the item does not hang there for ever.
func TestWhatCannotBeGivenBackCanEnd(t *testing.T) {
	t.Parallel()
	h, c := overdue(t, spec())
	h.tick(t)
	i := h.of(t, c.ID, "theo")
	h.effects.set(recert.ErrRefused, nil)
	i, err := h.r.Decide(h.as(i.Reviewer), c.ID, i.Seq, recert.Verdict{Do: recert.Certify, Why: words})
	require.NoError(t, err)
	require.Equal(t, recert.ItemPending, i.State)
	require.Equal(t, recert.ExceptionRefused, i.Exception)
	h.tick(t)
	_, err = h.r.Decide(h.as(i.Reviewer), c.ID, i.Seq, recert.Verdict{Do: recert.Certify, Why: words})
	require.ErrorIs(t, err, recert.ErrState)
	h.effects.set(nil, nil)
	i, err = h.r.Decide(h.as(i.Reviewer), c.ID, i.Seq, recert.Verdict{Do: recert.RevokeIt, Why: words})
	require.NoError(t, err)
	require.Equal(t, recert.Revoked, i.Outcome)
	require.False(t, h.holds(t, "theo", "therapist"))
}

// A round does not refuse to begin: what nobody may review is an exception from the start.
func TestARoundWithoutAReviewer(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	anna := h.give(t, "anna", "admin")
	s := spec()
	s.Named, s.Rule, s.Every, s.Days = nil, "admins", 1, 20
	c := h.start(t, s)
	h.rest(t, c.ID)
	require.NoError(t, h.z.Revoke(h.system(), "anna", anna.ID))
	h.days(31)
	rep := h.tick(t)
	require.Len(t, rep.Started, 1)
	h.tick(t)
	left := 0
	for _, i := range h.items(t, rep.Started[0].Campaign) {
		if i.Reviewer == "" {
			require.Equal(t, recert.ExceptionNoReviewer, i.Exception)
			require.Contains(t, []audit.ActorID{"adam", "ada"}, i.Access.Subject)
			left++
		}
	}
	require.Equal(t, 1, left)
}

func TestWhatTheDueDateDoesGoesByRisk(t *testing.T) {
	t.Parallel()
	s := spec()
	s.OnDue = map[recert.Risk]recert.OnDue{recert.RiskOther: recert.Revoke, recert.RiskPHI: recert.Keep}
	s.KeepWhy = "flu_season"
	h, c := overdue(t, s)
	rep := h.tick(t)
	require.Len(t, rep.Effects, 1)
	require.Equal(t, recert.Revoked, h.of(t, c.ID, "dora").Outcome)
	theo := h.of(t, c.ID, "theo")
	require.Equal(t, recert.ItemOpen, theo.State)
	require.Equal(t, recert.ExceptionKept, theo.Exception)
	require.Len(t, rep.Exceptions, 2)
	due := h.rec.of(recert.ActionDue)
	require.Equal(t, "flu_season", due[len(due)-1].Detail["why"])

	// Escalated every day, once.
	count := func() (n int) {
		for _, m := range h.mail.take() {
			if m.What == recert.NoticeException {
				require.Equal(t, audit.ActorID("ada"), m.To)
				require.Equal(t, 2, m.Open)
				n++
			}
		}
		return n
	}
	require.Equal(t, 1, count())
	h.tick(t)
	require.Zero(t, count())
	h.days(1)
	h.tick(t)
	require.Equal(t, 1, count())
	h.days(-1)
	h.tick(t)
	require.Zero(t, count(), "the clock went back")
}

func TestTheDueDateSparesWhoCannotBeMissed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	h.care["theo"], h.care["tina"] = errOnly, errors.New("nobody knows")
	c := h.start(t, spec())
	i := h.of(t, c.ID, "adam")
	_, err := h.r.Decide(h.as(i.Reviewer), c.ID, i.Seq, recert.Verdict{Do: recert.RevokeIt, Why: words})
	require.NoError(t, err)
	h.days(30)
	h.tick(t)
	for who, why := range map[audit.ActorID]recert.Exception{
		"theo": recert.ExceptionOnlyOne, "tina": recert.ExceptionUnknown, "ada": recert.ExceptionLastAdmin,
	} {
		i := h.of(t, c.ID, who)
		require.Equal(t, recert.ItemOpen, i.State, who)
		require.Equal(t, why, i.Exception)
	}
	require.True(t, h.holds(t, "ada", "admin"))
	require.False(t, h.holds(t, "dora", "desk"))
	said := len(h.rec.of(recert.ActionDue))
	h.tick(t)
	require.Len(t, h.rec.of(recert.ActionDue), said, "said once")

	// Once it is not so any more, the date does what it does.
	delete(h.care, "theo")
	h.give(t, "amy", "admin")
	h.tick(t)
	require.Equal(t, recert.ItemSuspended, h.of(t, c.ID, "theo").State)
	require.Equal(t, recert.ItemSuspended, h.of(t, c.ID, "ada").State)
	require.Equal(t, recert.ItemOpen, h.of(t, c.ID, "tina").State)
}

func TestLateChanges(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	c := h.start(t, spec())
	theo := h.of(t, c.ID, "theo")
	setup := audit.WithActor(t.Context(), audit.System(clinic, "setup"))
	require.NoError(t, h.z.Revoke(setup, "theo", theo.Access.ID))
	h.give(t, "nora", "desk")
	h.tick(t)
	require.Equal(t, recert.Gone, h.of(t, c.ID, "theo").Outcome)
	got, err := h.store.Get(t.Context(), clinic, c.ID)
	require.NoError(t, err)
	require.Equal(t, 1, got.Late.Count)
	require.Equal(t, recert.Counts{Open: 5, Closed: 1}, got.Counts)

	// Revoked, and given again behind the campaign's back.
	dora := h.of(t, c.ID, "dora")
	_, err = h.r.Decide(h.as(dora.Reviewer), c.ID, dora.Seq, recert.Verdict{Do: recert.RevokeIt})
	require.NoError(t, err)
	h.tick(t)
	again := h.give(t, "dora", "desk")
	rep := h.tick(t)
	require.Equal(t, []recert.Ref{{Tenant: clinic, Campaign: c.ID, Seq: dora.Seq, Exception: recert.ExceptionRegranted}}, rep.Exceptions)
	dora = h.of(t, c.ID, "dora")
	require.Equal(t, again.ID, dora.Regrant)
	require.Equal(t, recert.Revoked, dora.Outcome)
	require.Len(t, h.rec.of(recert.ActionRegrant), 1)
	h.tick(t)
	require.Len(t, h.rec.of(recert.ActionRegrant), 1, "said once")

	// And one that went and came under another number.
	h.give(t, "theo", "therapist", "north")
	h.tick(t)
	require.Equal(t, recert.ExceptionRegranted, h.of(t, c.ID, "theo").Exception)
}

// Given again while it was suspended: that is known to the end.
func TestARegrantIsNotForgotten(t *testing.T) {
	t.Parallel()
	h, c := overdue(t, spec())
	h.tick(t)
	h.give(t, "dora", "desk")
	h.give(t, "tina", "therapist", "west") // another practice is another access
	h.tick(t)
	require.Equal(t, recert.ExceptionRegranted, h.of(t, c.ID, "dora").Exception)
	require.Empty(t, h.of(t, c.ID, "tina").Exception)
	_, err := h.r.SignOff(h.as("ada"), c.ID, "")
	require.ErrorIs(t, err, recert.ErrOpen, "suspended is open")
	h.days(10)
	h.tick(t)
	dora := h.of(t, c.ID, "dora")
	require.Equal(t, recert.Revoked, dora.Outcome)
	require.Equal(t, recert.ExceptionRegranted, dora.Exception)
	signed, err := h.r.SignOff(h.as("ada"), c.ID, "")
	require.NoError(t, err)
	require.Equal(t, 1, signed.Counts.Exception, "signed with it")
}

// What cannot read the population must not take everybody for gone.
func TestNobodyIsGoneWhoCannotBeSeen(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	c := h.start(t, spec())
	for _, p := range []population{
		func(func(recert.Access, error) bool) {},
		func(yield func(recert.Access, error) bool) { yield(recert.Access{}, errors.New("down")) },
	} {
		h.parts.Population = p
		h.open(t)
		_, err := h.r.Tick(t.Context(), h.clock())
		require.ErrorIs(t, err, recert.ErrUnavailable)
		require.Equal(t, recert.ItemOpen, h.of(t, c.ID, "theo").State)
	}
	h.days(30)
	_, err := h.r.Tick(t.Context(), h.clock())
	require.Error(t, err)
	require.Equal(t, recert.ItemSuspended, h.of(t, c.ID, "theo").State, "what is due is due all the same")
}

func TestNoticesGoToWhomSomethingWaitsFor(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	c := h.start(t, spec())
	told := func() map[string]int {
		out := map[string]int{}
		for _, m := range h.mail.take() {
			require.Equal(t, c.ID, m.Campaign)
			out[string(m.What)+" "+string(m.To)] = m.Open
		}
		return out
	}
	h.tick(t)
	require.Equal(t, map[string]int{"assigned ada": 1, "assigned adam": 1, "assigned olga": 4}, told())
	h.tick(t)
	require.Empty(t, told())
	h.days(24)
	i := h.of(t, c.ID, "olga")
	_, err := h.r.Decide(h.as("adam"), c.ID, i.Seq, recert.Verdict{Do: recert.Certify})
	require.NoError(t, err)
	h.tick(t)
	require.Equal(t, map[string]int{"reminder ada": 1, "reminder olga": 4}, told(), "adam has nothing open")
	h.days(4)
	h.tick(t)
	require.Equal(t, map[string]int{"reminder ada": 1, "reminder olga": 4}, told())
	h.days(1)
	h.tick(t)
	require.Equal(t, map[string]int{"reminder ada": 1, "reminder olga": 4}, told())
	h.rest(t, c.ID)
	h.days(5)
	h.tick(t)
	require.Equal(t, map[string]int{"sign ada": 1}, told())
}

func TestRounds(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	h.now = time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC)
	s := spec()
	s.Every, s.Days = 1, 20
	first := h.start(t, s)
	require.Equal(t, time.Date(2026, 2, 28, 9, 0, 0, 0, time.UTC), first.Next)
	h.rest(t, first.ID)
	signed, err := h.r.SignOff(h.as("ada"), first.ID, "")
	require.NoError(t, err)
	require.True(t, signed.Active, "the next round is to come")

	h.days(28)
	rep := h.tick(t)
	require.Len(t, rep.Started, 1)
	second, err := h.store.Get(t.Context(), clinic, rep.Started[0].Campaign)
	require.NoError(t, err)
	require.Equal(t, 2, second.Round)
	require.Equal(t, first.ID, second.Series)
	require.Equal(t, time.Date(2026, 3, 31, 9, 0, 0, 0, time.UTC), second.Next, "the day of the first, not the 28th")
	require.Equal(t, audit.ActorID("system:recert"), second.StartedBy)
	require.Empty(t, h.tick(t).Started)

	// Nobody ran for half a year: one round, and the next in its time.
	h.days(200)
	rep = h.tick(t)
	require.Len(t, rep.Started, 1)
	third, err := h.store.Get(t.Context(), clinic, rep.Started[0].Campaign)
	require.NoError(t, err)
	require.Equal(t, 3, third.Round)
	require.True(t, third.Next.After(h.now))
	require.True(t, third.Next.Before(h.now.AddDate(0, 1, 1)))
	done, err := h.store.Get(t.Context(), clinic, first.ID)
	require.NoError(t, err)
	require.False(t, done.Active)
	digest, err := recert.ContentDigest(done, h.store.Items(t.Context(), clinic, first.ID, recert.ItemFilter{}))
	require.NoError(t, err)
	require.Equal(t, done.SignOff.Digest, digest, "what was signed is what is there")
}
