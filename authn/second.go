package authn

import (
	"context"
	"errors"
	"slices"

	"github.com/wardkit/wardkit/audit"
)

// held are the second factors that somebody has, whatever the policy says of them.
type held struct {
	any          bool // one of any kind
	app, passkey bool
	hint         string // how the number for text messages is shown, "" if there is none
}

// holds reads them. A number is looked at only where it could be asked for.
func (m *Manager) holds(ctx context.Context, t audit.Tenant, id audit.ActorID, p *Policy) (h held, err error) {
	if h.any, err = m.p.Factor.Enrolled(ctx, t, id); err != nil {
		return held{}, unavailable("asking for the second factor", err)
	}
	if h.any {
		if h.app, err = m.p.Factor.TakesCodes(ctx, t, id); err != nil {
			return held{}, unavailable("asking for the second factor", err)
		}
	}
	if m.o.Passkeys != nil {
		if h.passkey, err = m.o.Passkeys.HasPasskey(ctx, t, id); err != nil {
			return held{}, unavailable("asking for passkeys", err)
		}
	}
	if m.o.Texts != nil && (p.Texts || !h.app && !h.passkey) {
		if h.hint, err = m.o.Texts.TextHint(ctx, t, id); err != nil {
			return held{}, unavailable("asking for a number", err)
		}
	}
	h.any = h.any || h.passkey || h.hint != ""
	return h, nil
}

// taken are the factors that the person has and the policy takes, best first.
func (s standing) taken() []Factor {
	var all []Factor
	if s.held.passkey && s.policy.Passkeys.taken() {
		all = append(all, FactorPasskey)
	}
	if s.held.app {
		all = append(all, FactorApp)
	}
	if s.held.hint != "" && s.policy.Texts {
		all = append(all, FactorText)
	}
	return all
}

// factors are those to be asked for. Who has nothing that the policy takes is asked for what there
// is, and sets up another one afterwards where one is required: a kind that is switched off must
// not leave a password alone.
func (s standing) factors() []Factor {
	if all := s.taken(); len(all) > 0 {
		return all
	}
	var all []Factor
	if s.held.passkey {
		all = append(all, FactorPasskey)
	}
	if s.held.hint != "" {
		all = append(all, FactorText)
	}
	return all
}

// counts reports whether one of these factors is still one that is asked for.
func (s standing) counts(all []Factor) bool {
	have := s.factors()
	return slices.ContainsFunc(all, func(f Factor) bool { return slices.Contains(have, f) })
}

// proven is what a right answer to a second factor proves; the zero one is a wrong answer.
type proven struct {
	factor   Factor
	passkey  string   // its ID, where it is one
	methods  []string // RFC 8176
	level    audit.Assurance
	phishing bool
}

func (p proven) right() bool { return len(p.methods) > 0 }

// factor is the kind of second factor that an answer is for.
func (a Answer) factor() Factor {
	switch {
	case a.Passkey != "":
		return FactorPasskey
	case a.Factor == FactorText:
		return FactorText
	}
	return FactorApp
}

// checkFactor makes one try of a second factor that the person has. Nothing proven and no error is
// a wrong answer. Errors: *ThrottledError, ErrPasskeyDisabled, ErrUnavailable.
func (m *Manager) checkFactor(ctx context.Context, s subject, asked *challenge, a Answer) (proven, error) {
	switch f := a.factor(); f {
	case FactorPasskey:
		return m.checkPasskey(ctx, s, asked, a.Passkey)
	case FactorText:
		return m.checkCode(ctx, s, f, a.Code, m.o.Texts.VerifyText)
	default:
		return m.checkCode(ctx, s, f, a.Code, m.p.Factor.Verify)
	}
}

