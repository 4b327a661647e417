package session_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

const export = audit.Action("patient.export")

var patient17 = audit.Object{Type: "patient", ID: "17"}

// risky is a policy with an action to confirm and an area to unlock.
func risky() session.Policy {
	p := session.DefaultPolicy()
	p.HighRisk = map[audit.Action]session.Duty{
		export: {}, "settings.edit": {Area: "settings", Within: 2 * time.Minute}, "keys.edit": {Area: "keys", Within: 5 * time.Minute},
	}
	return p
}

// in is the context of a request with the token.
func (d *desk) in(t testing.TB, token string) context.Context {
	t.Helper()
	_, ctx := serve(d, get(token))
	require.NotNil(t, ctx)
	return ctx
}

// again is a who proved the password once more just now.
func (d *desk) again(id audit.ActorID) audit.Actor {
	a := staff(id)
	a.AuthTime, a.Methods, a.Assurance = d.clock.Now(), []string{"pwd"}, audit.AAL1
	return a
}

// owed asks in a request of its own.
func (d *desk) owed(t testing.TB, token string, action audit.Action, object audit.Object, within time.Duration) bool {
	t.Helper()
	owed, err := d.StepUp(d.in(t, token), action, object, within)
	require.NoError(t, err)
	return owed
}

func TestConfirmOnce(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		save(t, d.store, risky())
		old := d.start(t, staff(ann))
		require.False(t, d.owed(t, old, "patient.read", patient17, 0), "nothing asks for it")
		require.True(t, d.owed(t, old, export, patient17, 0), "a sign-in confirms nothing")
		d.clock.Add(time.Minute)

		ctx := d.in(t, old)
		token, err := d.Reauthenticated(ctx, d.again(ann), d.PurposeOf(ctx, export, patient17))
		require.NoError(t, err)
		require.NotEqual(t, old, token)
		require.True(t, d.owed(t, old, export, patient17, 0), "not with the old token")
		require.True(t, d.owed(t, token, export, audit.Object{Type: "patient", ID: "18"}, 0), "not for another patient")
		require.True(t, d.owed(t, token, export, audit.Object{Type: "note", ID: "17"}, 0), "not for another kind of thing")
		require.True(t, d.owed(t, token, "settings.edit", patient17, 0), "not for another action")
		require.False(t, d.owed(t, token, export, patient17, 0))
		require.True(t, d.owed(t, token, export, patient17, 0), "once is once")

		e, _ := d.log.Last("session.reauthenticate")
		require.Equal(t, "patient.export", e.Detail["confirm"])
		require.Contains(t, e.Objects, patient17)
		require.Equal(t, ann, e.Actor.ID)
	})
}

// One proof for several things is recorded with all of them, in order.
func TestConfirmSeveral(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		save(t, d.store, risky())
		token := d.start(t, staff(ann))
		d.clock.Add(time.Second)
		patient18, note := audit.Object{Type: "patient", ID: "18"}, audit.Object{Type: "note", ID: "17"}
		token, err := d.Reauthenticated(d.in(t, token), d.again(ann), session.Confirm(export, patient17),
			session.Area("settings"), session.Confirm(export, patient18), session.Confirm("note.delete", note))
		require.NoError(t, err)
		e, _ := d.log.Last("session.reauthenticate")
		require.Equal(t, []audit.Object{patient17, patient18, note}, e.Objects[1:])
		require.Equal(t, map[string]string{
			"confirm": string(export), "confirm.2": string(export), "confirm.3": "note.delete", "area.settings": "unlocked",
		}, e.Detail)
		for _, object := range []audit.Object{patient17, patient18} {
			require.False(t, d.owed(t, token, export, object, 0))
			require.True(t, d.owed(t, token, export, object, 0))
		}

		d.clock.Add(time.Second)
		var many []session.Purpose
		for range 17 {
			many = append(many, session.Confirm(export, patient17))
		}
		puts := d.store.count("Put")
		_, err = d.Reauthenticated(d.in(t, token), d.again(ann), many...)
		require.ErrorIs(t, err, session.ErrPolicy)
		require.Equal(t, puts, d.store.count("Put"))
		require.NoError(t, d.state(token), "and the session goes on")
	})
}

