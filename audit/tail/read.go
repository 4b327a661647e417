package tail

import (
	"context"
	"errors"
	"slices"

	"github.com/wardkit/wardkit/audit"
)

// next reads the first batch from a place on that has an event in it, or the last one.
func (t *Tail) next(ctx context.Context, tenant audit.Tenant, from, size int64) (b Batch, err error) {
	for {
		b, err = t.read(ctx, tenant, from, min(size, from+int64(t.o.Batch)))
		if err != nil || len(b.Entries) > 0 || b.To == size {
			return b, err
		}
		from = b.To
	}
}

// read reads the places from from to to-1. Each is there, or was purged; anything else is ErrGap.
func (t *Tail) read(ctx context.Context, tenant audit.Tenant, from, to int64) (Batch, error) {
	ctx, cancel := t.bound(ctx)
	defer cancel()
	b := Batch{Tenant: tenant, From: from, To: to}
	below := to
	for e, err := range t.src.List(ctx, audit.Filter{Tenant: tenant}, to, int(to-from)) {
		switch {
		case errors.Is(err, audit.ErrDamaged):
			return b, because(ErrGap, err)
		case err != nil:
			return b, because(ErrSource, err)
		case e.Index < from: // purged places let it reach further back
		case e.Index >= below || e.Tenant != tenant || audit.Leaf(e.Body) != e.Leaf:
			return b, ErrGap
		default:
			below = e.Index
			b.Entries = append(b.Entries, e)
			continue
		}
		break
	}
	slices.Reverse(b.Entries)
	if int64(len(b.Entries)) == to-from {
		return b, nil
	}
	purged, err := t.src.Purged(ctx, tenant, from, to)
	if err != nil {
		return b, because(ErrSource, err)
	}
	return b, b.explained(purged)
}

// explained reports ErrGap unless every place is in the batch or was purged.
func (b *Batch) explained(purged []audit.Span) error {
	next, spans, entries := b.From, purged, b.Entries
	for next < b.To {
		switch {
		case len(entries) > 0 && entries[0].Index == next:
			entries = entries[1:]
			next++
		case len(spans) > 0 && spans[0].To <= next:
			spans = spans[1:]
		case len(spans) > 0 && spans[0].From <= next:
			next++
		default:
			return ErrGap
		}
	}
	return nil
}

// leafOf returns the leaf hash of a batch's last place.
func (t *Tail) leafOf(ctx context.Context, b *Batch) ([32]byte, error) {
	if n := len(b.Entries); n > 0 && b.Entries[n-1].Index == b.To-1 {
		return b.Entries[n-1].Leaf, nil
	}
	return t.leaf(ctx, b.Tenant, b.To-1)
}

// leaf returns the leaf hash of one place.
func (t *Tail) leaf(ctx context.Context, tenant audit.Tenant, place int64) ([32]byte, error) {
	ctx, cancel := t.bound(ctx)
	defer cancel()
	leaves, err := t.src.Leaves(ctx, tenant, place, place+1)
	switch {
	case errors.Is(err, audit.ErrDamaged), err == nil && len(leaves) != 1:
		return [32]byte{}, ErrGap
	case err != nil:
		return [32]byte{}, because(ErrSource, err)
	}
	return leaves[0], nil
}

// cursor returns the stored cursor.
func (t *Tail) cursor(ctx context.Context, tenant audit.Tenant) (Cursor, error) {
	ctx, cancel := t.bound(ctx)
	defer cancel()
	c, err := t.cursors.Get(ctx, t.feed, tenant)
	switch {
	case err != nil:
		return Cursor{}, because(ErrCursors, err)
	case c.Feed != t.feed || c.Tenant != tenant || c.Next < 0 || c.Version < 0:
		return Cursor{}, because(ErrCursors, errors.New("tail: the store returned another cursor"))
	}
	return c, nil
}

// put stores a cursor. A conflict is ErrConflict, everything else ErrCursors.
func (t *Tail) put(ctx context.Context, c *Cursor) error {
	ctx, cancel := t.bound(ctx)
	defer cancel()
	switch err := t.cursors.Put(ctx, *c); {
	case errors.Is(err, ErrConflict):
		return ErrConflict
	case err != nil:
		return because(ErrCursors, err)
	}
	c.Version++
	return nil
}
