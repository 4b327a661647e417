package support

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// Ask is a request for access.
type Ask struct {
	Tenant    audit.Tenant // the customer
	Role      rbac.RoleName
	Practices []rbac.PracticeID // required of roles with permissions in scope Practice, refused of others
	Locations []rbac.LocationID // the same by location
	Queues    []rbac.QueueID    // the same by queue
	Length    time.Duration     // default Options.Usual, at most Options.Longest, whole seconds
	Code      string            // why: lower-case letters, digits and underscores
	Text      string            // why in words, 1 to MaxText bytes; no patients' data belongs here
	Ticket    string            // a reference without words: letters, digits and -_./#, at most MaxTicket bytes
}

// Request asks a tenant for access, for the operator in ctx, who has proven AAL2. The tenant is told. It
// gives nothing.
//
// ErrNoActor, ErrAssurance, ErrOperator, *InputError (ErrInput), ErrOpen, ErrLimited: nothing was changed.
// ErrUnavailable: Mine tells whether it was.
func (d *Desk) Request(ctx context.Context, ask Ask) (Access, error) {
	a, err := d.operator(ctx, true)
	if err != nil {
		return Access{}, err
	}
	r, err := d.asked(a, ask)
	if err != nil {
		return Access{}, err
	}
	switch ok, err := d.allowed(ctx, r.Operator, r.Tenant); {
	case err != nil:
		return Access{}, err
	case !ok:
		return Access{}, ErrOperator
	}
	if err := d.mayAsk(ctx, &r); err != nil {
		return Access{}, err
	}
	n := note{action: ActionRequest, by: d.visitor(a, r.Tenant), text: r.Text}
	if err := d.step(ctx, &r, n); err != nil {
		return Access{}, err
	}
	return d.tellNow(ctx, r).Access, nil
}

// asked makes a record of a request, or says what is wrong with it.
func (d *Desk) asked(a audit.Actor, ask Ask) (record, error) {
	now := d.now()
	if ask.Length == 0 {
		ask.Length = d.o.Usual
	}
	r := record{Access: Access{
		Tenant: ask.Tenant, ID: audit.NewID(now), State: Requested, Operator: Account{a.Tenant, a.ID}, Role: ask.Role,
		Practices: set(ask.Practices), Locations: set(ask.Locations), Queues: set(ask.Queues),
		Length: ask.Length, Code: ask.Code, Text: ask.Text, Ticket: ask.Ticket, Requested: now, Lapses: now.Add(d.o.Wait),
	}}
	practices, locations, queues := d.scoped(r.Role)
	switch {
	case !isID(string(r.Tenant)) || r.Tenant == d.p.Platform || !isID(string(r.Visitor())):
		return r, wrong("tenant")
	case !slices.Contains(d.p.Roles, r.Role) || d.fit(r.Role) != nil:
		return r, wrong("role")
	case !lists(r.Practices, practices):
		return r, wrong("practices")
	case !lists(r.Locations, locations):
		return r, wrong("locations")
	case !lists(r.Queues, queues):
		return r, wrong("queues")
	case r.Length < time.Second || r.Length > d.o.Longest || r.Length%time.Second != 0:
		return r, wrong("length")
	case !isCode(r.Access.Code):
		return r, wrong("code")
	case !isTicket(r.Ticket):
		return r, wrong("ticket")
	}
	return r, clean(&r.Text, "text", true)
}

// maxListed is how many practices, locations or queues an access lists.
const maxListed = 50

// lists reports whether there is a list exactly if one is needed, of identifiers.
func lists[T ~string](list []T, needed bool) bool {
	return needed == (len(list) > 0) && len(list) <= maxListed && !slices.ContainsFunc(list, func(id T) bool { return !isID(string(id)) })
}

// set returns a sorted copy without duplicates, nil for an empty list.
func set[T ~string](list []T) []T { return slices.Compact(slices.Sorted(slices.Values(list))) }

// mayAsk refuses a second open access in a tenant, after closing what is over, and too many requests.
func (d *Desk) mayAsk(ctx context.Context, r *record) error {
	switch old, err := d.open(ctx, r.Tenant, r.Operator); {
	case errors.Is(err, ErrNotFound):
	case err != nil:
		return err
	default:
		if old, err = d.tidy(ctx, old); err != nil {
			return err
		}
		if old.State.Open() {
			return ErrOpen
		}
	}
	n := 0
	for row, err := range d.p.Store.List(ctx, Query{Operator: r.Operator}, "") {
		if err != nil {
			return unavailable("listing", err)
		}
		old, err := d.unseal(ctx, row)
		switch {
		case err != nil:
			return err
		case r.Requested.Sub(old.Requested) >= 24*time.Hour:
			return nil
		case old.Tenant == r.Tenant:
			n++
		}
		if n >= d.o.MaxRequests {
			return ErrLimited
		}
	}
	return nil
}
