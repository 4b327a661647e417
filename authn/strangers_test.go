package authn_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audittest"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/phi"
)

// Whoever is signed in to another tenant, and whoever is not signed in at all, changes nobody's
// account, whatever a host forgot to check; the attempt is on record where they are at home.
func TestStrangersChangeNoAccount(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindStaff)
	bo, err := h.m.Invite(t.Context(), clinic, authn.Newcomer{Kind: audit.KindStaff, Identifier: "bo@example.com"})
	require.NoError(t, err)
	foreign := audit.WithActor(t.Context(), audit.Actor{ID: "u-mallory", Kind: audit.KindStaff, Tenant: "elsewhere"})
	nobody := audit.WithActor(t.Context(), audit.Anonymous(clinic, home.Addr))
	before := len(h.events())
	for name, do := range map[string]func(context.Context) error{
		"approve":   func(ctx context.Context) error { return h.m.Approve(ctx, clinic, p.ID, "") },
		"suspend":   func(ctx context.Context) error { return h.m.Suspend(ctx, clinic, p.ID, "") },
		"reinstate": func(ctx context.Context) error { return h.m.Reinstate(ctx, clinic, p.ID, "") },
		"remove":    func(ctx context.Context) error { return h.m.Remove(ctx, clinic, p.ID, "") },
		"expire":    func(ctx context.Context) error { return h.m.ExpirePassword(ctx, clinic, p.ID, "") },
		"reset":     func(ctx context.Context) error { return h.m.AdminReset(ctx, clinic, p.ID, "") },
		"unlock":    func(ctx context.Context) error { return h.m.Unlock(ctx, clinic, p.ID, "") },
		"factor": func(ctx context.Context) error {
			return h.m.ResetFactor(ctx, clinic, p.ID, "", func(context.Context) error { t.Error("it was reset"); return nil })
		},
		"resend": func(ctx context.Context) error { return h.m.Resend(ctx, clinic, bo.ID) },
	} {
		require.ErrorIs(t, do(foreign), authn.ErrNoActor, name)
		require.ErrorIs(t, do(nobody), authn.ErrNoActor, name)
	}
	_, err = h.m.Invite(foreign, clinic, authn.Newcomer{Kind: audit.KindStaff, Identifier: "cy@example.com"})
	require.ErrorIs(t, err, authn.ErrNoActor)
	require.Len(t, h.events(), before+10, "one for each attempt from elsewhere")
	after, err := h.m.Account(t.Context(), clinic, p.ID)
	require.NoError(t, err)
	require.Equal(t, authn.Active, after.Person.State)
	_, err = h.signIn(good)
	require.NoError(t, err)
}

// Index terms are renewed in the host's tables and not in these: people go on signing in, and an
// identifier stays taken, before, during and after a rotation, and with a vault that has just begun.
func TestIdentifiersOutliveRotations(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.ada(audit.KindStaff)
	same := func(when string) {
		for _, m := range []*authn.Manager{h.m, h.manager()} {
			_, err := m.SignIn(t.Context(), clinic, ada, pw(good), home)
			require.NoError(t, err, when)
			_, err = m.Invite(t.Context(), clinic, authn.Newcomer{Kind: audit.KindStaff, Identifier: ada})
			require.ErrorIs(t, err, authn.ErrExists, when)
		}
	}
	pages := 0
	rotator, err := phi.NewRotator(h.parts.Vault, audittest.NewRecorder(), "platform", &phi.RotatorOptions{
		Terms: phi.NewMemoryTerms(), Settle: -1,
		Rows: []phi.IndexRows{{Entity: "patient", Page: func(context.Context, audit.Tenant, string) ([]phi.Terms, string, error) {
			pages++
			same("in between")
			return nil, "", nil
		}}},
	})
	require.NoError(t, err)
	for range 2 {
		_, err := rotator.Rotate(t.Context(), phi.RotateIndex, clinic)
		require.NoError(t, err)
		same("afterwards")
		h.clock.Advance(24 * time.Hour) // whatever was cached is read again
		same("a day later")
	}
	require.Equal(t, 2, pages)
}
