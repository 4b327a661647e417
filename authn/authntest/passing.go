package authntest

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

func ticketRules() []rule {
	return []rule{
		{Name: "keeps_ticket", Clause: "A ticket comes back as it was written; an unknown hash is ErrTicket.", Run: keepsTicket},
		{Name: "ticket_of_nobody", Clause: "A ticket without a person, whom a passkey will name, is kept like any other.", Run: ticketOfNobody},
		{Name: "ticket_new", Clause: "A ticket whose hash exists answers ErrExists and leaves the first one.", Run: ticketNew},
		{Name: "ticket_shown", Clause: "Ticket does not use a ticket up.", Run: ticketShown},
		{Name: "ticket_once", Clause: "TakeTicket removes the ticket: ErrTicket after that.", Run: ticketOnce},
		{Name: "ticket_race", Clause: "Of many callers of TakeTicket at once, one gets the ticket.", Run: ticketRace},
		{Name: "ticket_expired", Clause: "A ticket is dead from the moment it expires: ErrTicket.", Run: ticketExpired},
		{Name: "sweep_forgets", Clause: "Sweep forgets dead tickets, ended windows, links long dead and nobody's old failures.", Run: sweepForgets},
		{Name: "sweep_keeps", Clause: "Sweep keeps everything that still means something.", Run: sweepKeeps},
	}
}

func sameTicket(got, should authn.Ticket) error {
	return all(
		want("the hash", bytes.Equal(got.Hash, should.Hash), true), want("the tenant", got.Tenant, should.Tenant),
		want("the person", got.Person, should.Person), want("the state", bytes.Equal(got.State, should.State), true),
		want("the end", got.Expires, should.Expires),
	)
}

func keepsTicket(ctx context.Context, s authn.Store) error {
	tk := ticket("a ticket")
	if err := s.PutTicket(ctx, tk); err != nil {
		return err
	}
	got, err := s.TakeTicket(ctx, tk.Hash, noon)
	_, unknown := s.TakeTicket(ctx, []byte("another"), noon)
	_, unknown2 := s.Ticket(ctx, []byte("another"), noon)
	return all(err, sameTicket(got, tk), wantErr("another hash", unknown, authn.ErrTicket), wantErr("another hash", unknown2, authn.ErrTicket))
}

func ticketOfNobody(ctx context.Context, s authn.Store) error {
	tk := ticket("an offer")
	tk.Person = ""
	if err := s.PutTicket(ctx, tk); err != nil {
		return err
	}
	got, err := s.TakeTicket(ctx, tk.Hash, noon)
	return all(err, sameTicket(got, tk))
}

func ticketNew(ctx context.Context, s authn.Store) error {
	tk := ticket("a ticket")
	if err := s.PutTicket(ctx, tk); err != nil {
		return err
	}
	again := tk
	again.State = []byte("other state")
	err := wantErr("putting it again", s.PutTicket(ctx, again), authn.ErrExists)
	got, err2 := s.TakeTicket(ctx, tk.Hash, noon)
	return all(err, err2, want("the state", string(got.State), string(tk.State)))
}

func ticketShown(ctx context.Context, s authn.Store) error {
	tk := ticket("a ticket")
	if err := s.PutTicket(ctx, tk); err != nil {
		return err
	}
	for range 2 {
		got, err := s.Ticket(ctx, tk.Hash, noon)
		if err := all(err, want("the end", got.Expires, tk.Expires)); err != nil {
			return err
		}
	}
	return nil
}

func ticketOnce(ctx context.Context, s authn.Store) error {
	tk := ticket("a ticket")
	if err := s.PutTicket(ctx, tk); err != nil {
		return err
	}
	_, err := s.TakeTicket(ctx, tk.Hash, noon)
	_, again := s.TakeTicket(ctx, tk.Hash, noon.Add(time.Second))
	return all(err, wantErr("taking it again", again, authn.ErrTicket))
}

func ticketRace(ctx context.Context, s authn.Store) error {
	tk := ticket("a ticket")
	if err := s.PutTicket(ctx, tk); err != nil {
		return err
	}
	n, odd := count(together(crowd, func(int) error {
		_, err := s.TakeTicket(ctx, tk.Hash, noon)
		return err
	}), authn.ErrTicket)
	return all(odd, want("the number of takers", n, 1))
}

