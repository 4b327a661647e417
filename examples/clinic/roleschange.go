package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// whyChange is the code of grants that are made here; what the administrator typed is in the audit.
const whyChange = "role_change"

// roleProposal is a change of somebody's roles, as a form carries it.
type roleProposal struct {
	Give    []rbac.RoleName
	Take    []string // ids of grants
	Until   string   // the last day, as a date; empty for no end
	Version int64    // of the clinic's roles that somebody looked at
}

func typedProposal(form url.Values) roleProposal {
	p := roleProposal{Until: strings.TrimSpace(form.Get("until"))}
	p.Version, _ = strconv.ParseInt(form.Get("version"), 10, 64)
	for _, name := range form["give"] {
		if name != "" {
			p.Give = append(p.Give, rbac.RoleName(name))
		}
	}
	for _, id := range form["take"] {
		if id != "" {
			p.Take = append(p.Take, id)
		}
	}
	return p
}

// draft is the proposal as rbac takes it. The last day counts whole, where the clinic is.
func (p roleProposal) draft(m Member, zone *time.Location) (rbac.Draft, error) {
	var until time.Time
	if p.Until != "" {
		day, err := time.ParseInLocation(time.DateOnly, p.Until, zone)
		if err != nil || day.Year() > 2999 {
			return rbac.Draft{}, errInput
		}
		until = day.AddDate(0, 0, 1)
	}
	var d rbac.Draft
	for _, role := range p.Give {
		d.Grant = append(d.Grant, rbac.Grant{Person: m.ID, Role: role, Until: until, Why: whyChange})
	}
	for _, id := range p.Take {
		d.Revoke = append(d.Revoke, rbac.Ref{Person: m.ID, ID: id})
	}
	return d, nil
}

// undoing is the change that takes the last one back.
type undoing struct {
	roleProposal
	When time.Time
}

// undoOf returns what takes back the latest change of somebody's roles: what began then ends, what
// ended then begins again. An invitation is not undone here: that is suspending somebody.
func undoOf(all []rbac.Grant, now time.Time, zone *time.Location) (u undoing) {
	for _, g := range all {
		u.When = latest(latest(u.When, g.Created), g.Ended)
	}
	for _, g := range all {
		switch {
		case g.Created.Equal(u.When) && g.Live(now) && g.Why == whyChange:
			u.Take = append(u.Take, g.ID)
		case g.Ended.Equal(u.When) && (g.Until.IsZero() || now.Before(g.Until)):
			u.Give = append(u.Give, g.Role)
			if !g.Until.IsZero() {
				u.Until = g.Until.Add(-time.Microsecond).In(zone).Format(time.DateOnly)
			}
		}
	}
	return u
}

// Any reports whether there is something to undo.
func (u undoing) Any() bool { return len(u.Give) > 0 || len(u.Take) > 0 }

type proposalData struct {
	roleProposal
	ID, Name       string
	GiveNames      []string
	TakeNames      []string
	UntilWords     string
	Gains, Loses   []effectRow
	Changes        []effectRow
	Seats, Then    string
	Refused        bool
	NothingChanges bool
}

// effectRow is a right that would come, go or change.
type effectRow struct{ What, Before, After string }

// personChange is what would change for one person.
type personChange struct {
	Name                  string
	Gains, Loses, Changes []effectRow
}

// proposeRoles shows what a change would give and take, before anything is saved.
func (a *app) proposeRoles(w http.ResponseWriter, r *http.Request, g rbac.Granted[Member]) {
	if !a.form(w, r) {
		return
	}
	version, err := a.grants.Version(r.Context(), tenant) // before anything is read
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	p := typedProposal(r.PostForm)
	p.Version = version
	a.showProposal(w, r, http.StatusOK, g.Resource(), p, "")
}

