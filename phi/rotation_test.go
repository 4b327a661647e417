package phi_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/phitest"
)

const platform audit.Tenant = "platform"

// keyLog keeps the events of rotations and can be told to fail.
type keyLog struct {
	mu     sync.Mutex
	events []audit.Event
	err    error
}

func (r *keyLog) Record(ctx context.Context, events ...audit.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	for _, e := range events {
		if err := e.Validate(); err != nil {
			return err
		}
	}
	r.events = append(r.events, events...)
	return ctx.Err()
}

func (r *keyLog) phases() (all []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		all = append(all, e.Detail["phase"])
	}
	return all
}

// world is a small installation: a KMS, a key store, and what was sealed.
type world struct {
	kms    *phitest.KMS
	store  phi.KeyStore
	log    *keyLog
	clk    *clock
	values []sealedValue
}

type sealedValue struct {
	at     phi.At
	sealed phi.Sealed
	plain  string
}

func newWorld() *world {
	return &world{kms: phitest.NewKMS(), store: phi.NewMemoryKeys(), log: &keyLog{}, clk: newClock()}
}

// vault returns a server of its own over the world's stores.
func (w *world) vault(t testing.TB) *phi.Vault {
	t.Helper()
	return openVault(t, w.kms, w.store, &phi.Options{Now: w.clk.Now})
}

func (w *world) rotator(t testing.TB, v *phi.Vault) *phi.Rotator {
	t.Helper()
	r, err := phi.NewRotator(v, w.log, platform, &phi.RotatorOptions{Batch: 2, Patience: -1})
	require.NoError(t, err)
	return r
}

// seal seals a value of a patient, or of the tenant where there is none.
func (w *world) seal(v *phi.Vault, t audit.Tenant, p audit.Patient) error {
	s := sealedValue{
		at:    phi.At{Tenant: t, Field: "patient.note", Patient: p, Row: fmt.Sprint("r-", len(w.values))},
		plain: fmt.Sprint("note ", len(w.values)),
	}
	var err error
	if s.sealed, err = v.Seal(context.Background(), s.at, []byte(s.plain)); err == nil {
		w.values = append(w.values, s)
	}
	return err
}

// populate seals values of two tenants, and an index term.
func (w *world) populate(t testing.TB, v *phi.Vault) {
	t.Helper()
	for _, tenant := range []audit.Tenant{clinic, "clinic-2"} {
		for _, p := range []audit.Patient{"p-1", "p-2", "p-3", ""} {
			require.NoError(t, w.seal(v, tenant, p))
		}
		_, err := v.Term(t.Context(), tenant, "i", "x")
		require.NoError(t, err)
	}
}

// readable checks that v opens everything that was ever sealed.
func (w *world) readable(t testing.TB, v *phi.Vault) {
	t.Helper()
	for _, s := range w.values {
		plain, err := v.Unseal(t.Context(), s.at, s.sealed)
		require.NoError(t, err, s.plain)
		require.Equal(t, s.plain, string(plain))
	}
}

// current returns the key that seals in a slot of the clinic.
func (w *world) current(t testing.TB, purpose phi.Purpose, p audit.Patient) phi.Key {
	t.Helper()
	k, err := w.store.Current(t.Context(), phi.KeySlot{Namespace: "app", Tenant: clinic, Purpose: purpose, Patient: p})
	require.NoError(t, err)
	return k
}

