package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

// full is a policy that uses everything.
func full() session.Policy {
	return session.Policy{
		Limits: session.Limits{Idle: 10 * time.Minute, Absolute: 8 * time.Hour, Sessions: 3},
		Kinds: map[audit.Kind]session.Limits{
			audit.KindPatient: {Idle: 5 * time.Minute, Absolute: time.Hour},
			audit.KindService: {Idle: 48 * time.Hour, Absolute: 720 * time.Hour, InsecureLong: true},
		},
		SignOut: session.ThisDevice,
		HighRisk: map[audit.Action]session.Duty{
			"patient.export": {}, "settings.edit": {Area: "settings", Within: 5 * time.Minute},
		},
	}
}

func TestPolicyValidate(t *testing.T) {
	t.Parallel()
	good := full()
	require.NoError(t, good.Validate())
	standard := session.DefaultPolicy()
	require.NoError(t, standard.Validate())
	require.Equal(t, session.Limits{Idle: 15 * time.Minute, Absolute: 12 * time.Hour}, standard.For(audit.KindStaff))
	require.Equal(t, session.Everywhere, standard.SignOut)

	many := map[audit.Action]session.Duty{}
	for i := range 257 {
		many[audit.Action(fmt.Sprint("a", i))] = session.Duty{}
	}
	for name, change := range map[string]func(*session.Policy){
		"no limits":             func(p *session.Policy) { p.Limits = session.Limits{} },
		"limits of a kind":      func(p *session.Policy) { p.Kinds[audit.KindStaff] = session.Limits{} },
		"NIST's ceiling":        func(p *session.Policy) { p.Limits.Idle = 61 * time.Minute },
		"negative version":      func(p *session.Policy) { p.Version = -1 },
		"negative sessions":     func(p *session.Policy) { p.Limits.Sessions = -1 },
		"too many sessions":     func(p *session.Policy) { p.Limits.Sessions = 1001 },
		"kind without sessions": func(p *session.Policy) { p.Kinds[audit.KindAnonymous] = session.DefaultLimits() },
		"kind nobody knows":     func(p *session.Policy) { p.Kinds["robot"] = session.DefaultLimits() },
		"scope nobody knows":    func(p *session.Policy) { p.SignOut = 2 },
		"action without a name": func(p *session.Policy) { p.HighRisk[""] = session.Duty{} },
		"action with a newline": func(p *session.Policy) { p.HighRisk["a\nb"] = session.Duty{} },
		"area, no time":         func(p *session.Policy) { p.HighRisk["a"] = session.Duty{Area: "settings"} },
		"area, above 5 minutes": func(p *session.Policy) { p.HighRisk["a"] = session.Duty{Area: "s", Within: 5*time.Minute + 1} },
		"area, negative":        func(p *session.Policy) { p.HighRisk["a"] = session.Duty{Area: "s", Within: -1} },
		"time, no area":         func(p *session.Policy) { p.HighRisk["a"] = session.Duty{Within: time.Minute} },
		"area with a space":     func(p *session.Policy) { p.HighRisk["a"] = session.Duty{Area: "a b", Within: time.Minute} },
		"area that is too long": func(p *session.Policy) {
			p.HighRisk["a"] = session.Duty{Area: strings.Repeat("x", 33), Within: time.Minute}
		},
		"actions without bounds": func(p *session.Policy) { p.HighRisk = many },
	} {
		p := full()
		change(&p)
		require.ErrorIs(t, p.Validate(), session.ErrPolicy, name)
		_, err := session.EncodePolicy(&p)
		require.ErrorIs(t, err, session.ErrPolicy, name)
	}
}

