package main

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/authn/machine"
	"github.com/wardkit/wardkit/mfa"
)

// TestStatusOfWhatPeopleDo: what somebody typed is not a server that failed.
func TestStatusOfWhatPeopleDo(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]int{
		mfa.ErrNumber: http.StatusUnprocessableEntity, mfa.ErrRegion: http.StatusUnprocessableEntity, mfa.ErrName: http.StatusUnprocessableEntity,
		mfa.ErrTextLimit: http.StatusTooManyRequests, mfa.ErrUnproven: http.StatusUnauthorized, mfa.ErrRequired: http.StatusConflict,
		mfa.ErrTooMany: http.StatusConflict, mfa.ErrNotYours: http.StatusForbidden, mfa.ErrNotFound: http.StatusNotFound, mfa.ErrPending: http.StatusAccepted,
		mfa.ErrUnavailable: http.StatusServiceUnavailable, machine.ErrUnavailable: http.StatusServiceUnavailable,
		machine.ErrSpec: http.StatusUnprocessableEntity, machine.ErrScope: http.StatusForbidden, machine.ErrAssurance: http.StatusUnauthorized,
		machine.ErrKeys: http.StatusConflict, machine.ErrInvalid: http.StatusUnauthorized, machine.ErrLimited: http.StatusTooManyRequests,
	} {
		require.Equal(t, want, authn.Status(err), err)
	}
}
