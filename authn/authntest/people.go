package authntest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

func peopleRules() []rule {
	return []rule{
		{Name: "keeps_person", Clause: "A person comes back as it was written, to the microsecond, with nil where there is no term.", Run: keepsPerson},
		{Name: "create_once", Clause: "A change that expects no row answers ErrExists where the ID is taken, and changes nothing.", Run: createOnce},
		{Name: "term_unique", Clause: "Two people of a tenant cannot have the same term: ErrExists. Two without a term, or of two tenants, can.", Run: termUnique},
		{Name: "expects_version", Clause: "A change that expects another version answers ErrConflict, and changes nothing.", Run: expectsVersion},
		{Name: "one_wins", Clause: "Of many changes at once that expect the same version, one succeeds and the others answer ErrConflict.", Run: oneWins},
		{Name: "account_of_tenant", Clause: "Account finds a person of its own tenant only; nobody is ErrNotFound.", Run: accountOfTenant},
		{Name: "find_of_tenant", Clause: "Find finds by term in its own tenant only; nobody is ErrNotFound.", Run: findOfTenant},
		{Name: "find_current", Clause: "Find finds by the term a person has now.", Run: findCurrent},
		{Name: "identifier_gone", Clause: "Of a person whose term and sealed identifier a change takes away, neither comes back.", Run: identifierGone},
		{Name: "people_in_order", Clause: "People yields the tenant's people after the given ID, in bytewise order of ID.", Run: peopleInOrder},
		{Name: "people_break", Clause: "Breaking off People's loop is allowed, and the store works on.", Run: peopleBreak},
		{Name: "signed_in_forward", Clause: "SignedIn moves forward only.", Run: signedInForward},
		{Name: "signed_in_kept", Clause: "Apply writes neither SignedIn nor Banner.", Run: signedInKept},
		{Name: "banner_kept", Clause: "SignedIn without a banner keeps the one noted before.", Run: bannerKept},
		{Name: "nobody", Clause: "A change of a person without a Kind writes its links and messages and no person.", Run: nobody},
		{Name: "cancelled", Clause: "A call whose context has ended fails and changes nothing.", Run: cancelled},
	}
}

func keepsPerson(ctx context.Context, s authn.Store) error {
	p, err := create(ctx, s, clinic, ann)
	if err != nil {
		return err
	}
	c := next(p)
	c.Person.State, c.Person.Kind, c.Person.Term = authn.Suspended, audit.KindProxy, nil
	c.Person.Changed = noon.Add(time.Minute + time.Microsecond)
	if err := s.Apply(ctx, c); err != nil {
		return err
	}
	a, err := s.Account(ctx, clinic, ann)
	return all(err, samePerson(a.Person, c.Person))
}

func createOnce(ctx context.Context, s authn.Store) error {
	p, err := create(ctx, s, clinic, ann)
	if err != nil {
		return err
	}
	again := p
	again.State, again.Term = authn.Suspended, []byte("another")
	err = s.Apply(ctx, authn.Change{Person: again, Now: noon, Due: noon})
	a, err2 := s.Account(ctx, clinic, ann)
	return all(wantErr("creating again", err, authn.ErrExists), err2, samePerson(a.Person, p))
}

func termUnique(ctx context.Context, s authn.Store) error {
	p, err := create(ctx, s, clinic, ann)
	if err != nil {
		return err
	}
	q, err := create(ctx, s, clinic, bob)
	if err != nil {
		return err
	}
	c := next(q)
	c.Person.Term = p.Term
	taken := s.Apply(ctx, c)
	third := somebody(clinic, "cid")
	third.Term = p.Term
	taken2 := s.Apply(ctx, authn.Change{Person: third, Now: noon, Due: noon})
	for _, id := range []audit.ActorID{"dan", "eve"} {
		none := somebody(clinic, id)
		none.Term = nil
		if err := s.Apply(ctx, authn.Change{Person: none, Now: noon, Due: noon}); err != nil {
			return fmt.Errorf("creating somebody without a term: %w", err)
		}
	}
	far := somebody(other, "cid")
	far.Term = p.Term
	return all(
		wantErr("taking somebody's term", taken, authn.ErrExists),
		wantErr("coming with somebody's term", taken2, authn.ErrExists),
		s.Apply(ctx, authn.Change{Person: far, Now: noon, Due: noon}),
	)
}

