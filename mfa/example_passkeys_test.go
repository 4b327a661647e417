package mfa_test

import (
	"context"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/mfa/passkey"
	"github.com/wardkit/wardkit/mfa/passkey/passkeytest"
	"github.com/wardkit/wardkit/phi"
)

// newPasskeys is newFactors with passkeys for https://clinic.example.
func newPasskeys(now func() time.Time) *mfa.Factors {
	vault := must(phi.Open(context.Background(), "example", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil))
	protocol := must(passkey.New(passkey.RelyingParty{
		ID: "clinic.example", Name: "Smith & Sons: Therapy", Origins: []string{"https://clinic.example"},
	}, &passkey.Options{Now: now}))
	return must(mfa.New(mfa.NewMemory(), vault, audit.Discard{}, "Smith & Sons: Therapy", &mfa.Options{
		Sessions: signOut{}, Notices: mailer{}, Now: now, WebAuthn: protocol,
	}))
}

// A person makes a passkey in guided set-up and signs in with it alone; nobody typed who they are.
func ExampleFactors_VerifyPasskey() {
	ctx := context.Background()
	factors := newPasskeys(func() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) })
	laptop := passkeytest.New("https://clinic.example") // stands in for a browser and its authenticator

	options, state, err := factors.BeginPasskey(ctx, "clinic", "p-lin", "dr.lin@example.com")
	fmt.Println("begun", err)
	proof, err := factors.AddPasskey(ctx, "clinic", "p-lin", state, must(laptop.Create(options)), "My laptop")
	fmt.Println(proof.ID, proof.Methods, err)

	options, state, err = factors.AskPasskey(ctx, "clinic", "")
	fmt.Println("asked", err)
	response := must(laptop.Get(options))
	person := must(factors.PasskeyOwner(ctx, "clinic", response)) // nothing proven yet
	proof, err = factors.VerifyPasskey(ctx, "clinic", person, state, response)
	fmt.Println(proof.ID, proof.Assurance == audit.AAL2, proof.PhishingResistant, err)
	// Output:
	// begun <nil>
	// mail to p-lin about mfa.passkey_added
	// p-lin [hwk user] <nil>
	// asked <nil>
	// p-lin true true <nil>
}

// A person who has just proven who they are gets rid of the phone they lost.
func ExampleFactors_RemovePasskey() {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	factors := newPasskeys(func() time.Time { return now })
	ctx := audit.WithActor(context.Background(), audit.Actor{
		ID: "p-lin", Kind: audit.KindStaff, Tenant: "clinic", Assurance: audit.AAL2, AuthTime: now,
	})
	for _, label := range []string{"My laptop", "My phone"} {
		options, state, _ := factors.BeginPasskey(ctx, "clinic", "p-lin", "dr.lin@example.com")
		device := passkeytest.New("https://clinic.example")
		_, _ = factors.AddPasskey(ctx, "clinic", "p-lin", state, must(device.Create(options)), label)
		now = now.Add(time.Minute)
	}
	for _, key := range must(factors.ListPasskeys(ctx, "clinic", "p-lin")) {
		if key.Label == "My phone" {
			fmt.Println(factors.RemovePasskey(ctx, "clinic", "p-lin", key.ID))
		}
	}
	now = now.Add(time.Hour)
	rest := must(factors.ListPasskeys(ctx, "clinic", "p-lin"))
	fmt.Println(rest[0].Label, factors.RemovePasskey(ctx, "clinic", "p-lin", rest[0].ID))
	// Output:
	// mail to p-lin about mfa.passkey_added
	// mail to p-lin about mfa.passkey_added
	// signed out p-lin
	// signed out p-lin
	// mail to p-lin about mfa.passkey_removed
	// <nil>
	// My laptop mfa: a second factor has to be proven again first
}