func TestRotateKEK(t *testing.T) {
	t.Parallel()
	w := newWorld()
	v := w.vault(t)
	w.populate(t, v)
	before := w.current(t, phi.PurposePatient, "p-1")
	term, err := v.Term(t.Context(), clinic, "i", "x")
	require.NoError(t, err)

	w.kms.Rotate()
	job, err := w.rotator(t, v).Rotate(t.Context(), phi.RotateKEK, "")
	require.NoError(t, err)
	require.False(t, job.Finished.IsZero())
	require.Equal(t, []int{5, 5, 0}, []int{job.Done, job.Total, job.Failed}, "canary, two data roots, two index roots")
	require.Equal(t, before, w.current(t, phi.PurposePatient, "p-1"), "patients' keys are not touched")

	w.kms.Retire() // the old key is gone for good
	fresh := w.vault(t)
	w.readable(t, fresh)
	again, err := fresh.Term(t.Context(), clinic, "i", "x")
	require.NoError(t, err)
	require.Equal(t, term, again)
	require.Equal(t, []string{"begun", "finished"}, w.log.phases())
	for _, e := range w.log.events {
		require.Equal(t, platform, e.Tenant)
		require.Equal(t, audit.ActionKeyRotated, e.Action)
		require.Equal(t, audit.KindSystem, e.Actor.Kind)
		require.Equal(t, "kek", e.Detail["kind"])
	}
}

// Without a new key in the KMS there is nothing to do, and nothing changes.
func TestRotateKEKAgain(t *testing.T) {
	t.Parallel()
	w := newWorld()
	v := w.vault(t)
	w.populate(t, v)
	before := w.current(t, phi.PurposeData, "")
	for range 2 {
		job, err := w.rotator(t, v).Rotate(t.Context(), phi.RotateKEK, "")
		require.NoError(t, err)
		require.Equal(t, job.Total, job.Done)
	}
	require.Equal(t, before, w.current(t, phi.PurposeData, ""))
}

// As long as any root needs the old key-encryption key, a server without it does not open.
func TestCanaryIsRewrappedLast(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		w := newWorld()
		w.populate(t, w.vault(t))
		old := phi.WrapperOf(w.current(t, phi.PurposeData, "").Wrapped)
		w.kms.Rotate()
		calls := 0
		store := &hooked{KeyStore: w.store, before: func(op string) error {
			if op != "rewrap" {
				return nil
			}
			if calls++; calls == n {
				return errDown
			}
			return nil
		}}
		_, err := w.rotator(t, openVault(t, w.kms, store, nil)).Rotate(t.Context(), phi.RotateKEK, "")
		canary, e := w.store.Current(t.Context(), phi.KeySlot{Namespace: "app", Purpose: phi.PurposeCanary})
		require.NoError(t, e)
		if err == nil {
			require.Equal(t, 6, n, "each of five was made to fail")
			require.Equal(t, 5, w.wrappedBy(t, canary), "all under the new key")
			return
		}
		require.ErrorIs(t, err, errDown)
		require.Equal(t, old, phi.WrapperOf(canary.Wrapped))
		w.kms.Retire()
		_, err = phi.Open(t.Context(), "app", w.kms, w.store, nil)
		require.ErrorIs(t, err, phi.ErrWrongKey)
		require.ErrorContains(t, err, old, "it says which key is missing")
	}
}

// wrappedBy counts the roots, canary included, that are under the same key-encryption key.
func (w *world) wrappedBy(t testing.TB, like phi.Key) (n int) {
	t.Helper()
	keys, err := w.store.List(t.Context(), phi.KeyQuery{Namespace: "app", Limit: 100})
	require.NoError(t, err)
	for _, k := range keys {
		if phi.WrapperOf(k.Wrapped) == phi.WrapperOf(like.Wrapped) {
			n++
		}
	}
	return n
}

