package support_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac/support"
)

// moves is every change of an access, as it is asked for.
func moves() map[string]struct {
	from   func(*house) support.Access
	run    func(*house, support.Access) error
	action audit.Action
	opens  bool // it gives something
	state  support.State
} {
	type move = struct {
		from   func(*house) support.Access
		run    func(*house, support.Access) error
		action audit.Action
		opens  bool
		state  support.State
	}
	return map[string]move{
		"request": {func(*house) support.Access { return support.Access{} }, func(h *house, _ support.Access) error {
			_, err := h.desk.Request(h.op(noor), ask())
			return err
		}, support.ActionRequest, true, support.Requested},
		"approve": {(*house).requested, func(h *house, a support.Access) error {
			_, err := h.desk.Approve(h.as(adam), a.ID, a.Version, support.Answer{})
			return err
		}, support.ActionApprove, true, support.Approved},
		"enter": {(*house).approved, func(h *house, _ support.Access) error {
			_, _, err := h.desk.Enter(h.op(noor), clinic)
			return err
		}, support.ActionEnter, true, support.Approved},
		"refuse": {(*house).requested, func(h *house, a support.Access) error {
			_, err := h.desk.Refuse(h.as(adam), a.ID, a.Version, "")
			return err
		}, support.ActionRefuse, false, support.Refused},
		"withdraw": {(*house).requested, func(h *house, a support.Access) error {
			_, err := h.desk.Withdraw(h.op(noor), clinic, a.ID)
			return err
		}, support.ActionWithdraw, false, support.Withdrawn},
		"end": {(*house).entered, func(h *house, a support.Access) error {
			_, err := h.desk.End(h.as(dana), clinic, a.ID, "")
			return err
		}, support.ActionEnd, false, support.Ended},
		"leave": {(*house).entered, func(h *house, a support.Access) error {
			_, err := h.desk.End(h.op(noor), clinic, a.ID, "")
			return err
		}, support.ActionEnd, false, support.Ended},
		"expire": {func(h *house) support.Access { a := h.entered(); h.pass(a.Length); return a }, func(h *house, _ support.Access) error {
			return h.desk.Tick(h.t.Context())
		}, support.ActionEnd, false, support.Expired},
	}
}

// Whatever fails or is cut off: what is acknowledged has happened, what gives something is in both logs before it is there,
// nobody is in who was not let in, and once Run has looked both logs know the end and no grant is left behind.
func TestEveryCallOfAChangeMayFail(t *testing.T) {
	t.Parallel()
	for name, m := range moves() {
		for _, mode := range []string{"fails", "is cut off", "fails from here on"} {
			t.Run(name+"/"+mode, func(t *testing.T) {
				t.Parallel()
				for at := 1; ; at++ {
					require.Less(t, at, 200)
					h := newHouse(t)
					a := m.from(h)
					h.w.arm(at, mode)
					err := m.run(h, a)
					hit := h.w.hit()
					h.w.arm(0, "")
					now := latest(h)
					reached := now.State == m.state && (name != "enter" || !now.Entered.IsZero())
					if err == nil {
						require.True(t, reached, "acknowledged at %d", at)
					}
					if reached && m.opens {
						require.NotEmpty(t, h.log.of(clinic, m.action), "at %d", at)
						require.NotEmpty(t, h.log.of(platform, m.action), "at %d", at)
					}
					if in := h.in(noor); in {
						require.Equal(t, support.Approved, now.State)
						require.False(t, now.Entered.IsZero())
					}
					settles(t, h, now, at)
					if !hit {
						require.NoError(t, err)
						break
					}
				}
			})
		}
	}
}

// settles lets Run look until nothing is left and compares what is there.
func settles(t *testing.T, h *house, now support.Access, at int) {
	t.Helper()
	h.pass(2 * time.Minute)
	require.NoError(t, h.other.Tick(t.Context()), "at %d", at)
	require.NoError(t, h.desk.Tick(t.Context()), "at %d", at)
	if now.ID == "" {
		require.Empty(t, h.held())
		return
	}
	now = h.stored(now)
	granted := len(h.held()) == 1
	require.Equal(t, now.State == support.Approved, granted, "at %d: %s", at, now.State)
	if now.State.Open() {
		return
	}
	for range h.store.Active(t.Context()) {
		require.Fail(t, "something is left to do", "at %d", at)
	}
	ends := 0
	for _, action := range []audit.Action{support.ActionEnd, support.ActionRefuse, support.ActionWithdraw} {
		ends += len(h.log.of(clinic, action))
		require.Equal(t, len(h.log.of(clinic, action)), len(h.log.of(platform, action)), "at %d", at)
	}
	require.Equal(t, 1, ends, "the end is on record once, at %d", at)
	require.Contains(t, h.sent.kinds(now.ID), "closed tenant", "at %d", at)
	require.Contains(t, h.sent.kinds(now.ID), "closed operator", "at %d", at)
}

// latest is noor's last access, the zero one without any.
func latest(h *house) support.Access {
	for a, err := range h.other.Mine(h.op(noor), "") {
		require.NoError(h.t, err)
		return h.stored(a)
	}
	return support.Access{}
}

// Nothing that cannot be found out lets anybody in.
func TestEveryCallOfAGuardMayFail(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.entered()
	for at := 1; ; at++ {
		h.w.arm(at, "fails")
		_, _, err := h.desk.Guard(h.op(noor), clinic)
		if !h.w.hit() {
			require.NoError(t, err)
			require.GreaterOrEqual(t, at, 4, "row, seal, platform, grants")
			return
		}
		require.ErrorIs(t, err, support.ErrUnavailable)
		require.NotErrorIs(t, err, support.ErrClosed, "failed is not the same as closed")
	}
}

// Reads fail as a whole.
func TestEveryCallOfAReadMayFail(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.entered()
	for name, read := range map[string]func() error{
		"get":      func() error { _, err := h.desk.Get(h.as(adam), clinic, a.ID); return err },
		"standing": func() error { _, err := h.desk.Standing(h.as(adam)); return err },
		"controls": func() error { _, err := h.desk.Controls(t.Context(), clinic); return err },
		"list": func() error {
			for _, err := range h.desk.List(h.as(adam), "") {
				if err != nil {
					return err
				}
			}
			return nil
		},
	} {
		for at := 1; ; at++ {
			h.w.arm(at, "fails")
			err := read()
			if !h.w.hit() {
				require.NoError(t, err)
				break
			}
			require.ErrorIs(t, err, support.ErrUnavailable, name)
		}
	}
}
