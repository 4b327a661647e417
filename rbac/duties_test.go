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

// wary is rbac.StepUps and rbac.Approvals, and remembers in which order it was asked.
type wary struct {
	owed   bool
	by     audit.ActorID
	err    error
	asked  []string
	object audit.Object
	within time.Duration
}

func (w *wary) StepUp(_ context.Context, _ audit.Action, o audit.Object, within time.Duration) (bool, error) {
	w.asked, w.object, w.within = append(w.asked, "step-up"), o, within
	return w.owed, w.err
}

func (w *wary) Approved(context.Context, audit.Action, audit.Object) (audit.ActorID, error) {
	w.asked = append(w.asked, "approval")
	return w.by, w.err
}

// careful is a house in which exporting a patient owes everything.
func careful(t *testing.T, w *wary) (*house, rbac.Action[patient]) {
	t.Helper()
	h := newHouse(t)
	rules := h.rules()
	export := rbac.Define[patient]("patient.export", rbac.Columns{ID: "id", Tenant: "tenant", Patient: "id"},
		rbac.NeedReason(), rbac.StepUp(5*time.Minute), rbac.TwoPerson())
	rules.Actions = append(rules.Actions, export)
	rules.Roles[0].Allow = append(rules.Roles[0].Allow, rbac.In(rbac.Tenant, export))
	p, err := rbac.Compile(rules)
	require.NoError(t, err)
	_, err = rbac.New(p, h.store, h.rec, nil)
	require.ErrorContains(t, err, "Options.StepUps is required")
	_, err = rbac.New(p, h.store, h.rec, &rbac.Options{StepUps: w})
	require.ErrorContains(t, err, "Options.Approvals is required")
	h.z, err = rbac.New(p, h.store, h.rec, &rbac.Options{Now: func() time.Time { return h.now }, StepUps: w, Approvals: w})
	require.NoError(t, err)
	h.grant(t, "adam", "admin")
	h.rec.take()
	return h, export
}

func TestDutiesAreAskedInTheOrderOfWhatTheyCost(t *testing.T) {
	t.Parallel()
	w := &wary{owed: true}
	h, export := careful(t, w)
	p := patient{"p1", clinic, ""}
	ctx := h.as(t, staff("adam"))
	_, err := rbac.Authorize(ctx, h.z, export, p)
	require.ErrorIs(t, err, rbac.ErrReason)
	require.Empty(t, w.asked, "nothing is used up before the reason is there")

	ctx = rbac.WithReason(ctx, "transfer of care")
	_, err = rbac.Authorize(ctx, h.z, export, p)
	require.ErrorIs(t, err, rbac.ErrStepUp)
	require.ErrorIs(t, err, rbac.ErrDenied)
	require.Equal(t, []string{"step-up"}, w.asked)
	require.Equal(t, audit.Object{Type: "patient", ID: "p1"}, w.object)
	require.Equal(t, 5*time.Minute, w.within)
	var denial *rbac.Denial
	require.ErrorAs(t, err, &denial)
	challenge, ok := denial.Decision.Challenge()
	require.True(t, ok)
	require.Equal(t, `Bearer error="insufficient_user_authentication", max_age=300`, challenge.String())

	w.owed, w.by = false, ""
	_, err = rbac.Authorize(ctx, h.z, export, p)
	require.ErrorIs(t, err, rbac.ErrSecondPerson)
	w.by = "adam"
	_, err = rbac.Authorize(ctx, h.z, export, p)
	require.ErrorIs(t, err, rbac.ErrSecondPerson, "nobody is their own second person")
	h.rec.flush(t, ctx)

	w.by = "olga"
	g, err := rbac.Authorize(ctx, h.z, export, p)
	require.NoError(t, err)
	require.Equal(t, audit.ActorID("olga"), g.Decision().Approver)
	events := h.rec.flush(t, ctx)
	require.Len(t, events, 1)
	require.Equal(t, audit.Object{Type: "approver", ID: "olga"}, events[0].Objects[1])

	dec, err := rbac.Check(ctx, h.z, export, p)
	require.NoError(t, err)
	require.True(t, dec.Allowed, "Check looks at no duty")
	_, ok = dec.Challenge()
	require.False(t, ok)
}

