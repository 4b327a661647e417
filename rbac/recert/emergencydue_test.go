package recert_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/recert"
)

// used makes the population one use of emergency access, beside what the clinic has.
func (h *house) used(t *testing.T, at time.Time, access string) {
	t.Helper()
	use := recert.Access{Kind: recert.KindEmergency, ID: "e-1", Subject: "theo", PHI: true}
	h.parts.Population = recert.Together{h.desk, population(func(yield func(recert.Access, error) bool) { yield(use, nil) })}
	h.parts.Effects[recert.KindEmergency] = finding{}
	h.parts.Triggers = happened{{Kind: recert.TriggerEmergency, ID: "e-1", Subject: "theo", Access: access, At: at}}
	h.open(t)
}

// TestAnEmergencyIsDueByItsUse: hearing of it late does not make its review later.
func TestAnEmergencyIsDueByItsUse(t *testing.T) {
	t.Parallel()
	for days, due := range map[int]int{0: 3, 1: 3, 5: 3} {
		h := newHouse(t)
		h.staffed(t)
		at := h.clock()
		h.used(t, at, "e-1")
		h.days(days)
		started := h.watch(t)
		require.Len(t, started, 1)
		c, items := h.standing(t, started[0])
		require.Equal(t, at.AddDate(0, 0, due), c.Due)
		require.Equal(t, c.Due, items[0].Due)
	}
	h := newHouse(t)
	h.staffed(t)
	h.used(t, h.clock(), "e-1")
	s := spec()
	s.Days = 1
	started, err := h.r.Watch(t.Context(), clinic, h.clock(), s)
	require.NoError(t, err)
	c, _ := h.standing(t, started[0])
	require.Equal(t, h.clock().AddDate(0, 0, 1), c.Due, "sooner is fine")
}

// TestAnEmergencyIsNotLost: a use that would never be reviewed is an error, each time.
func TestAnEmergencyIsNotLost(t *testing.T) {
	t.Parallel()
	for _, access := range []string{"", "e-1"} {
		h := newHouse(t)
		h.staffed(t)
		watch := func(s recert.Spec) error {
			started, err := h.r.Watch(t.Context(), clinic, h.clock().AddDate(0, 0, -1), s)
			require.Empty(t, started)
			return err
		}
		h.start(t, spec()) // a review of roles is none of the use
		h.used(t, h.clock(), access)
		h.parts.Population = h.desk
		h.open(t)
		for range 2 {
			require.ErrorIs(t, watch(spec()), recert.ErrEmpty)
		}
		h.days(1)
		h.used(t, h.clock(), access)
		s := spec()
		s.Kinds = []recert.Kind{recert.KindGrant}
		require.ErrorIs(t, watch(s), recert.ErrEmpty, "nobody wants it")

		s.Kinds = []recert.Kind{recert.KindEmergency}
		c := h.start(t, s) // a review by the calendar has it
		require.NoError(t, watch(s))
		h.rest(t, c.ID)
		h.parts.Population = h.desk
		h.open(t)
		require.NoError(t, watch(spec()), "also when it was decided")
	}
}

// TestWhoMadeAProgramDoesNotReviewIt: a program does what its maker tells it.
func TestWhoMadeAProgramDoesNotReviewIt(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	_, err := h.z.Grant(audit.WithActor(t.Context(), audit.System(clinic, "setup")), rbac.Grant{Person: "svc-key", Role: "feed", Practices: []rbac.PracticeID{"north"}, By: "olga"})
	require.NoError(t, err)
	c := h.start(t, spec())
	i := h.of(t, c.ID, "svc-key")
	require.Equal(t, recert.KindMachine, i.Access.Kind)
	require.NotEqual(t, audit.ActorID("olga"), i.Reviewer)
	require.NotContains(t, i.Fallback, audit.ActorID("olga"))
	_, err = h.r.Decide(h.as(i.Reviewer), c.ID, i.Seq, recert.Verdict{Do: recert.Delegate, To: "olga", Why: words})
	require.ErrorIs(t, err, recert.ErrGrantor)
	require.NotErrorIs(t, err, recert.ErrSelf)
}
