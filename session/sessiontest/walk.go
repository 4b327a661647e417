package sessiontest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

// Walk does steps random operations on a fresh store and, after each, compares the store's
// answer with that of a model which is as simple as can be: a slice of rows. Equal seeds
// walk the same way.
func Walk(ctx context.Context, store session.Store, seed uint64, steps int) error {
	w := &walk{store: store, rng: rand.New(rand.NewPCG(seed, 7)), now: base(), policies: map[audit.Tenant]int64{}}
	for i := range steps {
		w.now = w.now.Add(time.Duration(w.rng.IntN(60)) * time.Second)
		if err := w.step(ctx); err != nil {
			return fmt.Errorf("model: seed %d, step %d: %w", seed, i, err)
		}
	}
	return nil
}

type walk struct {
	store    session.Store
	rng      *rand.Rand
	now      time.Time
	rows     []session.Record
	proofs   []session.Proof
	policies map[audit.Tenant]int64 // versions
}

func (w *walk) step(ctx context.Context) error {
	switch n := w.rng.IntN(100); {
	case n < 8 || len(w.rows) == 0:
		return w.create(ctx)
	case n < 30:
		return w.get(ctx)
	case n < 55:
		return w.touch(ctx)
	case n < 63:
		return w.revoke(ctx)
	case n < 73:
		return w.rotate(ctx)
	case n < 78:
		return w.lock(ctx)
	case n < 85:
		return w.prove(ctx)
	case n < 89:
		return w.save(ctx)
	default:
		return w.list(ctx)
	}
}

func (w *walk) who() (audit.Tenant, audit.ActorID) {
	return []audit.Tenant{clinic, other}[w.rng.IntN(2)], []audit.ActorID{ann, bob, "staff-eve"}[w.rng.IntN(3)]
}

// row prefers the latest, so that some live long.
func (w *walk) row() *session.Record {
	if n := len(w.rows) - 6; n > 0 && w.rng.IntN(4) > 0 {
		return &w.rows[n+w.rng.IntN(6)]
	}
	return &w.rows[w.rng.IntN(len(w.rows))]
}

func (w *walk) create(ctx context.Context) error {
	t, person := w.who()
	r := record(ctx, w.store, t, person, w.now)
	r.Session.Ends = w.now.Add(40 * time.Minute) // so that a walk reaches it
	if len(w.rows) > 0 && w.rng.IntN(5) == 0 {   // one that must be refused
		old := w.row()
		r.Key = old.Key
		if old.Session.Ends.Before(w.now) {
			return nil // perhaps forgotten
		}
		if _, err := w.store.Create(ctx, r, 0); !errors.Is(err, session.ErrExists) {
			return fmt.Errorf("create over a key: got %v, want ErrExists", err)
		}
		return nil
	}
	limit := max(0, w.rng.IntN(16)-12)
	want := w.evict(r.Session, limit)
	w.rows = append(w.rows, r)
	return createWithin(ctx, w.store, r, limit, want...)
}

// evict ends what has to go before fresh so that limit remain, and returns the ids.
func (w *walk) evict(fresh session.Session, limit int) (ids []string) {
	old := w.live(fresh.Tenant, fresh.Person)
	if limit == 0 || len(old) < limit {
		return nil
	}
	slices.Reverse(old)
	for _, v := range old[:len(old)+1-limit] {
		ids = append(ids, v.ID)
	}
	for i := range w.rows {
		if v := &w.rows[i].Session; v.Ended.IsZero() && slices.Contains(ids, v.ID) {
			v.Ended, v.Reason = w.now, session.ReasonLimit
		}
	}
	return ids
}

// live are the person's sessions that are live now, newest first.
func (w *walk) live(t audit.Tenant, person audit.ActorID) (all []session.Session) {
	for _, r := range w.rows {
		if v := r.Session; v.Tenant == t && v.Person == person && !v.Superseded && isLive(v, w.now) {
			all = append(all, v)
		}
	}
	slices.SortFunc(all, func(a, b session.Session) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID))
	})
	return all
}

func isLive(v session.Session, now time.Time) bool {
	return v.Ended.IsZero() && now.Before(v.IdleEnds) && now.Before(v.Ends)
}

// get allows that the store forgot a session which is over, as Create may.
func (w *walk) get(ctx context.Context) error {
	r := w.row()
	got, err := w.store.Get(ctx, r.Key)
	if errors.Is(err, session.ErrNotFound) && r.Session.Ends.Before(w.now) {
		return nil
	}
	if err != nil {
		return err
	}
	version := int64(0)
	if got.Policy != nil {
		version = got.Policy.Version
	}
	if version != w.policies[r.Session.Tenant] {
		return fmt.Errorf("get returns the policy's version %d, want %d", version, w.policies[r.Session.Tenant])
	}
	return same(got.Session, r.Session)
}

func (w *walk) touch(ctx context.Context) error {
	r := w.row()
	v := &r.Session
	seen := w.now
	if !v.Ends.Before(w.now) { // not forgotten
		seen = seen.Add(-time.Duration(w.rng.IntN(60)) * time.Second) // requests overtake each other
	}
	live := isLive(*v, seen)
	if live && seen.After(v.LastSeen) {
		v.LastSeen, v.IdleEnds = seen, seen.Add(15*time.Minute)
	}
	return touched(ctx, w.store, r.Key, seen, live)
}

