package support

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// confirmWithin is how long a store is asked what became of a write that failed.
const confirmWithin = 5 * time.Second

// step records a change that gives something, and then makes it. next has the version that it was read with.
func (d *Desk) step(ctx context.Context, next *record, n note) error {
	expect := next.Version
	next.Version++
	row, err := d.seal(ctx, next)
	if err != nil {
		return err
	}
	n.ids = d.ids()
	if err := d.record(ctx, next, n); err != nil {
		// it may be on record all the same, and is not done: say so as well
		return d.undone(ctx, next, n, CodeNotApplied, err)
	}
	if err := d.p.Store.Apply(ctx, row, expect); err != nil {
		return d.settleStep(ctx, next, n, err)
	}
	return nil
}

// settleStep finds out what became of a write that failed: no error if it was done after all.
func (d *Desk) settleStep(ctx context.Context, next *record, n note, err error) error {
	if errors.Is(err, ErrConflict) || errors.Is(err, ErrOpen) {
		return d.undone(ctx, next, n, CodeNotApplied, err)
	}
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmWithin)
	defer cancel()
	code := CodeUnconfirmed
	switch now, rerr := d.read(asking, next.Tenant, next.ID); {
	case rerr == nil && reflect.DeepEqual(now, next.clone()):
		return nil
	case rerr == nil && now.Version < next.Version, errors.Is(rerr, ErrNotFound) && next.Version == 1:
		code = CodeNotApplied
	}
	return d.undone(ctx, next, n, code, unavailable("writing", err))
}

// undone records that what was recorded did not happen, as far as is known, and returns why.
func (d *Desk) undone(ctx context.Context, r *record, n note, code string, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmWithin)
	defer cancel()
	n.outcome, n.code, n.ids = audit.MajorFailure, code, [2]string{}
	return errors.Join(why, d.record(ctx, r, n))
}

// denied records that somebody tried what a rule forbids, and returns why.
func (d *Desk) denied(ctx context.Context, r *record, n note, code string, why error) error {
	n.outcome, n.code = audit.Failure, code
	return errors.Join(why, d.record(ctx, r, n))
}
