package audit_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
)

// brokenStore fails to append, with a text that belongs into no user's error.
type brokenStore struct{ *audit.Memory }

var errDisk = errors.New("disk 7 is full")

func (brokenStore) Append(context.Context, []audit.Entry) error { return errDisk }

func TestCause(t *testing.T) {
	t.Parallel()
	log := newLog(t, brokenStore{audit.NewMemory()}, nil)
	err := log.Record(t.Context(), audit.Event{
		Action: "a", Verb: audit.Read, Actor: audit.System("clinic-17", "test"),
	})
	require.ErrorIs(t, err, audit.ErrUnconfirmed)
	require.NotContains(t, err.Error(), "disk")
	require.Equal(t, errDisk, audit.Cause(err))
	require.Equal(t, errDisk, audit.Cause(errDisk))
	require.NoError(t, audit.Cause(nil))
}
