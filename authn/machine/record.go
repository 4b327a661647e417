package machine

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Actions of this package's events. Objects[0] is the principal (type "machine"), Objects[1] the
// key or token, where there is one. No event holds a secret or a name.
const (
	ActionCreate  audit.Action = "machine.create"
	ActionChange  audit.Action = "machine.change"
	ActionSuspend audit.Action = "machine.suspend"
	ActionResume  audit.Action = "machine.resume"
	ActionRemove  audit.Action = "machine.remove"
	ActionIssue   audit.Action = "machine.issue_key"
	ActionRotate  audit.Action = "machine.rotate_key"
	ActionRevoke  audit.Action = "machine.revoke_key"
	ActionToken   audit.Action = "machine.token" // an access token was handed out, or refused
	ActionEnter   audit.Action = "machine.enter" // a request was turned away, Code says why
)

// Codes of failures. They are API: words are the host's.
const (
	CodeMissing     = "no_credential"  // none was presented
	CodeAmbiguous   = "two_ways"       // more than one, or one in a cookie or the address
	CodeMalformed   = "malformed"      // nothing that this package made
	CodeUnknown     = "unknown"        // no such key or token
	CodeSecret      = "wrong_secret"   // the ID is known, the secret is not its
	CodeClient      = "wrong_client"   // the key is another client's
	CodeExpired     = "expired"        // the key, the token or the principal
	CodeRevoked     = "revoked"        // the key
	CodeState       = "not_active"     // the principal is suspended or removed
	CodePerson      = "person_left"    // who answers for it, or whom it acts for, may not act
	CodeNetwork     = "network"        // not from this address, or the tenant is closed
	CodeRate        = "too_many"       // the first request too many of this minute
	CodeAddress     = "address"        // the first failure too many from this address
	CodeFlood       = "flood"          // the first of nobody's credentials that were too many; no more are recorded for a while
	CodeScope       = "invalid_scope"  // an access token with more than the principal has
	CodeUnavailable = "unavailable"    // a part failed
	CodeNotApplied  = "not_applied"    // what was recorded before did not happen after all
	CodeUnconfirmed = "unconfirmed"    // nor is it known whether it did
	CodeRequest     = "invalid_grant"  // no request for a token as RFC 6749 has it
	CodeOther       = "not_a_key"      // a token where a key is asked for
	maxDetail       = audit.MaxText    // of one value
	detailScopes    = "scopes"         // and scopes_2 …
	detailReason    = "reason"         // why it ended, a code
	objectMachine   = "machine"        // Objects[0].Type
	objectKey       = "machine_key"    // Objects[1].Type
	confirmWithin   = 10 * time.Second // for asking what became of a write
)

// objects are what an event is about.
func objects(p Principal, key string) []audit.Object {
	var out []audit.Object
	if p.ID != "" {
		out = append(out, audit.Object{Type: objectMachine, ID: string(p.ID)})
	}
	if key != "" {
		out = append(out, audit.Object{Type: objectKey, ID: key})
	}
	return out
}

// describe is what an event says about a principal: codes only.
func describe(p Principal) map[string]string {
	d := map[string]string{
		"kind": string(p.Kind), "owner": string(p.Owner), "expires": p.Expires.Format(time.RFC3339),
	}
	if p.OnBehalfOf != "" {
		d["on_behalf_of"] = string(p.OnBehalfOf)
	}
	scopesIn(d, p.Scopes)
	return d
}

// scopesIn writes scopes into as many values as they need.
func scopesIn(d map[string]string, scopes []audit.Action) {
	n, line := 1, ""
	put := func() {
		key := detailScopes
		if n > 1 {
			key += "_" + strconv.Itoa(n)
		}
		d[key] = line
		n++
	}
	for _, s := range scopes {
		if line != "" && len(line)+1+len(s) > maxDetail {
			put()
			line = ""
		}
		line = strings.TrimPrefix(line+" "+string(s), " ")
	}
	put()
}

// refused records that somebody was turned away: as a decision of the request where the context
// carries a Trail, and with the Recorder otherwise. Nobody is in yet, so the actor is anonymous.
// Where there is no tenant whose log could take it, the request is exempt.
func (m *Manager) refused(ctx context.Context, a audit.Action, f Found, from Client, o audit.Outcome, code string) error {
	t := f.Principal.Tenant
	if t == "" {
		t = m.o.Tenant
	}
	if t == "" {
		return exempt(ctx, "a program of no tenant, turned away")
	}
	actor := audit.Anonymous(t, from.Addr)
	actor.Device = audit.FitID(from.Device)
	return m.note(ctx, audit.Event{
		Tenant: t, Action: a, Verb: audit.Execute, Outcome: o, Code: code, Actor: actor, Objects: objects(f.Principal, f.Key.ID),
	})
}

// exempt marks the request as decided without an event.
func exempt(ctx context.Context, why string) error {
	if err := audit.Exempt(ctx, why); err != nil && !errors.Is(err, audit.ErrNoTrail) {
		return unavailable("deciding", err)
	}
	return nil
}

// note makes e durable before the answer leaves.
func (m *Manager) note(ctx context.Context, e audit.Event) error {
	if e.ID == "" {
		e.ID = audit.NewID(m.now())
	}
	err := audit.Decide(ctx, e)
	if errors.Is(err, audit.ErrNoTrail) {
		err = m.p.Recorder.Record(ctx, e)
	}
	if err != nil {
		return unavailable("recording", err)
	}
	return nil
}

// place is what tries from an address are counted under: IPv6 by /64.
func place(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	if !a.IsValid() {
		return "unknown"
	}
	return a.String()
}
