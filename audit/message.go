package audit

import "time"

// MessageKind says what an outbox message asks for.
type MessageKind string

// The kinds of outbox message. A lifecycle change writes its messages in the same
// transaction as its rows; a deliverer carries them out afterwards, at least once.
const (
	MessageAudit  MessageKind = "audit"  // record an event
	MessageRevoke MessageKind = "revoke" // end the person's sessions
	MessageNotice MessageKind = "notice" // tell the person: mail, text, push
)

// Message is one row of an outbox. Delivering it twice must be harmless: an audit
// message names its event's ID, revoking is monotone, and a notice carries ID so that
// the host's mailer can drop a repeat.
type Message struct {
	ID       string // UUIDv7
	Kind     MessageKind
	Tenant   Tenant
	Person   ActorID
	Topic    string    // what it is about, for example "authn.invitation"; words are the host's
	Body     []byte    // sealed: an outbox holds links and addresses that grant access
	Created  time.Time // UTC, microseconds
	Attempts int       // failed deliveries so far
}
