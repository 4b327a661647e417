package session_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

// is returns the session of a token that is live.
func (d *desk) is(t testing.TB, token string) session.Session {
	t.Helper()
	s, err := d.Check(get(token))
	require.NoError(t, err)
	return s
}

func TestReauthenticated(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		old := d.start(t, staff(ann))
		before := d.is(t, old)
		d.clock.Add(10 * time.Minute)
		a := staff(ann)
		a.AuthTime = d.clock.Now().Add(-time.Minute)
		token, err := d.Reauthenticated(d.in(t, old), a)
		require.NoError(t, err)

		s := d.is(t, token)
		now := d.clock.Now()
		want := before
		want.AuthTime, want.Since, want.LastSeen = a.AuthTime, now, now
		want.IdleEnds, want.Ends, want.Version = now.Add(15*time.Minute), now.Add(12*time.Hour), 2
		require.Equal(t, want, s, "both clocks begin again, the id stays")

		all, err := list(audit.WithActor(t.Context(), staff(ann)), d)
		require.NoError(t, err)
		require.Len(t, all, 1, "it is one session under two tokens")
	})
}

// A request that was on its way with the old token is served, with what the old one proved.
func TestOldTokenInTheOverlap(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		weak := staff(ann)
		weak.Assurance, weak.Methods = audit.AAL1, []string{"pwd"}
		old := d.start(t, weak)
		d.clock.Add(time.Minute)
		strong := staff(ann)
		strong.AuthTime = d.clock.Now()
		token, err := d.Reauthenticated(d.in(t, old), strong, session.Area("settings"))
		require.NoError(t, err)
		require.Equal(t, audit.AAL2, d.is(t, token).Assurance)
		require.Len(t, d.is(t, token).Fresh, 1)

		d.clock.Add(10*time.Second - time.Microsecond)
		s := d.is(t, old)
		require.True(t, s.Superseded)
		require.Equal(t, audit.AAL1, s.Assurance)
		require.Empty(t, s.Fresh)
		w, _ := serve(d, get(old))
		require.Empty(t, w.Header()["Set-Cookie"], "it must not clear its successor")
		_, err = d.Reauthenticated(d.in(t, old), d.again(ann))
		require.ErrorIs(t, err, session.ErrConflict, "the old token leads to no third one")
		_, err = d.Rotate(d.in(t, old))
		require.ErrorIs(t, err, session.ErrConflict)

		d.clock.Add(time.Microsecond)
		require.ErrorIs(t, d.state(old), session.ErrEnded)
		require.NoError(t, d.state(token), "the end of the old token is not the end of the session")
		w, _ = serve(d, get(old))
		require.Empty(t, w.Header()["Set-Cookie"])
	})
}

// However a session ends, it ends under both tokens.
func TestOldTokenDiesWithTheSession(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		for name, end := range map[string]func(d *desk, id, token string) error{
			"end":     func(d *desk, _, token string) error { return d.End(t.Context(), token, "x") },
			"end all": func(d *desk, _, _ string) error { return d.EndAll(t.Context(), clinic, ann, "x") },
			"end one": func(d *desk, id, _ string) error {
				return d.EndOne(audit.WithActor(t.Context(), staff("staff-admin")), clinic, ann, id, "x")
			},
			"sign out": func(d *desk, _, token string) error { return d.SignOut(d.in(t, token)) },
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				d := newDesk(t, open(t))
				old := d.start(t, staff(ann))
				d.clock.Add(time.Second)
				token, err := d.Rotate(d.in(t, old))
				require.NoError(t, err)
				require.NoError(t, d.state(old))
				require.NoError(t, end(d, d.is(t, token).ID, token))
				require.ErrorIs(t, d.state(old), session.ErrEnded)
				require.ErrorIs(t, d.state(token), session.ErrEnded)
				if e, ok := d.log.Last("session.end_all"); ok {
					require.Equal(t, "1", e.Detail["ended"])
				}
			})
		}
	})
}

