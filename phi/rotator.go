package phi

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Defaults of RotatorOptions.
const (
	DefaultRotationBatch = 500             // keys
	DefaultRotationPoll  = 5 * time.Second // of Run
)

// RotatorOptions of NewRotator. Nil means the defaults.
type RotatorOptions struct {
	// Batch is how many keys are re-wrapped at once, DefaultRotationBatch where 0.
	Batch int
	// Progress, if set, is called whenever a rotation has come further.
	Progress func(Rotation)
	// Poll is how often Run looks for rotations that were begun, DefaultRotationPoll where 0.
	Poll time.Duration
	// Patience is how long a step is repeated while the KMS or the key store cannot be asked,
	// 30 seconds where 0, not at all where negative.
	Patience time.Duration
	// Terms and Rows are what RotateIndex works on: where the terms are, and the rows of every
	// entity that has an index.
	Terms IndexStore
	Rows  []IndexRows
	// Settle is how long RotateIndex waits after each change of phase for all servers to follow.
	// It must not be less than the longest Options.CacheTTL of any of them; that of the vault
	// and 30 seconds where 0. It waits for nobody where negative, which is for tests, and for an
	// application that is this process alone.
	Settle time.Duration
}

// Rotator replaces keys while the application runs. Nothing is unreadable at any moment, and
// nothing is lost when a process dies half-way: whoever rotates next goes on where it ended.
// Two at once do no harm. Other servers seal under the old keys until their caches expire,
// which stays readable.
//
// Every rotation is recorded before it begins, and is not finished before that is recorded:
// as done by the actor in ctx, or by the system where there is none.
type Rotator struct {
	v        *Vault
	rec      audit.Recorder
	platform audit.Tenant
	o        RotatorOptions
	settle   settling
}

// NewRotator returns a Rotator of v's keys. RotateKEK, which concerns every tenant, is recorded
// in the log of platform, the tenant of those who operate the application.
func NewRotator(v *Vault, rec audit.Recorder, platform audit.Tenant, o *RotatorOptions) (*Rotator, error) {
	if v == nil || rec == nil || platform == "" {
		return nil, errors.New("phi: new rotator: vault, recorder and platform tenant are required")
	}
	r := &Rotator{v: v, rec: rec, platform: platform}
	if o != nil {
		r.o = *o
	}
	if r.o.Batch < 0 || r.o.Poll < 0 {
		return nil, errors.New("phi: new rotator: negative batch or poll")
	}
	if r.o.Batch == 0 {
		r.o.Batch = DefaultRotationBatch
	}
	if r.o.Poll == 0 {
		r.o.Poll = DefaultRotationPoll
	}
	if r.o.Patience == 0 {
		r.o.Patience = 30 * time.Second
	}
	if r.o.Settle == 0 {
		r.o.Settle = v.ttl + 30*time.Second
	}
	if err := checkRows(r.o.Terms, r.o.Rows); err != nil {
		return nil, err
	}
	return r, nil
}

// Rotate begins a rotation and works until it is finished. Where one of the same kind and
// tenant was left unfinished, it finishes that one instead: after a crash, call it again. The
// tenant is empty for RotateKEK. It returns how far it came, with ErrRotating where another
// kind of rotation has to be finished first, ErrStuck where some keys could not be re-wrapped,
// ErrUnavailable and ErrUnrecorded.
func (r *Rotator) Rotate(ctx context.Context, kind RotationKind, t audit.Tenant) (Rotation, error) {
	job, err := r.Begin(ctx, kind, t)
	if err != nil {
		return job, err
	}
	return r.Work(ctx, job)
}

// Begin records and stores that a rotation begins, for Work or a running Run to do it. Where
// one of the same kind and tenant is not finished, it returns that one.
func (r *Rotator) Begin(ctx context.Context, kind RotationKind, t audit.Tenant) (Rotation, error) {
	job := Rotation{Namespace: r.v.namespace, Tenant: t, Kind: kind}
	switch kind {
	case RotateKEK:
		if t != "" {
			return job, fmt.Errorf("%w: rotating the key-encryption key concerns every tenant", ErrBinding)
		}
	case RotateRoot, RotatePatients, RotateIndex:
		if t == "" || !storable(string(t)) {
			return job, ErrBinding
		}
		if kind == RotateIndex && r.o.Terms == nil {
			return job, errNoTerms
		}
	default:
		return job, fmt.Errorf("%w: unknown kind of rotation", ErrBinding)
	}
	return r.begin(ctx, job)
}

// Work does what is left of a rotation that was begun, here or elsewhere. RotateIndex takes at
// least twice RotatorOptions.Settle.
func (r *Rotator) Work(ctx context.Context, job Rotation) (Rotation, error) {
	for {
		var err error
		if job, err = r.step(ctx, job); err != nil || !job.Finished.IsZero() {
			return job, err
		}
		if err := sleep(ctx, r.settle.left(job, r.o.Settle, r.v.tick())); err != nil {
			return job, err
		}
	}
}