func expectsVersion(ctx context.Context, s authn.Store) error {
	p, err := create(ctx, s, clinic, ann)
	if err != nil {
		return err
	}
	for _, expect := range []int64{2, 7} {
		c := next(p)
		c.Expect, c.Person.State = expect, authn.Removed
		if err := wantErr("a change of another version", s.Apply(ctx, c), authn.ErrConflict); err != nil {
			return err
		}
	}
	missing := next(somebody(clinic, bob))
	err = wantErr("a change of nobody", s.Apply(ctx, missing), authn.ErrConflict)
	a, err2 := s.Account(ctx, clinic, ann)
	return all(err, err2, samePerson(a.Person, p))
}

func oneWins(ctx context.Context, s authn.Store) error {
	p, err := create(ctx, s, clinic, ann)
	if err != nil {
		return err
	}
	n, odd := count(together(crowd, func(int) error { return s.Apply(ctx, next(p)) }), authn.ErrConflict)
	return all(odd, want("the number of winners", n, 1))
}

func accountOfTenant(ctx context.Context, s authn.Store) error {
	if _, err := create(ctx, s, clinic, ann); err != nil {
		return err
	}
	_, err := s.Account(ctx, other, ann)
	_, err2 := s.Account(ctx, clinic, bob)
	return all(wantErr("the other tenant", err, authn.ErrNotFound), wantErr("nobody", err2, authn.ErrNotFound))
}

func findOfTenant(ctx context.Context, s authn.Store) error {
	p, err := create(ctx, s, clinic, ann)
	if err != nil {
		return err
	}
	a, err := s.Find(ctx, clinic, p.Term)
	if err := all(err, samePerson(a.Person, p)); err != nil {
		return err
	}
	_, err = s.Find(ctx, other, p.Term)
	_, err2 := s.Find(ctx, clinic, []byte("nobody's"))
	return all(wantErr("the other tenant", err, authn.ErrNotFound), wantErr("nobody's term", err2, authn.ErrNotFound))
}

func findCurrent(ctx context.Context, s authn.Store) error {
	p, err := create(ctx, s, clinic, ann)
	if err != nil {
		return err
	}
	c := next(p)
	c.Person.Term = nil
	if err := s.Apply(ctx, c); err != nil {
		return err
	}
	_, err = s.Find(ctx, clinic, p.Term)
	return wantErr("a term given up", err, authn.ErrNotFound)
}

func identifierGone(ctx context.Context, s authn.Store) error {
	p, err := create(ctx, s, clinic, ann)
	if err != nil {
		return err
	}
	c := next(p)
	c.Person.State, c.Person.Term, c.Person.Sealed = authn.Removed, nil, nil
	if err := s.Apply(ctx, c); err != nil {
		return err
	}
	a, err := s.Account(ctx, clinic, ann)
	problems := []error{err}
	gone := func(p authn.Person) {
		problems = append(problems, want("whether there is a term", p.Term != nil, false), want("whether there is a sealed identifier", p.Sealed != nil, false))
	}
	gone(a.Person)
	for p, err := range s.People(ctx, clinic, "") {
		problems = append(problems, err)
		gone(p)
	}
	return all(problems...)
}

func peopleInOrder(ctx context.Context, s authn.Store) error {
	for _, id := range []audit.ActorID{"b", "a", "B", "ä", "a-1", "c"} {
		if _, err := create(ctx, s, clinic, id); err != nil {
			return err
		}
	}
	if _, err := create(ctx, s, other, "b2"); err != nil {
		return err
	}
	for after, should := range map[audit.ActorID]string{"": "[B a a-1 b c ä]", "a": "[a-1 b c ä]", "ä": "[]"} {
		ids := []audit.ActorID{}
		for p, err := range s.People(ctx, clinic, after) {
			if err != nil {
				return err
			}
			ids = append(ids, p.ID)
		}
		if err := want("the order", fmt.Sprint(ids), should); err != nil {
			return err
		}
	}
	return nil
}

