package machine_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/authn/machine"
)

// lifecycle is one change, as it is asked for and as it shows afterwards.
type lifecycle struct {
	action audit.Action
	before func(h *house, p machine.Principal)
	run    func(h *house, p machine.Principal) error
	done   func(was, is machine.Principal) bool
}

func lifecycles() map[string]lifecycle {
	suspended := func(h *house, p machine.Principal) { require.NoError(h.t, h.m.Suspend(h.as(ada), p.ID, "")) }
	nothing := func(*house, machine.Principal) {}
	return map[string]lifecycle{
		"change": {machine.ActionChange, nothing, func(h *house, p machine.Principal) error {
			_, err := h.m.Change(h.as(ada), p.ID, p.Version, machine.Edit{Name: "Other"})
			return err
		}, func(_, is machine.Principal) bool { return is.Name == "Other" }},
		"suspend": {machine.ActionSuspend, nothing, func(h *house, p machine.Principal) error {
			return h.m.Suspend(h.as(ada), p.ID, "why")
		}, func(_, is machine.Principal) bool { return is.State == machine.Suspended }},
		"resume": {machine.ActionResume, suspended, func(h *house, p machine.Principal) error {
			return h.m.Resume(h.as(ada), p.ID, "why")
		}, func(_, is machine.Principal) bool { return is.State == machine.Active }},
		"remove": {machine.ActionRemove, nothing, func(h *house, p machine.Principal) error {
			return h.m.Remove(h.as(ada), p.ID, "why")
		}, func(_, is machine.Principal) bool { return is.State == machine.Removed }},
		"issue": {machine.ActionIssue, nothing, func(h *house, p machine.Principal) error {
			_, key, err := h.m.Issue(h.as(ada), p.ID, time.Time{})
			require.Equal(h.t, err != nil, key.IsZero(), "no key of what is not known to be there")
			return err
		}, func(was, is machine.Principal) bool { return len(is.Keys) > len(was.Keys) }},
		"rotate": {machine.ActionRotate, nothing, func(h *house, p machine.Principal) error {
			_, key, err := h.m.Rotate(h.as(ada), p.ID, time.Hour)
			require.Equal(h.t, err != nil, key.IsZero())
			return err
		}, func(was, is machine.Principal) bool { return len(is.Keys) > len(was.Keys) }},
		"revoke": {machine.ActionRevoke, nothing, func(h *house, p machine.Principal) error {
			return h.m.Revoke(h.as(ada), p.ID, p.Keys[0].ID, "why")
		}, func(_, is machine.Principal) bool { return !is.Keys[0].Revoked.IsZero() }},
		"end all": {machine.ActionSuspend, nothing, func(h *house, _ machine.Principal) error {
			return h.m.EndAll(h.t.Context(), clinic, tess, "removed")
		}, func(_, is machine.Principal) bool { return is.State == machine.Suspended }},
	}
}

// Whatever fails, stalls or is cut off: what is acknowledged has happened, what has happened is in
// the log, and what is in the log and has not happened is followed by an event that says so.
func TestEveryCallOfAChangeMayFail(t *testing.T) {
	t.Parallel()
	for name, c := range lifecycles() {
		for _, mode := range []string{"fails", "stalls", "is cut off"} {
			t.Run(name+"/"+mode, func(t *testing.T) {
				t.Parallel()
				for at := 1; ; at++ {
					if !c.faulty(t, at, mode) {
						require.Greater(t, at, 3, "reading, recording and writing at least")
						return
					}
				}
			})
		}
	}
}

// faulty runs c with one failing call and reports whether there was one.
func (c lifecycle) faulty(t *testing.T, at int, mode string) bool {
	t.Helper()
	h := newHouse(t, nil)
	p, key := h.make(h.agent())
	c.before(h, p)
	was, err := h.store.Get(t.Context(), clinic, p.ID)
	require.NoError(t, err)
	h.rec.Reset()
	h.wire.arm(at, mode)
	err = c.run(h, p)
	hit := h.wire.hit()
	h.wire.arm(0, "")
	is, gerr := h.store.Get(t.Context(), clinic, p.ID)
	require.NoError(t, gerr)
	happened := c.done(was, is)
	var said, unsaid bool
	for _, e := range h.rec.Find(c.action) {
		said = said || e.Outcome == audit.Success
		unsaid = unsaid || e.Code == machine.CodeNotApplied || e.Code == machine.CodeUnconfirmed
	}
	require.Equal(t, happened, is.Version == was.Version+1, "call %d: wholly or not at all", at)
	if err == nil {
		require.True(t, happened, "call %d: acknowledged", at)
		require.False(t, unsaid, "call %d", at)
	} else {
		require.ErrorIs(t, err, machine.ErrUnavailable, "call %d", at)
		require.NotContains(t, err.Error(), key.Reveal()[28:60])
		require.NotContains(t, err.Error(), string(p.ID))
	}
	if happened {
		require.True(t, said, "call %d: nothing happens unrecorded", at)
		require.NoError(t, err, "call %d: the store was asked what became of it", at)
	}
	if said && !happened {
		require.True(t, unsaid, "call %d: what did not happen is not left standing", at)
	}
	if c.run(h, was) == nil { // it can be tried again, where it makes sense
		is, err = h.store.Get(t.Context(), clinic, p.ID)
		require.NoError(t, err)
		require.True(t, c.done(was, is))
	}
	return hit
}

