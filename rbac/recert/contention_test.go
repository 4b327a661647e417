package recert_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac/recert"
)

// Many reviewers at once: each decision counts, and is recorded once.
func TestManyDecideAtOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	const people = 24
	for n := range people {
		h.give(t, audit.ActorID(fmt.Sprint("desk-", n)), "desk")
	}
	c := h.start(t, spec())
	var all sync.WaitGroup
	var failed sync.Map
	for n := range people {
		i := h.of(t, c.ID, audit.ActorID(fmt.Sprint("desk-", n)))
		do := recert.Certify
		if n%3 == 0 {
			do = recert.RevokeIt
		}
		all.Go(func() {
			if _, err := h.r.Decide(h.as(i.Reviewer), c.ID, i.Seq, recert.Verdict{Do: do}); err != nil {
				failed.Store(n, err)
			}
		})
	}
	all.Wait()
	failed.Range(func(n, err any) bool { t.Fatal(n, err); return false })
	h.tick(t)
	require.Len(t, h.rec.of(recert.ActionDecide), people, "one event each, whoever came first")
	h.consistent(t, c.ID)
	got, err := h.store.Get(t.Context(), clinic, c.ID)
	require.NoError(t, err)
	require.Equal(t, recert.Counts{Open: 6, Closed: people}, got.Counts)
}

// overtaken is a store on which somebody else writes first, whose answer to the loser is no conflict
// but a lost connection.
type overtaken struct {
	recert.Store
	other func(recert.Write)
}

func (s *overtaken) Apply(ctx context.Context, w recert.Write) error {
	if s.other == nil {
		return s.Store.Apply(ctx, w)
	}
	other := s.other
	s.other = nil
	other(w)
	return errFault
}

func TestALostAnswerIsNotTakenForOnesOwn(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.staffed(t)
	store := &overtaken{Store: h.store}
	h.parts.Store = store
	h.open(t)
	c := h.start(t, spec())
	dora := h.of(t, c.ID, "dora")
	store.other = func(w recert.Write) { // the same head, another decision
		w.Items = []recert.Item{dora}
		w.Items[0].Steps = []recert.Step{{Do: recert.Delegate, To: "adam", At: h.clock()}}
		require.NoError(t, h.store.Apply(context.Background(), w))
	}
	_, err := h.r.Decide(h.as(dora.Reviewer), c.ID, dora.Seq, recert.Verdict{Do: recert.Certify})
	require.ErrorIs(t, err, recert.ErrUnavailable)
	said := h.rec.of(recert.ActionDecide)
	require.Len(t, said, 2)
	require.Equal(t, recert.CodeUnconfirmed, said[1].Code)
	require.Equal(t, audit.MajorFailure, said[1].Outcome)
}
