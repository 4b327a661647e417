package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/support"
)

// wireSupport makes the desk at which the platform's operators ask to be let in.
func (a *app) wireSupport(s *stores) (err error) {
	a.support, err = support.New(support.Parts{
		Store: s.support, Grants: a.grants, Authorizer: a.access, Recorder: a.log, Sealer: phi.NewSealer(a.vault), StepUps: a.sessions,
		Operators: operators{a}, Notices: supportNotices{a}, Platform: platformTenant, Roles: []rbac.RoleName{roleOperator},
	}, &support.Options{Never: neverSupport(), Logger: a.logger})
	return err
}

var errNobodyTold = errors.New("support access: nobody of the clinic is there to be told")

// operators tells who may be let in: an active account of the platform with the operator's role, read anew with
// each of their requests.
type operators struct{ *app }

// May satisfies support.Operators.
func (o operators) May(ctx context.Context, operator support.Account, t audit.Tenant) (bool, error) {
	if t != tenant {
		return false, nil
	}
	active, err := o.people.Active(ctx, operator.Tenant, operator.ID)
	if err != nil || !active {
		return false, err
	}
	grants, err := o.grants.Grants(ctx, operator.Tenant, operator.ID)
	now := time.Now()
	holds := func(role rbac.RoleName) bool {
		return slices.ContainsFunc(grants, func(g rbac.Grant) bool { return g.Role == role && g.InForce(now) })
	}
	return holds(roleOperator) && !holds(rbac.Suspended), err
}

// Ours satisfies support.Operators: one mail address is one human being, and nobody who is an operator, or was
// one, answers for the clinic.
func (o operators) Ours(ctx context.Context, operator, other support.Account) (bool, error) {
	address, err := o.addressOf(ctx, other)
	if err != nil {
		return false, err
	}
	colleagues, err := o.grants.Holders(ctx, operator.Tenant, []rbac.RoleName{roleOperator})
	if err != nil {
		return false, err
	}
	ids := []audit.ActorID{operator.ID}
	for _, g := range colleagues {
		ids = append(ids, g.Person)
	}
	for _, id := range ids {
		theirs, err := o.addressOf(ctx, support.Account{Tenant: operator.Tenant, ID: id})
		switch {
		case errors.Is(err, authn.ErrNotFound) && id != operator.ID: // removed there
		case err != nil:
			return false, err
		case theirs.Equal(address):
			return true, nil
		}
	}
	return false, nil
}

// addressOf is the mail address of an account.
func (o operators) addressOf(ctx context.Context, of support.Account) (phi.Text, error) {
	account, err := o.people.Account(ctx, of.Tenant, of.ID)
	if err != nil {
		return phi.Text{}, err
	}
	return o.people.Identifier(ctx, account.Person)
}

// answerers are the roles that answer for support, and hear of it.
func answerers() []rbac.RoleName {
	return []rbac.RoleName{rbac.ClinicAdmin, rbac.ClinicAdminFull, rbac.PrivacyOfficer}
}

// supportNotices mails those who answer, and the operator, what happens. The mail says nothing but that.
type supportNotices struct{ *app }

// Tell satisfies support.Notices.
func (n supportNotices) Tell(ctx context.Context, s support.Notice) error {
	m := audit.Message{ID: s.ID, Kind: audit.MessageNotice, Tenant: s.Tenant, Topic: "support." + string(s.Kind), Created: time.Now()}
	if s.To == support.ToOperator {
		m.Tenant, m.Person = s.Operator.Tenant, s.Operator.ID
		return n.mailed(ctx, m)
	}
	holders, err := n.grants.Holders(ctx, s.Tenant, answerers())
	told := map[audit.ActorID]bool{}
	for _, g := range holders {
		if g.InForce(time.Now()) && !told[g.Person] {
			told[g.Person] = true
			m.ID, m.Person = s.ID+"/"+string(g.Person), g.Person
			err = errors.Join(err, n.mailed(ctx, m)) // one address that fails holds nobody else's mail back
		}
	}
	if err == nil && len(told) == 0 {
		return errNobodyTold // Run tries again, and its health says so
	}
	return err
}

// mailed sends one mail. What no mail server takes is on the page all the same, and in the operator's log.
func (n supportNotices) mailed(ctx context.Context, m audit.Message) error {
	if n.config.smtp == "" && n.demo == nil {
		n.logger.WarnContext(ctx, "support access: somebody should look at the page of the platform's support", "what", m.Topic)
		return nil
	}
	return n.people.Notify(ctx, m)
}

// insideKey is the key of the access under which a request of the platform's is served.
type insideKey struct{}

