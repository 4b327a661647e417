package authntest_test

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

func (s *flawed) PutTicket(ctx context.Context, tk authn.Ticket) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if _, ok := s.tickets[string(tk.Hash)]; ok && !s.is("ticket_new") {
		return authn.ErrExists
	}
	if s.is("ticket_of_nobody") && tk.Person == "" {
		tk.Person = "unknown"
	}
	if s.is("keeps_ticket") {
		tk.Person = "" // as if nobody would ask
	}
	s.tickets[string(tk.Hash)] = tk
	return nil
}

func (s *flawed) Ticket(ctx context.Context, hash []byte, now time.Time) (authn.Ticket, error) {
	if err := s.enter(ctx); err != nil {
		return authn.Ticket{}, err
	}
	defer s.mu.Unlock()
	tk, ok := s.tickets[string(hash)]
	if !ok || !now.Before(tk.Expires) && !s.is("ticket_expired") {
		return authn.Ticket{}, authn.ErrTicket
	}
	if s.is("ticket_shown") {
		tk.Expires = tk.Expires.Add(-time.Second) // showing wears it out
		s.tickets[string(hash)] = tk
	}
	return tk, nil
}

func (s *flawed) TakeTicket(ctx context.Context, hash []byte, now time.Time) (authn.Ticket, error) {
	if err := s.enter(ctx); err != nil {
		return authn.Ticket{}, err
	}
	defer s.mu.Unlock()
	tk, ok := s.tickets[string(hash)]
	if at, was := s.taken[string(hash)]; was && now.After(at) && s.is("ticket_once") {
		return tk, nil // taken, but back a little later
	}
	if !ok || !now.Before(tk.Expires) {
		return authn.Ticket{}, authn.ErrTicket
	}
	s.taken[string(hash)] = now
	s.lets("ticket_race")
	delete(s.tickets, string(hash))
	return tk, nil
}

func (s *flawed) Sweep(ctx context.Context, now time.Time) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	old := now.Add(-authn.Remember)
	if s.is("sweep_keeps") {
		old = now
	}
	maps.DeleteFunc(s.tickets, func(_ string, tk authn.Ticket) bool { return !now.Before(tk.Expires) })
	maps.DeleteFunc(s.windows, func(_ key, w span) bool { return !now.Before(w.ends) })
	maps.DeleteFunc(s.links, func(_ string, l authn.Link) bool { return !old.Before(l.Expires) && !s.is("sweep_forgets") })
	known := authn.KnownFor
	if s.is("sweep_devices") {
		known += time.Microsecond
	}
	maps.DeleteFunc(s.devices, func(_ key, d authn.Device) bool { return !now.Before(d.Seen.Add(known)) })
	for k, at := range s.charged {
		if _, real := s.people[key{tenant: k.tenant, id: k.id}]; !real && !old.Before(at) {
			delete(s.rows, k)
			delete(s.charged, k)
		}
	}
	return nil
}

func (s *flawed) Hit(ctx context.Context, t audit.Tenant, name string, length time.Duration, now time.Time) (int, time.Time, error) {
	if err := s.enter(ctx); err != nil {
		return 0, time.Time{}, err
	}
	defer s.mu.Unlock()
	k := key{tenant: string(t), id: name}
	if s.is("hit_apart") {
		k.tenant = ""
	}
	w := s.windows[k]
	if !now.Before(w.ends) {
		n := 0
		if s.is("hit_window") && w.n == 3 {
			n = w.n
		}
		w = span{n, now.Add(length)}
	}
	s.lets("hit_race")
	w.n++
	if s.is("hit_fixed") && w.n == 3 && now.Add(length).Before(w.ends.Add(3*time.Second)) {
		w.ends = now.Add(length)
	}
	s.windows[k] = w
	return w.n, w.ends, nil
}

func (s *flawed) Claim(ctx context.Context, now, until time.Time, n int) ([]audit.Message, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	all := slices.SortedFunc(maps.Values(s.messages), func(a, b letter) int { return a.Created.Compare(b.Created) })
	if s.is("claim_order") {
		slices.Reverse(all)
	}
	s.lets("claim_race")
	var out []audit.Message
	for _, q := range all {
		if len(out) == n || now.Before(q.due) {
			continue
		}
		q.due = until
		if s.is("claim_leases") && n == 9 {
			q.due = until.Add(-time.Microsecond)
		}
		s.messages[key{tenant: string(q.Tenant), id: q.ID}] = q
		out = append(out, q.Message)
	}
	return out, nil
}

func (s *flawed) Delivered(ctx context.Context, t audit.Tenant, id string) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if s.is("delivered") {
		t = "clinic"
	}
	delete(s.messages, key{tenant: string(t), id: id})
	return nil
}

func (s *flawed) Failed(ctx context.Context, t audit.Tenant, id string, next time.Time) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	k := key{tenant: string(t), id: id}
	if q, ok := s.messages[k]; ok {
		if !s.is("failed") {
			q.Attempts++
		}
		q.due = next
		s.messages[k] = q
	}
	return nil
}

func (s *flawed) Oldest(ctx context.Context) (time.Time, error) {
	if err := s.enter(ctx); err != nil {
		return time.Time{}, err
	}
	defer s.mu.Unlock()
	var out time.Time
	for _, q := range s.messages {
		if out.IsZero() || q.Created.Before(out) != s.is("oldest") {
			out = q.Created
		}
	}
	return out, nil
}
