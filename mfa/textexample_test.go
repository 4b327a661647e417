package mfa_test

import (
	"context"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/phi"
)

// phone stands in for the host's carrier and for the phone that shows the message.
type phone struct{ code string }

func (p *phone) Send(_ context.Context, m mfa.TextMessage) error {
	p.code = m.Code.Reveal()
	// What goes out is m.Number.Reveal() and a text of the host's that ends with the line
	// m.Code.Line("clinic.example.com").
	fmt.Println("text to", m.Person, "at", m.Number.Hint(), "ends with", len(m.Code.Line("clinic.example.com")), "characters")
	return nil
}

// A person confirms a number of theirs once; from then on codes go there, one at a time.
func ExampleFactors_SendText() {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	carrier := &phone{}
	vault := must(phi.Open(context.Background(), "example", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil))
	factors := must(mfa.New(mfa.NewMemory(), vault, audit.Discard{}, "Example Clinic", &mfa.Options{
		Sessions: signOut{}, Notices: mailer{}, Now: func() time.Time { return now },
		Texts: &mfa.TextOptions{Sender: carrier, Windows: mfa.NewMemory()}, // authn's store in a real host
	}))

	// On the page "My security", after authn.Prove.
	ctx := audit.WithActor(context.Background(), audit.Actor{ID: "p-lin", Kind: audit.KindStaff, Tenant: "clinic", AuthTime: now})
	_, err := factors.BeginText(ctx, "clinic", "p-lin", "+1 415 555 0123")
	fmt.Println(err)
	fmt.Println(factors.ConfirmText(ctx, "clinic", "p-lin", carrier.code))
	status := must(factors.TextStatus(ctx, "clinic", "p-lin"))
	fmt.Println(status.State, status.Hint, status.Notice)

	// At sign-in.
	ctx = context.Background()
	again, err := factors.SendText(ctx, "clinic", "p-lin")
	fmt.Println("the next one at", again.Format(time.TimeOnly), err)
	fmt.Println(factors.VerifyText(ctx, "clinic", "p-lin", carrier.code))
	fmt.Println(factors.VerifyText(ctx, "clinic", "p-lin", carrier.code))

	_, err = factors.BeginText(ctx, "clinic", "p-lin", "+1 415 555 0199")
	fmt.Println(err)
	// Output:
	// text to p-lin at •• 23 ends with 27 characters
	// <nil>
	// mail to p-lin about mfa.text_added
	// true <nil>
	// on •• 23 restricted_authenticator
	// text to p-lin at •• 23 ends with 27 characters
	// the next one at 09:05:00 <nil>
	// [sms] <nil>
	// [] <nil>
	// mfa: this is not for this actor to do
}