func insideOf(ctx context.Context) (support.Access, bool) {
	access, ok := ctx.Value(insideKey{}).(support.Access)
	return access, ok
}

// visitors stands between the session and the routes. People of the platform have their own page; everything else
// they reach only while the clinic lets them in, as a visitor of the clinic, and never what belongs to an account here.
func (a *app) visitors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		actor, ok := audit.ActorFrom(ctx)
		if !ok || actor.ID == "" || actor.Tenant == tenant || platformsOwn(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		visitor, access, err := a.support.Guard(ctx, tenant)
		if err == nil && !forVisitors(r.URL.Path) {
			err = support.ErrClosed
		}
		if err != nil {
			a.turnAway(w, r, err)
			return
		}
		ctx = context.WithValue(audit.WithActor(ctx, visitor), insideKey{}, access)
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// platformsOwn are the addresses that people of the platform have as themselves.
func platformsOwn(path string) bool {
	exact := []string{"/sign-in", "/sign-out", "/lock", "/locked", "/unlock", "/confirm", "/platform", "/healthz", "/readyz", "/demo", "/forgot"}
	return slices.Contains(exact, path) || slices.ContainsFunc([]string{"/platform/", "/sign-in/", "/static/", "/link/"}, func(p string) bool { return strings.HasPrefix(path, p) })
}

// forVisitors are the addresses at which rbac decides about a visitor. All others are for people who have an account here.
func forVisitors(path string) bool {
	return path == "/settings" || strings.HasPrefix(path, "/settings/") || path == "/audit/sign-ins"
}

// tilesFor leaves out what is not for a visitor.
func (a *app) tilesFor(ctx context.Context, tiles []tile) []tile {
	if _, inside := insideOf(ctx); !inside {
		return tiles
	}
	return slices.DeleteFunc(tiles, func(t tile) bool {
		return !forVisitors(t.Href) || t.Href == retentionHome && !holds(ctx, a, retentionRead)
	})
}

// turnAway answers an operator who is not let in, on record at the platform.
func (a *app) turnAway(w http.ResponseWriter, r *http.Request, err error) {
	e := audit.Event{Action: actionTurnedAway, Verb: audit.Execute, Outcome: audit.Failure, Code: "closed", Objects: []audit.Object{{Type: "tenant", ID: string(tenant)}}}
	status := supportStatus(err)
	if status == http.StatusServiceUnavailable {
		e.Outcome, e.Code = audit.MajorFailure, "undecided"
	}
	if derr := audit.Decide(r.Context(), e); derr != nil {
		status = http.StatusServiceUnavailable
	}
	home := r.Method == http.MethodGet && slices.Contains([]string{"/", "/dashboard"}, r.URL.Path)
	switch {
	case status == http.StatusServiceUnavailable:
		a.fail(w, r, status)
	case home:
		http.Redirect(w, r, "/platform", http.StatusSeeOther)
	default:
		m := message{Text: "The clinic has not let you in, or not any more. Nothing was shown and nothing was changed.", Href: "/platform", Link: "Back to your own page"}
		a.render(w, r, http.StatusForbidden, "message", view{Title: "You are not inside", Data: m})
	}
}

// supportStatus is the HTTP status of an error of package support.
func supportStatus(err error) int {
	var refusal interface{ HTTPStatus() int }
	if errors.As(err, &refusal) {
		return refusal.HTTPStatus()
	}
	return http.StatusServiceUnavailable
}

// supportProblem is what went wrong in plain words, "" where there are no better ones than the status.
func supportProblem(err error) string {
	var in *support.InputError
	switch {
	case errors.Is(err, support.ErrOpen):
		return "There is a request of yours already. Withdraw it first, or leave the clinic."
	case errors.Is(err, support.ErrLimited):
		return "The clinic was asked very often today. Please call them."
	case errors.Is(err, support.ErrWider):
		return "That is longer than was asked for, so nothing was approved."
	case errors.Is(err, support.ErrSelf):
		return "Nobody lets themselves in: somebody else of the clinic has to answer."
	case errors.Is(err, support.ErrRights):
		return "Your role does not allow you to let this support in. An administrator can."
	case errors.Is(err, support.ErrState), errors.Is(err, support.ErrConflict):
		return "This has changed meanwhile, so nothing was done. Here is how it stands now."
	case errors.Is(err, support.ErrOperator):
		return "The platform does not let this operator any more."
	case errors.Is(err, support.ErrClosed):
		return "The clinic has not let you in, or not any more."
	case errors.As(err, &in) && in.Field == "text":
		return "Please say in a few words why, without any patient’s name."
	case errors.As(err, &in):
		return "Please check the form: the reason, the ticket’s number and the time."
	}
	return ""
}
