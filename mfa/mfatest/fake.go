package mfatest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audittest"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/mfa/passkey/passkeytest"
	"github.com/wardkit/wardkit/phi"
)

// Fake is an mfa.Factors for hosts' unit tests. It is a real one in memory, so it refuses what
// a real one refuses; it has a clock of its own, a phone for everybody that scans every picture
// it is shown, makes passkeys and gets text messages, and it keeps whom it told what and whose
// sessions it ended. It satisfies authn.SecondFactor, authn.Passkeys and authn.Texts, and is safe
// for concurrent use.
//
// Events are what it recorded. Events.FailWith makes every call fail that has something to
// record, as a recorder that is down does.
type Fake struct {
	*mfa.Factors
	Events *audittest.Recorder

	mu      sync.Mutex
	now     time.Time
	phones  map[owner]mfa.Key
	devices map[owner]*passkeytest.Device
	told    []audit.Message
	texted  []mfa.TextMessage
	ended   []audit.ActorID
}

type owner struct {
	tenant audit.Tenant
	person audit.ActorID
}

// NewFake returns a Fake. Of o it takes everything but Now and Retry. Without Sessions and Notices
// it keeps what it is told itself, without WebAuthn its passkeys are real ones for Origin, and
// without Texts its text messages arrive in Texts.
func NewFake(t testing.TB, o *mfa.Options) *Fake {
	t.Helper()
	f := &Fake{
		Events: audittest.NewRecorder(), phones: map[owner]mfa.Key{}, devices: map[owner]*passkeytest.Device{},
		now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC),
	}
	if o == nil {
		o = &mfa.Options{}
	}
	own := *o
	own.Now, own.Retry = f.clock, 0
	if own.Sessions == nil {
		own.Sessions = ears{f}
	}
	if own.Notices == nil {
		own.Notices = ears{f}
	}
	if own.Texts == nil {
		own.Texts = f.texts()
	}
	vault, err := phi.Open(t.Context(), "mfatest", phi.NewMemoryKMS(), phi.NewMemoryKeys(), &phi.Options{Now: f.clock})
	if err == nil && own.WebAuthn == nil {
		own.WebAuthn, err = f.verifier()
	}
	if err == nil {
		f.Factors, err = mfa.New(mfa.NewMemory(), vault, f.Events, "Example", &own)
	}
	if err != nil {
		t.Fatalf("mfatest: making a fake: %v", err)
	}
	return f
}

// Begin is mfa.Factors.Begin, and the person's phone scans the picture.
func (f *Fake) Begin(ctx context.Context, t audit.Tenant, person audit.ActorID, account string) (uri, manual string, err error) {
	uri, manual, err = f.Factors.Begin(ctx, t, person, account)
	if err == nil {
		err = f.scan(t, person, uri)
	}
	return uri, manual, err
}

// Replace is mfa.Factors.Replace, and from then on Code is of the new phone.
func (f *Fake) Replace(ctx context.Context, t audit.Tenant, person audit.ActorID, proof, account string) (uri, manual string, ok bool, err error) {
	uri, manual, ok, err = f.Factors.Replace(ctx, t, person, proof, account)
	if err == nil && ok {
		err = f.scan(t, person, uri)
	}
	return uri, manual, ok, err
}

// Enrol gives the person a confirmed second factor, as if they had been here before.
func (f *Fake) Enrol(tb testing.TB, t audit.Tenant, person audit.ActorID) {
	tb.Helper()
	_, _, err := f.Begin(tb.Context(), t, person, string(person))
	if err != nil {
		tb.Fatalf("mfatest: enrolling: %v", err)
	}
	if ok, err := f.Confirm(tb.Context(), t, person, f.Code(tb, t, person)); err != nil || !ok {
		tb.Fatalf("mfatest: enrolling: %v, %v", ok, err)
	}
}

// Code waits for the next 30 seconds to begin, on the Fake's clock, and returns the six digits
// that the person's phone shows then. Each is new, and is accepted once.
func (f *Fake) Code(tb testing.TB, t audit.Tenant, person audit.ActorID) string {
	tb.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(30 * time.Second)
	key, ok := f.phones[owner{t, person}]
	if !ok {
		tb.Fatal("mfatest: this person's phone never scanned a picture")
	}
	code, err := key.Code(f.now)
	if err != nil {
		tb.Fatalf("mfatest: %v", err)
	}
	return code
}

// Pass moves the clock forward.
func (f *Fake) Pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

// Told returns the notices so far, oldest first.
func (f *Fake) Told() []audit.Message {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.told)
}

// Ended returns whose sessions were to end so far; one change asks twice, before and after.
func (f *Fake) Ended() []audit.ActorID {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.ended)
}

func (f *Fake) clock() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *Fake) scan(t audit.Tenant, person audit.ActorID, uri string) error {
	key, err := mfa.ParseURI(uri)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.phones[owner{t, person}] = key
	return nil
}

// ears are the Sessions and the Notices of a Fake.
type ears struct{ f *Fake }

func (e ears) EndAll(_ context.Context, _ audit.Tenant, person audit.ActorID, _ string) error {
	e.f.mu.Lock()
	defer e.f.mu.Unlock()
	e.f.ended = append(e.f.ended, person)
	return nil
}

func (e ears) Notify(_ context.Context, m audit.Message) error {
	e.f.mu.Lock()
	defer e.f.mu.Unlock()
	e.f.told = append(e.f.told, m)
	return nil
}
