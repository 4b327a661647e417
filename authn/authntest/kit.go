package authntest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

const (
	clinic audit.Tenant  = "clinic"
	other  audit.Tenant  = "other"
	ann    audit.ActorID = "ann"
	bob    audit.ActorID = "bob"

	crowd = 64 // goroutines that do one thing at once
)

// noon is when every rule begins.
var noon = time.Date(2026, 5, 4, 12, 0, 0, 123456000, time.UTC)

// somebody is a person as a rule creates it.
func somebody(t audit.Tenant, id audit.ActorID) authn.Person {
	return authn.Person{
		Tenant: t, ID: id, Kind: audit.KindStaff, State: authn.Active, Version: 1,
		Term: []byte("term of " + id), Sealed: []byte("sealed " + id), Created: noon, Changed: noon,
	}
}

// create adds somebody.
func create(ctx context.Context, s authn.Store, t audit.Tenant, id audit.ActorID) (authn.Person, error) {
	p := somebody(t, id)
	if err := s.Apply(ctx, authn.Change{Person: p, Now: noon, Due: noon}); err != nil {
		return p, fmt.Errorf("creating somebody: %w", err)
	}
	return p, nil
}

// next is a change of p to its next version.
func next(p authn.Person) authn.Change {
	c := authn.Change{Person: p, Expect: p.Version, Now: noon, Due: noon}
	c.Person.Version++
	return c
}

// link is a live link of somebody.
func link(t audit.Tenant, id audit.ActorID, hash string) authn.Link {
	return authn.Link{
		Hash: []byte(hash), Tenant: t, Person: id, Purpose: authn.PurposeReset,
		Created: noon, Expires: noon.Add(time.Hour),
	}
}

// withLink creates somebody who has a link.
func withLink(ctx context.Context, s authn.Store, id audit.ActorID, hash string) (authn.Person, error) {
	p := somebody(clinic, id)
	err := s.Apply(ctx, authn.Change{Person: p, Now: noon, Due: noon, Links: []authn.Link{link(clinic, id, hash)}})
	if err != nil {
		return p, fmt.Errorf("creating somebody with a link: %w", err)
	}
	return p, nil
}

// message is an outbox row created some seconds after noon.
func message(t audit.Tenant, id string, after time.Duration) audit.Message {
	return audit.Message{
		ID: id, Kind: audit.MessageNotice, Tenant: t, Person: ann, Topic: "authn.test",
		Body: []byte("body of " + id), Created: noon.Add(after),
	}
}

// post adds messages that are due at noon.
func post(ctx context.Context, s authn.Store, messages ...audit.Message) error {
	err := s.Apply(ctx, authn.Change{Person: authn.Person{Tenant: clinic}, Now: noon, Due: noon, Messages: messages})
	if err != nil {
		return fmt.Errorf("adding messages: %w", err)
	}
	return nil
}

// ticket is a live ticket.
func ticket(hash string) authn.Ticket {
	return authn.Ticket{Hash: []byte(hash), Tenant: clinic, Person: ann, State: []byte("state of " + hash), Expires: noon.Add(time.Hour)}
}

// limits are quick to exhaust.
func limits() authn.Limits {
	return authn.Limits{Free: 2, Base: time.Second, Max: 5 * time.Second, Disable: 7}
}

// want says that got is not what it should be.
func want[T comparable](what string, got, should T) error {
	if got != should {
		return fmt.Errorf("%s is %v, not %v", what, got, should)
	}
	return nil
}

// wantErr says that err is not the one it should be.
func wantErr(what string, err, should error) error {
	if !errors.Is(err, should) {
		return fmt.Errorf("%s answers %v, not %v", what, err, should)
	}
	return nil
}

// all returns the first error.
func all(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// samePerson compares what a store has to keep.
func samePerson(got, should authn.Person) error {
	return all(
		want("the tenant", got.Tenant, should.Tenant),
		want("the id", got.ID, should.ID),
		want("the kind", got.Kind, should.Kind),
		want("the state", got.State, should.State),
		want("the version", got.Version, should.Version),
		want("the term's equality", bytes.Equal(got.Term, should.Term), true),
		want("whether there is a term", got.Term == nil, should.Term == nil),
		want("the identifier's equality", bytes.Equal(got.Sealed, should.Sealed), true),
		want("the creation", got.Created, should.Created),
		want("the change", got.Changed, should.Changed),
	)
}

// together runs f in many goroutines that start at once and returns what they returned.
func together[T any](n int, f func(i int) T) []T {
	out := make([]T, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			out[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	return out
}

// count returns how many of errs are nil, and the first that is neither nil nor allowed.
func count(errs []error, allowed ...error) (nils int, odd error) {
next:
	for _, err := range errs {
		if err == nil {
			nils++
			continue
		}
		for _, a := range allowed {
			if errors.Is(err, a) {
				continue next
			}
		}
		if odd == nil {
			odd = fmt.Errorf("unexpected answer: %w", err)
		}
	}
	return nils, odd
}
