package rbac

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// The canonical form of a policy: JSON of these types, lists sorted by name, maps by key as
// encoding/json does. Their shape is part of every digest in the audit log.
type (
	policyForm struct {
		Format  int          `json:"format"`
		Actions []actionForm `json:"actions"`
		Roles   []roleForm   `json:"roles"`
		Own     string       `json:"own"`
		Self    string       `json:"self"`
	}
	actionForm struct {
		Name        audit.Action `json:"name"`
		Object      string       `json:"object"`
		Columns     [5]string    `json:"columns"`
		Verb        audit.Verb   `json:"verb"`
		Category    Category     `json:"category"`
		PHI         bool         `json:"phi"`
		Destructive bool         `json:"destructive"`
		Reason      bool         `json:"reason"`
		Reveals     []phi.Class  `json:"reveals"`
	}
	roleForm struct {
		Name  RoleName                  `json:"name"`
		Label string                    `json:"label"`
		Rank  int                       `json:"rank"`
		Seat  bool                      `json:"seat"`
		Kind  audit.Kind                `json:"kind"`
		Allow map[audit.Action][]string `json:"allow"`
		Sight map[phi.Class]phi.Level   `json:"sight"`
	}
	maskForm struct {
		Format  int                                  `json:"format"`
		Roles   map[RoleName]map[phi.Class]phi.Level `json:"roles"`
		Reveals map[audit.Action][]phi.Class         `json:"reveals"`
	}
)

// digests returns the digests of the policy and of its mask table.
func digests(p *Policy) (policy, mask string) {
	pf := policyForm{Format: 1, Own: relationText(p.relations.Own), Self: relationText(p.relations.Self)}
	mf := maskForm{Format: 1, Roles: map[RoleName]map[phi.Class]phi.Level{}, Reveals: map[audit.Action][]phi.Class{}}
	for _, d := range p.actions {
		pf.Actions = append(pf.Actions, d.form())
		if len(d.reveals) > 0 {
			mf.Reveals[d.name] = d.form().Reveals
		}
	}
	for i := range p.roles {
		pf.Roles = append(pf.Roles, p.roles[i].form(p))
		mf.Roles[p.roles[i].Name] = p.roles[i].Sight
	}
	slices.SortFunc(pf.Actions, func(a, b actionForm) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(pf.Roles, func(a, b roleForm) int { return cmp.Compare(a.Name, b.Name) })
	return hash(pf), hash(mf)
}

func (d *definition) form() actionForm {
	c := d.columns
	return actionForm{
		Name: d.name, Object: d.object,
		Columns: [5]string{c.ID, c.Tenant, c.Practice, c.Patient, c.Owner},
		Verb:    d.verb, Category: d.category,
		PHI: d.phi, Destructive: d.destructive, Reason: d.reason,
		Reveals: slices.Sorted(slices.Values(d.reveals)),
	}
}

func (r *role) form(p *Policy) roleForm {
	f := roleForm{
		Name: r.Name, Label: r.Label, Rank: r.Rank, Seat: r.Seat, Kind: r.Kind,
		Allow: map[audit.Action][]string{}, Sight: r.Sight,
	}
	for i, set := range r.scopes {
		for b := Tenant; b <= Self; b++ {
			if set.has(b) {
				f.Allow[p.actions[i].name] = append(f.Allow[p.actions[i].name], b.String())
			}
		}
	}
	return f
}

func relationText(r Relation) string {
	if r == nil {
		return ""
	}
	return r.Digest()
}

// hash returns the SHA-256 of v's JSON; the types above always have one.
func hash(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
