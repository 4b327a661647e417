package rbac

import (
	"strings"

	"github.com/wardkit/wardkit/phi"
)

// The roles of Presets.
const (
	ClinicAdmin RoleName = "clinic_admin"
	Therapist   RoleName = "therapist"
	FrontDesk   RoleName = "front_desk"
	Finance     RoleName = "finance"
)

// PresetOptions say where the presets leave a choice; nil means the least privilege.
type PresetOptions struct {
	// Desk is the scope in which front desk and finance work: Tenant, the default, or Practice.
	Desk Base
	// AdminReadsNotes lets the clinic admin read clinical notes and documents.
	AdminReadsNotes bool
	// AdminRevealsIdentifiers lets the clinic admin reveal identifiers such as the social
	// security number, with the duties of the action that does so.
	AdminRevealsIdentifiers bool
}

// Presets returns the roles clinic_admin, therapist, front_desk and finance for a host's
// actions: what each may do follows from an action's category and verb.
//
//	              clinic_admin   therapist       front_desk   finance
//	demographics  tenant RCU     own RU          desk RCU     desk R
//	identifiers   –              own R           –            –
//	care_team     tenant RCUD    own R           desk RC      –
//	schedule      tenant RCU     own RCU         desk RCU     desk R
//	notes         –              own RCU         –            –
//	documents     –              own RC          desk C       –
//	billing       tenant R       own R           desk RC      desk RCUE
//	consents      tenant R       own RC          desk RC      desk R
//	exports       –              own E           –            –
//	users         tenant RCUDE   –               –            –
//	settings      tenant RCUDE   –               –            –
//	audit_log     tenant R       own R           –            –
//
// R is audit.Read, and so on; nobody deletes records. Psychotherapy notes, orders and
// categories of the host's own are nobody's until the host grants them. Own means the records
// of the patients in care; of records without a patient, those that the person owns; of
// tenant-level actions none.
//
// Roles are values: change them, add to Allow, drop one. Presets is versioned with this
// module, and a change of its table is in the changelog.
func Presets(actions []AnyAction, o *PresetOptions) []Role {
	if o == nil {
		o = &PresetOptions{}
	}
	desk := o.Desk
	if desk != Practice {
		desk = Tenant
	}
	admin := adminCells
	if o.AdminReadsNotes {
		admin += " notes:R documents:R"
	}
	if o.AdminRevealsIdentifiers {
		admin += " identifiers:R"
	}
	return []Role{
		{
			Name: ClinicAdmin, Label: "Clinic Admin", Rank: 100, Seat: true,
			Allow: allowances(actions, Tenant, admin), Sight: adminSight(o),
		},
		{
			Name: Therapist, Label: "Therapist", Rank: 50, Seat: true,
			Allow: allowances(actions, Own, therapistCells), Sight: therapistSight(),
		},
		{
			Name: Finance, Label: "Finance", Rank: 40, Seat: true,
			Allow: allowances(actions, desk, financeCells), Sight: financeSight(),
		},
		{
			Name: FrontDesk, Label: "Front Desk", Rank: 30, Seat: true,
			Allow: allowances(actions, desk, deskCells), Sight: deskSight(),
		},
	}
}

// The table: category and verbs of each role.
const (
	adminCells     = "demographics:RCU care_team:RCUD schedule:RCU billing:R consents:R users:RCUDE settings:RCUDE audit_log:R"
	therapistCells = "demographics:RU identifiers:R care_team:R schedule:RCU notes:RCU documents:RC billing:R consents:RC exports:E audit_log:R"
	deskCells      = "demographics:RCU care_team:RC schedule:RCU documents:C billing:RC consents:RC"
	financeCells   = "demographics:R schedule:R billing:RCUE consents:R"
)

// allowances grants the actions that the cells name, each in the scope that fits it.
func allowances(actions []AnyAction, scope Base, cells string) []Allow {
	byScope := map[Base][]AnyAction{}
	for _, a := range actions {
		if a == nil || a.definition() == nil || !granted(cells, a.definition()) {
			continue
		}
		if s := fitting(scope, a.definition()); s != 0 {
			byScope[s] = append(byScope[s], a)
		}
	}
	var out []Allow
	for s := Tenant; s <= Self; s++ {
		if len(byScope[s]) > 0 {
			out = append(out, In(s, byScope[s]...))
		}
	}
	return out
}

// granted reports whether a cell names the action's category with its verb.
func granted(cells string, d *definition) bool {
	for _, cell := range strings.Fields(cells) {
		category, verbs, _ := strings.Cut(cell, ":")
		if Category(category) == d.category && d.verb != "" && strings.Contains(verbs, string(d.verb)) {
			return true
		}
	}
	return false
}

// fitting is the scope in which a role gets an action, 0 for none: see Presets about Own.
func fitting(s Base, d *definition) Base {
	switch {
	case d.tenantLevel() && s == Own:
		return 0
	case d.tenantLevel():
		return Tenant
	case s != Own || d.columns.Patient != "":
		return s
	case d.columns.Owner != "":
		return Self
	}
	return 0
}

func levels(level phi.Level, classes ...phi.Class) map[phi.Class]phi.Level {
	m := map[phi.Class]phi.Level{}
	for _, c := range classes {
		m[c] = level
	}
	return m
}

// contact is what it takes to recognise and reach a patient.
func contact() map[phi.Class]phi.Level {
	return levels(phi.Full, phi.ClassName, phi.ClassDate, phi.ClassPhone, phi.ClassEmail,
		phi.ClassGeography, phi.ClassMRN)
}

func adminSight(o *PresetOptions) map[phi.Class]phi.Level {
	m := contact()
	m[phi.ClassSSN] = phi.Mask
	m[phi.ClassHealthPlan], m[phi.ClassFinancial] = phi.Full, phi.Full
	if o.AdminReadsNotes {
		m[phi.ClassClinical] = phi.Full
	}
	return m
}

func therapistSight() map[phi.Class]phi.Level {
	m := contact()
	m[phi.ClassSSN] = phi.Mask
	m[phi.ClassHealthPlan], m[phi.ClassFinancial] = phi.Full, phi.Full
	m[phi.ClassPhoto], m[phi.ClassClinical] = phi.Full, phi.Full
	return m
}

func deskSight() map[phi.Class]phi.Level {
	m := contact()
	m[phi.ClassSSN] = phi.Mask
	m[phi.ClassHealthPlan], m[phi.ClassFinancial] = phi.Full, phi.Full
	return m
}

// financeSight is what a claim needs: 45 CFR 164.502(b), the minimum necessary.
func financeSight() map[phi.Class]phi.Level {
	m := levels(phi.Full, phi.ClassName, phi.ClassDate, phi.ClassGeography, phi.ClassMRN,
		phi.ClassHealthPlan, phi.ClassAccount, phi.ClassFinancial)
	m[phi.ClassPhone] = phi.Partial
	return m
}