// The stored form must never change its meaning.
func TestPolicyStoredForm(t *testing.T) {
	t.Parallel()
	const form = `{"format":1,"limits":{"idle":600000000,"absolute":28800000000,"sessions":3},` +
		`"kinds":{"patient":{"idle":300000000,"absolute":3600000000},"service":{"idle":172800000000,"absolute":2592000000000,"insecure_long":true}},` +
		`"sign_out":1,"high_risk":{"patient.export":{},"settings.edit":{"area":"settings","within":300000000}}}`
	p := full()
	s, err := session.EncodePolicy(&p)
	require.NoError(t, err)
	require.Equal(t, form, s)
	back, err := session.DecodePolicy(7, form)
	require.NoError(t, err)
	p.Version = 7
	require.Equal(t, &p, back)

	for name, bad := range map[string]string{
		"empty":          "",
		"no JSON":        "idle=5",
		"other format":   strings.Replace(form, `"format":1`, `"format":2`, 1),
		"unknown member": strings.Replace(form, `"sign_out"`, `"networks":[],"sign_out"`, 1),
		"more behind it": form + "{}",
		"other spelling": strings.Replace(form, ":", ": ", 1),
		"refused limits": strings.Replace(form, "600000000", "6000000000", 1),
		"overflow":       strings.Replace(form, "600000000", "9223372036854775807", 1),
		"huge":           strings.Replace(form, "settings.edit", strings.Repeat("x", 70_000), 1),
	} {
		_, err := session.DecodePolicy(1, bad)
		require.ErrorIs(t, err, session.ErrPolicy, name)
	}
}

func FuzzDecodePolicy(f *testing.F) {
	p := full()
	s, err := session.EncodePolicy(&p)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s)
	f.Add(`{"format":1,"limits":{"idle":60000000,"absolute":60000000}}`)
	f.Fuzz(func(t *testing.T, s string) {
		p, err := session.DecodePolicy(1, s)
		if err != nil {
			require.ErrorIs(t, err, session.ErrPolicy)
			return
		}
		require.NoError(t, p.Validate())
		again, err := session.EncodePolicy(p)
		require.NoError(t, err)
		require.Equal(t, s, again, "one policy has one form")
	})
}

func TestSavePolicy(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		store := open(t)
		a, b := newDesk(t, store), newDesk(t, store)
		admin := audit.WithActor(t.Context(), staff("staff-admin"))
		p, err := a.Policy(admin, clinic)
		require.NoError(t, err)
		require.Equal(t, session.DefaultPolicy(), p)
		token := b.start(t, staff(ann))
		b.clock.Add(6 * time.Minute)
		require.NoError(t, b.state(token))

		p.Limits.Idle, p.SignOut = 5*time.Minute, session.ThisDevice
		p.HighRisk = map[audit.Action]session.Duty{"patient.export": {}, "settings.edit": {Area: "settings", Within: time.Minute}}
		require.NoError(t, a.SavePolicy(admin, clinic, p))
		e, ok := a.log.Last("session.policy")
		require.True(t, ok)
		require.Equal(t, audit.ActorID("staff-admin"), e.Actor.ID)
		require.Equal(t, []audit.Object{{Type: "session_policy", ID: "clinic-1", Version: "1"}}, e.Objects)
		require.Equal(t, map[string]string{
			"limits":                   "idle 15m0s, absolute 12h0m0s → idle 5m0s, absolute 12h0m0s",
			"sign_out":                 "everywhere → this_device",
			"high_risk.patient.export": "none → confirm",
			"high_risk.settings.edit":  "none → settings 1m0s",
		}, e.Detail)

		b.clock.Add(5 * time.Minute)
		require.ErrorIs(t, b.state(token), session.ErrExpired, "shorter on the next request, on the other server too")

		require.ErrorIs(t, a.SavePolicy(admin, clinic, p), session.ErrConflict, "somebody saved in between")
		p, err = b.Policy(admin, clinic)
		require.NoError(t, err)
		require.EqualValues(t, 1, p.Version)
		delete(p.HighRisk, "patient.export")
		require.NoError(t, b.SavePolicy(admin, clinic, p))
		e, _ = b.log.Last("session.policy")
		require.Equal(t, map[string]string{"high_risk.patient.export": "confirm → none"}, e.Detail)
	})
}

