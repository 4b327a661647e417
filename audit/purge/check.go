package purge

import (
	"context"
	"errors"
	"slices"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tlog"
)

// leafChunk is how many leaf hashes, bodyChunk how many events are read at a time.
const (
	leafChunk = 8192
	bodyChunk = 500
)

// check sees to it that every event of the plan is there, may be destroyed now, is in the bundle, and
// is the one that the signed tree covers. ErrStopped, ErrBundle, tlog.ErrTampered.
func (k *Keeper) check(ctx context.Context, p *Plan) error {
	if err := p.whole(); err != nil {
		return err
	}
	leaves, err := k.leaves(ctx, p)
	if errors.Is(err, tlog.ErrMissing) { // by another purge, or by nobody that says so
		if gaps := k.gaps(ctx, p.Tenant); gaps != nil {
			return gaps
		}
		return ErrStopped
	}
	if err != nil {
		return err
	}
	if err := k.prove(ctx, p, leaves); err != nil {
		return err
	}
	return k.unbundle(ctx, p, leaves)
}

// whole sees to it that what a store answers is a plan.
func (p *Plan) whole() error {
	var count int64
	end := int64(-1)
	for _, s := range p.Spans {
		if s.From <= end || s.To <= s.From {
			return ErrPlan
		}
		end = s.To
		count += s.To - s.From
	}
	if count == 0 || count != p.Count || p.Months < audit.Floor || len(p.Spans) > audit.MaxSpans {
		return ErrPlan
	}
	return nil
}

// leaves reads the plan's events, judges them, and returns their leaf hashes in order.
func (k *Keeper) leaves(ctx context.Context, p *Plan) ([][32]byte, error) {
	j, err := k.judge(ctx, p.Tenant)
	if err != nil {
		return nil, err
	}
	out := make([][32]byte, 0, p.Count)
	for part := range p.parts() {
		list, err := k.bodies(ctx, p.Tenant, part)
		if err != nil {
			return nil, err
		}
		if int64(len(list)) != part.To-part.From {
			return nil, tlog.ErrMissing
		}
		for i := range list {
			e := &list[i]
			v, err := j.event(ctx, e)
			switch {
			case err != nil:
				return nil, err
			case v != mayGo, j.months < p.Months && !j.old(&audit.Event{Recorded: e.Recorded}, e.Index, p.Months):
				return nil, ErrStopped
			case e.Recorded.After(p.Newest):
				return nil, ErrPlan
			}
			out = append(out, audit.Leaf(e.Body))
		}
	}
	return out, nil
}

// parts yields the plan's places in parts of bodyChunk at most.
func (p *Plan) parts() func(yield func(audit.Span) bool) {
	return func(yield func(audit.Span) bool) {
		for _, s := range p.Spans {
			for from := s.From; from < s.To; from += bodyChunk {
				if !yield(audit.Span{From: from, To: min(from+bodyChunk, s.To)}) {
					return
				}
			}
		}
	}
}

// bodies returns the events that are there from one place to another, in order.
func (k *Keeper) bodies(ctx context.Context, t audit.Tenant, s audit.Span) ([]audit.Entry, error) {
	var out []audit.Entry
	last := s.To
	for e, err := range k.src.List(ctx, audit.Filter{Tenant: t}, s.To, int(s.To-s.From)) {
		switch {
		case err != nil:
			return nil, readError(err)
		case e.Index >= last || e.Index < 0:
			return nil, tlog.ErrAltered
		}
		if last = e.Index; last < s.From {
			break
		}
		out = append(out, e)
	}
	slices.Reverse(out)
	return out, nil
}

// prove compares the plan's events with the signed tree: with their leaf hashes, computed from their
// bytes, and those that are stored of all others after the first, it has to have the root that
// the latest checkpoint covers.
func (k *Keeper) prove(ctx context.Context, p *Plan, leaves [][32]byte) error {
	from := p.Spans[0].From
	r, err := k.trees.Range(ctx, p.Tenant, from)
	if errors.Is(err, tlog.ErrUncovered) {
		return tlog.ErrMissing
	}
	if err != nil {
		return treeError(err)
	}
	peaks, err := r.Peaks()
	if err != nil {
		return tlog.ErrAltered
	}
	places := p.places()
	for at := from; at < r.Head.Size; at += leafChunk {
		end := min(at+leafChunk, r.Head.Size)
		stored, err := k.src.Leaves(ctx, p.Tenant, at, end)
		if err != nil || int64(len(stored)) != end-at {
			return leafError(err)
		}
		for i := range stored {
			if n, ok := places.find(at + int64(i)); ok {
				stored[i] = leaves[n]
			}
			peaks.Push(stored[i])
		}
	}
	if _, err := r.Check(k.trees.VerifierKey(), peaks); err != nil {
		return tlog.ErrAltered
	}
	return nil
}