func TestRotateRoot(t *testing.T) {
	t.Parallel()
	w := newWorld()
	v, other := w.vault(t), w.vault(t)
	w.populate(t, v)
	require.NoError(t, w.seal(other, clinic, ""))
	root, own := w.current(t, phi.PurposeData, ""), w.current(t, phi.PurposePatient, "p-1")
	r := w.rotator(t, v)
	status, err := r.Status(t.Context(), clinic)
	require.NoError(t, err)
	require.Equal(t, phi.KeyStatus{Epoch: 1, Since: root.Created}, status)

	job, err := r.Rotate(t.Context(), phi.RotateRoot, clinic)
	require.NoError(t, err)
	require.Equal(t, []int{3, 3, 0}, []int{job.Done, job.Total, job.Failed})
	next, moved := w.current(t, phi.PurposeData, ""), w.current(t, phi.PurposePatient, "p-1")
	require.EqualValues(t, 2, next.Epoch)
	require.Equal(t, own.ID, moved.ID, "the same key")
	require.Equal(t, next.ID, moved.Root, "under the new root")

	require.NoError(t, w.seal(v, clinic, ""))
	require.NoError(t, w.seal(other, clinic, ""), "a server that knows the old root only")
	mine, err := w.values[len(w.values)-2].sealed.KeyID()
	require.NoError(t, err)
	theirs, err := w.values[len(w.values)-1].sealed.KeyID()
	require.NoError(t, err)
	require.Equal(t, next.ID, mine)
	require.Equal(t, root.ID, theirs)
	for _, v := range []*phi.Vault{v, other, w.vault(t)} {
		w.readable(t, v)
	}
	w.clk.Advance(phi.DefaultCacheTTL)
	require.NoError(t, w.seal(other, clinic, ""))
	theirs, err = w.values[len(w.values)-1].sealed.KeyID()
	require.NoError(t, err)
	require.Equal(t, next.ID, theirs, "once its cache has expired")
	for _, e := range w.log.events {
		require.Equal(t, clinic, e.Tenant)
	}
	require.Equal(t, []string{"begun", "finished"}, w.log.phases())
	status, err = r.Status(t.Context(), clinic)
	require.NoError(t, err)
	require.Equal(t, phi.KeyStatus{Epoch: 2, Since: next.Created}, status)
	left, err := w.store.Count(t.Context(), phi.KeyQuery{Namespace: "app", Root: root.ID})
	require.NoError(t, err)
	require.Zero(t, left)
}

func TestRotatePatients(t *testing.T) {
	t.Parallel()
	w := newWorld()
	v := w.vault(t)
	w.populate(t, v)
	apart, err := w.store.Current(t.Context(), phi.KeySlot{Namespace: "app", Tenant: "clinic-2", Purpose: phi.PurposePatient, Patient: "p-1"})
	require.NoError(t, err)
	old := map[audit.Patient]phi.KeyID{}
	for _, p := range []audit.Patient{"p-1", "p-2", "p-3"} {
		old[p] = w.current(t, phi.PurposePatient, p).ID
	}
	job, err := w.rotator(t, v).Rotate(t.Context(), phi.RotatePatients, clinic)
	require.NoError(t, err)
	require.Equal(t, []int{3, 3, 0}, []int{job.Done, job.Total, job.Failed})
	root := w.current(t, phi.PurposeData, "")
	for p, id := range old {
		now := w.current(t, phi.PurposePatient, p)
		require.NotEqual(t, id, now.ID)
		require.EqualValues(t, 2, now.Epoch)
		require.Equal(t, root.ID, now.Root)
		was, err := w.store.Get(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, root.ID, was[0].Root, "the old key, too, is under the new root")
	}
	w.readable(t, v)
	w.readable(t, w.vault(t))
	same, err := w.store.Current(t.Context(), apart.KeySlot)
	require.NoError(t, err)
	require.Equal(t, apart, same, "another tenant's keys are not touched")
	require.NoError(t, w.seal(v, clinic, "p-1"))
	id, err := w.values[len(w.values)-1].sealed.KeyID()
	require.NoError(t, err)
	require.NotEqual(t, old["p-1"], id)
}

func TestRotatePatient(t *testing.T) {
	t.Parallel()
	w := newWorld()
	v := w.vault(t)
	w.populate(t, v)
	r := w.rotator(t, v)
	before, bystander := w.current(t, phi.PurposePatient, "p-1"), w.current(t, phi.PurposePatient, "p-2")
	require.NoError(t, r.RotatePatient(t.Context(), clinic, "p-1"))
	now := w.current(t, phi.PurposePatient, "p-1")
	require.EqualValues(t, 2, now.Epoch)
	require.Equal(t, before.Root, now.Root)
	require.Equal(t, bystander, w.current(t, phi.PurposePatient, "p-2"))
	require.NoError(t, w.seal(v, clinic, "p-1"))
	w.readable(t, w.vault(t))
	id, err := w.values[len(w.values)-1].sealed.KeyID()
	require.NoError(t, err)
	require.Equal(t, now.ID, id)
	require.Equal(t, []string{"begun", "finished"}, w.log.phases())
	require.Equal(t, []audit.Patient{"p-1"}, w.log.events[0].Patients)
	require.ErrorIs(t, r.RotatePatient(t.Context(), clinic, "nobody"), phi.ErrUnknownKey)
	require.ErrorIs(t, r.RotatePatient(t.Context(), clinic, ""), phi.ErrBinding)
}

