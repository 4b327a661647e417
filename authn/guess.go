package authn

import (
	"context"
	"errors"
)

// Guess has try check what the signed-in person in ctx typed outside of a sign-in, and what could
// be guessed there as well: the code that ends a second factor, moves it to another phone, or makes
// new recovery codes.
//
//	err := people.Guess(ctx, client, func(ctx context.Context) (ok bool, err error) {
//		return factors.Disable(ctx, tenant, person, code)
//	})
//
// The try is charged to the person before try runs, where codes of sign-ins and of Prove are
// charged: whoever has somebody's session gets no more tries here than anywhere else. True ends the
// run of failures; false is ErrWrongCode, recorded. An error of try is passed on, and counts as a
// failure; one that says Disabled, as SecondFactor.Verify has it, is a *ThrottledError.
//
// Nobody signed in, or who may not be any more: ErrNoActor. Not from here: ErrNetwork. Too many
// tries: a *ThrottledError, recorded. A part that fails: ErrUnavailable. In all of these cases try
// did not run. Inside a host's transaction: ErrState.
func (m *Manager) Guess(ctx context.Context, c Client, try func(ctx context.Context) (ok bool, err error)) (err error) {
	defer closing(ctx, &err)
	if m.joined {
		return ErrState
	}
	s, err := m.signedIn(ctx)
	if err != nil {
		return err
	}
	s = m.from(ctx, s, c)
	if _, err := m.present(ctx, s, c, ActionReprove); err != nil {
		return err
	}
	if err := m.admitPresent(ctx, s, c); err != nil {
		return err
	}
	if err := m.charge(ctx, s, FamilySecond); err != nil {
		return m.guessed(ctx, s, c, err)
	}
	ok, err := try(ctx)
	switch {
	case disabled(err):
		return m.guessed(ctx, s, c, &ThrottledError{Disabled: true})
	case err != nil:
		return err
	case !ok:
		return m.failed(ctx, s.tenant, c, ActionReprove, s.id, CodeWrongCode, ErrWrongCode)
	}
	if err := m.clear(ctx, s, FamilySecond); err != nil { // what was asked for is done already
		m.warn(ctx, "authn: a right code still counts as a failure")
	}
	return nil
}

// guessed records a try that was refused.
func (m *Manager) guessed(ctx context.Context, s subject, c Client, err error) error {
	if !errors.Is(err, ErrThrottled) {
		return err
	}
	return m.failed(ctx, s.tenant, c, ActionReprove, s.id, throttledCode(err), err)
}

// admitPresent counts a try of somebody signed in: in a known browser on its own budget, beyond
// that and elsewhere on the address's.
func (m *Manager) admitPresent(ctx context.Context, s subject, c Client) error {
	if s.known {
		if in, err := m.knownBudget(ctx, s.tenant, s.id); in || err != nil {
			return err
		}
	}
	return m.admitAddress(ctx, s.tenant, c)
}