// showProposal shows a proposal with its effects, or why it is refused.
func (a *app) showProposal(w http.ResponseWriter, r *http.Request, status int, m Member, p roleProposal, problem string) {
	ctx := r.Context()
	d := proposalData{roleProposal: p, ID: string(m.ID)}
	err := a.fillProposal(ctx, m, &d)
	if err == nil {
		err = a.suppose(ctx, m, &d)
	}
	if words, code := a.refusal(err); words != "" {
		d.Refused, problem, status, err = true, words, max(status, code), nil
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	a.render(w, r, status, "proposal", view{Title: "A change of roles", Problem: problem, Data: d})
}

func (a *app) fillProposal(ctx context.Context, m Member, d *proposalData) error {
	team, err := a.staff.all(ctx)
	if err != nil {
		return err
	}
	d.Name = nameOf(m.ID, team)
	all, err := a.grantsOf(ctx, m)
	for _, role := range d.Give {
		d.GiveNames = append(d.GiveNames, a.access.Policy().Label(role))
	}
	for _, g := range all {
		if slices.Contains(d.Take, g.ID) {
			d.TakeNames = append(d.TakeNames, a.access.Policy().Label(g.Role))
		}
	}
	if day, err := time.ParseInLocation(time.DateOnly, d.Until, a.config.zone); err == nil {
		d.UntilWords = day.Format("2 January 2006")
	}
	return err
}

// suppose asks what the proposal would change. The rules that a real change meets are asked first.
func (a *app) suppose(ctx context.Context, m Member, d *proposalData) error {
	draft, err := a.sound(ctx, m, d.roleProposal)
	if err != nil {
		return err
	}
	then, err := a.access.Suppose(ctx, rbac.Supposition{Draft: &draft})
	if err != nil {
		return err
	}
	effects, err := then.Effects(ctx, m.actor())
	if err != nil {
		return err
	}
	b, err := openBook(a.access.Policy())
	if err != nil {
		return err
	}
	for _, x := range effects {
		row := effectOf(b, x)
		switch x.Effect {
		case rbac.Gains:
			d.Gains = append(d.Gains, row)
		case rbac.Loses:
			d.Loses = append(d.Loses, row)
		default:
			d.Changes = append(d.Changes, row)
		}
	}
	d.NothingChanges = len(effects) == 0
	return a.seatsThen(ctx, m, draft, d)
}

var (
	errHasRole = errors.New("the person has this role")
	errNothing = errors.New("neither a role to give nor one to take")
)

// sound refuses what no page offers: nothing at all, or a role that the person has.
func (a *app) sound(ctx context.Context, m Member, p roleProposal) (rbac.Draft, error) {
	draft, err := p.draft(m, a.config.zone)
	if err != nil {
		return draft, err
	}
	if len(draft.Grant)+len(draft.Revoke) == 0 {
		return draft, errNothing
	}
	all, err := a.grantsOf(ctx, m)
	if err != nil {
		return draft, err
	}
	now := time.Now()
	for i, add := range draft.Grant {
		twice := slices.ContainsFunc(draft.Grant[:i], func(g rbac.Grant) bool { return g.Role == add.Role })
		has := slices.ContainsFunc(all, func(g rbac.Grant) bool {
			return g.Role == add.Role && g.Live(now) && !slices.Contains(p.Take, g.ID)
		})
		if twice || has {
			return draft, errHasRole
		}
	}
	return draft, nil
}

func effectOf(b book, x rbac.RightsChange) effectRow {
	words := func(scopes []string) string {
		var all []string
		if slices.Contains(scopes, rbac.Tenant.String()) {
			scopes = []string{rbac.Tenant.String()} // which is more than everything beside it
		}
		for _, s := range scopes {
			if w := reachWords(s); !slices.Contains(all, w) {
				all = append(all, w)
			}
		}
		return strings.Join(all, ", ")
	}
	return effectRow{kindWords(b.action(x.Action).Category) + ": " + lowerFirst(deedText(x.Action)), words(x.Before), words(x.After)}
}

// seatsThen says how many seats are taken now and would be.
func (a *app) seatsThen(ctx context.Context, m Member, draft rbac.Draft, d *proposalData) error {
	use, err := a.access.Seats(ctx)
	if err != nil {
		return err
	}
	all, err := a.grantsOf(ctx, m)
	if err != nil {
		return err
	}
	now, seated := time.Now(), func(g rbac.Grant) bool {
		return g.Live(time.Now()) && slices.ContainsFunc(a.access.Policy().Roles(), func(r rbac.Role) bool { return r.Name == g.Role && r.Seat })
	}
	before := slices.ContainsFunc(all, seated)
	after := slices.ContainsFunc(draft.Grant, func(g rbac.Grant) bool { g.Until = time.Time{}; return seated(g) })
	for _, g := range all {
		kept := !slices.ContainsFunc(draft.Revoke, func(ref rbac.Ref) bool { return ref.ID == g.ID })
		after = after || kept && g.Live(now) && seated(g)
	}
	then := use.Taken
	switch {
	case after && !before:
		then++
	case before && !after:
		then--
	}
	d.Seats, d.Then = seatText(use.Taken, use.Limit), thousands(then)
	return nil
}

// saveRoles makes the change that was looked at, and nothing else: if anybody's roles were changed
// meanwhile, it has to be looked at again. It is in force with the person's next request.
func (a *app) saveRoles(w http.ResponseWriter, r *http.Request, g rbac.Granted[Member]) {
	if !a.form(w, r) {
		return
	}
	ctx, m, p := r.Context(), g.Resource(), typedProposal(r.PostForm)
	err := a.changeRoles(ctx, m, p)
	words, status := a.refusal(err)
	switch {
	case err == nil:
		http.Redirect(w, r, rightsPath(m)+"?done=roles", http.StatusSeeOther)
	case words != "":
		if p.Version, err = a.grants.Version(ctx, tenant); err != nil {
			a.fail(w, r, http.StatusServiceUnavailable)
			return
		}
		a.showProposal(w, r, status, m, p, words)
	default:
		a.fail(w, r, http.StatusServiceUnavailable)
	}
}

func (a *app) changeRoles(ctx context.Context, m Member, p roleProposal) error {
	version, err := a.grants.Version(ctx, tenant)
	if err != nil {
		return err
	}
	if version != p.Version {
		return errStale
	}
	draft, err := a.sound(ctx, m, p)
	if err != nil {
		return err
	}
	_, err = a.access.Change(context.WithValue(ctx, lookedAt{}, version), draft)
	return err
}

// refusal turns what was refused into plain words and a status, "" for what failed.
func (a *app) refusal(err error) (string, int) {
	var refusal *rbac.Refusal
	var denial *rbac.Denial
	switch {
	case err == nil:
		return "", 0
	case errors.Is(err, errStale):
		return "Somebody changed roles meanwhile, so nothing was saved. This is how it would be now: look again before you save.", http.StatusConflict
	case errors.As(err, &refusal):
		return refusalWords(refusal.Code, refusal.Rule), http.StatusConflict
	case errors.As(err, &denial):
		return refusalWords(denial.Decision.Code, ""), http.StatusForbidden
	case errors.Is(err, rbac.ErrNoGrant):
		return "They do not have the role any more that you want to take away.", http.StatusConflict
	case errors.Is(err, errHasRole):
		return "They have this role already.", http.StatusConflict
	case errors.Is(err, errNothing):
		return "Choose a role to give, or one to take away.", http.StatusUnprocessableEntity
	case errors.Is(err, errInput), errors.Is(err, rbac.ErrBadGrant):
		return "Please choose a role of the list, and a last day that is not over.", http.StatusUnprocessableEntity
	}
	return "", 0
}

// effectsOnTeam returns what would change for whom of the team.
func (a *app) effectsOnTeam(ctx context.Context, then *rbac.Supposed) (all []personChange, err error) {
	team, err := a.staff.all(ctx)
	if err != nil {
		return nil, err
	}
	b, err := openBook(a.access.Policy())
	if err != nil {
		return nil, err
	}
	for _, m := range byName(team) {
		effects, err := then.Effects(ctx, audit.Actor{ID: m.ID, Kind: audit.KindStaff})
		if err != nil {
			return nil, err
		}
		change := personChange{Name: m.Name}
		for _, x := range effects {
			if x.Effect == rbac.Loses { // a switch gives or takes, it changes no scope
				change.Loses = append(change.Loses, effectOf(b, x))
				continue
			}
			change.Gains = append(change.Gains, effectOf(b, x))
		}
		if len(effects) > 0 {
			all = append(all, change)
		}
	}
	return all, nil
}
