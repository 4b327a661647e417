package audit_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
)

// newLog returns a Log over store that seals with a key of the test's own.
func newLog(t testing.TB, store audit.Store, o *audit.Options) *audit.Log {
	t.Helper()
	log, err := audit.New(store, newSealer(t), o)
	require.NoError(t, err)
	return log
}

// gcm is a Sealer as package phi has one, small.
type gcm struct{ aead cipher.AEAD }

func newSealer(t testing.TB) gcm {
	t.Helper()
	block, err := aes.NewCipher(make([]byte, 32))
	require.NoError(t, err)
	aead, err := cipher.NewGCMWithRandomNonce(block)
	require.NoError(t, err)
	return gcm{aead}
}

func (g gcm) Seal(_ context.Context, tenant audit.Tenant, label string, plain []byte) ([]byte, error) {
	return g.aead.Seal(nil, nil, plain, []byte(string(tenant)+"\x00"+label)), nil
}

func (g gcm) Unseal(_ context.Context, tenant audit.Tenant, label string, sealed []byte) ([]byte, error) {
	return g.aead.Open(nil, nil, sealed, []byte(string(tenant)+"\x00"+label))
}

// clock is a time that stands still until it is set.
func clock(t *time.Time) func() time.Time { return func() time.Time { return *t } }

func day(hour int) time.Time { return time.Date(2026, 11, 21, hour, 0, 0, 123456000, time.UTC) }

// staged is a store that gives entries their place only when Sequence is called, as one does
// whose writers do not wait for each other.
type staged struct {
	*audit.Memory
	mu      sync.Mutex
	bodies  map[string]string // by tenant and ID
	pending []audit.Entry
	refused int
}

func newStaged() *staged { return &staged{Memory: audit.NewMemory(), bodies: map[string]string{}} }

func (s *staged) Append(ctx context.Context, entries []audit.Entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh := s.pending[:len(s.pending):len(s.pending)]
	for _, e := range entries {
		old, known := s.bodies[key(&e)]
		switch {
		case !known:
			e.Patients, e.Objects = slices.Clone(e.Patients), slices.Clone(e.Objects)
			e.Body, e.Openings = bytes.Clone(e.Body), bytes.Clone(e.Openings)
			fresh = append(fresh, e)
		case old != string(e.Body):
			return audit.ErrConflict
		}
	}
	for _, e := range fresh[len(s.pending):] {
		s.bodies[key(&e)] = string(e.Body)
	}
	s.pending = fresh
	return nil
}

func key(e *audit.Entry) string { return string(e.Tenant) + "\x00" + e.ID }

func (s *staged) Sequence(ctx context.Context, limit int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(limit, len(s.pending))
	if err := s.Memory.Append(ctx, s.pending[:n]); err != nil {
		return 0, err
	}
	s.pending = slices.Clone(s.pending[n:])
	return n, nil
}

func (s *staged) Backlog(ctx context.Context) (audit.Backlog, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := audit.Backlog{Waiting: len(s.pending), Refused: s.refused}
	for _, e := range s.pending {
		if b.Oldest.IsZero() || e.Recorded.Before(b.Oldest) {
			b.Oldest = e.Recorded
		}
	}
	return b, ctx.Err()
}

func (s *staged) Get(ctx context.Context, tenant audit.Tenant, id string) (audit.Entry, error) {
	e, err := s.Memory.Get(ctx, tenant, id)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pending {
		if p.ID == id && p.Tenant == tenant {
			return p, nil
		}
	}
	return e, err
}

func (s *staged) refuse(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = n
}

// faulty is a store that asks a hook before each call.
type faulty struct {
	audit.Store
	mu    sync.Mutex
	hook  func(ctx context.Context, method string) error
	calls map[string]int
}

func newFaulty(s audit.Store) *faulty { return &faulty{Store: s, calls: map[string]int{}} }

func (f *faulty) set(hook func(ctx context.Context, method string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

func (f *faulty) ask(ctx context.Context, method string) error {
	f.mu.Lock()
	f.calls[method]++
	hook := f.hook
	f.mu.Unlock()
	if hook == nil {
		return nil
	}
	return hook(ctx, method)
}

func (f *faulty) called(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[method]
}

func (f *faulty) Append(ctx context.Context, entries []audit.Entry) error {
	if err := f.ask(ctx, "Append"); err != nil {
		return err
	}
	return f.Store.Append(ctx, entries)
}

func (f *faulty) Sequence(ctx context.Context, limit int) (int, error) {
	if err := f.ask(ctx, "Sequence"); err != nil {
		return 0, err
	}
	return f.Store.Sequence(ctx, limit)
}

func (f *faulty) Backlog(ctx context.Context) (audit.Backlog, error) {
	if err := f.ask(ctx, "Backlog"); err != nil {
		return audit.Backlog{}, err
	}
	return f.Store.Backlog(ctx)
}

func (f *faulty) Get(ctx context.Context, tenant audit.Tenant, id string) (audit.Entry, error) {
	if err := f.ask(ctx, "Get"); err != nil {
		return audit.Entry{}, err
	}
	return f.Store.Get(ctx, tenant, id)
}

func (f *faulty) List(ctx context.Context, q audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		if err := f.ask(ctx, "List"); err != nil {
			yield(audit.Entry{}, err)
			return
		}
		f.Store.List(ctx, q, below, limit)(yield)
	}
}

func (f *faulty) Count(ctx context.Context, q audit.Filter, limit int) (int, error) {
	if err := f.ask(ctx, "Count"); err != nil {
		return 0, err
	}
	return f.Store.Count(ctx, q, limit)
}

func (f *faulty) Erase(ctx context.Context, tenant audit.Tenant, ids []string) error {
	if err := f.ask(ctx, "Erase"); err != nil {
		return err
	}
	return f.Store.Erase(ctx, tenant, ids)
}
