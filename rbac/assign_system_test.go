package rbac_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

func TestTheSystemKeepsAdminsWhereItSaysSo(t *testing.T) {
	t.Parallel()
	h := ruled(t, rbac.GrantRules{})
	adam := h.grantIn(t, clinic, rbac.Grant{Person: "adam", Role: "admin"})
	keep := ending(adam)
	keep.KeepAdmins = true
	h.refuse(t, system(t), keep, rbac.ErrLastAdmin, rbac.CodeLastAdmin, "")

	h.grantIn(t, clinic, rbac.Grant{Person: "ana", Role: "admin"})
	_, err := h.z.Change(system(t), keep)
	require.NoError(t, err, "somebody is left")
}

func TestTheSystemSaysByWhomAGrantIs(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.rec.take()
	g, err := h.z.Grant(system(t), rbac.Grant{Person: "bill", Role: "therapist", By: "adam"})
	require.NoError(t, err)
	require.Equal(t, audit.ActorID("adam"), g.By)
	events := h.rec.take()
	require.Len(t, events, 1)
	require.Equal(t, audit.KindSystem, events[0].Actor.Kind, "who did it stays on record")
	require.Equal(t, "adam", events[0].Detail["by"])
	own, err := h.z.Grant(system(t), rbac.Grant{Person: "bella", Role: "therapist"})
	require.NoError(t, err)
	require.Equal(t, audit.ActorID("system:setup"), own.By)
}
