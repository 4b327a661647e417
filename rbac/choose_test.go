package rbac_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// chosenHouse is a house whose tenants may switch what therapists do, and what administrators do
// beside managing the team.
func chosenHouse(t *testing.T, toggles rbac.TenantToggles) *house {
	t.Helper()
	h := newHouse(t)
	rules := h.rules()
	rules.Roles[1].Allow = []rbac.Allow{
		rbac.In(rbac.Own, h.PatientRead), rbac.In(rbac.Own, h.PatientUpdate).OptIn(), rbac.In(rbac.Own, h.NoteRead).OptOut(),
		rbac.In(rbac.Own, h.PatientReveal), rbac.In(rbac.Self, h.NoteWrite),
	}
	rules.Roles[0].Allow = []rbac.Allow{rbac.In(rbac.Tenant, h.PatientRead, h.PatientPurge), rbac.In(rbac.Tenant, h.TeamManage).OptOut()}
	p, err := rbac.Compile(rules)
	require.NoError(t, err)
	h.policy = p
	h.z, err = rbac.New(p, h.store, h.rec, &rbac.Options{Now: func() time.Time { return h.now }, Toggles: toggles})
	require.NoError(t, err)
	return h
}

func choice(role rbac.RoleName, action audit.Action, on bool) rbac.Choice {
	return rbac.Choice{Role: role, Action: action, On: on}
}

// spoiled is a ToggleStore that fails.
type spoiled struct {
	rbac.ToggleStore
	save, read error
	after      bool // the failure comes after the write
}

func (s *spoiled) Toggles(ctx context.Context, t audit.Tenant) (rbac.Toggles, error) {
	if s.read != nil {
		return rbac.Toggles{}, s.read
	}
	return s.ToggleStore.Toggles(ctx, t)
}

func (s *spoiled) SaveToggles(ctx context.Context, t audit.Tenant, next rbac.Toggles) error {
	if s.save == nil || s.after {
		if err := s.ToggleStore.SaveToggles(ctx, t, next); err != nil {
			return err
		}
	}
	return s.save
}

func TestWhatIsChosenIsRecordedAndInForce(t *testing.T) {
	t.Parallel()
	h := chosenHouse(t, rbac.NewMemory())
	boss := rbac.WithReason(audit.WithActor(t.Context(), staff("adam")), "the board wants it")
	got, err := h.z.Choose(boss, rbac.Toggles{Choices: []rbac.Choice{
		choice("therapist", "patient.update", true), choice("therapist", "note.read", false), choice("admin", "team.manage", true),
	}})
	require.NoError(t, err)
	require.Equal(t, int64(1), got.Version)
	events := h.rec.take()
	require.Len(t, events, 2, "what stands as it did is no event")
	for i, want := range []map[string]string{
		{"role": "therapist", "action": "note.read", "before": "on", "after": "off"},
		{"role": "therapist", "action": "patient.update", "before": "off", "after": "on"},
	} {
		e := events[i]
		require.Equal(t, want, e.Detail)
		require.Equal(t, rbac.ActionChoose, e.Action)
		require.Equal(t, audit.ActorID("adam"), e.Actor.ID)
		require.Equal(t, "1", e.Objects[0].Version)
		why, _ := e.Why.Reveal()
		require.Equal(t, "the board wants it", why)
	}
	h.grant(t, "ana", "therapist")
	h.own.Link(clinic, "ana", "p1", time.Time{})
	h.rec.take()
	d, err := rbac.Check(h.as(t, staff("ana")), h.z, h.PatientUpdate, patient{"p1", clinic, "north"})
	require.NoError(t, err)
	require.True(t, d.Allowed)

	_, err = h.z.Choose(boss, rbac.Toggles{})
	require.ErrorIs(t, err, rbac.ErrConflict, "somebody chose meanwhile")
	_, err = h.z.Choose(boss, rbac.Toggles{Version: 1, Choices: []rbac.Choice{choice("therapist", "patient.purge", true)}})
	require.ErrorContains(t, err, "not left to the tenant")
	for _, nobody := range []audit.Actor{{}, {ID: "pat", Kind: audit.KindPatient, Tenant: clinic}, {ID: "bot", Kind: audit.KindAgent, Tenant: clinic}} {
		_, err = h.z.Choose(audit.WithActor(t.Context(), nobody), rbac.Toggles{Version: 1})
		require.ErrorIs(t, err, rbac.ErrDenied)
	}
	require.Empty(t, h.rec.take())
}