// checkCode makes one try of a code: it charges the try, to the person and not to the sign-in, so
// that starting again gains nothing, and resets the failures after a success. Codes of every kind
// draw on the same failures.
func (m *Manager) checkCode(ctx context.Context, s subject, f Factor, code string, verify verifier) (proven, error) {
	if err := m.charge(ctx, s, FamilySecond); err != nil {
		return proven{}, err
	}
	methods, err := verify(ctx, s.tenant, s.id, code)
	if disabled(err) {
		return proven{}, &ThrottledError{Disabled: true}
	}
	if err != nil {
		return proven{}, unavailable("checking a code", err)
	}
	if len(methods) == 0 {
		return proven{}, nil
	}
	return proven{factor: f, methods: methods}, m.clear(ctx, s, FamilySecond)
}

type verifier func(ctx context.Context, t audit.Tenant, person audit.ActorID, code string) (methods []string, err error)

// disabled reports whether a factor's error says that it takes part no more.
func disabled(err error) bool {
	var d interface{ Disabled() bool }
	return errors.As(err, &d) && d.Disabled()
}

// by returns ctx with whom the evidence has proven, so that they may set up a second factor beside
// the one they proved. Without one nobody is in it.
func (e Evidence) by(ctx context.Context, now standing, c Client) context.Context {
	if !e.Second {
		return ctx
	}
	return audit.WithActor(ctx, e.actor(now.account.Person.Kind, c))
}

// askFactor asks for one of the person's second factors.
func (m *Manager) askFactor(ctx context.Context, ev Evidence, now standing, c Client) (Step, error) {
	st, err := m.challenged(ctx, ticketState{Need: NeedSecondFactor, Evidence: ev}, now, c)
	if err != nil {
		return Step{}, err
	}
	return m.ask(ctx, st)
}

// askEnrolment begins a second factor of each kind that can be set up, and issues the ticket that
// can confirm one of them and do nothing else.
func (m *Manager) askEnrolment(ctx context.Context, ev Evidence, now standing, c Client) (Step, error) {
	name, err := m.identifier(ctx, now.account.Person)
	if err != nil {
		return Step{}, err
	}
	uri, manual, err := m.p.Factor.Begin(ev.by(ctx, now, c), ev.Tenant, ev.Person, name)
	if err != nil {
		return Step{}, unavailable("beginning an enrolment", err)
	}
	st, err := m.challenged(ctx, ticketState{Need: NeedEnrolment, Evidence: ev, URI: uri, Manual: manual}, now, c)
	if err != nil {
		return Step{}, err
	}
	return m.ask(ctx, st)
}

// challenged returns st with what the step takes and, where a passkey is among it, a challenge
// that nobody has answered yet.
func (m *Manager) challenged(ctx context.Context, st ticketState, now standing, c Client) (ticketState, error) {
	ev := st.Evidence
	var err error
	st.Passkey = nil
	switch {
	case st.Need == NeedEnrolment:
		st.Factors = []Factor{FactorApp}
		if m.makesPasskeys(now.policy) {
			st.Factors = []Factor{FactorPasskey, FactorApp}
			st.Passkey, err = m.passkeyToMake(ev.by(ctx, now, c), now.account.Person)
		}
		return st, err
	case now.held.hint != "":
		st.Text.Hint = now.held.hint
	}
	st.Factors = now.factors()
	if !slices.Contains(st.Factors, FactorPasskey) {
		return st, nil
	}
	st.Passkey, err = m.passkeyAsked(ctx, ev.Tenant, ev.Person)
	if disabled(err) { // none that can be used
		st.Factors, err = slices.DeleteFunc(st.Factors, func(f Factor) bool { return f == FactorPasskey }), nil
	}
	return st, err
}

// again asks for the same once more, because of problem. A challenge that was answered is not
// asked again.
func (m *Manager) again(ctx context.Context, st ticketState, now standing, a Answer, c Client, problem error) (Step, error) {
	if a.Passkey != "" {
		var err error
		if st, err = m.challenged(ctx, st, now, c); err != nil {
			return Step{}, err
		}
	}
	return m.issue(ctx, st, problem)
}

