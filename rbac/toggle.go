package rbac

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/wardkit/wardkit/audit"
)

// Toggles are what a tenant has chosen among the permissions that the policy leaves to it
// (Allow.OptIn, Allow.OptOut), the deletion matrix of a clinic for example, and how much its roles see. The policy is the
// ceiling: a choice can switch on only what the policy lists as switchable for that role, in
// the policy's scope and with its duties. The zero Toggles are the policy's defaults.
//
// They are read with each request, and in force with the next one on every server. Choose changes
// those in a ToggleStore, with a record of before and after; a host that keeps them with its own
// settings does the same by comparing Version.
type Toggles struct {
	Version int64 // how often the tenant's row was changed
	Choices []Choice
	// Masks is how much the tenant's roles see where that is less than Role.Sight: a role that it
	// names sees what its row says, nowhere more than the policy lets it, and every other role what
	// the policy says. What an action Reveals it reveals whatever the table says.
	Masks Masks
}

// Choice switches one permission of one role.
type Choice struct {
	Role   RoleName
	Action audit.Action
	On     bool
}

// TenantToggles reads a tenant's Toggles: the zero Toggles for a tenant that has chosen
// nothing. An error means that they could not be read: the caller denies.
type TenantToggles interface {
	Toggles(ctx context.Context, t audit.Tenant) (Toggles, error)
}

// maxChoices is how many choices a policy can leave to tenants.
const maxChoices = 512

// Validate reports everything that p does not let a tenant choose: an unknown role or action,
// a permission that cannot be switched, two choices of one permission, and what Masks.Validate
// says. Ask it before a row is
// written; in decisions such choices count for nothing.
func (t Toggles) Validate(p *Policy) error {
	var wrong []error
	seen := map[permission]bool{}
	for _, c := range t.Choices {
		key := permission{c.Role, c.Action}
		switch _, ok := p.choices[key]; {
		case !ok:
			wrong = append(wrong, fmt.Errorf("rbac: toggles: role %q, action %q: not left to the tenant", c.Role, c.Action))
		case seen[key]:
			wrong = append(wrong, fmt.Errorf("rbac: toggles: role %q, action %q: chosen twice", c.Role, c.Action))
		}
		seen[key] = true
	}
	return errors.Join(append(wrong, t.Masks.Validate(p))...)
}

// Choices returns the permissions that tenants may switch, with the policy's default, in order
// of role and action.
func (p *Policy) Choices() []Choice {
	out := make([]Choice, 0, len(p.choices))
	for key, i := range p.choices {
		out = append(out, Choice{key.role, key.action, p.defaults.has(i)})
	}
	slices.SortFunc(out, func(a, b Choice) int {
		return compareText(string(a.Role), string(b.Role), string(a.Action), string(b.Action))
	})
	return out
}

// permission names what a role may do.
type permission struct {
	role   RoleName
	action audit.Action
}

// choices is the set of switched-on choices by their index in the policy.
type choices []uint64

// has reports whether choice i is switched on; -1 is what nobody can switch.
func (c choices) has(i int) bool { return i < 0 || i>>6 < len(c) && c[i>>6]&(1<<(i&63)) != 0 }

func (c choices) set(i int, on bool) {
	c[i>>6] &^= 1 << (i & 63)
	if on {
		c[i>>6] |= 1 << (i & 63)
	}
}

// chosen returns the defaults with a tenant's choices: of two about one permission the one
// that switches it off, and none that the policy does not leave to it.
func (p *Policy) chosen(t Toggles) choices {
	if len(t.Choices) == 0 || len(p.choices) == 0 {
		return p.defaults
	}
	on := slices.Clone(p.defaults)
	for _, last := range []bool{true, false} {
		for _, c := range t.Choices {
			if at, ok := p.choices[permission{c.Role, c.Action}]; ok && c.On == last {
				on.set(at, last)
			}
		}
	}
	return on
}
