package recert_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/recert"
)

// A reviewer leaves in the middle: the next of the chain decides, and nobody loses access by it.
func TestAReviewerLeaves(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	c := h.start(t, spec())
	olga := h.of(t, c.ID, "olga")
	require.Equal(t, audit.ActorID("olga"), h.of(t, c.ID, "theo").Reviewer)
	_, err := h.r.Decide(h.as(olga.Reviewer), c.ID, olga.Seq, recert.Verdict{Do: recert.RevokeIt, Why: words})
	require.NoError(t, err)
	h.tick(t)
	theo := h.of(t, c.ID, "theo")
	require.Equal(t, audit.ActorID("adam"), theo.Reviewer)
	require.Equal(t, []audit.ActorID{"ada", "olga"}, theo.Fallback)
	require.Len(t, theo.Steps, 1)
	require.Equal(t, recert.PassOn, theo.Steps[0].Do)
	require.Equal(t, audit.ActorID("adam"), theo.Steps[0].To)
	require.Equal(t, audit.ActorID("system:recert"), theo.Steps[0].By)
	said := h.rec.of(recert.ActionPassOn)
	require.Len(t, said, 4)
	require.Contains(t, []string{said[0].ID, said[1].ID, said[2].ID, said[3].ID}, theo.Steps[0].Event)
	h.tick(t)
	require.Len(t, h.rec.of(recert.ActionPassOn), 4, "said once")
	i, err := h.r.Decide(h.as("adam"), c.ID, theo.Seq, recert.Verdict{Do: recert.Certify, Why: words})
	require.NoError(t, err)
	require.Equal(t, recert.Certified, i.Outcome)

	// Who is suspended is not there either. ada's item: adam's is reviewed by ada.
	ada := h.of(t, c.ID, "ada")
	require.Empty(t, ada.Reviewer)
	require.Equal(t, recert.ExceptionNoReviewer, ada.Exception)
	_, err = h.r.Decide(h.as("adam"), c.ID, h.of(t, c.ID, "tina").Seq, recert.Verdict{Do: recert.Delegate, To: "olga", Why: words})
	require.ErrorIs(t, err, recert.ErrReviewer, "who left gets nothing")
	h.give(t, "olga", "officer")
	h.tick(t)
	ada = h.of(t, c.ID, "ada")
	require.Equal(t, audit.ActorID("olga"), ada.Reviewer, "back again")
	require.Empty(t, ada.Exception)
	require.Equal(t, audit.ActorID("adam"), h.of(t, c.ID, "tina").Reviewer)
	h.give(t, "olga", rbac.Suspended)
	h.tick(t)
	require.Empty(t, h.of(t, c.ID, "ada").Reviewer)
}

// Who cannot be looked up is not taken for gone.
func TestNobodyHasLeftWhoCannotBeLookedUp(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	c := h.start(t, spec())
	h.parts.Directory = directory{err: errors.New("down")}
	h.open(t)
	_, err := h.r.Tick(t.Context(), h.clock())
	require.ErrorIs(t, err, recert.ErrUnavailable)
	require.Equal(t, audit.ActorID("olga"), h.of(t, c.ID, "theo").Reviewer)
	s := spec()
	s.Name = "Another one"
	_, err = h.r.Start(h.as("ada"), s)
	require.ErrorIs(t, err, recert.ErrUnavailable)
}

// directory knows nobody.
type directory struct{ err error }

func (d directory) Present(context.Context, audit.Tenant, audit.ActorID, time.Time) (bool, error) {
	return false, d.err
}

func (d directory) HasRole(context.Context, string) (bool, error) { return false, d.err }

// A slip of the pen in a name is no campaign that leaves somebody out.
func TestNamesThatThereAreNot(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	for name, change := range map[string]func(*recert.Spec){
		"Owner": func(s *recert.Spec) { s.Owner = "adda" },
		"Named": func(s *recert.Spec) { s.Named = []audit.ActorID{"olga", "founder"} },
		"Roles": func(s *recert.Spec) { s.Roles = []string{"desk", "amdin"} },
	} {
		s := spec()
		change(&s)
		_, err := h.r.Start(h.as("ada"), s)
		require.ErrorIs(t, err, recert.ErrSpec, name)
		require.ErrorContains(t, err, name)
	}
	h.parts.Triggers = happened{}
	h.open(t)
	s := spec()
	s.Roles = []string{"amdin"}
	_, err := h.r.Watch(t.Context(), clinic, h.clock(), s)
	require.ErrorIs(t, err, recert.ErrSpec)

	s.Roles = []string{"desk", "parent"} // which nobody has yet
	h.start(t, s)
	h.parts.Population = recert.Together{h.desk}
	h.open(t)
	s.Owner, s.Name = "nobody", "Another one"
	_, err = h.r.Start(h.as("ada"), s)
	require.ErrorIs(t, err, recert.ErrSpec)
}

// The owner answers for it, and hears of it although somebody else reviews.
func TestTheOwnerHearsOfWhatIsOverdue(t *testing.T) {
	t.Parallel()
	h, c := overdue(t, spec())
	h.care["theo"] = errOnly
	told := func() map[string]int {
		out := map[string]int{}
		for _, m := range h.mail.take() {
			require.Equal(t, c.ID, m.Campaign)
			out[string(m.What)+" "+string(m.To)] = m.Open
		}
		return out
	}
	h.tick(t)
	want := map[string]int{"overdue olga": 3, "overdue ada": 3, "suspended ada": 2, "exception ada": 1}
	first := told()
	delete(first, "assigned olga")
	require.Equal(t, want, first)
	for range 2 {
		h.tick(t)
		require.Empty(t, told(), "once a day")
		h.days(1)
		h.tick(t)
		require.Equal(t, want, told())
	}
}
