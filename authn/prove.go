package authn

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
)

// Proof is what Prove asks of somebody.
type Proof struct {
	Password bool // can be given
	Code     bool // can be given: the app's, or a recovery code
	Passkey  bool // can be given, after BeginProof, and is enough by itself
	Text     bool // can be given, after BeginProof has sent one
	Both     bool // the password and a second factor must be given, or a passkey
}

// Asked says what Prove asks of the signed-in person in ctx, for the page that asks for it.
func (m *Manager) Asked(ctx context.Context) (Proof, error) {
	s, err := m.signedIn(ctx)
	if err != nil {
		return Proof{}, err
	}
	p, err := m.policy(ctx, s.tenant)
	if err != nil {
		return Proof{}, err
	}
	h, err := m.holds(ctx, s.tenant, s.id, p)
	return standing{s.account, p, h}.asked(), err
}

func (s standing) asked() Proof {
	all := s.factors()
	return Proof{
		Password: true, Code: slices.Contains(all, FactorApp),
		Passkey: slices.Contains(all, FactorPasskey), Text: slices.Contains(all, FactorText),
		Both: s.held.any && s.policy.Reproof != OneFactor,
	}
}

// BeginProof begins what Prove cannot do in one step, for the signed-in person in ctx: the Step's
// Passkey asks for one of theirs, where they have one; an answer with FactorText and Send has a code
// sent to their number. Factors says what else is taken. It answers like Prove; a code that is not
// sent is the Step's Problem.
func (m *Manager) BeginProof(ctx context.Context, a Answer, c Client) (_ Step, err error) {
	defer closing(ctx, &err)
	if m.joined {
		return Step{}, ErrState
	}
	s, err := m.signedIn(ctx)
	if err != nil {
		return Step{}, err
	}
	s = m.from(ctx, s, c)
	now, err := m.present(ctx, s, c, ActionReprove)
	if err != nil {
		return Step{}, err
	}
	if a.sends() && !slices.Contains(now.factors(), FactorText) {
		return Step{}, ErrNoFactor
	}
	if err := m.admitOwn(ctx, s, c); err != nil {
		return Step{}, err
	}
	actor, _ := audit.ActorFrom(ctx)
	st, err := m.challenged(ctx, ticketState{Need: NeedProof, Evidence: s.bare(), Session: actor.Session}, now, c)
	if err != nil {
		return Step{}, err
	}
	var problem error
	if a.sends() {
		if st.Text.Again, problem = m.sendText(ctx, s); problem != nil && !errors.Is(problem, ErrThrottled) {
			return Step{}, problem
		}
	}
	step, err := m.brief(ctx, st)
	if err != nil {
		return Step{}, err
	}
	step.Problem = problem
	return step, exempt(ctx, "what somebody is asked to prove, shown to them")
}

// Prove proves once more that the signed-in person in ctx is who they are, before a sensitive act
// or to unlock a screen, and returns the actor for session.Manager's Reauthenticated and Unlock:
// with the time of the proof, its methods and the assurance level it reaches, AAL1 for one factor
// and AAL2 for both. A passkey is both by itself, and resists phishing. Behind a locked screen
// nobody is in ctx: put the Actor of the locked session there with audit.WithActor.
//
// What is given in a, Password, Code, Passkey or several, has to be right, all of it; Asked says
// what can be given and what must be. A wrong password: ErrDenied. A wrong code: ErrWrongCode, a
// passkey that is not accepted: ErrPasskey, or ErrPasskeyDisabled. A factor that the person does not
// have: ErrNoFactor. Less than the policy asks for, or nothing: ErrProof. A passkey without the
// ticket of BeginProof in this session: ErrTicket. Nobody signed in, or who may not be any more:
// ErrNoActor. Not from here: ErrNetwork. Tries share the throttle of sign-ins: *ThrottledError,
// *BusyError. Failures are recorded with CodeCredential, CodeWrongCode and CodeWrongPasskey; a part
// that fails is ErrUnavailable.
func (m *Manager) Prove(ctx context.Context, a Answer, c Client) (_ audit.Actor, err error) {
	defer closing(ctx, &err)
	if m.joined {
		return audit.Actor{}, ErrState
	}
	s, err := m.signedIn(ctx)
	if err != nil {
		return audit.Actor{}, err
	}
	s = m.from(ctx, s, c)
	both, err := m.provable(ctx, s, a, c)
	if err != nil {
		return audit.Actor{}, err
	}
	ev := Evidence{Tenant: s.tenant, Person: s.id, At: m.now()}
	if ev.Proven, err = m.provePassword(ctx, s, a, c); err != nil {
		return audit.Actor{}, err
	}
	actor, _ := audit.ActorFrom(ctx)
	if ev, err = m.proveFactor(ctx, s, ev, actor, a, c); err != nil {
		return audit.Actor{}, err
	}
	if both && !ev.Second {
		return audit.Actor{}, ErrProof
	}
	err = m.note(ctx, audit.Event{
		Tenant: s.tenant, Action: ActionReprove, Actor: actor, Objects: person(s.id), Detail: map[string]string{"methods": strings.Join(ev.Methods(), " ")},
	})
	if err != nil {
		return audit.Actor{}, err
	}
	actor.AuthTime, actor.Methods, actor.Assurance, actor.PhishingResistant = ev.At, ev.Methods(), ev.Assurance(), ev.Phishing
	return actor, nil
}

