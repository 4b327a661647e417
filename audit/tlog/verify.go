package tlog

import (
	"context"
	"errors"
	"fmt"
	"slices"

	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/wardkit/wardkit/audit"
)

// Report is what a verification found out.
type Report struct {
	Checkpoint Checkpoint // the latest, which everything was compared with
	Tenants    int
	Events     int64 // whose bytes were read and are those that were signed
	Uncovered  int64 // events that no signed tree covers yet
	Findings   []Finding
}

// Finding is what is not as it was signed, of one tenant. Between From and To-1 lies what was
// changed; where the stored hashes were changed as well, that is as close as it can be told.
type Finding struct {
	Tenant   audit.Tenant
	Err      error // ErrMissing, ErrAltered or ErrRewritten
	From, To int64
}

// Progress is told while verifying.
type Progress struct {
	Tenant     audit.Tenant // the one that is read now
	Done, Many int64        // events read, of so many
}

// Verify reads the whole log and compares it with what was signed: each event's bytes with its
// tenant's tree, at every size that was ever signed; the trees with the root log; the root log
// with the latest checkpoint; and that with an old one, which whoever verifies has kept outside
// the database, nil if there is none. Nothing that the database says about itself is trusted.
//
// What was changed is in the report and the error is ErrTampered, which wraps ErrRolledBack or
// ErrRewritten where the log as a whole is another one; then the events are not read at all.
// ErrCheckpoint for an old checkpoint of another log or key. Progress, if it is not nil, is
// called now and then.
func Verify(ctx context.Context, src Source, store Store, verifierKey string, old []byte, progress func(Progress)) (Report, error) {
	v := &verification{src: src, store: store, progress: progress, heads: map[audit.Tenant]*line{}}
	if v.progress == nil {
		v.progress = func(Progress) {}
	}
	var err error
	if v.report.Checkpoint, err = v.root(ctx, verifierKey, old); err != nil {
		return v.report, err
	}
	if err := v.tenants(ctx); err != nil {
		return v.report, err
	}
	for _, f := range v.report.Findings {
		err = errors.Join(err, f.Err)
	}
	return v.report, err
}

// line is what the root log says of one tenant.
type line struct {
	last Head
	sum  merkle.Hash // over its entries, so that they can be read again
}

func (l *line) add(h Head) {
	l.last, l.sum = h, merkle.NodeHash(l.sum, h.leaf())
}

type verification struct {
	src      Source
	store    Store
	progress func(Progress)
	heads    map[audit.Tenant]*line
	report   Report
	many     int64
}

// root checks the root log, and returns the checkpoint over it.
func (v *verification) root(ctx context.Context, key string, old []byte) (Checkpoint, error) {
	var kept Checkpoint
	if old != nil {
		var err error
		if kept, err = OpenCheckpoint(old, key); err != nil {
			return Checkpoint{}, err
		}
	}
	latest, err := v.store.Latest(ctx)
	if err != nil {
		return Checkpoint{}, unavailable("reading the checkpoint", err)
	}
	if latest.Note == nil && latest.Size == 0 {
		if kept.Size > 0 {
			return Checkpoint{}, ErrRolledBack
		}
		return Checkpoint{}, v.nothing(ctx)
	}
	to, err := OpenCheckpoint(latest.Note, key)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: the stored checkpoint is not signed with this key", ErrRewritten)
	}
	if to.Size < kept.Size {
		return to, ErrRolledBack
	}
	return to, v.entries(ctx, to, kept)
}

// nothing is verified of a log that nobody has signed yet.
func (v *verification) nothing(ctx context.Context) error {
	for _, err := range v.store.Heads(ctx, 0) {
		if err != nil {
			return unavailable("reading the root log", err)
		}
		return ErrRewritten
	}
	return nil
}

// entries reads the root log and compares it with both checkpoints.
func (v *verification) entries(ctx context.Context, to, kept Checkpoint) error {
	s := &side{}
	for h, err := range v.store.Heads(ctx, 0) {
		if err != nil {
			return unavailable("reading the root log", err)
		}
		if s.size == to.Size {
			break
		}
		of := v.heads[h.Tenant]
		if of == nil {
			of = &line{}
			v.heads[h.Tenant] = of
		}
		if h.N != s.size || h.Size <= of.last.Size {
			return ErrRewritten
		}
		of.add(h)
		s.push(h.leaf(), nil)
		if s.size == kept.Size && Hash(s.root()) != kept.Root {
			return ErrRewritten
		}
	}
	if s.size != to.Size || Hash(s.root()) != to.Root {
		return ErrRewritten
	}
	return nil
}

