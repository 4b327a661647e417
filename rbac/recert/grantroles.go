package recert

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// role is what a review has to know of a role.
type role struct {
	kind       audit.Kind
	admin, phi bool
	actions    map[audit.Action]bool
}

// reviewed is the kind of access that the role gives, empty for what is not reviewed.
func (r *role) reviewed() Kind {
	switch r.kind {
	case audit.KindPatient:
		return ""
	case audit.KindProxy:
		return KindProxy
	case audit.KindService, audit.KindAgent:
		return KindMachine
	}
	return KindGrant
}

type roles map[rbac.RoleName]role

// of returns a role; one that the policy does not know is taken seriously.
func (r roles) of(name rbac.RoleName) role {
	if known, ok := r[name]; ok {
		return known
	}
	return role{kind: audit.KindStaff, phi: true}
}

// policyText is what of a policy's canonical form this package reads.
type policyText struct {
	Actions []struct {
		Name     audit.Action  `json:"name"`
		Verb     audit.Verb    `json:"verb"`
		Category rbac.Category `json:"category"`
		PHI      bool          `json:"phi"`
	} `json:"actions"`
	Roles []struct {
		Name  rbac.RoleName `json:"name"`
		Kind  audit.Kind    `json:"kind"`
		Allow []struct {
			Action audit.Action `json:"action"`
		} `json:"allow"`
	} `json:"roles"`
}

// roles reads which roles of the policy administer and which reach PHI, switched on or not.
func (g *Grants) roles() (roles, error) {
	admins := append(g.z.Admins(), g.o.Admins...)
	var text policyText
	if err := json.Unmarshal(g.z.Policy().JSON(), &text); err != nil {
		return nil, fmt.Errorf("recert: reading the policy: %w", err)
	}
	phi, admin := map[audit.Action]bool{}, map[audit.Action]bool{}
	for _, a := range text.Actions {
		phi[a.Name] = a.PHI
		admin[a.Name] = a.Verb != audit.Read && slices.Contains([]rbac.Category{rbac.Users, rbac.Settings, rbac.Retention}, a.Category)
	}
	out := roles{}
	for _, r := range text.Roles {
		known := role{kind: r.Kind, admin: slices.Contains(admins, r.Name), actions: map[audit.Action]bool{}}
		if known.kind == "" {
			known.kind = audit.KindStaff
		}
		for _, a := range r.Allow {
			known.actions[a.Action] = true
			known.phi = known.phi || phi[a.Action]
			known.admin = known.admin || admin[a.Action] && known.kind == audit.KindStaff
		}
		out[r.Name] = known
	}
	return out, nil
}
