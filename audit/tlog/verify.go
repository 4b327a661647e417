package tlog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/wardkit/wardkit/audit"
)

// Report is what a verification found out.
type Report struct {
	Checkpoint Checkpoint // the latest, which everything was compared with
	Tenants    int
	Events     int64 // whose bytes were read and are those that were signed
	Purged     int64 // without bytes, as a purge in the log allows; their hashes are those that were signed
	Uncovered  int64 // events that no signed tree covers yet
	Findings   []Finding
}

// Finding is what is not as it was signed, of one tenant. Between From and To-1 lies what was
// changed; where the stored hashes were changed as well, that is as close as it can be told.
type Finding struct {
	Tenant   audit.Tenant
	Err      error // ErrMissing, ErrAltered, ErrRewritten or ErrUncoveredPurge
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
	// Now is the clock of whoever verifies: what it says to be in the future has not happened.
	// Nil: time.Now.
	Now func() time.Time
	// Save is given where this one has come to, every 100,000 events and at the end of each
	// tenant that is whole; its error ends the verification.
	Save func(Verified) error

	every int64 // events between two calls of Save, for tests; 0: saveEvery
}

// Verify reads the log and compares it with what was signed: each event's bytes with its tenant's
// tree, at every size that was ever signed; the trees with the root log; the root log with the
// latest checkpoint; and that with an old one, which whoever verifies has kept outside the
// database, nil if there is none. Nothing that the database says about itself is trusted.
//
// Events may lack their bytes, and have nothing but their hash, where a purge in the log covers them:
// an event of audit.ActionPurgeExecuted of the same tenant that comes after them, is itself whole and
// under a signed head, and names two people and an age; and that age, 72 months at least, is not only
// what it says but lies between the first signed head over the events and the one over it (see
// Ages). All others are ErrUncoveredPurge. A body that a purge covers and that is still there, or there
// again from a backup, is compared like any other, and no finding.
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
	v := &verification{src: src, store: store, heads: map[audit.Tenant]*line{}, done: map[audit.Tenant]*course{}, key: verifierKey, ahead: purgedAhead}
	if o != nil {
		v.o = *o
	}
	if v.o.Progress == nil {
		v.o.Progress = func(Progress) {}
	}
	if v.o.Now == nil {
		v.o.Now = time.Now
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
	v.report.Checkpoint, err = v.root(ctx, kept)
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
	key    string
	note   []byte // the latest checkpoint
	heads  map[audit.Tenant]*line
	sizes  map[audit.Tenant]int64 // how far their orders have come
	clock  clock
	done   map[audit.Tenant]*course // what is whole
	report Report
	many   int64
	saved  int64  // events read when Save was called last
	window window // what the store says is purged
	ahead  int64  // for how many places it is asked
	reread bool   // what is read now was read before

	// Of the tenant that is read:
	damaged bool
	missing []audit.Span // without bodies, and no purge covers them yet
	lacking int64        // without bodies, all of them
	purges  []purgeEvent // since the last head
}

// course is how far a tenant was verified.
type course struct {
	Peaks
	waiting []audit.Span // without bodies, and no purge covered them yet
}

// root checks the root log, and returns the checkpoint over it.
func (v *verification) root(ctx context.Context, kept []Checkpoint) (Checkpoint, error) {
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
	to, err := OpenCheckpoint(latest.Note, v.key)
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
		v.clock.add(h)
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
	if err := v.orders(ctx); err != nil {
		return err
	}
	all := make([]audit.Tenant, 0, len(v.heads))
	for t, of := range v.heads {
		all = append(all, t)
		v.many += of.last.Size
		if p := v.done[t]; p != nil {
			v.many -= p.Size()
		}
	}
	for t, size := range v.sizes {
		if of := v.heads[t]; of == nil {
			v.report.Uncovered += size
		} else if size > of.last.Size {
			v.report.Uncovered += size - of.last.Size
		}
	}
	slices.Sort(all)
	for _, t := range all {
		if err := v.tenant(ctx, t, v.sizes[t]); err != nil {
			return err
		}
		v.report.Tenants++
	}
	return nil
}

// orders asks how far each tenant's order has come.
func (v *verification) orders(ctx context.Context) error {
	v.sizes = map[audit.Tenant]int64{}
	for o, err := range v.src.Orders(ctx) {
		if err != nil {
			return unavailable("asking how far tenants have come", err)
		}
		v.sizes[o.Tenant] = o.Size
	}
	return nil
}

// tenant checks one tenant's events against each of its heads.
func (v *verification) tenant(ctx context.Context, t audit.Tenant, size int64) error {
	of := v.heads[t]
	v.damaged, v.missing, v.lacking, v.purges = false, nil, 0, nil
	if size < of.last.Size {
		v.find(t, ErrMissing, size, of.last.Size)
		return nil
	}
	c := &course{}
	if done := v.done[t]; done != nil { // which stays as it is until all of this is whole
		c = &course{Peaks{done.size, slices.Clone(done.hashes)}, done.waiting}
	}
	if c.Size() > of.last.Size {
		v.find(t, ErrRewritten, 0, of.last.Size)
		return nil
	}
	start := c.Size()
	whole, err := v.trees(ctx, t, c)
	if err != nil {
		return err
	}
	covered, err := v.settle(ctx, t, start, c.waiting)
	if err != nil || !whole || !covered {
		return err
	}
	c.waiting = nil
	return v.save(t, c, true)
}

// trees reads one tenant's events and compares them with each of its heads. False: findings.
func (v *verification) trees(ctx context.Context, t audit.Tenant, c *course) (whole bool, err error) {
	of, again, ages := v.heads[t], &line{}, &Ages{tenant: t}
	for h, err := range v.store.HeadsOf(ctx, t, 0) {
		if err != nil {
			return false, unavailable("reading the root log", err)
		}
		if h.N > of.last.N {
			break
		}
		again.add(h)
		ages.add(h, v.clock.of(h))
		if h.Size < c.Size() {
			continue // compared before
		}
		before := c.Size()
		damaged, err := v.read(ctx, t, &c.Peaks, h.Size)
		if err != nil {
			return false, err
		}
		if c.Root() != h.Root {
			if !damaged {
				return false, v.narrow(ctx, t, before, h)
			}
			return false, nil
		}
		v.judge(ages)
		if v.damaged = v.damaged || damaged; !v.damaged {
			if err := v.save(t, c, false); err != nil {
				return false, err
			}
		}
	}
	if again.sum != of.sum {
		v.find(t, ErrRewritten, 0, of.last.Size)
		return false, nil
	}
	return !v.damaged, nil
}

func (v *verification) find(t audit.Tenant, err error, from, to int64) {
	v.report.Findings = append(v.report.Findings, Finding{t, err, from, to})
}
