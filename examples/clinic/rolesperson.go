package main

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/session"
)

// whyRow says whether somebody may do some things, and because of what.
type whyRow struct {
	What    []string
	Allowed bool
	Because []string
	Duties  string
}

// gathered puts together what has the same answer for the same reasons, in the order of the first.
func gathered(rows []whyRow) (all []whyRow) {
	for _, row := range rows {
		i := slices.IndexFunc(all, func(have whyRow) bool {
			return have.Allowed == row.Allowed && have.Duties == row.Duties && slices.Equal(have.Because, row.Because)
		})
		if i < 0 {
			all = append(all, row)
			continue
		}
		if !slices.Contains(all[i].What, row.What[0]) {
			all[i].What = append(all[i].What, row.What...)
		}
	}
	return all
}

// grantRow is a role that somebody has, had or will have.
type grantRow struct {
	ID, Role, From, Until, By, Why, State, Tag, Audit string
	Live                                              bool
}

type rightsData struct {
	ID, Name, Label, State, StateTag, Rules string
	Off                                     bool // the account cannot sign in now
	Self, MayAudit, MayChange               bool
	Doings                                  []string
	Rows                                    []rightRow
	Nothing                                 string // the kinds of record of which they may do nothing
	Why                                     []whyRow
	Grants                                  []grantRow
	Undo                                    undoing
	Give                                    []rbac.Role
	Patient, Query                          string
	One                                     []whyRow // about one patient's record
}

// rightsPage answers "what can this person see, and why?". It is asked by the same code that
// decides, and shows no patient's data: of a record, only the answer.
func (a *app) rightsPage(w http.ResponseWriter, r *http.Request, g rbac.Granted[Member]) {
	v := view{}
	if r.URL.Query().Get("reason") == "missing" {
		v.Problem = "Please type a reason of a few words. Nothing was changed."
	}
	a.showRights(w, r, http.StatusOK, v, g.Resource(), rightsData{Patient: r.URL.Query().Get("patient")})
}

// rightsFind looks a patient up; what was typed stays out of addresses.
func (a *app) rightsFind(w http.ResponseWriter, r *http.Request, g rbac.Granted[Member]) {
	if !a.form(w, r) {
		return
	}
	typed := strings.TrimSpace(r.PostForm.Get("q"))
	ids, err := a.patients.find(r.Context(), typed)
	switch {
	case err != nil:
		a.fail(w, r, http.StatusServiceUnavailable)
	case len(ids) == 0:
		a.showRights(w, r, http.StatusOK, view{Problem: "No patient has this phone number, e-mail address or record number. Type the whole of it."}, g.Resource(), rightsData{})
	case len(ids) > 1:
		a.showRights(w, r, http.StatusOK, view{Problem: "Several patients have this phone number. Type the record number or the e-mail address."}, g.Resource(), rightsData{})
	case audit.Seen(r.Context(), audit.Patient(ids[0]), audit.Object{}) != nil: // the address tells whose number it is
		a.fail(w, r, http.StatusServiceUnavailable)
	default:
		http.Redirect(w, r, rightsPath(g.Resource())+"?"+url.Values{"patient": ids}.Encode()+"#record", http.StatusSeeOther)
	}
}

func rightsPath(m Member) string { return "/team/" + url.PathEscape(string(m.ID)) + "/rights" }

