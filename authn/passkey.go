package authn

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

const (
	// challengeLife is how long a passkey may take to answer.
	challengeLife = 5 * time.Minute
	// maxResponse is how long a response is looked at, in bytes.
	maxResponse = 64 << 10
	maxLabel    = 1 << 10 // bytes; how many characters a name has is the factor's rule
)

// challenge is what a passkey was asked. It is in one ticket, and answered once.
type challenge struct {
	Options string `json:"options"` // JSON, for the browser
	State   []byte `json:"state"`
	Until   int64  `json:"until"` // Unix microseconds
}

// shown is what the browser gets of it.
func (ch *challenge) shown() string {
	if ch == nil {
		return ""
	}
	return ch.Options
}

// takes reports whether a response to the challenge can be right, before anybody looks at it.
func (ch *challenge) takes(response string, now time.Time) bool {
	return ch != nil && response != "" && len(response) <= maxResponse && now.Before(time.UnixMicro(ch.Until))
}

func (m *Manager) challenge(options, state []byte) *challenge {
	return &challenge{Options: string(options), State: state, Until: m.now().Add(challengeLife).UnixMicro()}
}

// passkeyAsked asks for a passkey of the person or, for "", of anybody. The error passes on that
// there is none that can be used.
func (m *Manager) passkeyAsked(ctx context.Context, t audit.Tenant, person audit.ActorID) (*challenge, error) {
	options, state, err := m.o.Passkeys.AskPasskey(ctx, t, person)
	if err != nil {
		return nil, unavailable("asking for a passkey", err)
	}
	return m.challenge(options, state), nil
}

// passkeyToMake begins a passkey.
func (m *Manager) passkeyToMake(ctx context.Context, p Person) (*challenge, error) {
	name, err := m.identifier(ctx, p)
	if err != nil {
		return nil, err
	}
	options, state, err := m.o.Passkeys.BeginPasskey(ctx, p.Tenant, p.ID, name)
	if err != nil {
		return nil, refusal("beginning a passkey", err)
	}
	return m.challenge(options, state), nil
}

// makesPasskeys reports whether anybody may make one.
func (m *Manager) makesPasskeys(p *Policy) bool { return m.o.Passkeys != nil && p.Passkeys.taken() }

// addPasskey ends the making of a passkey. Nothing proven and no error is a response that was not
// accepted.
func (m *Manager) addPasskey(ctx context.Context, p Person, asked *challenge, a Answer) (proven, error) {
	if !asked.takes(a.Passkey, m.now()) {
		return proven{}, nil
	}
	proof, err := m.o.Passkeys.AddPasskey(ctx, p.Tenant, p.ID, asked.State, []byte(a.Passkey), printable(a.Label, maxLabel))
	if err != nil {
		return proven{}, refusal("adding a passkey", err)
	}
	return provenBy(proof, p.Tenant, p.ID), nil
}

// checkPasskey checks a response. It cannot be guessed, so nobody's failures grow with it: who
// guesses codes keeps no passkey out, and the other way round. Errors: ErrPasskeyDisabled,
// ErrUnavailable.
func (m *Manager) checkPasskey(ctx context.Context, s subject, asked *challenge, response string) (proven, error) {
	if !asked.takes(response, m.now()) {
		return proven{}, nil
	}
	proof, err := m.o.Passkeys.VerifyPasskey(ctx, s.tenant, s.id, asked.State, []byte(response))
	if disabled(err) {
		return proven{}, ErrPasskeyDisabled
	}
	if err != nil {
		return proven{}, unavailable("checking a passkey", err)
	}
	return provenBy(proof, s.tenant, s.id), nil
}

// provenBy is what a proof is worth: nothing, unless it is of this person and says by which passkey.
func provenBy(proof audit.Actor, t audit.Tenant, id audit.ActorID) proven {
	if id == "" || proof.ID != id || proof.Tenant != t || proof.Session == "" {
		return proven{}
	}
	return proven{
		factor: FactorPasskey, passkey: proof.Session,
		methods: slices.Clone(proof.Methods), level: proof.Assurance, phishing: proof.PhishingResistant,
	}
}

// lives reports whether the passkey of the evidence, if there is one, still proves anything.
func (m *Manager) lives(ctx context.Context, ev Evidence) (bool, error) {
	if ev.Passkey == "" {
		return true, nil
	}
	if m.o.Passkeys == nil {
		return false, nil
	}
	ok, err := m.o.Passkeys.PasskeyLives(ctx, ev.Tenant, ev.Person, ev.Passkey)
	if err != nil {
		return false, unavailable("asking for a passkey", err)
	}
	return ok, nil
}

