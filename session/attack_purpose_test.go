package session_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

// A proof for what an event cannot name ends the session of who has just proven themselves.
func TestConfirmOfNothingEndsNothing(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]session.Purpose{
		"no object type": session.Confirm("records.export", audit.Object{}),
		"control":        session.Confirm("records.export", audit.Object{Type: "a\nb", ID: "1"}),
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, session.NewMemory())
			good := d.start(t, staff(ann))
			_, ctx := serve(d, get(good))
			a := staff(ann)
			d.clock.Add(time.Minute)
			a.AuthTime = d.clock.Now()
			_, err := d.Reauthenticated(ctx, a, p)
			require.ErrorIs(t, err, session.ErrPolicy)
			_, ctx = serve(d, get(good))
			require.Equal(t, session.StateLive, session.Status(ctx))
		})
	}
}
