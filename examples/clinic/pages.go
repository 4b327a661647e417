package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/session"
)

type tile struct{ Href, Title, Text, Count string }

func (a *app) dashboard(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	if s, _ := session.From(ctx); s.Kind == audit.KindPatient {
		http.Redirect(w, r, "/me", http.StatusSeeOther)
		return
	}
	var tiles []tile
	f, err := rbac.Visible(ctx, a.access, patientRead)
	switch {
	case err == nil:
		n, err := a.patients.count(ctx, f)
		if err != nil {
			a.fail(w, r, http.StatusServiceUnavailable)
			return
		}
		tiles = append(tiles, tile{"/patients", "Patients", "The records you may open", strconv.Itoa(n)})
	case !errors.Is(err, rbac.ErrDenied):
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	may, err := rbac.MayAnywhere(ctx, a.access)
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	for _, t := range dashboardTiles() {
		if may.Allows(t.action) {
			tiles = append(tiles, t.tile)
		}
	}
	tiles = append(tiles, tile{"/security", "My security", "Password, phone, and where you are signed in", ""})
	lost, err := a.recoveredHere(ctx)
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	alert := ""
	if may.Allows(emergencyReview) {
		if alert, err = a.emergencyAlert(ctx); err != nil {
			a.fail(w, r, http.StatusServiceUnavailable)
			return
		}
	}
	a.render(w, r, http.StatusOK, "dashboard", view{Title: "Dashboard", Data: struct {
		Tiles     []tile
		Recovered *recovered
		Alert     string
	}{tiles, lost, alert}})
}

// guardedTile is a way that is shown to those who may go it.
type guardedTile struct {
	tile
	action rbac.AnyAction
}

func dashboardTiles() []guardedTile {
	return []guardedTile{
		{tile{"/patients/new", "Register a patient", "A new record with its therapist", ""}, registerOpen},
		{tile{"/claims", "Claims", "What was billed, and where it stands", ""}, claimRead},
		{tile{"/team", "Team", "Invite people, end sessions, suspend accounts", ""}, teamManage},
		{tile{"/roles", "Roles", "What each role may do, and who may see what", ""}, rolesRead},
		{tile{"/audit", "Audit", "Who saw and did what", ""}, auditRead},
		{tile{"/audit/review", "Review", "What somebody should look at", ""}, reviewRead},
		{tile{"/support", "Platform support", "Who of the platform was let in, and who asks to be", ""}, supportRead},
		{tile{"/emergencies", "Emergencies", "Records opened in an emergency, and their reviews", ""}, emergencyRead},
		{tile{"/incidents", "Incidents", "What went wrong, and until when it has to be dealt with", ""}, incidentList},
		{tile{"/campaigns", "Access reviews", "Who has which access, looked at again", ""}, campaignRead},
		{tile{"/my-reviews", "My reviews", "Whose access waits for your decision", ""}, campaignMine},
		{tile{"/audit/health", "State of recording", "Whether everything is on record", ""}, auditHealth},
		{tile{"/audit/sign-ins", "Sign-ins of the team", "Who signed in, or tried to", ""}, securityRead},
		{tile{"/settings/controls", "Security controls", "What protects this clinic, and how one knows", ""}, controlsRead},
		{tile{retentionHome, "How long the audit is kept", "Years, legal holds, and what may be destroyed", ""}, retentionRead},
		{tile{deidHome, "Export without names", "Figures for research, without what identifies patients", ""}, deidRead},
		{tile{"/settings", "Settings", "Rules for signing in, keys of the records", ""}, settingsRead},
		{tile{"/security/log", "What I did", "What is on record under your name", ""}, ownLogRead},
	}
}

type patientRow struct{ ID, Name, MRN, Birth, Phone, Therapist string }

type patientListData struct {
	Lead, Query, Caption, Empty, Next string
	MayCreate                         bool
	Rows                              []patientRow
}

func (a *app) patientList(w http.ResponseWriter, r *http.Request, f rbac.Filter[Patient]) {
	a.showPatients(w, r, f, "")
}

// findPatient is a post, because a phone number in an address stays in the browser's history.
func (a *app) findPatient(w http.ResponseWriter, r *http.Request, f rbac.Filter[Patient]) {
	if a.form(w, r) {
		a.showPatients(w, r, f, strings.TrimSpace(r.PostForm.Get("q")))
	}
}

func (a *app) showPatients(w http.ResponseWriter, r *http.Request, f rbac.Filter[Patient], find string) {
	ctx := r.Context()
	total, err := a.patients.count(ctx, f)
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	found, err := a.patients.list(ctx, f, find, r.URL.Query().Get("after"))
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	more := len(found) > pageSize
	found = found[:min(len(found), pageSize)]
	d := patientListData{
		Lead: fmt.Sprintf("You may open %d records.", total), Query: find, MayCreate: holds(ctx, a, registerOpen),
		Caption: fmt.Sprintf("%d patients, by name", len(found)), Empty: "No patients yet.",
	}
	if find != "" {
		d.Caption, d.Empty = fmt.Sprintf("%d found", len(found)), "None of your patients has this name, phone number, e-mail address or record number. Type whole words of the name, or the whole of a number."
	}
	if more && find == "" {
		d.Next = "/patients?" + url.Values{"after": {found[pageSize-1].ID}}.Encode()
	}
	if d.Rows, err = a.patientRows(ctx, found); err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	a.render(w, r, http.StatusOK, "patients", view{Title: "Patients", Data: d})
}

// patientRows reveals what a list shows: names and phones, nothing else.
func (a *app) patientRows(ctx context.Context, found []*Patient) ([]patientRow, error) {
	team, err := a.staff.all(ctx)
	if err != nil {
		return nil, err
	}
	var all []patientRow
	for _, p := range found {
		row := patientRow{ID: p.ID, Therapist: team[p.Therapist].Name}
		if err := show(ctx, into{p.Name, &row.Name}, into{p.MRN, &row.MRN}, into{p.Birth, &row.Birth}, into{p.Phone, &row.Phone}); err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	slices.SortFunc(all, func(a, b patientRow) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// into is a value and where its visible form goes.
type into struct {
	from interface {
		IsZero() bool
		View(ctx context.Context) (string, error)
	}
	to *string
}

// show reveals values as far as the decision in ctx allows, and records that it did.
func show(ctx context.Context, fields ...into) error {
	for _, f := range fields {
		if f.from.IsZero() {
			*f.to = "–"
			continue
		}
		text, err := f.from.View(ctx)
		if err != nil {
			return err
		}
		*f.to = text
	}
	return nil
}

type patientData struct {
	ID, Name, MRN, Birth, Phone, Email, SSN, Note, Therapist, Reason string
	Version                                                          int64
	MayReveal, MayReadNote, MayWriteNote                             bool
	MaySeeAccess, MaySeeHistory, MaySeeClaims, MayClaim              bool
	MaySeePortal                                                     bool
	Revealed, ReasonMissing                                          bool
	Kept                                                             string // when the draft in the form was kept
	Bill                                                             bill   // what was typed into the claim's form
	Papers                                                           []paperList
	Paper                                                            typedPaper // what was typed into a paper's form
	PaperKind                                                        string     // and which one
	Care                                                             careData
}

func (a *app) patientPage(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	if g.Resource().Destroyed {
		a.showDestroyed(w, r, g.Resource())
		return
	}
	v := view{}
	missing := r.URL.Query().Get("reason") == "missing"
	if missing {
		v.Problem = "Please type a reason of a few words. It is kept with the record of who saw the number."
	}
	a.showPatient(w, r, http.StatusOK, g.Resource(), v, patientData{ReasonMissing: missing})
}

// reveal shows the page with the whole social security number. The reason is in the audit
// before this runs.
func (a *app) reveal(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	a.showPatient(w, r, http.StatusOK, g.Resource(), view{}, patientData{Revealed: true})
}

func (a *app) showPatient(w http.ResponseWriter, r *http.Request, status int, p Patient, v view, d patientData) {
	ctx := r.Context()
	may, err := rbac.May(ctx, a.access, p, patientReveal, noteRead, noteWrite, accessRead, historyRead, claimSubmit, portalRead)
	if err == nil {
		d.MayReveal, d.MayReadNote, d.MayWriteNote = may.Allows(patientReveal), may.Allows(noteRead), may.Allows(noteWrite)
		d.MaySeeAccess, d.MaySeeHistory = may.Allows(accessRead), may.Allows(historyRead)
		d.MaySeePortal = may.Allows(portalRead)
		d.MaySeeClaims, d.MayClaim = holds(ctx, a, claimRead), may.Allows(claimSubmit)
		err = show(ctx, into{p.Name, &d.Name}, into{p.MRN, &d.MRN}, into{p.Birth, &d.Birth}, into{p.Phone, &d.Phone}, into{p.Email, &d.Email}, into{p.SSN, &d.SSN})
	}
	if err == nil && d.MayReadNote {
		d.Note, err = a.readNote(ctx, p)
	}
	if err == nil {
		d.Papers, err = a.paperLists(ctx, p)
	}
	if err == nil {
		d.Care, err = a.fillCare(ctx, p)
	}
	if err == nil && p.Therapist != "" {
		var therapist member
		therapist, err = a.staff.get(ctx, p.Therapist)
		d.Therapist = therapist.Name
		if errors.Is(err, rbac.ErrNotFound) {
			err = nil // a therapist who is not in the team's list keeps nobody from the record
		}
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	d.ID, d.Version = p.ID, p.Version
	v.Title, v.Data = "Patient record", d // no name: browsers keep titles in their history
	a.render(w, r, status, "patient", v)
}

// readNote is a decision and an event of its own: clinical notes are another category.
func (a *app) readNote(ctx context.Context, p Patient) (string, error) {
	g, err := rbac.Authorize(ctx, a.access, noteRead, p)
	if err != nil || p.Note.IsZero() {
		return "", err
	}
	return p.Note.View(g.Context(ctx))
}

// minReason is how many bytes a reason has at least: "x" says nothing to whoever reads it.
const minReason = 4

// reason is what the person typed, none if it cannot say anything.
func reason(r *http.Request) string {
	if err := r.ParseForm(); err != nil {
		return ""
	}
	typed := strings.TrimSpace(r.PostForm.Get("reason"))
	if len(typed) < minReason {
		return ""
	}
	return typed
}

// maxNote is how many bytes a note may have.
const maxNote = 8000

// notePage is where a note is edited: apart from the record, so that nothing else on the
// page can lose what was typed.
func (a *app) notePage(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	a.showNote(w, r, http.StatusOK, g, view{})
}

func (a *app) showNote(w http.ResponseWriter, r *http.Request, status int, g rbac.Granted[Patient], v view) {
	ctx, p := r.Context(), g.Resource()
	may, err := rbac.May(ctx, a.access, p, noteWrite)
	if err == nil && !may.Allows(noteWrite) {
		a.fail(w, r, http.StatusForbidden)
		return
	}
	d := patientData{ID: p.ID, Version: p.Version}
	if err == nil {
		err = show(ctx, into{p.Name, &d.Name})
	}
	switch {
	case err != nil:
	case g.Allows(noteRead): // decided by the route
		d.Note, err = p.Note.View(ctx)
	default:
		d.Note, err = a.readNote(ctx, p)
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	if err := a.resume(ctx, &d); err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	v.Title, v.Draft, v.Data = "Clinical note", "/patients/"+p.ID+"/note/lock", d
	a.render(w, r, status, "note", v)
}

func (a *app) saveNote(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	if !a.form(w, r) {
		return
	}
	version, err := strconv.ParseInt(r.PostForm.Get("version"), 10, 64)
	note := strings.TrimSpace(r.PostForm.Get("note"))
	if err != nil || len(note) > maxNote {
		a.fail(w, r, http.StatusUnprocessableEntity)
		return
	}
	if note == "" {
		v := view{Problem: "The note is empty, so nothing was saved. A note can be changed, not wiped out."}
		a.showNote(w, r, http.StatusUnprocessableEntity, g, v)
		return
	}
	err = a.patients.saveNote(r.Context(), g, version, note)
	switch {
	case errors.Is(err, errChanged):
		a.fail(w, r, http.StatusConflict)
	case err != nil:
		a.fail(w, r, http.StatusServiceUnavailable)
	default:
		http.Redirect(w, r, "/patients/"+g.Resource().ID+"?done=note", http.StatusSeeOther)
	}
}

type registerData struct {
	registration
	Therapists []member
}

func (a *app) registerPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	a.showRegister(w, r, http.StatusOK, view{}, registration{})
}

func (a *app) showRegister(w http.ResponseWriter, r *http.Request, status int, v view, f registration) {
	therapists, err := a.therapists(r.Context())
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	v.Title, v.Data = "Register a patient", registerData{f, therapists}
	a.render(w, r, status, "patientnew", v)
}

// therapists are the people whom a patient can be given to.
func (a *app) therapists(ctx context.Context) ([]member, error) {
	team, err := a.staff.all(ctx)
	if err != nil {
		return nil, err
	}
	chosen := map[audit.ActorID]member{}
	for g, err := range a.access.Team(ctx) {
		if err != nil {
			return nil, err
		}
		if m, ok := team[g.Person]; ok && g.Role == roleTherapist {
			chosen[m.ID] = m
		}
	}
	return byName(chosen), nil
}

func (a *app) register(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	if !a.form(w, r) {
		return
	}
	field := func(name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }
	f := registration{
		Name: field("name"), MRN: field("mrn"), Birth: field("birth"), Phone: field("phone"),
		Email: field("email"), SSN: field("ssn"), Therapist: audit.ActorID(field("therapist")),
	}
	known, err := a.therapists(r.Context())
	if err == nil && !slices.ContainsFunc(known, func(m member) bool { return m.ID == f.Therapist }) {
		f.Therapist = ""
	}
	if err == nil {
		_, err = a.patients.register(r.Context(), f)
	}
	again := ""
	if f.SSN != "" {
		again = " The social security number is not kept while you correct the form: type it again."
	}
	var duplicate *phi.DuplicateError
	switch {
	case errors.As(err, &duplicate):
		a.showRegister(w, r, http.StatusConflict, view{Problem: duplicateText(duplicate.Field) + again}, f)
	case errors.Is(err, phi.ErrNotNormal):
		a.showRegister(w, r, http.StatusUnprocessableEntity, view{Problem: "The phone number, the e-mail address or the record number cannot be right. Please check them." + again}, f)
	case errors.Is(err, errInput):
		_, words, _ := strings.Cut(err.Error(), ": ")
		a.showRegister(w, r, http.StatusUnprocessableEntity, view{Problem: "Please check the form: " + words + "." + again}, f)
	case err != nil:
		a.fail(w, r, http.StatusServiceUnavailable)
	default:
		http.Redirect(w, r, "/patients?done=registered", http.StatusSeeOther)
	}
}

// duplicateText says which value another patient has already.
func duplicateText(field string) string {
	if field == "mrn" {
		return "Another patient of this clinic already has this medical record number. Check it, or leave it empty to get a new one."
	}
	return "Another patient of this clinic already has this e-mail address. Search for it before you register a second record."
}
