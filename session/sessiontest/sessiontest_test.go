package sessiontest_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/session"
	"github.com/wardkit/wardkit/session/sessiontest"
)

func TestMutants(t *testing.T) {
	t.Parallel()
	mutants := map[string]func() session.Store{}
	for _, r := range sessiontest.Rules() {
		mutants[r.Name] = func() session.Store { return &flawed{flaw: r.Name} }
	}
	conform.Mutants(t, sessiontest.Rules(), mutants)
}

// Without its flaw the mutants' store is right, so that each of them differs in one place.
func TestMutantsWithoutFlaw(t *testing.T) {
	t.Parallel()
	sessiontest.TestStore(t, func(testing.TB) session.Store { return new(flawed) })
}

func TestCheck(t *testing.T) {
	t.Parallel()
	memory := func() (session.Store, error) { return session.NewMemory(), nil }
	require.NoError(t, sessiontest.Check(t.Context(), memory))

	broken := func() (session.Store, error) { return &flawed{flaw: "an_ended_session_never_comes_back"}, nil }
	require.ErrorContains(t, sessiontest.Check(t.Context(), broken), "an_ended_session_never_comes_back: ")

	closed := func() (session.Store, error) { return nil, context.Canceled }
	require.ErrorIs(t, sessiontest.Check(t.Context(), closed), context.Canceled)
}

// The walk against the model is a net of its own: it notices every flaw that a sequence of
// ordinary calls can show.
func TestWalkCatches(t *testing.T) {
	t.Parallel()
	for _, flaw := range []string{
		"an_ended_session_never_comes_back", "touch_refuses_after_idle", "touch_refuses_after_the_end",
		"touch_moves_a_live_session", "touch_never_moves_back", "revoke_is_monotone",
		"revoke_spares_the_exception", "revoke_stays_in_its_tenant", "revoke_stays_with_its_person",
		"list_yields_newest_first", "list_leaves_out_ended_sessions", "list_leaves_out_expired_sessions",
		"list_stays_in_its_tenant", "list_stays_with_its_person", "create_refuses_a_key_that_exists",
		"create_ends_the_oldest_beyond_the_limit", "create_counts_only_live_sessions",
		"create_counts_sessions_not_tokens", "create_limits_one_person",
		"rotate_needs_the_version_it_read", "rotate_needs_a_live_session", "rotate_ends_the_old_token_in_time",
		"rotate_happens_once", "revoke_ends_both_tokens", "list_leaves_out_superseded_rows",
		"lock_sets_the_time", "lock_keeps_the_first_time", "lock_leaves_ended_sessions", "lock_outlives_touch",
		"consume_keeps_to_until", "put_again_is_one_proof",
		"get_returns_the_policy", "policy_needs_the_version_before", "policy_stays_in_its_tenant",
	} {
		t.Run(flaw, func(t *testing.T) {
			t.Parallel()
			caught := false
			for seed := range uint64(20) {
				caught = caught || sessiontest.Walk(t.Context(), &flawed{flaw: flaw}, seed, 400) != nil
			}
			require.True(t, caught)
		})
	}
}
