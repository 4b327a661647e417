package recert

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// Directory knows the people of a tenant and the names of roles. Grants is the one for rbac's.
type Directory interface {
	// Present reports whether a person of the tenant's staff can act there at now, or will be able to:
	// not somebody who left, is suspended, or was never there.
	Present(ctx context.Context, t audit.Tenant, who audit.ActorID, now time.Time) (bool, error)

	// HasRole reports whether there is a role of this name, held by somebody or not.
	HasRole(ctx context.Context, name string) (bool, error)
}

// Present implements Directory: who holds a live grant of a staff role of the policy and is not
// suspended.
func (g *Grants) Present(ctx context.Context, t audit.Tenant, who audit.ActorID, now time.Time) (bool, error) {
	theirs, err := g.store.Grants(ctx, t, who)
	if err != nil {
		return false, fmt.Errorf("recert: reading grants: %w", err)
	}
	known, err := g.roles()
	if err != nil {
		return false, err
	}
	here := false
	for _, h := range theirs {
		if h.Role == rbac.Suspended && h.InForce(now) {
			return false, nil
		}
		if r, ok := known[h.Role]; ok && r.kind == audit.KindStaff && h.Role != rbac.Suspended && h.Live(now) {
			here = true
		}
	}
	return here, nil
}

// HasRole implements Directory: the role is in the policy.
func (g *Grants) HasRole(_ context.Context, name string) (bool, error) {
	known, err := g.roles()
	_, ok := known[rbac.RoleName(name)]
	return ok, err
}

// Present implements Directory: one of the populations that are a Directory knows the person; true if
// none is one.
func (p Together) Present(ctx context.Context, t audit.Tenant, who audit.ActorID, now time.Time) (bool, error) {
	asked := false
	for _, one := range p {
		d, ok := one.(Directory)
		if !ok {
			continue
		}
		asked = true
		if is, err := d.Present(ctx, t, who, now); is || err != nil {
			return is, err
		}
	}
	return !asked, nil
}

// HasRole implements Directory: one of the populations that are a Directory knows the role.
func (p Together) HasRole(ctx context.Context, name string) (bool, error) {
	for _, one := range p {
		if d, ok := one.(Directory); ok {
			if is, err := d.HasRole(ctx, name); is || err != nil {
				return is, err
			}
		}
	}
	return false, nil
}

// attendance is who is there at one time, asked once for each person.
type attendance struct {
	r    *Campaigns
	t    audit.Tenant
	now  time.Time
	seen map[audit.ActorID]bool
}

func (r *Campaigns) attendance(t audit.Tenant, now time.Time) *attendance {
	return &attendance{r: r, t: t, now: now, seen: map[audit.ActorID]bool{}}
}

// here reports whether somebody is there. Without a Directory everybody is.
func (a *attendance) here(ctx context.Context, who audit.ActorID) (bool, error) {
	if a.r.p.Directory == nil {
		return true, nil
	}
	if is, ok := a.seen[who]; ok {
		return is, nil
	}
	is, err := a.r.p.Directory.Present(system(ctx, a.t), a.t, who, a.now)
	if err != nil {
		return false, unavailable("asking who is there", err)
	}
	a.seen[who] = is
	return is, nil
}

// only returns those of some people who are there, in their order.
func (a *attendance) only(ctx context.Context, people []audit.ActorID) ([]audit.ActorID, error) {
	var out []audit.ActorID
	for _, who := range people {
		is, err := a.here(ctx, who)
		if err != nil {
			return nil, err
		}
		if is {
			out = append(out, who)
		}
	}
	return out, nil
}

// people refuses a specification that names somebody who is not there.
func (r *Campaigns) people(ctx context.Context, t audit.Tenant, s *Spec, now time.Time) error {
	there := r.attendance(t, now)
	if is, err := there.here(ctx, s.Owner); err != nil {
		return err
	} else if !is {
		return fmt.Errorf("%w: Owner: nobody of the tenant", ErrSpec)
	}
	named, err := there.only(ctx, s.Named)
	if err == nil && len(named) < len(s.Named) {
		return fmt.Errorf("%w: Named: somebody who is not of the tenant", ErrSpec)
	}
	return err
}

// known refuses a specification with a role that nobody knows: a slip of the pen would leave its
// holders out.
func (r *Campaigns) known(ctx context.Context, t audit.Tenant, s *Spec, now time.Time) error {
	left := slices.Clone(s.Roles)
	if r.p.Directory != nil {
		for _, name := range s.Roles {
			is, err := r.p.Directory.HasRole(system(ctx, t), name)
			if err != nil {
				return unavailable("asking for roles", err)
			}
			if is {
				left = slices.DeleteFunc(left, func(s string) bool { return s == name })
			}
		}
	}
	if len(left) == 0 {
		return nil
	}
	all, err := r.population(ctx, t, nil, now)
	if err != nil {
		return err
	}
	for _, name := range left {
		if !slices.ContainsFunc(all, func(a Access) bool { return a.Role == name }) {
			return fmt.Errorf("%w: Roles: one that there is not", ErrSpec)
		}
	}
	return nil
}
