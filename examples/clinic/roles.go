package main

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

func (a *app) roleRoutes(mux *rbac.Mux) {
	here := rbac.For(mux, rbac.TenantOf)
	here.Handle("GET /roles", rolesRead, a.rolesPage)
	here.Handle("GET /roles/deleting", rolesRead, a.deletingPage)
	here.Handle("POST /roles/deleting/try", choicesPropose, a.proposeDeleting)
	here.Handle("POST /roles/deleting", choicesChange, a.saveDeleting)
	here.Handle("GET /audit/sign-ins", securityRead, a.signInsPage)
	one := rbac.For(mux, a.member)
	one.Handle("GET /team/{member}/rights", rightsRead, a.rightsPage)
	one.Handle("POST /team/{member}/rights/find", rightsRead, a.rightsFind)
	one.Handle("POST /team/{member}/roles/try", rolesPropose, a.proposeRoles)
	one.Handle("POST /team/{member}/roles", rolesChange, a.saveRoles)
	rbac.For(mux, myself).Handle("GET /security/log", ownLogRead, a.ownLogPage)
}

// roleCard is a role as the page shows it.
type roleCard struct {
	ID, Label, Lead string
	Gives, Seat     bool
	Rows            []rightRow
	Holders         []link
}

type rolesData struct {
	Doings []string
	Roles  []roleCard
	Seats  string
}

// rolesPage shows every role of the clinic's policy, highest first.
func (a *app) rolesPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	ctx, d := r.Context(), rolesData{Doings: doingNames()}
	err := a.fillRoles(ctx, &d)
	if err == nil {
		d.Seats, err = a.seatWords(ctx)
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	a.render(w, r, http.StatusOK, "roles", view{Title: "Roles", Data: d})
}

func (a *app) fillRoles(ctx context.Context, d *rolesData) error {
	b, err := openBook(a.access.Policy())
	if err != nil {
		return err
	}
	chosen, err := a.choices.Toggles(ctx, tenant)
	if err != nil {
		return err
	}
	holders, err := a.holders(ctx)
	if err != nil {
		return err
	}
	for _, role := range b.Roles {
		d.Roles = append(d.Roles, roleCard{
			ID: string(role.Name), Label: role.Label, Lead: roleWords(role.Name), Seat: role.Seat,
			Gives: role.may(rolesChange.Name()), Rows: b.rights(role, chosen), Holders: holders[role.Name],
		})
	}
	return nil
}

// holders returns who has each role now, with the way to what they may see.
func (a *app) holders(ctx context.Context) (map[rbac.RoleName][]link, error) {
	team, err := a.staff.all(ctx)
	if err != nil {
		return nil, err
	}
	all := map[rbac.RoleName][]link{}
	for g, err := range a.access.Team(ctx) {
		if err != nil {
			return nil, err
		}
		l := link{"/team/" + string(g.Person) + "/rights", nameOf(g.Person, team)}
		if g.Role == rbac.AIAgent || g.Role == rbac.ServiceAccount {
			l = link{"/programs", "API keys and agents"}
		}
		if !slices.Contains(all[g.Role], l) {
			all[g.Role] = append(all[g.Role], l)
		}
	}
	for _, links := range all {
		slices.SortFunc(links, func(x, y link) int { return strings.Compare(x.Name, y.Name) })
	}
	return all, nil
}

// nameOf is what the pages call somebody of the team.
func nameOf(id audit.ActorID, team map[audit.ActorID]member) string {
	if m, ok := team[id]; ok {
		return m.Name
	}
	if rbac.IsVisitor(id) {
		return visitorName(id)
	}
	if kindOf(string(id)) == audit.KindSystem {
		return "the clinic’s server"
	}
	return "No name kept"
}

// seatWords says how many of the clinic's seats are taken.
func (a *app) seatWords(ctx context.Context) (string, error) {
	use, err := a.access.Seats(ctx)
	return seatText(use.Taken, use.Limit), err
}

func seatText(taken, limit int) string {
	return thousands(taken) + " of " + plural(limit, "seat") + " taken"
}

// grantable are the roles that the person of ctx may give to somebody: none above their own.
func (a *app) grantable(ctx context.Context) ([]rbac.Role, error) {
	mine, err := a.access.Roles(ctx)
	if err != nil || len(mine) == 0 {
		return nil, err
	}
	all := a.access.Policy().Roles()
	top := slices.IndexFunc(all, func(r rbac.Role) bool { return r.Name == mine[0] })
	if top < 0 {
		return nil, nil
	}
	return slices.DeleteFunc(slices.Clone(all[top:]), forPatients), nil
}

// forPatients reports whether a role is no role of the team.
func forPatients(r rbac.Role) bool { return r.Kind != audit.KindStaff || r.Name == roleOperator }
