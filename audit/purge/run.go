package purge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/evidence"
)

// Run goes on with what two people agreed to, of all tenants, every Options.Every until ctx ends,
// and closes plans that have expired. It returns ctx's error. It never proposes and never agrees.
// Several servers may run it.
func (k *Keeper) Run(ctx context.Context) error {
	k.count(1)
	defer k.count(-1)
	tick := time.NewTicker(k.o.Every)
	defer tick.Stop()
	for {
		err := k.step(ctx)
		if ctx.Err() == nil {
			k.mu.Lock()
			k.failed = err
			k.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (k *Keeper) count(n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.running += n
}

// step looks at every open plan once.
func (k *Keeper) step(ctx context.Context) (bad error) {
	var open []Plan
	for p, err := range k.store.Open(ctx) {
		if err != nil {
			return unavailable("reading plans", err)
		}
		open = append(open, p)
	}
	for _, p := range open {
		var err error
		switch {
		case p.State == Approved || p.State == Recorded:
			_, err = k.Resume(ctx, p.Tenant, p.ID)
		case !k.now().Before(p.Expires):
			err = k.end(ctx, &p, Expired)
		}
		if err != nil && !errors.Is(err, ErrExpired) && !errors.Is(err, ErrStopped) && !errors.Is(err, ErrConflict) && !errors.Is(err, ErrPending) {
			bad = errors.Join(bad, err)
		}
	}
	return bad
}

// Health returns what Run failed with last, nil if it succeeded, or ErrNotRunning. An error that is
// tlog.ErrTampered is an alarm.
func (k *Keeper) Health(context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failed == nil && k.running == 0 {
		return ErrNotRunning
	}
	return k.failed
}

// Controls states how long events are kept and how they are destroyed, for a review packet. It
// satisfies evidence.Source.
func (k *Keeper) Controls(ctx context.Context, t audit.Tenant) ([]evidence.Control, error) {
	s, err := k.Settings(ctx, t)
	if err != nil {
		return nil, err
	}
	holds, err := k.Holds(ctx, t)
	if err != nil {
		return nil, err
	}
	plans, err := k.Plans(ctx, t)
	if err != nil {
		return nil, err
	}
	now := k.now()
	inForce, done := 0, 0
	for _, h := range holds {
		if h.InForce(now) {
			inForce++
		}
	}
	late := false
	for _, p := range plans {
		if p.State == Destroyed {
			done++
		}
		late = late || (p.State == Approved || p.State == Recorded) && now.Sub(p.Approved) > day
	}
	keeping := evidence.Control{
		ID: "audit.retention", What: "Events are kept for six years at least, whatever is configured, and longer under a legal hold.",
		State: evidence.InForce, Detail: fmt.Sprintf("months kept: %d, legal holds in force: %d", s.Effective(now), inForce),
		Verified: "read from the settings in force", Citations: []string{"45 CFR 164.316(b)(2)(i)", "45 CFR 164.528(a)(1)"},
	}
	if now.Before(s.From) {
		keeping.Warning = fmt.Sprintf("From %s on, events are kept for %d months.", s.From.Format(time.DateOnly), max(s.Months, audit.Floor))
	}
	destroying := evidence.Control{
		ID: "audit.purge", What: "Events are destroyed only after two people agreed and a signed export was made; what remains can still be verified.",
		State: evidence.InForce, Detail: fmt.Sprintf("purges carried out: %d", done),
		Verified: "read from the plans", Citations: []string{"45 CFR 164.312(c)(1)", "45 CFR 164.310(d)(2)(i)"},
	}
	if late {
		destroying.State, destroying.Warning = evidence.Partly, "A purge that was agreed to has not been carried out for more than a day."
	}
	return []evidence.Control{keeping, destroying}, nil
}
