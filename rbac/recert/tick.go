package recert

import (
	"context"
	"errors"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Report is what one Tick did and found.
type Report struct {
	Started    []Ref // rounds that began
	Effects    []Ref // effects that were made and confirmed
	Exceptions []Ref // what needs somebody's attention
}

// Ref names an item, or with Seq 0 a campaign, and what about it.
type Ref struct {
	Tenant    audit.Tenant
	Campaign  string
	Seq       int64
	Do        Change    // of an effect
	Exception Exception // of an exception
}

func (rep *Report) effect(i *Item) {
	if rep != nil {
		rep.Effects = append(rep.Effects, Ref{Tenant: i.Tenant, Campaign: i.Campaign, Seq: i.Seq, Do: i.last().Do})
	}
}

// Tick does what is due at now in the active campaigns of all tenants: begins rounds, closes what is
// gone, flags what was given again, orders and carries out what is overdue, tries again what failed,
// and tells people. Call it every hour or so; any number of servers may at once, and again after any
// error or crash: what was done is not done twice. A campaign that fails does not keep the others
// back. An earlier now than before does nothing.
func (r *Campaigns) Tick(ctx context.Context, now time.Time) (Report, error) {
	var rep Report
	var active []Campaign
	for c, err := range r.store.Active(ctx) {
		if err != nil {
			return rep, unavailable("reading the active campaigns", err)
		}
		active = append(active, c)
	}
	var bad []error
	seen := map[audit.Tenant]*census{}
	for _, c := range active {
		err := r.tend(system(ctx, c.Tenant), c, moment(now), seen, &rep)
		if ctx.Err() != nil {
			return rep, unavailable("looking after campaigns", ctx.Err())
		}
		bad = append(bad, err)
	}
	return rep, errors.Join(bad...)
}

// tend looks after one campaign.
func (r *Campaigns) tend(ctx context.Context, c Campaign, now time.Time, seen map[audit.Tenant]*census, rep *Report) error {
	bad := r.round(ctx, c, now, rep)
	if c.State != Open {
		return bad
	}
	if seen[c.Tenant] == nil {
		seen[c.Tenant] = r.census(ctx, c.Tenant, now)
	}
	for _, step := range []func() error{
		func() error { return r.late(ctx, c.Tenant, c.ID, seen[c.Tenant], now) },
		func() error { return r.absent(ctx, c.Tenant, c.ID, now) },
		func() error { return r.overdue(ctx, c.Tenant, c.ID, now) },
		func() error { return r.carry(ctx, c.Tenant, c.ID, 0, rep) },
		func() error { return r.tell(ctx, c.Tenant, c.ID, now, rep) },
	} {
		if ctx.Err() != nil {
			break
		}
		bad = errors.Join(bad, step())
	}
	return bad
}

func ignoreSigned(err error) error {
	if errors.Is(err, ErrSigned) {
		return nil
	}
	return err
}

func ignoreConflict(err error) error {
	if errors.Is(err, ErrConflict) {
		return nil // somebody else was quicker; the next Tick looks again
	}
	return err
}

// Run calls Tick every Options.Every until ctx ends, and returns ctx's error. Several servers may run
// it.
func (r *Campaigns) Run(ctx context.Context) error {
	r.count(1)
	defer r.count(-1)
	tick := time.NewTicker(r.o.Every)
	defer tick.Stop()
	for {
		_, err := r.Tick(ctx, r.now())
		if ctx.Err() == nil {
			r.mu.Lock()
			r.failed = err
			r.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (r *Campaigns) count(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running += n
}

// Health returns what Run failed with last, nil if it succeeded, or ErrNotRunning.
func (r *Campaigns) Health(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed == nil && r.running == 0 {
		return ErrNotRunning
	}
	return r.failed
}
