package session_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

// What is known of a session from outside. The model knows nothing of grains and rows, only
// what a person is promised.
type promise struct {
	token         string
	id            string
	tenant        audit.Tenant
	person        audit.ActorID
	created, used time.Time
	ended         bool // by somebody
	dead          bool // found dead once
	evictable     bool // had to make room, perhaps
	locked        bool
	old           string    // the token before
	oldUntil      time.Time // and until when it works
	leastIdle     time.Duration
	leastAbsolute time.Duration
	promised      time.Duration // absolute limit at sign-in
}

// TestModel signs people in and out at random, on two servers that share a store, while time
// passes and limits change, and holds every answer against the promises: never late, at most
// a grain early, never again once dead.
func TestModel(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		steps := 600
		if testing.Short() {
			steps = 300
		}
		var expired, ended, locked, old int
		for seed := range uint64(3) {
			store := open(t)
			a, b := newDesk(t, store), newDesk(t, store)
			b.clock, b.Manager = a.clock, other(t, b, a.clock)
			w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 11)), desks: []*desk{a, b}, clock: a.clock, limits: session.DefaultLimits()}
			for range steps {
				w.step()
			}
			require.Greater(t, w.alive, steps/20, "the walk has to meet live sessions")
			expired, ended, locked, old = expired+w.expired, ended+w.endedSeen, locked+w.lockedSeen, old+w.oldSeen
		}
		for met, n := range map[string]int{"expired": expired, "ended": ended, "locked": locked, "old": old} {
			require.Greater(t, n, 0, "no walk met a token that was %s", met)
		}
	})
}

// other is b's server with a's clock.
func other(t *testing.T, b *desk, c *clock) *session.Manager {
	m, err := session.New(b.store, b.log, session.RemoteAddr, &session.Options{Now: c.Now})
	require.NoError(t, err)
	return m
}

type world struct {
	t      *testing.T
	rng    *rand.Rand
	desks  []*desk
	clock  *clock
	limits session.Limits
	all    []*promise

	alive, expired, endedSeen, lockedSeen, oldSeen int
}

func (w *world) desk() *desk { return w.desks[w.rng.IntN(len(w.desks))] }

func (w *world) one() *promise {
	recent := min(len(w.all), 8)
	return w.all[len(w.all)-1-w.rng.IntN(recent)]
}

func (w *world) step() {
	w.clock.Add(time.Duration(w.rng.IntN(90_000_000)) * time.Microsecond)
	switch n := w.rng.IntN(100); {
	case n < 8 || len(w.all) == 0:
		w.start()
	case n < 65:
		w.request(w.one())
	case n < 75:
		w.prove(w.one())
	case n < 80:
		w.lock(w.one())
	case n < 85:
		w.presentOld(w.one())
	case n < 88:
		p := w.one()
		require.NoError(w.t, w.desk().End(w.t.Context(), p.token, session.ReasonSignOut))
		p.ended = true
	case n < 90:
		w.endMany()
	case n < 92:
		w.endOne(w.one())
	case n < 97:
		w.list()
	default:
		w.change()
	}
}

func (w *world) start() {
	who := staff([]audit.ActorID{ann, bob, "staff-eve"}[w.rng.IntN(3)])
	if w.rng.IntN(4) == 0 {
		who.Tenant = "clinic-2"
	}
	token, err := w.desk().Start(w.t.Context(), who)
	require.NoError(w.t, err)
	if n := w.limits.Sessions; n > 0 {
		for _, q := range w.all {
			q.evictable = q.evictable || q.tenant == who.Tenant && q.person == who.ID
		}
		have := 0
		for _, err := range w.desk().List(audit.WithActor(w.t.Context(), who), who.Tenant, who.ID) {
			require.NoError(w.t, err)
			have++
		}
		require.LessOrEqual(w.t, have, n, "more at once than the policy allows")
	}
	s, err := w.desk().Check(get(token))
	require.NoError(w.t, err)
	now := w.clock.Now()
	w.all = append(w.all, &promise{
		token: token, id: s.ID, tenant: who.Tenant, person: who.ID, created: now, used: now,
		leastIdle: w.limits.Idle, leastAbsolute: w.limits.Absolute, promised: w.limits.Absolute,
	})
}

// request presents a token and judges the answer.
func (w *world) request(p *promise) {
	now := w.clock.Now()
	err := w.desk().state(p.token)
	if err == nil {
		w.alive++
		require.False(w.t, p.ended, "alive although somebody ended it")
		require.False(w.t, p.dead, "alive although it was found dead before")
		require.Less(w.t, now.Sub(p.used), w.limits.Idle, "alive past the idle limit")
		require.Less(w.t, now.Sub(p.created), w.limits.Absolute, "alive past the absolute limit")
		require.False(w.t, p.locked, "alive although it is locked")
		p.used = now
		return
	}
	switch {
	case errors.Is(err, session.ErrLocked):
		w.lockedSeen++
		require.True(w.t, p.locked && !p.ended && !p.dead)
		require.Less(w.t, now.Sub(p.used), w.limits.Idle, "locked past the idle limit")
		return
	case errors.Is(err, session.ErrEnded):
		w.endedSeen++
		require.True(w.t, p.ended || p.evictable, "ended by nobody")
	case errors.Is(err, session.ErrInvalid):
		require.GreaterOrEqual(w.t, now.Sub(p.created), p.promised, "forgotten too early")
	default:
		require.ErrorIs(w.t, err, session.ErrExpired)
		w.expired++
		grain := session.Limits{Idle: p.leastIdle}.Grain()
		early := now.Sub(p.used) < p.leastIdle-max(grain, time.Minute) && now.Sub(p.created) < p.leastAbsolute
		require.False(w.t, early && !p.dead && !p.ended, "expired more than a grain early")
	}
	p.dead = true
}

