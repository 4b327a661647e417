package authn

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Need is what a sign-in asks for next.
type Need string

// What a sign-in can ask for. Done is the only one with a session.
const (
	NeedPasskey      Need = "passkey"       // Answer.Passkey: whose it is, is not known yet
	NeedSecondFactor Need = "second_factor" // one of Step.Factors: Answer.Passkey or Answer.Code
	NeedEnrolment    Need = "enrolment"     // one of Step.Factors to be set up: Answer.Passkey or Answer.Code
	NeedPassword     Need = "new_password"  // Answer.Password: a new password
	NeedBanner       Need = "banner"        // Answer.Banner: the version of the banner shown
	NeedApproval     Need = "approval"      // nothing to answer: somebody has to approve first
	Done             Need = "done"          // signed in

	// Those of who is signed in already.
	NeedRegistration Need = "registration" // AddPasskey: a passkey that was just made
	NeedProof        Need = "proof"        // Prove: one of Step.Factors, or the password
)

// Step is where a sign-in stands: what to render next. It prints without its secrets.
type Step struct {
	Need   Need
	Person audit.ActorID
	// Problem is why the same step is asked again: ErrWrongCode, ErrPasskey, ErrPasskeyDisabled,
	// ErrNoFactor, a *PolicyError, a *ThrottledError or a *BusyError; nil at the first time.
	Problem error

	// Ticket is what Continue takes; it replaces the one before, which is dead. Keep it in
	// the cookie that SetTicket writes. Zero at NeedApproval and when Done.
	Ticket  Secret
	Expires time.Time // when the ticket dies

	// Factors are what the step takes at NeedSecondFactor, NeedEnrolment and NeedProof, best first.
	// None at all is somebody whose only passkey was disabled: an administrator has to reset it.
	Factors []Factor
	// Passkey is JSON for PublicKeyCredential.parseCreationOptionsFromJSON at NeedEnrolment and
	// NeedRegistration, and for parseRequestOptionsFromJSON at NeedPasskey, NeedSecondFactor and
	// NeedProof; "" where Factors has no passkey. Its challenge is worth an answer for five minutes.
	Passkey string
	// Text is where a text message goes, and when another one may be sent, where Factors has it.
	Text Text

	// Enrolment is what to show at NeedEnrolment.
	Enrolment Enrolment
	// Banner is the version of the banner to show at NeedBanner.
	Banner string
	// MinPassword is the shortest new password at NeedPassword, in Unicode code points.
	MinPassword int

	// Token is the session's token when Done, for session.Manager.SetCookie.
	Token Secret
	// Known makes this browser one that is known for the person, when Done; SetTicket keeps it.
	Known Secret
}

// Enrolment is a second factor to be set up: what an authenticator app scans or types.
type Enrolment struct {
	URI    Secret // otpauth URI, to be shown as a QR code
	Manual Secret // the key in groups, to be typed
}

// Format writes what is needed, and no secret.
func (s Step) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "[step %s]", s.Need) }

// Answer is what the person gave at a step. Fields the step does not ask for are ignored.
type Answer struct {
	Factor     Factor   // which of Step.Factors Code is for: FactorApp if empty
	Code       string   // six digits, spaces allowed
	Send       bool     // with FactorText: send a code, there is none yet
	Passkey    string   // JSON of PublicKeyCredential.toJSON; Code is ignored
	Label      string   // what the owner calls a new passkey; how long it may be is the factor's rule, and its error
	Ticket     string   // for Prove with a passkey: what TicketFrom returns
	Password   Password // a new password; for Prove the one in force
	Banner     string   // Step.Banner, where the person acknowledged it
	Identifier string   // set-up of the first administrator, where SetUp was given none
}

// Format writes "[answer]" for every verb.
func (a Answer) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(answerMark)) }

// LogValue returns "[answer]".
func (a Answer) LogValue() slog.Value { return slog.StringValue(answerMark) }

// MarshalJSON returns "[answer]" as a JSON string.
func (a Answer) MarshalJSON() ([]byte, error) { return json.Marshal(answerMark) }

const answerMark = "[answer]"
