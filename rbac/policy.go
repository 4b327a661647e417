package rbac

import (
	"cmp"
	"maps"
	"math/bits"
	"reflect"
	"slices"

	"github.com/wardkit/wardkit/phi"
)

// maxRoles is how many roles a policy can have: a set of roles is one word.
const maxRoles = 64

// roleSet is a set of roles by their index in the policy.
type roleSet uint64

func (s roleSet) has(i int) bool { return s&(1<<i) != 0 }

// each calls f for every role of the set.
func (s roleSet) each(f func(i int)) {
	for s != 0 {
		f(bits.TrailingZeros64(uint64(s)))
		s &= s - 1
	}
}

// role is a compiled role: for each action, by index, what it may do with it, nil for nothing.
type role struct {
	Role
	rules []*rule
}

// find returns the index of an action in the policy. The definition remembers the index that it
// had last, in whatever policy, to spare the look-up.
func (p *Policy) find(d *definition) (int, bool) {
	if d == nil {
		return 0, false
	}
	if i := int(d.last.Load()); i < len(p.actions) && p.actions[i] == d {
		return i, true
	}
	i, ok := p.index[d]
	if ok {
		d.last.Store(int32(i)) // at most 1<<31 actions fit into no memory
	}
	return i, ok
}

// uses reports whether a permission of the role is about the list that a grant gives for
// Practice, Location or Queue.
func (r *role) uses(b Base) bool {
	f := leafPractice + leaf(b-Practice)
	return slices.ContainsFunc(r.rules, func(rule *rule) bool {
		return rule != nil && (slices.ContainsFunc(rule.clauses, func(c clause) bool { return c.node.uses(f) }) ||
			slices.ContainsFunc(rule.bars, func(b bar) bool { return b.except != nil && b.except.uses(f) }))
	})
}

// Policy is a compiled set of rules, shared by all tenants. It is immutable and safe for
// concurrent use; Authorizer.Swap puts a new one in force. The zero Policy denies everything.
type Policy struct {
	actions   []*definition
	index     map[*definition]int
	roles     []role
	byName    map[RoleName]int
	holders   []roleSet // by action: the roles that may do it somewhere
	urgent    []roleSet // of these: with a permission that emergency access may widen
	relations []Relation
	emergency EmergencyRelation
	related   []string // the names of relations
	forbid    []Forbid
	choices   map[permission]int
	defaults  choices
	text      []byte // the canonical form
	digest    string
	masks     *masking // the ceilings
	notices   []string
}

// Digest returns the SHA-256 of the whole policy as 64 hexadecimal digits: actions with
// their duties and columns, roles with their permissions and sights, relations. Two policies
// with the same digest decide alike.
func (p *Policy) Digest() string { return p.digest }

// MaskDigest returns the SHA-256 of the policy's own table of who sees how much of which class, as
// 64 hexadecimal digits; MasksUnder has that of a tenant's.
func (p *Policy) MaskDigest() string { return p.masks.sum() }

// JSON returns the policy in its canonical form, which Digest is the SHA-256 of: evidence of
// what was in force, and what ReadPolicy reads.
func (p *Policy) JSON() []byte { return slices.Clone(p.text) }

// Notices returns what is worth a second look and no mistake: a role that another contains, a
// destructive action without a step-up, a label that no resource carries.
func (p *Policy) Notices() []string { return slices.Clone(p.notices) }

// Roles returns the roles, highest rank first.
func (p *Policy) Roles() []Role {
	out := make([]Role, len(p.roles))
	for i, r := range p.roles {
		out[i] = r.Role
		out[i].Allow = slices.Clone(r.Allow)
		out[i].Sight = maps.Clone(r.Sight)
	}
	slices.SortFunc(out, func(a, b Role) int { return cmp.Compare(b.Rank, a.Rank) })
	return out
}

// Label returns the label of the highest-ranking of the named roles, "" if there is none.
// Who is Clinic Admin and also a therapist is shown as Clinic Admin.
func (p *Policy) Label(names ...RoleName) string {
	var set roleSet
	for _, n := range names {
		if i, ok := p.byName[n]; ok {
			set |= 1 << i
		}
	}
	if i := p.highest(set); i >= 0 {
		return p.roles[i].Label
	}
	return ""
}

// highest returns the index of the highest-ranking role, -1 for the empty set.
func (p *Policy) highest(set roleSet) int {
	best := -1
	set.each(func(i int) {
		if best < 0 || p.roles[i].Rank > p.roles[best].Rank {
			best = i
		}
	})
	return best
}

// sight merges the roles' sights, the widest level of each class, and adds what the action
// reveals.
func (m *masking) sight(set roleSet, d *definition) phi.Sight {
	if bits.OnesCount64(uint64(set)) == 1 && len(d.reveals) == 0 {
		return m.sights[bits.TrailingZeros64(uint64(set))]
	}
	return reveal(m.widest(set), d)
}

// widest is the highest level of each class among a set of roles.
func (m *masking) widest(set roleSet) map[phi.Class]phi.Level {
	levels := map[phi.Class]phi.Level{}
	set.each(func(i int) { widen(levels, m.levels[i]) })
	return levels
}

func widen(levels, by map[phi.Class]phi.Level) {
	for c, l := range by {
		levels[c] = max(levels[c], l)
	}
}

func reveal(levels map[phi.Class]phi.Level, d *definition) phi.Sight {
	for _, c := range d.reveals {
		levels[c] = phi.Full
	}
	return phi.NewSight(levels)
}

// listSight is the sight that holds for every row of a list. Each row of the tenant is
// granted by all roles with scope Tenant: their widest level holds. Without such a role a row
// may be there because of any one of the others: the narrowest level holds.
func (m *masking) listSight(everywhere, somewhere roleSet, d *definition) phi.Sight {
	if everywhere != 0 {
		return m.sight(everywhere, d)
	}
	return reveal(m.listLevels(everywhere, somewhere), d)
}

func (m *masking) listLevels(everywhere, somewhere roleSet) map[phi.Class]phi.Level {
	if everywhere != 0 {
		return m.widest(everywhere)
	}
	levels := map[phi.Class]phi.Level{}
	first := true
	somewhere.each(func(i int) {
		if first {
			widen(levels, m.levels[i])
			first = false
		}
		for c := range levels {
			levels[c] = min(levels[c], m.levels[i][c])
		}
	})
	return levels
}

// names returns the roles of a set, highest rank first.
func (p *Policy) names(set roleSet) []RoleName {
	var roles []Role
	set.each(func(i int) { roles = append(roles, p.roles[i].Role) })
	slices.SortFunc(roles, func(a, b Role) int { return cmp.Compare(b.Rank, a.Rank) })
	names := make([]RoleName, len(roles))
	for i, r := range roles {
		names[i] = r.Name
	}
	return names
}

// candidates returns the definitions of the actions, or without any of all actions that the
// policy lists for R.
func candidates[R Resource](p *Policy, actions []Action[R]) []*definition {
	var out []*definition
	if len(actions) == 0 {
		for _, d := range p.actions {
			if d.resource == reflect.TypeFor[R]() {
				out = append(out, d)
			}
		}
		return out
	}
	for _, a := range actions {
		if a.def != nil {
			out = append(out, a.def)
		}
	}
	return out
}

// union returns the sorted union of two sorted lists, in fresh memory.
func union(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}