// OfferPasskey begins a sign-in with a passkey and no identifier: the Step's Passkey is for a button
// and, at page load, for the browser's own suggestions (conditional mediation). It costs nobody a try
// and says nothing about who exists. Continue takes Answer.Passkey.
//
// Where the policy asks for a password first, or there are no passkeys: ErrPasswordFirst. Nobody
// gets in from there: ErrNetwork. Nobody of the tenant gets in: ErrDenied. Too many offers:
// *ThrottledError. A part that fails: ErrUnavailable.
func (m *Manager) OfferPasskey(ctx context.Context, t audit.Tenant, c Client) (_ Step, err error) {
	defer closing(ctx, &err)
	if m.joined {
		return Step{}, ErrState
	}
	if err := m.admitOffer(ctx, t, c); err != nil {
		return Step{}, err
	}
	if err := m.reachable(ctx, t, c); err != nil {
		return Step{}, err
	}
	p, err := m.policy(ctx, t)
	if err != nil {
		return Step{}, err
	}
	if m.o.Passkeys == nil || p.Passkeys != PasskeysAlone {
		return Step{}, exempted(ctx, "passkeys do not sign in alone here", ErrPasswordFirst)
	}
	asked, err := m.passkeyAsked(ctx, t, "")
	if err != nil {
		return Step{}, err
	}
	s, err := m.brief(ctx, ticketState{Need: NeedPasskey, Evidence: Evidence{Tenant: t}, Passkey: asked})
	if err != nil {
		return Step{}, err
	}
	return s, exempt(ctx, "the offer to sign in with a passkey, the same for everybody")
}

// brief issues a ticket that lives no longer than its challenge.
func (m *Manager) brief(ctx context.Context, st ticketState) (Step, error) {
	st.Expires = m.now().Add(min(m.o.TicketLife, challengeLife)).UnixMicro()
	return m.issue(ctx, st, nil)
}

// admitOffer counts what makes a ticket without trying anything, in windows of its own: a page that
// is loaded takes nobody's tries away, and tickets find an end too. A known browser has some that
// draw on neither the address nor the tenant.
func (m *Manager) admitOffer(ctx context.Context, t audit.Tenant, c Client) error {
	if k, known := m.recognise(ctx, t, c.Known); known {
		count, _, err := m.o.Windows.Hit(ctx, t, "offer:known:"+string(k.Person), m.o.AddressWindow, m.now())
		if err != nil {
			return unavailable("counting offers", err)
		}
		if count <= m.o.AddressTries {
			return nil
		}
	}
	if err := m.spend(ctx, t, c, "offer:"+addressKey(c.Addr), m.o.AddressTries, CodeAddress); err != nil {
		return err
	}
	return m.spend(ctx, t, c, "offer:tenant", m.o.TenantTries, CodeBudget)
}

// admitOwn counts what makes a ticket for somebody signed in, in a window of theirs: who floods the
// offers of everybody keeps nobody from it.
func (m *Manager) admitOwn(ctx context.Context, s subject, c Client) error {
	return m.spend(ctx, s.tenant, c, "own:"+string(s.id), m.o.AddressTries, CodeThrottled)
}

// answerPasskey signs in whoever the passkey belongs to. The account is read before the response is
// checked, so that a change in between ends the sign-in. Whatever is wrong, the answer is the same.
func (m *Manager) answerPasskey(ctx context.Context, st ticketState, a Answer, c Client) (Step, error) {
	t := st.Evidence.Tenant
	if m.o.Passkeys == nil {
		return Step{}, exempted(ctx, "there are no passkeys", ErrPasswordFirst)
	}
	s, err := m.approach(ctx, t, c, func(bool) (subject, error) { return m.ownerOf(ctx, t, st.Passkey, a.Passkey) })
	if err != nil {
		return Step{}, err
	}
	begun := m.now()
	var p proven
	if state := s.account.Person.State; state == Active || state == Waiting {
		p, err = m.checkPasskey(ctx, s, st.Passkey, a.Passkey)
	}
	switch {
	case errors.Is(err, ErrPasskeyDisabled):
		return Step{}, m.failed(ctx, t, c, ActionSignIn, s.object(), CodeDisabled, ErrPasskeyDisabled)
	case err != nil:
		return Step{}, err
	case !p.right() || p.level < audit.AAL2: // alone it has to be two factors
		return Step{}, m.failed(ctx, t, c, ActionSignIn, s.object(), CodeWrongPasskey, ErrDenied)
	}
	if err := m.passed(ctx, t, c, ActionStep, s.id, CodePasskey); err != nil {
		return Step{}, err
	}
	ev := Evidence{Tenant: t, Person: s.id, Version: s.account.Person.Version, At: begun, Alone: true}
	return m.complete(ctx, ev.with(p), c)
}

// ownerOf finds whose passkey a response names. Nobody is no error.
func (m *Manager) ownerOf(ctx context.Context, t audit.Tenant, asked *challenge, response string) (subject, error) {
	nobody := subject{tenant: t}
	if !asked.takes(response, m.now()) {
		return nobody, nil
	}
	id, err := m.o.Passkeys.PasskeyOwner(ctx, t, []byte(response))
	if err != nil {
		return subject{}, unavailable("looking up a passkey", err)
	}
	if id == "" {
		return nobody, nil
	}
	acct, err := m.account(ctx, t, id)
	if errors.Is(err, ErrNotFound) {
		return nobody, nil
	}
	return subject{tenant: t, id: id, account: acct}, err
}
