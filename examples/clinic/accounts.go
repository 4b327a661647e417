package main

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/session"
)

// accountRow is an account as the team and the desk look at it.
type accountRow struct {
	ID                                        audit.ActorID
	State, StateTag, Factor, FactorTag, Since string
	Note                                      string // what somebody should do about it
	state                                     authn.State
	factors                                   mfa.Status
	inactive, disabled                        bool
}

func (a *app) account(ctx context.Context, id audit.ActorID) (accountRow, error) {
	found, err := a.people.Account(ctx, tenant, id)
	if err != nil {
		return accountRow{}, err
	}
	factor, err := a.factors.Status(ctx, tenant, id)
	if err != nil {
		return accountRow{}, err
	}
	p, err := a.people.Policy(ctx, tenant)
	if err != nil {
		return accountRow{}, err
	}
	row := a.accountOf(found.Person, factor, p, time.Now())
	row.disabled = found.Password.Failures >= disabledAt || found.Second.Failures >= disabledAt
	if row.disabled && row.state == authn.Active {
		row.State, row.StateTag, row.Note = "Locked", "tag-bad", "Too many wrong passwords or codes in a row. Unlock the account, or have a new password asked for."
	}
	return row, nil
}

// disabledAt is how many wrong tries in a row lock an account (NIST SP 800-63B-4, 3.2.2).
const disabledAt = 100

// invitationLife is how long authn keeps an invitation open.
const invitationLife = 7 * 24 * time.Hour

// accountOf says in words where an account stands.
func (a *app) accountOf(p authn.Person, factor mfa.Status, policy authn.Policy, now time.Time) accountRow {
	row := accountRow{ID: p.ID, State: stateText(p.State), StateTag: stateTag(p.State), state: p.State, factors: factor}
	row.Factor, row.FactorTag = factorText(factor)
	row.inactive = policy.Inactive(p, now)
	switch {
	case p.State == authn.Invited && now.Sub(p.Changed) > invitationLife:
		row.State, row.StateTag, row.Note = "Invitation too old", "tag-bad", "The link is too old. Send a new invitation."
	case p.State == authn.Invited:
		row.Since, row.Note = a.config.when(p.Changed), "The link was not used yet."
	case p.State == authn.Waiting:
		row.Note = "Has chosen a password and waits for somebody to approve the account."
	case row.inactive:
		row.State, row.StateTag, row.Note = "Locked", "tag-bad", "Nobody signed in with it for a long time. Unlock the account to let them in again."
	case p.State == authn.Active && !p.SignedIn.IsZero():
		row.Since = a.config.when(p.SignedIn)
	}
	return row
}

// factorText names the second factors that somebody has. Text messages are the weakest: whoever has
// nothing else should set up another one.
func factorText(s mfa.Status) (text, tag string) {
	var all []string
	switch {
	case s.Passkeys == 1:
		all = append(all, "Passkey")
	case s.Passkeys > 1:
		all = append(all, strconv.Itoa(s.Passkeys)+" passkeys")
	}
	if s.State == mfa.On {
		all = append(all, "App")
	}
	tag = "tag-good"
	if s.Text.State == mfa.On {
		all = append(all, "Text message")
		if len(all) == 1 {
			tag = "tag-warn"
		}
	}
	switch {
	case len(all) > 0:
		return strings.Join(all, ", "), tag
	case hasAny(s):
		return "Locked", "tag-bad"
	}
	return "Not set up yet", "tag-warn"
}

// accountChanges is what somebody may do about an account now, and the forms that do it.
type accountChanges struct {
	Base, CSRF, Who                          string
	Resend, Approve, Unlock, Reset, Password bool
	Suspend, Reinstate, Remove               bool
	Withdraw, Decline                        bool // Remove, in the words for who never came in
}

func changesOf(ctx context.Context, row accountRow, base string, may bool) accountChanges {
	c := accountChanges{Base: base, CSRF: session.CSRF(ctx)}
	if !may {
		return c
	}
	active := row.state == authn.Active
	c.Resend, c.Withdraw = row.state == authn.Invited, row.state == authn.Invited
	c.Approve, c.Decline = row.state == authn.Waiting, row.state == authn.Waiting
	c.Unlock, c.Password, c.Suspend = active, active, active
	c.Reset = active && hasAny(row.factors)
	c.Reinstate = row.state == authn.Suspended
	c.Remove = active || c.Reinstate
	return c
}

// Any reports whether there is anything to do.
func (c accountChanges) Any() bool {
	return c.Resend || c.Approve || c.Unlock || c.Reinstate || c.Remove
}

// errNoChange: there is no such change to an account.
var errNoChange = errors.New("no such change")

// carry makes a change to an account and says which message goes with it.
func (a *app) carry(ctx context.Context, change string, id audit.ActorID, why string) (done string, err error) {
	switch change {
	case "resend":
		return "invited", a.people.Resend(ctx, tenant, id)
	case "approve":
		return "approved", a.people.Approve(ctx, tenant, id, why)
	case "unlock":
		return "unlocked", a.people.Unlock(ctx, tenant, id, why)
	case "new-password":
		return "password-asked", a.people.AdminReset(ctx, tenant, id, why)
	case "suspend":
		return "suspended", a.people.Suspend(ctx, tenant, id, why)
	case "reinstate":
		return "reinstated", a.people.Reinstate(ctx, tenant, id, why)
	case "remove":
		return "removed", a.people.Remove(ctx, tenant, id, why)
	}
	return "", errNoChange
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

// changedAt answers a change to an account.
func (a *app) changedAt(w http.ResponseWriter, r *http.Request, to, done string, err error) {
	switch {
	case err == nil, errors.Is(err, authn.ErrPending), errors.Is(err, mfa.ErrPending):
		http.Redirect(w, r, to+"?done="+done, http.StatusSeeOther)
	case errors.Is(err, authn.ErrNoSeat):
		words, status := a.refusal(err)
		m := message{Text: words, Hint: "Nothing was changed.", Href: to, Link: "Back"}
		a.render(w, r, status, "message", view{Title: "No seat is left", Data: m})
	case errors.Is(err, session.ErrNotFound), errors.Is(err, authn.ErrNotFound), errors.Is(err, mfa.ErrNotEnrolled),
		errors.Is(err, rbac.ErrNotFound), errors.Is(err, errNoChange):
		a.fail(w, r, http.StatusNotFound)
	case errors.Is(err, authn.ErrState), errors.Is(err, authn.ErrConflict), errors.Is(err, mfa.ErrConflict):
		a.fail(w, r, http.StatusConflict)
	case errors.Is(err, rbac.ErrDenied):
		a.fail(w, r, http.StatusForbidden)
	default:
		a.fail(w, r, http.StatusServiceUnavailable)
	}
}

// whyOf is the reason that was typed with a change; it is kept with the event, sealed.
func whyOf(r *http.Request) string {
	if why := strings.TrimSpace(r.PostForm.Get("why")); why != "" && len(why) <= 200 {
		return why
	}
	return "asked for by an administrator"
}
