package session_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audittest"
	"github.com/wardkit/wardkit/session"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	store, log := session.NewMemory(), audittest.NewRecorder()
	_, err := session.New(nil, log, session.RemoteAddr, nil)
	require.EqualError(t, err, "session: no store")
	_, err = session.New(store, nil, session.RemoteAddr, nil)
	require.EqualError(t, err, "session: no recorder")
	_, err = session.New(store, log, nil, nil)
	require.EqualError(t, err, "session: no source of client addresses")
	for name, o := range map[string]session.Options{
		"cookie without prefix":  {CookieName: "session"},
		"cookie, prefix only":    {CookieName: "__Host-"},
		"cookie with a space":    {CookieName: "__Host-a b"},
		"cookie with semicolon":  {CookieName: "__Host-a;b"},
		"negative timeout":       {Timeout: -1},
		"origin without scheme":  {TrustedOrigins: []string{"app.example.com"}},
		"origin with a path":     {TrustedOrigins: []string{"https://app.example.com/x"}},
		"pattern that is broken": {InsecureCrossSite: []string{"POST /{"}},
		"patterns that conflict": {InsecureCrossSite: []string{"/acs", "/acs"}},
	} {
		_, err := session.New(store, log, session.RemoteAddr, &o)
		require.ErrorContains(t, err, "session: ", name)
	}
	_, err = session.New(store, log, session.RemoteAddr, &session.Options{CookieName: "__Host-clinic_2-a"})
	require.NoError(t, err)
}

func TestStart(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		a := staff(ann)
		a.AuthTime = d.clock.Now().Add(-2 * time.Second)
		a.PhishingResistant = true
		a.Organization, a.OnBehalfOf = "org-7", "staff-chief"
		a.Roles, a.Emergency, a.Session = []string{"admin"}, "grant-1", "made up"
		token := d.start(t, a)

		s, err := d.Check(get(token))
		require.NoError(t, err)
		require.Equal(t, session.Session{
			ID: s.ID, Tenant: clinic, Person: ann, Kind: audit.KindStaff, OnBehalfOf: "staff-chief", Organization: "org-7",
			AuthTime: a.AuthTime, Methods: []string{"pwd", "otp"}, Assurance: audit.AAL2, PhishingResistant: true,
			Origin: a.Origin, Device: "Firefox on Windows", Created: d.clock.Now(), Since: d.clock.Now(), LastSeen: d.clock.Now(), Version: 1,
			IdleEnds: d.clock.Now().Add(15 * time.Minute), Ends: d.clock.Now().Add(12 * time.Hour),
		}, s)
		require.NotEqual(t, "made up", s.ID)

		e, ok := d.log.Last("session.start")
		require.True(t, ok)
		require.Equal(t, clinic, e.Tenant)
		require.Equal(t, s.Actor(a.Origin), e.Actor, "without roles and grants: those belong to requests")
		require.Equal(t, []audit.Object{{Type: "session", ID: s.ID}}, e.Objects)
	})
}

func TestStartTimes(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	for name, at := range map[string]time.Time{"zero": {}, "future": d.clock.Now().Add(time.Hour)} {
		a := staff(ann)
		a.AuthTime = at
		s, err := d.Check(get(d.start(t, a)))
		require.NoError(t, err)
		require.Equal(t, d.clock.Now(), s.AuthTime, name)
	}
}

func TestStartRefusesActors(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	for name, change := range map[string]func(*audit.Actor){
		"no id":              func(a *audit.Actor) { a.ID = "" },
		"no tenant":          func(a *audit.Actor) { a.Tenant = "" },
		"no kind":            func(a *audit.Actor) { a.Kind = "" },
		"anonymous":          func(a *audit.Actor) { a.Kind = audit.KindAnonymous },
		"system":             func(a *audit.Actor) { a.Kind = audit.KindSystem },
		"unknown kind":       func(a *audit.Actor) { a.Kind = "robot" },
		"nothing proven":     func(a *audit.Actor) { a.Assurance = audit.AAL0 },
		"too much proven":    func(a *audit.Actor) { a.Assurance = 4 },
		"id with a newline":  func(a *audit.Actor) { a.ID = "a\nb" },
		"id not UTF-8":       func(a *audit.Actor) { a.ID = "a\xff" },
		"tenant too long":    func(a *audit.Actor) { a.Tenant = audit.Tenant(strings.Repeat("x", 257)) },
		"method with spaces": func(a *audit.Actor) { a.Methods = []string{"pwd otp"} },
		"empty method":       func(a *audit.Actor) { a.Methods = []string{""} },
		"too many methods":   func(a *audit.Actor) { a.Methods = strings.Split(strings.Repeat("x,", 16)+"x", ",") },
		"bad organization":   func(a *audit.Actor) { a.Organization = "\x00" },
		"bad principal":      func(a *audit.Actor) { a.OnBehalfOf = "\x00" },
	} {
		a := staff(ann)
		change(&a)
		token, err := d.Start(t.Context(), a)
		require.ErrorIs(t, err, session.ErrActor, name)
		require.Empty(t, token, name)
	}
	require.Zero(t, d.store.count("Create"))
	require.Zero(t, d.log.Len())
}

