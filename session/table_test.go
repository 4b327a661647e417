package session_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

// row is a session of somebody, as a store takes it.
func row(rng *rand.Rand, person audit.ActorID, created time.Time) session.Record {
	var k session.Key
	for i := range k.Hash {
		k.Hash[i] = byte(rng.Uint32())
	}
	return session.Record{Key: k, Session: session.Session{
		ID: audit.NewID(created), Tenant: clinic, Person: person, Kind: audit.KindStaff, Assurance: audit.AAL2,
		AuthTime: created, Created: created, Since: created, LastSeen: created, Version: 1,
		IdleEnds: created.Add(15 * time.Minute), Ends: created.Add(12 * time.Hour),
	}}
}

// Thousands of rows come and go, many of them where others were, and each is found or not, as
// it should be. All begin with the same byte, so that they meet in one table, and the bytes
// that say where to look are from few, so that they are in each other's way.
func TestMemoryFindsWhatIsThere(t *testing.T) {
	t.Parallel()
	ctx, m, rng := t.Context(), session.NewMemory(), rand.New(rand.NewPCG(1, 2))
	now := newClock().Now()
	there, gone := map[audit.ActorID][]session.Record{}, []session.Key{}
	for i := range 6000 {
		person := audit.ActorID(fmt.Sprint("staff-", rng.IntN(900)))
		if i%30 == 0 {
			n, err := m.Purge(ctx, now.Add(-2*time.Hour), 40)
			require.NoError(t, err)
			for p, all := range there {
				there[p] = slices.DeleteFunc(all, func(r session.Record) bool {
					if _, err := m.Get(ctx, r.Key); err == nil {
						return false
					}
					require.True(t, r.Session.Ends.Before(now)) // purged, or its person signed in again
					gone, n = append(gone, r.Key), n-1
					return true
				})
			}
			require.LessOrEqual(t, n, 0, "what was purged is gone")
		}
		now = now.Add(20 * time.Second)
		r := row(rng, person, now)
		r.Key.Hash[0] = 7
		for j := 9; j < 16; j++ {
			r.Key.Hash[j] = 0
		}
		r.Session.IdleEnds, r.Session.Ends = now.Add(time.Hour), now.Add(time.Hour)
		_, err := m.Create(ctx, r, 0)
		require.NoError(t, err)
		there[person] = append(there[person], r)
	}
	n := 0
	for person, all := range there {
		for _, r := range all {
			f, err := m.Get(ctx, r.Key)
			if err != nil { // its person signed in again after its end
				require.True(t, r.Session.Ends.Before(now))
				continue
			}
			require.Equal(t, r.Session, f.Session)
			require.Equal(t, person, f.Session.Person)
			n++
		}
	}
	require.Greater(t, n, 300)
	for _, k := range gone {
		_, err := m.Get(ctx, k)
		require.ErrorIs(t, err, session.ErrNotFound)
	}
	require.Greater(t, len(gone), 300)
}

// People sign in, are seen, listed and signed out at once, in one table, while it grows.
func TestMemoryAtOnce(t *testing.T) {
	t.Parallel()
	m, now := session.NewMemory(), newClock().Now()
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 3))
			person := audit.ActorID(fmt.Sprint("staff-", w/2)) // two of each
			for i := range 300 {
				r := row(rng, person, now.Add(time.Duration(i)*time.Second))
				r.Key.Hash[0] = 7
				if _, err := m.Create(context.Background(), r, 3); err != nil {
					t.Error(err)
				}
				if _, err := m.Touch(context.Background(), r.Key, now.Add(time.Hour), now.Add(2*time.Hour)); err != nil {
					t.Error(err)
				}
				for range m.List(context.Background(), clinic, person, now) {
				}
				if _, err := m.Purge(context.Background(), now.Add(-time.Hour), 10); err != nil {
					t.Error(err)
				}
				which := session.Selection{Tenant: clinic, Person: person, ID: r.Session.ID}
				if _, err := m.Revoke(context.Background(), which, now, "x"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// Signing in and out again and again leaves little behind: of what is over, the last is kept,
// and its person told what became of it.
func TestSignInLoopStaysSmall(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(testing.TB) session.Store{
		"memory": func(testing.TB) session.Store { return session.NewMemory() }, "redis": redisStore,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, open(t))
			var tokens []string
			for range 100 {
				d.clock.Add(time.Second)
				tokens = append(tokens, d.start(t, staff(ann)))
				require.NoError(t, d.End(t.Context(), tokens[len(tokens)-1], session.ReasonSignOut))
			}
			live := d.start(t, staff(ann))
			known := 0
			for _, token := range tokens {
				if s, _ := d.Check(get(token)); s.ID != "" {
					t.Fatal("alive")
				}
				_, ctx := serve(d, get(token))
				if session.Status(ctx) == session.StateEnded {
					known++
				}
			}
			require.Equal(t, 64, known)
			_, ctx := serve(d, get(tokens[99]))
			require.Equal(t, session.StateEnded, session.Status(ctx), "the last are known")
			_, ctx = serve(d, get(tokens[35]))
			require.Equal(t, session.StateInvalid, session.Status(ctx))
			require.NoError(t, d.state(live))

			for range 50 { // and so does one session that changes its token again and again
				d.clock.Add(time.Second)
				next, err := d.Rotate(d.in(t, live))
				require.NoError(t, err)
				live = next
			}
			require.NoError(t, d.state(live))
		})
	}
}

// BytesOfASession is for people who choose a store: what a live session costs in memory.
func TestBytesOfASession(t *testing.T) {
	const n = 50_000
	m, rng, now := session.NewMemory(), rand.New(rand.NewPCG(4, 5)), newClock().Now()
	heap := func() uint64 {
		var s runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	before := heap()
	for i := range n {
		_, err := m.Create(t.Context(), row(rng, audit.ActorID(fmt.Sprint("staff-", i/3)), now), 0)
		require.NoError(t, err)
	}
	require.Less(t, (heap()-before)/n, uint64(400))
	runtime.KeepAlive(m)
}
