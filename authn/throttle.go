package authn

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// admit counts a try of a network address and of the tenant. One too many is a *ThrottledError.
func (m *Manager) admit(ctx context.Context, t audit.Tenant, c Client) error {
	if err := m.admitAddress(ctx, t, c); err != nil {
		return err
	}
	return m.spend(ctx, t, c, "tenant", m.o.TenantTries, CodeBudget)
}

// admitAddress counts a try of a network address.
func (m *Manager) admitAddress(ctx context.Context, t audit.Tenant, c Client) error {
	return m.spend(ctx, t, c, addressKey(c.Addr), m.o.AddressTries, CodeAddress)
}

// knownBudget counts a try from a browser that is known for somebody and reports whether it is one
// of those that draw on no other budget: beyond them the browser is like any other.
func (m *Manager) knownBudget(ctx context.Context, t audit.Tenant, who audit.ActorID) (bool, error) {
	count, _, err := m.o.Windows.Hit(ctx, t, "known:"+string(who), m.o.AddressWindow, m.now())
	if err != nil {
		return false, unavailable("counting tries", err)
	}
	return count <= m.o.AddressTries, nil
}

// spend counts a try in a window. Only the first refusal of a window is recorded, or a flood of
// requests would be a flood of events.
func (m *Manager) spend(ctx context.Context, t audit.Tenant, c Client, key string, tries int, code string) error {
	now := m.now()
	count, ends, err := m.o.Windows.Hit(ctx, t, key, m.o.AddressWindow, now)
	if err != nil {
		return unavailable("counting tries", err)
	}
	if count <= tries {
		return nil
	}
	answer := &ThrottledError{RetryAfter: wholeSeconds(ends.Sub(now))}
	if count > tries+1 {
		return exempted(ctx, "recorded with the first refusal of this window", answer)
	}
	return m.failed(ctx, t, c, ActionThrottle, "", code, answer)
}

// addressKey is the address that shares a budget: an IPv6 customer has a whole /64.
func addressKey(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return "addr:" + p.String()
		}
	}
	return "addr:" + a.String()
}

// open says whether a try would be allowed, from a row read before. It saves a throttled
// try the wait for a hasher; Charge decides.
func (l Limits) open(c Credential, now time.Time) error {
	if c.Failures >= l.Disable {
		return &ThrottledError{Disabled: true}
	}
	if now.Before(c.NotBefore) {
		return &ThrottledError{RetryAfter: wholeSeconds(c.NotBefore.Sub(now))}
	}
	return nil
}

// charge counts a try before it is made. A refused one is a *ThrottledError.
func (m *Manager) charge(ctx context.Context, s subject, f Family) error {
	now := m.now()
	f, limits := m.bucket(s, f)
	c, allowed, err := m.p.Store.Charge(ctx, s.tenant, s.id, f, limits, now)
	if err != nil {
		return unavailable("counting a try", err)
	}
	if allowed {
		return nil
	}
	if err := limits.open(c, now); err != nil {
		return err
	}
	return &ThrottledError{RetryAfter: time.Second} // freed since; try again
}

// clear forgets failures after a success: they were consecutive until now, in known browsers and
// everywhere else.
func (m *Manager) clear(ctx context.Context, s subject, f Family) error {
	err := m.p.Store.Clear(ctx, s.tenant, s.id, f, m.now())
	if err == nil {
		err = m.p.Store.Clear(ctx, s.tenant, s.id, f.Known(), m.now())
	}
	if err != nil {
		return unavailable("noting a success", err)
	}
	return nil
}

// waits refuses a try early that Charge would refuse. Row is the password's.
func (m *Manager) waits(ctx context.Context, s subject, row Credential) error {
	f, limits := m.bucket(s, FamilyPassword)
	if f != FamilyPassword {
		known, err := m.p.Store.Credential(ctx, s.tenant, s.id, f)
		if err != nil {
			return unavailable("reading a credential", err)
		}
		row = known
	}
	return limits.open(row, m.now())
}

// throttledCode is the event code of a refused try.
func throttledCode(err error) string {
	var t *ThrottledError
	if errors.As(err, &t) && t.Disabled {
		return CodeDisabled
	}
	return CodeThrottled
}

// checkPassword makes one try: it waits for a hasher, charges the try, compares, and
// resets the failures and renews an old hash after a success. Nobody's password is compared
// as well, with nothing. Errors: *ThrottledError, *BusyError, ErrUnavailable, ctx's.
func (m *Manager) checkPassword(ctx context.Context, s subject, pw Password) (bool, error) {
	row, err := m.p.Store.Credential(ctx, s.tenant, s.id, FamilyPassword)
	if err != nil {
		return false, unavailable("reading a credential", err)
	}
	if err := m.waits(ctx, s, row); err != nil {
		return false, err
	}
	leave, err := m.hash.enter(ctx, !s.known)
	if err != nil {
		return false, err
	}
	defer leave()
	if err := m.charge(ctx, s, FamilyPassword); err != nil {
		return false, err
	}
	typed, sane := normalise(pw)
	ok, stale, err := m.hash.check(row.Hash, typed)
	if errors.Is(err, errNotApproved) { // whose owner asks for a new one: nobody else is to know that it is there
		m.warn(ctx, "authn: a password hash is not of an approved kind")
		return false, nil
	}
	if err != nil {
		return false, unavailable("reading a password hash", err)
	}
	if state := s.account.Person.State; !ok || !sane || state != Active && state != Waiting {
		return false, nil
	}
	if err := m.clear(ctx, s, FamilyPassword); err != nil {
		return false, err
	}
	if stale {
		if err := m.rehash(ctx, s, row.Hash, typed); err != nil {
			return false, unavailable("renewing a password hash", err)
		}
	}
	return true, nil
}

// rehash replaces a hash of old parameters by one of today's.
func (m *Manager) rehash(ctx context.Context, s subject, old, password string) error {
	hash, err := m.hash.derive(password)
	if err != nil {
		return err
	}
	return m.p.Store.Rehash(ctx, s.tenant, s.id, old, hash)
}

// refused records a failed or throttled password try and returns the answer.
func (m *Manager) refused(ctx context.Context, s subject, c Client, a audit.Action, err error) error {
	switch {
	case err == nil:
		return m.failed(ctx, s.tenant, c, a, s.object(), CodeCredential, ErrDenied)
	case errors.Is(err, ErrThrottled):
		return m.failed(ctx, s.tenant, c, a, s.object(), throttledCode(err), err)
	case errors.Is(err, ErrBusy):
		return exempted(ctx, "nothing was tried", err)
	}
	return errors.Join(err, m.failed(ctx, s.tenant, c, a, s.object(), "unavailable", nil))
}
