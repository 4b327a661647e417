package phi

import (
	"context"
	"errors"
	"fmt"
)

// fillPasses bounds how often a back-fill goes through all rows. The second pass is for rows
// that somebody was writing when the first one came by.
const fillPasses = 5

// fillIndex gives the rows that were written before the rotation their terms under the new
// root. What is left is read off the terms, so that it ends where no row is behind, whoever
// did it.
func (r *Rotator) fillIndex(ctx context.Context, n *run) error {
	first := r.o.Rows[0].Entity + "/"
	r.v.indexes.forget(n.job.Tenant) // another process may have begun this phase
	if n.job.Cursor == "" {
		if err := r.require(ctx, n.job.Tenant, n.job.Target-1, n.job.Target); err != nil {
			return err
		}
		left, err := r.behind(ctx, n)
		if err != nil {
			return err
		}
		moved, err := r.advance(ctx, n, func(job *Rotation) { job.Cursor, job.Total = first, left.rows })
		if err != nil || moved {
			return err
		}
	}
	for range fillPasses {
		if err := r.fillPass(ctx, n); err != nil || !r.filling(n) {
			return err
		}
		left, err := r.behind(ctx, n)
		if err != nil {
			return err
		}
		if left.rows == 0 {
			return r.enterPhase(ctx, n, PhaseRetire)
		}
		moved, err := r.advance(ctx, n, func(job *Rotation) { job.Cursor, job.Failed = first, left.rows })
		switch {
		case err != nil || moved:
			return err
		case left.rows <= len(n.rows):
			return n.stuckRows(left)
		}
	}
	left, err := r.behind(ctx, n)
	if err == nil && left.rows > 0 {
		err = n.stuckRows(left)
	}
	return err
}

// filling reports whether nobody else has ended this phase.
func (r *Rotator) filling(n *run) bool { return n.job.Phase == PhaseDual && n.job.Finished.IsZero() }

// fillPass goes through the pages that are left of one pass.
func (r *Rotator) fillPass(ctx context.Context, n *run) error {
	for r.filling(n) {
		rows, cursor := r.place(n.job.Cursor)
		if rows == nil {
			return nil
		}
		page, next, err := rows.Page(ctx, n.job.Tenant, cursor)
		if err != nil {
			return err
		}
		if next != "" && next == cursor {
			return fmt.Errorf("%w: the rows of entity %q do not end", ErrBinding, rows.Entity)
		}
		done, err := r.fillPage(ctx, n, rows, page)
		if err != nil {
			return err
		}
		_, err = r.advance(ctx, n, func(job *Rotation) {
			job.Cursor, job.Done, job.Failed = r.after(rows, next), job.Done+done, len(n.rows)
			job.Total = max(job.Total, job.Done)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// fillPage gives the rows of a page their terms, a batch at once. Where a batch holds a
// duplicate, its rows are done one by one and that one is left.
func (r *Rotator) fillPage(ctx context.Context, n *run, of *IndexRows, page []Terms) (done int, err error) {
	for _, row := range page {
		if row.Entity != of.Entity {
			return 0, fmt.Errorf("%w: a row of another entity among those of %q", ErrBinding, of.Entity)
		}
		if row.CheckEpochs(0, byte(n.job.Target)) != nil {
			return 0, fmt.Errorf("%w: the terms are of another vault than the rotator's", ErrStaleTerms)
		}
	}
	for len(page) > 0 {
		size := min(len(page), r.o.Batch)
		batch := page[:size]
		page = page[size:]
		some, err := r.reindex(ctx, n, batch)
		if errors.Is(err, ErrDuplicate) {
			some, err = r.oneByOne(ctx, n, batch)
		}
		if err != nil {
			return done, err
		}
		done += some
	}
	return done, nil
}

func (r *Rotator) oneByOne(ctx context.Context, n *run, batch []Terms) (done int, err error) {
	for _, row := range batch {
		id := row.Entity + "/" + row.Row
		some, err := r.reindex(ctx, n, []Terms{row})
		if errors.Is(err, ErrDuplicate) {
			n.rows[id] = err
			continue
		}
		if err != nil {
			return done, err
		}
		delete(n.rows, id)
		done += some
	}
	return done, nil
}

func (r *Rotator) reindex(ctx context.Context, n *run, batch []Terms) (done int, err error) {
	err = r.patiently(ctx, func() (err error) {
		done, err = r.o.Terms.Reindex(ctx, n.job.Tenant, byte(n.job.Target), batch)
		if err != nil && !errors.Is(err, ErrDuplicate) && !errors.Is(err, ErrBinding) {
			return unavailable("storing index terms", err)
		}
		return err
	})
	return done, err
}

// lagging is what a back-fill has not done.
type lagging struct {
	rows   int
	entity string // one of those that they are of
}

func (r *Rotator) behind(ctx context.Context, n *run) (left lagging, err error) {
	err = r.patiently(ctx, func() error {
		all, err := r.o.Terms.Behind(ctx, n.job.Tenant, byte(n.job.Target))
		if err != nil {
			return unavailable("counting rows", err)
		}
		left = lagging{}
		for entity, rows := range all {
			left.rows += rows
			if left.entity == "" || entity < left.entity {
				left.entity = entity
			}
		}
		return nil
	})
	return left, err
}

// stuckRows returns ErrStuck with one of the causes. Rows that no page had are those that were
// deleted without their terms, or of an entity that the rotator was not given.
func (n *run) stuckRows(left lagging) error {
	for _, cause := range n.rows {
		return fmt.Errorf("%w: %d rows: %w", ErrStuck, left.rows, cause)
	}
	return fmt.Errorf("%w: %d rows, of entity %q among others, have terms and no page had them", ErrStuck, left.rows, left.entity)
}
