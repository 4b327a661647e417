package recert_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/recert"
)

// What an administrator took away is not given back by a review, whatever the reviewer says of it.
func TestAReviewGivesNothingBackThatSomebodyEnded(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]recert.Verdict{
		"limit":   {Do: recert.CertifyUntil, Why: words},
		"reduce":  {Do: recert.Reduce, Why: words, Reach: recert.Reach{Practices: []string{"south"}}},
		"certify": {Do: recert.Certify, Why: words},
	} {
		h := newHouse(t)
		h.staffed(t)
		c := h.start(t, spec())
		i := h.of(t, c.ID, "tina")
		require.NoError(t, h.z.Revoke(h.system(), "tina", i.Access.ID))
		if name == "limit" {
			v.Until = h.clock().AddDate(1, 0, 0)
		}
		_, err := h.r.Decide(h.as(i.Reviewer), c.ID, i.Seq, v)
		require.ErrorIs(t, err, recert.ErrGone, name)
		require.False(t, h.holds(t, "tina", "therapist"))
		h.tick(t)
		require.Equal(t, recert.Gone, h.of(t, c.ID, "tina").Outcome)
	}
}

// It ends between the decision and its effect.
func TestAccessEndsBeforeItsEffect(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	c := h.start(t, spec())
	i := h.of(t, c.ID, "tina")
	h.effects.hook = func(recert.Order) { require.NoError(t, h.z.Revoke(h.system(), "tina", i.Access.ID)) }
	i, err := h.r.Decide(h.as(i.Reviewer), c.ID, i.Seq, recert.Verdict{Do: recert.CertifyUntil, Why: words, Until: h.clock().AddDate(1, 0, 0)})
	require.NoError(t, err)
	h.effects.hook = nil
	require.Equal(t, recert.Gone, i.Outcome)
	require.Empty(t, i.Effects)
	require.False(t, h.holds(t, "tina", "therapist"))
	require.Len(t, h.rec.of(recert.ActionGone), 1)
	h.rest(t, c.ID)
	_, err = h.r.SignOff(h.as("ada"), c.ID, "")
	require.NoError(t, err)
}

// Two reviews of one access: what one ended the other does not suspend, and does not give back.
func TestTwoReviewsOfOneAccess(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	s := spec()
	one := h.start(t, s)
	s.Name = "Another one"
	two := h.start(t, s)
	h.days(31)
	h.tick(t)
	a, b := h.of(t, one.ID, "tina"), h.of(t, two.ID, "tina")
	if a.State != recert.ItemSuspended {
		one, two, a, b = two, one, b, a
	}
	require.Equal(t, recert.ItemSuspended, a.State)
	require.Equal(t, recert.Gone, b.Outcome)
	_, err := h.r.Resume(h.as("ada"), two.ID, b.Seq, words)
	require.ErrorIs(t, err, recert.ErrState)
	_, err = h.r.Resume(h.as("ada"), one.ID, a.Seq, words)
	require.NoError(t, err)
	held, err := h.grants.Grants(t.Context(), clinic, "tina")
	require.NoError(t, err)
	require.Len(t, held, 1)
}

// A population that cannot be read: the date suspends nothing that is gone, or it could be given back.
func TestWhatIsGoneIsNotSuspended(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	c := h.start(t, spec())
	i := h.of(t, c.ID, "tina")
	h.days(31)
	h.parts.Population = population(func(yield func(recert.Access, error) bool) { yield(recert.Access{}, context.DeadlineExceeded) })
	h.open(t)
	require.NoError(t, h.z.Revoke(h.system(), "tina", i.Access.ID))
	_, err := h.r.Tick(t.Context(), h.clock())
	require.Error(t, err)
	require.Equal(t, recert.Gone, h.of(t, c.ID, "tina").Outcome)
}

// covers is an OnlyOne that looks who is there.
type covers struct{ h *house }

func (a covers) OnlyOne(ctx context.Context, _ audit.Tenant, x recert.Access) (bool, error) {
	if x.Role != "therapist" {
		return false, nil
	}
	held, err := a.h.grants.Holders(ctx, clinic, []rbac.RoleName{"therapist"})
	n := 0
	for _, g := range held {
		if g.InForce(a.h.clock()) && g.Person != x.Subject {
			n++
		}
	}
	return n == 0, err
}

