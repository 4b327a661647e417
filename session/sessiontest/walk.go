package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

// Walk does steps random operations on a fresh store and, after each, compares the store's
// answer with that of a model which is as simple as can be: a slice of rows. Equal seeds
// walk the same way.
func Walk(ctx context.Context, store session.Store, seed uint64, steps int) error {
	w := &walk{store: store, rng: rand.New(rand.NewPCG(seed, 7)), now: base()}
	for i := range steps {
		w.now = w.now.Add(time.Duration(w.rng.IntN(60)) * time.Second)
		if err := w.step(ctx); err != nil {
			return fmt.Errorf("model: seed %d, step %d: %w", seed, i, err)
		}
	}
	return nil
}

type walk struct {
	store session.Store
	rng   *rand.Rand
	now   time.Time
	rows  []session.Record
}

func (w *walk) step(ctx context.Context) error {
	switch n := w.rng.IntN(100); {
	case n < 8 || len(w.rows) == 0:
		return w.create(ctx)
	case n < 33:
		return w.get(ctx)
	case n < 75:
		return w.touch(ctx)
	case n < 85:
		return w.revoke(ctx)
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
	r := record(t, person, w.now)
	r.Session.Ends = w.now.Add(time.Hour)      // so that a walk reaches it
	if len(w.rows) > 0 && w.rng.IntN(5) == 0 { // one that must be refused
		old := w.row()
		r.Key = old.Key
		if old.Session.Ends.Before(w.now) {
			return nil // perhaps forgotten
		}
		if err := w.store.Create(ctx, r); !errors.Is(err, session.ErrExists) {
			return fmt.Errorf("create over a key: got %v, want ErrExists", err)
		}
		return nil
	}
	w.rows = append(w.rows, r)
	return w.store.Create(ctx, r)
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
	return same(got, r.Session)
}

func (w *walk) touch(ctx context.Context) error {
	r := w.row()
	v := &r.Session
	seen := w.now
	if !v.Ends.Before(w.now) { // not forgotten
		seen = seen.Add(-time.Duration(w.rng.IntN(60)) * time.Second) // requests overtake each other
	}
	live := v.Ended.IsZero() && seen.Before(v.IdleEnds) && seen.Before(v.Ends)
	if live && seen.After(v.LastSeen) {
		v.LastSeen, v.IdleEnds = seen, seen.Add(15*time.Minute)
	}
	return touched(ctx, w.store, r.Key, seen, live)
}

func (w *walk) revoke(ctx context.Context) error {
	r := w.row()
	which := session.Selection{Tenant: r.Session.Tenant, Person: r.Session.Person}
	switch w.rng.IntN(4) {
	case 0:
	case 1:
		which.Except = r.Session.ID
	default:
		which.ID = r.Session.ID
	}
	reason := fmt.Sprintf("walk_%d", w.rng.IntN(3))
	least, most := 0, 0
	for i := range w.rows {
		v := &w.rows[i].Session
		if v.Tenant != which.Tenant || v.Person != which.Person || !v.Ended.IsZero() ||
			which.ID != "" && v.ID != which.ID || which.Except != "" && v.ID == which.Except {
			continue
		}
		if most++; !v.Ends.Before(w.now) {
			least++
		}
		v.Ended, v.Reason = w.now, reason
	}
	n, err := w.store.Revoke(ctx, which, w.now, reason)
	if err == nil && (n < least || n > most) {
		err = fmt.Errorf("revoke ended %d sessions, want %d to %d", n, least, most)
	}
	return err
}

func (w *walk) list(ctx context.Context) error {
	t, person := w.who()
	var want []session.Session
	for _, r := range w.rows {
		v := r.Session
		if v.Tenant == t && v.Person == person && v.Ended.IsZero() && w.now.Before(v.IdleEnds) && w.now.Before(v.Ends) {
			want = append(want, v)
		}
	}
	slices.SortFunc(want, func(a, b session.Session) int {
		if c := b.Created.Compare(a.Created); c != 0 {
			return c
		}
		return strings.Compare(b.ID, a.ID)
	})
	return listed(ctx, w.store, t, person, w.now, want...)
}