func TestStartTakesOriginAndDeviceFromTheRequest(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	r := get("")
	r.Header.Set("User-Agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Mobile/15E148 Safari/604.1")
	_, ctx := serve(d, r)
	bare := staff(ann)
	bare.Origin, bare.Device = netip.Addr{}, ""
	token, err := d.Start(ctx, bare)
	require.NoError(t, err)
	s, err := d.Check(get(token))
	require.NoError(t, err)
	require.Equal(t, netip.MustParseAddr("192.0.2.7"), s.Origin)
	require.Equal(t, "Safari on iPhone", s.Device)
}

// A patient's address is protected health information; it is in the audit log's keeping, not
// in a table of sessions.
func TestNoAddressIsKeptOfPatients(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	for _, k := range []audit.Kind{audit.KindPatient, audit.KindProxy} {
		a := staff("person-1")
		a.Kind = k
		s, err := d.Check(get(d.start(t, a)))
		require.NoError(t, err)
		require.False(t, s.Origin.IsValid())
		e, _ := d.log.Last("session.start")
		require.Equal(t, a.Origin, e.Actor.Origin)
	}
}

func TestDeviceLabelIsCleaned(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	a := staff(ann)
	a.Device = "Fire\x00fox\r\n\xff on " + strings.Repeat("é", 200)
	s, err := d.Check(get(d.start(t, a)))
	require.NoError(t, err)
	require.LessOrEqual(t, len(s.Device), 128)
	require.True(t, strings.HasPrefix(s.Device, "Firefox on é"))
	require.True(t, strings.HasSuffix(s.Device, "é"))
}

func TestEnd(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		token, other := d.start(t, staff(ann)), d.start(t, staff(ann))
		s, err := d.Check(get(token))
		require.NoError(t, err)

		require.NoError(t, d.End(t.Context(), token, session.ReasonSignOut))
		require.ErrorIs(t, d.state(token), session.ErrEnded)
		require.NoError(t, d.state(other))
		e, _ := d.log.Last("session.end")
		require.Equal(t, clinic, e.Tenant)
		require.Equal(t, []audit.Object{{Type: "session", ID: s.ID}, {Type: "person", ID: string(ann)}}, e.Objects)
		require.Equal(t, map[string]string{"reason": "sign_out"}, e.Detail)
		require.Equal(t, audit.KindSystem, e.Actor.Kind, "nobody acts in this context")

		for _, dead := range []string{token, "", "garbage", session.NewToken().Reveal()} {
			require.NoError(t, d.End(t.Context(), dead, session.ReasonSignOut), "dead afterwards either way")
		}
	})
}

func TestReasonsAreCodes(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	for reason, want := range map[string]string{
		"left_the_clinic": "left_the_clinic", "": "other", "Jane Doe left": "other", strings.Repeat("x", 65): "other",
	} {
		require.NoError(t, d.End(t.Context(), d.start(t, staff(ann)), reason))
		e, _ := d.log.Last("session.end")
		require.Equal(t, want, e.Detail["reason"])
	}
}

func TestEndAll(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		elsewhere := staff(ann)
		elsewhere.Tenant = "clinic-2"
		mine := []string{d.start(t, staff(ann)), d.start(t, staff(ann)), d.start(t, staff(ann))}
		kept := []string{d.start(t, staff(bob)), d.start(t, elsewhere)}

		require.NoError(t, d.EndAll(t.Context(), clinic, ann, session.ReasonSignOut))
		for _, token := range mine {
			require.ErrorIs(t, d.state(token), session.ErrEnded)
		}
		for _, token := range kept {
			require.NoError(t, d.state(token))
		}
		e, _ := d.log.Last("session.end_all")
		require.Equal(t, []audit.Object{{Type: "person", ID: string(ann)}}, e.Objects)
		require.Equal(t, map[string]string{"reason": "sign_out", "ended": "3"}, e.Detail)

		require.NoError(t, d.EndAll(t.Context(), clinic, ann, session.ReasonSignOut), "again")
		e, _ = d.log.Last("session.end_all")
		require.Equal(t, "0", e.Detail["ended"])
		require.Equal(t, 2, d.store.count("Revoke"), "one write each")
	})
}

// A password reset by link ends sessions before anybody is signed in.
func TestEndAllByNobody(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	token := d.start(t, staff(ann))
	_, ctx := serve(d, get(""))
	require.NoError(t, d.EndAll(ctx, clinic, ann, "password_reset"))
	require.ErrorIs(t, d.state(token), session.ErrEnded)
	e, _ := d.log.Last("session.end_all")
	require.Equal(t, audit.KindAnonymous, e.Actor.Kind)
	require.Equal(t, clinic, e.Actor.Tenant)
	require.Equal(t, netip.MustParseAddr("192.0.2.7"), e.Actor.Origin)
}

