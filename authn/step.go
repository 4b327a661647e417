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
	NeedSecondFactor Need = "second_factor" // Answer.Code: a code of the second factor
	NeedEnrolment    Need = "enrolment"     // Answer.Code: a code of the second factor shown
	NeedPassword     Need = "new_password"  // Answer.Password: a new password
	NeedBanner       Need = "banner"        // Answer.Banner: the version of the banner shown
	NeedApproval     Need = "approval"      // nothing to answer: somebody has to approve first
	Done             Need = "done"          // signed in
)

// Step is where a sign-in stands: what to render next. It prints without its secrets.
type Step struct {
	Need   Need
	Person audit.ActorID
	// Problem is why the same step is asked again: ErrWrongCode, a *PolicyError, a
	// *ThrottledError or a *BusyError; nil at the first time.
	Problem error

	// Ticket is what Continue takes; it replaces the one before, which is dead. Keep it in
	// the cookie that SetTicket writes. Zero at NeedApproval and when Done.
	Ticket  Secret
	Expires time.Time // when the ticket dies

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
	Code       string   // six digits, spaces allowed
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