// What cannot be recorded does not happen.
func TestRotationUnrecorded(t *testing.T) {
	t.Parallel()
	w := newWorld()
	v := w.vault(t)
	w.populate(t, v)
	r := w.rotator(t, v)
	w.log.err = errors.New("log is down")
	for _, kind := range []phi.RotationKind{phi.RotateRoot, phi.RotatePatients} {
		_, err := r.Rotate(t.Context(), kind, clinic)
		require.ErrorIs(t, err, phi.ErrUnrecorded)
		require.ErrorIs(t, err, w.log.err)
	}
	_, err := r.Rotate(t.Context(), phi.RotateKEK, "")
	require.ErrorIs(t, err, phi.ErrUnrecorded)
	require.ErrorIs(t, r.RotatePatient(t.Context(), clinic, "p-1"), phi.ErrUnrecorded)
	require.EqualValues(t, 1, w.current(t, phi.PurposeData, "").Epoch)
	require.EqualValues(t, 1, w.current(t, phi.PurposePatient, "p-1").Epoch)

	// A rotation whose end cannot be recorded is not finished.
	w.log.err = nil
	job, err := r.Begin(t.Context(), phi.RotateRoot, clinic)
	require.NoError(t, err)
	w.log.err = errors.New("log is down")
	job, err = r.Work(t.Context(), job)
	require.ErrorIs(t, err, phi.ErrUnrecorded)
	require.True(t, job.Finished.IsZero())
	w.log.err = nil
	again, err := r.Rotate(t.Context(), phi.RotateRoot, clinic)
	require.NoError(t, err)
	require.Equal(t, job.ID, again.ID)
	require.EqualValues(t, 2, w.current(t, phi.PurposeData, "").Epoch, "not a second one")
}

// The person who begins is the actor, and so is who works.
func TestRotationActor(t *testing.T) {
	t.Parallel()
	w := newWorld()
	v := w.vault(t)
	w.populate(t, v)
	ctx := audit.WithActor(t.Context(), audit.Actor{ID: "u-1", Kind: audit.KindStaff, Tenant: platform})
	job, err := w.rotator(t, v).Begin(ctx, phi.RotateRoot, clinic)
	require.NoError(t, err)
	_, err = w.rotator(t, v).Work(t.Context(), job)
	require.NoError(t, err)
	require.EqualValues(t, "u-1", w.log.events[0].Actor.ID)
	require.EqualValues(t, "system:key-rotation", w.log.events[1].Actor.ID)
}

