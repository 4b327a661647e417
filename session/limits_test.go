package session_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

func TestLimitsValidate(t *testing.T) {
	t.Parallel()
	require.NoError(t, session.DefaultLimits().Validate())
	for name, c := range map[string]struct {
		limits session.Limits
		ok     bool
	}{
		"zero":                        {session.Limits{}, false},
		"no absolute":                 {session.Limits{Idle: 15 * time.Minute}, false},
		"no idle":                     {session.Limits{Absolute: 12 * time.Hour}, false},
		"negative":                    {session.Limits{Idle: -time.Minute, Absolute: time.Hour}, false},
		"shortest":                    {session.Limits{Idle: time.Minute, Absolute: time.Minute}, true},
		"idle too short":              {session.Limits{Idle: time.Minute - 1, Absolute: time.Hour}, false},
		"longest":                     {session.Limits{Idle: time.Hour, Absolute: 24 * time.Hour}, true},
		"idle above an hour":          {session.Limits{Idle: time.Hour + 1, Absolute: 24 * time.Hour}, false},
		"absolute above a day":        {session.Limits{Idle: time.Hour, Absolute: 24*time.Hour + 1}, false},
		"absolute below idle":         {session.Limits{Idle: time.Hour, Absolute: time.Hour - 1}, false},
		"insecure":                    {session.Limits{Idle: 48 * time.Hour, Absolute: 720 * time.Hour, InsecureLong: true}, true},
		"insecure, still bounded":     {session.Limits{Idle: time.Hour, Absolute: 720*time.Hour + 1, InsecureLong: true}, false},
		"insecure, absolute required": {session.Limits{Idle: time.Hour, InsecureLong: true}, false},
	} {
		err := c.limits.Validate()
		if c.ok {
			require.NoError(t, err, name)
		} else {
			require.ErrorIs(t, err, session.ErrLimits, name)
		}
	}
}

func TestGrain(t *testing.T) {
	t.Parallel()
	require.Equal(t, 60*time.Second, session.DefaultLimits().Grain())
	require.Equal(t, 6*time.Second, session.Limits{Idle: time.Minute}.Grain())
	require.Equal(t, time.Minute, session.Limits{Idle: time.Hour}.Grain())
}

func TestIdleAndAbsolute(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		t.Run("idle", func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, open(t))
			token := d.start(t, staff(ann))
			d.clock.Add(15*time.Minute - time.Microsecond)
			require.NoError(t, d.state(token))
			d.clock.Add(15 * time.Minute)
			require.ErrorIs(t, d.state(token), session.ErrExpired)
		})
		t.Run("absolute", func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, open(t))
			token := d.start(t, staff(ann))
			for range 71 { // 11 h 50 min of work
				d.clock.Add(10 * time.Minute)
				require.NoError(t, d.state(token))
			}
			s, err := d.Check(get(token))
			require.NoError(t, err)
			require.Equal(t, 10*time.Minute, s.Left(d.clock.Now()), "the idle limit ends where the absolute one does")
			d.clock.Add(10*time.Minute - time.Microsecond)
			require.NoError(t, d.state(token))
			d.clock.Add(time.Microsecond)
			require.ErrorIs(t, d.state(token), session.ErrExpired)
		})
	})
}

// Activity is written at most once per grain; the session may end one grain early for it.
func TestCoarseTouch(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	token := d.start(t, staff(ann))
	for range 59 {
		d.clock.Add(time.Second)
		require.NoError(t, d.state(token))
	}
	require.Equal(t, 0, d.store.count("Touch"))
	d.clock.Add(time.Second)
	require.NoError(t, d.state(token))
	require.Equal(t, 1, d.store.count("Touch"))
	d.clock.Add(59 * time.Second) // activity that nobody wrote down
	require.NoError(t, d.state(token))
	require.Equal(t, 1, d.store.count("Touch"))
	d.clock.Add(14*time.Minute + time.Second)
	require.ErrorIs(t, d.state(token), session.ErrExpired)
}