func TestEndOthers(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	keep, gone := d.start(t, staff(ann)), d.start(t, staff(ann))
	s, err := d.Check(get(keep))
	require.NoError(t, err)
	require.NoError(t, d.EndOthers(t.Context(), clinic, ann, s.ID, "password_changed"))
	require.NoError(t, d.state(keep))
	require.ErrorIs(t, d.state(gone), session.ErrEnded)
	e, _ := d.log.Last("session.end_all")
	require.Equal(t, map[string]string{"reason": "password_changed", "ended": "1", "kept": s.ID}, e.Detail)
	require.ErrorIs(t, d.EndOthers(t.Context(), clinic, ann, "", "x"), session.ErrNotFound)
}

func TestEndOne(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		token, other := d.start(t, staff(ann)), d.start(t, staff(ann))
		s, err := d.Check(get(token))
		require.NoError(t, err)
		admin := audit.WithActor(t.Context(), staff("staff-admin"))

		require.NoError(t, d.EndOne(admin, clinic, ann, s.ID, "ended_by_admin"))
		require.ErrorIs(t, d.state(token), session.ErrEnded)
		require.NoError(t, d.state(other))
		e, _ := d.log.Last("session.end")
		require.Equal(t, audit.ActorID("staff-admin"), e.Actor.ID)
		require.Equal(t, audit.Success, e.Outcome)
		require.Equal(t, []audit.Object{{Type: "session", ID: s.ID}, {Type: "person", ID: string(ann)}}, e.Objects)

		require.ErrorIs(t, d.EndOne(admin, clinic, ann, s.ID, "x"), session.ErrNotFound, "it has ended already")
		e, _ = d.log.Last("session.end")
		require.Equal(t, "not_found", e.Code)
		require.ErrorIs(t, d.EndOne(admin, clinic, bob, s.ID, "x"), session.ErrNotFound, "it is not his")
		for _, forged := range []string{"", "x", "'; DROP TABLE session_row; --", "\x00", "\xff", strings.Repeat("9", 5000)} {
			require.ErrorIs(t, d.EndOne(admin, clinic, ann, forged, "x"), session.ErrNotFound)
		}
		require.ErrorIs(t, d.EndOne(admin, clinic, "\x00", s.ID, "x"), session.ErrNotFound)
		require.ErrorIs(t, d.EndAll(admin, clinic, "\x00", "x"), session.ErrNotFound)
		require.NoError(t, d.state(other))
	})
}

func TestOtherTenantsAreDenied(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	token := d.start(t, staff(ann))
	s, err := d.Check(get(token))
	require.NoError(t, err)
	stranger := staff("staff-x")
	stranger.Tenant = "clinic-2"
	ctx := audit.WithActor(t.Context(), stranger)

	require.ErrorIs(t, d.EndOne(ctx, clinic, ann, s.ID, "x"), session.ErrDenied)
	e, _ := d.log.Last("session.end")
	require.Equal(t, audit.Tenant("clinic-2"), e.Tenant)
	require.Equal(t, audit.Failure, e.Outcome)
	require.Equal(t, "other_tenant", e.Code)

	require.ErrorIs(t, d.EndAll(ctx, clinic, ann, "x"), session.ErrDenied)
	require.ErrorIs(t, d.EndOthers(ctx, clinic, ann, "y", "x"), session.ErrDenied)
	_, err = list(ctx, d)
	require.ErrorIs(t, err, session.ErrDenied)

	for name, ctx := range map[string]context.Context{
		"nobody":    t.Context(),
		"anonymous": audit.WithActor(t.Context(), audit.Anonymous(clinic, netip.Addr{})),
	} {
		require.ErrorIs(t, d.EndOne(ctx, clinic, ann, s.ID, "x"), session.ErrDenied, name)
		_, err = list(ctx, d)
		require.ErrorIs(t, err, session.ErrDenied, name)
	}
	require.NoError(t, d.state(token))
}

// list collects ann's sessions.
func list(ctx context.Context, d *desk) (all []session.Session, err error) {
	for s, err := range d.List(ctx, clinic, ann) {
		if err != nil {
			return all, err
		}
		all = append(all, s)
	}
	return all, nil
}

func TestList(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		ctx := audit.WithActor(t.Context(), staff(ann))
		all, err := list(ctx, d)
		require.NoError(t, err)
		require.Empty(t, all)

		first := d.start(t, staff(ann))
		d.clock.Add(6 * time.Minute)
		second := d.start(t, staff(ann))
		d.start(t, staff(bob))
		gone := d.start(t, staff(ann))
		require.NoError(t, d.End(t.Context(), gone, session.ReasonSignOut))

		want := make([]session.Session, 2)
		want[0], err = d.Check(get(second))
		require.NoError(t, err)
		all, err = list(ctx, d)
		require.NoError(t, err)
		require.Len(t, all, 2)
		require.Equal(t, want[0], all[0], "newest first")
		require.NoError(t, d.state(first))
		d.clock.Add(6 * time.Minute)

		l := session.DefaultLimits()
		l.Idle = 6 * time.Minute // over for both, only that nobody presented them since
		save(t, d.store, limits(l))
		all, err = list(ctx, d)
		require.NoError(t, err)
		require.Empty(t, all)
	})
}