func TestRotate(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		first := d.start(t, staff(ann))
		d.clock.Add(2 * time.Minute)
		first, err := d.Reauthenticated(d.in(t, first), d.again(ann), session.Area("settings"))
		require.NoError(t, err)
		before := d.is(t, first)
		d.clock.Add(30 * time.Second)
		token, err := d.Rotate(d.in(t, first))
		require.NoError(t, err)
		require.NotEqual(t, first, token)
		s := d.is(t, token)
		before.Version, before.LastSeen, before.IdleEnds = 3, d.clock.Now(), d.clock.Now().Add(15*time.Minute)
		require.Equal(t, before, s, "no clock but idle, no proof, and the areas stay open")
		require.Len(t, d.log.Find("session.rotate"), 1)
	})
}

// Assurance is what was proven at once, never pieced together.
func TestAssuranceNeverRisesByItself(t *testing.T) {
	t.Parallel()
	type proof struct {
		level     audit.Assurance
		methods   []string
		resistant bool
	}
	one, code := proof{audit.AAL1, []string{"pwd"}, false}, proof{audit.AAL1, []string{"otp"}, false}
	two, key := proof{audit.AAL2, []string{"pwd", "otp"}, false}, proof{audit.AAL2, []string{"hwk"}, true}
	three := proof{audit.AAL3, []string{"hwk", "pin"}, true}
	for name, c := range map[string]struct {
		had, proved, has proof
		resets           bool // the absolute clock
	}{
		"two single factors are not two factors": {one, code, code, true},
		"one factor keeps what was proven":       {two, one, two, false},
		"two factors raise one":                  {one, two, two, true},
		"the same again":                         {two, two, two, true},
		"resistance is won":                      {two, key, key, true},
		"resistance is not lost":                 {key, two, key, true},
		"level 3 is not renewed by less":         {three, key, three, false},
		"level 3 is renewed by itself":           {three, three, three, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, session.NewMemory())
			a := staff(ann)
			a.Assurance, a.Methods, a.PhishingResistant = c.had.level, c.had.methods, c.had.resistant
			token := d.start(t, a)
			ends := d.is(t, token).Ends
			d.clock.Add(10 * time.Minute)
			a.AuthTime = d.clock.Now()
			a.Assurance, a.Methods, a.PhishingResistant = c.proved.level, c.proved.methods, c.proved.resistant
			token, err := d.Reauthenticated(d.in(t, token), a)
			require.NoError(t, err)
			s := d.is(t, token)
			require.Equal(t, c.has, proof{s.Assurance, s.Methods, s.PhishingResistant})
			require.Equal(t, c.resets, s.Ends.After(ends))
			require.Equal(t, d.clock.Now(), s.AuthTime)
		})
	}
}

// An AuthTime goes with the Assurance beside it: who has found a screen and a password must not seem
// to have proven two factors just now, which is what setting up one of their own takes.
func TestAttackAPasswordMakesNoSecondFactorFresh(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		save(t, d.store, risky())
		token := d.start(t, staff(ann))
		began := d.clock.Now()
		d.clock.Add(10 * time.Minute)
		token, err := d.Reauthenticated(d.in(t, token), d.again(ann), session.Area("settings"))
		require.NoError(t, err)
		a, ok := audit.ActorFrom(d.in(t, token))
		require.True(t, ok)
		require.Equal(t, audit.AAL2, a.Assurance)
		require.Equal(t, began, a.AuthTime, "when AAL2 was proven")
		require.Equal(t, d.clock.Now(), d.is(t, token).AuthTime, "a step-up by one factor counts as ever")

		d.clock.Add(time.Minute)
		strong := staff(ann)
		strong.AuthTime = d.clock.Now()
		token, err = d.Reauthenticated(d.in(t, token), strong)
		require.NoError(t, err)
		a, _ = audit.ActorFrom(d.in(t, token))
		require.Equal(t, strong.AuthTime, a.AuthTime)
	})
}

// A single factor cannot keep a session of two alive for ever.
func TestAbsoluteLimitNeedsTheFullProof(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	token := d.start(t, staff(ann))
	var err error
	for range 71 {
		d.clock.Add(10 * time.Minute)
		token, err = d.Reauthenticated(d.in(t, token), d.again(ann))
		require.NoError(t, err)
	}
	d.clock.Add(10 * time.Minute)
	require.ErrorIs(t, d.state(token), session.ErrExpired)
}