// step is Work that returns a rotation unfinished where it has to wait for other servers.
func (r *Rotator) step(ctx context.Context, job Rotation) (Rotation, error) {
	var work func(context.Context, *run) error
	switch job.Kind {
	case RotateKEK:
		work = r.rewrapRoots
	case RotateRoot, RotatePatients:
		work = r.rewrapPatients
	case RotateIndex:
		if r.o.Terms == nil {
			return job, errNoTerms
		}
		work = r.rotateIndex
	default:
		return job, fmt.Errorf("%w: a sweep is continued by Sweep", ErrBinding)
	}
	return r.do(ctx, job, work)
}

// Run works on every rotation of keys or an index that was begun, or was left by a process that died,
// until ctx ends. The host runs it in one process or in several. A rotation that fails is
// tried again, at first soon, then once an hour; what failed is in the audit log and in
// Rotations, so Run returns only ctx's error.
func (r *Rotator) Run(ctx context.Context) error {
	failed := map[string]retry{}
	for {
		jobs, err := r.unfinished(ctx)
		for _, job := range jobs {
			if err == nil && r.mine(job) && failed[job.ID].due(r.v.now()) {
				r.attempt(ctx, job, failed)
			}
		}
		if err := sleep(ctx, r.o.Poll); err != nil {
			return err
		}
	}
}

// mine reports whether Run can do something for job now.
func (r *Rotator) mine(job Rotation) bool {
	switch job.Kind {
	case RotateRows:
		return false
	case RotateIndex:
		if r.o.Terms == nil {
			return false
		}
		if job.settling() { // everybody waits, nobody is at work
			return r.settle.left(job, r.o.Settle, r.v.tick()) <= 0
		}
	}
	return !r.busy(job)
}

// retry is when a rotation that failed is tried again.
type retry struct {
	at   time.Time
	wait time.Duration
}

func (t retry) due(now time.Time) bool { return !now.Before(t.at) }

func (r *Rotator) attempt(ctx context.Context, job Rotation, failed map[string]retry) {
	if _, err := r.step(ctx, job); err == nil {
		delete(failed, job.ID)
		return
	}
	wait := min(max(2*failed[job.ID].wait, r.o.Poll), time.Hour)
	failed[job.ID] = retry{r.v.now().Add(wait), wait}
}

// busy reports whether somebody seems to be at work. Two would do no harm, and no good.
func (r *Rotator) busy(job Rotation) bool {
	const rest = 15 * time.Second
	since := r.v.now().Sub(job.Updated)
	return job.Version > 1 && since >= 0 && since < rest
}

// Rotations returns up to limit rotations of a tenant, the latest first: of RotateKEK where t
// is empty. Before is the ID of the last one on the previous page, or empty.
func (r *Rotator) Rotations(ctx context.Context, t audit.Tenant, before string, limit int) ([]Rotation, error) {
	if limit < 1 {
		return nil, errors.New("phi: listing rotations: limit below 1")
	}
	found, err := r.v.keys.Rotations(ctx, RotationQuery{Namespace: r.v.namespace, Tenant: &t, Before: before, Limit: limit})
	if err != nil {
		return nil, unavailable("listing rotations", err)
	}
	return found, nil
}

func (r *Rotator) unfinished(ctx context.Context) ([]Rotation, error) {
	const many = 1000 // a host that begins more at once gets the rest at the next look
	return r.v.keys.Rotations(ctx, RotationQuery{Namespace: r.v.namespace, Unfinished: true, Limit: many})
}

// KeyStatus says how a tenant's keys stand.
type KeyStatus struct {
	Epoch  uint32    // of the data root that seals; 0 where nothing was sealed yet
	Since  time.Time // when it was made
	Behind int       // patients' keys that an older root wraps
}

// Status returns how the tenant's keys stand, as the store says.
func (r *Rotator) Status(ctx context.Context, t audit.Tenant) (KeyStatus, error) {
	var s KeyStatus
	if t == "" {
		return s, ErrBinding
	}
	rec, err := r.v.keys.Current(ctx, r.v.slot(slot{tenant: t, purpose: PurposeData}))
	if errors.Is(err, ErrKeyNotFound) {
		return s, nil
	}
	if err != nil {
		return s, unavailable("reading the current key", err)
	}
	s.Epoch, s.Since = rec.Epoch, rec.Created
	older, err := r.rootsOf(ctx, t, rec.ID)
	if err == nil {
		s.Behind, err = r.count(ctx, older)
	}
	return s, err
}

// sleep waits for d, or for ctx.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// patiently repeats f while its error is one that may pass, for as long as Patience.
func (r *Rotator) patiently(ctx context.Context, f func() error) error {
	wait := 50 * time.Millisecond
	for waited := time.Duration(0); ; {
		err := f()
		pause := wait/2 + rand.N(wait)
		if err == nil || !Retryable(err) || waited+pause > r.o.Patience {
			return err
		}
		if sleep(ctx, pause) != nil {
			return err
		}
		waited += pause
		wait = min(2*wait, 5*time.Second)
	}
}
