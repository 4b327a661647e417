package rbac

import (
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
)

// PresetsVersion counts the changes of what Presets grants. It is part of no policy: a policy's
// Digest and Diff tell what a release changed for a host.
const PresetsVersion = 2

// The roles of Presets. They are names in grants and audit logs, and do not change.
const (
	Owner            RoleName = "owner"
	ClinicAdmin      RoleName = "clinic_admin"      // no clinical notes
	ClinicAdminFull  RoleName = "clinic_admin_full" // reads clinical records
	Manager          RoleName = "manager"
	PrivacyOfficer   RoleName = "privacy_officer"
	RecordsCustodian RoleName = "records_custodian"
	Physician        RoleName = "physician"
	Therapist        RoleName = "therapist"
	Supervisor       RoleName = "supervisor"
	Nurse            RoleName = "nurse"
	Trainee          RoleName = "trainee"
	FrontDesk        RoleName = "front_desk"
	Scheduler        RoleName = "scheduler"
	Finance          RoleName = "finance"
	Biller           RoleName = "biller"
	ITAdmin          RoleName = "it_admin"
	Auditor          RoleName = "auditor"
	PlatformOperator RoleName = "platform_operator"
	PatientRole      RoleName = "patient"
	FamilyProxy      RoleName = "family_proxy"
	AIAgent          RoleName = "ai_agent"
	ServiceAccount   RoleName = "service_account"
	// Suspended is one of them as well.
)

// PresetOptions say where the presets leave a choice; nil means the least privilege.
type PresetOptions struct {
	// Roles are the roles that the host uses, AllPresets() for every one. Default: clinic_admin,
	// therapist, front_desk and finance.
	Roles []RoleName
	// Desk is the scope in which the desk works: front desk, scheduler, manager and finance.
	// Tenant, the default, Practice or Location.
	Desk Base
	// AdminReadsNotes lets the clinic admin read clinical notes and documents: the same person
	// as clinic_admin_full, for hosts whose every tenant wants it so.
	AdminReadsNotes bool
	// AdminRevealsIdentifiers lets the clinic admin reveal identifiers such as the social
	// security number, with the duties of the action that does so.
	AdminRevealsIdentifiers bool
}

// AllPresets returns the names of all preset roles, highest rank first.
func AllPresets() []RoleName {
	var out []RoleName
	for _, p := range presets(&PresetOptions{}) {
		out = append(out, p.name)
	}
	return out
}

