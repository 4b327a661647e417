package authn

import (
	"context"
	"errors"
	"time"
)

// Text is the text message of a step.
type Text struct {
	// Hint is how the number is shown, "" where no text message can be sent.
	Hint string `json:"hint,omitempty"`
	// Again is when another one may be sent, zero where none was sent yet.
	Again time.Time `json:"again,omitzero"`
}

// sends reports whether the answer asks for a text message in place of giving its code.
func (a Answer) sends() bool { return a.Send && a.factor() == FactorText }

// answerSend sends a code by text message and asks for it. Budgets that are used up are the step's
// Problem.
func (m *Manager) answerSend(ctx context.Context, st ticketState, now standing, s subject, c Client) (Step, error) {
	ev := st.Evidence
	again, err := m.sendText(ctx, s)
	if errors.Is(err, ErrThrottled) {
		if err := m.failed(ctx, ev.Tenant, c, ActionStep, ev.Person, throttledCode(err), nil); err != nil {
			return Step{}, err
		}
		return m.issue(ctx, st, err)
	}
	if err != nil {
		return Step{}, err
	}
	if err := m.passed(ctx, ev.Tenant, c, ActionStep, ev.Person, CodeText); err != nil {
		return Step{}, err
	}
	st.Text = Text{Hint: now.held.hint, Again: again}
	return m.issue(ctx, st, nil)
}

// sendText sends a code to somebody whose codes are still taken. Errors: *ThrottledError,
// ErrUnavailable.
func (m *Manager) sendText(ctx context.Context, s subject) (again time.Time, err error) {
	f, limits := m.bucket(s, FamilySecond)
	row, err := m.p.Store.Credential(ctx, s.tenant, s.id, f)
	if err != nil {
		return again, unavailable("reading a credential", err)
	}
	if row.Failures >= limits.Disable {
		return again, &ThrottledError{Disabled: true}
	}
	again, err = m.o.Texts.SendText(ctx, s.tenant, s.id)
	var later interface{ RetryAfter() time.Duration }
	switch {
	case err == nil:
		return again, nil
	case disabled(err):
		return again, &ThrottledError{Disabled: true}
	case errors.As(err, &later):
		return again, &ThrottledError{RetryAfter: max(time.Second, wholeSeconds(later.RetryAfter()))}
	}
	return again, unavailable("sending a text message", err)
}
