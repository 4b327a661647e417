package authntest_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/internal/conform"
)

// flawed is a store that is written to be broken: with flaw set to the name of a rule it
// breaks that one sentence of the contract, and with "" none.
type flawed struct {
	flaw   string
	broken bool // by people_break

	meeting conform.Meeting
	raced   bool

	mu       sync.Mutex
	people   map[key]authn.Person
	rows     map[key]authn.Credential
	charged  map[key]time.Time
	links    map[string]authn.Link
	tickets  map[string]authn.Ticket
	taken    map[string]time.Time
	windows  map[key]span
	messages map[key]letter
	policies map[audit.Tenant]*authn.Policy
	before   map[audit.Tenant]*authn.Policy
	devices  map[key]authn.Device
}

type (
	key  struct{ tenant, id, family string }
	span struct {
		n    int
		ends time.Time
	}
	letter struct {
		audit.Message
		due time.Time
	}
)

func newFlawed(flaw string) *flawed {
	return &flawed{
		flaw: flaw, people: map[key]authn.Person{}, rows: map[key]authn.Credential{}, charged: map[key]time.Time{},
		links: map[string]authn.Link{}, tickets: map[string]authn.Ticket{}, taken: map[string]time.Time{}, windows: map[key]span{}, messages: map[key]letter{},
		policies: map[audit.Tenant]*authn.Policy{}, before: map[audit.Tenant]*authn.Policy{}, devices: map[key]authn.Device{},
	}
}

func (s *flawed) is(flaw string) bool { return s.flaw == flaw }

// lets others in between a look and the write that trusts it, if that is the flaw.
func (s *flawed) lets(flaw string) (met bool) {
	if !s.is(flaw) {
		return false
	}
	s.mu.Unlock()
	defer s.mu.Lock()
	return s.meeting.Wait()
}

func (s *flawed) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil && !s.is("cancelled") {
		return err
	}
	s.mu.Lock()
	if s.broken {
		s.mu.Unlock()
		return errors.New("out of connections")
	}
	return nil
}

func of(t audit.Tenant, id audit.ActorID) key { return key{tenant: string(t), id: string(id)} }

func row(t audit.Tenant, id audit.ActorID, f authn.Family) key {
	return key{string(t), string(id), string(f)}
}

func (s *flawed) account(k key) (authn.Account, error) {
	p, ok := s.people[k]
	if !ok {
		return authn.Account{}, authn.ErrNotFound
	}
	t, id := p.Tenant, p.ID
	return authn.Account{
		Person: p, Password: s.rows[row(t, id, authn.FamilyPassword)], Second: s.rows[row(t, id, authn.FamilySecond)],
	}, nil
}

func (s *flawed) Account(ctx context.Context, t audit.Tenant, id audit.ActorID) (authn.Account, error) {
	if err := s.enter(ctx); err != nil {
		return authn.Account{}, err
	}
	defer s.mu.Unlock()
	a, err := s.account(of(t, id))
	if err != nil && s.is("account_of_tenant") {
		for k, p := range s.people {
			if p.ID == id {
				return s.account(k)
			}
		}
	}
	return a, err
}

func (s *flawed) Find(ctx context.Context, t audit.Tenant, term []byte) (authn.Account, error) {
	if err := s.enter(ctx); err != nil {
		return authn.Account{}, err
	}
	defer s.mu.Unlock()
	for k, p := range s.people {
		here := p.Tenant == t || s.is("find_of_tenant")
		if here && p.Term != nil && bytes.Equal(p.Term, term) {
			return s.account(k)
		}
		if here && s.is("find_current") && string(term) == "term of "+k.id {
			return s.account(k)
		}
	}
	return authn.Account{}, authn.ErrNotFound
}

func (s *flawed) People(ctx context.Context, t audit.Tenant, after audit.ActorID) iter.Seq2[authn.Person, error] {
	return func(yield func(authn.Person, error) bool) {
		if err := s.enter(ctx); err != nil {
			yield(authn.Person{}, err)
			return
		}
		all := slices.SortedFunc(maps.Values(s.people), func(a, b authn.Person) int { return cmp.Compare(a.ID, b.ID) })
		s.mu.Unlock()
		if s.is("people_in_order") {
			slices.Reverse(all)
		}
		for _, p := range all {
			if p.Tenant == t && p.ID > after && !yield(p, nil) {
				s.broken = s.is("people_break") // as if the statement were still open
				return
			}
		}
	}
}

