package mfatest_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/mfa/mfatest"
)

// mutant is a good store with one method replaced.
type mutant struct {
	*mfa.Memory
	get     func(context.Context, audit.Tenant, audit.ActorID) (mfa.Credential, error)
	apply   func(context.Context, mfa.Change) error
	advance func(context.Context, mfa.Ref, int64, time.Time) (bool, error)
	fail    func(context.Context, mfa.Ref, int, time.Time) (int, error)
	list    func(context.Context, audit.Tenant, audit.ActorID) iter.Seq2[mfa.Credential, error]
	claim   func(context.Context, time.Time, time.Time, int) ([]audit.Message, error)
	done    func(context.Context, audit.Tenant, string) error
}

func (m *mutant) Get(ctx context.Context, t audit.Tenant, p audit.ActorID) (mfa.Credential, error) {
	return m.get(ctx, t, p)
}
func (m *mutant) Apply(ctx context.Context, c mfa.Change) error { return m.apply(ctx, c) }
func (m *mutant) Advance(ctx context.Context, r mfa.Ref, step int64, now time.Time) (bool, error) {
	return m.advance(ctx, r, step, now)
}

func (m *mutant) Fail(ctx context.Context, r mfa.Ref, limit int, now time.Time) (int, error) {
	return m.fail(ctx, r, limit, now)
}

func (m *mutant) List(ctx context.Context, t audit.Tenant, after audit.ActorID) iter.Seq2[mfa.Credential, error] {
	return m.list(ctx, t, after)
}

func (m *mutant) Claim(ctx context.Context, now, until time.Time, limit int) ([]audit.Message, error) {
	return m.claim(ctx, now, until, limit)
}

func (m *mutant) Done(ctx context.Context, t audit.Tenant, id string) error {
	return m.done(ctx, t, id)
}

// breaking returns how to open stores that break breaks.
func breaking(breaks func(m *mutant, good *mfa.Memory)) func() mfa.Store {
	return func() mfa.Store {
		good := mfa.NewMemory()
		m := &mutant{good, good.Get, good.Apply, good.Advance, good.Fail, good.List, good.Claim, good.Done}
		breaks(m, good)
		return m
	}
}

// serial makes compound operations of a mutant atomic, so that it breaks one rule only.
type serial struct{ mu sync.Mutex }

