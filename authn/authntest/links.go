package authntest

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

func linkRules() []rule {
	return []rule{
		{Name: "keeps_link", Clause: "A link comes back as it was written; an unknown hash is ErrLinkUnknown.", Run: keepsLink},
		{Name: "link_once", Clause: "A link is consumed once: ErrLinkUsed after that.", Run: linkOnce},
		{Name: "link_race", Clause: "Of many changes at once that consume a link, one succeeds.", Run: linkRace},
		{Name: "link_expired", Clause: "A link is dead from the moment it expires: ErrLinkExpired.", Run: linkExpired},
		{Name: "link_of_person", Clause: "Nobody consumes somebody else's link: ErrLinkUnknown.", Run: linkOfPerson},
		{Name: "void", Clause: "Void makes the person's other live links used, before new ones are added.", Run: void},
		{Name: "void_own", Clause: "Void leaves other people's links alone.", Run: voidOwn},
		{Name: "used_stays", Clause: "A used link is remembered with the time of its first use.", Run: usedStays},
		{Name: "all_or_nothing", Clause: "A change whose link is dead writes nothing: no row, no password, no link, no message.", Run: allOrNothing},
	}
}

func keepsLink(ctx context.Context, s authn.Store) error {
	if _, err := withLink(ctx, s, ann, "a link"); err != nil {
		return err
	}
	should := link(clinic, ann, "a link")
	l, err := s.Link(ctx, []byte("a link"))
	_, unknown := s.Link(ctx, []byte("another"))
	return all(err, wantErr("another hash", unknown, authn.ErrLinkUnknown),
		want("the hash", bytes.Equal(l.Hash, should.Hash), true), want("the tenant", l.Tenant, should.Tenant),
		want("the person", l.Person, should.Person), want("the purpose", l.Purpose, should.Purpose),
		want("the creation", l.Created, should.Created), want("the end", l.Expires, should.Expires),
		want("the use", l.Used, time.Time{}))
}

// consuming is the next change of p, and uses a link up.
func consuming(p authn.Person, hash string) authn.Change {
	c := next(p)
	c.Consume = []byte(hash)
	return c
}

func linkOnce(ctx context.Context, s authn.Store) error {
	p, err := withLink(ctx, s, ann, "a link")
	if err != nil {
		return err
	}
	c := consuming(p, "a link")
	if err := s.Apply(ctx, c); err != nil {
		return err
	}
	again := consuming(c.Person, "a link")
	again.Now = noon.Add(time.Minute)
	return wantErr("the second use", s.Apply(ctx, again), authn.ErrLinkUsed)
}

func linkRace(ctx context.Context, s authn.Store) error {
	if _, err := withLink(ctx, s, ann, "a link"); err != nil {
		return err
	}
	n, odd := count(together(crowd, func(int) error {
		for {
			a, err := s.Account(ctx, clinic, ann)
			if err != nil {
				return err
			}
			if err = s.Apply(ctx, consuming(a.Person, "a link")); !errors.Is(err, authn.ErrConflict) {
				return err
			}
		}
	}), authn.ErrLinkUsed)
	return all(odd, want("the number of uses", n, 1))
}

func linkExpired(ctx context.Context, s authn.Store) error {
	p, err := withLink(ctx, s, ann, "a link")
	if err != nil {
		return err
	}
	c := consuming(p, "a link")
	c.Now = noon.Add(time.Hour)
	if err := wantErr("a use at the end", s.Apply(ctx, c), authn.ErrLinkExpired); err != nil {
		return err
	}
	c.Now = c.Now.Add(-time.Microsecond)
	return s.Apply(ctx, c)
}

func linkOfPerson(ctx context.Context, s authn.Store) error {
	if _, err := withLink(ctx, s, ann, "a link"); err != nil {
		return err
	}
	p, err := create(ctx, s, clinic, bob)
	if err != nil {
		return err
	}
	namesake, err := create(ctx, s, other, ann)
	if err != nil {
		return err
	}
	return all(
		wantErr("somebody else", s.Apply(ctx, consuming(p, "a link")), authn.ErrLinkUnknown),
		wantErr("the other tenant", s.Apply(ctx, consuming(namesake, "a link")), authn.ErrLinkUnknown),
		wantErr("no link", s.Apply(ctx, consuming(p, "nobody's")), authn.ErrLinkUnknown),
	)
}

func void(ctx context.Context, s authn.Store) error {
	p, err := withLink(ctx, s, ann, "old")
	if err != nil {
		return err
	}
	c := next(p)
	c.Void, c.Links = true, []authn.Link{link(clinic, ann, "new")}
	if err := s.Apply(ctx, c); err != nil {
		return err
	}
	old, err := s.Link(ctx, []byte("old"))
	fresh, err2 := s.Link(ctx, []byte("new"))
	return all(err, err2, want("the old link's use", old.Used, noon), want("the new link's use", fresh.Used, time.Time{}))
}

func voidOwn(ctx context.Context, s authn.Store) error {
	if _, err := withLink(ctx, s, bob, "bob's"); err != nil {
		return err
	}
	p, err := create(ctx, s, clinic, ann)
	if err != nil {
		return err
	}
	c := next(p)
	c.Void = true
	if err := s.Apply(ctx, c); err != nil {
		return err
	}
	l, err := s.Link(ctx, []byte("bob's"))
	return all(err, want("the other's use", l.Used, time.Time{}))
}

func usedStays(ctx context.Context, s authn.Store) error {
	p, err := withLink(ctx, s, ann, "a link")
	if err != nil {
		return err
	}
	c := consuming(p, "a link")
	if err := s.Apply(ctx, c); err != nil {
		return err
	}
	again := next(c.Person)
	again.Void, again.Now = true, noon.Add(time.Minute)
	if err := s.Apply(ctx, again); err != nil {
		return err
	}
	l, err := s.Link(ctx, []byte("a link"))
	return all(err, want("the use", l.Used, noon))
}

func allOrNothing(ctx context.Context, s authn.Store) error {
	p, err := create(ctx, s, clinic, ann)
	if err != nil {
		return err
	}
	c := consuming(p, "nobody's")
	c.Password = &authn.Credential{Hash: "a hash"}
	c.Links = []authn.Link{link(clinic, ann, "new")}
	c.Messages = []audit.Message{message(clinic, "a message", 0)}
	if s.Apply(ctx, c) == nil {
		return errors.New("a change without its link succeeds")
	}
	a, err := s.Account(ctx, clinic, ann)
	_, noLink := s.Link(ctx, []byte("new"))
	due, err2 := s.Claim(ctx, noon, noon.Add(time.Minute), 9)
	return all(err, err2, samePerson(a.Person, p), want("the password", a.Password.Hash, ""),
		wantErr("the new link", noLink, authn.ErrLinkUnknown), want("the number of messages", len(due), 0))
}