func (s *flawed) Link(ctx context.Context, hash []byte) (authn.Link, error) {
	if err := s.enter(ctx); err != nil {
		return authn.Link{}, err
	}
	defer s.mu.Unlock()
	l, ok := s.links[string(hash)]
	if !ok {
		return authn.Link{}, authn.ErrLinkUnknown
	}
	if s.is("keeps_link") {
		l.Purpose = authn.PurposeInvitation
	}
	return l, nil
}

func (s *flawed) Apply(ctx context.Context, c authn.Change) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if c.Person.Kind == "" && c.Person.ID != "" && s.is("nobody") {
		c.Person.Kind = audit.KindStaff
	}
	if s.is("all_or_nothing") {
		s.add(c)
	}
	if c.Person.Kind != "" {
		if err := s.change(c); err != nil {
			return err
		}
	}
	s.add(c)
	return nil
}

func (s *flawed) change(c authn.Change) error {
	if err := s.conditions(c); err != nil {
		return err
	}
	if c.Consume != nil {
		if err := s.consume(c); err != nil {
			return err
		}
	}
	s.write(c)
	return nil
}

func (s *flawed) conditions(c authn.Change) error {
	k := of(c.Person.Tenant, c.Person.ID)
	have, there := s.people[k]
	switch {
	case there && c.Expect == 0 && !s.is("create_once"):
		return authn.ErrExists
	case there && c.Expect == 0:
	case !there && c.Expect != 0, have.Version != c.Expect && !s.is("expects_version"):
		return authn.ErrConflict
	case have.Version < c.Expect-1: // the flaw of expects_version is small
		return authn.ErrConflict
	case s.is("expects_version") && have.Version > c.Expect:
		return authn.ErrConflict
	}
	for other, p := range s.people {
		same := c.Person.Term != nil && bytes.Equal(p.Term, c.Person.Term)
		if other != k && other.tenant == k.tenant && same && !s.is("term_unique") {
			return authn.ErrExists
		}
	}
	if c.Consume == nil {
		s.lets("one_wins")
	}
	return nil
}

func (s *flawed) consume(c authn.Change) error {
	l, ok := s.links[string(c.Consume)]
	mine := l.Tenant == c.Person.Tenant && l.Person == c.Person.ID
	switch {
	case !ok, !mine && !s.is("link_of_person"):
		return authn.ErrLinkUnknown
	case !l.Used.IsZero() && !(s.is("link_once") && c.Now.After(l.Used)):
		return authn.ErrLinkUsed
	case !c.Now.Before(l.Expires) && !s.is("link_expired"):
		return authn.ErrLinkExpired
	}
	if s.is("link_race") {
		s.lets("link_race")
		c.Expect = s.people[of(c.Person.Tenant, c.Person.ID)].Version
	}
	l.Used = c.Now
	s.links[string(c.Consume)] = l
	return nil
}

func (s *flawed) write(c authn.Change) {
	k := of(c.Person.Tenant, c.Person.ID)
	p := c.Person
	if !s.is("signed_in_kept") {
		p.SignedIn, p.Banner = s.people[k].SignedIn, s.people[k].Banner
	}
	if s.is("identifier_gone") && p.Sealed == nil {
		p.Sealed = s.people[k].Sealed
	}
	if s.is("keeps_person") {
		p.Created = p.Created.Truncate(time.Second)
		if p.Version == 1 {
			p.Created = c.Person.Created
		}
	}
	s.people[k] = p
	if c.Forget || s.is("device_forget") {
		s.forget(p.Tenant, p.ID, "")
	}
	pw := row(p.Tenant, p.ID, authn.FamilyPassword)
	switch {
	case c.Password != nil:
		failures := s.rows[pw].Failures
		s.rows[pw] = *c.Password
		if s.is("password_replaced") {
			s.rows[pw] = authn.Credential{Hash: c.Password.Hash, Due: c.Password.Due, Changed: c.Password.Changed, Failures: failures}
		}
	case s.is("password_left") && s.rows[pw].Hash != "":
		delete(s.rows, pw)
	}
	if c.Password != nil && !s.is("password_known") {
		s.reset(row(p.Tenant, p.ID, authn.FamilyPassword.Known()))
	}
	if c.Second && !s.is("second_reset") {
		s.reset(row(p.Tenant, p.ID, authn.FamilySecond))
	}
	if c.Second && !s.is("second_known") {
		s.reset(row(p.Tenant, p.ID, authn.FamilySecond.Known()))
	}
	s.void(c, k)
}