// Beginning twice is one rotation; another kind of the same keys has to wait.
func TestBeginAgain(t *testing.T) {
	t.Parallel()
	w := newWorld()
	v := w.vault(t)
	w.populate(t, v)
	r := w.rotator(t, v)
	job, err := r.Begin(t.Context(), phi.RotateRoot, clinic)
	require.NoError(t, err)
	again, err := w.rotator(t, w.vault(t)).Begin(t.Context(), phi.RotateRoot, clinic)
	require.NoError(t, err)
	require.Equal(t, job, again)
	_, err = r.Begin(t.Context(), phi.RotatePatients, clinic)
	require.ErrorIs(t, err, phi.ErrRotating)
	_, err = r.Begin(t.Context(), phi.RotatePatients, "clinic-2")
	require.NoError(t, err)
	_, err = r.Begin(t.Context(), phi.RotateKEK, "")
	require.NoError(t, err)
	done, err := r.Work(t.Context(), job)
	require.NoError(t, err)
	same, err := r.Work(t.Context(), done)
	require.NoError(t, err)
	require.Equal(t, done, same, "finished is finished")
	next, err := r.Begin(t.Context(), phi.RotateRoot, clinic)
	require.NoError(t, err)
	require.NotEqual(t, job.ID, next.ID)
	require.EqualValues(t, 3, next.Target)

	all, err := r.Rotations(t.Context(), clinic, "", 10)
	require.NoError(t, err)
	require.Len(t, all, 2)
	older, err := r.Rotations(t.Context(), clinic, all[0].ID, 10)
	require.NoError(t, err)
	require.Equal(t, all[1:], older)
	keks, err := r.Rotations(t.Context(), "", "", 10)
	require.NoError(t, err)
	require.Len(t, keks, 1)
}

func TestRotationRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld()
	v := w.vault(t)
	for name, f := range map[string]func() (*phi.Rotator, error){
		"vault":    func() (*phi.Rotator, error) { return phi.NewRotator(nil, w.log, platform, nil) },
		"recorder": func() (*phi.Rotator, error) { return phi.NewRotator(v, nil, platform, nil) },
		"platform": func() (*phi.Rotator, error) { return phi.NewRotator(v, w.log, "", nil) },
		"batch": func() (*phi.Rotator, error) {
			return phi.NewRotator(v, w.log, platform, &phi.RotatorOptions{Batch: -1})
		},
		"poll": func() (*phi.Rotator, error) {
			return phi.NewRotator(v, w.log, platform, &phi.RotatorOptions{Poll: -1})
		},
	} {
		r, err := f()
		require.Error(t, err, name)
		require.Nil(t, r, name)
	}
	r := w.rotator(t, v)
	for _, c := range []struct {
		kind   phi.RotationKind
		tenant audit.Tenant
	}{{phi.RotateKEK, clinic}, {phi.RotateRoot, ""}, {phi.RotatePatients, "\xff"}, {"", clinic}, {"index", clinic}, {phi.RotateRows, clinic}} {
		_, err := r.Rotate(t.Context(), c.kind, c.tenant)
		require.ErrorIs(t, err, phi.ErrBinding)
	}
	require.Empty(t, w.log.events)
	_, err := r.Work(t.Context(), phi.Rotation{ID: "x", Kind: phi.RotateRoot, Namespace: "other", Tenant: clinic})
	require.ErrorIs(t, err, phi.ErrBinding)
	_, err = r.Rotations(t.Context(), clinic, "", 0)
	require.Error(t, err)
	_, err = r.Status(t.Context(), "")
	require.ErrorIs(t, err, phi.ErrBinding)
}

// Run does what others have begun, and ends with its context.
func TestRun(t *testing.T) {
	t.Parallel()
	w := newWorld()
	v := w.vault(t)
	w.populate(t, v)
	var mu sync.Mutex
	var seen []phi.Rotation
	r, err := phi.NewRotator(v, w.log, platform, &phi.RotatorOptions{Poll: time.Millisecond, Batch: 1, Progress: func(job phi.Rotation) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, job)
	}})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	page := w.rotator(t, w.vault(t)) // the page on another server
	job, err := page.Begin(t.Context(), phi.RotateRoot, clinic)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		all, err := page.Rotations(t.Context(), clinic, "", 1)
		return err == nil && all[0].ID == job.ID && !all[0].Finished.IsZero()
	}, 30*time.Second, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	mu.Lock()
	defer mu.Unlock()
	done := -1
	for _, job := range seen {
		require.GreaterOrEqual(t, job.Done, done, "progress never goes back")
		require.LessOrEqual(t, job.Done, job.Total)
		done = job.Done
	}
	require.Equal(t, 3, done)
	w.readable(t, v)
}