func leafError(err error) error {
	if err == nil || isDamaged(err) {
		return tlog.ErrMissing
	}
	return unavailable("reading leaf hashes", err)
}

// places finds the number of an event in a plan from its place in the tenant's order.
type places struct {
	spans  []audit.Span
	before []int64 // events in the spans before
}

func (p *Plan) places() places {
	out := places{spans: p.Spans, before: make([]int64, len(p.Spans))}
	var n int64
	for i, s := range p.Spans {
		out.before[i] = n
		n += s.To - s.From
	}
	return out
}

func (p places) find(at int64) (int64, bool) {
	i, exact := slices.BinarySearchFunc(p.spans, at, func(s audit.Span, at int64) int {
		switch {
		case s.To <= at:
			return -1
		case s.From > at:
			return 1
		}
		return 0
	})
	if !exact {
		return 0, false
	}
	return p.before[i] + at - p.spans[i].From, true
}

// gaps sees to it that every body that is missing is named by a purge that a signed tree covers. What
// is missing is asked first, and then everything covered: another server may be destroying.
func (k *Keeper) gaps(ctx context.Context, t audit.Tenant) error {
	was, err := k.trees.Range(ctx, t, 0)
	if errors.Is(err, tlog.ErrUncovered) {
		return nil
	}
	if err != nil {
		return treeError(err)
	}
	missing, err := k.src.Purged(ctx, t, 0, was.Head.Size)
	if err != nil {
		return readError(err)
	}
	if len(missing) == 0 {
		return nil
	}
	if _, err := k.trees.Integrate(ctx); err != nil {
		return treeError(err)
	}
	all, err := k.trees.Range(ctx, t, 0)
	if err != nil {
		return treeError(err)
	}
	ages, err := k.trees.Ages(ctx, t)
	if err != nil {
		return treeError(err)
	}
	var named []audit.Span
	for e, err := range k.src.List(ctx, audit.Filter{Tenant: t, Actions: []audit.Action{audit.ActionPurgeExecuted}}, all.Head.Size, 1<<30) {
		if err != nil {
			return readError(err)
		}
		if p, err := k.executed(ctx, ages, t, &e); err == nil {
			named = append(named, p.Spans...)
		} else if errors.Is(err, ErrUnavailable) {
			return err
		}
	}
	if !within(missing, named) {
		return tlog.ErrMissing
	}
	return nil
}

// within reports whether every place of some spans, which ascend, is in one of the others.
func within(some, others []audit.Span) bool {
	slices.SortFunc(others, func(a, b audit.Span) int { return int(min(max(a.From-b.From, -1), 1)) })
	for _, s := range some {
		at := s.From
		for _, o := range others {
			if o.From > at {
				break
			}
			at = max(at, o.To)
		}
		if at < s.To {
			return false
		}
	}
	return true
}

// executed reads a purge's event, proves that it is a leaf of the signed tree, and that what it names
// was old enough.
func (k *Keeper) executed(ctx context.Context, ages *tlog.Ages, t audit.Tenant, e *audit.Entry) (audit.Purge, error) {
	event, err := k.covered(ctx, t, e)
	if err != nil {
		return audit.Purge{}, err
	}
	p, err := ages.Allows(event, e.Index, k.now())
	if err != nil {
		return audit.Purge{}, tlog.ErrAltered
	}
	return p, nil
}

// covered returns what an entry says, if a signed tree covers it: ErrPending if none does yet.
func (k *Keeper) covered(ctx context.Context, t audit.Tenant, e *audit.Entry) (audit.Event, error) {
	event, err := audit.Decode(e.Body)
	if err != nil || event.Tenant != t {
		return audit.Event{}, tlog.ErrAltered
	}
	r, err := k.trees.Prove(ctx, t, e.Index)
	switch {
	case errors.Is(err, tlog.ErrUncovered):
		return audit.Event{}, ErrPending
	case err != nil:
		return audit.Event{}, treeError(err)
	case r.Check(k.trees.VerifierKey(), e.Body) != nil:
		return audit.Event{}, tlog.ErrAltered
	}
	return event, nil
}
