package tlog

import (
	"context"
	"errors"

	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/internal/spans"
)

// bodyChunk is how many events are read at a time.
const bodyChunk = 1024

// read goes on with a tenant's tree from the events' bytes. It reports whether some of them
// could not be used; they are findings already.
func (v *verification) read(ctx context.Context, t audit.Tenant, p *Peaks, to int64) (damaged bool, err error) {
	for p.Size() < to {
		end := min(p.Size()+bodyChunk, to)
		leaves, bad, err := v.leaves(ctx, t, p.Size(), end)
		if err != nil {
			return damaged, err
		}
		damaged = damaged || bad
		for _, h := range leaves {
			p.Push(h)
		}
		v.o.Progress(Progress{t, v.report.Events, v.many})
	}
	return damaged, nil
}

// purgedAhead is for how many places the store is asked at once which are purged.
const purgedAhead = 1 << 16

// window is what the store said is purged of some places.
type window struct {
	tenant   audit.Tenant
	from, to int64
	spans    []audit.Span
}

// purged returns which places from to to-1 the store says to be purged. Again asks it anew.
func (v *verification) purged(ctx context.Context, t audit.Tenant, from, to int64, again bool) ([]audit.Span, error) {
	w := &v.window
	if again || w.tenant != t || from < w.from || to > w.to {
		end := max(to, from+v.ahead)
		gone, err := v.src.Purged(ctx, t, from, end)
		if err == nil && !spans.Are(gone, from, end) {
			err = errors.New("what it says to be purged is no list of spans")
		}
		if err != nil {
			return nil, unavailable("asking what is purged", err)
		}
		*w = window{t, from, end, gone}
	}
	return spans.Clip(w.spans, from, to), nil
}

// leaves returns the leaf hashes of events: computed from their bytes, or the stored ones of those
// that the store says to be purged, which are then to be proven. Where it says that some are damaged
// it looks for those that are, and takes the stored hash in their place.
func (v *verification) leaves(ctx context.Context, t audit.Tenant, from, to int64) (out []merkle.Hash, bad bool, err error) {
	for again := false; ; again = true {
		gone, err := v.purged(ctx, t, from, to, again)
		if err != nil {
			return nil, false, err
		}
		c := chunk{out: make([]merkle.Hash, to-from), tenant: t, from: from, to: to, gone: gone}
		switch whole, err := c.read(ctx, v.src); {
		case err != nil:
			return nil, false, err
		case whole:
			v.took(&c)
			return c.out, false, nil
		case again: // nor were they purged meanwhile
			return v.search(ctx, t, from, to)
		}
	}
}

// took takes over what was read of events, once.
func (v *verification) took(c *chunk) {
	if v.reread {
		return
	}
	gone := spans.Count(c.gone)
	v.report.Events += c.to - c.from - gone
	v.purges = append(v.purges, c.purges...)
	if gone > 0 {
		v.missing = spans.Join(v.missing, c.gone)
		v.lacking += gone
	}
}

// search halves a range that holds a damaged event until it is found.
func (v *verification) search(ctx context.Context, t audit.Tenant, from, to int64) (out []merkle.Hash, bad bool, err error) {
	if to-from > 1 {
		middle := (from + to) / 2
		left, _, err := v.leaves(ctx, t, from, middle)
		if err != nil {
			return nil, true, err
		}
		right, _, err := v.leaves(ctx, t, middle, to)
		return append(left, right...), true, err
	}
	leaves, err := leavesOf(ctx, v.src, t, from, to)
	switch {
	case errors.Is(err, ErrMissing):
		v.find(t, ErrMissing, from, to)
		return make([]merkle.Hash, 1), true, nil
	case err != nil:
		return nil, true, err
	}
	v.find(t, ErrAltered, from, to)
	return []merkle.Hash{leaves[0]}, true, nil
}

// narrow finds out which 256 events are not those that a head covers, from the hashes that the
// head proves; if these were changed too, it is somewhere since the head before.
func (v *verification) narrow(ctx context.Context, t audit.Tenant, before int64, h Head) error {
	from, to := before, h.Size
	v.reread = true // all of it was before
	defer func() { v.reread = false }()
	r := merkle.TileHashReader(merkle.Tree{N: h.Size, Hash: merkle.Hash(h.Root)}, &tiles{ctx: ctx, src: v.src, store: v.store, tenant: t})
	for at := from / tileWidth * tileWidth; at+tileWidth <= to; at += tileWidth {
		leaves, _, err := v.leaves(ctx, t, at, at+tileWidth)
		if err != nil {
			return err
		}
		was, err := r.ReadHashes([]int64{merkle.StoredHashIndex(tileHeight, at/tileWidth)})
		if err != nil {
			break
		}
		if was[0] != subtree(leaves) {
			v.find(t, ErrAltered, max(at, from), at+tileWidth)
			return nil
		}
		from = at + tileWidth
	}
	v.find(t, ErrAltered, from, to)
	return nil
}
