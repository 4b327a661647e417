package authn

import (
	"context"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Topic says what a notice is about. The words are the host's.
type Topic string

// The topics.
const (
	TopicInvitation      Topic = "authn.invitation"       // with a link
	TopicReset           Topic = "authn.reset"            // with a link
	TopicPasswordChanged Topic = "authn.password_changed" // without one
	TopicPasswordExpired Topic = "authn.password_expired"
	TopicFactorAdded     Topic = "authn.factor_added"
	TopicFactorReset     Topic = "authn.factor_reset"
	TopicSuspended       Topic = "authn.suspended"
	TopicReinstated      Topic = "authn.reinstated"
	TopicRemoved         Topic = "authn.removed"
)

// Notice is something to tell a person.
type Notice struct {
	ID      string // the same if sent again
	Topic   Topic
	Tenant  audit.Tenant
	Person  audit.ActorID
	Address Secret    // the person's identifier, in clear only here
	Link    Secret    // zero if the topic has none
	Expires time.Time // when the link dies
	Created time.Time
}

// Format writes the topic, and neither address nor link.
func (n Notice) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "[notice %s]", n.Topic) }

// Deliver carries out what is due in the outbox, once: ends sessions, records events, sends
// notices. What fails stays for later. It returns how much was delivered.
func (m *Manager) Deliver(ctx context.Context) (int, error) { return 0, ErrUnavailable }

// Run delivers the outbox and sweeps the store until ctx ends, and returns ctx's error.
// Call it in a goroutine of the host on at least one server.
func (m *Manager) Run(ctx context.Context) error { return ErrUnavailable }

// Health returns ErrNotRunning where nobody calls Run, ErrPending where a message has
// waited for more than 5 minutes, ErrUnavailable where the store does not answer, and nil
// otherwise.
func (m *Manager) Health(ctx context.Context) error { return ErrUnavailable }
