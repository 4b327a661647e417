package support

import (
	"context"
	"iter"

	"github.com/wardkit/wardkit/audit"
)

// Get returns an access of the tenant of the member of staff in ctx, or one of the operator's own. ErrNoActor,
// ErrSelf, ErrNotFound, ErrUnavailable.
func (d *Desk) Get(ctx context.Context, t audit.Tenant, id string) (Access, error) {
	a, oerr := d.operator(ctx, false)
	if oerr != nil {
		by, err := d.tenant(ctx, false)
		switch {
		case err != nil:
			return Access{}, err
		case by.Tenant != t:
			return Access{}, ErrNotFound
		}
	}
	r, err := d.read(ctx, t, id)
	switch {
	case err != nil:
		return Access{}, err
	case oerr == nil && r.Operator != (Account{a.Tenant, a.ID}):
		return Access{}, ErrNotFound
	}
	return d.stated(r.Access), nil
}

// List yields the accesses to the tenant of the member of staff in ctx, open ones and those that are over, the
// latest first, with an ID lower than below, "" for all. An error is the last thing yielded.
func (d *Desk) List(ctx context.Context, below string) iter.Seq2[Access, error] {
	by, err := d.tenant(ctx, false)
	if err != nil {
		return failing(err)
	}
	return d.list(ctx, Query{Tenant: by.Tenant}, below)
}

// Standing returns what is open in the tenant of the member of staff in ctx: requests that wait, and accesses that were approved;
// Access.Inside tells whether somebody is in. It is for the banner on the tenant's pages.
func (d *Desk) Standing(ctx context.Context) ([]Access, error) {
	by, err := d.tenant(ctx, false)
	if err != nil {
		return nil, err
	}
	var out []Access
	for a, err := range d.list(ctx, Query{Tenant: by.Tenant, Open: true}, "") {
		if err != nil {
			return nil, err
		}
		if a.State.Open() {
			out = append(out, a)
		}
	}
	return out, nil
}

// Mine yields the accesses of the operator in ctx, to all tenants. Order and errors as with List.
func (d *Desk) Mine(ctx context.Context, below string) iter.Seq2[Access, error] {
	a, err := d.operator(ctx, false)
	if err != nil {
		return failing(err)
	}
	return d.list(ctx, Query{Operator: Account{a.Tenant, a.ID}}, below)
}

func failing(err error) iter.Seq2[Access, error] {
	return func(yield func(Access, error) bool) { yield(Access{}, err) }
}

func (d *Desk) list(ctx context.Context, q Query, below string) iter.Seq2[Access, error] {
	return func(yield func(Access, error) bool) {
		for row, err := range d.p.Store.List(ctx, q, below) {
			if err != nil {
				yield(Access{}, unavailable("listing", err))
				return
			}
			r, err := d.unseal(ctx, row)
			if err != nil {
				yield(Access{}, err)
				return
			}
			if !yield(d.stated(r.Access), nil) {
				return
			}
		}
	}
}

// stated is an access as it is by the clock, should nobody have closed it yet.
func (d *Desk) stated(a Access) Access {
	now := d.now()
	switch {
	case a.State == Requested && !now.Before(a.Lapses):
		a.State = Lapsed
	case a.State == Approved && !now.Before(a.Until):
		a.State = Expired
	}
	return a
}
