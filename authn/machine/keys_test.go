package machine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn/machine"
)

const week = 7 * 24 * time.Hour

func TestRotateWithOverlap(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p, old := h.make(h.service())
	k, fresh, err := h.m.Rotate(h.as(ada), p.ID, time.Hour)
	require.NoError(t, err)
	require.Equal(t, p.Expires, k.Expires)
	require.Nil(t, k.Hash)
	h.in(old)
	require.Equal(t, k.ID, h.in(fresh).Session)
	e := h.rec.Find(machine.ActionRotate)[0]
	require.Equal(t, k.ID, e.Objects[1].ID)
	h.clock.Add(time.Hour)
	h.out(old, machine.CodeExpired)
	h.in(fresh)

	_, last, err := h.m.Rotate(h.as(ada), p.ID, 0)
	require.NoError(t, err)
	h.out(fresh, machine.CodeExpired)
	h.in(last)
	for _, overlap := range []time.Duration{-1, week + 1} {
		_, _, err := h.m.Rotate(h.as(ada), p.ID, overlap)
		require.ErrorIs(t, err, machine.ErrSpec)
	}
}

// Rotating twice does not lengthen what was to end sooner.
func TestAnOverlapIsNotLengthened(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p, old := h.make(h.service())
	_, _, err := h.m.Rotate(h.as(ada), p.ID, time.Hour)
	require.NoError(t, err)
	_, _, err = h.m.Rotate(h.as(ada), p.ID, week)
	require.NoError(t, err)
	h.clock.Add(time.Hour)
	h.out(old, machine.CodeExpired)
}

func TestIssueAndTheNumberOfKeys(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p, first := h.make(h.service())
	soon := h.clock.Now().Add(time.Hour)
	k, second, err := h.m.Issue(h.as(ada), p.ID, soon)
	require.NoError(t, err)
	require.Equal(t, soon, k.Expires)
	_, third, err := h.m.Issue(h.as(ada), p.ID, time.Time{})
	require.NoError(t, err)
	_, _, err = h.m.Issue(h.as(ada), p.ID, time.Time{})
	require.ErrorIs(t, err, machine.ErrKeys)
	_, _, err = h.m.Rotate(h.as(ada), p.ID, time.Hour)
	require.ErrorIs(t, err, machine.ErrKeys)
	_, fourth, err := h.m.Rotate(h.as(ada), p.ID, 0)
	require.NoError(t, err, "at once, the others make room")
	h.out(first, machine.CodeExpired)
	h.out(second, machine.CodeExpired)
	h.out(third, machine.CodeExpired)
	h.in(fourth)

	_, _, err = h.m.Issue(h.as(ada), p.ID, h.clock.Now())
	require.ErrorIs(t, err, machine.ErrSpec)
	_, _, err = h.m.Issue(h.as(ada), p.ID, p.Expires.Add(time.Second))
	require.ErrorIs(t, err, machine.ErrSpec)
}

// Who gets a key into their hands gets all that it may do, so it must not be more than their own.
func TestNobodyGetsAKeyToMoreThanTheirOwnRights(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p, key := h.make(h.service())
	_, _, err := h.m.Rotate(h.as(tess), p.ID, 0)
	require.ErrorIs(t, err, machine.ErrScope)
	_, _, err = h.m.Issue(h.as(tess), p.ID, time.Time{})
	require.ErrorIs(t, err, machine.ErrScope)
	h.world.rights[ada] = []audit.Action{read}
	_, _, err = h.m.Rotate(h.as(ada), p.ID, 0)
	require.ErrorIs(t, err, machine.ErrScope, "nor who made it, once they may not do it themselves")
	h.in(key)
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p, key := h.make(h.service())
	_, other, err := h.m.Issue(h.as(ada), p.ID, time.Time{})
	require.NoError(t, err)
	require.NoError(t, h.m.Revoke(h.as(ada), p.ID, p.Keys[0].ID, "seen in a public repository"))
	h.out(key, machine.CodeRevoked)
	h.in(other)
	require.NoError(t, h.m.Revoke(h.as(ada), p.ID, p.Keys[0].ID, "again"))
	got, err := h.m.Get(h.as(ada), p.ID)
	require.NoError(t, err)
	for _, k := range got.Keys {
		require.Equal(t, k.ID == p.Keys[0].ID, !k.Revoked.IsZero())
	}
	require.ErrorIs(t, h.m.Revoke(h.as(ada), p.ID, "0123", ""), machine.ErrNotFound)
	require.ErrorIs(t, h.m.Revoke(h.as(ada), "m-other", p.Keys[0].ID, ""), machine.ErrNotFound)
	e := h.rec.Find(machine.ActionRevoke)[0]
	require.Equal(t, p.Keys[0].ID, e.Objects[1].ID)
	why, ok := e.Why.Reveal()
	require.True(t, ok)
	require.Equal(t, "seen in a public repository", why)
}

// A dead key stays for 90 days as evidence, and then makes room.
func TestDeadKeysAreForgotten(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p, _ := h.make(h.service())
	_, _, err := h.m.Rotate(h.as(ada), p.ID, 0)
	require.NoError(t, err)
	count := func() int {
		got, err := h.m.Get(h.as(ada), p.ID)
		require.NoError(t, err)
		return len(got.Keys)
	}
	h.clock.Add(90 * 24 * time.Hour)
	_, _, err = h.m.Issue(h.as(ada), p.ID, time.Time{})
	require.NoError(t, err)
	require.Equal(t, 3, count())
	h.clock.Add(time.Second)
	require.NoError(t, h.m.Suspend(h.as(ada), p.ID, ""))
	require.Equal(t, 2, count())
}
