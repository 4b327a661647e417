package phi

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// IndexRows is how a rotation of an index reads the rows of one entity.
type IndexRows struct {
	Entity string
	// Page returns the terms, from Codec.Terms, of the rows after the one that cursor names, in
	// the order of their ids, from the first where it is empty; and the cursor of the next page,
	// empty where no row is left. A few hundred rows are a good page. It may be called again
	// with the same cursor, and by two processes at once; it needs no lock: a row that is
	// written meanwhile has its new terms from that.
	Page func(ctx context.Context, t audit.Tenant, cursor string) (rows []Terms, next string, err error)
}

var (
	errNoTerms  = fmt.Errorf("%w: RotatorOptions.Terms is needed to rotate an index", ErrBinding)
	errSettling = errors.New("phi: other servers have to follow first")
)

func checkRows(terms IndexStore, rows []IndexRows) error {
	if (terms == nil) != (len(rows) == 0) {
		return errors.New("phi: new rotator: Terms and Rows are given together")
	}
	seen := map[string]bool{}
	for _, r := range rows {
		if !isName(r.Entity) || r.Page == nil || seen[r.Entity] {
			return fmt.Errorf("phi: new rotator: rows of entity %q: no name, no page, or twice", r.Entity)
		}
		seen[r.Entity] = true
	}
	return nil
}

// settling remembers when this process first saw each rotation in its phase. Other clocks
// would have to agree with this one.
type settling struct {
	mu    sync.Mutex
	since map[string]time.Time
}

// settling reports whether r is in a phase that has not begun to do anything.
func (r Rotation) settling() bool {
	return r.Cursor == "" && (r.Phase == PhaseDual || r.Phase == PhaseRetire)
}

// left returns how long job still has to wait for other servers, once it was seen for the
// first time.
func (s *settling) left(job Rotation, wait time.Duration, now time.Time) time.Duration {
	if wait <= 0 || !job.settling() {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since == nil {
		s.since = map[string]time.Time{}
	}
	id := job.ID + "/" + string(job.Phase)
	first, ok := s.since[id]
	if !ok {
		first = now
		s.since[id] = now
	}
	return wait - now.Sub(first)
}

// planIndex sets the epoch that a rotation of the index leads to.
func (r *Rotator) planIndex(ctx context.Context, job *Rotation) error {
	live, err := r.v.loadIndex(ctx, job.Tenant)
	if err != nil {
		return err
	}
	_, to := live.place.epochs()
	if to == maxIndexEpoch {
		return fmt.Errorf("%w: no epoch is left", ErrBinding)
	}
	job.Target, job.Phase = to+1, PhasePrepare
	return nil
}

// rotateIndex is RotateIndex. Each phase begins where the one before has ended, whoever did
// that; a cursor says that a phase has begun.
func (r *Rotator) rotateIndex(ctx context.Context, n *run) error {
	for n.job.Finished.IsZero() {
		if r.settle.left(n.job, r.o.Settle, r.v.tick()) > 0 {
			return errSettling
		}
		var done bool
		var err error
		switch n.job.Phase {
		case PhasePrepare:
			done, err = r.prepareIndex(ctx, n)
		case PhaseDual:
			err = r.fillIndex(ctx, n)
		case PhaseRetire:
			done, err = r.retireIndex(ctx, n)
		default:
			err = fmt.Errorf("%w: unknown phase", ErrRotationMoved)
		}
		if err != nil || done {
			return err
		}
	}
	return nil
}

// enterPhase records a phase and moves to it.
func (r *Rotator) enterPhase(ctx context.Context, n *run, phase RotationPhase) error {
	next := n.job
	next.Phase = phase
	if err := r.record(ctx, next, "advanced", ""); err != nil {
		return err
	}
	_, err := r.advance(ctx, n, func(job *Rotation) {
		job.Phase, job.Cursor, job.Failed = phase, "", 0
		job.Done = job.Total // those that a process did and was killed before it could say so too
	})
	r.v.indexes.forget(n.job.Tenant)
	return err
}

// prepareIndex makes the new root. A rotation that was begun when another one had just ended at
// its target has nothing to do; one that another process has taken further is followed there.
func (r *Rotator) prepareIndex(ctx context.Context, n *run) (done bool, err error) {
	t, here := n.job.Tenant, indexPlace(n.job.Target)*4
	var live *liveRoots
	err = r.patiently(ctx, func() error {
		if live, err = r.v.loadIndex(ctx, t); err != nil || live.place > here {
			return err
		}
		return r.v.create(ctx, slot{tenant: t, purpose: PurposeIndex}, n.job.Target)
	})
	switch {
	case err != nil:
		return false, err
	case live.place <= here:
		return false, r.enterPhase(ctx, n, PhaseDual)
	}
	if err := r.reload(ctx, n); err != nil {
		return false, err
	}
	return n.job.Phase == PhasePrepare && live.place >= here+3, nil
}

// require makes the store refuse what servers write that have not followed.
func (r *Rotator) require(ctx context.Context, t audit.Tenant, floor, need uint32) error {
	r.v.indexes.forget(t)
	return r.patiently(ctx, func() error {
		if err := r.o.Terms.RequireTerms(ctx, t, byte(floor), byte(need)); err != nil {
			return unavailable("requiring index terms", err)
		}
		return nil
	})
}

// retireIndex removes the terms of older epochs.
func (r *Rotator) retireIndex(ctx context.Context, n *run) (done bool, err error) {
	t, target := n.job.Tenant, n.job.Target
	if n.job.Cursor == "" {
		if err := r.require(ctx, t, target, target); err != nil {
			return false, err
		}
		if moved, err := r.advance(ctx, n, func(job *Rotation) { job.Cursor = "/" }); err != nil || moved {
			return false, err
		}
	}
	for {
		dropped := 0
		err := r.patiently(ctx, func() (err error) {
			if dropped, err = r.o.Terms.DropTerms(ctx, t, byte(target), r.o.Batch); err != nil {
				return unavailable("deleting index terms", err)
			}
			return nil
		})
		if err != nil || dropped < r.o.Batch {
			return err == nil, err
		}
	}
}

// place is where a back-fill is: before the row after cursor of an entity. Behind the last
// entity it is empty.
func (r *Rotator) place(cursor string) (rows *IndexRows, after string) {
	entity, after, _ := strings.Cut(cursor, "/")
	for i := range r.o.Rows {
		if r.o.Rows[i].Entity == entity {
			return &r.o.Rows[i], after
		}
	}
	return nil, ""
}

// after returns the cursor of the page that follows.
func (r *Rotator) after(rows *IndexRows, next string) string {
	if next != "" {
		return rows.Entity + "/" + next
	}
	for i := range r.o.Rows {
		if r.o.Rows[i].Entity == rows.Entity && i+1 < len(r.o.Rows) {
			return r.o.Rows[i+1].Entity + "/"
		}
	}
	return "/"
}
