package rbac_test

import (
	"context"
	"iter"
	"sync/atomic"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// faulty is a store that counts, fails or stalls; on says in which method, "" in all.
type faulty struct {
	rbac.Store
	err   error
	stall bool
	on    string
	calls atomic.Int64
}

func (f *faulty) fault(ctx context.Context, method string) error {
	f.calls.Add(1)
	if f.on != "" && f.on != method {
		return nil
	}
	if f.stall {
		<-ctx.Done()
		return ctx.Err()
	}
	return f.err
}

func (f *faulty) Grants(ctx context.Context, t audit.Tenant, p audit.ActorID) ([]rbac.Grant, error) {
	if err := f.fault(ctx, "Grants"); err != nil {
		return nil, err
	}
	return f.Store.Grants(ctx, t, p)
}

func (f *faulty) Holders(ctx context.Context, t audit.Tenant, roles []rbac.RoleName) ([]rbac.Grant, error) {
	if err := f.fault(ctx, "Holders"); err != nil {
		return nil, err
	}
	return f.Store.Holders(ctx, t, roles)
}

func (f *faulty) List(ctx context.Context, t audit.Tenant, after string) iter.Seq2[rbac.Grant, error] {
	if err := f.fault(ctx, "List"); err != nil {
		return func(yield func(rbac.Grant, error) bool) { yield(rbac.Grant{}, err) }
	}
	return f.Store.List(ctx, t, after)
}

func (f *faulty) Version(ctx context.Context, t audit.Tenant) (int64, error) {
	if err := f.fault(ctx, "Version"); err != nil {
		return 0, err
	}
	return f.Store.Version(ctx, t)
}

func (f *faulty) Apply(ctx context.Context, t audit.Tenant, v int64, c rbac.Change) error {
	if err := f.fault(ctx, "Apply"); err != nil {
		return err
	}
	return f.Store.Apply(ctx, t, v, c)
}

// loose is a store that answers every question with the same grant.
type loose struct {
	rbac.Store
	grant rbac.Grant
}

func (l loose) Grants(context.Context, audit.Tenant, audit.ActorID) ([]rbac.Grant, error) {
	return []rbac.Grant{l.grant}, nil
}

// countingRelation counts questions.
type countingRelation struct {
	rbac.Relation
	asked int
}

func (c *countingRelation) Has(ctx context.Context, t audit.Tenant, subject audit.ActorID, p audit.Patient, now time.Time) (bool, error) {
	c.asked++
	return c.Relation.Has(ctx, t, subject, p, now)
}

// failingRelation has a SQL reading but no answer.
type failingRelation struct {
	*rbac.MemoryRelation
	err error
}

func (f failingRelation) Has(context.Context, audit.Tenant, audit.ActorID, audit.Patient, time.Time) (bool, error) {
	return false, f.err
}
