package rbac_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
)

// maskedHouse is a house in which therapists see names and telephones in full and administrators
// part of both.
func maskedHouse(t *testing.T, toggles rbac.TenantToggles) *house {
	t.Helper()
	h := newHouse(t)
	rules := h.rules()
	for i := range rules.Roles {
		switch rules.Roles[i].Name {
		case "therapist":
			rules.Roles[i].Sight = map[phi.Class]phi.Level{phi.ClassName: phi.Full, phi.ClassPhone: phi.Full}
		case "admin":
			rules.Roles[i].Sight = map[phi.Class]phi.Level{phi.ClassName: phi.Full, phi.ClassPhone: phi.Partial}
		}
	}
	p, err := rbac.Compile(rules)
	require.NoError(t, err)
	h.policy = p
	h.z, err = rbac.New(p, h.store, h.rec, &rbac.Options{Now: func() time.Time { return h.now }, Toggles: toggles})
	require.NoError(t, err)
	h.grant(t, "ana", "therapist")
	h.own.Link(clinic, "ana", "p1", time.Time{})
	h.rec.take()
	return h
}

// lowered is what therapists see in a clinic that lets them see the last digits of a telephone.
func lowered() rbac.Masks {
	return rbac.Masks{"therapist": {phi.ClassName: phi.Full, phi.ClassPhone: phi.Partial}}
}

// seen authorises ana to read p1 and returns what she sees of it and the digest in the event.
func (h *house) seen(t *testing.T) (phi.Sight, string) {
	t.Helper()
	ctx := h.as(t, staff("ana"))
	g, err := rbac.Authorize(ctx, h.z, h.PatientRead, patient{"p1", clinic, "north"})
	require.NoError(t, err)
	s, ok := phi.SightFrom(g.Context(ctx))
	require.True(t, ok)
	f, err := rbac.Visible(ctx, h.z, h.PatientRead)
	require.NoError(t, err)
	require.Equal(t, s.Digest(), f.Sight().Digest(), "a list shows as much as the page behind it")
	require.NoError(t, audit.Flush(ctx))
	events := h.rec.take()
	require.NotEmpty(t, events)
	for _, e := range events {
		require.Equal(t, events[0].Decision.Mask, e.Decision.Mask)
	}
	return s, events[0].Decision.Mask
}

func TestMasksAreInForceOnTheNextRequest(t *testing.T) {
	t.Parallel()
	h := maskedHouse(t, rbac.NewMemory())
	sight, mask := h.seen(t)
	require.Equal(t, phi.Full, sight.Level(phi.ClassPhone))
	require.Equal(t, h.policy.MaskDigest(), mask)

	boss := rbac.WithReason(audit.WithActor(t.Context(), staff("adam")), "minimum necessary")
	got, err := h.z.Choose(boss, rbac.Toggles{Masks: lowered()})
	require.NoError(t, err)
	require.Equal(t, lowered(), got.Masks)
	events := h.rec.take()
	require.Len(t, events, 1)
	_, digest := h.policy.MasksUnder(got)
	require.NotEqual(t, mask, digest)
	e := events[0]
	require.Equal(t, rbac.ActionMask, e.Action)
	require.Equal(t, "1", e.Objects[0].Version)
	require.Equal(t, map[string]string{
		"role": "therapist", "class": "phone", "before": "full", "after": "partial", "masks_before": mask, "masks_after": digest,
	}, e.Detail)
	require.NoError(t, e.Validate())
	why, _ := e.Why.Reveal()
	require.Equal(t, "minimum necessary", why)

	sight, inForce := h.seen(t)
	require.Equal(t, phi.Partial, sight.Level(phi.ClassPhone))
	require.Equal(t, phi.Full, sight.Level(phi.ClassName))
	require.Equal(t, phi.Hide, sight.Level(phi.ClassSSN))
	require.Equal(t, digest, inForce)
	table, sum, err := h.z.Masks(boss)
	require.NoError(t, err)
	require.Equal(t, digest, sum)
	require.Equal(t, phi.Partial, table.Level("therapist", phi.ClassPhone))
	require.Equal(t, phi.Partial, table.Level("admin", phi.ClassPhone), "a role that is not named stays as it was")

	_, err = h.z.Choose(boss, rbac.Toggles{Masks: lowered()})
	require.ErrorIs(t, err, rbac.ErrConflict, "somebody chose meanwhile")
	_, err = h.z.Choose(boss, rbac.Toggles{Version: 1})
	require.NoError(t, err)
	require.Len(t, h.rec.take(), 1)
	sight, inForce = h.seen(t)
	require.Equal(t, phi.Full, sight.Level(phi.ClassPhone), "back at the policy's")
	require.Equal(t, mask, inForce)
}

