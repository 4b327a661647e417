package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/session"
)

// teamRow is a member of the team with what the admin looks at.
type teamRow struct {
	member
	Role, State, StateTag string
	Enrolled              bool
	state                 authn.State
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
	enrolled := map[audit.ActorID]bool{}
	for s, err := range a.factors.List(ctx, tenant) {
		if err != nil {
			return nil, err
		}
		enrolled[s.Person] = s.State == mfa.On || s.State == mfa.Locked
	}
	var all []teamRow
	for p, err := range a.people.People(ctx, tenant, "") {
		if err != nil {
			return nil, err
		}
		m, ok := names[p.ID]
		if !ok { // interrupted between the account and the name: still to be seen and suspended
			m = member{ID: p.ID, Name: "No name kept"}
		}
		all = append(all, teamRow{
			member: m, Role: a.access.Policy().Label(roles[p.ID]...), Enrolled: enrolled[p.ID],
			State: stateText(p.State), StateTag: stateTag(p.State), state: p.State,
		})
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
	case authn.Invited:
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
	known := slices.ContainsFunc(a.access.Policy().Roles(), func(p rbac.Role) bool { return p.Name == d.Role })
	if !known {
		a.showTeam(w, r, http.StatusUnprocessableEntity, view{Problem: "Please choose a role."}, d)
		return
	}
	err := a.mayInvite(r.Context(), d.Role)
	if words, status := a.refusal(err); words != "" {
		a.showTeam(w, r, status, view{Problem: words}, d)
		return
	}
	if err == nil {
		_, err = a.invite(r.Context(), d.Name, d.Email, d.Role)
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
	Sessions                                                                        []sessionRow
	MayManage, MaySeeRights                                                         bool
	Self, MayEndAll, MayResend, MayUnlock, MayResetFactor, MaySuspend, MayReinstate bool
}

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
		d.Sessions, err = a.sessionRows(ctx, id)
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	s, _ := session.From(ctx)
	d.Self = s.Person == id
	may := holds(ctx, a, teamManage)
	d.MayManage, d.MaySeeRights = may, holds(ctx, a, rightsRead)
	d.MayResend = may && d.state == authn.Invited
	d.MaySuspend = may && d.state == authn.Active
	d.MayUnlock = d.MaySuspend
	d.MayEndAll = may && !d.Self
	d.MayReinstate = may && d.state == authn.Suspended
	d.MayResetFactor = d.MaySuspend && d.Enrolled
	a.render(w, r, http.StatusOK, "member", view{Title: d.Name, Data: d})
}

func (a *app) endMemberSession(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	id := audit.ActorID(r.PathValue("member"))
	err := a.sessions.EndOne(r.Context(), tenant, id, r.PathValue("session"), "ended_by_admin")
	a.changed(w, r, id, "session-ended", err)
}

// changeMember carries out one of the changes an admin can make to an account.
func (a *app) changeMember(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	ctx, id := r.Context(), audit.ActorID(r.PathValue("member"))
	if s, _ := session.From(ctx); s.Person == id {
		a.fail(w, r, http.StatusConflict) // nobody locks themselves out
		return
	}
	if _, err := a.people.Account(ctx, tenant, id); err != nil {
		a.changed(w, r, id, "", err)
		return
	}
	const why = "asked for by an administrator"
	switch r.PathValue("change") {
	case "end-sessions":
		a.changed(w, r, id, "sessions-ended", a.sessions.EndAll(ctx, tenant, id, "ended_by_admin"))
	case "resend":
		a.changed(w, r, id, "invited", a.people.Resend(ctx, tenant, id))
	case "suspend":
		a.changed(w, r, id, "suspended", a.people.Suspend(ctx, tenant, id, why))
	case "reinstate":
		a.changed(w, r, id, "reinstated", a.people.Reinstate(ctx, tenant, id, why))
	case "unlock":
		a.changed(w, r, id, "unlocked", a.people.Unlock(ctx, tenant, id, why))
	case "reset-factor":
		a.changed(w, r, id, "factor-reset", a.resetFactor(ctx, id, why))
	default:
		a.fail(w, r, http.StatusNotFound)
	}
}

// resetFactor takes a second factor away, and with it every sign-in that it was given in:
// without authn's part a ticket would still hold what a lost phone had proven.
func (a *app) resetFactor(ctx context.Context, id audit.ActorID, why string) error {
	switch on, err := a.factors.Enrolled(ctx, tenant, id); {
	case err != nil:
		return err
	case !on:
		return mfa.ErrNotEnrolled
	}
	return a.people.ResetFactor(ctx, tenant, id, why, func(ctx context.Context) error {
		return a.factors.Reset(ctx, tenant, id, why)
	})
}

// changed answers a change to an account.
func (a *app) changed(w http.ResponseWriter, r *http.Request, id audit.ActorID, done string, err error) {
	switch {
	case err == nil, errors.Is(err, authn.ErrPending), errors.Is(err, mfa.ErrPending):
		http.Redirect(w, r, "/team/"+url.PathEscape(string(id))+"?done="+done, http.StatusSeeOther)
	case errors.Is(err, session.ErrNotFound), errors.Is(err, authn.ErrNotFound), errors.Is(err, mfa.ErrNotEnrolled):
		a.fail(w, r, http.StatusNotFound)
	case errors.Is(err, authn.ErrState), errors.Is(err, authn.ErrConflict), errors.Is(err, mfa.ErrConflict):
		a.fail(w, r, http.StatusConflict)
	default:
		a.fail(w, r, http.StatusServiceUnavailable)
	}
}
