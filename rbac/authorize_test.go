package rbac_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

func TestAuthorizeRecordsTheDecision(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	grant := h.grant(t, "ana", "therapist")
	h.own.Link(clinic, "ana", "p1", time.Time{})
	h.rec.take()

	ctx := h.as(t, staff("ana"))
	g, err := rbac.Authorize(ctx, h.z, h.PatientRead, patient{"p1", clinic, ""})
	require.NoError(t, err)
	require.True(t, g.Allows(h.PatientRead))
	require.False(t, g.Allows(h.PatientUpdate), "the proof is about one action")
	require.Equal(t, "p1", g.Resource().id)
	require.Equal(t, h.policy.Digest(), g.Decision().Policy())
	events := h.rec.flush(t, ctx)
	require.Len(t, events, 1)
	e := events[0]
	require.Equal(t, audit.Action("patient.read"), e.Action)
	require.Equal(t, audit.Read, e.Verb)
	require.Equal(t, audit.Success, e.Outcome)
	require.Equal(t, clinic, e.Tenant)
	require.Equal(t, []audit.Patient{"p1"}, e.Patients)
	require.Equal(t, []audit.Object{{Type: "patient", ID: "p1", Category: "demographics"}}, e.Objects)
	require.Equal(t, []string{"therapist"}, e.Actor.Roles)
	require.Equal(t, audit.Decision{
		Rule: "therapist", Scope: "own", Grant: grant.ID,
		Policy: h.policy.Digest(), Mask: h.policy.MaskDigest(),
	}, e.Decision)
	require.True(t, e.Why.IsZero())
}

func TestAuthorizeRecordsDenials(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.grant(t, "ana", "therapist")
	h.rec.take()
	for name, c := range map[string]struct {
		row      patient
		code     rbac.Code
		id       string
		patients []audit.Patient
	}{
		"out of scope": {patient{"p2", clinic, ""}, rbac.CodeOutOfScope, "p2", []audit.Patient{"p2"}},
		"another tenant's ids stay out of this log": {patient{"p3", other, ""}, rbac.CodeOtherTenant, "", nil},
	} {
		ctx := h.as(t, staff("ana"))
		g, err := rbac.Authorize(ctx, h.z, h.PatientRead, c.row)
		require.ErrorIs(t, err, rbac.ErrDenied, name)
		require.NotErrorIs(t, err, rbac.ErrUndecided)
		require.NotContains(t, err.Error(), c.row.id)
		require.False(t, g.Allows(h.PatientRead))
		require.Equal(t, patient{}, g.Resource(), "a denial hands nothing out")
		var denial *rbac.Denial
		require.True(t, errors.As(err, &denial))
		require.Equal(t, c.code, denial.Decision.Code)
		events := h.rec.flush(t, ctx)
		require.Len(t, events, 1)
		require.Equal(t, audit.Failure, events[0].Outcome)
		require.Equal(t, string(c.code), events[0].Code)
		require.Equal(t, c.id, events[0].Objects[0].ID)
		require.Equal(t, c.patients, events[0].Patients)
		require.Empty(t, events[0].Decision.Grant)
		require.Equal(t, h.policy.Digest(), events[0].Decision.Policy)
	}
}

func TestReasonIsADuty(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.grant(t, "ana", "therapist")
	h.own.Link(clinic, "ana", "p1", time.Time{})
	h.rec.take()
	p1 := patient{"p1", clinic, ""}
	for _, reason := range []string{"", "   ", strings.Repeat("x", rbac.MaxReason+1), "\xff"} {
		ctx := rbac.WithReason(h.as(t, staff("ana")), reason)
		_, err := rbac.Authorize(ctx, h.z, h.PatientReveal, p1)
		require.ErrorIs(t, err, rbac.ErrReason)
		require.ErrorIs(t, err, rbac.ErrDenied)
		require.Equal(t, string(rbac.CodeReason), h.rec.flush(t, ctx)[0].Code)
	}
	ctx := rbac.WithReason(h.as(t, staff("ana")), " insurance asked ")
	g, err := rbac.Authorize(ctx, h.z, h.PatientReveal, p1)
	require.NoError(t, err)
	require.True(t, g.Allows(h.PatientReveal))
	why, ok := h.rec.flush(t, ctx)[0].Why.Reveal()
	require.True(t, ok)
	require.Equal(t, "insurance asked", why)

	// who may not, is not told about a reason
	_, err = rbac.Authorize(h.as(t, staff("ana")), h.z, h.PatientReveal, patient{"p2", clinic, ""})
	require.NotErrorIs(t, err, rbac.ErrReason)
	require.ErrorIs(t, err, rbac.ErrDenied)
}

func TestWhatCannotBeRecordedIsNotGranted(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.grant(t, "adam", "admin")
	noTrail := audit.WithActor(t.Context(), staff("adam"))
	_, err := rbac.Authorize(noTrail, h.z, h.PatientRead, patient{"p1", clinic, ""})
	require.ErrorIs(t, err, rbac.ErrUndecided)
	require.ErrorIs(t, err, audit.ErrNoTrail)
	_, err = rbac.Visible(noTrail, h.z, h.PatientRead)
	require.ErrorIs(t, err, rbac.ErrUndecided)
	require.NotErrorIs(t, err, rbac.ErrDenied)
}

func TestVisibleRecordsAQuery(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.grant(t, "adam", "admin")
	h.rec.take()
	ctx := h.as(t, staff("adam"))
	_, err := rbac.Visible(ctx, h.z, h.PatientRead)
	require.NoError(t, err)
	e := h.rec.flush(t, ctx)[0]
	require.Equal(t, audit.Execute, e.Verb)
	require.Equal(t, audit.Action("patient.read"), e.Action)
	require.Equal(t, []audit.Object{{Type: "patient", Category: "demographics"}}, e.Objects)
	require.Equal(t, "tenant", e.Decision.Scope)

	ctx = h.as(t, staff("nobody"))
	_, err = rbac.Visible(ctx, h.z, h.PatientRead)
	require.ErrorIs(t, err, rbac.ErrNothing)
	require.ErrorIs(t, err, rbac.ErrDenied)
	e = h.rec.flush(t, ctx)[0]
	require.Equal(t, audit.Failure, e.Outcome)
	require.Equal(t, string(rbac.CodeNothing), e.Code)
}
