package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/emergency"
)

// emergencyNotices mails those who answer for privacy, but for the person it is about. The mail says no
// more than that there is something to look at, and the dashboard says it too.
type emergencyNotices struct{ *app }

var (
	errNobodyToTell = errors.New("nobody answers for privacy but the person it is about")
	errNotYet       = errors.New("a message failed and is tried again later")
)

// Tell satisfies emergency.Notices.
func (n emergencyNotices) Tell(ctx context.Context, what emergency.Notice) error {
	return n.tellOfficers(ctx, what.ID, "emergency."+string(what.Kind), what.Grant.Person)
}

// tellOfficers tells everybody who answers for privacy, but for one. One address that fails holds back
// nobody else; where nobody is left to tell, the operator's log says so, and it is an error.
func (n emergencyNotices) tellOfficers(ctx context.Context, id, topic string, but audit.ActorID) error {
	officers, err := n.officersBut(ctx, but)
	if err != nil {
		return err
	}
	if len(officers) == 0 {
		n.logger.WarnContext(ctx, "an emergency has nobody to be told: name a second person who answers for privacy")
		return errNobodyToTell
	}
	var failed []error
	for _, person := range officers {
		m := audit.Message{ID: id + "/" + string(person), Kind: audit.MessageNotice, Tenant: tenant, Person: person, Topic: topic, Created: time.Now()}
		err := n.told.deliver(m.ID, m.Created, func() error { return n.people.Notify(ctx, m) })
		if err == nil {
			continue
		}
		if n.config.smtp != "" || n.demo != nil {
			failed = append(failed, err)
			continue
		}
		n.logger.WarnContext(ctx, "there is no mail server: the dashboard alone says that there is an emergency")
	}
	return errors.Join(failed...)
}

// alert tells those who answer for privacy, once an hour, what somebody does without opening anything. What
// the person is answered does not wait for it or depend on it.
func (a *app) alert(ctx context.Context, person audit.ActorID, topic string) {
	id := topic + "/" + string(person) + "/" + time.Now().UTC().Format("2006-01-02T15")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	if err := (emergencyNotices{a}).tellOfficers(ctx, id, topic, person); err != nil {
		a.logger.WarnContext(ctx, "a notice about emergencies could not be delivered")
	}
}

// officersBut returns who answers for privacy and can sign in.
func (n emergencyNotices) officersBut(ctx context.Context, but audit.ActorID) (all []audit.ActorID, err error) {
	holders, err := n.grants.Holders(ctx, tenant, []rbac.RoleName{rbac.PrivacyOfficer, rbac.ClinicAdmin, rbac.ClinicAdminFull})
	if err != nil {
		return nil, err
	}
	seen, now := map[audit.ActorID]bool{but: true}, time.Now()
	for _, g := range holders {
		if seen[g.Person] || !g.InForce(now) {
			continue
		}
		seen[g.Person] = true
		account, err := n.people.Account(ctx, tenant, g.Person)
		switch {
		case errors.Is(err, authn.ErrNotFound):
		case err != nil:
			return nil, err
		case account.Person.State == authn.Active:
			all = append(all, g.Person)
		}
	}
	return all, nil
}

// deliveries remembers which messages went out, so that a notice that is told again reaches only those
// whom it did not reach, and an address that fails is tried ever more rarely. It forgets with the server.
type deliveries struct {
	mu  sync.Mutex
	all map[string]*delivery
}

type delivery struct {
	done  bool
	tries int
	next  time.Time
}

// manyDeliveries is how many are remembered before old ones are forgotten.
const manyDeliveries = 1000

func newDeliveries() *deliveries { return &deliveries{all: map[string]*delivery{}} }

// deliver sends the message of this id, unless it went out, is on its way or it is too early to try again.
func (d *deliveries) deliver(id string, now time.Time, send func() error) error {
	one, err := d.begin(id, now)
	if one == nil || err != nil {
		return err
	}
	if err := send(); err != nil { // without the lock: a slow mail server stops nobody else
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	one.done = true
	return nil
}

// begin returns the delivery to make, nil if it was made.
func (d *deliveries) begin(id string, now time.Time) (*delivery, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	one := d.all[id]
	if one == nil {
		d.forget(now)
		one = &delivery{}
		d.all[id] = one
	}
	switch {
	case one.done:
		return nil, nil
	case now.Before(one.next):
		return nil, errNotYet
	}
	one.next = now.Add(min(time.Minute<<min(one.tries, 6), time.Hour))
	one.tries++
	return one, nil
}

// forget drops what was last tried a day ago.
func (d *deliveries) forget(now time.Time) {
	if len(d.all) < manyDeliveries {
		return
	}
	for id, one := range d.all {
		if now.Sub(one.next) > 24*time.Hour {
			delete(d.all, id)
		}
	}
}
