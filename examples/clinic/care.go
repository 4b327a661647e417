package main

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"slices"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// Who may change who cares for a patient is the presets' to say, but for one thing: therapists
// share their own patients with colleagues, and end that again.
var (
	careJoin = rbac.Define[Patient]("care.join", patientColumns, rbac.Verb(audit.Create), rbac.InCategory(rbac.CareTeam), rbac.Object("patient"))
	careEnd  = rbac.Define[Patient]("care.end", patientColumns, rbac.Verb(audit.Delete), rbac.InCategory(rbac.CareTeam), rbac.Object("patient"))
)

const (
	actionCareJoined audit.Action = "care.joined"
	actionCareEnded  audit.Action = "care.ended"
)

func careTeamActions() []rbac.AnyAction { return []rbac.AnyAction{careJoin, careEnd} }

func careWords() []option {
	return []option{
		{"care.join", "Ask to add somebody to a care team"},
		{string(actionCareJoined), "Somebody joined a care team"},
		{"care.end", "Ask to take somebody out of a care team"},
		{string(actionCareEnded), "Somebody left a care team"},
	}
}

// careData is who cares for a patient, and who of the team could join them.
type careData struct {
	Patient         string
	Members         []careRow
	Others          []member
	MayJoin, MayEnd bool
}

type careRow struct {
	member
	Role string
	Last bool // somebody has to stay
}

// fillCare fills in the care team of a record.
func (a *app) fillCare(ctx context.Context, p Patient) (d careData, err error) {
	d.Patient = p.ID
	may, err := rbac.May(ctx, a.access, p, careJoin, careEnd)
	if err != nil {
		return d, err
	}
	d.MayJoin, d.MayEnd = may.Allows(careJoin), may.Allows(careEnd)
	ids, err := a.patients.careTeam(ctx, p.ID)
	if err != nil {
		return d, err
	}
	names, err := a.staff.all(ctx)
	if err != nil {
		return d, err
	}
	roles, err := a.rolesOf(ctx)
	if err != nil {
		return d, err
	}
	for _, id := range ids {
		row := careRow{member{ID: id, Name: nameOf(id, names)}, a.access.Policy().Label(roles[id]...), len(ids) == 1}
		d.Members = append(d.Members, row)
	}
	for _, m := range byName(names) {
		if !slices.Contains(ids, m.ID) && cares(roles[m.ID]) {
			d.Others = append(d.Others, m)
		}
	}
	return d, nil
}

// cares reports whether somebody with these roles works with patients in care.
func cares(roles []rbac.RoleName) bool {
	return slices.ContainsFunc(roles, func(r rbac.RoleName) bool { return r == rbac.Therapist || r == rbac.Nurse })
}

// joinCare lets a colleague see a patient whom they help to care for.
func (a *app) joinCare(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	if !a.form(w, r) {
		return
	}
	ctx, p, id := r.Context(), g.Resource(), audit.ActorID(r.PostForm.Get("member"))
	roles, err := a.rolesOf(ctx)
	if err == nil && !cares(roles[id]) {
		a.showPatient(w, r, http.StatusUnprocessableEntity, p, view{Problem: "Please choose a colleague."}, patientData{})
		return
	}
	if err == nil {
		err = a.patients.joinCare(ctx, p.ID, id)
	}
	a.changedCare(w, r, p.ID, "care-joined", err)
}

// endCare takes a colleague out of a care team, from their next click on.
func (a *app) endCare(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	if !a.form(w, r) {
		return
	}
	id := g.Resource().ID
	a.changedCare(w, r, id, "care-ended", a.patients.endCare(r.Context(), id, audit.ActorID(r.PostForm.Get("member"))))
}

func (a *app) changedCare(w http.ResponseWriter, r *http.Request, patient, done string, err error) {
	s, _ := audit.ActorFrom(r.Context())
	switch {
	case errors.Is(err, errChanged):
		a.fail(w, r, http.StatusConflict)
	case err != nil:
		a.fail(w, r, http.StatusServiceUnavailable)
	case done == "care-ended" && string(s.ID) == r.PostForm.Get("member"):
		http.Redirect(w, r, "/patients?done="+done, http.StatusSeeOther) // the record is not theirs to see any more
	default:
		http.Redirect(w, r, "/patients/"+patient+"?done="+done, http.StatusSeeOther)
	}
}

// careTeam returns who cares for a patient now, longest first.
func (s *patients) careTeam(ctx context.Context, patient string) (all []audit.ActorID, err error) {
	rows, err := s.db.pool.QueryContext(ctx, s.db.q(`SELECT therapist FROM clinic_care c
		WHERE c.tenant = ? AND c.patient = ? AND (c.until = 0 OR c.until > ?) ORDER BY c.since, c.therapist`),
		string(tenant), patient, s.now().UnixMicro())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		all = append(all, audit.ActorID(id))
	}
	return all, rows.Err()
}

// joinCare adds somebody to a care team; who is in it already is errChanged.
func (s *patients) joinCare(ctx context.Context, patient string, id audit.ActorID) error {
	now := s.now().UnixMicro()
	return s.change(ctx, careEvent(actionCareJoined, audit.Create, patient, id), func(tx *sql.Tx) error {
		return touched(tx.ExecContext(ctx, s.db.q(`INSERT INTO clinic_care (tenant, therapist, patient, since, until)
			SELECT p.tenant, ?, p.id, ?, 0 FROM clinic_patient p WHERE p.tenant = ? AND p.id = ? AND NOT EXISTS
			(SELECT 1 FROM clinic_care c WHERE c.tenant = p.tenant AND c.patient = p.id AND c.therapist = ? AND (c.until = 0 OR c.until > ?))`),
			string(id), now, string(tenant), patient, string(id), now))
	})
}

// endCare takes somebody out of a care team; who is not in it, and the last one, is errChanged.
func (s *patients) endCare(ctx context.Context, patient string, id audit.ActorID) error {
	now := s.now().UnixMicro()
	return s.change(ctx, careEvent(actionCareEnded, audit.Delete, patient, id), func(tx *sql.Tx) error {
		return touched(tx.ExecContext(ctx, s.db.q(`UPDATE clinic_care SET until = ?
			WHERE tenant = ? AND patient = ? AND therapist = ? AND (until = 0 OR until > ?) AND EXISTS
			(SELECT 1 FROM clinic_care c WHERE c.tenant = ? AND c.patient = ? AND c.therapist <> ? AND (c.until = 0 OR c.until > ?))`),
			now, string(tenant), patient, string(id), now, string(tenant), patient, string(id), now))
	})
}

func careEvent(action audit.Action, verb audit.Verb, patient string, id audit.ActorID) audit.Event {
	e := recordEvent(action, verb, patient, audit.Object{Type: "patient", ID: patient, Category: string(rbac.CareTeam)})
	e.Objects = append(e.Objects, audit.Object{Type: "person", ID: string(id)})
	return e
}

// withCare gives therapists what the presets leave to others: to say who else cares for their own
// patients.
func withCare(roles []rbac.Role) []rbac.Role {
	for i := range roles {
		if roles[i].Name == rbac.Therapist {
			roles[i].Allow = append(roles[i].Allow, rbac.In(rbac.Own, careJoin), rbac.In(rbac.Own, careEnd))
		}
	}
	return roles
}
