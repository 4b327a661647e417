package authn

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/wardkit/wardkit/audit"
)

// maxPrefixes is how many networks one list can have.
const maxPrefixes = 1000

// Network says from where the people of a tenant may sign in and work: networks in CIDR notation
// (RFC 4632, RFC 4291), IPv4 and IPv6. A list without an entry allows every address.
type Network struct {
	Staff    []netip.Prefix
	Patients []netip.Prefix // patients and their proxies
}

// ParseNetworks reads one list as an administrator types it: a network or a single address in
// each line, empty lines and what follows a # left out. The error says which line cannot be
// read, and what Validate says.
func ParseNetworks(text string) ([]netip.Prefix, error) {
	var list []netip.Prefix
	n := 0
	for line := range strings.Lines(text) {
		n++
		entry, _, _ := strings.Cut(line, "#")
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		p, err := parseNetwork(entry)
		if err != nil {
			return nil, fmt.Errorf("%w: line %d", err, n)
		}
		list = append(list, p)
	}
	return list, Network{Staff: list}.Validate()
}

func parseNetwork(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%w: no address or network", ErrNetworkRules)
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%w: no address or network", ErrNetworkRules)
	}
	return p, check(p)
}

// check refuses a network that does not mean what it looks like.
func check(p netip.Prefix) error {
	switch {
	case !p.IsValid():
		return fmt.Errorf("%w: no address or network", ErrNetworkRules)
	case p.Addr().Is4In6():
		return fmt.Errorf("%w: IPv4 written as IPv6", ErrNetworkRules)
	case p != p.Masked():
		return fmt.Errorf("%w: bits set behind the length of the network", ErrNetworkRules)
	case p.Bits() == 0:
		return fmt.Errorf("%w: the network of all addresses; leave the list empty to allow them", ErrNetworkRules)
	}
	return nil
}

// Validate refuses lists that cannot mean what somebody wanted: with an error that wraps
// ErrNetworkRules.
func (n Network) Validate() error {
	for _, list := range [][]netip.Prefix{n.Staff, n.Patients} {
		if len(list) > maxPrefixes {
			return fmt.Errorf("%w: more than %d entries", ErrNetworkRules, maxPrefixes)
		}
		for _, p := range list {
			if err := check(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// of returns the list for people of kind k. Whoever is neither a patient nor a proxy counts as
// staff.
func (n Network) of(k audit.Kind) []netip.Prefix {
	switch k {
	case audit.KindPatient, audit.KindProxy:
		return n.Patients
	}
	return n.Staff
}

// WouldAllow reports whether somebody of kind k passes from an address: "would I pass?". An
// address that is not known passes only where there is no list. An IPv4 address inside IPv6 is
// the IPv4 address, and a zone is left out.
func (n Network) WouldAllow(k audit.Kind, from netip.Addr) bool {
	list := n.of(k)
	if len(list) == 0 {
		return true
	}
	from = from.Unmap().WithZone("")
	for _, p := range list {
		if p.Contains(from) {
			return true
		}
	}
	return false
}

// Replace checks a change of the rules and saves nothing: next is what they shall be, and who
// saves it is of kind k and comes from an address. It returns a *LockOutError where that would
// keep the editor out, or where it is the first list of its kind and so the first that keeps
// anybody out, unless confirmed says that they were asked; errors of Validate in any case.
func (n Network) Replace(next Network, k audit.Kind, from netip.Addr, confirmed bool) error {
	if err := next.Validate(); err != nil {
		return err
	}
	if confirmed {
		return nil
	}
	out := LockOutError{
		Yourself: !next.WouldAllow(k, from),
		First: len(n.Staff) == 0 && len(next.Staff) > 0 ||
			len(n.Patients) == 0 && len(next.Patients) > 0,
	}
	if out.Yourself || out.First {
		return &out
	}
	return nil
}

// LockOutError says what an administrator has to confirm before network rules are saved.
type LockOutError struct {
	Yourself bool // the editor does not pass the new rules from where they are
	First    bool // so far everybody of a kind passed from everywhere
}

// Error says that a confirmation is missing.
func (e *LockOutError) Error() string {
	return "authn: network rules that may lock people out need a confirmation"
}

// Allowed reports whether people of kind k in tenant t may work from an address: the tenant is
// not closed, and its Network has the address. It is asked at each request by package session,
// so that rules bind sessions that are running; a policy that cannot be read is an error.
func (m *Manager) Allowed(ctx context.Context, t audit.Tenant, k audit.Kind, from netip.Addr) (bool, error) {
	p, err := m.policy(ctx, t)
	if err != nil {
		return false, err
	}
	return !p.Closed && p.Network.WouldAllow(k, from), nil
}

// placed refuses a sign-in that has proven who it is, from where that person may not work.
func (m *Manager) placed(ctx context.Context, ev Evidence, now standing, c Client) error {
	if now.policy.Network.WouldAllow(now.account.Person.Kind, c.Addr) {
		return nil
	}
	return m.failed(ctx, ev.Tenant, c, ActionSignIn, ev.Person, CodeNetwork, ErrNetwork)
}

// reachable refuses a try that could not end in a session for anybody, before anything is
// looked up or hashed: the tenant is closed, or nobody of any kind passes from the address. So
// it says nothing about who exists.
func (m *Manager) reachable(ctx context.Context, t audit.Tenant, c Client) error {
	p, err := m.policy(ctx, t)
	if err != nil {
		return errors.Join(err, m.failed(ctx, t, c, ActionSignIn, "", "unavailable", nil))
	}
	switch {
	case p.Closed:
		return m.failed(ctx, t, c, ActionSignIn, "", CodeTenant, ErrDenied)
	case !p.Network.WouldAllow(audit.KindStaff, c.Addr) && !p.Network.WouldAllow(audit.KindPatient, c.Addr):
		return m.failed(ctx, t, c, ActionSignIn, "", CodeNetwork, ErrNetwork)
	}
	return nil
}