// Presets returns preset roles for a host's actions: what each may do follows from an action's
// category and verb, in the scope of the role. A verb is C, R, U, D or E as in audit.Verb; D
// deletes what can be restored, and an action marked Destructive purges (P).
//
//	owner              tenant       demographics RU, schedule care_team billing consents retention audit_log R, users settings RCUDE
//	clinic_admin_full  tenant       as clinic_admin, and reads notes, orders, documents, forms, files, messages, message_attachments
//	clinic_admin       tenant       demographics schedule RCU, care_team RCUD, billing consents audit_log security_log retention R, users settings RCUDE
//	privacy_officer    tenant       demographics consents retention users audit_log security_log R, exports RE
//	manager            desk         demographics schedule RCU, care_team forms RC, billing RCUE, consents RC, files C; users R; deletes, if the tenant says so
//	it_admin           tenant       users settings RCU, security_log R
//	records_custodian  tenant       demographics notes documents forms files messages message_attachments consents R, exports RE, retention RU;
//	                   self         own_log R; deletes and purges, if the tenant says so
//	physician          own          as therapist, and orders RCE; no psychotherapy notes
//	supervisor         supervisees  demographics schedule orders documents forms files consents audit_log R, notes RE; deletes, if the tenant says so
//	therapist          own          demographics RU, identifiers care_team billing audit_log R, schedule RCU, notes RCUE,
//	                                documents forms files messages message_attachments consents RC, exports E; deletes, if the tenant says so
//	                   own, author  psychotherapy RCU
//	nurse              own          demographics notes documents forms files consents RC, care_team R, orders C; desk: schedule R
//	finance            desk         demographics schedule consents R, billing RCUE
//	biller             practice     demographics consents R, billing RCUE
//	trainee            own          demographics schedule care_team documents forms R, notes consents RC
//	front_desk         desk         demographics schedule RCU, care_team billing consents forms RC, documents files C
//	scheduler          desk         demographics R, schedule RCU
//	auditor            tenant       settings audit_log security_log R
//	platform_operator  tenant       settings security_log R, of the platform's own tenant
//	patient            self         demographics RU, schedule documents forms files messages message_attachments RC, notes billing audit_log R,
//	                                consents RCU, exports E
//	family_proxy       proxy        demographics documents consents R, schedule messages RC
//	ai_agent           own          documents R
//	service_account    –
//	suspended          –            takes every other role away
//
// Nobody reads all clinical records, but who is granted clinic_admin_full or records_custodian.
// Operators see no patient's data. Each family of roles has a view of the log of its own:
// audit_log of the whole tenant, of own patients, of oneself as a patient; security_log;
// own_log. Psychotherapy notes are their authors', identifiers the clinicians'; categories of
// the host's own are nobody's until the host grants them. Own means the records of the
// patients in care; of records without a patient, those that the person owns; of tenant-level
// actions none. An action on records without what a scope asks about is not granted in it.
//
// Scopes need relations: own Relations.Own, supervisees Relations.Supervisees, proxy
// Relations.Proxy. Roles are values: change them, add to Allow, drop one. PresetForbids and
// PresetGrantRules go with them.
func Presets(actions []AnyAction, o *PresetOptions) []Role {
	if o == nil {
		o = &PresetOptions{}
	}
	names := o.Roles
	if len(names) == 0 {
		names = []RoleName{ClinicAdmin, Therapist, Finance, FrontDesk}
	}
	var out []Role
	for _, p := range presets(o) {
		if slices.Contains(names, p.name) {
			out = append(out, p.role(actions))
		}
	}
	return out
}

// preset is one line of the table.
type preset struct {
	name  RoleName
	label string
	rank  int
	seat  bool
	kind  audit.Kind
	sight sightOf
	cells []cells
}

// cells say on which categories which verbs are granted in a scope: "notes:RC forms:R".
type cells struct {
	scope Scope
	text  string
	optIn bool // a tenant may switch them on
}

func (p preset) role(actions []AnyAction) Role {
	r := Role{Name: p.name, Label: p.label, Rank: p.rank, Seat: p.seat, Kind: p.kind, Sight: p.sight.levels()}
	for _, c := range p.cells {
		r.Allow = append(r.Allow, c.allowances(actions)...)
	}
	return r
}

// allowances grants the actions that the cells name, each in the scope that fits it.
func (c cells) allowances(actions []AnyAction) []Allow {
	var out []Allow
	for _, a := range actions {
		if a == nil || a.definition() == nil || !c.names(a.definition()) {
			continue
		}
		s := fitting(c.scope, a.definition())
		if s == nil {
			continue
		}
		allow := In(s, a)
		if c.optIn {
			allow = allow.OptIn()
		}
		out = append(out, allow)
	}
	return out
}

// names reports whether a cell names the action's category with its verb.
func (c cells) names(d *definition) bool {
	verb := string(d.verb)
	if d.destructive {
		verb = "P"
	}
	for _, cell := range strings.Fields(c.text) {
		category, verbs, _ := strings.Cut(cell, ":")
		if Category(category) == d.category && verb != "" && strings.Contains(verbs, verb) {
			return true
		}
	}
	return false
}

// fitting is the scope in which a role gets an action, nil for none: see Presets about Own.
func fitting(s Scope, d *definition) Scope {
	c := d.columns
	switch s {
	case Tenant:
		return s
	case Practice, Location:
		if d.tenantLevel() {
			return Tenant
		}
		return s
	case Own:
		if c.Patient == "" && c.Owner != "" {
			return Self
		}
	case Self:
		if c.Patient != "" || c.Owner != "" {
			return s
		}
	}
	if _, base := s.(Base); c.Patient == "" || !base && c.Author == "" {
		return nil
	}
	return s
}