func TestConfirmAtOnce(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		save(t, d.store, risky())
		token := d.start(t, staff(ann))
		d.clock.Add(time.Second)
		token, err := d.Reauthenticated(d.in(t, token), d.again(ann), session.Confirm(export, patient17))
		require.NoError(t, err)
		ctx := d.in(t, token)
		answers := make(chan bool, 16)
		for range cap(answers) {
			go func() {
				owed, err := d.StepUp(ctx, export, patient17, 0)
				answers <- owed || err != nil
			}()
		}
		passed := 0
		for range cap(answers) {
			if !<-answers {
				passed++
			}
		}
		require.Equal(t, 1, passed)
	})
}

func TestConfirmIsOver(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		save(t, d.store, risky())
		token := d.start(t, staff(ann))
		d.clock.Add(time.Second)
		token, err := d.Reauthenticated(d.in(t, token), d.again(ann), session.Confirm(export, patient17))
		require.NoError(t, err)
		d.clock.Add(5 * time.Minute)
		require.True(t, d.owed(t, token, export, patient17, 0))

		token, err = d.Reauthenticated(d.in(t, token), d.again(ann), session.Confirm(export, patient17))
		require.NoError(t, err)
		d.clock.Add(5*time.Minute - time.Microsecond)
		require.False(t, d.owed(t, token, export, patient17, 0))
	})
}

func TestArea(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		save(t, d.store, risky())
		token := d.start(t, staff(ann))
		require.True(t, d.owed(t, token, "settings.edit", audit.Object{}, 0), "a sign-in unlocks nothing")
		d.clock.Add(time.Minute)

		ctx := d.in(t, token)
		token, err := d.Reauthenticated(ctx, d.again(ann), d.PurposeOf(ctx, "settings.edit", audit.Object{}))
		require.NoError(t, err)
		for range 3 {
			require.False(t, d.owed(t, token, "settings.edit", patient17, 0), "as often as it takes")
		}
		require.True(t, d.owed(t, token, "keys.edit", audit.Object{}, 0), "not another area")
		require.True(t, d.owed(t, token, export, audit.Object{}, 0), "an area is no confirmation")
		other := d.start(t, staff(ann))
		require.True(t, d.owed(t, other, "settings.edit", audit.Object{}, 0), "not in another session of the same person")

		d.clock.Add(2*time.Minute - time.Microsecond)
		require.False(t, d.owed(t, token, "settings.edit", audit.Object{}, 0))
		d.clock.Add(time.Microsecond)
		require.True(t, d.owed(t, token, "settings.edit", audit.Object{}, 0))

		p := risky() // a longer time opens what is still within it, a shorter one closes
		p.HighRisk["settings.edit"] = session.Duty{Area: "settings", Within: 3 * time.Minute}
		save(t, d.store, p)
		require.False(t, d.owed(t, token, "settings.edit", audit.Object{}, 0))
		p.HighRisk["settings.edit"] = session.Duty{Area: "settings", Within: time.Second}
		save(t, d.store, p)
		require.True(t, d.owed(t, token, "settings.edit", audit.Object{}, 0))
	})
}

// What the list says is in force on the next request, on every server.
func TestHighRiskListIsLive(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		store := open(t)
		a, b := newDesk(t, store), newDesk(t, store)
		token := a.start(t, staff(ann))
		require.False(t, b.owed(t, token, export, patient17, 0))
		save(t, store, risky())
		require.True(t, b.owed(t, token, export, patient17, 0))
		require.True(t, a.owed(t, token, export, patient17, 0))
		save(t, store, session.DefaultPolicy())
		require.False(t, b.owed(t, token, export, patient17, 0))
	})
}

func TestStepUpWithin(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	save(t, d.store, risky())
	token := d.start(t, staff(ann))
	const read = audit.Action("note.read")
	require.False(t, d.owed(t, token, read, patient17, 10*time.Minute), "signed in just now")
	require.True(t, d.owed(t, token, export, patient17, 10*time.Minute), "and the list asks for more")
	d.clock.Add(10 * time.Minute)
	require.True(t, d.owed(t, token, read, patient17, 10*time.Minute))
	require.False(t, d.owed(t, token, read, patient17, 11*time.Minute))

	token, err := d.Reauthenticated(d.in(t, token), d.again(ann))
	require.NoError(t, err)
	require.False(t, d.owed(t, token, read, patient17, 10*time.Minute))
	require.True(t, d.owed(t, token, export, patient17, 10*time.Minute))
	d.clock.Add(10 * time.Minute)
	token, err = d.Reauthenticated(d.in(t, token), d.again(ann), session.Area("settings"))
	require.NoError(t, err)
	require.False(t, d.owed(t, token, "settings.edit", patient17, 10*time.Minute), "both hold")
	d.clock.Add(time.Minute)
	require.False(t, d.owed(t, token, "settings.edit", patient17, 0))
	require.True(t, d.owed(t, token, "settings.edit", patient17, time.Minute), "one does not")
}