func TestSavePolicyRefuses(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	admin := audit.WithActor(t.Context(), staff("staff-admin"))
	require.ErrorIs(t, d.SavePolicy(admin, clinic, session.Policy{}), session.ErrPolicy)
	require.ErrorIs(t, d.SavePolicy(admin, "clinic-2", session.DefaultPolicy()), session.ErrDenied)
	e, _ := d.log.Last("session.policy")
	require.Equal(t, "other_tenant", e.Code)
	require.ErrorIs(t, d.SavePolicy(t.Context(), clinic, session.DefaultPolicy()), session.ErrDenied)
	anonymous := audit.WithActor(t.Context(), audit.Anonymous(clinic, netip.Addr{}))
	require.ErrorIs(t, d.SavePolicy(anonymous, clinic, session.DefaultPolicy()), session.ErrDenied)
	require.Zero(t, d.store.count("SavePolicy"))

	d.log.FailWith(errors.New("the log is down"))
	require.ErrorIs(t, d.SavePolicy(admin, clinic, session.DefaultPolicy()), session.ErrUnrecorded)
	require.Zero(t, d.store.count("SavePolicy"), "what cannot be recorded is not saved")
	d.log.FailWith(nil)

	d.store.on("SavePolicy", func() {
		d.store.on("SavePolicy", nil)
		save(t, d.store, session.DefaultPolicy())
	})
	require.ErrorIs(t, d.SavePolicy(admin, clinic, session.DefaultPolicy()), session.ErrConflict)
	e, _ = d.log.Last("session.policy")
	require.Equal(t, "conflict", e.Code, "the log says that it did not happen after all")
	require.Equal(t, audit.MinorFailure, e.Outcome)
}

// More differences than one event holds are still all on record.
func TestSavePolicyRecordsEverything(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	p := session.DefaultPolicy()
	p.HighRisk = map[audit.Action]session.Duty{}
	for i := range 100 {
		p.HighRisk[audit.Action(fmt.Sprintf("action.%d", i))] = session.Duty{}
	}
	require.NoError(t, d.SavePolicy(audit.WithActor(t.Context(), staff(ann)), clinic, p))
	n := 0
	for _, e := range d.log.Find("session.policy") {
		require.LessOrEqual(t, len(e.Detail), 32)
		n += len(e.Detail)
	}
	require.Equal(t, 100, n)
}

// Two administrators save at once: one of them is told.
func TestSavePolicyAtOnce(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		admin := audit.WithActor(t.Context(), staff("staff-admin"))
		results := make(chan error, 8)
		for range cap(results) {
			go func() { results <- d.SavePolicy(admin, clinic, session.DefaultPolicy()) }()
		}
		won := 0
		for range cap(results) {
			if err := <-results; err == nil {
				won++
			} else {
				require.ErrorIs(t, err, session.ErrConflict)
			}
		}
		require.Equal(t, 1, won)
	})
}

// An answer that an older policy would have given is never given once a newer one is saved.
func TestPolicyShorteningRace(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		store := open(t)
		a, b := newDesk(t, store), newDesk(t, store)
		token := a.start(t, staff(ann))
		a.clock.Add(10 * time.Minute)
		b.clock.Add(10 * time.Minute)
		saved := make(chan struct{})
		result := make(chan error)
		go func() {
			for {
				var after bool
				select {
				case <-saved:
					after = true
				default:
				}
				if err := b.state(token); after || errors.Is(err, session.ErrExpired) {
					result <- err
					return
				}
			}
		}()
		p := session.DefaultPolicy()
		p.Limits.Idle, p.Limits.Absolute = 5*time.Minute, 10*time.Minute
		require.NoError(t, a.SavePolicy(audit.WithActor(context.Background(), staff("staff-admin")), clinic, p))
		close(saved)
		require.ErrorIs(t, <-result, session.ErrExpired)
	})
}