// TestTenantsDemandMoreThanThePolicy: an action without a duty is asked about as well, and a
// list like a record.
func TestTenantsDemandMoreThanThePolicy(t *testing.T) {
	t.Parallel()
	w := &wary{owed: true}
	h, _ := careful(t, w)
	ctx := h.as(t, staff("adam"))
	_, err := rbac.Authorize(ctx, h.z, h.PatientRead, patient{"p1", clinic, ""})
	require.ErrorIs(t, err, rbac.ErrStepUp)
	require.Zero(t, w.within)
	var denial *rbac.Denial
	require.ErrorAs(t, err, &denial)
	challenge, _ := denial.Decision.Challenge()
	require.Equal(t, `Bearer error="insufficient_user_authentication", max_age=0`, challenge.String())
	_, err = rbac.Visible(ctx, h.z, h.PatientRead)
	require.ErrorIs(t, err, rbac.ErrStepUp)
	require.Equal(t, audit.Object{Type: "patient", Category: "demographics"}, w.object, "a list has no id")

	w.asked = nil
	_, err = rbac.Authorize(h.as(t, staff("zoe")), h.z, h.PatientRead, patient{"p1", clinic, ""})
	require.ErrorIs(t, err, rbac.ErrDenied)
	require.Empty(t, w.asked, "who may not anyway is not asked to prove anything")
}

func TestDutiesFailClosed(t *testing.T) {
	t.Parallel()
	w := &wary{err: errors.New("the store is down")}
	h, export := careful(t, w)
	ctx := rbac.WithReason(h.as(t, staff("adam")), "transfer of care")
	_, err := rbac.Authorize(ctx, h.z, export, patient{"p1", clinic, ""})
	require.ErrorIs(t, err, rbac.ErrUndecided)
	require.NotErrorIs(t, err, rbac.ErrDenied)
	events := h.rec.flush(t, ctx)
	require.Len(t, events, 1)
	require.Equal(t, audit.MajorFailure, events[0].Outcome)
	require.Equal(t, string(rbac.CodeUndecided), events[0].Code)
	_, err = rbac.Visible(ctx, h.z, export)
	require.ErrorIs(t, err, rbac.ErrUndecided)
	_, ok := rbac.Decision{}.Challenge()
	require.False(t, ok)
}

// chosen is a tenant's row of toggles.
type chosen struct {
	rbac.Toggles
	err error
}

type toggles struct{ c *chosen }

func (t toggles) Toggles(context.Context, audit.Tenant) (rbac.Toggles, error) {
	return t.c.Toggles, t.c.err
}

func TestTenantsChooseUnderTheCeiling(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	rules := h.rules()
	rules.Roles[2].Allow = append(rules.Roles[2].Allow, rbac.In(rbac.Tenant, h.NoteRead).OptIn(), rbac.In(rbac.Practice, h.NoteWrite).OptOut())
	p, err := rbac.Compile(rules)
	require.NoError(t, err)
	require.Equal(t, []rbac.Choice{{Role: "biller", Action: "note.read"}, {Role: "biller", Action: "note.write", On: true}}, p.Choices())
	c := &chosen{}
	h.z, err = rbac.New(p, h.store, h.rec, &rbac.Options{Now: func() time.Time { return h.now }, Toggles: toggles{c}})
	require.NoError(t, err)
	h.grant(t, "bill", "biller", "north")
	may := func(a rbac.Action[note]) bool {
		d, err := rbac.Check(h.as(t, staff("bill")), h.z, a, note{"n1", clinic, "north", "p1", "ana"})
		require.NoError(t, err)
		return d.Allowed
	}
	require.Equal(t, []bool{false, true}, []bool{may(h.NoteRead), may(h.NoteWrite)})
	c.Choices = []rbac.Choice{
		{Role: "biller", Action: "note.read", On: true},
		{Role: "biller", Action: "note.write"},
	}
	require.NoError(t, c.Toggles.Validate(p))
	require.Equal(t, []bool{true, false}, []bool{may(h.NoteRead), may(h.NoteWrite)}, "with the next request")
	c.Choices = append(c.Choices, rbac.Choice{Role: "biller", Action: "note.write", On: true})
	require.False(t, may(h.NoteWrite), "of two choices the one that switches off")

	c.Choices = append(c.Choices,
		rbac.Choice{Role: "biller", Action: "patient.purge", On: true},
		rbac.Choice{Role: "biller", Action: "patient.read"},
		rbac.Choice{Role: "nobody", Action: "note.read", On: true})
	err = c.Toggles.Validate(p)
	for _, want := range []string{
		`"note.write": chosen twice`, `"patient.purge": not left to the tenant`, `"patient.read": not left to the tenant`, `role "nobody"`,
	} {
		require.ErrorContains(t, err, want)
	}
	ctx := h.as(t, staff("bill"))
	d, err := rbac.Check(ctx, h.z, h.PatientPurge, patient{"p1", clinic, "north"})
	require.NoError(t, err)
	require.False(t, d.Allowed, "a row cannot go through the ceiling")
	d, err = rbac.Check(ctx, h.z, h.PatientRead, patient{"p1", clinic, "north"})
	require.NoError(t, err)
	require.True(t, d.Allowed, "nor take away what is not left to it")

	c.err = errors.New("the store is down")
	_, err = rbac.Check(h.as(t, staff("bill")), h.z, h.NoteRead, note{"n1", clinic, "north", "p1", "ana"})
	require.ErrorIs(t, err, rbac.ErrUndecided)
}