// save makes p the policy of clinic-1, without a manager.
func save(t testing.TB, store session.Store, p session.Policy) {
	t.Helper()
	p.Version = 1
	if have, err := store.GetPolicy(t.Context(), clinic); err == nil {
		p.Version = have.Version + 1
	}
	require.NoError(t, store.SavePolicy(t.Context(), clinic, p))
}

func limits(l session.Limits) session.Policy { return session.Policy{Limits: l} }

func TestShortenedLimitsActOnTheNextRequest(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		for name, shorter := range map[string]session.Limits{
			"idle":     {Idle: 5 * time.Minute, Absolute: 12 * time.Hour},
			"absolute": {Idle: 10 * time.Minute, Absolute: 10 * time.Minute},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				d := newDesk(t, open(t))
				token := d.start(t, staff(ann))
				d.clock.Add(10 * time.Minute)
				save(t, d.store, limits(shorter))
				require.ErrorIs(t, d.state(token), session.ErrExpired)

				save(t, d.store, session.DefaultPolicy())
				require.ErrorIs(t, d.state(token), session.ErrExpired, "longer limits revive nothing")
			})
		}
	})
}

func TestLimitsAreOfTenantAndKind(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		p := session.DefaultPolicy()
		p.Kinds = map[audit.Kind]session.Limits{audit.KindPatient: {Idle: 5 * time.Minute, Absolute: time.Hour}}
		save(t, d.store, p)
		patient, elsewhere := staff("patient-17"), staff("patient-17")
		patient.Kind, elsewhere.Kind, elsewhere.Tenant = audit.KindPatient, audit.KindPatient, "clinic-2"
		hers, his, theirs := d.start(t, staff(ann)), d.start(t, patient), d.start(t, elsewhere)
		d.clock.Add(6 * time.Minute)
		require.NoError(t, d.state(hers))
		require.ErrorIs(t, d.state(his), session.ErrExpired)
		require.NoError(t, d.state(theirs), "another tenant's policy")
	})
}

func TestUnusablePolicyCloses(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	token := d.start(t, staff(ann))
	require.NoError(t, d.store.SavePolicy(t.Context(), clinic, session.Policy{Version: 1}))
	require.ErrorIs(t, d.state(token), session.ErrUnavailable)
	require.ErrorIs(t, d.state(token), session.ErrLimits)
	_, err := d.Start(t.Context(), staff(bob))
	require.ErrorIs(t, err, session.ErrUnavailable)

	o := session.Options{Policy: session.Policy{Limits: session.Limits{Idle: 2 * time.Hour, Absolute: 3 * time.Hour}}}
	_, err = session.New(session.NewMemory(), d.log, session.RemoteAddr, &o)
	require.ErrorIs(t, err, session.ErrPolicy)
	require.ErrorIs(t, err, session.ErrLimits)
}

// NIST SP 800-63B-4, section 2.3.3: assurance level 3 lasts 12 hours at most, whatever the
// tenant allows.
func TestAssurance3IsShorter(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	save(t, d.store, limits(session.Limits{Idle: 20 * time.Hour, Absolute: 100 * time.Hour, InsecureLong: true}))
	strong := staff(ann)
	strong.Assurance = audit.AAL3
	token, other := d.start(t, strong), d.start(t, staff(bob))
	d.clock.Add(6 * time.Hour)
	require.NoError(t, d.state(token))
	d.clock.Add(6 * time.Hour)
	require.ErrorIs(t, d.state(token), session.ErrExpired)
	require.NoError(t, d.state(other))

	save(t, d.store, limits(session.Limits{Idle: time.Hour, Absolute: 24 * time.Hour}))
	token = d.start(t, strong)
	d.clock.Add(15 * time.Minute)
	require.ErrorIs(t, d.state(token), session.ErrExpired)
}