func TestStepUpIsOwedByNobody(t *testing.T) {
	t.Parallel()
	d, other := newDesk(t, session.NewMemory()), newDesk(t, session.NewMemory())
	token := d.start(t, staff(ann))
	locked := d.start(t, staff(bob))
	require.NoError(t, d.Lock(d.in(t, locked)))
	for name, ctx := range map[string]context.Context{
		"outside a request": t.Context(), "anonymous": d.in(t, ""), "locked": d.in(t, locked),
		"of another manager": other.in(t, ""), "dead": d.in(t, session.NewToken().Reveal()),
		"only an actor": audit.WithActor(t.Context(), staff(ann)),
	} {
		owed, err := d.StepUp(ctx, "patient.read", patient17, 0)
		require.NoError(t, err)
		require.True(t, owed, name)
		_, err = d.Reauthenticated(ctx, d.again(ann))
		require.ErrorIs(t, err, session.ErrNoSession, name)
	}
	owed, err := other.StepUp(d.in(t, token), "patient.read", patient17, 0)
	require.NoError(t, err)
	require.True(t, owed, "the other manager knows nothing of it")
}

func TestStepUpFailsClosed(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	save(t, d.store, risky())
	ctx := d.in(t, d.start(t, staff(ann)))
	d.store.breaks("Consume", errors.New("down"))
	owed, err := d.StepUp(ctx, export, patient17, 0)
	require.ErrorIs(t, err, session.ErrUnavailable)
	require.True(t, owed)
}

// Confirmations of different things never share a key, whatever the parts look like.
func TestConfirmationsDoNotCollide(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.NewMemory())
	p := session.DefaultPolicy()
	p.HighRisk = map[audit.Action]session.Duty{"a.b": {}, "a.bc": {}}
	save(t, d.store, p)
	token := d.start(t, staff(ann))
	d.clock.Add(time.Second)
	token, err := d.Reauthenticated(d.in(t, token), d.again(ann), session.Confirm("a.b", audit.Object{Type: "cd", ID: "ef"}))
	require.NoError(t, err)
	require.True(t, d.owed(t, token, "a.bc", audit.Object{Type: "d", ID: "ef"}, 0))
	require.True(t, d.owed(t, token, "a.b", audit.Object{Type: "cde", ID: "f"}, 0))
	require.False(t, d.owed(t, token, "a.b", audit.Object{Type: "cd", ID: "ef", Version: "9"}, 0))
}

// Somebody who signs in at an identity provider, and has no password here, steps up there: sent
// with prompt=login they come back with a later time of authentication, and whoever was only
// waved through by the provider's own session comes back with the old one.
func TestStepUpAtTheIdentityProvider(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		save(t, d.store, risky())
		back := staff(ann) // what the host makes of the provider's answer
		back.Methods, back.AuthTime = []string{"fed", "mfa"}, d.clock.Now().Add(-time.Hour)
		token := d.start(t, back)
		require.Equal(t, back.AuthTime, d.is(t, token).AuthTime, "the provider's time counts, not the arrival's")
		d.clock.Add(time.Minute)
		require.True(t, d.owed(t, token, "patient.read", patient17, 5*time.Minute))
		require.True(t, d.owed(t, token, export, patient17, 0))

		_, err := d.Reauthenticated(d.in(t, token), back, session.Confirm(export, patient17))
		require.ErrorIs(t, err, session.ErrStale, "waved through")
		require.True(t, d.owed(t, token, export, patient17, 0))

		back.AuthTime = d.clock.Now().Add(-10 * time.Second)
		token, err = d.Reauthenticated(d.in(t, token), back, session.Confirm(export, patient17))
		require.NoError(t, err)
		require.Equal(t, []string{"fed", "mfa"}, d.is(t, token).Methods)
		require.False(t, d.owed(t, token, "patient.read", patient17, 5*time.Minute))
		require.False(t, d.owed(t, token, export, patient17, 0))

		d.clock.Add(time.Second)
		stranger := back
		stranger.ID, stranger.AuthTime = bob, d.clock.Now()
		_, err = d.Reauthenticated(d.in(t, token), stranger)
		require.ErrorIs(t, err, session.ErrDenied, "somebody else signed in at the provider")
	})
}