// While the KMS or the store is away, a rotation waits and then goes on.
func TestRotationIsPatient(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.populate(t, w.vault(t))
	failures := 0
	store := &hooked{KeyStore: w.store, before: func(op string) error {
		if failures > 0 {
			failures--
			return errors.New("restarting")
		}
		return nil
	}}
	v := openVault(t, w.kms, store, nil)
	r, err := phi.NewRotator(v, w.log, platform, &phi.RotatorOptions{Batch: 2})
	require.NoError(t, err)
	job, err := r.Begin(t.Context(), phi.RotateRoot, clinic)
	require.NoError(t, err)
	failures = 3
	_, err = r.Work(t.Context(), job)
	require.NoError(t, err)
	require.Zero(t, failures)

	// A refusal is no reason to wait.
	job, err = r.Begin(t.Context(), phi.RotateRoot, "clinic-2")
	require.NoError(t, err)
	w.kms.Fail(phi.ErrDenied)
	start := time.Now()
	_, err = r.Work(t.Context(), job)
	require.ErrorIs(t, err, phi.ErrDenied)
	require.Less(t, time.Since(start), 10*time.Second)
	require.Equal(t, "denied", w.log.events[len(w.log.events)-1].Code)
}

func TestRetryable(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		phi.ErrUnavailable: true, phi.ErrThrottled: true, phi.ErrDenied: false, phi.ErrWrongKey: false,
		phi.ErrTampered: false, phi.ErrUnknownKey: false, context.Canceled: false,
		fmt.Errorf("%w: %w", phi.ErrUnavailable, context.Canceled): false,
	} {
		require.Equal(t, want, phi.Retryable(err), err)
	}
	require.False(t, phi.Retryable(nil))
	require.ErrorIs(t, phi.ErrThrottled, phi.ErrUnavailable)
	require.ErrorIs(t, phi.ErrDenied, phi.ErrUnavailable)
}

// Run leaves a rotation that cannot finish alone for a while, and one that somebody else works
// on.
func TestRunIsPolite(t *testing.T) {
	t.Parallel()
	w := newWorld()
	v := w.vault(t)
	w.populate(t, v)
	page := w.rotator(t, v)
	_, err := page.Begin(t.Context(), phi.RotateRoot, clinic)
	require.NoError(t, err)
	arrived, goOn := make(chan struct{}), make(chan struct{}) // the worker before each look
	store := &hooked{KeyStore: w.store, before: func(op string) error {
		if op == "rotations" {
			arrived <- struct{}{}
			<-goOn
		}
		return nil
	}}
	worker, err := phi.NewRotator(openVault(t, w.kms, store, &phi.Options{Now: w.clk.Now}), w.log, platform,
		&phi.RotatorOptions{Poll: time.Millisecond, Patience: -1})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	w.kms.Fail(errors.New("down"))
	go func() { ended <- worker.Run(ctx) }()
	look := func(n int) {
		for range n {
			goOn <- struct{}{}
			<-arrived
		}
	}
	<-arrived
	look(10)
	require.Equal(t, []string{"begun", "stopped"}, w.log.phases(), "once, in ten looks")
	w.clk.Advance(10 * time.Millisecond)
	look(10)
	require.Equal(t, []string{"begun", "stopped", "stopped"}, w.log.phases())

	// Somebody else has done a part of it just now.
	w.kms.Fail(nil)
	jobs, err := w.store.Rotations(t.Context(), phi.RotationQuery{Namespace: "app", Unfinished: true, Limit: 1})
	require.NoError(t, err)
	w.clk.Advance(time.Hour)
	jobs[0].Updated = w.clk.Now()
	require.NoError(t, w.store.AdvanceRotation(t.Context(), jobs[0]))
	look(10)
	require.Len(t, w.log.phases(), 3)
	w.clk.Advance(15 * time.Second) // and has died
	for len(w.log.phases()) < 4 {
		look(1)
	}
	require.Equal(t, "finished", w.log.phases()[3])
	cancel()
	for {
		select {
		case <-arrived:
		case goOn <- struct{}{}:
		case err := <-ended:
			require.ErrorIs(t, err, context.Canceled)
			return
		}
	}
}