// TestMasksNeverRise: whatever a tenant's row says, nobody sees more than the policy lets them, and
// of a class that a row does not name nothing.
func TestMasksNeverRise(t *testing.T) {
	t.Parallel()
	store := rbac.NewMemory()
	h := maskedHouse(t, store)
	boss := audit.WithActor(t.Context(), staff("adam"))
	for name, m := range map[string]rbac.Masks{
		"above the ceiling":    {"admin": {phi.ClassPhone: phi.Full}},
		"a class of no policy": {"therapist": {phi.ClassSSN: phi.Mask}},
		"no such role":         {"ghost": {}},
		"no such class":        {"therapist": {"shoes": phi.Hide}},
		"no such level":        {"therapist": {phi.ClassName: phi.Full + 1}},
	} {
		require.Error(t, m.Validate(h.policy), name)
		_, err := h.z.Choose(boss, rbac.Toggles{Masks: m})
		require.ErrorContains(t, err, "masks", name)
		_, err = h.z.Suppose(boss, rbac.Supposition{Toggles: &rbac.Toggles{Masks: m}})
		require.ErrorContains(t, err, "masks", name)
	}
	require.Empty(t, h.rec.take())
	over := rbac.Masks{
		"therapist": {phi.ClassPhone: 200, phi.ClassSSN: phi.Full, "shoes": phi.Full},
		"admin":     {phi.ClassPhone: phi.Full}, "ghost": {phi.ClassName: phi.Full},
	}
	require.NoError(t, store.SaveToggles(t.Context(), clinic, rbac.Toggles{Masks: over}), "somebody writes to the table")
	sight, _ := h.seen(t)
	for _, c := range append(phi.Classes(), "shoes") {
		require.Equal(t, phi.Hide, sight.Level(c), c)
	}
	table, _ := h.policy.MasksUnder(rbac.Toggles{Masks: over})
	require.Equal(t, phi.Partial, table.Level("admin", phi.ClassPhone))
	require.NotContains(t, table, rbac.RoleName("ghost"))
	require.Empty(t, table["therapist"])
	require.Equal(t, phi.Hide, rbac.Masks{"x": {phi.ClassName: 9}}.Level("x", phi.ClassName))
}

// TestMasksOfAnotherTenant: what one clinic lowers is not lowered in the next.
func TestMasksOfAnotherTenant(t *testing.T) {
	t.Parallel()
	store := rbac.NewMemory()
	h := maskedHouse(t, store)
	require.NoError(t, store.SaveToggles(t.Context(), "elsewhere", rbac.Toggles{Masks: rbac.Masks{"therapist": {}}}))
	sight, mask := h.seen(t)
	require.Equal(t, phi.Full, sight.Level(phi.ClassPhone))
	require.Equal(t, h.policy.MaskDigest(), mask)
}

// TestMasksThatCannotBeRead: without the table nobody sees anything.
func TestMasksThatCannotBeRead(t *testing.T) {
	t.Parallel()
	broken := &spoiled{ToggleStore: rbac.NewMemory(), read: errors.New("down")}
	h := maskedHouse(t, broken)
	_, err := rbac.Authorize(h.as(t, staff("ana")), h.z, h.PatientRead, patient{"p1", clinic, "north"})
	require.ErrorIs(t, err, rbac.ErrUndecided)
	_, _, err = h.z.Masks(h.as(t, staff("ana")))
	require.ErrorIs(t, err, rbac.ErrUndecided)
}

// TestMasksAreNotChangedUnrecorded: what cannot be recorded is not lowered; what was recorded and
// not written is said to be so.
func TestMasksAreNotChangedUnrecorded(t *testing.T) {
	t.Parallel()
	store := &spoiled{ToggleStore: rbac.NewMemory()}
	h := maskedHouse(t, store)
	boss := audit.WithActor(t.Context(), staff("adam"))
	h.rec.err = errors.New("disk full")
	_, err := h.z.Choose(boss, rbac.Toggles{Masks: lowered()})
	require.ErrorIs(t, err, rbac.ErrUndecided)
	h.rec.err = nil
	got, err := store.Toggles(t.Context(), clinic)
	require.NoError(t, err)
	require.Zero(t, got.Version)

	h.rec.take()
	store.save = errors.New("the write failed")
	_, err = h.z.Choose(boss, rbac.Toggles{Masks: lowered()})
	require.Error(t, err)
	events := h.rec.take()
	require.Len(t, events, 2)
	require.Equal(t, "not_applied", events[1].Code)
	require.Equal(t, events[0].Detail, events[1].Detail)

	store.after = true
	hidden := lowered()
	hidden["therapist"][phi.ClassSSN] = phi.Hide // says nothing
	_, err = h.z.Choose(boss, rbac.Toggles{Masks: hidden})
	require.NoError(t, err, "the answer was lost, and the table is there")
	require.Len(t, h.rec.take(), 1)
}