func ticketExpired(ctx context.Context, s authn.Store) error {
	tk := ticket("a ticket")
	if err := s.PutTicket(ctx, tk); err != nil {
		return err
	}
	_, shown := s.Ticket(ctx, tk.Hash, tk.Expires)
	_, taken := s.TakeTicket(ctx, tk.Hash, tk.Expires)
	_, err := s.TakeTicket(ctx, tk.Hash, tk.Expires.Add(-time.Microsecond))
	return all(wantErr("showing it at its end", shown, authn.ErrTicket), wantErr("taking it at its end", taken, authn.ErrTicket), err)
}

// swept is what a sweep has to decide about.
func swept(ctx context.Context, s authn.Store) error {
	if _, err := withLink(ctx, s, ann, "a link"); err != nil {
		return err
	}
	for _, id := range []audit.ActorID{ann, "unknown:00"} {
		if _, _, err := s.Charge(ctx, clinic, id, authn.FamilyPassword, limits(), noon); err != nil {
			return err
		}
	}
	_, _, err := s.Hit(ctx, clinic, "a key", time.Hour, noon)
	return all(err, s.PutTicket(ctx, ticket("a ticket")))
}

func sweepForgets(ctx context.Context, s authn.Store) error {
	if err := swept(ctx, s); err != nil {
		return err
	}
	if err := s.Sweep(ctx, noon.Add(time.Hour+authn.Remember)); err != nil {
		return err
	}
	_, noTicket := s.Ticket(ctx, []byte("a ticket"), noon)
	_, noLink := s.Link(ctx, []byte("a link"))
	row, err := s.Credential(ctx, clinic, "unknown:00", authn.FamilyPassword)
	n, _, err2 := s.Hit(ctx, clinic, "a key", time.Hour, noon)
	return all(err, err2, wantErr("the ticket", noTicket, authn.ErrTicket), wantErr("the link", noLink, authn.ErrLinkUnknown),
		want("nobody's row", row, authn.Credential{}), want("the window's hits", n, 1))
}

func sweepKeeps(ctx context.Context, s authn.Store) error {
	if err := swept(ctx, s); err != nil {
		return err
	}
	if err := s.Sweep(ctx, noon.Add(time.Hour-time.Microsecond)); err != nil {
		return err
	}
	_, err := s.Ticket(ctx, []byte("a ticket"), noon)
	n, _, err2 := s.Hit(ctx, clinic, "a key", time.Hour, noon)
	if err := all(err, err2, want("the window's hits", n, 2)); err != nil {
		return err
	}
	if err := s.Sweep(ctx, noon.Add(authn.Remember-time.Microsecond)); err != nil {
		return err
	}
	_, err = s.Link(ctx, []byte("a link"))
	nobody, err2 := s.Credential(ctx, clinic, "unknown:00", authn.FamilyPassword)
	err3 := s.Sweep(ctx, noon.Add(10*authn.Remember))
	a, err4 := s.Account(ctx, clinic, ann)
	return all(err, err2, err3, err4, want("nobody's failures", nobody.Failures, 1), want("somebody's failures", a.Password.Failures, 1))
}

func outboxRules() []rule {
	return []rule{
		{Name: "keeps_message", Clause: "A message comes back as it was written.", Run: keepsMessage},
		{Name: "claim_order", Clause: "Claim returns the oldest messages first, n at most.", Run: claimOrder},
		{Name: "claim_due", Clause: "Claim returns no message before it is due.", Run: claimDue},
		{Name: "claim_leases", Clause: "A claimed message is not claimed again before until, and is from then on.", Run: claimLeases},
		{Name: "claim_race", Clause: "Of many claims at once each message goes to one.", Run: claimRace},
		{Name: "delivered", Clause: "Delivered removes the message of its tenant, again without an error.", Run: deliveredOnce},
		{Name: "failed", Clause: "Failed counts an attempt and makes the message due at next.", Run: failedLater},
		{Name: "oldest", Clause: "Oldest is when the oldest message was created, zero without messages.", Run: oldestMessage},
	}
}

func keepsMessage(ctx context.Context, s authn.Store) error {
	should := message(clinic, "a message", time.Microsecond)
	if err := post(ctx, s, should); err != nil {
		return err
	}
	due, err := s.Claim(ctx, noon, noon.Add(time.Minute), 9)
	if err := all(err, want("the number of messages", len(due), 1)); err != nil {
		return err
	}
	got := due[0]
	return all(
		want("the id", got.ID, should.ID), want("the kind", got.Kind, should.Kind), want("the tenant", got.Tenant, should.Tenant),
		want("the person", got.Person, should.Person), want("the topic", got.Topic, should.Topic),
		want("the body", bytes.Equal(got.Body, should.Body), true), want("the creation", got.Created, should.Created),
		want("the attempts", got.Attempts, 0),
	)
}

