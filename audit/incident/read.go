package incident

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"math"

	"github.com/wardkit/wardkit/audit"
)

// read reads a case, whoever asks.
func (d *Desk) read(ctx context.Context, t audit.Tenant, id string) (Case, error) {
	r, err := d.p.Store.Get(ctx, t, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return Case{}, ErrNotFound
	case err != nil:
		return Case{}, unavailable("reading a case", err)
	case r.Tenant != t || r.ID != id:
		return Case{}, ErrDamaged
	}
	return d.open(ctx, r)
}

// get reads a case for somebody. To its subjects there is none.
func (d *Desk) get(ctx context.Context, by audit.Actor, id string) (Case, error) {
	c, err := d.read(ctx, by.Tenant, id)
	if err != nil {
		return Case{}, err
	}
	if c.hidden(by) {
		return Case{}, ErrNotFound
	}
	return c, nil
}

// hidden reports whether the case is kept from somebody: its subjects, and whoever acts for one.
func (c *Case) hidden(a audit.Actor) bool {
	return c.Is(a.ID) || a.OnBehalfOf != "" && c.Is(a.OnBehalfOf)
}

// Get returns a case of the tenant of the member of staff in ctx. ErrNotFound also for its subjects.
// Whoever serves it records that somebody read it; rbac decides who may.
func (d *Desk) Get(ctx context.Context, id string) (Case, error) {
	by, err := staff(ctx, false)
	if err != nil {
		return Case{}, err
	}
	return d.get(ctx, by, id)
}

// Newest is the bound of a first page of List.
const Newest int64 = math.MaxInt64

// List yields the cases of the tenant of the member of staff in ctx with a number lower than below, the
// highest first, and with open only those that somebody has to work on. It leaves out those of which the
// person is a subject. Breaking off is allowed; an error is the last thing yielded.
func (d *Desk) List(ctx context.Context, open bool, below int64) iter.Seq2[Case, error] {
	return func(yield func(Case, error) bool) {
		by, err := staff(ctx, false)
		if err != nil {
			yield(Case{}, err)
			return
		}
		for c, err := range d.list(ctx, by.Tenant, open, below) {
			if err == nil && (c.hidden(by) || open && !c.State.Open()) {
				continue
			}
			if !yield(c, err) || err != nil {
				return
			}
		}
	}
}

// list yields a tenant's cases, whoever asks. A store that lists another tenant's, or in another
// order, ends it.
func (d *Desk) list(ctx context.Context, t audit.Tenant, active bool, below int64) iter.Seq2[Case, error] {
	return func(yield func(Case, error) bool) {
		for r, err := range d.p.Store.List(ctx, t, active, below) {
			if err != nil {
				yield(Case{}, unavailable("listing cases", err))
				return
			}
			c, err := d.open(ctx, r)
			if err == nil && (c.Tenant != t || c.Number >= below) {
				err = ErrDamaged
			}
			if err != nil {
				yield(Case{}, err)
				return
			}
			below = c.Number
			if !yield(c, nil) {
				return
			}
		}
	}
}

// Timeline returns all that happened to a case, in order. ErrDamaged if a line was altered, taken
// out or added behind the desk's back.
func (d *Desk) Timeline(ctx context.Context, id string) ([]Moment, error) {
	c, err := d.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	return d.timeline(ctx, &c)
}

func (d *Desk) timeline(ctx context.Context, c *Case) ([]Moment, error) {
	var out []Moment
	var s seals
	for l, err := range d.p.Store.Lines(ctx, c.Tenant, c.ID, 0) {
		switch {
		case err != nil:
			return nil, unavailable("reading a timeline", err)
		case l.Seq != s.Lines+1:
			return nil, ErrDamaged
		}
		if l.Seq > c.seals.Lines { // added since the case was read
			break
		}
		plain, err := d.unseal(ctx, c.Tenant, lineLabel(c.ID, l.Seq), l.Body)
		if err != nil {
			return nil, err
		}
		m, err := decodeMoment(plain)
		if err != nil || m.Seq != l.Seq {
			return nil, ErrDamaged
		}
		s.Chain = s.chain(l.Seq, plain)
		s.Lines = l.Seq
		out = append(out, m)
	}
	if s.Lines != c.seals.Lines || s.Chain != c.seals.Chain {
		return nil, ErrDamaged
	}
	return out, nil
}

// decodeMoment reads what line wrote.
func decodeMoment(plain []byte) (Moment, error) {
	var m Moment
	if err := strict(plain, &m); err != nil {
		return Moment{}, ErrDamaged
	}
	if again, err := json.Marshal(m); err != nil || !bytes.Equal(again, plain) {
		return Moment{}, ErrDamaged
	}
	return m, nil
}