// answerFactor makes one try of the person's second factor, or sends a code for it.
func (m *Manager) answerFactor(ctx context.Context, st ticketState, now standing, a Answer, c Client) (Step, error) {
	ev := st.Evidence
	s := m.from(ctx, subject{tenant: ev.Tenant, id: ev.Person, account: now.account}, c)
	switch {
	case !slices.Contains(now.factors(), a.factor()):
		return m.wrongAnswer(ctx, st, now, a, c, ErrNoFactor)
	case a.sends():
		return m.answerSend(ctx, st, now, s, c)
	}
	p, err := m.checkFactor(ctx, s, st.Passkey, a)
	if errors.Is(err, ErrThrottled) || errors.Is(err, ErrPasskeyDisabled) {
		if err := m.failed(ctx, ev.Tenant, c, ActionStep, ev.Person, refusedCode(err), nil); err != nil {
			return Step{}, err
		}
		return m.again(ctx, st, now, a, c, err)
	}
	if err != nil {
		return Step{}, err
	}
	if !p.right() {
		return m.wrongAnswer(ctx, st, now, a, c, a.wrong())
	}
	if err := m.passed(ctx, ev.Tenant, c, ActionStep, ev.Person, CodeFactor); err != nil {
		return Step{}, err
	}
	return m.complete(ctx, ev.with(p), c)
}

// answerEnrolment confirms a second factor that the ticket was issued with. Where the person got
// another one meanwhile nothing is set up: that one is asked for.
func (m *Manager) answerEnrolment(ctx context.Context, st ticketState, now standing, a Answer, c Client) (Step, error) {
	ev := st.Evidence
	if now.owed(ev) == NeedSecondFactor {
		return m.complete(ctx, ev, c)
	}
	p, err := m.enrol(ev.by(ctx, now, c), st, now, a)
	if err != nil {
		return Step{}, err
	}
	if !p.right() {
		return m.wrongAnswer(ctx, st, now, a, c, a.wrong())
	}
	if err := m.passed(ctx, ev.Tenant, c, ActionStep, ev.Person, CodeEnrolled); err != nil {
		return Step{}, err
	}
	return m.complete(ctx, ev.with(p), c)
}

// enrol sets up what is answered. Nothing proven and no error is a wrong answer.
func (m *Manager) enrol(ctx context.Context, st ticketState, now standing, a Answer) (proven, error) {
	ev := st.Evidence
	if a.Passkey != "" {
		if !m.makesPasskeys(now.policy) {
			return proven{}, nil
		}
		return m.addPasskey(ctx, now.account.Person, st.Passkey, a)
	}
	ok, err := m.p.Factor.Confirm(ctx, ev.Tenant, ev.Person, a.Code)
	if err != nil {
		return proven{}, unavailable("confirming an enrolment", err)
	}
	if !ok {
		return proven{}, nil
	}
	return proven{factor: FactorApp, methods: []string{"otp"}}, nil
}

// wrongAnswer asks again, until the sign-in has had too many.
func (m *Manager) wrongAnswer(ctx context.Context, st ticketState, now standing, a Answer, c Client, problem error) (Step, error) {
	ev := st.Evidence
	if st.Wrong++; st.Wrong >= m.o.TicketTries {
		return Step{}, m.failed(ctx, ev.Tenant, c, ActionSignIn, ev.Person, CodeTries, ErrDenied)
	}
	if err := m.failed(ctx, ev.Tenant, c, ActionStep, ev.Person, wrongCodeOf(problem), nil); err != nil {
		return Step{}, err
	}
	return m.again(ctx, st, now, a, c, problem)
}

// wrong is the problem of an answer that was not right.
func (a Answer) wrong() error {
	if a.Passkey != "" {
		return ErrPasskey
	}
	return ErrWrongCode
}

// wrongCodeOf is the event code of a wrong answer.
func wrongCodeOf(problem error) string {
	if errors.Is(problem, ErrPasskey) {
		return CodeWrongPasskey
	}
	return CodeWrongCode
}

// refusedCode is the event code of a try that was not made.
func refusedCode(err error) string {
	if errors.Is(err, ErrPasskeyDisabled) {
		return CodeDisabled
	}
	return throttledCode(err)
}
