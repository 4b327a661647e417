package rbac

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// formFormat is the format number of the canonical form.
const formFormat = 2

// The canonical form of a policy: JSON of these types, lists sorted by name, maps by key as
// encoding/json does. Their shape is part of every digest in the audit log.
type (
	policyForm struct {
		Format    int               `json:"format"`
		Actions   []actionForm      `json:"actions"`
		Roles     []roleForm        `json:"roles"`
		Forbid    []forbidForm      `json:"forbid"`
		Relations map[string]string `json:"relations"` // what each means
	}
	actionForm struct {
		Name        audit.Action `json:"name"`
		Object      string       `json:"object"`
		Columns     columnsForm  `json:"columns"`
		Verb        audit.Verb   `json:"verb"`
		Category    Category     `json:"category"`
		PHI         bool         `json:"phi"`
		Destructive bool         `json:"destructive"`
		Reason      bool         `json:"reason"`
		StepUp      int64        `json:"step_up"` // seconds
		TwoPerson   bool         `json:"two_person"`
		Reveals     []phi.Class  `json:"reveals"`
		Licence     Licence      `json:"licence"`
	}
	columnsForm struct {
		ID       string `json:"id"`
		Tenant   string `json:"tenant"`
		Practice string `json:"practice"`
		Location string `json:"location"`
		Queue    string `json:"queue"`
		Patient  string `json:"patient"`
		Owner    string `json:"owner"`
		Author   string `json:"author"`
		Labels   string `json:"labels"`
	}
	roleForm struct {
		Name  RoleName                `json:"name"`
		Label string                  `json:"label"`
		Rank  int                     `json:"rank"`
		Seat  bool                    `json:"seat"`
		Kind  audit.Kind              `json:"kind"`
		Allow []allowForm             `json:"allow"`
		Sight map[phi.Class]phi.Level `json:"sight"`
	}
	allowForm struct {
		Action audit.Action `json:"action"`
		Scope  scopeForm    `json:"scope"`
		Choice choiceKind   `json:"choice"` // "opt_in" or "opt_out" if it is left to tenants
	}
	forbidForm struct {
		Name        string         `json:"name"`
		Labels      []string       `json:"labels"`
		Actions     []audit.Action `json:"actions"`
		Kinds       []audit.Kind   `json:"kinds"`
		Except      *scopeForm     `json:"except"`
		ExceptRoles []RoleName     `json:"except_roles"`
		Why         string         `json:"why"`
	}
	maskForm struct {
		Format  int                                  `json:"format"`
		Roles   map[RoleName]map[phi.Class]phi.Level `json:"roles"`
		Reveals map[audit.Action][]phi.Class         `json:"reveals"`
	}
)

// seal computes the canonical form and the digests of the policy and of its mask table.
func (p *Policy) seal() {
	pf := policyForm{Format: formFormat, Relations: map[string]string{}}
	for i, r := range p.relations {
		if r != nil {
			pf.Relations[p.related[i]] = r.Digest()
		}
	}
	for _, d := range p.actions {
		pf.Actions = append(pf.Actions, d.form())
	}
	for i := range p.roles {
		pf.Roles = append(pf.Roles, p.roles[i].form())
	}
	for _, f := range p.forbid {
		pf.Forbid = append(pf.Forbid, f.form())
	}
	slices.SortFunc(pf.Actions, func(a, b actionForm) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(pf.Roles, func(a, b roleForm) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(pf.Forbid, func(a, b forbidForm) int { return cmp.Compare(a.Name, b.Name) })
	p.text = canonical(pf)
	p.digest, p.masks = hash(p.text), p.masking(nil)
}

// revealed lists what actions reveal whatever the role sees.
func (p *Policy) revealed() map[audit.Action][]phi.Class {
	out := map[audit.Action][]phi.Class{}
	for _, d := range p.actions {
		if len(d.reveals) > 0 {
			out[d.name] = sorted(d.reveals)
		}
	}
	return out
}

func (d *definition) form() actionForm {
	return actionForm{
		Name: d.name, Object: d.object, Columns: columnsForm(d.columns),
		Verb: d.verb, Category: d.category,
		PHI: d.phi, Destructive: d.destructive, Reason: d.reason,
		StepUp: int64(d.stepUp / time.Second), TwoPerson: d.twoPerson,
		Reveals: sorted(d.reveals), Licence: d.licence,
	}
}

// form lists the role's permissions one by one, each once.
func (r *role) form() roleForm {
	f := roleForm{Name: r.Name, Label: r.Label, Rank: r.Rank, Seat: r.Seat, Kind: r.Kind, Allow: []allowForm{}, Sight: r.Sight}
	for _, a := range r.Allow {
		for _, action := range a.actions {
			f.Allow = append(f.Allow, allowForm{action.Name(), scopeForm{ordered(a.scope)}, a.choice})
		}
	}
	order := func(a, b allowForm) int {
		return cmp.Or(cmp.Compare(a.Action, b.Action), cmp.Compare(a.Scope.String(), b.Scope.String()), cmp.Compare(a.Choice, b.Choice))
	}
	slices.SortFunc(f.Allow, order)
	f.Allow = slices.CompactFunc(f.Allow, func(a, b allowForm) bool { return order(a, b) == 0 })
	return f
}

func (f Forbid) form() forbidForm {
	out := forbidForm{
		Name: f.Name, Labels: f.Labels.Names(), Actions: []audit.Action{},
		Kinds: sorted(f.Kinds), ExceptRoles: sorted(f.ExceptRoles), Why: f.Why,
	}
	for _, a := range f.Actions {
		out.Actions = append(out.Actions, a.Name())
	}
	out.Actions = sorted(out.Actions)
	if f.Except != nil {
		out.Except = &scopeForm{ordered(f.Except)}
	}
	return out
}

// sorted returns a sorted copy without repetitions, never nil.
func sorted[T cmp.Ordered](list []T) []T {
	out := append([]T{}, list...)
	slices.Sort(out)
	return slices.Compact(out)
}

// scopeForm is a scope in JSON: its name, or {"all": […]}, {"any": […]}, {"not": …},
// {"related": "name"}.
type scopeForm struct{ Scope }

func (f scopeForm) MarshalJSON() ([]byte, error) {
	switch s := f.Scope.(type) {
	case related:
		return json.Marshal(map[string]string{"related": string(s)})
	case *combined:
		parts := make([]scopeForm, len(s.parts))
		for i, p := range s.parts {
			parts[i] = scopeForm{p}
		}
		if s.op == opNot {
			return json.Marshal(map[op]scopeForm{opNot: parts[0]})
		}
		return json.Marshal(map[op][]scopeForm{s.op: parts})
	}
	return json.Marshal(scopeText(f.Scope))
}

// ordered returns a scope with the parts of combinations in order of their text, the innermost
// first: however it was written, it has one form.
func ordered(s Scope) Scope {
	c, ok := s.(*combined)
	if !ok {
		return s
	}
	out := &combined{op: c.op, parts: make([]Scope, len(c.parts))}
	for i, p := range c.parts {
		out.parts[i] = ordered(p)
	}
	slices.SortStableFunc(out.parts, func(a, b Scope) int { return cmp.Compare(scopeText(a), scopeText(b)) })
	return out
}

// canonical returns v's JSON; the types above always have one.
func canonical(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return text
}

// hash returns the SHA-256 of a text as 64 hexadecimal digits.
func hash(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