// ids claims at a time and returns what came, joined.
func ids(ctx context.Context, s authn.Store, at time.Time, n int) (string, error) {
	due, err := s.Claim(ctx, at, at.Add(time.Minute), n)
	var out string
	for _, m := range due {
		out += m.ID
	}
	return out, err
}

func claimOrder(ctx context.Context, s authn.Store) error {
	if err := post(ctx, s, message(clinic, "c", 3*time.Microsecond), message(other, "a", time.Microsecond), message(clinic, "b", time.Millisecond)); err != nil {
		return err
	}
	first, err := ids(ctx, s, noon, 2)
	second, err2 := ids(ctx, s, noon, 2)
	return all(err, err2, want("the first claim", len(first), 2), want("the order", first+second, "acb"))
}

func claimDue(ctx context.Context, s authn.Store) error {
	c := authn.Change{
		Person: authn.Person{Tenant: clinic}, Now: noon, Due: noon.Add(time.Second),
		Messages: []audit.Message{message(clinic, "a", 0)},
	}
	if err := s.Apply(ctx, c); err != nil {
		return err
	}
	early, err := ids(ctx, s, c.Due.Add(-time.Microsecond), 9)
	late, err2 := ids(ctx, s, c.Due, 9)
	return all(err, err2, want("an early claim", early, ""), want("a claim in time", late, "a"))
}

func claimLeases(ctx context.Context, s authn.Store) error {
	if err := post(ctx, s, message(clinic, "a", 0)); err != nil {
		return err
	}
	_, err := ids(ctx, s, noon, 9)
	early, err2 := ids(ctx, s, noon.Add(time.Minute-time.Microsecond), 9)
	late, err3 := ids(ctx, s, noon.Add(time.Minute), 9)
	return all(err, err2, err3, want("an early claim", early, ""), want("a claim after the lease", late, "a"))
}

func claimRace(ctx context.Context, s authn.Store) error {
	const messages = 8
	for i := range messages {
		if err := post(ctx, s, message(clinic, fmt.Sprint(i), time.Duration(i)*time.Millisecond)); err != nil {
			return err
		}
	}
	total := 0
	for _, n := range together(crowd/4, func(int) int {
		due, err := s.Claim(ctx, noon, noon.Add(time.Minute), messages)
		if err != nil {
			return 1000
		}
		return len(due)
	}) {
		total += n
	}
	return want("the number of claimed messages", total, messages)
}

func deliveredOnce(ctx context.Context, s authn.Store) error {
	if err := post(ctx, s, message(clinic, "a", 0)); err != nil {
		return err
	}
	err := s.Delivered(ctx, other, "a")
	kept, err2 := ids(ctx, s, noon, 9)
	err3 := all(s.Delivered(ctx, clinic, "a"), s.Delivered(ctx, clinic, "a"))
	gone, err4 := ids(ctx, s, noon.Add(time.Hour), 9)
	return all(err, err2, err3, err4, want("what the other tenant leaves", kept, "a"), want("what is left", gone, ""))
}

func failedLater(ctx context.Context, s authn.Store) error {
	if err := post(ctx, s, message(clinic, "a", 0)); err != nil {
		return err
	}
	later := noon.Add(time.Hour)
	err := all(s.Failed(ctx, clinic, "a", later), s.Failed(ctx, clinic, "gone", later))
	early, err2 := ids(ctx, s, later.Add(-time.Microsecond), 9)
	due, err3 := s.Claim(ctx, later, later.Add(time.Minute), 9)
	if err := all(err, err2, err3, want("an early claim", early, ""), want("the number of messages", len(due), 1)); err != nil {
		return err
	}
	return want("the attempts", due[0].Attempts, 1)
}

func oldestMessage(ctx context.Context, s authn.Store) error {
	none, err := s.Oldest(ctx)
	if err := all(err, want("nothing's age", none, time.Time{})); err != nil {
		return err
	}
	if err := post(ctx, s, message(clinic, "b", time.Second), message(other, "a", time.Millisecond)); err != nil {
		return err
	}
	got, err := s.Oldest(ctx)
	return all(err, want("the oldest", got, noon.Add(time.Millisecond)))
}