func peopleBreak(ctx context.Context, s authn.Store) error {
	for _, id := range []audit.ActorID{ann, bob} {
		if _, err := create(ctx, s, clinic, id); err != nil {
			return err
		}
	}
	seen := 0
	for _, err := range s.People(ctx, clinic, "") {
		if err != nil {
			return err
		}
		seen++
		break
	}
	_, err := s.Account(ctx, clinic, ann)
	return all(want("the number seen", seen, 1), err)
}

func signedInForward(ctx context.Context, s authn.Store) error {
	if _, err := create(ctx, s, clinic, ann); err != nil {
		return err
	}
	late := noon.Add(time.Minute)
	err := all(s.SignedIn(ctx, clinic, ann, "2", late), s.SignedIn(ctx, clinic, ann, "1", noon), s.SignedIn(ctx, clinic, bob, "1", noon))
	a, err2 := s.Account(ctx, clinic, ann)
	return all(err, err2, want("SignedIn", a.Person.SignedIn, late), want("Banner", a.Person.Banner, "2"))
}

func signedInKept(ctx context.Context, s authn.Store) error {
	p, err := create(ctx, s, clinic, ann)
	if err != nil {
		return err
	}
	if err := all(s.SignedIn(ctx, clinic, ann, "1", noon), s.Apply(ctx, next(p))); err != nil {
		return err
	}
	a, err := s.Account(ctx, clinic, ann)
	return all(err, want("SignedIn", a.Person.SignedIn, noon), want("Banner", a.Person.Banner, "1"))
}

func bannerKept(ctx context.Context, s authn.Store) error {
	if _, err := create(ctx, s, clinic, ann); err != nil {
		return err
	}
	if err := all(s.SignedIn(ctx, clinic, ann, "1", noon), s.SignedIn(ctx, clinic, ann, "", noon.Add(time.Minute))); err != nil {
		return err
	}
	a, err := s.Account(ctx, clinic, ann)
	var people []string
	for p, err := range s.People(ctx, clinic, "") {
		if err != nil {
			return err
		}
		people = append(people, p.Banner)
	}
	return all(err, want("Banner", a.Person.Banner, "1"), want("SignedIn", a.Person.SignedIn, noon.Add(time.Minute)),
		want("what People says of it", strings.Join(people, ","), "1"))
}

func nobody(ctx context.Context, s authn.Store) error {
	c := authn.Change{
		Person: authn.Person{Tenant: clinic, ID: ann}, Now: noon, Due: noon,
		Links: []authn.Link{link(clinic, ann, "a link")}, Messages: []audit.Message{message(clinic, "a message", 0)},
	}
	if err := s.Apply(ctx, c); err != nil {
		return err
	}
	_, gone := s.Account(ctx, clinic, ann)
	_, err := s.Link(ctx, []byte("a link"))
	due, err2 := s.Claim(ctx, noon, noon.Add(time.Minute), 9)
	return all(wantErr("nobody", gone, authn.ErrNotFound), err, err2, want("the number of messages", len(due), 1))
}

func cancelled(ctx context.Context, s authn.Store) error {
	p, err := create(ctx, s, clinic, ann)
	if err != nil {
		return err
	}
	dead, cancel := context.WithCancel(ctx)
	cancel()
	c := next(p)
	c.Person.State = authn.Removed
	_, _, charged := s.Charge(dead, clinic, ann, authn.FamilyPassword, limits(), noon)
	_, _, hit := s.Hit(dead, clinic, "a key", time.Hour, noon)
	for what, err := range map[string]error{
		"Apply": s.Apply(dead, c), "Charge": charged, "Hit": hit, "PutTicket": s.PutTicket(dead, ticket("a ticket")),
		"PutDevice": s.PutDevice(dead, device(clinic, ann, "a", 1), 1, most), "ForgetDevices": s.ForgetDevices(dead, clinic, ann, ""),
	} {
		if err == nil {
			return fmt.Errorf("%s succeeds although its context has ended", what)
		}
	}
	a, err := s.Account(ctx, clinic, ann)
	_, noTicket := s.Ticket(ctx, []byte("a ticket"), noon)
	return all(err, samePerson(a.Person, p), lists(ctx, s, clinic, ann, ""), want("failures", a.Password.Failures, 0), wantErr("the ticket", noTicket, authn.ErrTicket))
}
