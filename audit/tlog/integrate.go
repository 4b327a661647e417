package tlog

import (
	"context"
	"errors"
	"time"

	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/wardkit/wardkit/audit"
)

// Limits of one step.
const (
	conflicts = 16      // how often another server may be quicker
	leafChunk = 8192    // leaf hashes read at a time
	maxGrowth = 1 << 20 // events of one tenant covered by one commit
)

// Integrate covers every event that can be found, as audit.Log.Run and every query see to; where
// neither has happened since an event was recorded, the event waits for a later call. It extends
// each tenant's tree, enters the new heads into the root log, signs a checkpoint over that, stores
// all of it in one transaction and gives the checkpoint to the sinks. With nothing new it signs
// nothing.
//
// Nothing is signed that does not continue what was signed before: a database that is shorter or
// another one than a sink's checkpoint says, or than this process has seen, is ErrRolledBack or
// ErrRewritten. Where a tenant's events are gone or were changed (as far as extending the tree
// shows it; Verify looks at all of it), that tenant is ErrMissing or ErrAltered, and the
// others are covered all the same. ErrSink: it is done, but for a sink. ErrUnavailable otherwise.
func (l *Log) Integrate(ctx context.Context) (Checkpoint, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var bad error
	for tries := 0; ; {
		more, err := l.step(ctx)
		switch {
		case errors.Is(err, ErrConflict) && tries < conflicts:
			tries++
			continue
		case errors.Is(err, ErrConflict):
			err = unavailable("storing a checkpoint", err)
		case errors.Is(err, ErrTampered) && more: // others still have something
			bad = err
			continue
		case err == nil && more:
			continue
		}
		bad = errors.Join(bad, err)
		break
	}
	if bad == nil || !errors.Is(bad, ErrUnavailable) {
		bad = errors.Join(bad, l.publish(ctx))
	}
	if ctx.Err() == nil {
		l.state.set(bad)
	}
	return Checkpoint{l.signer.Name(), l.root.size, l.hash}, bad
}

// step makes one commit and reports whether there is more to do at once. With more, an error is
// about some tenants only.
func (l *Log) step(ctx context.Context) (more bool, err error) {
	if err := l.catchUp(ctx); err != nil {
		return false, err
	}
	c := Commit{Was: l.root.size}
	more, bad := l.grow(ctx, &c)
	if len(c.Heads) == 0 || errors.Is(bad, ErrUnavailable) {
		return false, bad
	}
	next := l.root.clone()
	keep := keeper(&c, "")
	for _, h := range c.Heads {
		next.push(h.leaf(), keep)
	}
	c.Tiles = append(c.Tiles, partial("", l.root, next)...)
	c.Signed, err = sign(l.signer, Checkpoint{l.signer.Name(), next.size, Hash(next.root())})
	if err != nil {
		return false, err
	}
	if err := l.store.Commit(ctx, c); errors.Is(err, ErrConflict) {
		return false, err
	} else if err != nil {
		return false, unavailable("storing a checkpoint", err)
	}
	l.adopt(next, c.Signed.Note, c.Heads)
	return more, bad
}

// adopt takes over what was committed.
func (l *Log) adopt(next *side, note []byte, heads []Head) {
	l.root, l.hash, l.note = next, Hash(next.root()), note
	for _, h := range heads {
		l.heads[h.Tenant] = h
	}
}

// grow adds to c what every tenant has more than its head covers.
func (l *Log) grow(ctx context.Context, c *Commit) (more bool, bad error) {
	seen := map[audit.Tenant]bool{}
	for o, err := range l.src.Orders(ctx) {
		if err != nil {
			return false, unavailable("asking how far tenants have come", err)
		}
		seen[o.Tenant] = true
		was, to := l.heads[o.Tenant], o.Size
		if to == was.Size {
			continue
		}
		if to > was.Size+maxGrowth {
			to, more = was.Size+maxGrowth, true
		}
		root, tiles, err := l.extend(ctx, o.Tenant, was, to)
		if errors.Is(err, ErrTampered) {
			bad = errors.Join(bad, err)
			continue
		}
		if err != nil {
			return false, err
		}
		c.Tiles = append(c.Tiles, tiles...)
		c.Heads = append(c.Heads, Head{
			N: c.Was + int64(len(c.Heads)), Tenant: o.Tenant, Size: to, Root: root,
			At: l.o.Now().UTC().Truncate(time.Microsecond),
		})
	}
	for t := range l.heads {
		if !seen[t] {
			bad = errors.Join(bad, ErrMissing)
		}
	}
	return more, bad
}

