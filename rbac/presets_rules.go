package rbac

import (
	"slices"

	"github.com/wardkit/wardkit/audit"
)

// PresetForbids returns what labels take away from preset roles, of those in roles:
//
//   - psychotherapy notes are their author's alone, patients included (45 CFR 164.508(a)(2),
//     164.524(a)(1)(i));
//   - what is not released yet is kept from patients and proxies;
//   - 42 CFR Part 2 records are for who treats (2.12(c)(3)), and for whom the patient's consent
//     names (2.31) where Relations.Consent is declared.
//
// Labels are the host's to set; see Attrs.Labels.
func PresetForbids(roles []Role, relations Relations) []Forbid {
	part2 := Forbid{
		Name: "part2_records", Labels: LabelPart2, ExceptRoles: present(roles, Physician, Therapist, Supervisor, PatientRole),
		Why: "42 CFR 2.12, 2.31",
	}
	if relations.Consent != nil {
		part2.Except = Consented
	}
	return []Forbid{
		{Name: "psychotherapy_notes", Labels: LabelPsychotherapy, Except: Author, Why: "45 CFR 164.508(a)(2)"},
		{Name: "not_released", Labels: LabelUnreleased, Kinds: []audit.Kind{audit.KindPatient, audit.KindProxy}, Why: "not released to the patient yet"},
		part2,
	}
}

// PresetGrantRules returns the rules for grants of preset roles, of those in roles: who bills
// does not manage users; an auditor, who sees what everybody does, does nothing else; who runs
// the systems does not review privacy; a tenant has one owner; owner and clinic admins are the
// administrators of whom one must stay. The host adds seats.
func PresetGrantRules(roles []Role) GrantRules {
	var all []RoleName
	for _, r := range roles {
		if r.Name != Auditor && r.Name != Suspended {
			all = append(all, r.Name)
		}
	}
	admins := present(roles, Owner, ClinicAdminFull, ClinicAdmin)
	rules := GrantRules{Single: present(roles, Owner), Admins: admins}
	for _, x := range []Exclusive{
		{"billing_manages_no_users", present(roles, Finance, Biller), present(roles, ClinicAdminFull, ClinicAdmin, ITAdmin)},
		{"auditor_does_nothing_else", present(roles, Auditor), all},
		{"systems_review_no_privacy", present(roles, ITAdmin), present(roles, PrivacyOfficer)},
	} {
		if len(x.One) > 0 && len(x.Other) > 0 {
			rules.Exclusive = append(rules.Exclusive, x)
		}
	}
	return rules
}

// present returns the names that are among the roles.
func present(roles []Role, names ...RoleName) []RoleName {
	return slices.DeleteFunc(names, func(n RoleName) bool {
		return !slices.ContainsFunc(roles, func(r Role) bool { return r.Name == n })
	})
}

// Deletion is one cell of a deletion matrix.
type Deletion struct {
	Role       RoleName
	Action     audit.Action
	Category   Category
	Purge      bool // it cannot be undone
	On         bool // the role may do it in this tenant, in its scope
	Switchable bool // the tenant chooses
}

// Deletions returns who may delete what under a tenant's toggles: a cell for each role and each
// deleting action that the policy gives it or lets the tenant give it, in order of rank and of
// the policy's actions. An action deletes if its verb is audit.Delete or it is Destructive.
func (p *Policy) Deletions(t Toggles) []Deletion {
	on := p.chosen(t)
	var out []Deletion
	for _, role := range p.Roles() {
		r := &p.roles[p.byName[role.Name]]
		for i, d := range p.actions {
			if r.rules[i] == nil || d.verb != audit.Delete && !d.destructive {
				continue
			}
			cell := Deletion{Role: role.Name, Action: d.name, Category: d.category, Purge: d.destructive}
			for _, c := range r.rules[i].clauses {
				cell.On = cell.On || on.has(c.choice)
				cell.Switchable = cell.Switchable || c.choice >= 0
			}
			out = append(out, cell)
		}
	}
	return out
}