// tenants checks every tenant's events.
func (v *verification) tenants(ctx context.Context) error {
	sizes := map[audit.Tenant]int64{}
	for o, err := range v.src.Orders(ctx) {
		if err != nil {
			return unavailable("asking how far tenants have come", err)
		}
		sizes[o.Tenant] = o.Size
	}
	all := make([]audit.Tenant, 0, len(v.heads))
	for t, of := range v.heads {
		all = append(all, t)
		v.many += of.last.Size
	}
	for t, size := range sizes {
		if of := v.heads[t]; of == nil {
			v.report.Uncovered += size
		} else if size > of.last.Size {
			v.report.Uncovered += size - of.last.Size
		}
	}
	slices.Sort(all)
	for _, t := range all {
		if err := v.tenant(ctx, t, sizes[t]); err != nil {
			return err
		}
		v.report.Tenants++
	}
	return nil
}

// tenant checks one tenant's events against each of its heads.
func (v *verification) tenant(ctx context.Context, t audit.Tenant, size int64) error {
	of, again := v.heads[t], &line{}
	if size < of.last.Size {
		v.find(t, ErrMissing, size, of.last.Size)
		return nil
	}
	s := &side{}
	for h, err := range v.store.HeadsOf(ctx, t, 0) {
		if err != nil {
			return unavailable("reading the root log", err)
		}
		if h.N > of.last.N {
			break
		}
		again.add(h)
		before := s.clone()
		damaged, err := v.read(ctx, t, s, h.Size)
		if err != nil {
			return err
		}
		if Hash(s.root()) != h.Root {
			if !damaged {
				return v.narrow(ctx, t, before, h)
			}
			return nil
		}
	}
	if again.sum != of.sum {
		v.find(t, ErrRewritten, 0, of.last.Size)
	}
	return nil
}

func (v *verification) find(t audit.Tenant, err error, from, to int64) {
	v.report.Findings = append(v.report.Findings, Finding{t, err, from, to})
}

// bodyChunk is how many events are read at a time.
const bodyChunk = 1024

// read goes on with a tenant's tree from the events' bytes. It reports whether some of them
// could not be used; they are findings already.
func (v *verification) read(ctx context.Context, t audit.Tenant, s *side, to int64) (damaged bool, err error) {
	for s.size < to {
		end := min(s.size+bodyChunk, to)
		leaves, bad, err := v.leaves(ctx, t, s.size, end)
		if err != nil {
			return damaged, err
		}
		damaged = damaged || bad
		for _, h := range leaves {
			s.push(h, nil)
		}
		v.progress(Progress{t, v.report.Events, v.many})
	}
	return damaged, nil
}

// leaves computes the leaf hashes of events. Where the store says that they are damaged it looks
// for those that are, and takes the stored hash in their place.
func (v *verification) leaves(ctx context.Context, t audit.Tenant, from, to int64) (out []merkle.Hash, bad bool, err error) {
	next := to
	out = make([]merkle.Hash, to-from)
	for e, err := range v.src.List(ctx, audit.Filter{Tenant: t}, to, int(to-from)) {
		switch {
		case errors.Is(err, audit.ErrDamaged):
			return v.search(ctx, t, from, to)
		case err != nil:
			return nil, false, unavailable("reading events", err)
		case e.Index != next-1 || next == from:
			return v.search(ctx, t, from, to)
		}
		next--
		out[next-from] = audit.Leaf(e.Body)
	}
	if next != from {
		return v.search(ctx, t, from, to)
	}
	v.report.Events += to - from
	return out, false, nil
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
func (v *verification) narrow(ctx context.Context, t audit.Tenant, before *side, h Head) error {
	from, to, read := before.size, h.Size, v.report.Events
	defer func() { v.report.Events = read }() // they were read before
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
