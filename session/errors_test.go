package session_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/session"
)

// A host's table finds the status of this package's errors by their shape, however they are wrapped.
func TestErrorsSayTheirStatus(t *testing.T) {
	t.Parallel()
	for err, status := range map[error]int{
		session.ErrNoSession: 401, session.ErrExpired: 401, session.ErrLocked: 401, session.ErrStale: 401,
		session.ErrAmbiguous: 400, session.ErrCrossOrigin: 403, session.ErrDenied: 403,
		session.ErrNotFound: 404, session.ErrNotLocked: 409, session.ErrConflict: 409,
		session.ErrPolicy: 422, session.ErrLimits: 422, session.ErrUnavailable: 503, session.ErrUnrecorded: 503,
	} {
		var says interface{ HTTPStatus() int }
		require.ErrorAs(t, fmt.Errorf("x: %w", err), &says)
		require.Equal(t, status, says.HTTPStatus(), "%v", err)
		require.Regexp(t, "^session: ", err.Error())
	}
	require.NotErrorIs(t, session.ErrStale, session.ErrNoSession, "the same status is not the same error")
	require.False(t, errors.As(session.ErrActor, new(interface{ HTTPStatus() int })), "a mistake of the host's is a 503")
}
