package recert_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/rbac/recert"
)

// Hosts find the status by the method; what a part failed with does not turn a 503 into their fault.
func TestErrorsHaveAStatus(t *testing.T) {
	t.Parallel()
	for status, list := range map[int][]error{
		401: {recert.ErrActor, recert.ErrStepUp},
		403: {recert.ErrReviewer, recert.ErrSelf, recert.ErrGrantor, recert.ErrMutual},
		404: {recert.ErrNotFound},
		409: {recert.ErrState, recert.ErrConflict, recert.ErrOpen, recert.ErrSigned, recert.ErrLastAdmin, recert.ErrRefused},
		422: {recert.ErrSpec, recert.ErrVerdict, recert.ErrEmpty, recert.ErrNoReviewer, recert.ErrReason, recert.ErrBulk, recert.ErrDelegated},
		503: {recert.ErrUnavailable, fmt.Errorf("%w: reading: %w", recert.ErrUnavailable, recert.ErrEmpty)},
	} {
		for _, err := range list {
			var known interface{ HTTPStatus() int }
			require.ErrorAs(t, errors.Join(fmt.Errorf("host: %w", err)), &known)
			require.Equal(t, status, known.HTTPStatus(), err)
			require.Regexp(t, "^recert: ", err.Error())
		}
	}
	require.ErrorContains(t, recert.ErrReason, fmt.Sprint(recert.MinWhy))
}
