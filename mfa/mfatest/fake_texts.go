package mfatest

import (
	"context"
	"slices"
	"testing"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/mfa"
)

// texts are a Fake's text messages: they arrive at once, in Texts.
func (f *Fake) texts() *mfa.TextOptions {
	return &mfa.TextOptions{Sender: ears{f}, Windows: mfa.NewMemory()}
}

// Send implements mfa.TextSender.
func (e ears) Send(_ context.Context, m mfa.TextMessage) error {
	e.f.mu.Lock()
	defer e.f.mu.Unlock()
	e.f.texted = append(e.f.texted, m)
	return nil
}

// Texts returns the text messages so far, oldest first, unless the host gave a sender of its own.
func (f *Fake) Texts() []mfa.TextMessage {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.texted)
}

// EnrolText gives the person a verified number, as if they had been here before.
func (f *Fake) EnrolText(tb testing.TB, t audit.Tenant, person audit.ActorID, number string) {
	tb.Helper()
	ctx := audit.WithActor(tb.Context(), audit.Actor{
		ID: person, Kind: audit.KindStaff, Tenant: t, Assurance: audit.AAL2, AuthTime: f.clock(), Methods: []string{"pwd", "otp"},
	})
	if _, err := f.BeginText(ctx, t, person, number); err != nil {
		tb.Fatalf("mfatest: enrolling: %v", err)
	}
	if ok, err := f.ConfirmText(ctx, t, person, f.TextCode(tb, t, person)); err != nil || !ok {
		tb.Fatalf("mfatest: enrolling: %v, %v", ok, err)
	}
}

// TextCode returns the six digits of the last message to the person.
func (f *Fake) TextCode(tb testing.TB, t audit.Tenant, person audit.ActorID) string {
	tb.Helper()
	for _, m := range slices.Backward(f.Texts()) {
		if m.Tenant == t && m.Person == person {
			return m.Code.Reveal()
		}
	}
	tb.Fatal("mfatest: this person was sent no text message")
	return ""
}
