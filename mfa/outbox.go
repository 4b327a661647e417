package mfa

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

const (
	deliverTimeout = 10 * time.Second // for what one change owes
	claimAtOnce    = 100              // messages per claim
)

// owed is the body of an audit message: what an event of this package consists of, as JSON,
// sealed because it may hold what somebody typed.
type owed struct {
	ID       string
	Action   audit.Action
	Actor    audit.Actor
	Occurred time.Time
	Why      string `json:",omitempty"`
	Passkey  string `json:",omitempty"` // ID of the one concerned
}

// messages makes what follows from a change, one message of each kind. If it is about a passkey,
// r names that.
func (f *Factors) messages(ctx context.Context, r Ref, now time.Time, a audit.Action, why string, kinds ...audit.MessageKind) ([]audit.Message, error) {
	var out []audit.Message
	for _, kind := range kinds {
		m := audit.Message{ID: audit.NewID(now), Kind: kind, Tenant: r.Tenant, Person: r.Person, Topic: string(a), Created: now}
		if kind == audit.MessageAudit {
			e := event(ctx, r.Tenant, r.Person, now, a)
			text, err := json.Marshal(owed{e.ID, a, e.Actor, now, why, concerned(a, r)})
			if err != nil {
				return nil, errors.New("mfa: encoding an event")
			}
			sealed, err := f.vault.Seal(ctx, bodyPlace(m), text)
			if err != nil {
				return nil, unavailable("sealing a message", err)
			}
			m.Body = sealed
		}
		out = append(out, m)
	}
	return out, nil
}

// concerned returns the ID of the passkey that a change is about, if it is about one.
func concerned(a audit.Action, r Ref) string {
	if methodOf(a) == MethodPasskey {
		return r.ID
	}
	return ""
}

// bodyPlace binds a body to the whole row: whoever can write the table cannot pass one
// person's event off as another's. Only the person's id, which comes last, may hold a slash.
func bodyPlace(m audit.Message) phi.At {
	row := m.ID + "/" + string(m.Kind) + "/" + m.Topic + "/" + string(m.Person)
	return phi.At{Tenant: m.Tenant, Field: "mfa.outbox", Row: row}
}

// deliverNow delivers what a change owes, whether or not the request that made it still
// waits. What fails stays in the outbox; only sessions that did not end are worth an error.
func (f *Factors) deliverNow(ctx context.Context, messages []audit.Message) error {
	if f.joined {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deliverTimeout)
	defer cancel()
	var pending error
	for _, m := range messages {
		err := f.carryOut(ctx, m)
		if err == nil {
			_ = f.store.Done(ctx, m.Tenant, m.ID) // otherwise it is carried out once more, harmlessly
		} else if m.Kind == audit.MessageRevoke {
			pending = ErrPending
		}
	}
	return pending
}

// carryOut does what a message asks for; twice is harmless.
func (f *Factors) carryOut(ctx context.Context, m audit.Message) error {
	switch {
	case m.Kind == audit.MessageAudit:
		return f.recordOwed(ctx, m)
	case m.Kind == audit.MessageRevoke && f.o.Sessions != nil:
		return f.o.Sessions.EndAll(ctx, m.Tenant, m.Person, m.Topic)
	case m.Kind == audit.MessageNotice && f.o.Notices != nil:
		return f.o.Notices.Notify(ctx, m)
	}
	return ErrUnwired
}

func (f *Factors) recordOwed(ctx context.Context, m audit.Message) error {
	text, err := f.vault.Unseal(ctx, bodyPlace(m), phi.Sealed(m.Body))
	if err != nil {
		return err
	}
	var o owed
	if err := json.Unmarshal(text, &o); err != nil {
		return errors.New("mfa: decoding an event")
	}
	e := event(audit.WithActor(ctx, o.Actor), m.Tenant, m.Person, o.Occurred, o.Action)
	e.ID, e.Occurred.Start, e.Why = o.ID, o.Occurred, audit.NewPrivate(o.Why)
	e.Objects = append(e.Objects, passkeyObjects(o.Passkey)...)
	return f.rec.Record(ctx, e)
}

// Deliver carries out every message of the outbox that is due, of all tenants. It goes on
// after a failure and returns what failed, joined; those messages are due again after
// Options.Retry.
func (f *Factors) Deliver(ctx context.Context) error {
	var failed []error
	for {
		now := f.now()
		messages, err := f.store.Claim(ctx, now, now.Add(f.o.Retry), claimAtOnce)
		if err != nil {
			return errors.Join(append(failed, unavailable("claiming messages", err))...)
		}
		for _, m := range messages {
			as := audit.WithActor(ctx, audit.System(m.Tenant, "mfa"))
			err := f.carryOut(as, m)
			if err == nil {
				err = f.store.Done(as, m.Tenant, m.ID)
			}
			if err != nil {
				failed = append(failed, unavailable("delivering a message", err))
			}
		}
		if len(messages) < claimAtOnce {
			return errors.Join(failed...)
		}
	}
}

// Run delivers what could not be delivered at once, every Options.Retry, until ctx ends. It
// returns ctx's error. Several servers may run it at once.
func (f *Factors) Run(ctx context.Context) error {
	f.state(1, nil)
	defer f.state(-1, nil)
	tick := time.NewTicker(f.o.Retry)
	defer tick.Stop()
	for {
		f.state(0, f.Deliver(ctx))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (f *Factors) state(running int, failed error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running += running
	f.failed = failed
}

// Health returns ErrNotRunning if nobody calls Run, ErrUnwired if notices have nowhere to go,
// or what failed when Run last looked into the outbox.
func (f *Factors) Health(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case !f.wired():
		return ErrUnwired
	case f.running == 0:
		return ErrNotRunning
	}
	return f.failed
}
