package support

import (
	"context"
	"errors"
	"time"
)

// grace is how long an approval waits for its grant before it counts as not made.
const grace = time.Minute

// Run closes what is over, settles what was left half-way and tells what is due, of all tenants, every
// Options.Every until ctx ends. It returns ctx's error. Several servers may run it.
func (d *Desk) Run(ctx context.Context) error {
	d.count(1)
	defer d.count(-1)
	tick := time.NewTicker(d.o.Every)
	defer tick.Stop()
	for {
		err := d.Tick(ctx)
		if ctx.Err() == nil {
			d.mu.Lock()
			d.failed = err
			d.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (d *Desk) count(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running += n
}

// Health returns what Run failed with last, nil if it succeeded, or ErrNotRunning.
func (d *Desk) Health(context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failed == nil && d.running == 0 {
		return ErrNotRunning
	}
	return d.failed
}

// Tick is one round of Run. What fails for one access keeps no other from its turn.
func (d *Desk) Tick(ctx context.Context) error {
	var rows []Row
	for row, err := range d.p.Store.Active(ctx) {
		if err != nil {
			return unavailable("listing", err)
		}
		rows = append(rows, row)
	}
	var failed []error
	for _, row := range rows {
		if err := d.look(ctx, row); err != nil && !errors.Is(err, ErrConflict) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// look does what is due of one access.
func (d *Desk) look(ctx context.Context, row Row) error {
	r, err := d.unseal(ctx, row)
	if err != nil {
		return err
	}
	if r, err = d.tidy(ctx, r); err != nil {
		return err
	}
	if r.State == Approved && !d.now().Before(r.Approved.Add(grace)) {
		switch ok, err := d.granted(ctx, &r); {
		case err != nil:
			return err
		case !ok:
			if r, err = d.close(ctx, r, closing{state: Ended, how: NotGranted, by: d.system(&r)}); err != nil {
				return err
			}
		}
	}
	if !r.State.Open() {
		if r, err = d.settled(ctx, r); err != nil {
			return err
		}
	}
	_, err = d.tell(ctx, r)
	return err
}
