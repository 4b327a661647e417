package session_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

// A program has no session and no second factor: what asks for a fresh proof is never its to do,
// and what does not is not refused for want of one.
func TestProgramsOweEveryStepUp(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		save(t, d.store, risky())
		for _, kind := range []audit.Kind{audit.KindService, audit.KindAgent} {
			ctx := audit.WithActor(t.Context(), audit.Actor{ID: "m-1", Kind: kind, Tenant: clinic, Assurance: audit.AAL3, AuthTime: d.clock.Now()})
			for what, c := range map[string]struct {
				action audit.Action
				within time.Duration
				owed   bool
			}{
				"nothing asks for it":        {"patient.read", 0, false},
				"the tenant lists it":        {export, 0, true},
				"the tenant lists its area":  {"settings.edit", 0, true},
				"the action itself asks":     {"patient.read", time.Hour, true},
				"both the tenant and action": {export, time.Hour, true},
			} {
				owed, err := d.StepUp(ctx, c.action, patient17, c.within)
				require.NoError(t, err)
				require.Equal(t, c.owed, owed, what)
			}
		}
	})
}

// Nobody, a person without a session and a program of no tenant owe everything.
func TestWithoutASessionEverythingIsOwed(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	for what, ctx := range map[string]context.Context{
		"nobody":              t.Context(),
		"a person":            audit.WithActor(t.Context(), staff(ann)),
		"a program of nobody": audit.WithActor(t.Context(), audit.Actor{ID: "m-1", Kind: audit.KindService}),
	} {
		owed, err := d.StepUp(ctx, "patient.read", patient17, 0)
		require.NoError(t, err)
		require.True(t, owed, what)
	}
}

// deaf fails to read policies.
type deaf struct{ session.Store }

func (deaf) GetPolicy(context.Context, audit.Tenant) (*session.Policy, error) {
	return nil, errors.New("down")
}

func TestAPolicyThatCannotBeReadLetsNoProgramPass(t *testing.T) {
	t.Parallel()
	d := newDesk(t, deaf{session.NewMemory()})
	owed, err := d.StepUp(audit.WithActor(t.Context(), audit.Actor{ID: "m-1", Kind: audit.KindAgent, Tenant: clinic}), "patient.read", patient17, 0)
	require.ErrorIs(t, err, session.ErrUnavailable)
	require.True(t, owed)
}
