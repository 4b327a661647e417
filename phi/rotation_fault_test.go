package phi_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

var errDown = errors.New("down")

// fault strikes once, at the n-th call of stores, KMS and audit log taken together.
type fault struct {
	n      int
	mode   string // "fail" before the call takes effect, "cut" after it, "stall" until the caller leaves
	cancel context.CancelFunc

	calls  int
	struck string
}

func (f *fault) strike(op string) error {
	if f.calls++; f.calls != f.n {
		return nil
	}
	f.struck = op
	if f.mode == "stall" {
		f.cancel() // the caller's time is over while the call hangs
		return context.Canceled
	}
	return errDown
}

func (f *fault) hooks() hooked {
	if f.mode == "cut" {
		return hooked{after: f.strike}
	}
	return hooked{before: f.strike}
}

// faultLog is the audit log behind the same fault.
type faultLog struct {
	log *keyLog
	h   hooked
}

func (l *faultLog) Record(ctx context.Context, events ...audit.Event) error {
	return hook0(&l.h, "record", func() error { return l.log.Record(ctx, events...) })
}

// rotate runs one rotation on a server of its own, with the fault armed.
func (f *fault) rotate(t *testing.T, w *world, kind phi.RotationKind, tenant audit.Tenant) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f.cancel = cancel
	armed := *f
	*f = fault{n: -1, mode: f.mode}
	store, kms, log := f.hooks(), &hookedKMS{KMS: w.kms, hooked: f.hooks()}, &faultLog{w.log, f.hooks()}
	store.KeyStore = w.store
	v := openVault(t, kms, &store, &phi.Options{Now: w.clk.Now})
	r, err := phi.NewRotator(v, log, platform, &phi.RotatorOptions{Batch: 2, Patience: -1})
	require.NoError(t, err)
	f.n, f.calls, f.cancel = armed.n, 0, cancel
	_, err = r.Rotate(ctx, kind, tenant)
	return err
}

// Whichever call fails, hangs, or takes effect without an answer: the rotation ends with an
// error, everything stays readable by everybody, and the next one finishes the work.
func TestRotationFaults(t *testing.T) {
	t.Parallel()
	for _, kind := range []phi.RotationKind{phi.RotateKEK, phi.RotateRoot, phi.RotatePatients} {
		for _, mode := range []string{"fail", "cut", "stall"} {
			t.Run(fmt.Sprint(kind, "/", mode), func(t *testing.T) {
				t.Parallel()
				seen := map[string]bool{}
				for n := 1; ; n++ {
					op := faultAt(t, kind, mode, n)
					if op == "" {
						require.Greater(t, n, 12)
						break
					}
					seen[op] = true
				}
				for _, op := range []string{"record", "begin", "advance", "list", "count", "rewrap"} {
					require.True(t, seen[op], "%s was made to %s", op, mode)
				}
			})
		}
	}
}

// faultAt runs a rotation with a fault at the n-th call and returns which one that was, "" if
// there was none.
func faultAt(t *testing.T, kind phi.RotationKind, mode string, n int) string {
	t.Helper()
	w := newWorld()
	other := w.vault(t)
	w.populate(t, other)
	tenant := clinic
	if kind == phi.RotateKEK {
		tenant = ""
		w.kms.Rotate()
	}
	f := &fault{n: n, mode: mode}
	err := f.rotate(t, w, kind, tenant)
	if f.struck == "" {
		require.NoError(t, err)
		return ""
	}
	require.Error(t, err, f.struck)
	if mode != "stall" {
		require.ErrorIs(t, err, errDown, f.struck)
		require.True(t, errors.Is(err, phi.ErrUnavailable) || errors.Is(err, phi.ErrUnrecorded), "%s: %v", f.struck, err)
	}
	require.NotContains(t, err.Error(), "clinic-1")
	w.readable(t, other)
	w.readable(t, w.vault(t))
	for _, p := range []audit.Patient{"p-1", "p-new", ""} {
		require.NoError(t, w.seal(other, clinic, p), f.struck)
		require.NoError(t, w.seal(w.vault(t), clinic, p), f.struck)
	}

	r := w.rotator(t, w.vault(t))
	job, err := r.Rotate(t.Context(), kind, tenant)
	require.NoError(t, err, f.struck)
	require.False(t, job.Finished.IsZero())
	w.requireRotated(t, kind)
	return f.struck
}

// requireRotated checks what a finished rotation promises.
func (w *world) requireRotated(t *testing.T, kind phi.RotationKind) {
	t.Helper()
	if kind == phi.RotateKEK {
		w.kms.Retire()
	} else {
		root := w.current(t, phi.PurposeData, "")
		status, err := w.rotator(t, w.vault(t)).Status(t.Context(), clinic)
		require.NoError(t, err)
		require.Zero(t, status.Behind)
		for _, p := range []audit.Patient{"p-1", "p-2", "p-3"} {
			k := w.current(t, phi.PurposePatient, p)
			require.Equal(t, root.ID, k.Root)
			if kind == phi.RotatePatients {
				require.Equal(t, root.Epoch, k.Epoch, "one new key in each rotation")
			}
		}
	}
	w.readable(t, w.vault(t))
}

// A rotation that ends because its server stops says so in the log.
func TestRotationCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld()
	v := w.vault(t)
	w.populate(t, v)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := phi.NewRotator(v, w.log, platform, &phi.RotatorOptions{Batch: 1, Progress: func(phi.Rotation) { cancel() }})
	require.NoError(t, err)
	job, err := r.Rotate(ctx, phi.RotateRoot, clinic)
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, job.Finished.IsZero())
	require.Equal(t, []string{"begun", "stopped"}, w.log.phases())
	require.Equal(t, "cancelled", w.log.events[1].Code)
	require.Equal(t, audit.MinorFailure, w.log.events[1].Outcome)
}

// A store that answers nobody is left when the caller's time is over, patience or not.
func TestRotationStalls(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.populate(t, w.vault(t))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	stalled := false
	store := &hooked{KeyStore: w.store, before: func(op string) error {
		if stalled && op == "list" {
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}}
	r, err := phi.NewRotator(openVault(t, w.kms, store, nil), w.log, platform, nil)
	require.NoError(t, err)
	stalled = true
	_, err = r.Rotate(ctx, phi.RotateRoot, clinic)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
