package phi

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// recordTimeout bounds the record of a rotation that ended because its context did.
const recordTimeout = 10 * time.Second

// run is one process's work on one rotation.
type run struct {
	job    Rotation
	failed map[KeyID]error  // keys that could not be re-wrapped
	rows   map[string]error // rows that could not be indexed anew, by entity and id
}

// begin records and stores job, or returns the unfinished one in its place.
func (r *Rotator) begin(ctx context.Context, job Rotation) (Rotation, error) {
	found, err := r.existing(ctx, job)
	if err != nil || found.ID != "" {
		return found, err
	}
	if err := r.plan(ctx, &job); err != nil {
		return job, err
	}
	now := r.v.now().UTC().Truncate(time.Microsecond)
	job.ID, job.Started, job.Updated, job.Version = audit.NewID(now), now, now, 1
	if err := r.record(ctx, job, "begun", ""); err != nil {
		return job, err
	}
	return r.enter(ctx, job)
}

// enter stores job, unless somebody else was faster: then that rotation is the one. Where it
// has ended before it could be read, the lane is free again, and job, whose target has been
// reached, finds little left to do.
func (r *Rotator) enter(ctx context.Context, job Rotation) (Rotation, error) {
	for range maxPasses {
		err := r.v.keys.BeginRotation(ctx, job)
		switch {
		case err == nil:
			return job, nil
		case !errors.Is(err, ErrRotating):
			return job, unavailable("storing a rotation", err)
		}
		found, err := r.existing(ctx, job)
		if err != nil || found.ID != "" {
			return found, err
		}
	}
	return job, ErrRotating
}

// existing returns the unfinished rotation in job's place, a zero one where there is none, and
// ErrRotating where it is of another kind.
func (r *Rotator) existing(ctx context.Context, job Rotation) (Rotation, error) {
	found, err := r.v.keys.Rotations(ctx, RotationQuery{
		Namespace: job.Namespace, Tenant: &job.Tenant, Unfinished: true, Limit: 1000,
	})
	if err != nil {
		return job, unavailable("reading rotations", err)
	}
	for _, have := range found {
		switch {
		case have.Lane() != job.Lane():
		case have.Kind != job.Kind:
			return have, ErrRotating
		default:
			return have, nil
		}
	}
	return Rotation{}, nil
}

// plan sets what the rotation aims at, and how much there is to do.
func (r *Rotator) plan(ctx context.Context, job *Rotation) (err error) {
	switch job.Kind {
	case RotateKEK:
		job.Total, err = r.count(ctx, []Key{{}}) // under no root: wrapped by the KMS
	case RotateRoot, RotatePatients:
		root, err := r.v.dataRoot(ctx, job.Tenant)
		if err != nil {
			return err
		}
		if root.epoch == 1<<32-1 {
			return fmt.Errorf("%w: no epoch is left", ErrBinding)
		}
		job.Target = root.epoch + 1
		older, err := r.rootsOf(ctx, job.Tenant, KeyID{})
		if err != nil {
			return err
		}
		job.Total, err = r.count(ctx, older)
		return err
	case RotateIndex:
		return r.planIndex(ctx, job)
	}
	return err
}

// do works on job and keeps its place in the log and in the store.
func (r *Rotator) do(ctx context.Context, job Rotation, work func(context.Context, *run) error) (Rotation, error) {
	if job.Namespace != r.v.namespace || job.ID == "" {
		return job, ErrBinding
	}
	if !job.Finished.IsZero() {
		return job, nil
	}
	n := &run{job: job, failed: map[KeyID]error{}, rows: map[string]error{}}
	err := work(ctx, n)
	if err == nil && len(n.failed) > 0 {
		err = n.stuck()
	}
	if errors.Is(err, errSettling) {
		return n.job, nil
	}
	if err == nil {
		err = r.finish(ctx, n)
	}
	if err != nil {
		return n.job, r.stop(ctx, n, err)
	}
	return n.job, nil
}

