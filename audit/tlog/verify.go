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

// VerifyOptions are what Verify can be told.
type VerifyOptions struct {
	// Progress is called now and then.
	Progress func(Progress)
	// Since is where an earlier verification stopped: what it found whole is not read again, but
	// the root log is compared with the checkpoint it had.
	Since *Verified
	// Save is given where this one has come to, every 100,000 events and at the end of each
	// tenant that is whole; its error ends the verification.
	Save func(Verified) error
}

// Verify reads the log and compares it with what was signed: each event's bytes with its tenant's
// tree, at every size that was ever signed; the trees with the root log; the root log with the
// latest checkpoint; and that with an old one, which whoever verifies has kept outside the
// database, nil if there is none. Nothing that the database says about itself is trusted.
//
// What was changed is in the report and the error is ErrTampered, which wraps ErrRolledBack or
// ErrRewritten where the log as a whole is another one; then the events are not read at all.
// ErrCheckpoint for an old checkpoint of another log or key.
func Verify(ctx context.Context, src Source, store Store, verifierKey string, old []byte, o *VerifyOptions) (Report, error) {
	v, err := newVerification(ctx, src, store, verifierKey, old, o)
	if err != nil {
		return v.report, err
	}
	if err := v.tenants(ctx); err != nil {
		return v.report, err
	}
	return v.report, v.found()
}

// newVerification compares the root log with the checkpoints.
func newVerification(ctx context.Context, src Source, store Store, verifierKey string, old []byte, o *VerifyOptions) (*verification, error) {
	v := &verification{src: src, store: store, heads: map[audit.Tenant]*line{}, done: map[audit.Tenant]*Peaks{}}
	if o != nil {
		v.o = *o
	}
	if v.o.Progress == nil {
		v.o.Progress = func(Progress) {}
	}
	var kept []Checkpoint
	for _, note := range [][]byte{old, v.o.Since.note()} {
		if note == nil {
			continue
		}
		c, err := OpenCheckpoint(note, verifierKey)
		if err != nil {
			return v, err
		}
		kept = append(kept, c)
	}
	if err := v.since(); err != nil {
		return v, err
	}
	var err error
	v.report.Checkpoint, err = v.root(ctx, verifierKey, kept)
	return v, err
}

// found is what was found, as an error.
func (v *verification) found() (err error) {
	for _, f := range v.report.Findings {
		err = errors.Join(err, f.Err)
	}
	return err
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
	src    Source
	store  Store
	o      VerifyOptions
	note   []byte // the latest checkpoint
	heads  map[audit.Tenant]*line
	done   map[audit.Tenant]*Peaks // what is whole
	report Report
	many   int64
	saved  int64 // events read when Save was called last

	damaged bool // of the tenant that is read
}

// root checks the root log, and returns the checkpoint over it.
func (v *verification) root(ctx context.Context, key string, kept []Checkpoint) (Checkpoint, error) {
	latest, err := v.store.Latest(ctx)
	if err != nil {
		return Checkpoint{}, unavailable("reading the checkpoint", err)
	}
	if latest.Note == nil && latest.Size == 0 {
		for _, c := range kept {
			if c.Size > 0 {
				return Checkpoint{}, ErrRolledBack
			}
		}
		return Checkpoint{}, v.nothing(ctx)
	}
	to, err := OpenCheckpoint(latest.Note, key)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: the stored checkpoint is not signed with this key", ErrRewritten)
	}
	v.note = latest.Note
	for _, c := range kept {
		if to.Size < c.Size {
			return to, ErrRolledBack
		}
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

// entries reads the root log and compares it with all checkpoints.
func (v *verification) entries(ctx context.Context, to Checkpoint, kept []Checkpoint) error {
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
		if err := fits(s, kept); err != nil {
			return err
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
		if p := v.done[t]; p != nil {
			v.many -= p.Size()
		}
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
	v.damaged = false
	if size < of.last.Size {
		v.find(t, ErrMissing, size, of.last.Size)
		return nil
	}
	p := v.done[t]
	if p == nil {
		p = &Peaks{}
	}
	if p.Size() > of.last.Size {
		v.find(t, ErrRewritten, 0, of.last.Size)
		return nil
	}
	for h, err := range v.store.HeadsOf(ctx, t, 0) {
		if err != nil {
			return unavailable("reading the root log", err)
		}
		if h.N > of.last.N {
			break
		}
		again.add(h)
		if h.Size < p.Size() {
			continue // compared before
		}
		before := p.Size()
		damaged, err := v.read(ctx, t, p, h.Size)
		if err != nil {
			return err
		}
		if p.Root() != h.Root {
			if !damaged {
				return v.narrow(ctx, t, before, h)
			}
			return nil
		}
		if v.damaged = v.damaged || damaged; !v.damaged {
			if err := v.save(t, p, false); err != nil {
				return err
			}
		}
	}
	if again.sum != of.sum {
		v.find(t, ErrRewritten, 0, of.last.Size)
		return nil
	}
	if v.damaged {
		return nil
	}
	return v.save(t, p, true)
}

func (v *verification) find(t audit.Tenant, err error, from, to int64) {
	v.report.Findings = append(v.report.Findings, Finding{t, err, from, to})
}

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
func (v *verification) narrow(ctx context.Context, t audit.Tenant, before int64, h Head) error {
	from, to, read := before, h.Size, v.report.Events
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
