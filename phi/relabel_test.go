package phi_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi"
)

// relabelled is a key store whose rows somebody has altered: what belongs in one slot is a key
// of another one, under its own id.
type relabelled struct {
	*phi.MemoryKeys
	slot phi.KeySlot
	id   phi.KeyID
}

func (r *relabelled) Current(ctx context.Context, s phi.KeySlot) (phi.Key, error) {
	if s != r.slot {
		return r.MemoryKeys.Current(ctx, s)
	}
	found, err := r.Get(ctx, r.id)
	if err != nil {
		return phi.Key{}, err
	}
	k := found[0]
	k.KeySlot = s
	return k, nil
}

// A row that was altered to stand for another slot is refused while its key is in the cache
// too. A patient's key is no root: everything derived from it as if it were one would be
// derived from nothing, and no secret.
func TestRelabelledKeyInTheCache(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for _, to := range []phi.KeySlot{
		{Namespace: "app", Tenant: "clinic-2", Purpose: phi.PurposeData},
		{Namespace: "app", Tenant: "clinic-2", Purpose: phi.PurposeIndex},
		{Namespace: "app", Tenant: clinic, Purpose: phi.PurposeIndex},
		{Namespace: "app", Tenant: clinic, Purpose: phi.PurposePatient, Patient: "p-2"},
	} {
		keys := &relabelled{MemoryKeys: phi.NewMemoryKeys()}
		v := openVault(t, phi.NewMemoryKMS(), keys, nil)
		s, err := v.Seal(ctx, phi.At{Tenant: clinic, Field: "f", Patient: "p-1", Row: "r"}, []byte("x"))
		require.NoError(t, err)
		keys.slot = to
		keys.id, err = s.KeyID()
		require.NoError(t, err)

		if to.Purpose == phi.PurposeIndex {
			_, err = v.Term(ctx, to.Tenant, "i", "x")
		} else {
			_, err = v.Seal(ctx, phi.At{Tenant: to.Tenant, Field: "f", Patient: to.Patient, Row: "r"}, []byte("x"))
		}
		require.ErrorIs(t, err, phi.ErrWrongKey, "%s of %s", to.Purpose, to.Tenant)
	}
}
