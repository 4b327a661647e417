package tlog

import (
	"context"
	"errors"
	"math"
	"slices"

	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/internal/spans"
)

// judge takes what the purges allow that were read since the last head from what is missing. They
// are whole: the tree that has just been compared with the head is made of their bytes.
func (v *verification) judge(a *Ages) {
	for _, p := range v.purges {
		if spans.Meet(v.missing, p.Spans) && a.allows(p, v.o.Now()) == nil {
			v.missing = spans.Without(v.missing, p.Spans)
		}
	}
	v.purges = nil
}

// settle finds out whether everything without a body is covered by a purge: what is missing of what
// was read now, and, of the places below start that were read another time, what the store says.
// False: findings.
func (v *verification) settle(ctx context.Context, t audit.Tenant, start int64, waiting []audit.Span) (bool, error) {
	all := slices.Clone(waiting)
	for from := int64(0); from < start; from += purgedAhead {
		gone, err := v.purged(ctx, t, from, min(from+purgedAhead, start), false)
		if err != nil {
			return false, err
		}
		all = append(all, gone...)
	}
	old := spans.Union(all)
	v.lacking += spans.Count(old)
	left := spans.Union(slices.Concat(old, v.missing))
	left, err := v.lookUp(ctx, t, left)
	if err == nil && len(left) > 0 {
		left, err = v.later(ctx, t, left)
	}
	if err != nil {
		return false, err
	}
	v.report.Purged += v.lacking - spans.Count(left)
	v.uncovered(t, left)
	return len(left) == 0, nil
}

// maxSpans bounds the findings of one kind about one tenant.
const maxSpans = 1000

func (v *verification) uncovered(t audit.Tenant, left []audit.Span) {
	if len(left) > maxSpans {
		left[maxSpans-1].To = left[len(left)-1].To
		left = left[:maxSpans]
	}
	for _, s := range left {
		v.find(t, ErrUncoveredPurge, s.From, s.To)
	}
}

// later looks again where the log was covered further since this verification began: a purge that
// was executed meanwhile is among what is new.
func (v *verification) later(ctx context.Context, t audit.Tenant, left []audit.Span) ([]audit.Span, error) {
	latest, err := v.store.Latest(ctx)
	if err != nil {
		return nil, unavailable("reading the checkpoint", err)
	}
	was := v.report.Checkpoint
	to, err := OpenCheckpoint(latest.Note, v.key)
	if err != nil || to.Size < was.Size {
		return nil, ErrRewritten
	}
	if to.Size == was.Size {
		return left, nil
	}
	v.heads, v.clock = map[audit.Tenant]*line{}, clock{}
	if err := v.entries(ctx, to, []Checkpoint{was}); err != nil {
		return nil, err
	}
	v.report.Checkpoint, v.note = to, latest.Note
	if err := v.orders(ctx); err != nil {
		return nil, err
	}
	return v.lookUp(ctx, t, left)
}

// lookUp asks the store for the tenant's purges and takes what they allow from left. Each is proven by
// the tenant's newest head; one that the store hides, or that is not proven, allows nothing.
func (v *verification) lookUp(ctx context.Context, t audit.Tenant, left []audit.Span) ([]audit.Span, error) {
	if len(left) == 0 {
		return nil, nil
	}
	ages, err := v.ages(ctx, t)
	if err != nil || ages == nil {
		return left, err
	}
	head := v.heads[t].last
	r := merkle.TileHashReader(merkle.Tree{N: head.Size, Hash: merkle.Hash(head.Root)}, &tiles{ctx: ctx, src: v.src, store: v.store, tenant: t})
	purges := audit.Filter{Tenant: t, Actions: []audit.Action{audit.ActionPurgeExecuted}}
	for e, err := range v.src.List(ctx, purges, head.Size, math.MaxInt) {
		if errors.Is(err, audit.ErrDamaged) {
			break
		}
		if err != nil {
			return nil, unavailable("reading purges", err)
		}
		p, ok := purgeIn(&e, t)
		if !ok || !spans.Meet(left, p.Spans) || ages.allows(p, v.o.Now()) != nil {
			continue
		}
		was, err := r.ReadHashes([]int64{merkle.StoredHashIndex(0, e.Index)})
		if errors.Is(err, ErrUnavailable) {
			return nil, err
		}
		if err == nil && was[0] == merkle.Hash(audit.Leaf(e.Body)) {
			left = spans.Without(left, p.Spans)
		}
	}
	return left, nil
}

// ages reads a tenant's heads; nil if they are not those that the root log has.
func (v *verification) ages(ctx context.Context, t audit.Tenant) (*Ages, error) {
	of, again, a := v.heads[t], &line{}, &Ages{tenant: t}
	for h, err := range v.store.HeadsOf(ctx, t, 0) {
		if err != nil {
			return nil, unavailable("reading the root log", err)
		}
		if h.N > of.last.N {
			break
		}
		again.add(h)
		a.add(h, v.clock.of(h))
	}
	if again.sum != of.sum {
		return nil, nil
	}
	return a, nil
}
