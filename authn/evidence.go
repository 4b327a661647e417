package authn

import (
	"context"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/evidence"
)

const verifiedPolicy = "read from the policy in force"

// Controls states what a tenant's policy asks of sign-ins, for a review packet. It satisfies
// evidence.Source.
func (m *Manager) Controls(ctx context.Context, t audit.Tenant) ([]evidence.Control, error) {
	p, err := m.Policy(ctx, t)
	if err != nil {
		return nil, err
	}
	return []evidence.Control{
		m.factorControl(&p), m.passwordControl(&p), m.throttleControl(), m.inactiveControl(&p), m.networkControl(&p), m.passkeyControl(&p), m.textsControl(&p),
	}, nil
}

func (m *Manager) factorControl(p *Policy) evidence.Control {
	c := evidence.Control{
		ID: "authn.second_factor", What: "Whoever signs in proves a second factor; nobody is exempt, administrators included.", State: evidence.InForce,
		Detail:   fmt.Sprintf("staff: %s, patients: %s", asked(p.Staff), asked(p.Patients)),
		Verified: verifiedPolicy, Citations: []string{"45 CFR 164.312(d)", "NIST SP 800-63B-4, section 2.2"},
	}
	switch {
	case p.Staff == Optional && p.Patients == Optional:
		c.State, c.Warning = evidence.NotUsed, "A password alone lets staff in."
	case p.Staff == Optional:
		c.State, c.Warning = evidence.Partly, "A password alone lets staff in."
	case p.Patients == Optional:
		c.State = evidence.Partly
	}
	return c
}

func asked(e Enforcement) string {
	if e == Optional {
		return "optional"
	}
	return "required"
}

func (m *Manager) passwordControl(p *Policy) evidence.Control {
	c := evidence.Control{
		ID: "authn.passwords", What: "Passwords are hashed slowly, compared with lists of common and stolen ones, and have a least length.", State: evidence.InForce,
		Detail:   fmt.Sprintf("least length: staff %d, patients %d; peppered: %t; stolen ones looked up: %t", p.least(audit.KindStaff), p.least(audit.KindPatient), len(m.o.Peppers) > 0, m.o.Breaches != nil),
		Verified: verifiedPolicy, Citations: []string{"NIST SP 800-63B-4, section 3.1.1.2"},
	}
	if m.o.InsecureArgon2 != nil {
		c.State, c.Warning = evidence.Failing, "The hash is weaker than it has to be (InsecureArgon2)."
	}
	return c
}

func (m *Manager) throttleControl() evidence.Control {
	return evidence.Control{
		ID: "authn.throttle", What: "Wrong tries slow the next ones down and end at a limit, per person, address and tenant.", State: evidence.InForce,
		Detail:   fmt.Sprintf("free tries %d, delay from %v to %v, disabled at %d", m.o.Throttle.Free, m.o.Throttle.Base, m.o.Throttle.Max, m.o.Throttle.Disable),
		Verified: "read from the configuration", Citations: []string{"NIST SP 800-63B-4, section 3.2.2"},
	}
}

func (m *Manager) inactiveControl(p *Policy) evidence.Control {
	days := func(d time.Duration) int { return int(max(d, 0).Hours() / 24) }
	staff, patients := p.InactiveStaff, p.InactivePatients
	set(&staff, 90*24*time.Hour)
	set(&patients, 90*24*time.Hour)
	return evidence.Control{
		ID: "authn.inactivity", What: "Who has not signed in for long is locked out until somebody unlocks them.", State: evidence.InForce,
		Detail:   fmt.Sprintf("staff after %d days, patients after %d days", days(staff), days(patients)),
		Verified: verifiedPolicy, Citations: []string{"45 CFR 164.308(a)(3)(ii)(C)"},
	}
}

func (m *Manager) networkControl(p *Policy) evidence.Control {
	c := evidence.Control{
		ID: "authn.network", What: "People sign in from named networks only.", State: evidence.InForce,
		Detail: fmt.Sprintf("networks: staff %d, patients %d", len(p.Network.Staff), len(p.Network.Patients)), Verified: verifiedPolicy,
		Citations: []string{"45 CFR 164.312(a)(1)"},
	}
	if len(p.Network.Staff) == 0 {
		c.State = evidence.NotUsed
	}
	return c
}

func (m *Manager) passkeyControl(p *Policy) evidence.Control {
	c := evidence.Control{
		ID: "authn.passkeys", What: "A phishing-resistant way to sign in is offered.", State: evidence.InForce,
		Verified: verifiedPolicy, Citations: []string{"NIST SP 800-63B-4, section 2.2.2"},
	}
	switch {
	case !m.makesPasskeys(p):
		c.State, c.Warning = evidence.NotUsed, "A phishing-resistant option has to be offered at AAL2."
	case p.Passkeys == PasskeysAlone:
		c.Detail = "alone or as a second factor"
	default:
		c.Detail = "as a second factor"
	}
	return c
}

func (m *Manager) textsControl(p *Policy) evidence.Control {
	c := evidence.Control{
		ID: "authn.texts", What: "Codes by text message are accepted as a second factor.", State: evidence.NotUsed,
		Verified: verifiedPolicy, Citations: []string{"NIST SP 800-63B-4, section 3.2.9"},
	}
	if m.o.Texts != nil && p.Texts {
		c.State, c.Warning = evidence.Partly, "They are a restricted authenticator: another kind has to be offered, and people told of the risk."
	}
	return c
}
