package authn

import (
	"context"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Factor is a kind of second factor that a step takes.
type Factor string

// The factors, best first.
const (
	FactorPasskey Factor = "passkey" // Answer.Passkey
	FactorApp     Factor = "app"     // Answer.Code of the authenticator app, or a recovery code
	FactorText    Factor = "text"    // Answer.Code of a text message; a restricted authenticator
)

// Passkeys are people's WebAuthn credentials; mfa.Factors is one. Options and responses are the
// JSON of the browser's API, state is what the second call of a ceremony needs again: it stays on
// the server, in a ticket that is used once.
//
// A proof is the person's tenant and ID with how they proved to be it: Methods (RFC 8176, without
// "mfa"), Assurance and PhishingResistant; its Session is the passkey's ID. A proof without either ID
// is a response that was not accepted. An error with a method Disabled() bool that reports true says that this passkey takes
// part no more; every other error is a failure.
type Passkeys interface {
	PasskeyMaker
	PasskeyAsker
}

// PasskeyMaker makes passkeys.
type PasskeyMaker interface {
	// HasPasskey reports whether the person has a passkey. A disabled one counts, like a locked
	// app: who knows the password must not be asked to set up another factor because of it.
	HasPasskey(ctx context.Context, t audit.Tenant, person audit.ActorID) (bool, error)
	// BeginPasskey begins to make one, which the device shows as account.
	BeginPasskey(ctx context.Context, t audit.Tenant, person audit.ActorID, account string) (options, state []byte, err error)
	// AddPasskey ends that. The label is the owner's name for it; "" makes one up. Where the
	// person's passkeys were reset since BeginPasskey the response is not accepted: what a reset
	// is to take away must not come after it.
	AddPasskey(ctx context.Context, t audit.Tenant, person audit.ActorID, state, response []byte, label string) (proof audit.Actor, err error)
}

// PasskeyAsker asks for passkeys and checks what comes back.
type PasskeyAsker interface {
	// AskPasskey asks for one of the person's or, for "", for whoever it is. Where the person has
	// none that can be used the error has a method Disabled() bool that reports true.
	AskPasskey(ctx context.Context, t audit.Tenant, person audit.ActorID) (options, state []byte, err error)
	// PasskeyOwner returns whose passkey a response names, with nothing proven; "" for nobody's.
	PasskeyOwner(ctx context.Context, t audit.Tenant, response []byte) (person audit.ActorID, err error)
	// PasskeyLives reports whether the passkey that a proof named is still the person's and can be
	// used. It is asked until there is a session: one that is removed, or disabled because there is a
	// copy, ends the sign-ins that are under way with it, also beside another one.
	PasskeyLives(ctx context.Context, t audit.Tenant, person audit.ActorID, passkey string) (bool, error)
	// VerifyPasskey checks the response: it is of a passkey of this person, or not accepted.
	VerifyPasskey(ctx context.Context, t audit.Tenant, person audit.ActorID, state, response []byte) (proof audit.Actor, err error)
}

// Texts sends codes by text message, to the number that a person has verified and to no other;
// mfa.Factors is one.
type Texts interface {
	// TextHint returns how the person's verified number is shown, such as "•• 12"; "" if there is
	// none.
	TextHint(ctx context.Context, t audit.Tenant, person audit.ActorID) (hint string, err error)
	// SendText sends a code. While one is live it sends no other. again is when the next one may
	// be sent. Where a budget is used up nothing is sent, and the error has a method
	// RetryAfter() time.Duration.
	SendText(ctx context.Context, t audit.Tenant, person audit.ActorID) (again time.Time, err error)
	// VerifyText checks a code and burns it, like SecondFactor.Verify.
	VerifyText(ctx context.Context, t audit.Tenant, person audit.ActorID, code string) (methods []string, err error)
}
