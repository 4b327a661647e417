package mfa

import (
	"context"
	"fmt"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/evidence"
)

const verifiedRows = "counted in the rows in force"

// Controls states the second factors of a tenant for a review packet: which kinds there are and
// how many people have them. Codes by text message are marked as what they are, a restricted
// authenticator (NIST SP 800-63B-4, section 3.2.9). It satisfies evidence.Source.
func (f *Factors) Controls(ctx context.Context, t audit.Tenant) ([]evidence.Control, error) {
	var apps, locked, passkeys, numbers int
	for s, err := range f.List(ctx, t) {
		if err != nil {
			return nil, err
		}
		switch s.State {
		case On:
			apps++
		case Locked:
			locked++
		}
		if s.Passkeys > 0 {
			passkeys++
		}
		if s.Text.State != Off {
			numbers++
		}
	}
	app := evidence.Control{
		ID: "mfa.app", What: "Codes of an authenticator app are accepted once each, and 100 wrong ones disable it.", State: evidence.InForce,
		Detail: fmt.Sprintf("people with one: %d, disabled: %d", apps, locked), Verified: verifiedRows,
		Citations: []string{"RFC 6238, section 5.2", "NIST SP 800-63B-4, section 3.2.2"},
	}
	key := evidence.Control{
		ID: "mfa.passkeys", What: "Passkeys resist phishing and need the person's own gesture; a copied one is disabled.", State: evidence.InForce,
		Detail: fmt.Sprintf("people with one: %d", passkeys), Verified: verifiedRows,
		Citations: []string{"NIST SP 800-63B-4, section 2.2.2", "45 CFR 164.312(d)"},
	}
	if f.o.WebAuthn == nil {
		key.State, key.Warning = evidence.NotUsed, "There is no phishing-resistant factor, which has to be offered at AAL2."
	}
	return []evidence.Control{app, key, f.textControl(numbers)}, nil
}

// textControl states codes by text message.
func (f *Factors) textControl(numbers int) evidence.Control {
	c := evidence.Control{
		ID: "mfa.text", What: "Codes by text message go to verified numbers, live for minutes, and find budgets and regions.", State: evidence.NotUsed,
		Detail: fmt.Sprintf("people with a number: %d", numbers), Verified: verifiedRows, Citations: []string{"NIST SP 800-63B-4, section 3.2.9"},
	}
	if f.o.Texts != nil {
		c.State = evidence.Partly
		c.Warning = "A restricted authenticator: numbers get ported and SIM cards swapped. Another kind has to be offered, and people told of the risk."
	}
	return c
}