// TestMasksOfSeveralRoles: each role is lowered by itself; of several the widest counts.
func TestMasksOfSeveralRoles(t *testing.T) {
	t.Parallel()
	store := rbac.NewMemory()
	h := maskedHouse(t, store)
	require.NoError(t, store.SaveToggles(t.Context(), clinic, rbac.Toggles{Masks: rbac.Masks{"therapist": {phi.ClassName: phi.Mask}}}))
	h.grant(t, "ana", "admin")
	sight, _ := h.seenEvents(t)
	require.Equal(t, phi.Full, sight.Level(phi.ClassName), "of several roles the widest")
	require.Equal(t, phi.Partial, sight.Level(phi.ClassPhone))
}

func (h *house) seenEvents(t *testing.T) (phi.Sight, []audit.Event) {
	t.Helper()
	ctx := h.as(t, staff("ana"))
	g, err := rbac.Authorize(ctx, h.z, h.PatientRead, patient{"p1", clinic, "north"})
	require.NoError(t, err)
	s, _ := phi.SightFrom(g.Context(ctx))
	return s, h.rec.take()
}

func TestMasksJSON(t *testing.T) {
	t.Parallel()
	m := rbac.Masks{
		"desk":    {phi.ClassPhone: phi.Partial, phi.ClassName: phi.Full, phi.ClassSSN: phi.Mask, phi.ClassMRN: phi.Hide},
		"auditor": nil,
	}
	text, err := json.Marshal(m)
	require.NoError(t, err)
	require.JSONEq(t, `{"auditor":{},"desk":{"name":"full","phone":"partial","ssn":"mask"}}`, string(text))
	var back rbac.Masks
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, rbac.Masks{"auditor": {}, "desk": {phi.ClassPhone: phi.Partial, phi.ClassName: phi.Full, phi.ClassSSN: phi.Mask}}, back)
	text, err = json.Marshal(rbac.Masks(nil))
	require.NoError(t, err)
	require.Equal(t, `{}`, string(text))
	_, err = json.Marshal(rbac.Masks{"desk": {phi.ClassName: 9}})
	require.Error(t, err)
	for _, bad := range []string{
		``, `[]`, `null`, `{"desk":null}`, `{"desk":{"name":null}}`, `{"desk":{"name":3}}`, `{"desk":{"name":"FULL"}}`, `{"desk":{"name":"everything"}}`,
		`{"desk":{"Name":"full"}}`, `{"desk":{"shoes":"full"}}`, `{"desk":{"":"full"}}`, `{"":{}}`, `{"The Desk":{}}`,
		`{"desk":{"name":"full"},"desk":{}}`, `{"desk":{"name":"hide","name":"full"}}`, `{"desk":{}} {}`, `{"desk":["name"]}`,
	} {
		kept := rbac.Masks{"kept": {}}
		require.Error(t, kept.UnmarshalJSON([]byte(bad)), bad)
		require.Equal(t, rbac.Masks{"kept": {}}, kept, bad)
	}
}

// FuzzMasksJSON: what is read is written and read again as the same.
func FuzzMasksJSON(f *testing.F) {
	f.Add([]byte(`{"desk":{"name":"full","phone":"partial"},"auditor":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var m, again rbac.Masks
		if m.UnmarshalJSON(text) != nil {
			return
		}
		out, err := m.MarshalJSON()
		require.NoError(t, err)
		require.NoError(t, again.UnmarshalJSON(out))
		require.Equal(t, m, again)
	})
}

// usurped is a ToggleStore in which somebody else's table is written in the place of one's own, whose
// write fails.
type usurped struct{ rbac.ToggleStore }

func (u usurped) SaveToggles(ctx context.Context, t audit.Tenant, next rbac.Toggles) error {
	next.Masks = rbac.Masks{"therapist": {}}
	if err := u.ToggleStore.SaveToggles(ctx, t, next); err != nil {
		return err
	}
	return errors.New("the connection broke")
}

// TestAnotherTableIsNotOnesOwn: the same version with another table is no proof that one's own was written.
func TestAnotherTableIsNotOnesOwn(t *testing.T) {
	t.Parallel()
	h := maskedHouse(t, usurped{rbac.NewMemory()})
	_, err := h.z.Choose(audit.WithActor(t.Context(), staff("adam")), rbac.Toggles{Masks: lowered()})
	require.Error(t, err)
	events := h.rec.take()
	require.Len(t, events, 2)
	require.Equal(t, "not_applied", events[1].Code)
}
