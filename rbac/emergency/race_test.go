package emergency_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac/emergency"
)

// together runs f n times at once.
func together(n int, f func(i int) error) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	return errs
}

// TestOpeningsAtOnce: of one patient one is open, and of many patients as many as the limit allows, on
// two servers; what was recorded and not opened says so.
func TestOpeningsAtOnce(t *testing.T) {
	t.Parallel()
	overStores(t, func(t *testing.T, open func(testing.TB) backing) {
		h := newHouseOver(t, open(t))
		h.set.PerDay = 2
		try := func(id func(i int) string) (won int, errs []error) {
			for _, err := range together(4, func(i int) error {
				ctx := h.by("ana")
				_, err := h.desks[i%2].Open(ctx, h.proof(ctx, patient(id(i))), request())
				return err
			}) {
				if err == nil {
					won++
				} else {
					errs = append(errs, err)
				}
			}
			return won, errs
		}
		won, errs := try(func(int) string { return "p1" })
		require.Equal(t, 1, won)
		for _, err := range errs {
			require.ErrorIs(t, err, emergency.ErrOpen)
		}
		won, errs = try(func(i int) string { return fmt.Sprintf("q%d", i) })
		require.Equal(t, 1, won, "two a day")
		for _, err := range errs {
			require.ErrorIs(t, err, emergency.ErrLimited)
		}
		said, unsaid := 0, 0
		for _, e := range h.rec.of(emergency.ActionOpen) {
			switch e.Outcome {
			case audit.Success:
				said++
			case audit.MajorFailure:
				unsaid++
			}
		}
		require.Equal(t, 2, said-unsaid)
	})
}

// TestEndAndReviewAtOnce: a review sees an emergency that is over, or none at all.
func TestEndAndReviewAtOnce(t *testing.T) {
	t.Parallel()
	overStores(t, func(t *testing.T, open func(testing.TB) backing) {
		h := newHouseOver(t, open(t))
		for range 4 {
			g := h.opens("ana", "p1")
			h.pass(time.Minute)
			errs := together(3, func(i int) error {
				var err error
				switch i {
				case 0:
					_, err = h.desks[0].End(h.by("ana"), g.ID)
				case 1:
					_, err = h.desks[1].Review(h.by("officer"), g.ID, g.Version, emergency.NotJustified, "no")
				case 2:
					_, err = h.desks[1].Stop(h.by("officer"), g.ID, "")
				}
				return err
			})
			require.NoError(t, errs[0])
			require.NoError(t, errs[2])
			require.True(t, errs[1] == nil || errors.Is(errs[1], emergency.ErrOpen) || errors.Is(errs[1], emergency.ErrConflict), "%v", errs[1])
			is := h.stored(g.ID)
			require.False(t, is.Ended.IsZero())
			require.Equal(t, errs[1] == nil, is.Verdict != "")
			require.False(t, is.Ended.After(h.now()))
			h.pass(time.Hour)
		}
	})
}

// TestReviewsAtOnce: one of them counts.
func TestReviewsAtOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	g := h.opens("ana", "p1")
	h.pass(5 * time.Hour)
	won := 0
	for _, err := range together(8, func(i int) error {
		v := emergency.Justified
		if i%2 == 0 {
			v = emergency.NotJustified
		}
		_, err := h.desks[i%2].Review(h.by(audit.ActorID(fmt.Sprintf("officer%d", i))), g.ID, g.Version, v, "words")
		return err
	}) {
		if err == nil {
			won++
		} else {
			require.True(t, errors.Is(err, emergency.ErrConflict) || errors.Is(err, emergency.ErrOver), "%v", err)
		}
	}
	require.Equal(t, 1, won)
}