// stuck returns ErrStuck with one of the causes.
func (n *run) stuck() error {
	for _, cause := range n.failed {
		return fmt.Errorf("%w: %d keys: %w", ErrStuck, len(n.failed), cause)
	}
	return nil
}

// finish records the end and then stores it. A crash in between records it twice.
func (r *Rotator) finish(ctx context.Context, n *run) error {
	if err := r.record(ctx, n.job, "finished", ""); err != nil {
		return err
	}
	for n.job.Finished.IsZero() {
		if _, err := r.advance(ctx, n, func(job *Rotation) { job.Finished = job.Updated }); err != nil {
			return err
		}
	}
	return nil
}

// stop records that work ended before the rotation did.
func (r *Rotator) stop(ctx context.Context, n *run, cause error) error {
	if errors.Is(cause, ErrUnrecorded) {
		return cause
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	if err := r.record(ctx, n.job, "stopped", stopCode(cause)); err != nil {
		return errors.Join(cause, err)
	}
	return cause
}

func stopCode(err error) string {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "cancelled"
	case errors.Is(err, ErrStuck):
		return "stuck"
	case errors.Is(err, ErrDenied):
		return "denied"
	case errors.Is(err, ErrUnavailable):
		return "unavailable"
	}
	return "failed"
}

// advance applies change to the stored rotation. Where another process has moved it, it
// takes over what that one wrote instead, and reports so.
func (r *Rotator) advance(ctx context.Context, n *run, change func(*Rotation)) (moved bool, err error) {
	next := n.job
	next.Updated = r.v.now().UTC().Truncate(time.Microsecond)
	change(&next)
	err = r.patiently(ctx, func() error {
		err := r.v.keys.AdvanceRotation(ctx, next)
		if err == nil || errors.Is(err, ErrRotationMoved) {
			return err
		}
		return unavailable("storing a rotation's progress", err)
	})
	if errors.Is(err, ErrRotationMoved) {
		return true, r.reload(ctx, n)
	}
	if err == nil {
		next.Version++
		n.job = next
		r.report(n.job)
	}
	return false, err
}

// reload reads the rotation as another process left it.
func (r *Rotator) reload(ctx context.Context, n *run) error {
	return r.patiently(ctx, func() error {
		job, err := r.v.keys.Rotation(ctx, n.job.Namespace, n.job.ID)
		if errors.Is(err, ErrNoRotation) {
			return err
		}
		if err != nil {
			return unavailable("reading a rotation", err)
		}
		n.job = job
		return nil
	})
}

func (r *Rotator) report(job Rotation) {
	if r.o.Progress != nil {
		r.o.Progress(job)
	}
}

// record makes durable what happens to a rotation. The actor is the one in ctx, or the
// application itself.
func (r *Rotator) record(ctx context.Context, job Rotation, phase, code string) error {
	e := audit.Event{
		Tenant: job.Tenant, Action: audit.ActionKeyRotated, Verb: audit.Update, Code: code,
		Objects: []audit.Object{{Type: "key.rotation", ID: job.ID}},
		Detail: map[string]string{
			"kind": string(job.Kind), "phase": phase, "target": strconv.FormatUint(uint64(job.Target), 10),
			"done": strconv.Itoa(job.Done), "failed": strconv.Itoa(job.Failed), "total": strconv.Itoa(job.Total),
		},
	}
	if job.Phase != "" {
		e.Detail["roots"] = string(job.Phase)
	}
	if code != "" {
		e.Outcome = audit.MinorFailure
	}
	return r.write(ctx, e)
}

func (r *Rotator) write(ctx context.Context, e audit.Event) error {
	if e.Tenant == "" {
		e.Tenant = r.platform
	}
	a, ok := audit.ActorFrom(ctx)
	if !ok {
		a = audit.System(e.Tenant, "key-rotation")
	}
	e.Actor = a
	if err := r.rec.Record(ctx, e); err != nil {
		return fmt.Errorf("%w: %w", ErrUnrecorded, err)
	}
	return nil
}
