package authn

import (
	"bytes"
	"cmp"
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Memory is a Store in memory, for tests and demonstrations. It is safe for concurrent use.
type Memory struct {
	mu       sync.Mutex
	people   map[personKey]Person
	rows     map[rowKey]Credential
	charged  map[rowKey]time.Time // when a row was last charged
	links    map[string]Link
	tickets  map[string]Ticket
	windows  map[windowKey]window
	messages map[messageKey]queued
	policies map[audit.Tenant]*Policy // never written to once they are here
	devices  map[deviceKey]Device
}

type (
	personKey struct {
		tenant audit.Tenant
		id     audit.ActorID
	}
	rowKey struct {
		personKey
		family Family
	}
	windowKey struct {
		tenant audit.Tenant
		key    string
	}
	messageKey struct {
		tenant audit.Tenant
		id     string
	}
	deviceKey struct {
		tenant audit.Tenant
		id     string
	}
	window struct {
		count int
		ends  time.Time
	}
	queued struct {
		audit.Message
		due time.Time
	}
)

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	return &Memory{
		people: map[personKey]Person{}, rows: map[rowKey]Credential{}, charged: map[rowKey]time.Time{},
		links: map[string]Link{}, tickets: map[string]Ticket{},
		windows: map[windowKey]window{}, messages: map[messageKey]queued{},
		policies: map[audit.Tenant]*Policy{}, devices: map[deviceKey]Device{},
	}
}

// enter takes the lock unless ctx has ended.
func (m *Memory) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	return nil
}

// Account implements People.
func (m *Memory) Account(ctx context.Context, t audit.Tenant, id audit.ActorID) (Account, error) {
	if err := m.enter(ctx); err != nil {
		return Account{}, err
	}
	defer m.mu.Unlock()
	return m.account(personKey{t, id})
}

func (m *Memory) account(k personKey) (Account, error) {
	p, ok := m.people[k]
	if !ok {
		return Account{}, ErrNotFound
	}
	return Account{clonePerson(p), m.rows[rowKey{k, FamilyPassword}], m.rows[rowKey{k, FamilySecond}]}, nil
}

// Find implements People.
func (m *Memory) Find(ctx context.Context, t audit.Tenant, term []byte) (Account, error) {
	if err := m.enter(ctx); err != nil {
		return Account{}, err
	}
	defer m.mu.Unlock()
	for k, p := range m.people {
		if k.tenant == t && p.Term != nil && bytes.Equal(p.Term, term) {
			return m.account(k)
		}
	}
	return Account{}, ErrNotFound
}

// People implements People.
func (m *Memory) People(ctx context.Context, t audit.Tenant, after audit.ActorID) iter.Seq2[Person, error] {
	return func(yield func(Person, error) bool) {
		if err := m.enter(ctx); err != nil {
			yield(Person{}, err)
			return
		}
		var all []Person
		for k, p := range m.people {
			if k.tenant == t && k.id > after {
				all = append(all, clonePerson(p))
			}
		}
		m.mu.Unlock()
		slices.SortFunc(all, func(a, b Person) int { return cmp.Compare(a.ID, b.ID) })
		for _, p := range all {
			if !yield(p, nil) {
				return
			}
		}
	}
}

// Link implements People.
func (m *Memory) Link(ctx context.Context, hash []byte) (Link, error) {
	if err := m.enter(ctx); err != nil {
		return Link{}, err
	}
	defer m.mu.Unlock()
	l, ok := m.links[string(hash)]
	if !ok {
		return Link{}, ErrLinkUnknown
	}
	l.Hash = bytes.Clone(l.Hash)
	return l, nil
}

// Apply implements People.
func (m *Memory) Apply(ctx context.Context, c Change) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if err := m.allowed(c); err != nil {
		return err
	}
	if c.Person.Kind != "" {
		m.write(c)
	}
	for _, l := range c.Links {
		l.Hash = bytes.Clone(l.Hash)
		m.links[string(l.Hash)] = l
	}
	for _, msg := range c.Messages {
		msg.Body = bytes.Clone(msg.Body)
		m.messages[messageKey{msg.Tenant, msg.ID}] = queued{msg, c.Due}
	}
	return nil
}