// present reads where somebody signed in stands, and refuses who may not be any more or not from
// here.
func (m *Manager) present(ctx context.Context, s subject, c Client, action audit.Action) (standing, error) {
	if s.account.Person.State != Active {
		return standing{}, ErrNoActor
	}
	p, err := m.policy(ctx, s.tenant)
	if err != nil {
		return standing{}, err
	}
	switch {
	case p.Closed:
		return standing{}, m.failed(ctx, s.tenant, c, action, s.id, CodeTenant, ErrNoActor)
	case !p.Network.WouldAllow(s.account.Person.Kind, c.Addr):
		return standing{}, m.failed(ctx, s.tenant, c, action, s.id, CodeNetwork, ErrNetwork)
	}
	h, err := m.holds(ctx, s.tenant, s.id, p)
	return standing{s.account, p, h}, err
}

// provable refuses a proof that would be worth nothing, before anything is tried. It reports
// whether one factor is too little.
func (m *Manager) provable(ctx context.Context, s subject, a Answer, c Client) (both bool, err error) {
	now, err := m.present(ctx, s, c, ActionReprove)
	if err != nil {
		return false, err
	}
	both = now.asked().Both
	switch {
	case a.hasFactor() && !slices.Contains(now.factors(), a.factor()):
		return both, ErrNoFactor
	case a.Password.IsZero() && !a.hasFactor(), both && a.Passkey == "" && (a.Password.IsZero() || !a.hasFactor()):
		return both, ErrProof
	}
	return both, m.admitPresent(ctx, s, c)
}

// hasFactor reports whether a second factor is given.
func (a Answer) hasFactor() bool { return a.Passkey != "" || a.Code != "" }

// provePassword checks the password, if there is one.
func (m *Manager) provePassword(ctx context.Context, s subject, a Answer, c Client) ([]string, error) {
	if a.Password.IsZero() {
		return nil, nil
	}
	if ok, err := m.checkPassword(ctx, s, a.Password); !ok {
		return nil, m.refused(ctx, s, c, ActionReprove, err)
	}
	return []string{"pwd"}, nil
}

// proveFactor checks the second factor, if there is one.
func (m *Manager) proveFactor(ctx context.Context, s subject, ev Evidence, actor audit.Actor, a Answer, c Client) (Evidence, error) {
	if !a.hasFactor() {
		return ev, nil
	}
	var asked *challenge
	if a.Passkey != "" {
		st, err := m.redeemOwn(ctx, a.Ticket, NeedProof, s, actor)
		if err != nil {
			return ev, err
		}
		asked = st.Passkey
	}
	p, err := m.checkFactor(ctx, s, asked, a)
	switch {
	case errors.Is(err, ErrThrottled), errors.Is(err, ErrPasskeyDisabled):
		return ev, m.failed(ctx, s.tenant, c, ActionReprove, s.id, refusedCode(err), err)
	case err != nil:
		return ev, err
	case !p.right():
		return ev, m.failed(ctx, s.tenant, c, ActionReprove, s.id, wrongCodeOf(a.wrong()), a.wrong())
	}
	two := len(ev.Proven) > 0 || p.level >= audit.AAL2 // a code beside nothing is one factor
	ev = ev.with(p)
	ev.Second = two
	return ev, nil
}

// FactorRequired reports whether the policy requires a second factor of a person. It has the shape
// of mfa's Options.Required: who must have one cannot disable it. Nobody there: ErrNotFound.
func (m *Manager) FactorRequired(ctx context.Context, t audit.Tenant, person audit.ActorID) (bool, error) {
	a, err := m.account(ctx, t, person)
	if err != nil {
		return true, err
	}
	p, err := m.policy(ctx, t)
	if err != nil {
		return true, err
	}
	return p.of(a.Person.Kind) != Optional, nil
}
