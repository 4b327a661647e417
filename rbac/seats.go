package rbac

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// SeatUse is how many seats of a tenant are taken.
type SeatUse struct {
	Taken   int
	Limit   int  // where Limited
	Limited bool // GrantRules.Seats is set
}

// Seats returns how many distinct people of the actor's tenant take a seat: who holds a role
// with Role.Seat, Finance as well as a therapist, or will hold it from a later time on. An
// invitation takes its seat with the grant that comes with it, until it is revoked or over.
// Patients and proxies take none, nor does who is suspended without an end.
func (z *Authorizer) Seats(ctx context.Context) (SeatUse, error) {
	a, ok := audit.ActorFrom(ctx)
	if !ok || a.Tenant == "" {
		return SeatUse{}, ErrUndecided
	}
	p := z.Policy()
	holders, err := z.store.Holders(ctx, a.Tenant, append(p.seatRoles(), Suspended))
	if err != nil {
		return SeatUse{}, fmt.Errorf("rbac: counting seats: %w", err)
	}
	use := SeatUse{Taken: p.seated(holders, z.now())}
	if z.o.Grants.Seats != nil {
		use.Limited = true
		if use.Limit, err = z.o.Grants.Seats.Seats(ctx, a.Tenant); err != nil {
			return SeatUse{}, fmt.Errorf("rbac: asking for the seat limit: %w", err)
		}
	}
	return use, nil
}

// seatRoles returns the roles that take a seat.
func (p *Policy) seatRoles() []RoleName {
	var out []RoleName
	for i := range p.roles {
		if p.takesSeat(p.roles[i].Name) {
			out = append(out, p.roles[i].Name)
		}
	}
	return out
}

func (p *Policy) takesSeat(name RoleName) bool {
	i, ok := p.byName[name]
	return ok && name != Suspended && p.roles[i].Seat && p.roles[i].Kind != audit.KindPatient && p.roles[i].Kind != audit.KindProxy
}

// seated returns how many people take a seat, of all holders of seat roles and of Suspended.
func (p *Policy) seated(holders []Grant, now time.Time) int {
	people := map[audit.ActorID]struct{}{}
	for _, g := range holders {
		if g.Live(now) && p.takesSeat(g.Role) {
			people[g.Person] = struct{}{}
		}
	}
	for _, g := range holders {
		if g.Role == Suspended && g.InForce(now) && g.Until.IsZero() {
			delete(people, g.Person)
		}
	}
	return len(people)
}

// administer returns how many people hold one of the roles now, of all their holders and
// those of Suspended: all of them, and without those whose grant has an end. Who will be
// suspended later does not count either: by then the others may be gone.
func administer(roles []RoleName, holders []Grant, now time.Time) (all, lasting int) {
	people := map[audit.ActorID]bool{}
	for _, g := range holders {
		if g.InForce(now) && slices.Contains(roles, g.Role) {
			people[g.Person] = people[g.Person] || g.Until.IsZero()
		}
	}
	for _, g := range holders {
		if g.Role == Suspended && g.Live(now) {
			delete(people, g.Person)
		}
	}
	for _, l := range people {
		if l {
			lasting++
		}
	}
	return len(people), lasting
}
