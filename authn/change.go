package authn

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// change is one lifecycle change: what it does to the row and whom it tells. All of them go
// through Manager.change, which keeps the order that makes them safe: revoke sessions,
// Apply, deliver (revoke again, record, tell). See the protocol's model in the tests.
type change struct {
	tenant audit.Tenant
	person audit.ActorID
	action audit.Action
	verb   audit.Verb
	actor  audit.Actor
	why    string
	reason string // why sessions end, as a code
	ends   bool   // whether sessions end
	leaves bool   // whether everything else that the person holds ends with them
	holds  bool   // whether the person needs a seat afterwards
	seat   bool   // whether the seat changes with the state
	notice Topic  // "" tells nobody
	// address is where to tell it, where the row does not keep it.
	address phi.Sealed
	issue   Purpose
	life    time.Duration // of the link to issue
	edit    func(Account, *Change) error
}

// conflicts is how often a change is tried again because somebody else was faster.
const conflicts = 8

// lease is how long a message belongs to whoever delivers it.
const lease = time.Minute

// change carries out c. It returns the person as it is afterwards. ErrPending comes with a
// change that was made.
func (m *Manager) change(ctx context.Context, c change) (_ Person, err error) {
	prepared, applied := false, false
	defer func() {
		if prepared && !applied && c.holds && !m.joined { // the seat was held for what did not come to pass
			err = errors.Join(err, m.settle(context.WithoutCancel(ctx), c.tenant, c.person))
		}
	}()
	for range conflicts {
		acct, err := m.account(ctx, c.tenant, c.person)
		if err != nil {
			return Person{}, err
		}
		ch, err := m.plan(ctx, c, acct)
		if err != nil {
			return Person{}, err
		}
		if !prepared {
			if err := m.prepare(ctx, c); err != nil {
				return Person{}, err
			}
			prepared = true
		}
		err = m.p.Store.Apply(ctx, ch)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return Person{}, applyError(err)
		}
		applied = true
		return ch.Person, m.deliverNow(ctx, ch.Messages)
	}
	return Person{}, unavailable("changing an account", ErrConflict)
}

// prepare is what comes before the rows: the seat that the person needs, and the end of what
// loses its ground.
func (m *Manager) prepare(ctx context.Context, c change) error {
	if c.holds {
		if err := m.hold(ctx, c); err != nil {
			return err
		}
	}
	if !c.ends || m.joined {
		return nil
	}
	err := m.p.Sessions.EndAll(ctx, c.tenant, c.person, c.reason)
	if c.leaves { // one that fails must not keep anybody from being locked out: delivering ends it, or Run
		if also := m.endAlso(ctx, c.tenant, c.person, c.reason); also != nil {
			m.warn(ctx, "authn: not everything that somebody holds could be ended yet")
		}
	}
	if err != nil {
		return unavailable("ending sessions", err)
	}
	return nil
}

// plan makes the store's Change out of c.
func (m *Manager) plan(ctx context.Context, c change, acct Account) (Change, error) {
	ch := Change{Person: acct.Person, Expect: acct.Person.Version, Now: m.now()}
	ch.Due = m.due(ch.Now)
	ch.Person.Version++
	ch.Person.Changed = ch.Now
	if err := c.edit(acct, &ch); err != nil {
		return Change{}, err
	}
	if ch.Person.Sealed == nil {
		c.address = acct.Person.Sealed
	}
	return ch, m.write(ctx, c, &ch)
}

// due is when Run may deliver: at once if only Run does, else when delivering at once must
// have failed.
func (m *Manager) due(now time.Time) time.Time {
	if m.joined {
		return now
	}
	return now.Add(lease)
}

