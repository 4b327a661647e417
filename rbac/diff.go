package rbac

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
)

// Effect says which way a change of a policy goes.
type Effect string

// The effects.
const (
	Gains   Effect = "gains"   // somebody may do or see what they might not
	Loses   Effect = "loses"   // and the other way round
	Changes Effect = "changes" // some of both, or neither
)

// Difference is one change between two policies.
type Difference struct {
	Effect Effect
	Role   RoleName     // whose; "" for everybody's
	Action audit.Action // on what; "" for the role or forbid as a whole
	What   string       // "permission", "role", "sight", "action" or "forbid <name>"
	Before string       // as text, "" for nothing
	After  string
}

// String returns the difference as a line: "biller gains claim.read: (nothing) → tenant".
func (d Difference) String() string {
	who, what := string(d.Role), string(d.Action)
	if who == "" {
		who = "everybody"
	}
	if d.What != "permission" {
		what = strings.TrimSpace(d.What + " " + what)
	}
	or := func(s string) string { return cmp.Or(s, "(nothing)") }
	return who + " " + string(d.Effect) + " " + what + ": " + or(d.Before) + " → " + or(d.After)
}

// Diff says who gains and who loses if next takes the place of old, in order of role and
// action. It compares by name: permissions with their scopes and with what tenants may switch,
// sights, duties of actions, forbids. Two policies of the same Digest have none, and of two
// policies without a difference only ranks, labels, seats or relations can differ.
func Diff(old, next *Policy) []Difference {
	if old == nil || next == nil {
		return nil
	}
	var out []Difference
	before, after := old.byRole(), next.byRole()
	for _, name := range slices.Sorted(maps.Keys(union2(before, after))) {
		out = append(out, diffRole(name, before[name], after[name])...)
	}
	out = append(out, diffActions(old, next)...)
	return append(out, diffForbids(old, next)...)
}

// grantedScopes is what a role may do, by action: each scope as text.
type grantedScopes struct {
	role    *role
	actions map[audit.Action][]string
}

func (p *Policy) byRole() map[RoleName]grantedScopes {
	out := map[RoleName]grantedScopes{}
	for i := range p.roles {
		g := grantedScopes{&p.roles[i], map[audit.Action][]string{}}
		for _, a := range p.roles[i].form().Allow {
			text := a.Scope.String()
			if a.Choice != fixed {
				text += " " + string(a.Choice)
			}
			g.actions[a.Action] = append(g.actions[a.Action], text)
		}
		out[p.roles[i].Name] = g
	}
	return out
}

func union2[K comparable, V any](a, b map[K]V) map[K]V {
	out := map[K]V{}
	maps.Copy(out, a)
	maps.Copy(out, b)
	return out
}

func diffRole(name RoleName, before, after grantedScopes) []Difference {
	var out []Difference
	switch {
	case before.role == nil:
		out = append(out, Difference{Gains, name, "", "role", "", string(after.role.Kind)})
	case after.role == nil:
		out = append(out, Difference{Loses, name, "", "role", string(before.role.Kind), ""})
	case before.role.Kind != after.role.Kind:
		out = append(out, Difference{Changes, name, "", "role", string(before.role.Kind), string(after.role.Kind)})
	}
	for _, action := range slices.Sorted(maps.Keys(union2(before.actions, after.actions))) {
		b, a := before.actions[action], after.actions[action]
		if !slices.Equal(b, a) {
			out = append(out, Difference{effect(b, a), name, action, "permission", strings.Join(b, " or "), strings.Join(a, " or ")})
		}
	}
	return append(out, diffSight(name, before.role, after.role)...)
}

// effect compares lists of scopes: the whole tenant covers every other.
func effect(before, after []string) Effect {
	covers := func(wide, narrow []string) bool {
		return slices.Contains(wide, Tenant.String()) ||
			!slices.ContainsFunc(narrow, func(s string) bool { return !slices.Contains(wide, s) })
	}
	switch more, less := covers(after, before), covers(before, after); {
	case more && !less:
		return Gains
	case less && !more:
		return Loses
	}
	return Changes
}

func diffSight(name RoleName, before, after *role) []Difference {
	if before == nil || after == nil {
		return nil
	}
	var out []Difference
	for _, class := range slices.Sorted(maps.Keys(union2(before.Sight, after.Sight))) {
		b, a := before.Sight[class], after.Sight[class]
		d := Difference{Gains, name, "", "sight " + string(class), b.String(), a.String()}
		if a < b {
			d.Effect = Loses
		}
		if a != b {
			out = append(out, d)
		}
	}
	return out
}

// diffActions compares what actions demand and show.
func diffActions(old, next *Policy) []Difference {
	forms := func(p *Policy) map[audit.Action]*definition {
		out := map[audit.Action]*definition{}
		for _, d := range p.actions {
			out[d.name] = d
		}
		return out
	}
	before, after := forms(old), forms(next)
	var out []Difference
	for _, name := range slices.Sorted(maps.Keys(union2(before, after))) {
		b, a := before[name], after[name]
		switch {
		case b == nil:
			out = append(out, Difference{Gains, "", name, "action", "", strings.Join(append([]string{"defined"}, a.duties()...), " ")})
		case a == nil:
			out = append(out, Difference{Loses, "", name, "action", strings.Join(append([]string{"defined"}, b.duties()...), " "), ""})
		case !bytes.Equal(canonical(b.form()), canonical(a.form())):
			out = append(out, Difference{Changes, "", name, "action", strings.Join(b.duties(), " "), strings.Join(a.duties(), " ")})
		}
	}
	return out
}

func diffForbids(old, next *Policy) []Difference {
	forms := func(p *Policy) map[string]string {
		out := map[string]string{}
		for _, f := range p.forbid {
			out[f.Name] = string(canonical(f.form()))
		}
		return out
	}
	before, after := forms(old), forms(next)
	var out []Difference
	for _, name := range slices.Sorted(maps.Keys(union2(before, after))) {
		d := Difference{Changes, "", "", "forbid " + name, before[name], after[name]}
		switch {
		case d.Before == d.After:
			continue
		case d.Before == "":
			d.Effect = Loses
		case d.After == "":
			d.Effect = Gains
		}
		out = append(out, d)
	}
	return out
}