func TestReauthenticatedRefuses(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	token := d.start(t, staff(ann))
	d.clock.Add(14 * time.Minute)
	ctx := d.in(t, token)
	for name, c := range map[string]struct {
		change func(a *audit.Actor)
		want   error
	}{
		"somebody else":           {func(a *audit.Actor) { a.ID = bob }, session.ErrDenied},
		"of another tenant":       {func(a *audit.Actor) { a.Tenant = "clinic-2" }, session.ErrDenied},
		"as another kind":         {func(a *audit.Actor) { a.Kind = audit.KindPatient }, session.ErrDenied},
		"nothing proven":          {func(a *audit.Actor) { a.Assurance = audit.AAL0 }, session.ErrActor},
		"no time":                 {func(a *audit.Actor) { a.AuthTime = time.Time{} }, session.ErrStale},
		"the sign-in again":       {func(a *audit.Actor) { a.AuthTime = d.is(t, token).AuthTime }, session.ErrStale},
		"an old one of an IdP":    {func(a *audit.Actor) { a.AuthTime = d.clock.Now().Add(-5*time.Minute - 1) }, session.ErrStale},
		"before the session even": {func(a *audit.Actor) { a.AuthTime = d.clock.Now().Add(-time.Hour) }, session.ErrStale},
	} {
		a := d.again(ann)
		c.change(&a)
		got, err := d.Reauthenticated(ctx, a, session.Area("settings"))
		require.ErrorIs(t, err, c.want, name)
		require.Empty(t, got, name)
	}
	require.Zero(t, d.store.count("Rotate"))
	for _, e := range d.log.Find("session.reauthenticate") {
		require.Equal(t, audit.Failure, e.Outcome)
		require.Equal(t, "other_person", e.Code)
	}
	require.Len(t, d.log.Find("session.reauthenticate"), 3)
	_, err := d.Reauthenticated(ctx, d.again(ann), session.Area("no such\narea"))
	require.ErrorIs(t, err, session.ErrPolicy)

	future := d.again(ann)
	future.AuthTime = d.clock.Now().Add(time.Hour)
	token, err = d.Reauthenticated(ctx, future)
	require.NoError(t, err)
	require.Equal(t, d.clock.Now(), d.is(t, token).AuthTime, "nobody proves anything tomorrow")
}

// Two requests change the token at once: one of them gets it, the other is told, and nothing
// else works.
func TestTokenChangesAtOnce(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		token := d.start(t, staff(ann))
		d.clock.Add(time.Second)
		ctx := d.in(t, token)
		type answer struct {
			token string
			err   error
		}
		answers := make(chan answer, 12)
		for range cap(answers) {
			go func() {
				next, err := d.Reauthenticated(ctx, d.again(ann))
				answers <- answer{next, err}
			}()
		}
		won := 0
		for range cap(answers) {
			if a := <-answers; a.err == nil {
				won++
				require.NoError(t, d.state(a.token))
			} else {
				require.ErrorIs(t, a.err, session.ErrConflict)
			}
		}
		require.Equal(t, 1, won)
	})
}

// A change of token that runs beside the end of everything leaves nothing alive.
func TestSignOutBesideTokenChange(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		rounds := 20
		if testing.Short() {
			rounds = 5
		}
		for range rounds {
			old := d.start(t, staff(ann))
			d.clock.Add(time.Second)
			ctx := d.in(t, old)
			next := make(chan string)
			go func() {
				token, _ := d.Rotate(ctx)
				next <- token
			}()
			require.NoError(t, d.EndAll(t.Context(), clinic, ann, session.ReasonSignOut))
			require.ErrorIs(t, d.state(old), session.ErrEnded)
			if token := <-next; token != "" {
				require.ErrorIs(t, d.state(token), session.ErrEnded)
			}
			require.ErrorIs(t, d.state(old), session.ErrEnded)
		}
	})
}

// A change of token that cannot be recorded ends the session, and hands nothing out.
func TestUnrecordedReauthentication(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		token := d.start(t, staff(ann))
		d.clock.Add(time.Second)
		ctx := d.in(t, token)
		d.log.FailWith(errors.New("down"))
		next, err := d.Reauthenticated(ctx, d.again(ann))
		require.ErrorIs(t, err, session.ErrUnrecorded)
		require.Empty(t, next)
		require.ErrorIs(t, d.state(token), session.ErrEnded)
	})
}