// write adds the messages and the link that c asks for.
func (m *Manager) write(ctx context.Context, c change, ch *Change) error {
	if c.ends {
		if err := m.message(ctx, ch, audit.MessageRevoke, c.action, c.person, body{Reason: c.reason, Everything: c.leaves}); err != nil {
			return err
		}
	}
	if c.seat && m.o.Admission != nil {
		if err := m.message(ctx, ch, messageSeat, c.action, c.person, body{}); err != nil {
			return err
		}
	}
	if err := m.message(ctx, ch, audit.MessageAudit, c.action, c.person, body{Event: c.event(ch.Now)}); err != nil {
		return err
	}
	if c.notice == "" {
		return nil
	}
	b := body{Address: c.address}
	if c.issue != "" {
		b.Link, b.Expires = ch.addLink(c.tenant, c.person, c.issue, c.life)
	}
	return m.message(ctx, ch, audit.MessageNotice, audit.Action(c.notice), c.person, b)
}

// event is what the change leaves in the audit log.
func (c change) event(now time.Time) *event {
	verb := c.verb
	if verb == "" {
		verb = audit.Update
	}
	return &event{ID: audit.NewID(now), Action: c.action, Verb: verb, Actor: c.actor, Person: c.person, Why: printable(c.why, maxWhy), At: now}
}

// addLink adds a link to the change and returns its token.
func (ch *Change) addLink(t audit.Tenant, p audit.ActorID, purpose Purpose, life time.Duration) (token string, expires int64) {
	secret, hash := newToken()
	l := Link{Hash: hash, Tenant: t, Person: p, Purpose: purpose, Created: ch.Now, Expires: ch.Now.Add(life)}
	ch.Links = append(ch.Links, l)
	return secret.Reveal(), l.Expires.UnixMicro()
}

// setPassword replaces the password; old links to set one are dead, and browsers unknown.
func (ch *Change) setPassword(hash string) {
	ch.Password = &Credential{Hash: hash, Changed: ch.Now}
	ch.Void, ch.Forget = true, true
}

// body is what a message carries, sealed: a link in clear would grant what its hash guards.
type body struct {
	Reason     string `json:"reason,omitempty"`
	Everything bool   `json:"everything,omitempty"` // not only sessions end
	Event      *event `json:"event,omitempty"`
	Link       string `json:"link,omitempty"` // token
	Expires    int64  `json:"expires,omitempty"`
	// Address is the person's identifier where the row keeps none any more.
	Address phi.Sealed `json:"address,omitempty"`
}

// event is an audit event on its way through the outbox.
type event struct {
	ID     string        `json:"id"`
	Action audit.Action  `json:"action"`
	Verb   audit.Verb    `json:"verb"`
	Actor  audit.Actor   `json:"actor"`
	Person audit.ActorID `json:"person"`
	Why    string        `json:"why,omitempty"`
	At     time.Time     `json:"at"`
}

// message seals b and adds it to the change's outbox rows.
func (m *Manager) message(ctx context.Context, ch *Change, k audit.MessageKind, topic audit.Action, p audit.ActorID, b body) error {
	t := ch.tenant()
	id := audit.NewID(ch.Now)
	plain, err := json.Marshal(b)
	if err != nil {
		return unavailable("writing a message", err)
	}
	msg := audit.Message{ID: id, Kind: k, Tenant: t, Person: p, Topic: string(topic), Created: ch.Now}
	sealed, err := m.p.Vault.Seal(ctx, messageAt(msg), plain)
	if err != nil {
		return unavailable("sealing a message", err)
	}
	msg.Body = sealed
	ch.Messages = append(ch.Messages, msg)
	return nil
}

// messageAt binds a body to the whole row: whoever can write the table cannot send one
// person's link to another. Only the person's id, which comes last, may hold a slash.
func messageAt(msg audit.Message) phi.At {
	return at(msg.Tenant, fieldMessage, msg.ID+"/"+string(msg.Kind)+"/"+msg.Topic+"/"+string(msg.Person))
}

// tenant is the tenant of the change, also of one that is about nobody.
func (ch *Change) tenant() audit.Tenant { return ch.Person.Tenant }

// applyError passes on what callers act on and hides the rest.
func applyError(err error) error {
	for _, known := range []error{ErrExists, ErrLink, ErrState} {
		if errors.Is(err, known) {
			return err
		}
	}
	return unavailable("changing an account", err)
}
