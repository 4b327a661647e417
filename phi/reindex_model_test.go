package phi_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi"
)

// indexModel is a host of rotators, writers and a reader, whose every call of key
// store, KMS and term store is a point at which another of them may go on.
type indexModel struct {
	*roster
	w    *world
	held map[string]string // who got an e-mail first
}

// terms of an actor yield like its key store.
func (m *indexModel) store(yield func(string) error) phi.IndexStore {
	return &hookedTerms{m.roster.terms, hooked{before: yield}}
}

// rotating is an actor that rotates. After a change of phase, time passes until all caches
// have expired, which is what RotatorOptions.Settle waits for.
func (m *indexModel) rotating(s *scheduler, done *error) {
	s.actor(func(yield func(string) error) {
		phase := phi.RotationPhase("")
		r := m.rotator(m.w.server(m.t, yield), phi.RotatorOptions{Terms: m.store(yield), Progress: func(job phi.Rotation) {
			if job.Phase != phase {
				phase = job.Phase
				m.w.clk.Advance(phi.DefaultCacheTTL)
			}
		}})
		_, *done = r.Rotate(context.Background(), phi.RotateIndex, clinic)
	})
}

// writing is an actor that adds members with e-mails which the other writer adds too.
func (m *indexModel) writing(s *scheduler, name string, mails []int, done *error) {
	s.actor(func(yield func(string) error) {
		v, store := m.w.server(m.t, yield), m.store(yield)
		for i, mail := range mails {
			row := newMember(mail)
			row.ID = fmt.Sprintf("%s-%d", name, i)
			err := m.saveIn(store, v, row)
			for errors.Is(err, phi.ErrStaleTerms) { // it slept between sealing and saving
				m.w.clk.Advance(phi.DefaultCacheTTL)
				err = m.saveIn(store, v, row)
			}
			mail := fmt.Sprint(mail)
			switch first, taken := m.held[mail], m.held[mail] != ""; {
			case err == nil && taken:
				*done = fmt.Errorf("%s and %s have one e-mail", first, row.ID)
			case err == nil:
				m.held[mail] = row.ID
			case !errors.Is(err, phi.ErrDuplicate):
				*done = err
			}
			if *done != nil {
				return
			}
		}
	})
}

// moving is an actor that changes the telephone number of a row again and again.
func (m *indexModel) moving(s *scheduler, numbers int, done *error) {
	s.actor(func(yield func(string) error) {
		v, store := m.w.server(m.t, yield), m.store(yield)
		for i := range numbers {
			row := newMember(0)
			row.Phone = phi.NewText(fmt.Sprintf("555-555-99%02d", i))
			*done = m.saveIn(store, v, row)
			for errors.Is(*done, phi.ErrStaleTerms) {
				m.w.clk.Advance(phi.DefaultCacheTTL)
				*done = m.saveIn(store, v, row)
			}
		}
	})
}

// reading is an actor that looks for rows that are there from the beginning. It may be
// stopped between asking for a term and looking for it, for longer than a rotation takes; what
// it asks for next is found.
func (m *indexModel) reading(s *scheduler, rows int, done *error) {
	s.actor(func(yield func(string) error) {
		v, store := m.w.server(m.t, yield), m.store(yield)
		codec := members(m.t, v)
		for i := range 3 * rows {
			mail, found := i%rows, false
			for try := 0; try < 3 && !found; try++ {
				if try > 0 {
					m.w.clk.Advance(phi.DefaultCacheTTL)
				}
				q, err := codec.Lookup(context.Background(), clinic, "email", fmt.Sprintf("m%d@example.com", mail))
				if err == nil {
					var ids []string
					ids, err = store.Lookup(context.Background(), clinic, q)
					found = len(ids) == 1
				}
				if err != nil {
					*done = err
					return
				}
			}
			if !found {
				*done = fmt.Errorf("row %d is not found", mail)
				return
			}
		}
	})
}

// interleaveIndex runs all of them under one schedule and checks what must hold under each:
// nobody sees an error, an e-mail belongs to one row, every row is found, and nothing of the
// old root is left.
func interleaveIndex(t *testing.T, choose func(int) int) {
	t.Helper()
	m := &indexModel{newRoster(t, phi.NewMemoryTerms()), newWorld(), map[string]string{}}
	first := m.w.vault(t)
	const rows = 3
	for i := range rows {
		require.NoError(t, m.save(first, newMember(i)))
		m.held[fmt.Sprint(i)] = newMember(i).ID
	}
	const numbers = 4
	var errs [6]error
	s := newScheduler(choose)
	m.rotating(s, &errs[0])
	m.rotating(s, &errs[1])
	m.writing(s, "w1", []int{3, 1, 4, 5}, &errs[2])
	m.writing(s, "w2", []int{3, 5, 4, 0}, &errs[3])
	m.reading(s, rows, &errs[4])
	m.moving(s, numbers, &errs[5])
	s.run()
	for i, err := range errs {
		require.NoError(t, err, "actor %d", i)
	}
	m.w.clk.Advance(phi.DefaultCacheTTL)
	for _, v := range []*phi.Vault{first, m.w.vault(t)} {
		for mail, id := range m.held {
			require.Equal(t, []string{id}, m.found(v, "email", "m"+mail+"@example.com"))
		}
	}
	for i := range numbers {
		moved := m.found(first, "phone", fmt.Sprintf("555-555-99%02d", i))
		require.Len(t, moved, i/(numbers-1), "only the last number counts")
	}
	require.Len(t, m.rows, 6)
	k := m.w.current(t, phi.PurposeIndex, "")
	require.LessOrEqual(t, k.Epoch, uint32(3), "at most one rotation after the other")
	old, err := m.roster.terms.DropTerms(t.Context(), clinic, byte(k.Epoch), 1)
	require.NoError(t, err)
	require.Zero(t, old)
	behind, err := m.roster.terms.Behind(t.Context(), clinic, byte(k.Epoch))
	require.NoError(t, err)
	require.Empty(t, behind)
}

// Rotators, writers and a reader under schedules drawn at random: a fair one, and ones in
// which an actor sleeps for long.
func TestIndexRotationInterleavings(t *testing.T) {
	t.Parallel()
	runs := 300
	if testing.Short() {
		runs = 40
	}
	for seed := range runs {
		rng := rand.New(rand.NewPCG(7, uint64(seed)))
		streak, last := rng.IntN(40), 0
		interleaveIndex(t, func(n int) int {
			if last >= n || streak == 0 || rng.IntN(streak+1) == 0 {
				last = rng.IntN(n)
			}
			return last
		})
	}
}
