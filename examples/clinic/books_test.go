package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// inside opens a clinic in this process, empty, without serving anything.
func inside(t *testing.T, args ...string) *app {
	t.Helper()
	c, err := parseConfig(append(args, "-url", "http://localhost:8080", "-demo=false"))
	require.NoError(t, err)
	a, err := open(t.Context(), c, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(a.close)
	return a
}

// as is a context in which somebody of the team acts.
func as(ctx context.Context, id audit.ActorID) context.Context {
	return audit.WithActor(ctx, audit.Actor{ID: id, Kind: audit.KindStaff, Tenant: tenant, Assurance: audit.AAL2})
}

// recorded counts the events of an action.
func (a *app) recorded(t *testing.T, action audit.Action) int {
	t.Helper()
	n, err := a.log.Count(t.Context(), audit.Query{Tenant: tenant, Actions: []audit.Action{action}})
	require.NoError(t, err)
	return n.N
}

// kept counts rows.
func (a *app) kept(t *testing.T, statement string) (n int) {
	t.Helper()
	require.NoError(t, a.db.pool.QueryRowContext(t.Context(), statement).Scan(&n))
	return n
}

const (
	allPatients = "SELECT COUNT(*) FROM clinic_patient"
	allVersions = "SELECT COALESCE(SUM(version), 0) FROM clinic_patient"
)

// A change and its event are one: either both are there or neither.
func TestChangeAndEventAreOne(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		a := inside(t, args...)
		ctx := as(t.Context(), "u-1")
		id, err := a.patients.register(ctx, demoPatient(0))
		require.NoError(t, err)
		require.Equal(t, 1, a.recorded(t, actionRegistered))
		same := func(t *testing.T) {
			require.Equal(t, 1, a.recorded(t, actionRegistered))
			require.Equal(t, 1, a.kept(t, allPatients))
			require.Equal(t, 1, a.kept(t, allVersions))
			require.Zero(t, a.recorded(t, actionNoteSaved))
		}
		write := func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "UPDATE clinic_patient SET version = version + 1")
			return err
		}
		fine := recordEvent(actionNoteSaved, audit.Update, id, audit.Object{Type: "note", ID: id})
		t.Run("refused_write_leaves_no_event", func(t *testing.T) {
			var duplicate *phi.DuplicateError
			_, err := a.patients.register(ctx, demoPatient(0))
			require.ErrorAs(t, err, &duplicate)
			same(t)
		})
		t.Run("failed_write_leaves_no_event", func(t *testing.T) {
			boom := errors.New("boom")
			require.ErrorIs(t, a.patients.change(ctx, fine, func(tx *sql.Tx) error { return errors.Join(write(tx), boom) }), boom)
			same(t)
		})
		t.Run("stale_version_leaves_no_event", func(t *testing.T) {
			p, err := a.patients.get(ctx, id)
			require.NoError(t, err)
			require.ErrorIs(t, a.patients.writeNote(ctx, p, p.Version+1, "late"), errChanged)
			same(t)
		})
		t.Run("what_cannot_be_recorded_is_not_written", func(t *testing.T) {
			nameless := fine
			nameless.Action = ""
			require.ErrorIs(t, a.patients.change(ctx, nameless, write), audit.ErrInvalid)
			same(t)
		})
		t.Run("nobody_changes_nothing", func(t *testing.T) {
			require.ErrorIs(t, a.patients.change(t.Context(), fine, write), audit.ErrNoActor)
			_, err := a.patients.register(t.Context(), demoPatient(1))
			require.ErrorIs(t, err, audit.ErrNoActor)
			same(t)
		})
		t.Run("change_and_event_come_together", func(t *testing.T) {
			require.NoError(t, a.patients.change(ctx, fine, write))
			require.Equal(t, 2, a.kept(t, allVersions))
			require.Equal(t, 1, a.recorded(t, actionNoteSaved))
		})
	})
}

// Changes of records and plain recording at once, each waiting for the database and none for
// another's transaction.
func TestChangesAndRecordingAtOnce(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		a := inside(t, args...)
		ctx, cancel := context.WithTimeout(as(t.Context(), "u-1"), time.Minute)
		defer cancel()
		id, err := a.patients.register(ctx, demoPatient(0))
		require.NoError(t, err)
		const writers, rounds = 6, 10
		var saved, seen counter
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := range rounds {
					err := a.patients.seedNote(ctx, id, fmt.Sprintf("note %d of %d", i, w))
					if !errors.Is(err, errChanged) { // somebody was faster, which is no failure
						saved.add(err)
					}
				}
			})
			wg.Go(func() {
				for range rounds {
					seen.add(a.log.Record(ctx, audit.Event{Tenant: tenant, Action: "patient.read", Verb: audit.Read}))
				}
			})
		}
		wg.Wait()
		require.NoError(t, saved.err)
		require.NoError(t, seen.err)
		require.Equal(t, writers*rounds, seen.n)
		require.Equal(t, seen.n, a.recorded(t, patientRead.Name()))
		require.NotZero(t, saved.n)
		require.Equal(t, saved.n, a.recorded(t, actionNoteSaved))
		require.Equal(t, 1+saved.n, a.kept(t, allVersions), "a version for each event, an event for each version")
	})
}

// counter counts successes and keeps the first error.
type counter struct {
	mu  sync.Mutex
	n   int
	err error
}

func (c *counter) add(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.n++
	} else if c.err == nil {
		c.err = err
	}
}
