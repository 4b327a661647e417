package audit

import "time"

// Action is the dotted name of what was done, for example "patient.read" or "authn.sign_in".
// Names are API: once recorded they never change their meaning.
type Action string

// Verb is the DICOM and FHIR action code of an event (DICOM PS3.15 A.5, FHIR R4 AuditEvent.action).
type Verb string

// The verbs. Execute covers queries, sign-ins and everything that is not plain storage.
const (
	Create  Verb = "C"
	Read    Verb = "R"
	Update  Verb = "U"
	Delete  Verb = "D"
	Execute Verb = "E"
)

// Outcome is the outcome indicator of FHIR R4 and DICOM.
type Outcome uint8

// The outcomes. A denial is a Failure whose Event.Code says why.
const (
	Success      Outcome = 0
	MinorFailure Outcome = 4
	Failure      Outcome = 8
	MajorFailure Outcome = 12
)

// Object is what was acted on.
type Object struct {
	Type     string   // "patient", "session_note" …
	ID       string   // the host's opaque id
	Version  string   // version read or written, if the host keeps versions
	Category string   // data category of ASTM E2147-18, 7.1.9: "demographics", "notes", "billing" …
	Labels   []string // security labels such as "42CFR2"
	Origin   string   // organization the data came from
	Fields   []string // fields whose plaintext was revealed, sorted, without values
}

// EmergencyObject is the object type by which events name grants of emergency access ("break-glass"), so
// that what was read under one is a query (Query.ResourceType and ResourceID). A trail's further events
// name them again.
const EmergencyObject = "emergency"

// Period is a span of time; a zero End means an instant.
type Period struct{ Start, End time.Time }

// Clock says how far the server's clock could be trusted (45 CFR 170.210(g)).
type Clock struct {
	Known     bool // whether the host told the log
	Synced    bool
	ErrMicros int64 // estimated error, microseconds
}

// Client is the software and device the request came from. Its address is Actor.Origin.
type Client struct {
	App      string // "web", "ios" …
	Location string // ward, room or site, where the host knows it
}

// Server is the process that recorded the event.
type Server struct {
	ID      string
	Site    string
	Version string
}

// Decision is the evidence of an access decision.
type Decision struct {
	Rule   string // which rule decided
	Scope  string // "tenant", "practice", "own", "self" …
	Grant  string // id of the grant that was used
	Policy string // digest of the policy in force
	Mask   string // digest of the masking table in force
}

// Correlation ties the events of one request together.
type Correlation struct {
	Request string // X-Request-Id
	Trace   string // W3C trace id
}

// Change says that a field changed. Before and After are keyed hashes, never values.
type Change struct {
	Field         string
	Before, After []byte
}

// Disclosure is what 45 CFR 164.528(b)(2) asks of an accounting of disclosures.
type Disclosure struct {
	Recipient   Private
	Address     Private
	Description string // brief description of the information disclosed
	Authority   string // for example "164.512(b)"
	Count       int    // number of disclosures in a series, 164.528(b)(3)
	Frequency   string
	Last        time.Time
}

// Event is one thing that happened. It holds identifiers, never names or clinical values:
// what is personal or free text is Private and enters the event only as a salted commitment.
type Event struct {
	ID       string    // UUIDv7, the idempotency key; set by NewID where empty
	Tenant   Tenant    // the actor's tenant where empty
	Recorded time.Time // set by Log, whatever it holds; UTC, microseconds
	Occurred Period    // optional, host-supplied
	Clock    Clock

	Action  Action
	Verb    Verb
	Outcome Outcome
	Code    string // machine-readable reason of a denial or failure

	Actor    Actor
	Client   Client
	Server   Server
	Patients []Patient
	Objects  []Object

	Search      Private // raw search terms, never results
	Purpose     string  // purpose of use, HL7 v3 ActReason: "TREAT", "HPAYMT", "ETREAT" …
	Why         Private // the reason a person typed
	Correlation Correlation
	Decision    Decision
	Disclosure  *Disclosure
	Changes     []Change
	Detail      map[string]string // host-defined codes of a workflow event; no personal data

	origin Private // commitment to Actor.Origin, on events that were read back
}

// OriginCommitment returns the 32-byte commitment to Actor.Origin of an event that was read back
// from a log, nil otherwise.
func (e *Event) OriginCommitment() []byte { return e.origin.commitment }
