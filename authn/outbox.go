package authn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Topic says what a notice is about. The words are the host's.
type Topic string

// The topics.
const (
	TopicInvitation      Topic = "authn.invitation" // with a link
	TopicReset           Topic = "authn.reset"      // with a link
	TopicPasswordChanged Topic = "authn.password_changed"
	TopicPasswordExpired Topic = "authn.password_expired"
	TopicApproved        Topic = "authn.approved"
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

// deliverNow carries out what a change has just written. What fails waits for Run. Only what
// could not be ended, and a seat that does not follow, are an error: they are what the caller
// must not take for granted. The messages are durable either way.
func (m *Manager) deliverNow(ctx context.Context, messages []audit.Message) error {
	if m.joined { // not committed yet
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	var pending error
	for _, msg := range messages {
		err := m.deliver(ctx, msg)
		if err == nil {
			continue
		}
		m.warn(ctx, "authn: a message waits for the next delivery", "kind", msg.Kind, "topic", msg.Topic)
		if msg.Kind == audit.MessageRevoke || msg.Kind == messageSeat {
			pending = fmt.Errorf("%w: %w", ErrPending, err)
		}
	}
	return pending
}

// deliver carries out one message and removes it. Doing it twice is harmless.
func (m *Manager) deliver(ctx context.Context, msg audit.Message) error {
	plain, err := m.p.Vault.Unseal(ctx, messageAt(msg), msg.Body)
	if err != nil {
		return unavailable("opening a message", err)
	}
	var b body
	if err := json.Unmarshal(plain, &b); err != nil {
		return unavailable("opening a message", err)
	}
	switch {
	case msg.Kind == audit.MessageRevoke:
		err = m.endAll(ctx, msg.Tenant, msg.Person, b.Reason, b.Everything)
	case msg.Kind == messageSeat:
		err = m.settle(ctx, msg.Tenant, msg.Person)
	case msg.Kind == audit.MessageAudit && b.Event != nil:
		err = m.p.Recorder.Record(ctx, b.Event.event(msg.Tenant))
	case msg.Kind == audit.MessageNotice:
		err = m.tell(ctx, msg, b)
	default:
		err = errors.New("authn: unknown kind of message")
	}
	if err != nil {
		return unavailable("delivering a message", err)
	}
	if err := m.p.Store.Delivered(ctx, msg.Tenant, msg.ID); err != nil {
		return unavailable("removing a message", err)
	}
	return nil
}

// event is what the audit log gets.
func (e *event) event(t audit.Tenant) audit.Event {
	return audit.Event{
		ID: e.ID, Tenant: t, Action: e.Action, Verb: e.Verb, Actor: e.Actor, Objects: person(e.Person),
		Why: audit.NewPrivate(e.Why), Occurred: audit.Period{Start: e.At},
	}
}

// tell sends a notice. Nobody to tell, a link that is dead meanwhile, and a reset asked for
// somebody who may not sign in, are delivered by dropping them.
func (m *Manager) tell(ctx context.Context, msg audit.Message, b body) error {
	a, err := m.account(ctx, msg.Tenant, msg.Person)
	if b.Address != nil {
		a.Person.Sealed = b.Address
	}
	if errors.Is(err, ErrNotFound) || err == nil && a.Person.Sealed == nil {
		return nil
	}
	if err != nil {
		return err
	}
	topic := Topic(msg.Topic)
	if topic == TopicReset && a.Person.State != Active {
		return nil
	}
	n := Notice{ID: msg.ID, Topic: topic, Tenant: msg.Tenant, Person: msg.Person, Created: msg.Created}
	if b.Link != "" {
		n.Link, n.Expires = NewSecret(m.url(b.Link)), time.UnixMicro(b.Expires).UTC()
		if !m.now().Before(n.Expires) {
			return nil
		}
	}
	address, err := m.identifier(ctx, a.Person)
	if err != nil {
		return err
	}
	n.Address = NewSecret(address)
	return m.p.Mailer.Send(ctx, n)
}

// Notify sends a notice of another package, for example mfa's, to the person's address.
// The message's body is not read. Nobody there is no error.
func (m *Manager) Notify(ctx context.Context, msg audit.Message) error {
	return m.tell(ctx, msg, body{})
}

const (
	batch    = 32               // messages per claim
	patience = 10 * time.Second // how long a change, or Run for each message, waits for delivering
	poll     = 5 * time.Second  // how often Run looks without being nudged
	sweep    = time.Hour
	maxRetry = 10 * time.Minute
	giveUp   = 7 * 24 * time.Hour // how long a notice is tried
	overdue  = 5 * time.Minute    // how old an undelivered message may be before Health complains
)

// Deliver carries out what is due in the outbox, once: ends sessions, records events, sends
// notices. What fails stays for later, a little longer each time; a notice that could not be
// delivered for a week is given up, and that is recorded. It returns how much was
// delivered, and ErrUnavailable where the store does not answer.
func (m *Manager) Deliver(ctx context.Context) (int, error) {
	done := 0
	for {
		now := m.now()
		messages, err := m.p.Store.Claim(ctx, now, now.Add(lease), batch)
		if err != nil {
			return done, unavailable("reading the outbox", err)
		}
		for _, msg := range messages {
			if m.deliverOne(ctx, msg) == nil {
				done++
				continue
			}
			if err := m.putBack(ctx, msg); err != nil {
				return done, err
			}
		}
		if len(messages) < batch {
			return done, nil
		}
	}
}

// putBack keeps a message that could not be delivered for a later try. A notice that could not be
// for a week is given up, and that is recorded: an address that takes no mail would be tried for
// ever. What ends sessions, frees seats or is to be recorded is never given up.
func (m *Manager) putBack(ctx context.Context, msg audit.Message) error {
	if msg.Kind == audit.MessageNotice && m.now().Sub(msg.Created) >= giveUp {
		m.warn(ctx, "authn: a notice was given up", "topic", msg.Topic, "attempts", msg.Attempts+1)
		err := m.p.Recorder.Record(ctx, audit.Event{
			ID: msg.ID, Tenant: msg.Tenant, Action: ActionNotice, Verb: audit.Execute, Outcome: audit.MinorFailure, Code: CodeGivenUp,
			Actor: audit.System(msg.Tenant, "authn"), Objects: person(msg.Person), Detail: map[string]string{"topic": msg.Topic},
		})
		if err == nil {
			err = m.p.Store.Delivered(ctx, msg.Tenant, msg.ID)
		}
		if err == nil {
			return nil
		}
	}
	m.warn(ctx, "authn: a message waits for the next delivery", "kind", msg.Kind, "topic", msg.Topic, "attempts", msg.Attempts+1)
	if err := m.p.Store.Failed(ctx, msg.Tenant, msg.ID, m.now().Add(backoff(msg.Attempts))); err != nil {
		return unavailable("putting a message back", err)
	}
	return nil
}

// deliverOne delivers without letting one message hold up the others for long.
func (m *Manager) deliverOne(ctx context.Context, msg audit.Message) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return m.deliver(ctx, msg)
}

// backoff is how long a message waits after the n-th failure, counted from zero.
func backoff(n int) time.Duration {
	d := 5 * time.Second
	for range min(n, 10) {
		d *= 2
	}
	return min(d, maxRetry)
}

// Run delivers the outbox and sweeps the store until ctx ends, and returns ctx's error.
// Call it in a goroutine of the host on at least one server: reset links are mailed by it
// alone.
func (m *Manager) Run(ctx context.Context) error {
	defer m.running.enter()()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	var swept time.Time
	for {
		if _, err := m.Deliver(ctx); err != nil && ctx.Err() == nil {
			m.warn(ctx, "authn: the outbox could not be read")
		}
		if now := m.now(); now.Sub(swept) >= sweep {
			if err := m.p.Store.Sweep(ctx, now); err != nil && ctx.Err() == nil {
				m.warn(ctx, "authn: the store could not be swept")
			}
			swept = now
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-m.running.nudged():
		}
	}
}

// Health returns ErrNotRunning where nobody calls Run here, ErrPending where a message has
// waited for more than 5 minutes, ErrUnavailable where the store does not answer, and nil
// otherwise.
func (m *Manager) Health(ctx context.Context) error {
	oldest, err := m.p.Store.Oldest(ctx)
	switch {
	case err != nil:
		return unavailable("reading the outbox", err)
	case m.running.count() == 0:
		return ErrNotRunning
	case !oldest.IsZero() && m.now().Sub(oldest) > overdue:
		return ErrPending
	}
	return nil
}

func (m *Manager) warn(ctx context.Context, msg string, args ...any) {
	m.o.Logger.Log(ctx, slog.LevelWarn, msg, args...)
}
