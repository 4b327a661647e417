package rbac_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// hooked calls before once, ahead of the first Version.
type hooked struct {
	rbac.Store
	before func()
}

func (h *hooked) Version(ctx context.Context, t audit.Tenant) (int64, error) {
	if f := h.before; f != nil {
		h.before = nil
		f()
	}
	return h.Store.Version(ctx, t)
}

// Who loses the role between the question and the write grants nothing any more: otherwise an
// administrator who is being removed could leave a successor behind.
func TestGrantAsksAgainUnderTheVersionItWrites(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	mine := h.grant(t, "adam", "admin")
	store := &hooked{Store: h.store}
	z, err := rbac.New(h.policy, store, h.rec, nil)
	require.NoError(t, err)
	store.before = func() {
		require.NoError(t, h.z.Revoke(audit.WithActor(t.Context(), audit.System(clinic, "setup")), "adam", mine.ID))
	}
	_, err = z.Grant(audit.WithActor(t.Context(), staff("adam")), rbac.Grant{Person: "mallory", Role: "admin"})
	require.ErrorIs(t, err, rbac.ErrDenied)
	grants, err := h.store.Grants(t.Context(), clinic, "mallory")
	require.NoError(t, err)
	require.Empty(t, grants)
}
