package emergency

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Get returns a grant of a tenant. It asks nobody who they are: t is the tenant of the actor in ctx or
// one that a job names, never one from a request. Who may see the grant is decided before, and that it
// was seen is recorded by who serves it. ErrNotFound, ErrUnavailable.
func (d *Desk[R]) Get(ctx context.Context, t audit.Tenant, id string) (Grant, error) {
	g, err := d.p.Store.Get(ctx, t, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return Grant{}, ErrNotFound
	case err != nil:
		return Grant{}, unavailable("reading a grant", err)
	}
	return g, nil
}

// List yields a tenant's grants, the newest first; with pending only those with something left to do:
// open, not reviewed, or not told. Otherwise as Get, whose warning about t holds here too; an error is
// the last thing yielded.
func (d *Desk[R]) List(ctx context.Context, t audit.Tenant, pending bool) iter.Seq2[Grant, error] {
	return func(yield func(Grant, error) bool) {
		if t == "" {
			return
		}
		for g, err := range d.p.Store.List(ctx, t, pending, "") {
			if err != nil {
				yield(Grant{}, unavailable("listing grants", err))
				return
			}
			if !yield(g, nil) {
				return
			}
		}
	}
}

// Used yields a tenant's grants that were opened since a time, the newest first: for a recertification,
// which asks whether those who need emergencies need another role. Otherwise as List.
func (d *Desk[R]) Used(ctx context.Context, t audit.Tenant, since time.Time) iter.Seq2[Grant, error] {
	return func(yield func(Grant, error) bool) {
		for g, err := range d.List(ctx, t, false) {
			if err == nil && g.Opened.Before(since) {
				continue // IDs follow the clocks of servers, which differ
			}
			if !yield(g, err) || err != nil {
				return
			}
		}
	}
}

// Current returns the grant that lets the person in ctx in to a patient now, and false if there is none:
// for the banner on the patient's pages. Errors: ErrUnavailable.
func (d *Desk[R]) Current(ctx context.Context, patient audit.Patient) (Grant, bool, error) {
	a, err := person(ctx)
	if err != nil {
		return Grant{}, false, nil
	}
	now := d.now()
	for g, err := range d.p.Store.Of(ctx, a.Tenant, a.ID, 0) {
		switch {
		case err != nil:
			return Grant{}, false, unavailable("reading openings", err)
		case g.Patient == patient && g.OpenAt(now):
			return g, true, nil
		case g.Opened.Before(now.Add(-2 * MaxLongest)):
			return Grant{}, false, nil
		}
	}
	return Grant{}, false, nil
}