func (s *serial) do(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

var errBroken = errors.New("broken")

func TestMutants(t *testing.T) {
	t.Parallel()
	all := credentialMutants()
	for name, open := range attemptMutants() {
		all[name] = open
	}
	for name, open := range listMutants() {
		all[name] = open
	}
	for name, open := range passkeyMutants() {
		all[name] = open
	}
	for name, open := range numberMutants() {
		all[name] = open
	}
	for name, open := range textCodeMutants() {
		all[name] = open
	}
	conform.Mutants(t, mfatest.Rules(), all)
}

func TestCheckNamesTheBrokenRule(t *testing.T) {
	t.Parallel()
	good := func() (mfa.Store, error) { return mfa.NewMemory(), nil }
	require.NoError(t, mfatest.Check(t.Context(), good))
	bad := func() (mfa.Store, error) { return credentialMutants()["delete"](), nil }
	require.ErrorContains(t, mfatest.Check(t.Context(), bad), "delete:")
	closed := func() (mfa.Store, error) { return nil, errBroken }
	require.ErrorIs(t, mfatest.Check(t.Context(), closed), errBroken)
}

func credentialMutants() map[string]func() mfa.Store {
	return map[string]func() mfa.Store{
		"get-missing": breaking(func(m *mutant, good *mfa.Memory) {
			m.get = func(ctx context.Context, t audit.Tenant, p audit.ActorID) (mfa.Credential, error) {
				c, err := good.Get(ctx, t, p)
				if errors.Is(err, mfa.ErrNotFound) && p == "p-nobody" {
					return mfa.Credential{}, nil
				}
				return c, err
			}
		}),
		"round-trip": breaking(func(m *mutant, good *mfa.Memory) {
			m.apply = func(ctx context.Context, c mfa.Change) error {
				if c.Put != nil && c.Put.Version == 77 { // takes the caller's version
					put := *c.Put
					put.Secret = []byte("not what was written")
					c.Put = &put
				}
				return good.Apply(ctx, c)
			}
		}),
		"detached": breaking(func(m *mutant, good *mfa.Memory) {
			shared := map[audit.ActorID][]byte{}
			var s serial
			m.apply = func(ctx context.Context, c mfa.Change) error {
				if c.Put != nil {
					s.do(func() { shared[c.Was.Person] = c.Put.Secret })
				}
				return good.Apply(ctx, c)
			}
			m.get = func(ctx context.Context, t audit.Tenant, p audit.ActorID) (mfa.Credential, error) {
				c, err := good.Get(ctx, t, p)
				s.do(func() {
					if err == nil && c.ID == "e-1" && c.Version == 1 && c.Tenant == "clinic" {
						c.Secret = shared[p]
					}
				})
				return c, err
			}
		}),
		"create-once": breaking(func(m *mutant, good *mfa.Memory) {
			m.apply = func(ctx context.Context, c mfa.Change) error { // an upsert
				err := good.Apply(ctx, c)
				if errors.Is(err, mfa.ErrConflict) && c.Version == 0 && c.Put != nil && len(c.Passkeys) == 0 {
					return nil
				}
				return err
			}
		}),
		"update-once": breaking(func(m *mutant, good *mfa.Memory) {
			m.apply = func(ctx context.Context, c mfa.Change) error {
				err := good.Apply(ctx, c)
				if have, e := good.Get(ctx, c.Was.Tenant, c.Was.Person); e == nil && err != nil &&
					c.Put != nil && len(c.Passkeys) == 0 && have.ID == c.Was.ID && c.Version == 1 && have.Used.Equal(c.Put.Used) && have.Failures == c.Put.Failures {
					return nil
				}
				return err
			}
		}),
		"update-enrolment": breaking(func(m *mutant, good *mfa.Memory) {
			m.apply = func(ctx context.Context, c mfa.Change) error {
				if have, err := good.Get(ctx, c.Was.Tenant, c.Was.Person); err == nil && c.Version > 0 {
					c.Was.ID = have.ID
				}
				return good.Apply(ctx, c)
			}
		}),
		"update-missing": breaking(func(m *mutant, good *mfa.Memory) {
			m.apply = func(ctx context.Context, c mfa.Change) error {
				if _, err := good.Get(ctx, c.Was.Tenant, c.Was.Person); err != nil && c.Put != nil {
					c.Was.ID, c.Version = "", 0
				}
				return good.Apply(ctx, c)
			}
		}),
		"delete": breaking(func(m *mutant, good *mfa.Memory) {
			m.apply = func(ctx context.Context, c mfa.Change) error {
				have, missing := good.Get(ctx, c.Was.Tenant, c.Was.Person)
				err := good.Apply(ctx, c)
				if c.Put == nil && missing == nil && err == nil {
					_ = good.Apply(ctx, mfa.Change{Was: mfa.Ref{Tenant: c.Was.Tenant, Person: c.Was.Person}, Put: &have})
				}
				return err
			}
		}),
		"delete-version": breaking(func(m *mutant, good *mfa.Memory) {
			m.apply = func(ctx context.Context, c mfa.Change) error {
				if have, err := good.Get(ctx, c.Was.Tenant, c.Was.Person); c.Put == nil && err == nil {
					c.Version = have.Version
				}
				return good.Apply(ctx, c)
			}
		}),
		"delete-missing": breaking(func(m *mutant, good *mfa.Memory) {
			m.apply = func(ctx context.Context, c mfa.Change) error {
				if _, err := good.Get(ctx, c.Was.Tenant, c.Was.Person); c.Put == nil && err != nil {
					return nil
				}
				return good.Apply(ctx, c)
			}
		}),
		"all-or-nothing": breaking(func(m *mutant, good *mfa.Memory) {
			m.apply = func(ctx context.Context, c mfa.Change) error {
				err := good.Apply(ctx, c)
				if errors.Is(err, mfa.ErrConflict) && len(c.Passkeys) == 0 && c.Number == nil {
					extra := mfa.Credential{Tenant: c.Was.Tenant, Person: "extra", ID: "e"}
					_ = good.Apply(ctx, mfa.Change{Was: mfa.Ref{Tenant: c.Was.Tenant, Person: "extra"}, Put: &extra, Messages: c.Messages, Due: c.Due})
				}
				return err
			}
		}),
		"tenants-apart": breaking(func(m *mutant, good *mfa.Memory) {
			m.get = func(ctx context.Context, t audit.Tenant, p audit.ActorID) (mfa.Credential, error) {
				c, err := good.Get(ctx, t, p)
				if err != nil && t == "other-clinic" {
					return good.Get(ctx, "clinic", p)
				}
				return c, err
			}
		}),
	}
}

func listMutants() map[string]func() mfa.Store {
	lists := func(edit func(good *mfa.Memory, t audit.Tenant, after audit.ActorID, rows []mfa.Credential) []mfa.Credential) func() mfa.Store {
		return breaking(func(m *mutant, good *mfa.Memory) {
			m.list = func(ctx context.Context, t audit.Tenant, after audit.ActorID) iter.Seq2[mfa.Credential, error] {
				return func(yield func(mfa.Credential, error) bool) {
					var rows []mfa.Credential
					for c, err := range good.List(ctx, t, after) {
						if err != nil {
							yield(c, err)
							return
						}
						rows = append(rows, c)
					}
					for _, c := range edit(good, t, after, rows) {
						if !yield(c, ctx.Err()) {
							return
						}
					}
				}
			}
		})
	}
	return map[string]func() mfa.Store{
		"list-order": lists(func(_ *mfa.Memory, _ audit.Tenant, _ audit.ActorID, rows []mfa.Credential) []mfa.Credential {
			return rows[:min(len(rows), 100)] // one page and no more
		}),
		"list-after": lists(func(good *mfa.Memory, t audit.Tenant, after audit.ActorID, rows []mfa.Credential) []mfa.Credential {
			if c, err := good.Get(context.Background(), t, after); err == nil {
				return slices.Insert(rows, 0, c)
			}
			return rows
		}),
		"list-tenant": lists(func(good *mfa.Memory, t audit.Tenant, _ audit.ActorID, rows []mfa.Credential) []mfa.Credential {
			if t == "other-clinic" {
				for c := range good.List(context.Background(), "clinic", "") {
					rows = append(rows, c)
				}
			}
			return rows
		}),
		"list-secret": lists(func(good *mfa.Memory, t audit.Tenant, _ audit.ActorID, rows []mfa.Credential) []mfa.Credential {
			for i, c := range rows {
				rows[i], _ = good.Get(context.Background(), t, c.Person)
			}
			return rows
		}),
		"claim-due": breaking(func(m *mutant, good *mfa.Memory) {
			m.claim = func(ctx context.Context, now, until time.Time, limit int) ([]audit.Message, error) {
				out, err := good.Claim(ctx, now, until, limit)
				for i := range out {
					out[i].Body = nil
				}
				return out, err
			}
		}),
		"claim-lease": breaking(func(m *mutant, good *mfa.Memory) {
			m.claim = func(ctx context.Context, now, until time.Time, limit int) ([]audit.Message, error) {
				return good.Claim(ctx, now, until.Add(time.Minute), limit)
			}
		}),
		"claim-limit": breaking(func(m *mutant, good *mfa.Memory) {
			m.claim = func(ctx context.Context, now, until time.Time, limit int) ([]audit.Message, error) {
				return good.Claim(ctx, now, until, max(limit, 3))
			}
		}),
		"claim-once": breaking(func(m *mutant, good *mfa.Memory) {
			var s serial
			var last []audit.Message
			m.claim = func(ctx context.Context, now, until time.Time, limit int) (out []audit.Message, err error) {
				s.do(func() {
					out, err = good.Claim(ctx, now, until, limit)
					if limit == 3 && len(out) == 0 { // as if two had read before either wrote
						out = last
					}
					last = out
				})
				return out, err
			}
		}),
		"done": breaking(func(m *mutant, good *mfa.Memory) {
			m.done = func(ctx context.Context, t audit.Tenant, id string) error {
				if t != "clinic" {
					return good.Done(ctx, t, id)
				}
				return ctx.Err()
			}
		}),
		"done-tenant": breaking(func(m *mutant, good *mfa.Memory) {
			m.done = func(ctx context.Context, _ audit.Tenant, id string) error { return good.Done(ctx, "clinic", id) }
		}),
		"cancelled": breaking(func(m *mutant, good *mfa.Memory) {
			m.fail = func(ctx context.Context, r mfa.Ref, limit int, now time.Time) (int, error) {
				return good.Fail(context.WithoutCancel(ctx), r, limit, now)
			}
		}),
	}
}