// Two clinicians are due on one day, and each could be missed as long as the other one is there.
func TestTheDateSparesTheLastOfTwo(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	h.parts.OnlyOne = covers{h}
	h.open(t)
	c := h.start(t, spec())
	h.days(31)
	h.tick(t)
	require.NotEqual(t, h.holds(t, "tina", "therapist"), h.holds(t, "theo", "therapist"))
	left := h.of(t, c.ID, "tina")
	if !h.holds(t, "tina", "therapist") {
		left = h.of(t, c.ID, "theo")
	}
	require.Equal(t, recert.ItemOpen, left.State)
	require.Equal(t, recert.ExceptionOnlyOne, left.Exception)
	require.Empty(t, left.Effects)
}

// Nobody gives back the access of somebody who reviews theirs.
func TestResumeIsHeldToTheRuleOfPairs(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	c := h.start(t, spec())
	h.days(31)
	h.tick(t)
	tried := 0
	for _, i := range h.items(t, c.ID) {
		for _, by := range h.items(t, c.ID) {
			who := by.Access.Subject
			if i.State == recert.ItemSuspended && by.Reviewer == i.Access.Subject && who != i.Reviewer && (who == "ada" || slices.Contains(i.Fallback, who)) {
				_, err := h.r.Resume(h.as(who), c.ID, i.Seq, words)
				require.ErrorIs(t, err, recert.ErrMutual)
				tried++
			}
		}
	}
	require.NotZero(t, tried)
}

// Given again minutes before the signature: it is signed as that, and not as gone.
func TestTheSignatureSeesWhatWasGivenAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	c := h.start(t, spec())
	i := h.of(t, c.ID, "tina")
	_, err := h.r.Decide(h.as(i.Reviewer), c.ID, i.Seq, recert.Verdict{Do: recert.RevokeIt, Why: words})
	require.NoError(t, err)
	h.rest(t, c.ID)
	again := h.give(t, "tina", "therapist", "north", "south")
	good := h.parts.Population
	h.parts.Population = population(func(yield func(recert.Access, error) bool) { yield(recert.Access{}, context.DeadlineExceeded) })
	h.open(t)
	_, err = h.r.SignOff(h.as("ada"), c.ID, "")
	require.ErrorIs(t, err, recert.ErrUnavailable, "nobody signs what cannot be seen")
	h.parts.Population = good
	h.open(t)
	signed, err := h.r.SignOff(h.as("ada"), c.ID, "")
	require.NoError(t, err)
	require.Equal(t, 1, signed.Counts.Exception)
	require.Equal(t, again.ID, h.of(t, c.ID, "tina").Regrant)
}

// What a review gave in place of an access is no change of somebody's role.
func TestAReviewIsNoChangeOfARole(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	h.give(t, "tina", "officer")
	s := spec()
	s.Roles = []string{"therapist"}
	c := h.start(t, s)
	h.days(1)
	i := h.of(t, c.ID, "tina")
	_, err := h.r.Decide(h.as(i.Reviewer), c.ID, i.Seq, recert.Verdict{Do: recert.CertifyUntil, Why: words, Until: h.clock().AddDate(1, 0, 0)})
	require.NoError(t, err)
	g, err := recert.NewGrantTriggers(h.desk, nil, nil)
	require.NoError(t, err)
	for range g.Triggers(t.Context(), clinic, h.clock().Add(-time.Hour)) {
		t.Error("nobody changed a role")
	}
}

// between does something before the first write.
type between struct {
	recert.Store
	do func()
}

func (s *between) Apply(ctx context.Context, w recert.Write) error {
	if do := s.do; do != nil {
		s.do = nil
		do()
	}
	return s.Store.Apply(ctx, w)
}

// The item would go to somebody else than was recorded: nothing happens, and the log says so.
func TestTheLogNamesWhomAnItemWentTo(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	c := h.start(t, spec())
	i := h.of(t, c.ID, "tina") // olga's, then adam's
	st := &between{Store: h.store}
	h.parts.Store = st
	h.open(t)
	st.do = func() {
		a := h.of(t, c.ID, "adam") // whom tina reviews from here on
		_, err := h.r.Decide(h.as("ada"), c.ID, a.Seq, recert.Verdict{Do: recert.Delegate, To: "tina", Why: words})
		require.NoError(t, err)
	}
	_, err := h.r.Decide(h.as(i.Reviewer), c.ID, i.Seq, recert.Verdict{Do: recert.Abstain, Why: words})
	require.ErrorIs(t, err, recert.ErrConflict)
	said := h.rec.of(recert.ActionAbstain)
	require.Len(t, said, 2)
	require.Equal(t, recert.CodeNotApplied, said[1].Code)
	require.Equal(t, i.Reviewer, h.of(t, c.ID, "tina").Reviewer)
}
