package mfatest

import (
	"testing"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/mfa/passkey"
	"github.com/wardkit/wardkit/mfa/passkey/passkeytest"
)

// Origin is where a Fake's passkeys are made and used, if the host gives no WebAuthn of its own.
const Origin = "https://example.com"

// verifier is the real protocol, for Origin.
func (f *Fake) verifier() (mfa.WebAuthn, error) {
	return passkey.New(passkey.RelyingParty{ID: "example.com", Name: "Example", Origins: []string{Origin}}, &passkey.Options{Now: f.clock})
}

// Device is the person's phone or computer: it answers to what BeginPasskey and AskPasskey return.
// Everybody has one; Clone and Lie make others of it.
func (f *Fake) Device(t audit.Tenant, person audit.ActorID) *passkeytest.Device {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := f.devices[owner{t, person}]
	if d == nil {
		d = passkeytest.New(Origin)
		f.devices[owner{t, person}] = d
	}
	return d
}

// EnrolPasskey gives the person a passkey on their Device, as if they had been here before. Who
// has a second factor already gets it through BeginPasskey and AddPasskey.
func (f *Fake) EnrolPasskey(tb testing.TB, t audit.Tenant, person audit.ActorID) {
	tb.Helper()
	options, state, err := f.BeginPasskey(tb.Context(), t, person, string(person))
	if err != nil {
		tb.Fatalf("mfatest: enrolling: %v", err)
	}
	response, err := f.Device(t, person).Create(options)
	if err != nil {
		tb.Fatalf("mfatest: enrolling: %v", err)
	}
	proof, err := f.AddPasskey(tb.Context(), t, person, state, response, "")
	if err != nil || proof.ID != person {
		tb.Fatalf("mfatest: enrolling: %q, %v", proof.ID, err)
	}
}
