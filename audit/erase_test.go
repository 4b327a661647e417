package audit_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
)

func TestErase(t *testing.T) {
	t.Parallel()
	store := newGated()
	log := newLog(t, store, nil)
	var ids []string
	for i := range 300 {
		e := event(i, "patient.read")
		e.Why = audit.NewPrivate("because")
		require.NoError(t, log.Record(t.Context(), e))
		ids = append(ids, e.ID)
	}
	why := audit.NewPrivate("erasure request 12")
	require.ErrorIs(t, log.Erase(t.Context(), staff.Tenant, why, ids...), audit.ErrNoActor)
	ctx := audit.WithActor(t.Context(), staff)
	require.ErrorIs(t, log.Erase(ctx, staff.Tenant, why, "x"), audit.ErrNotFound)

	store.set(func(context.Context, []audit.Entry) error { return errors.New("down") })
	require.ErrorIs(t, log.Erase(ctx, staff.Tenant, why, ids...), audit.ErrUnconfirmed)
	opened, err := log.Open(ctx, staff.Tenant, ids[0])
	require.NoError(t, err)
	_, known := opened.Why.Reveal()
	require.True(t, known, "what could not be recorded did not happen")
	store.set(nil)

	require.NoError(t, log.Erase(ctx, staff.Tenant, why, ids[1:]...))
	for i, id := range ids {
		opened, err := log.Open(ctx, staff.Tenant, id)
		require.NoError(t, err)
		_, known := opened.Why.Reveal()
		require.Equal(t, i == 0, known)
		require.Len(t, opened.Why.Commitment(), 32)
	}
	named := 0
	for _, e := range pages(t, log, audit.Query{Tenant: staff.Tenant, Actions: []audit.Action{audit.ActionErase}}) {
		named += len(e.Objects)
		require.Equal(t, staff.ID, e.Actor.ID)
	}
	require.Equal(t, 299, named)
}

func TestEraseStoreFails(t *testing.T) {
	t.Parallel()
	log := newLog(t, unerasable{audit.NewMemory()}, nil)
	ctx := audit.WithActor(t.Context(), staff)
	err := log.Erase(ctx, staff.Tenant, audit.Private{}, event(1, "a").ID)
	require.ErrorIs(t, err, audit.ErrUnavailable)
	require.NotContains(t, err.Error(), "DELETE")
}

type unerasable struct{ *audit.Memory }

func (unerasable) Erase(context.Context, audit.Tenant, []string) error {
	return errors.New("DELETE FROM …")
}
