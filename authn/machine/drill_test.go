package machine_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit/audithttp"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/authn/machine"
	"github.com/wardkit/wardkit/authn/machine/machinesql"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// servers runs a test on memory and on every SQL engine, with servers that share nothing but the
// database: each opens a store of its own.
func servers(t *testing.T, f func(t *testing.T, open func() machine.Store)) {
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		s := machine.NewMemory()
		f(t, func() machine.Store { return s })
	})
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		e := engine(t)
		f(t, func() machine.Store {
			open := machinesql.SQLite
			if e.Dialect == sqlkit.Postgres {
				open = machinesql.Postgres
			}
			s, err := open(e.Pool)
			require.NoError(t, err)
			require.NoError(t, s.Migrate(t.Context()))
			return s
		})
	})
}

// crew is a house with several servers.
func crew(t *testing.T, open func() machine.Store, edit ...func(*machine.Options)) (h *house, all []*machine.Manager) {
	h = newHouse(t, open(), edit...)
	all = append(all, h.m)
	h.parts.Store = wired{open(), h.wire}
	return h, append(all, h.server())
}

// The drill: a key leaks, somebody uses it, an administrator revokes it. The next request is
// refused on every server, with the key and with every token made for it, and the log says which
// requests were made with it and from where.
func TestKeyLeakDrill(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, open func() machine.Store) {
		h, all := crew(t, open)
		var sites []http.Handler
		for _, m := range all {
			hold, err := audithttp.Hold(h.rec, m.Handler(peer, http.HandlerFunc(whoami), nil), nil)
			require.NoError(t, err)
			sites = append(sites, hold)
		}
		request := func(site http.Handler, secret authn.Secret, from string) int {
			r := get("Authorization", "Bearer "+secret.Reveal())
			r.RemoteAddr = from + ":4711"
			return serve(site, r).Code
		}
		p, leaked := h.make(h.agent())
		require.Equal(t, 200, request(sites[0], leaked, "192.0.2.7"), "the program itself")

		// the attacker found it in a public repository
		stolen, err := all[1].Grant(t.Context(), string(p.ID), leaked, nil, elsewhere)
		require.NoError(t, err)
		for i, secret := range []authn.Secret{leaked, stolen.Token, leaked} {
			require.Equal(t, 200, request(sites[i%2], secret, "198.51.100.9"))
		}

		// the owner gets a new key first, so that the program goes on, and revokes the old one
		_, fresh, err := all[0].Rotate(h.as(ada), p.ID, time.Hour)
		require.NoError(t, err)
		require.NoError(t, all[0].Revoke(h.as(ada), p.ID, p.Keys[0].ID, "public repository"))
		for _, site := range sites {
			require.Equal(t, 401, request(site, leaked, "198.51.100.9"))
			require.Equal(t, 401, request(site, stolen.Token, "198.51.100.9"))
			require.Equal(t, 200, request(site, fresh, "192.0.2.7"))
		}
		_, err = all[1].Grant(t.Context(), string(p.ID), leaked, nil, elsewhere)
		require.ErrorIs(t, err, machine.ErrInvalid)

		byAddress := map[string]int{}
		for _, e := range h.rec.Find(read) {
			require.Equal(t, p.ID, e.Actor.ID)
			require.Equal(t, tess, e.Actor.OnBehalfOf)
			if e.Actor.Session == p.Keys[0].ID {
				byAddress[e.Actor.Origin.String()]++
			}
		}
		require.Equal(t, map[string]int{"192.0.2.7": 1, "198.51.100.9": 3}, byAddress)
		require.Len(t, h.rec.Find(machine.ActionToken), 2, "one handed out, one refused")
		require.Len(t, h.rec.Find(machine.ActionEnter), 4, "what was tried afterwards")
	})
}

// Rotated, revoked and used by everybody at once: no key lets in after its revocation has
// returned, there are never more live keys than allowed, and the log tells all of it.
func TestRotateRevokeAndUseAtOnce(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, open func() machine.Store) {
		h, all := crew(t, open, func(o *machine.Options) { o.ServiceRate, o.BadKeys, o.Timeout = 1_000_000, 1_000_000, time.Minute })
		p, key := h.make(h.service())
		var mu sync.Mutex
		over := map[string]bool{} // IDs of keys whose revocation has returned
		live := []authn.Secret{key}
		ids := []string{p.Keys[0].ID}
		var entered, refused atomic.Int64
		n := 256
		if testing.Short() {
			n = 64
		}
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				m := all[i%len(all)]
				mu.Lock()
				mine, id := live[i%len(live)], ids[i%len(ids)]
				known := over[id]
				mu.Unlock()
				switch i % 16 {
				case 3:
					if k, fresh, err := m.Rotate(h.as(ada), p.ID, time.Hour); err == nil {
						mu.Lock()
						live, ids = append(live, fresh), append(ids, k.ID)
						mu.Unlock()
					}
				case 7:
					if m.Revoke(h.as(ada), p.ID, id, "") == nil {
						mu.Lock()
						over[id] = true
						mu.Unlock()
					}
				default:
					a, err := m.Enter(t.Context(), mine, office)
					if err != nil {
						require.ErrorIs(t, err, machine.ErrInvalid)
						refused.Add(1)
						return
					}
					require.False(t, known, "a revoked key let in")
					require.Equal(t, id, a.Session)
					entered.Add(1)
				}
			})
		}
		wg.Wait()
		require.Positive(t, entered.Load())
		got, err := h.m.Get(h.as(ada), p.ID)
		require.NoError(t, err)
		alive := 0
		for _, k := range got.Keys {
			if k.Live(h.clock.Now()) {
				alive++
			}
			require.True(t, !over[k.ID] || !k.Revoked.IsZero(), "a revocation was lost")
		}
		require.LessOrEqual(t, alive, 3)
		for i, secret := range live {
			_, err := all[i%2].Enter(t.Context(), secret, office)
			j := slices.IndexFunc(got.Keys, func(k machine.Key) bool { return k.ID == ids[i] })
			require.Equal(t, got.Keys[j].Live(h.clock.Now()), err == nil, fmt.Sprint("key ", i))
		}
	})
}

// 256 requests at once get as many as the rate allows, not one more.
func TestTheRateHoldsUnderAFlood(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil, func(o *machine.Options) { o.ServiceRate = 100 })
	_, key := h.make(h.service())
	var in, limited atomic.Int64
	var wg sync.WaitGroup
	for range 256 {
		wg.Go(func() {
			switch _, err := h.enter(key); {
			case err == nil:
				in.Add(1)
			default:
				require.ErrorIs(t, err, machine.ErrLimited)
				limited.Add(1)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 100, in.Load())
	require.EqualValues(t, 156, limited.Load())
	require.Len(t, h.rec.Find(machine.ActionEnter), 1)
}

// A program that is made while its person leaves does not act for them.
func TestMadeWhileSomebodyLeaves(t *testing.T) {
	t.Parallel()
	for range 50 {
		h := newHouse(t, nil)
		var wg sync.WaitGroup
		var key authn.Secret
		var err error
		wg.Go(func() { _, key, err = h.m.Create(h.as(ada), h.agent()) })
		wg.Go(func() {
			h.world.leave(tess)
			require.NoError(t, h.m.EndAll(t.Context(), clinic, tess, "suspended"))
		})
		wg.Wait()
		if err != nil {
			require.ErrorIs(t, err, machine.ErrSpec)
			continue
		}
		_, err = h.enter(key)
		require.ErrorIs(t, err, machine.ErrInvalid)
	}
}
