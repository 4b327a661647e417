package machine

import (
	"context"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/evidence"
)

const (
	verifiedRows    = "counted in the rows in force"
	verifiedOptions = "read from the configuration"
)

// counted is what a tenant's programs come to.
type counted struct {
	services, agents int
	keys, endless    int // keys that let in, and those of them without an end
	unused, orphaned int // principals
	unbound          int // agents that act for nobody
	oldest           time.Time
}

// Controls states the programs and AI agents of a tenant for a review packet: keys and how old they
// are, who answers for them, and how fast they may ask. It satisfies evidence.Source and names no
// program and nobody.
func (m *Manager) Controls(ctx context.Context, t audit.Tenant) ([]evidence.Control, error) {
	fixed := []evidence.Control{m.secretControl(), m.rateControl(), m.networkControl()}
	now := m.now()
	var n counted
	for p, err := range m.p.Store.List(ctx, t, "") {
		if err != nil {
			return fixed, unavailable("stating programs", err)
		}
		if err := m.count(ctx, &n, p, now); err != nil {
			return fixed, err
		}
	}
	return append(fixed, m.expiryControl(n, now), m.ownerControl(n), agentControl(n), unusedControl(n)), nil
}

// count adds one principal that is let in.
func (m *Manager) count(ctx context.Context, n *counted, p Principal, now time.Time) error {
	if !p.Live(now) {
		return nil
	}
	n.services++
	if p.Kind == audit.KindAgent {
		n.services--
		n.agents++
		if p.OnBehalfOf == "" {
			n.unbound++
		}
	}
	if p.Unused(now) {
		n.unused++
	}
	for _, k := range p.Keys {
		if !k.Live(now) {
			continue
		}
		n.keys++
		if k.Expires.IsZero() || k.Expires.Sub(now) > m.longest(p.Kind) {
			n.endless++
		}
		if n.oldest.IsZero() || k.Created.Before(n.oldest) {
			n.oldest = k.Created
		}
	}
	ok, err := m.active(ctx, p.Tenant, p.Owner)
	if err == nil && !ok {
		n.orphaned++
	}
	return err
}

func (m *Manager) secretControl() evidence.Control {
	return evidence.Control{
		ID: "machine.secrets", What: "Keys of programs have 256 random bits, are shown once, and are stored as hashes; access tokens made from them live for minutes.", State: evidence.InForce,
		Detail: fmt.Sprintf("keys begin with %s_, at most %d live ones each; tokens live %v", m.o.Prefix, m.o.MaxKeys, m.o.TokenLife), Verified: verifiedOptions,
		Citations: []string{"45 CFR 164.312(d)", "NIST SP 800-63B-4, section 3.1.1"},
	}
}

func (m *Manager) rateControl() evidence.Control {
	return evidence.Control{
		ID: "machine.rates", What: "Programs have a rate, and an address that tries wrong keys is told to wait.", State: evidence.InForce,
		Detail:   fmt.Sprintf("requests a minute: services %d, agents %d; wrong keys in 10 minutes: %d", m.o.ServiceRate, m.o.AgentRate, m.o.BadKeys),
		Verified: verifiedOptions, Citations: []string{"45 CFR 164.308(a)(5)(ii)(C)", "NIST SP 800-53, SC-5"},
	}
}

func (m *Manager) networkControl() evidence.Control {
	c := evidence.Control{
		ID: "machine.network", What: "Programs come only from where the tenant says they may.", State: evidence.InForce,
		Verified: verifiedOptions, Citations: []string{"45 CFR 164.312(a)(1)"},
	}
	if m.o.Network == nil {
		c.State, c.Warning = evidence.NotUsed, "They may come from anywhere, and into a tenant that is closed."
	}
	return c
}

func (m *Manager) expiryControl(n counted, now time.Time) evidence.Control {
	c := evidence.Control{
		ID: "machine.expiry", What: "No key of a program is without an end.", State: evidence.InForce,
		Detail:   fmt.Sprintf("keys: %d; at most %v for services, %v for agents", n.keys, days(m.o.MaxService), days(m.o.MaxAgent)),
		Verified: verifiedRows, Citations: []string{"45 CFR 164.308(a)(4)(ii)(C)", "NIST SP 800-53, IA-5"},
	}
	if n.keys > 0 {
		c.Detail += fmt.Sprintf("; the oldest is from %s, %v ago", n.oldest.Format("2006-01-02"), days(now.Sub(n.oldest)))
	}
	if n.endless > 0 {
		c.State, c.Warning = evidence.Failing, fmt.Sprintf("%d keys have no end, or one further off than is allowed.", n.endless)
	}
	return c
}

func days(d time.Duration) string { return fmt.Sprintf("%d days", int(d/day)) }

func (m *Manager) ownerControl(n counted) evidence.Control {
	c := evidence.Control{
		ID: "machine.owners", What: "Somebody who can act answers for each program; without them it is not let in.", State: evidence.InForce,
		Detail: fmt.Sprintf("services: %d, agents: %d", n.services, n.agents), Verified: verifiedRows, Citations: []string{"45 CFR 164.308(a)(3)(ii)(A)"},
	}
	if n.orphaned > 0 {
		c.Warning = fmt.Sprintf("%d stand still, because who answers for them has left or is suspended. Somebody should take them over or remove them.", n.orphaned)
	}
	return c
}

func agentControl(n counted) evidence.Control {
	c := evidence.Control{
		ID: "machine.agents", What: "AI agents act for a person, and never do more than that person may.", State: evidence.InForce,
		Detail: fmt.Sprintf("agents: %d", n.agents), Verified: verifiedRows, Citations: []string{"45 CFR 164.502(b)", "45 CFR 164.312(a)(1)"},
	}
	switch {
	case n.unbound > 0:
		c.State, c.Warning = evidence.Failing, fmt.Sprintf("%d act for nobody.", n.unbound)
	case n.agents == 0:
		c.State = evidence.NotUsed
	}
	return c
}

func unusedControl(n counted) evidence.Control {
	c := evidence.Control{
		ID: "machine.unused", What: "Programs that nobody uses are removed.", State: evidence.InForce,
		Detail: fmt.Sprintf("not used for %s: %d", days(unused), n.unused), Verified: verifiedRows, Citations: []string{"45 CFR 164.308(a)(3)(ii)(C)"},
	}
	if n.unused > 0 {
		c.State, c.Warning = evidence.Partly, "Somebody should remove those, or say why they stay."
	}
	return c
}