func (a *app) showRights(w http.ResponseWriter, r *http.Request, status int, v view, m Member, d rightsData) {
	ctx := r.Context()
	b, err := openBook(a.access.Policy())
	if err == nil {
		err = a.fillPerson(ctx, m, b, &d)
	}
	if err == nil {
		err = a.fillRights(ctx, m, b, &d)
	}
	if err == nil && d.Patient != "" {
		err = a.fillOne(ctx, m, b, &d)
	}
	switch {
	case errors.Is(err, rbac.ErrNotFound):
		a.fail(w, r, http.StatusNotFound)
		return
	case err != nil:
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	v.Title, v.Data = "What somebody may see", d
	a.render(w, r, status, "rights", v)
}

// fillPerson fills in who it is and which roles they have.
func (a *app) fillPerson(ctx context.Context, m Member, b book, d *rightsData) error {
	team, err := a.staff.all(ctx)
	if err != nil {
		return err
	}
	account, err := a.people.Account(ctx, tenant, m.ID)
	if err != nil {
		return err
	}
	s, _ := session.From(ctx)
	d.ID, d.Name, d.Self = string(m.ID), nameOf(m.ID, team), s.Person == m.ID
	d.State, d.StateTag = stateText(account.Person.State), stateTag(account.Person.State)
	d.Off = d.StateTag != "tag-good"
	d.MayAudit = holds(ctx, a, auditRead)
	d.MayChange = holds(ctx, a, rolesPropose) && !d.Self
	all, err := a.grantsOf(ctx, m)
	if err != nil {
		return err
	}
	var mine []rbac.RoleName
	now := time.Now()
	for _, g := range all {
		d.Grants = append(d.Grants, a.grantRow(g, now, b, team))
		if g.InForce(now) {
			mine = append(mine, g.Role)
		}
	}
	d.Label = cmp.Or(a.access.Policy().Label(mine...), "No role")
	if !d.MayChange {
		return nil
	}
	d.Undo = undoOf(all, now, a.config.zone)
	d.Give, err = a.grantable(ctx)
	d.Give = slices.DeleteFunc(d.Give, func(r rbac.Role) bool { return slices.Contains(mine, r.Name) })
	return err
}

// grantsOf returns every grant that a person has or had, newest first.
func (a *app) grantsOf(ctx context.Context, m Member) (all []rbac.Grant, err error) {
	for g, err := range a.grants.List(ctx, tenant, "") {
		if err != nil {
			return nil, err
		}
		if g.Person == m.ID {
			all = append(all, g)
		}
	}
	slices.Reverse(all)
	return all, nil
}

func (a *app) grantRow(g rbac.Grant, now time.Time, b book, team map[audit.ActorID]member) grantRow {
	row := grantRow{
		ID: g.ID, Role: b.label(g.Role), From: a.config.when(latest(g.From, g.Created)), Until: "no end", By: nameOf(g.By, team),
		Why: whyWords(g.Why), Live: g.Live(now), Audit: auditFilter{Period: allTime, Type: "grant", ID: g.ID}.href(),
	}
	if !g.Until.IsZero() {
		row.Until = a.config.when(g.Until)
	}
	switch {
	case g.InForce(now):
		row.State, row.Tag = "now", "tag-good"
	case row.Live:
		row.State, row.Tag = "later", "tag-warn"
	case !g.Ended.IsZero():
		row.State, row.Until = "taken away by "+nameOf(g.EndedBy, team), a.config.when(g.Ended)
	default:
		row.State = "over"
	}
	return row
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// fillRights fills in what they may do, by kind of record and with the reasons.
func (a *app) fillRights(ctx context.Context, m Member, b book, d *rightsData) error {
	all, err := rbac.Rights(ctx, a.access, m.actor())
	if err != nil {
		return err
	}
	team, err := a.staff.all(ctx)
	if err != nil {
		return err
	}
	t := rightTable{}
	d.Doings = doingNames()
	for _, x := range all {
		action := b.action(x.Action)
		t.cell(action)
		for _, c := range x.Clauses {
			if x.Allowed && c.Verdict == rbac.VerdictAllows {
				t.add(action, c.Scope)
			}
		}
		d.Rules = fingerprint(x.Policy)
		d.Why = append(d.Why, a.whyRow(x, b, team))
	}
	d.Rows, d.Nothing, d.Why = t.rows(), t.nothing(), gathered(d.Why)
	return nil
}

// fingerprint is how the pages name a version of the policy: the first of its digest's digits.
func fingerprint(digest string) string {
	if len(digest) < 8 {
		return digest
	}
	return digest[:4] + " " + digest[4:8]
}

func (a *app) whyRow(x rbac.Explanation, b book, team map[audit.ActorID]member) whyRow {
	row := whyRow{What: []string{deedText(x.Action)}, Allowed: x.Allowed}
	if x.Allowed {
		row.Duties = dutyWords(x.Duties)
	}
	for _, c := range x.Clauses {
		if c.Scope == rbac.Emergency.String() && c.Verdict == rbac.VerdictScope && x.Allowed {
			continue // what they may anyhow needs no emergency
		}
		if text := a.clauseWords(c, b, team); text != "" {
			row.Because = append(row.Because, text)
		}
	}
	if len(row.Because) == 0 {
		row.Because = []string{codeWords(x.Code)}
	}
	return row
}

// clauseWords says what one role contributes, "" for one that has nothing to do with it.
func (a *app) clauseWords(c rbac.Clause, b book, team map[audit.ActorID]member) string {
	role := b.label(c.Role)
	switch c.Verdict {
	case rbac.VerdictAllows:
		text := "As " + role + ", " + reachWords(c.Scope) + ". Given by " + nameOf(c.By, team)
		if !c.From.IsZero() {
			text += ", from " + a.config.when(c.From)
		}
		if !c.Until.IsZero() {
			text += ", until " + a.config.when(c.Until)
		}
		return text + "."
	case rbac.VerdictScope:
		if c.Scope == rbac.Emergency.String() {
			return "In an emergency, once they open this patient as " + role + "."
		}
		return "As " + role + " only " + reachWords(c.Scope) + ", and this is not one of them."
	case rbac.VerdictForbidden:
		return "As " + role + " yes, but a rule about sensitive records keeps it back."
	case rbac.VerdictOff:
		return "The clinic has not switched it on for " + role + "."
	case rbac.VerdictNotYet:
		return role + " begins on " + a.config.when(c.From) + "."
	case rbac.VerdictOver:
		return role + " ended on " + a.config.when(c.Until) + "."
	case rbac.VerdictSuspended:
		return "Their roles are suspended."
	case rbac.VerdictKind, rbac.VerdictRole:
		return role + " counts for nothing here."
	}
	return ""
}

// fillOne asks about one patient's record, action by action. That it was asked is in that
// patient's own report of who looked.
func (a *app) fillOne(ctx context.Context, m Member, b book, d *rightsData) error {
	p, err := a.patients.get(ctx, d.Patient)
	if err != nil {
		return err
	}
	if err := audit.Seen(ctx, audit.Patient(p.ID), audit.Object{}); err != nil {
		return err
	}
	team, err := a.staff.all(ctx)
	if err != nil {
		return err
	}
	all, err := a.explainRecord(ctx, m.actor(), p)
	for _, x := range all {
		d.One = append(d.One, a.whyRow(x, b, team))
	}
	d.One = gathered(d.One)
	return err
}

// explainRecord explains every action on a patient's record, and on the claims and papers in it.
func (a *app) explainRecord(ctx context.Context, who audit.Actor, p Patient) (all []rbac.Explanation, err error) {
	about := func(x rbac.Explanation, e error) {
		all, err = append(all, x), errors.Join(err, e)
	}
	for _, action := range []rbac.Action[Patient]{patientRead, patientReveal, noteRead, noteWrite, accessRead, historyRead, claimSubmit} {
		about(rbac.Explain(ctx, a.access, who, action, p))
	}
	claim := Claim{Tenant: p.Tenant, Patient: audit.Patient(p.ID)}
	for _, action := range []rbac.Action[Claim]{claimRead, claimChange} {
		about(rbac.Explain(ctx, a.access, who, action, claim))
	}
	paper := Paper{Tenant: p.Tenant, Patient: audit.Patient(p.ID)}
	for _, k := range paperKinds() {
		about(rbac.Explain(ctx, a.access, who, k.read, paper))
		about(rbac.Explain(ctx, a.access, who, k.add, p))
		about(rbac.Explain(ctx, a.access, who, k.remove, paper))
		about(rbac.Explain(ctx, a.access, who, k.purge, paper))
	}
	return all, err
}
