package authn_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/phi"
)

// device stands in for a browser and for mfa.Factors, which keeps passkeys and checks signatures.
type device struct{ owner audit.ActorID }

func (d *device) HasPasskey(_ context.Context, _ audit.Tenant, p audit.ActorID) (bool, error) {
	return d.owner == p, nil
}

func (d *device) BeginPasskey(context.Context, audit.Tenant, audit.ActorID, string) (options, state []byte, err error) {
	return []byte(`{"challenge":"make"}`), []byte("make"), nil
}

func (d *device) AddPasskey(_ context.Context, t audit.Tenant, p audit.ActorID, state, response []byte, _ string) (audit.Actor, error) {
	d.owner = p
	return d.VerifyPasskey(context.Background(), t, p, state, response)
}

func (d *device) PasskeyLives(_ context.Context, _ audit.Tenant, p audit.ActorID, passkey string) (bool, error) {
	return p == d.owner && passkey == "phone", nil
}

func (d *device) AskPasskey(context.Context, audit.Tenant, audit.ActorID) (options, state []byte, err error) {
	return []byte(`{"challenge":"ask"}`), []byte("ask"), nil
}

func (d *device) PasskeyOwner(context.Context, audit.Tenant, []byte) (audit.ActorID, error) {
	return d.owner, nil
}

func (d *device) VerifyPasskey(_ context.Context, t audit.Tenant, p audit.ActorID, state, response []byte) (audit.Actor, error) {
	if string(response) != "signed "+string(state) {
		return audit.Actor{}, nil // not accepted
	}
	return audit.Actor{Tenant: t, ID: p, Session: "phone", Methods: []string{"swk", "user"}, Assurance: audit.AAL2, PhishingResistant: true}, nil
}

// A passkey is made in the guided set-up that the policy asks of staff, and signs in alone from then
// on: nobody types anything. The options are for the browser, which calls
// navigator.credentials.create and get and posts back what it answers.
func ExampleManager_OfferPasskey() {
	ctx := context.Background()
	mail := &post{}
	vault, err := phi.Open(ctx, "example", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil)
	if err != nil {
		log.Fatal(err)
	}
	people, err := authn.New(authn.Parts{
		Store: authn.NewMemory(), Vault: vault, Sessions: keeper{}, Factor: &phone{}, Recorder: audit.Discard{}, Mailer: mail,
		BaseURL: "https://clinic.example.com",
	}, &authn.Options{Passkeys: &device{}, InsecureArgon2: &authn.Argon2{Memory: 8, Time: 1, Threads: 1}})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := people.Invite(ctx, "clinic", authn.Newcomer{Identifier: "ada@example.com"}); err != nil {
		log.Fatal(err)
	}
	link := mail.last.Link.Reveal()
	step, err := people.CompleteSetUp(ctx, link[strings.LastIndex(link, "/")+1:], authn.Answer{Password: authn.NewPassword("nine lives of a tabby")}, browser)
	fmt.Println(step.Need, step.Factors, step.Passkey, err)
	step, err = people.Continue(ctx, step.Ticket.Reveal(), authn.Answer{Passkey: "signed make", Label: "My laptop"}, browser)
	fmt.Println(step.Need, err)

	step, err = people.OfferPasskey(ctx, "clinic", browser) // at the sign-in page
	fmt.Println(step.Need, step.Passkey, err)
	step, err = people.Continue(ctx, step.Ticket.Reveal(), authn.Answer{Passkey: "signed ask"}, browser)
	fmt.Println(step.Need, err)

	// Output:
	// enrolment [passkey app] {"challenge":"make"} <nil>
	// done <nil>
	// passkey {"challenge":"ask"} <nil>
	// done <nil>
}
