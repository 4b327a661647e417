package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/session"
)

// teamRow is a member of the team with what the admin looks at.
type teamRow struct {
	member
	Account accountRow
	Role    string
}

type teamData struct {
	Members   []teamRow
	Roles     []rbac.Role // that the person may give
	MayInvite bool
	// what was typed into the invitation, when it is asked again
	Name, Email string
	Role        rbac.RoleName
}

func (a *app) teamPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	a.showTeam(w, r, http.StatusOK, view{}, teamData{})
}

func (a *app) showTeam(w http.ResponseWriter, r *http.Request, status int, v view, d teamData) {
	rows, err := a.teamRows(r.Context())
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	d.Members = rows
	if d.MayInvite = holds(r.Context(), a, teamManage); d.MayInvite {
		if d.Roles, err = a.grantable(r.Context()); err != nil {
			a.fail(w, r, http.StatusServiceUnavailable)
			return
		}
	}
	v.Title, v.Data = "Team", d
	a.render(w, r, status, "team", v)
}

func (a *app) teamRows(ctx context.Context) ([]teamRow, error) {
	names, err := a.staff.all(ctx)
	if err != nil {
		return nil, err
	}
	roles, err := a.rolesOf(ctx)
	if err != nil {
		return nil, err
	}
	factors := map[audit.ActorID]mfa.Status{}
	for s, err := range a.factors.List(ctx, tenant) {
		if err != nil {
			return nil, err
		}
		factors[s.Person] = s
	}
	policy, err := a.people.Policy(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var all []teamRow
	for p, err := range a.people.People(ctx, tenant, "") {
		if err != nil {
			return nil, err
		}
		if p.Kind != audit.KindStaff { // patients have accounts too, and no place in the team
			continue
		}
		m, ok := names[p.ID]
		if !ok { // interrupted between the account and the name: still to be seen and suspended
			m = member{ID: p.ID, Name: "No name kept"}
		}
		row := teamRow{member: m, Role: a.access.Policy().Label(roles[p.ID]...)}
		row.Account = a.accountOf(p, factors[p.ID], policy, time.Now())
		all = append(all, row)
	}
	slices.SortFunc(all, func(a, b teamRow) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

func (a *app) rolesOf(ctx context.Context) (map[audit.ActorID][]rbac.RoleName, error) {
	roles := map[audit.ActorID][]rbac.RoleName{}
	for g, err := range a.access.Team(ctx) {
		if err != nil {
			return nil, err
		}
		roles[g.Person] = append(roles[g.Person], g.Role)
	}
	return roles, nil
}

func stateText(s authn.State) string {
	switch s {
	case authn.Invited:
		return "Invited"
	case authn.Active:
		return "Active"
	case authn.Waiting:
		return "Waits for approval"
	case authn.Suspended:
		return "Suspended"
	case authn.Removed:
		return "Left"
	}
	return string(s)
}

func stateTag(s authn.State) string {
	switch s {
	case authn.Active:
		return "tag-good"
	case authn.Invited, authn.Waiting:
		return "tag-warn"
	}
	return "tag-bad"
}

func (a *app) inviteMember(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	if !a.form(w, r) {
		return
	}
	d := teamData{
		Name: strings.TrimSpace(r.PostForm.Get("name")), Email: strings.TrimSpace(r.PostForm.Get("email")),
		Role: rbac.RoleName(r.PostForm.Get("role")),
	}
	known := slices.ContainsFunc(a.access.Policy().Roles(), func(p rbac.Role) bool { return p.Name == d.Role && !forPatients(p) })
	if !known {
		a.showTeam(w, r, http.StatusUnprocessableEntity, view{Problem: "Please choose a role."}, d)
		return
	}
	_, err := a.invite(r.Context(), d.Name, d.Email, d.Role)
	if words, status := a.refusal(err); words != "" && !errors.Is(err, errInput) {
		a.showTeam(w, r, status, view{Problem: words}, d)
		return
	}
	switch {
	case errors.Is(err, errInput), errors.Is(err, authn.ErrIdentifier):
		a.showTeam(w, r, http.StatusUnprocessableEntity, view{Problem: "Please fill in a name and a valid e-mail address."}, d)
	case errors.Is(err, authn.ErrExists):
		a.showTeam(w, r, http.StatusConflict, view{Problem: "Somebody of the team has this e-mail address already."}, d)
	case errors.Is(err, rbac.ErrDenied):
		a.fail(w, r, http.StatusForbidden)
	case err != nil:
		a.fail(w, r, http.StatusServiceUnavailable)
	default:
		http.Redirect(w, r, "/team?done=invited", http.StatusSeeOther)
	}
}

type memberData struct {
	teamRow
	Sessions                []sessionRow
	Passkeys                []passkeyRow
	App, Text               string // since when, and last used
	MayManage, MaySeeRights bool
	Self, MayEndAll         bool
	Changes                 accountChanges
}

// memberReset asks for a proof each time, however fresh the sign-in: who resets a factor lets
// somebody in who has none.
var memberReset = rbac.Define[Member]("person.reset_factor", memberColumns, rbac.Verb(audit.Update), rbac.StepUp(eachTime), rbac.InCategory(rbac.Users))

func (a *app) memberPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	ctx, id := r.Context(), audit.ActorID(r.PathValue("member"))
	rows, err := a.teamRows(ctx)
	i := slices.IndexFunc(rows, func(t teamRow) bool { return t.ID == id })
	if err == nil && i < 0 {
		a.fail(w, r, http.StatusNotFound)
		return
	}
	var d memberData
	if err == nil {
		d.teamRow = rows[i]
		d.Account, err = a.account(ctx, id)
	}
	if err == nil {
		d.Sessions, err = a.sessionRows(ctx, id)
	}
	if err == nil {
		d.Passkeys, err = a.passkeyRows(ctx, id)
	}
	d.App, d.Text = a.spanOf(d.Account.factors.Since, d.Account.factors.LastUsed), a.spanOf(d.Account.factors.Text.Since, d.Account.factors.Text.LastUsed)
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	s, _ := session.From(ctx)
	d.Self = s.Person == id
	d.MayManage, d.MaySeeRights = holds(ctx, a, teamManage), holds(ctx, a, rightsRead)
	d.MayEndAll = d.MayManage && !d.Self
	d.Changes = changesOf(ctx, d.Account, "/team/"+url.PathEscape(string(id)), d.MayEndAll)
	a.render(w, r, http.StatusOK, "member", view{Title: d.Name, Data: d})
}

// spanOf tells since when somebody has a factor and when they last used it, "" for one they have not.
func (a *app) spanOf(since, used time.Time) string {
	if since.IsZero() {
		return ""
	}
	last := "not used since"
	if !used.IsZero() {
		last = "last used " + a.config.when(used)
	}
	return "since " + a.config.when(since) + ", " + last
}

func (a *app) endMemberSession(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	m, err := a.member(r.Context(), r)
	if err == nil {
		err = a.sessions.EndOne(r.Context(), tenant, m.ID, r.PathValue("session"), "ended_by_admin")
	}
	a.changedAt(w, r, "/team/"+url.PathEscape(string(m.ID)), "session-ended", err)
}

// changeMember carries out one of the changes an admin can make to an account of the team.
func (a *app) changeMember(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	if !a.form(w, r) {
		return
	}
	ctx := r.Context()
	m, err := a.member(ctx, r)
	to, done := "/team/"+url.PathEscape(string(m.ID)), ""
	s, _ := session.From(ctx)
	switch {
	case err != nil:
	case s.Person == m.ID: // nobody locks themselves out
		err = authn.ErrState
	case r.PathValue("change") == "end-sessions":
		done, err = "sessions-ended", a.sessions.EndAll(ctx, tenant, m.ID, "ended_by_admin")
	default:
		done, err = a.carry(ctx, r.PathValue("change"), m.ID, whyOf(r))
	}
	a.changedAt(w, r, to, done, err)
}

// resetMemberFactor is for a colleague whose phone is gone.
func (a *app) resetMemberFactor(w http.ResponseWriter, r *http.Request, g rbac.Granted[Member]) {
	if !a.form(w, r) {
		return
	}
	id, err := g.Resource().ID, error(nil)
	if s, _ := session.From(r.Context()); s.Person == id {
		err = authn.ErrState
	} else {
		err = a.resetFactor(r.Context(), id, whyOf(r))
	}
	a.changedAt(w, r, "/team/"+url.PathEscape(string(id)), "factor-reset", err)
}