func TestEveryCallOfCreateMayFail(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"fails", "stalls", "is cut off"} {
		for at := 1; ; at++ {
			h := newHouse(t, nil)
			h.wire.arm(at, mode)
			p, key, err := h.m.Create(h.as(ada), h.agent())
			hit := h.wire.hit()
			h.wire.arm(0, "")
			var there []machine.Principal
			for p, err := range h.store.List(t.Context(), clinic, "") {
				require.NoError(t, err)
				there = append(there, p)
			}
			if len(there) > 0 {
				require.NotEmpty(t, h.rec.Find(machine.ActionCreate), "call %d %s", at, mode)
			}
			if err == nil {
				require.Len(t, there, 1, "call %d %s", at, mode)
				require.Equal(t, p.ID, h.in(key).ID)
			} else {
				require.ErrorIs(t, err, machine.ErrUnavailable)
				require.True(t, key.IsZero(), "nobody has the key to what may be there")
				require.Zero(t, p)
			}
			if !hit {
				require.NoError(t, err)
				break
			}
		}
	}
}

// Where a part does not answer nobody is let in, and nobody waits for ever.
func TestEveryCallOfARequestMayFail(t *testing.T) {
	t.Parallel()
	for name, enter := range map[string]func(h *house, p machine.Principal, key, token authn.Secret) (bool, error){
		"key": func(h *house, _ machine.Principal, key, _ authn.Secret) (bool, error) {
			a, err := h.enter(key)
			return a.ID != "", err
		},
		"token": func(h *house, _ machine.Principal, _, token authn.Secret) (bool, error) {
			a, err := h.enter(token)
			return a.ID != "", err
		},
		"grant": func(h *house, p machine.Principal, key, _ authn.Secret) (bool, error) {
			a, err := h.m.Grant(h.t.Context(), string(p.ID), key, nil, office)
			return !a.Token.IsZero(), err
		},
	} {
		for _, mode := range []string{"fails", "stalls", "is cut off"} {
			t.Run(name+"/"+mode, func(t *testing.T) {
				t.Parallel()
				for at := 1; requestFails(t, enter, at, mode); at++ {
					require.Less(t, at, 20)
				}
			})
		}
	}
}

// requestFails makes a request with one failing call and reports whether there was one.
func requestFails(t *testing.T, enter func(h *house, p machine.Principal, key, token authn.Secret) (bool, error), at int, mode string) bool {
	t.Helper()
	h := newHouse(t, nil, func(o *machine.Options) {
		if mode == "stalls" {
			o.Timeout = 400 * time.Millisecond
		}
	})
	h.wire.patience = 600 * time.Millisecond
	p, key := h.make(h.agent())
	access, err := h.m.Grant(t.Context(), string(p.ID), key, nil, office)
	require.NoError(t, err)
	h.clock.Add(time.Minute)
	h.wire.arm(at, mode)
	in, err := enter(h, p, key, access.Token)
	if !h.wire.hit() {
		require.NoError(t, err)
		require.True(t, in)
		require.Greater(t, at, 5)
		return false
	}
	require.ErrorIs(t, err, machine.ErrUnavailable, "call %d", at)
	require.False(t, in, "call %d", at)
	h.wire.arm(0, "")
	in, err = enter(h, p, key, access.Token)
	require.NoError(t, err)
	require.True(t, in, "afterwards everything works")
	return true
}

// What cannot be recorded does not happen: with the log down nothing is made, changed or ended,
// and a failure is answered without being taken for anything else.
func TestWithoutALog(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p, key := h.make(h.service())
	h.rec.FailWith(errBroken)
	_, _, err := h.m.Create(h.as(ada), h.service())
	require.ErrorIs(t, err, machine.ErrUnavailable)
	require.ErrorIs(t, h.m.Suspend(h.as(ada), p.ID, ""), machine.ErrUnavailable)
	_, err = h.enter(authn.NewSecret("x"))
	require.ErrorIs(t, err, machine.ErrUnavailable)
	require.NotErrorIs(t, err, machine.ErrInvalid)
	h.rec.FailWith(nil)
	h.in(key)
}

// Lists and sweeps say that they failed.
func TestListsThatFail(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.make(h.service())
	h.wire.arm(1, "fails")
	for _, err := range h.m.List(h.as(ada), "") {
		require.ErrorIs(t, err, machine.ErrUnavailable)
	}
	h.wire.arm(1, "fails")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, h.m.Run(ctx), context.DeadlineExceeded, "a sweep that fails ends nothing")
}