func (s *flawed) reset(k key) {
	r := s.rows[k]
	r.Failures, r.NotBefore = 0, time.Time{}
	s.rows[k] = r
}

func (s *flawed) void(c authn.Change, k key) {
	for hash, l := range s.links {
		mine := of(l.Tenant, l.Person) == k || s.is("void_own")
		live := l.Used.IsZero() && c.Now.Before(l.Expires)
		if c.Void && mine && (live || s.is("used_stays")) && !s.is("void") {
			l.Used = c.Now
			s.links[hash] = l
		}
	}
}

func (s *flawed) add(c authn.Change) {
	for _, l := range c.Links {
		s.links[string(l.Hash)] = l
	}
	for _, m := range c.Messages {
		if s.is("keeps_message") {
			m.Topic = ""
		}
		due := c.Due
		if s.is("claim_due") {
			due = c.Now
		}
		s.messages[key{tenant: string(m.Tenant), id: m.ID}] = letter{m, due}
	}
}

func (s *flawed) Credential(ctx context.Context, t audit.Tenant, id audit.ActorID, f authn.Family) (authn.Credential, error) {
	if err := s.enter(ctx); err != nil {
		return authn.Credential{}, err
	}
	defer s.mu.Unlock()
	return s.rows[row(t, id, f)], nil
}

func (s *flawed) Charge(ctx context.Context, t audit.Tenant, id audit.ActorID, f authn.Family, l authn.Limits, now time.Time) (authn.Credential, bool, error) {
	if err := s.enter(ctx); err != nil {
		return authn.Credential{}, false, err
	}
	defer s.mu.Unlock()
	k := row(t, id, f)
	from := k
	if s.is("charge_family") && f == authn.FamilySecond && s.rows[k].Failures == 0 {
		if p := s.rows[row(t, id, authn.FamilyPassword)]; p.Failures > 1 {
			from = row(t, id, authn.FamilyPassword)
		}
	}
	if s.is("charge_tenant") && t == "other" {
		from = row("clinic", id, f)
	}
	r := s.rows[from]
	if s.is("charge_nobody") && len(s.people) == 0 && id != "ann" {
		return r, true, nil
	}
	early := now.Before(r.NotBefore) && !(s.is("charge_waits") && r.NotBefore.Sub(now) == time.Microsecond)
	over := r.Failures >= l.Disable && !s.is("charge_disabled")
	if early || over {
		if s.is("charge_refused") && early {
			r.Used = now
			s.rows[k] = r
		}
		return r, false, nil
	}
	s.lets("charge_race")
	r.Failures++
	r.NotBefore = now.Add(l.Delay(r.Failures))
	if s.is("charge_delays") && r.Failures == 5 {
		r.NotBefore = now.Add(l.Max)
	}
	s.rows[k], s.charged[k] = r, now
	return r, true, nil
}

func (s *flawed) Clear(ctx context.Context, t audit.Tenant, id audit.ActorID, f authn.Family, now time.Time) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if r, ok := s.rows[row(t, id, f)]; ok {
		r.Failures, r.Used = 0, now
		if !s.is("clear") {
			r.NotBefore = time.Time{}
		}
		s.rows[row(t, id, f)] = r
	}
	return nil
}

func (s *flawed) Rehash(ctx context.Context, t audit.Tenant, id audit.ActorID, old, new string) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	k := row(t, id, authn.FamilyPassword)
	if r, ok := s.rows[k]; ok && (r.Hash == old || s.is("rehash")) {
		r.Hash = new
		s.rows[k] = r
	}
	return nil
}

func (s *flawed) SignedIn(ctx context.Context, t audit.Tenant, id audit.ActorID, banner string, now time.Time) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if p, ok := s.people[of(t, id)]; ok && (!now.Before(p.SignedIn) || s.is("signed_in_forward")) {
		p.SignedIn = now
		if banner != "" || s.is("banner_kept") {
			p.Banner = banner
		}
		s.people[of(t, id)] = p
	}
	return nil
}
