package machine

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Memory is a Store for tests and demonstrations; it forgets everything with the process.
type Memory struct {
	mu     sync.Mutex
	rows   map[rowKey]Principal
	keys   map[string]rowKey // whose a key is
	tokens map[string]Token
}

type rowKey struct {
	tenant audit.Tenant
	id     audit.ActorID
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	return &Memory{rows: map[rowKey]Principal{}, keys: map[string]rowKey{}, tokens: map[string]Token{}}
}

var _ Store = (*Memory)(nil)

// enter takes the lock, unless ctx has ended.
func (s *Memory) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	return nil
}

// Get implements Principals.
func (s *Memory) Get(ctx context.Context, t audit.Tenant, id audit.ActorID) (Principal, error) {
	if err := s.enter(ctx); err != nil {
		return Principal{}, err
	}
	defer s.mu.Unlock()
	p, ok := s.rows[rowKey{t, id}]
	if !ok {
		return Principal{}, ErrNotFound
	}
	return shown(p), nil
}

// shown is p as Get and List return it.
func shown(p Principal) Principal {
	p = p.clone()
	for i := range p.Keys {
		p.Keys[i].Hash = nil
	}
	return p
}

// List implements Principals.
func (s *Memory) List(ctx context.Context, t audit.Tenant, after audit.ActorID) iter.Seq2[Principal, error] {
	return func(yield func(Principal, error) bool) {
		if err := s.enter(ctx); err != nil {
			yield(Principal{}, err)
			return
		}
		var rows []Principal
		for k, p := range s.rows {
			if k.tenant == t && k.id > after {
				rows = append(rows, shown(p))
			}
		}
		s.mu.Unlock()
		slices.SortFunc(rows, func(a, b Principal) int { return cmp.Compare(a.ID, b.ID) })
		for _, p := range rows {
			if !yield(p, nil) {
				return
			}
		}
	}
}

// Apply implements Principals.
func (s *Memory) Apply(ctx context.Context, c Change) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	key := rowKey{c.Put.Tenant, c.Put.ID}
	was, ok := s.rows[key]
	if was.Version != c.Expect || ok == (c.Expect == 0) {
		return ErrConflict
	}
	next := c.Put.clone()
	next.Version, next.Used = c.Expect+1, was.Used
	for i := range next.Keys {
		if !s.merge(was, &next.Keys[i]) {
			return ErrExists
		}
	}
	slices.SortFunc(next.Keys, func(a, b Key) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	for _, k := range was.Keys {
		delete(s.keys, k.ID)
	}
	for _, k := range next.Keys {
		s.keys[k.ID] = key
	}
	s.rows[key] = next
	return nil
}

// merge completes a key that was's principal has already; it is false for somebody else's.
func (s *Memory) merge(was Principal, k *Key) bool {
	if whose, ok := s.keys[k.ID]; !ok {
		k.Used = time.Time{}
		return true
	} else if whose != (rowKey{was.Tenant, was.ID}) {
		return false
	}
	i := slices.IndexFunc(was.Keys, func(have Key) bool { return have.ID == k.ID })
	expires, revoked := k.Expires, k.Revoked
	*k = was.Keys[i]
	k.Expires, k.Revoked = expires, revoked
	return true
}

// FindKey implements Credentials.
func (s *Memory) FindKey(ctx context.Context, id string) (Found, error) {
	if err := s.enter(ctx); err != nil {
		return Found{}, err
	}
	defer s.mu.Unlock()
	return s.find(id)
}

func (s *Memory) find(id string) (Found, error) {
	whose, ok := s.keys[id]
	if !ok {
		return Found{}, ErrNotFound
	}
	p := s.rows[whose].clone()
	k := p.Keys[slices.IndexFunc(p.Keys, func(k Key) bool { return k.ID == id })]
	p.Keys = nil
	return Found{Principal: p, Key: k}, nil
}

// FindToken implements Credentials.
func (s *Memory) FindToken(ctx context.Context, id string) (Found, error) {
	if err := s.enter(ctx); err != nil {
		return Found{}, err
	}
	defer s.mu.Unlock()
	tk, ok := s.tokens[id]
	if !ok {
		return Found{}, ErrNotFound
	}
	f, err := s.find(tk.Key)
	if err != nil || f.Principal.Tenant != tk.Tenant || f.Principal.ID != tk.Principal {
		return Found{}, ErrNotFound
	}
	tk = tk.clone()
	f.Token = &tk
	return f, nil
}

func (tk Token) clone() Token {
	tk.Hash, tk.Scopes = slices.Clone(tk.Hash), slices.Clone(tk.Scopes)
	return tk
}

// PutToken implements Credentials.
func (s *Memory) PutToken(ctx context.Context, tk Token) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if _, ok := s.tokens[tk.ID]; ok {
		return ErrExists
	}
	s.tokens[tk.ID] = tk.clone()
	return nil
}

// Touch implements Credentials.
func (s *Memory) Touch(ctx context.Context, t audit.Tenant, principal audit.ActorID, key string, now time.Time) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	row := rowKey{t, principal}
	p, ok := s.rows[row]
	i := slices.IndexFunc(p.Keys, func(k Key) bool { return k.ID == key && k.Revoked.IsZero() })
	if !ok || i < 0 {
		return nil
	}
	p = p.clone()
	if now.After(p.Keys[i].Used) {
		p.Keys[i].Used = now
	}
	if now.After(p.Used) {
		p.Used = now
	}
	s.rows[row] = p
	return nil
}

// Sweep implements Credentials.
func (s *Memory) Sweep(ctx context.Context, now time.Time) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	maps.DeleteFunc(s.tokens, func(_ string, tk Token) bool { return !now.Before(tk.Expires) })
	return nil
}
