package export

import (
	"context"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/internal/spans"
	"github.com/wardkit/wardkit/audit/tlog"
)

// run is an export of everything from an index on.
type run struct {
	x      *Exporter
	out    *output
	tenant audit.Tenant
	peaks  *tlog.Peaks

	missing []audit.Span
	purges  []purge
}

// purge is an event that may say why events are missing.
type purge struct {
	audit.Purge
	event audit.Event
	index int64
}

// all writes everything from an index on, and compares it with the tree.
func (x *Exporter) all(ctx context.Context, out *output, proof tlog.Range) error {
	peaks, err := proof.Peaks()
	if err != nil {
		return err
	}
	r := &run{x: x, out: out, tenant: proof.Head.Tenant, peaks: peaks}
	for p := range x.ahead(ctx, proof.Head.Tenant, proof.From, proof.Head.Size) {
		if p.err == nil {
			p.err = r.piece(p)
		}
		if p.err != nil {
			return p.err
		}
	}
	if peaks.Root() != proof.Head.Root {
		return tlog.ErrAltered
	}
	return r.covered(ctx)
}

// piece exports the places of one piece.
func (r *run) piece(p piece) error {
	for at, rest := p.from, p.gone; at < p.to; {
		if len(rest) > 0 && rest[0].From == at {
			if err := r.purged(rest[0], p.leaves[at-p.gone[0].From:]); err != nil {
				return err
			}
			at, rest = rest[0].To, rest[1:]
			continue
		}
		if err := r.event(&p.list[0], at); err != nil {
			return err
		}
		at, p.list = at+1, p.list[1:]
	}
	return nil
}

// purged exports a span without events; leaves begin with those of it.
func (r *run) purged(s audit.Span, leaves [][32]byte) error {
	leaves = leaves[:s.To-s.From]
	r.missing = spans.Join(r.missing, []audit.Span{s})
	for _, leaf := range leaves {
		r.peaks.Push(leaf)
	}
	return r.out.addPurged(s.From, leaves)
}

// event exports the event at a place.
func (r *run) event(e *audit.Entry, at int64) error {
	if e.Index != at || audit.Leaf(e.Body) != e.Leaf {
		return tlog.ErrAltered
	}
	r.peaks.Push(e.Leaf)
	if e.Action == audit.ActionPurgeExecuted && len(r.missing) > 0 {
		if p, ok := purgeIn(e.Body, r.tenant, at); ok && spans.Meet(r.missing, p.Spans) {
			r.purges = append(r.purges, p)
		}
	}
	return r.out.add(e)
}

// purgeIn returns the purge that an event's canonical bytes say, if it is one of a tenant.
func purgeIn(body []byte, t audit.Tenant, index int64) (purge, bool) {
	e, err := audit.Decode(body)
	if err != nil || e.Tenant != t {
		return purge{}, false
	}
	p, err := audit.PurgeOf(e, index)
	return purge{p, e, index}, err == nil
}

// covered finds out whether what is missing was allowed to be.
func (r *run) covered(ctx context.Context) error {
	if len(r.missing) == 0 {
		return nil
	}
	ages, err := r.x.trees.Ages(ctx, r.tenant)
	if err != nil {
		return err
	}
	for _, p := range r.purges {
		if _, err := ages.Allows(p.event, p.index, r.x.now()); err == nil {
			r.missing = spans.Without(r.missing, p.Spans)
		}
	}
	if len(r.missing) > 0 {
		return tlog.ErrUncoveredPurge
	}
	return nil
}
