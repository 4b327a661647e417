package rbac

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/wardkit/wardkit/phi"
)

// Masks is a table of who sees how much: for each role the level of each class of data. A class
// that a role's row does not name is hidden from it. As Toggles.Masks it is what a tenant has
// lowered; Role.Sight are the ceilings.
//
// In JSON it is {"front_desk":{"name":"full","phone":"partial"}}, with the names of roles, classes
// and levels in full; what hides is left out.
type Masks map[RoleName]map[phi.Class]phi.Level

// Level returns how much of the class the role sees by the table, Hide for what it does not name.
func (m Masks) Level(role RoleName, class phi.Class) phi.Level {
	if l := m[role][class]; l <= phi.Full {
		return l
	}
	return phi.Hide
}

// Validate reports everything in m that cannot be a tenant's table under p: an unknown role,
// class or level, and a level above the ceiling.
func (m Masks) Validate(p *Policy) error {
	var wrong []error
	known := phi.Classes()
	for _, role := range slices.Sorted(maps.Keys(m)) {
		i, ok := p.byName[role]
		if !ok {
			wrong = append(wrong, fmt.Errorf("rbac: masks: there is no role %q", role))
			continue
		}
		for _, class := range slices.Sorted(maps.Keys(m[role])) {
			ceiling, named := p.roles[i].Sight[class]
			switch level := m[role][class]; {
			case !named && !slices.Contains(known, class):
				wrong = append(wrong, fmt.Errorf("rbac: masks: role %q: there is no class %q", role, class))
			case level > phi.Full:
				wrong = append(wrong, fmt.Errorf("rbac: masks: role %q, class %q: there is no such level", role, class))
			case level > ceiling:
				wrong = append(wrong, fmt.Errorf("rbac: masks: role %q, class %q: %s is more than the policy's %s", role, class, level, ceiling))
			}
		}
	}
	return errors.Join(wrong...)
}

// clone returns a copy without the levels that say nothing.
func (m Masks) clone() Masks {
	out := maps.Clone(m)
	for role, row := range out {
		out[role] = maps.Clone(row)
		maps.DeleteFunc(out[role], func(_ phi.Class, l phi.Level) bool { return l == phi.Hide })
	}
	return out
}

// equal compares tables by what they say; a row that is there and empty hides everything, and
// is not the same as none.
func (m Masks) equal(n Masks) bool {
	return maps.EqualFunc(m, n, maps.Equal[map[phi.Class]phi.Level, map[phi.Class]phi.Level])
}

// masking is a table as decisions use it, by the index of the role in the policy.
type masking struct {
	levels []map[phi.Class]phi.Level
	sights []phi.Sight // of the same
	digest string
}

// masking returns what is in force where a tenant has lowered the policy's table: of a role that
// lowered names its row, nowhere above the ceiling; of every other role the ceiling. Roles that
// the policy does not have count for nothing.
func (p *Policy) masking(lowered Masks) *masking {
	out := &masking{levels: make([]map[phi.Class]phi.Level, len(p.roles)), sights: make([]phi.Sight, len(p.roles))}
	for i := range p.roles {
		out.levels[i] = p.roles[i].Sight
		if row, ok := lowered[p.roles[i].Name]; ok {
			out.levels[i] = lower(p.roles[i].Sight, row)
		}
		out.sights[i] = phi.NewSight(out.levels[i])
	}
	out.digest = hash(canonical(p.maskForm(out.levels)))
	return out
}

// lower returns the ceilings, none higher than row says; a class that row does not name is hidden.
func lower(ceilings, row map[phi.Class]phi.Level) map[phi.Class]phi.Level {
	out := map[phi.Class]phi.Level{}
	for class, ceiling := range ceilings {
		level := row[class]
		if level > phi.Full {
			level = phi.Hide
		}
		if level = min(level, ceiling); level > phi.Hide || ceiling == phi.Hide {
			out[class] = level
		}
	}
	return out
}

// maskForm is what the digest of a table is the SHA-256 of.
func (p *Policy) maskForm(levels []map[phi.Class]phi.Level) maskForm {
	f := maskForm{Format: 1, Roles: map[RoleName]map[phi.Class]phi.Level{}}
	for i := range p.roles {
		f.Roles[p.roles[i].Name] = levels[i]
	}
	f.Reveals = p.revealed()
	return f
}

// sum is the digest, "" of the zero Policy's table.
func (m *masking) sum() string {
	if m == nil {
		return ""
	}
	return m.digest
}

// table returns the levels as Masks, a copy.
func (m *masking) table(p *Policy) Masks {
	out := Masks{}
	for i := range p.roles {
		out[p.roles[i].Name] = maps.Clone(m.levels[i])
		if out[p.roles[i].Name] == nil {
			out[p.roles[i].Name] = map[phi.Class]phi.Level{}
		}
	}
	return out
}

// maskingOf is masking for a tenant's Toggles: the policy's own where it lowered nothing.
func (p *Policy) maskingOf(t Toggles) *masking {
	if len(t.Masks) == 0 {
		return p.masks
	}
	return p.masking(t.Masks)
}

// Masks returns the policy's own table: the ceilings, and what is in force for a tenant that has
// lowered nothing.
func (p *Policy) Masks() Masks { return p.masks.table(p) }

// MasksUnder returns the table that is in force where a tenant has chosen t, and its digest: what
// every decision's event has as audit.Decision.Mask.
func (p *Policy) MasksUnder(t Toggles) (Masks, string) {
	m := p.maskingOf(t)
	return m.table(p), m.sum()
}

// Masks returns the table that decides what the actor in ctx and everybody else of the tenant
// sees by now, and its digest: for the page that shows it. An error wraps ErrUndecided.
func (z *Authorizer) Masks(ctx context.Context) (Masks, string, error) {
	s, err := z.asked(ctx)
	if err != nil {
		return nil, "", err
	}
	return s.masks.table(s.policy), s.masks.sum(), nil
}