// prove asks the person of p again, in a page of theirs: to go on, or to unlock.
func (w *world) prove(p *promise) {
	d := w.desk()
	_, ctx := serve(d, get(p.token))
	again := staff(p.person)
	again.Tenant, again.AuthTime = p.tenant, w.clock.Now()
	call := d.Reauthenticated
	if p.locked {
		call = d.Unlock
	}
	token, err := call(ctx, again, session.Area("settings"))
	if p.ended || p.dead {
		require.ErrorIs(w.t, err, session.ErrNoSession, "nobody proves their way back in")
	}
	if err != nil {
		require.ErrorIs(w.t, err, session.ErrNoSession)
		w.request(p)
		return
	}
	now := w.clock.Now()
	if p.locked {
		p.old = "" // it stays locked
	} else {
		p.old, p.oldUntil = p.token, now.Add(10*time.Second)
	}
	p.token, p.locked, p.created, p.used = token, false, now, now
	p.leastIdle, p.leastAbsolute, p.promised = w.limits.Idle, w.limits.Absolute, w.limits.Absolute
}

// lock locks the session, if it is there.
func (w *world) lock(p *promise) {
	w.request(p)
	d := w.desk()
	_, ctx := serve(d, get(p.token))
	err := d.Lock(ctx)
	if p.ended || p.dead {
		require.ErrorIs(w.t, err, session.ErrNoSession)
		return
	}
	require.NoError(w.t, err)
	p.locked = true
}

// presentOld presents the token before: it works for its ten seconds, and never when the
// session does not.
func (w *world) presentOld(p *promise) {
	if w.rng.IntN(4) > 0 { // a fresh one
		w.prove(p)
		w.clock.Add(time.Duration(w.rng.IntN(15)) * time.Second)
	}
	if p.old == "" {
		return
	}
	err := w.desk().state(p.old)
	if err == nil {
		w.oldSeen++
		require.True(w.t, w.clock.Now().Before(p.oldUntil), "the old token works for too long")
		require.False(w.t, p.ended || p.dead || p.locked, "the old token outlives its session")
		return
	}
	require.ErrorIs(w.t, err, session.ErrNoSession)
}

func (w *world) endMany() {
	p := w.one()
	if w.rng.IntN(2) == 0 {
		require.NoError(w.t, w.desk().EndAll(w.t.Context(), p.tenant, p.person, session.ReasonSignOut))
		p.ended = true
	} else {
		require.NoError(w.t, w.desk().EndOthers(w.t.Context(), p.tenant, p.person, p.id, "password_changed"))
	}
	for _, q := range w.all {
		if q != p && q.tenant == p.tenant && q.person == p.person {
			q.ended = true
		}
	}
}

func (w *world) endOne(p *promise) {
	who := staff("staff-admin")
	who.Tenant = p.tenant
	err := w.desk().EndOne(audit.WithActor(w.t.Context(), who), p.tenant, p.person, p.id, "ended_by_admin")
	switch {
	case p.ended, p.dead:
		require.ErrorIs(w.t, err, session.ErrNotFound)
	case p.evictable && errors.Is(err, session.ErrNotFound):
	default:
		require.NoError(w.t, err)
	}
	p.ended = true
}

// list compares what is listed with the promises: everything listed may be alive, and what
// was used just now and not ended is listed.
func (w *world) list() {
	p := w.one()
	w.request(p)
	who := staff(p.person)
	who.Tenant = p.tenant
	listed := map[string]bool{}
	for s, err := range w.desk().List(audit.WithActor(w.t.Context(), who), p.tenant, p.person) {
		require.NoError(w.t, err)
		require.False(w.t, listed[s.ID])
		listed[s.ID] = true
	}
	require.Equal(w.t, !p.ended && !p.dead, listed[p.id], "locked or not, it is in the list")
	for _, q := range w.all {
		if q.ended || q.dead || q.tenant != p.tenant || q.person != p.person {
			require.False(w.t, listed[q.id])
		}
	}
}

func (w *world) change() {
	choices := []session.Limits{
		session.DefaultLimits(),
		{Idle: 5 * time.Minute, Absolute: 20 * time.Minute},
		{Idle: time.Hour, Absolute: 24 * time.Hour},
		{Idle: time.Minute, Absolute: time.Hour},
		{Idle: 15 * time.Minute, Absolute: 12 * time.Hour, Sessions: 2},
	}
	w.limits = choices[w.rng.IntN(len(choices))]
	save(w.t, w.desks[0].store, limits(w.limits))
	other := limits(w.limits)
	if have, err := w.desks[0].store.GetPolicy(w.t.Context(), "clinic-2"); err == nil {
		other.Version = have.Version
	}
	other.Version++
	require.NoError(w.t, w.desks[0].store.SavePolicy(w.t.Context(), "clinic-2", other))
	for _, p := range w.all {
		p.leastIdle = min(p.leastIdle, w.limits.Idle)
		p.leastAbsolute = min(p.leastAbsolute, w.limits.Absolute)
	}
}
