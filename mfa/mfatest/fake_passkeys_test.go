package mfatest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/mfa/mfatest"
	"github.com/wardkit/wardkit/mfa/passkey/passkeytest"
)

func TestFakeHasRealPasskeys(t *testing.T) {
	t.Parallel()
	f := mfatest.NewFake(t, nil)
	f.EnrolPasskey(t, town, ann)
	on, err := f.Enrolled(t.Context(), town, ann)
	require.NoError(t, err)
	require.True(t, on)
	use := func(d *passkeytest.Device) (audit.Actor, error) {
		options, state, err := f.AskPasskey(t.Context(), town, "")
		require.NoError(t, err)
		response, err := d.Get(options)
		require.NoError(t, err)
		return f.VerifyPasskey(t.Context(), town, "", state, response)
	}
	thief := f.Device(town, ann).Clone()
	proof, err := use(f.Device(town, ann))
	require.NoError(t, err)
	require.Equal(t, ann, proof.ID)
	_, err = use(thief)
	require.ErrorIs(t, err, mfa.ErrPasskeyDisabled)
	require.Equal(t, []audit.ActorID{ann}, f.Ended())

	options, state, err := f.AskPasskey(t.Context(), town, "")
	require.NoError(t, err)
	response, err := f.Device(town, ann).Get(options)
	require.NoError(t, err)
	f.Pass(6 * time.Minute)
	proof, err = f.VerifyPasskey(t.Context(), town, ann, state, response)
	require.NoError(t, err)
	require.Empty(t, proof.ID, "the Fake's clock is everybody's")
}

func TestFakeAddsAPasskeyBesideAnApp(t *testing.T) {
	t.Parallel()
	f := mfatest.NewFake(t, nil)
	f.Enrol(t, town, ann)
	_, _, err := f.BeginPasskey(t.Context(), town, ann, "ann@example.com")
	require.ErrorIs(t, err, mfa.ErrEnrolled)
	_, _, err = f.BeginPasskey(asAnn(t, ann), town, ann, "ann@example.com")
	require.ErrorIs(t, err, mfa.ErrUnproven)
	require.NotSame(t, f.Device(town, ann), f.Device(town, "p-bo"))
	require.Same(t, f.Device(town, ann), f.Device(town, ann))
}