// allowed checks every condition of a change before anything is written.
func (m *Memory) allowed(c Change) error {
	if c.Person.Kind == "" {
		return nil
	}
	k := personKey{c.Person.Tenant, c.Person.ID}
	have, there := m.people[k]
	switch {
	case there && c.Expect == 0:
		return ErrExists
	case have.Version != c.Expect:
		return ErrConflict
	}
	for other, p := range m.people {
		if other != k && other.tenant == k.tenant && c.Person.Term != nil && bytes.Equal(p.Term, c.Person.Term) {
			return ErrExists
		}
	}
	if c.Consume == nil {
		return nil
	}
	l, ok := m.links[string(c.Consume)]
	if !ok || l.Tenant != k.tenant || l.Person != k.id {
		return ErrLinkUnknown
	}
	return l.live(c.Now)
}

// write writes what a change says about its person.
func (m *Memory) write(c Change) {
	k := personKey{c.Person.Tenant, c.Person.ID}
	p := clonePerson(c.Person)
	p.SignedIn, p.Banner = m.people[k].SignedIn, m.people[k].Banner
	m.people[k] = p
	if c.Password != nil {
		m.rows[rowKey{k, FamilyPassword}] = *c.Password
		m.reset(rowKey{k, FamilyPassword.Known()})
	}
	if c.Second {
		m.reset(rowKey{k, FamilySecond})
		m.reset(rowKey{k, FamilySecond.Known()})
	}
	if c.Forget {
		m.forget(k.tenant, k.id, "")
	}
	for hash, l := range m.links {
		consumed := c.Consume != nil && hash == string(c.Consume)
		voided := c.Void && l.Tenant == k.tenant && l.Person == k.id
		if (consumed || voided) && l.live(c.Now) == nil {
			l.Used = c.Now
			m.links[hash] = l
		}
	}
}

// reset has failures start from zero.
func (m *Memory) reset(k rowKey) {
	if row, ok := m.rows[k]; ok {
		row.Failures, row.NotBefore = 0, time.Time{}
		m.rows[k] = row
	}
}

// GetPolicy implements Policies.
func (m *Memory) GetPolicy(ctx context.Context, t audit.Tenant) (*Policy, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	p, ok := m.policies[t]
	if !ok {
		return nil, ErrNotFound
	}
	return p, nil
}

// SavePolicy implements Policies.
func (m *Memory) SavePolicy(ctx context.Context, t audit.Tenant, p Policy) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	var version int64
	if saved := m.policies[t]; saved != nil {
		version = saved.Version
	}
	if p.Version != version+1 {
		return ErrConflict
	}
	p = p.Clone()
	m.policies[t] = &p
	return nil
}

// Credential implements Credentials.
func (m *Memory) Credential(ctx context.Context, t audit.Tenant, subject audit.ActorID, f Family) (Credential, error) {
	if err := m.enter(ctx); err != nil {
		return Credential{}, err
	}
	defer m.mu.Unlock()
	return m.rows[rowKey{personKey{t, subject}, f}], nil
}

// Charge implements Credentials.
func (m *Memory) Charge(ctx context.Context, t audit.Tenant, subject audit.ActorID, f Family, l Limits, now time.Time) (Credential, bool, error) {
	if err := m.enter(ctx); err != nil {
		return Credential{}, false, err
	}
	defer m.mu.Unlock()
	k := rowKey{personKey{t, subject}, f}
	row := m.rows[k]
	if now.Before(row.NotBefore) || row.Failures >= l.Disable {
		return row, false, nil
	}
	row.Failures++
	row.NotBefore = now.Add(l.Delay(row.Failures))
	m.rows[k], m.charged[k] = row, now
	return row, true, nil
}

// Clear implements Credentials.
func (m *Memory) Clear(ctx context.Context, t audit.Tenant, subject audit.ActorID, f Family, now time.Time) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	k := rowKey{personKey{t, subject}, f}
	if row, ok := m.rows[k]; ok {
		row.Failures, row.NotBefore, row.Used = 0, time.Time{}, now
		m.rows[k] = row
	}
	return nil
}

// Rehash implements Credentials.
func (m *Memory) Rehash(ctx context.Context, t audit.Tenant, person audit.ActorID, old, new string) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	k := rowKey{personKey{t, person}, FamilyPassword}
	if row, ok := m.rows[k]; ok && row.Hash == old {
		row.Hash = new
		m.rows[k] = row
	}
	return nil
}

// SignedIn implements Credentials.
func (m *Memory) SignedIn(ctx context.Context, t audit.Tenant, person audit.ActorID, banner string, now time.Time) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	k := personKey{t, person}
	if p, ok := m.people[k]; ok && !now.Before(p.SignedIn) {
		p.SignedIn, p.Banner = now, cmp.Or(banner, p.Banner)
		m.people[k] = p
	}
	return nil
}

func clonePerson(p Person) Person {
	p.Term = bytes.Clone(p.Term)
	p.Sealed = slices.Clone(p.Sealed)
	return p
}