// selection is of the person of a row: this one, all but this one, or all.
func (w *walk) selection() session.Selection {
	r := w.row()
	which := session.Selection{Tenant: r.Session.Tenant, Person: r.Session.Person}
	switch w.rng.IntN(4) {
	case 0:
	case 1:
		which.Except = r.Session.ID
	default:
		which.ID = r.Session.ID
	}
	return which
}

// change applies f to the selected rows and returns how many sessions it changed: most, and
// least if the store forgot all that was over.
func (w *walk) change(which session.Selection, f func(*session.Session) bool) (least, most int) {
	for i := range w.rows {
		v := &w.rows[i].Session
		over := v.Ends.Before(w.now)
		if v.Tenant != which.Tenant || v.Person != which.Person ||
			which.ID != "" && v.ID != which.ID || which.Except != "" && v.ID == which.Except || !f(v) || v.Superseded {
			continue
		}
		if most++; !over {
			least++
		}
	}
	return least, most
}

func (w *walk) revoke(ctx context.Context) error {
	which, reason := w.selection(), fmt.Sprintf("walk_%d", w.rng.IntN(3))
	least, most := w.change(which, func(v *session.Session) bool {
		if !v.Ended.IsZero() {
			return false
		}
		v.Ended, v.Reason = w.now, reason
		return true
	})
	n, err := w.store.Revoke(ctx, which, w.now, reason)
	if err == nil && (n < least || n > most) {
		err = fmt.Errorf("revoke ended %d sessions, want %d to %d", n, least, most)
	}
	return err
}

func (w *walk) lock(ctx context.Context) error {
	which := w.selection()
	least, most := w.change(which, func(v *session.Session) bool {
		if !v.Ended.IsZero() || !v.Locked.IsZero() {
			return false
		}
		v.Locked = w.now
		v.Version++
		return true
	})
	n, err := w.store.Lock(ctx, which, w.now)
	if err == nil && (n < least || n > most) {
		err = fmt.Errorf("lock changed %d sessions, want %d to %d", n, least, most)
	}
	return err
}

func (w *walk) rotate(ctx context.Context) error {
	r := w.row()
	n := successor(ctx, w.store, *r, w.now)
	n.Session.Ends = w.now.Add(40 * time.Minute)
	if w.rng.IntN(4) == 0 {
		n.Session.Version++ // read too late
	}
	v, until := &r.Session, w.now.Add(3*time.Minute)
	possible := isLive(*v, w.now) && !v.Superseded && v.Version == n.Session.Version-1
	switch err := w.store.Rotate(ctx, r.Key, n, until); {
	case possible && err != nil:
		return fmt.Errorf("rotate of a live session: %w", err)
	case !possible && !errors.Is(err, session.ErrConflict):
		return fmt.Errorf("rotate of a row that was not as it was read: got %v, want ErrConflict", err)
	case !possible:
		return nil
	}
	v.Superseded = true
	if v.Ends.After(until) {
		v.Ends = until
	}
	if v.IdleEnds.After(until) {
		v.IdleEnds = until
	}
	w.rows = append(w.rows, n)
	return nil
}

// prove keeps a proof or uses one up.
func (w *walk) prove(ctx context.Context) error {
	if len(w.proofs) == 0 || w.rng.IntN(3) == 0 {
		p := session.Proof{Tenant: clinic, Key: key(ctx, w.store, clinic, ann), Until: w.now.Add(5 * time.Minute)}
		if len(w.proofs) > 0 && w.rng.IntN(3) == 0 {
			p.Key = w.proofs[w.rng.IntN(len(w.proofs))].Key
		}
		w.proofs = slices.DeleteFunc(w.proofs, func(q session.Proof) bool { return q.Key == p.Key })
		w.proofs = append(w.proofs, p)
		return w.store.Put(ctx, p)
	}
	i := w.rng.IntN(len(w.proofs))
	p := w.proofs[i]
	w.proofs = slices.Delete(w.proofs, i, i+1)
	return errors.Join(
		used(ctx, w.store, clinic, p.Key, w.now, w.now.Before(p.Until)),
		used(ctx, w.store, clinic, p.Key, w.now, false),
	)
}

// save saves a policy, now and then on a version that is not the one in force.
func (w *walk) save(ctx context.Context) error {
	t, _ := w.who()
	stale := int64(w.rng.IntN(4) / 3)
	err := w.store.SavePolicy(ctx, t, policy(w.policies[t]+1+stale))
	if stale == 0 {
		w.policies[t]++
		return err
	}
	if !errors.Is(err, session.ErrConflict) {
		return fmt.Errorf("saving over a version nobody read: got %v, want ErrConflict", err)
	}
	return nil
}

func (w *walk) list(ctx context.Context) error {
	t, person := w.who()
	return listed(ctx, w.store, t, person, w.now, w.live(t, person)...)
}
