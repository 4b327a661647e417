package recert

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// retries is how often a change is looked at anew because somebody else made part of it.
const retries = 4

// Allowed implements Effects by asking the rules that the change would meet.
func (g *Grants) Allowed(ctx context.Context, o Order) error {
	d, err := g.draft(ctx, o, false)
	if err != nil || len(d.Grant)+len(d.Revoke) == 0 {
		return err
	}
	_, err = g.z.Suppose(ctx, rbac.Supposition{Draft: &d})
	if errors.Is(err, rbac.ErrNoGrant) {
		return nil // it ended this very moment
	}
	return translate(err)
}

// Apply implements Effects: it ends what there is of the access, and gives what is ordered in its
// place, in one change. Nobody is left without an administrator by it.
func (g *Grants) Apply(ctx context.Context, o Order) error {
	given := false
	for range retries {
		d, err := g.draft(ctx, o, given)
		if err != nil {
			return err
		}
		if len(d.Grant)+len(d.Revoke) == 0 {
			return nil
		}
		_, err = g.z.Change(ctx, d)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, rbac.ErrGrantExists):
			given = true // by another server, and somebody may have ended it since
		case !errors.Is(err, rbac.ErrNoGrant):
			return translate(err)
		}
	}
	return errors.New("recert: others keep changing the same grants")
}

// draft is what is left to do of an order.
func (g *Grants) draft(ctx context.Context, o Order, given bool) (rbac.Draft, error) {
	d := rbac.Draft{KeepAdmins: true}
	if o.gives() && o.Access.Kind == KindSupport {
		return d, ErrRefused
	}
	theirs, err := g.store.Grants(ctx, o.Tenant, o.Access.Subject)
	if err != nil {
		return d, fmt.Errorf("recert: reading grants: %w", err)
	}
	for _, h := range theirs {
		if h.ID == o.ID {
			given = true
		} else if slices.Contains(o.All, h.ID) {
			d.Revoke = append(d.Revoke, rbac.Ref{Person: h.Person, ID: h.ID})
		}
	}
	if o.gives() && !given && o.There != "" && len(d.Revoke) == 0 {
		return d, ErrGone
	}
	if o.gives() && !given {
		d.Grant = []rbac.Grant{o.grant(g.o.Now())}
	}
	return d, nil
}

// gives reports whether something is there in place of the access afterwards.
func (o *Order) gives() bool {
	return o.Do == ChangeResume || o.Do == ChangeReduce || o.Do == ChangeLimit
}

// grant is what is given in place of the access: by whom it was, so that they do not review it.
func (o *Order) grant(now time.Time) rbac.Grant {
	a, reach := o.Access, o.Access.Reach
	until := a.Until
	switch o.Do {
	case ChangeReduce:
		reach = o.Reach
	case ChangeLimit:
		until = o.Until
	}
	from := a.From
	if !from.After(now) {
		from = time.Time{}
	}
	return rbac.Grant{
		ID: o.ID, Person: a.Subject, Role: rbac.RoleName(a.Role),
		Practices: names[rbac.PracticeID](reach.Practices), Locations: names[rbac.LocationID](reach.Locations), Queues: names[rbac.QueueID](reach.Queues),
		From: from, Until: until, By: a.By, Why: "recert_" + string(o.Do), Source: rbac.Source(a.Source),
	}
}

func names[T ~string](list []string) []T {
	var out []T
	for _, s := range list {
		out = append(out, T(s))
	}
	return out
}

// translate makes of what rbac answers what Effects promises.
func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, rbac.ErrLastAdmin):
		return ErrLastAdmin
	case errors.Is(err, rbac.ErrRefused), errors.Is(err, rbac.ErrBadGrant), errors.Is(err, rbac.ErrDenied):
		return ErrRefused
	}
	return fmt.Errorf("recert: changing grants: %w", err)
}

// Check implements Effects: it reads the grants again, and asks about every action of the policy whether
// one of them allows it, by the code that decides about requests.
func (g *Grants) Check(ctx context.Context, o Order) (Checked, error) {
	ended := slices.DeleteFunc(slices.Clone(o.All), func(id string) bool { return id == o.ID })
	theirs, err := g.store.Grants(ctx, o.Tenant, o.Access.Subject)
	if err != nil {
		return Checked{}, fmt.Errorf("recert: reading grants: %w", err)
	}
	out := Checked{Denied: !slices.ContainsFunc(theirs, func(h rbac.Grant) bool { return slices.Contains(ended, h.ID) })}
	known, err := g.roles()
	if err != nil {
		return Checked{}, err
	}
	r := known.of(rbac.RoleName(o.Access.Role))
	answers, err := rbac.Rights(ctx, g.z, audit.Actor{ID: o.Access.Subject, Kind: r.kind})
	if err != nil {
		return Checked{}, fmt.Errorf("recert: asking what is allowed: %w", err)
	}
	for _, x := range answers {
		out.Asked++
		for _, c := range x.Clauses {
			switch {
			case c.Verdict != rbac.VerdictAllows:
			case slices.Contains(ended, c.Grant):
				out.Denied = false
			case r.actions[x.Action] && c.Grant != o.ID:
				out.Others = append(out.Others, c.Grant)
			}
		}
	}
	slices.Sort(out.Others)
	out.Others = slices.Compact(out.Others)
	return out, nil
}