// TestNobodyChoosesThemselvesOut: a tenant cannot switch off the last way to manage its team, nor
// suppose it.
func TestNobodyChoosesThemselvesOut(t *testing.T) {
	t.Parallel()
	h := chosenHouse(t, rbac.NewMemory())
	boss := audit.WithActor(t.Context(), staff("adam"))
	out := rbac.Toggles{Choices: []rbac.Choice{choice("admin", "team.manage", false)}}
	_, err := h.z.Choose(boss, out)
	require.ErrorIs(t, err, rbac.ErrLockout)
	_, err = h.z.Suppose(boss, rbac.Supposition{Toggles: &out})
	require.ErrorIs(t, err, rbac.ErrLockout)
	require.Empty(t, h.rec.take())
}

// TestChoosingFailsClosed: nothing is switched without a record, and a record of what was not
// switched has a second event.
func TestChoosingFailsClosed(t *testing.T) {
	t.Parallel()
	down := errors.New("connection refused")
	on := rbac.Toggles{Choices: []rbac.Choice{choice("therapist", "patient.update", true)}}
	boss := audit.WithActor(t.Context(), staff("adam"))

	only := chosenHouse(t, toggles{&chosen{}})
	_, err := only.z.Choose(boss, on)
	require.ErrorIs(t, err, rbac.ErrNoToggles)

	s := &spoiled{ToggleStore: rbac.NewMemory(), read: down}
	h := chosenHouse(t, s)
	_, err = h.z.Choose(boss, on)
	require.ErrorIs(t, err, rbac.ErrUndecided)
	s.read = nil
	h.rec.fail(down)
	_, err = h.z.Choose(boss, on)
	require.ErrorIs(t, err, rbac.ErrUndecided)
	got, err := s.Toggles(t.Context(), clinic)
	require.NoError(t, err)
	require.Zero(t, got)
	h.rec.fail(nil)

	s.save = down
	_, err = h.z.Choose(boss, on)
	require.ErrorIs(t, err, down)
	events := h.rec.take()
	require.Len(t, events, 2)
	require.Equal(t, "not_applied", events[1].Code)
	require.Equal(t, audit.MajorFailure, events[1].Outcome)

	s.after = true
	got, err = h.z.Choose(boss, on)
	require.NoError(t, err, "the store had written")
	require.Equal(t, int64(1), got.Version)
	require.Len(t, h.rec.take(), 1)

	on.Version, on.Choices[0].On = 1, false
	z, err := rbac.New(h.policy, h.store, h.rec, &rbac.Options{Toggles: &cutOff{ToggleStore: s.ToggleStore, err: down}})
	require.NoError(t, err)
	_, err = z.Choose(boss, on)
	require.ErrorIs(t, err, down)
	events = h.rec.take()
	require.Equal(t, "unconfirmed", events[len(events)-1].Code)
}

// cutOff fails from its first write on.
type cutOff struct {
	rbac.ToggleStore
	err error
	cut bool
}

func (c *cutOff) SaveToggles(context.Context, audit.Tenant, rbac.Toggles) error {
	c.cut = true
	return c.err
}

func (c *cutOff) Toggles(ctx context.Context, t audit.Tenant) (rbac.Toggles, error) {
	if c.cut {
		return rbac.Toggles{}, c.err
	}
	return c.ToggleStore.Toggles(ctx, t)
}