// extend returns the root of a tenant's tree over to events, and the tiles that it adds.
func (l *Log) extend(ctx context.Context, t audit.Tenant, was Head, to int64) (Hash, []Tile, error) {
	if to < was.Size {
		return Hash{}, nil, ErrMissing
	}
	s, err := l.right(ctx, t, was)
	if err != nil {
		return Hash{}, nil, err
	}
	before := s.clone()
	c := &Commit{}
	keep := keeper(c, t)
	for s.size < to {
		leaves, err := leavesOf(ctx, l.src, t, s.size, min(s.size+leafChunk, to))
		if err != nil {
			return Hash{}, nil, err
		}
		for _, h := range leaves {
			s.push(merkle.Hash(h), keep)
		}
	}
	return Hash(s.root()), append(c.Tiles, partial(t, before, s)...), nil
}

// right returns the right side of a tenant's tree as the head has it. What is read for it is
// proven by the head: ErrAltered.
func (l *Log) right(ctx context.Context, t audit.Tenant, h Head) (*side, error) {
	s := &side{size: h.Size}
	if h.Size == 0 {
		return s, nil
	}
	leaves, err := leavesOf(ctx, l.src, t, h.Size/tileWidth*tileWidth, h.Size)
	if err != nil {
		return nil, err
	}
	first := make([]merkle.Hash, 0, tileWidth)
	for _, leaf := range leaves {
		first = append(first, leaf)
	}
	s.tiles = append(s.tiles, first)
	var ask []Tile
	for level := 1; s.nodes(level) > 0; level++ {
		ask = append(ask, Tile{Level: level, N: s.nodes(level) / tileWidth})
	}
	data, err := l.store.Tiles(ctx, t, ask)
	if err != nil || len(data) != len(ask) {
		return nil, unavailable("reading a tree", err)
	}
	for i, d := range data {
		hashes, ok := tileHashes(d, int(s.nodes(i+1)%tileWidth))
		if !ok {
			return nil, ErrAltered
		}
		s.tiles = append(s.tiles, hashes)
	}
	if Hash(s.root()) != h.Root {
		return nil, ErrAltered
	}
	return s, nil
}

// leavesOf reads leaf hashes.
func leavesOf(ctx context.Context, src Source, t audit.Tenant, from, to int64) ([][32]byte, error) {
	leaves, err := src.Leaves(ctx, t, from, to)
	switch {
	case errors.Is(err, audit.ErrDamaged), err == nil && int64(len(leaves)) != to-from:
		return nil, ErrMissing
	case err != nil:
		return nil, unavailable("reading leaf hashes", err)
	}
	return leaves, nil
}

// keeper returns a function that adds full tiles to c. Leaves are not kept.
func keeper(c *Commit, t audit.Tenant) func(int, int64, []merkle.Hash) {
	return func(level int, n int64, hashes []merkle.Hash) {
		if level > 0 {
			c.Tiles = append(c.Tiles, Tile{t, level, n, tileBytes(hashes)})
		}
	}
}

// partial returns the tiles that are not full and longer than they were.
func partial(t audit.Tenant, was, now *side) (out []Tile) {
	for level := 1; level < len(now.tiles); level++ {
		if hashes := now.tiles[level]; len(hashes) > 0 && now.nodes(level) > was.nodes(level) {
			out = append(out, Tile{t, level, now.nodes(level) / tileWidth, tileBytes(hashes)})
		}
	}
	return out
}
