package rbac_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// An administrator who suspends the other from the next minute on, and is suspended by them at
// once, or leaves: in a minute nobody is left.
func TestTheLastAdminIsNotSuspendedForLater(t *testing.T) {
	t.Parallel()
	h := ruled(t, rbac.GrantRules{})
	adam := h.grant(t, "adam", "admin")
	bea := h.grant(t, "bea", "admin")
	later := rbac.Grant{Person: "adam", Role: rbac.Suspended, From: h.now.Add(time.Minute)}
	ctx := audit.WithActor(t.Context(), staff("bea"))
	_, err := h.z.Grant(ctx, later)
	require.NoError(t, err, "bea is still there")
	h.refuse(t, ctx, ending(bea), rbac.ErrLastAdmin, rbac.CodeLastAdmin, "")
	h.refuse(t, audit.WithActor(t.Context(), staff("adam")), one(rbac.Grant{Person: "bea", Role: rbac.Suspended}),
		rbac.ErrLastAdmin, rbac.CodeLastAdmin, "")

	h = ruled(t, rbac.GrantRules{})
	h.grant(t, "adam", "admin")
	h.refuse(t, audit.WithActor(t.Context(), staff("adam")), one(later), rbac.ErrSelfGrant, rbac.CodeSelfGrant, "")
	h = ruled(t, rbac.GrantRules{SelfGrants: true})
	h.grant(t, "adam", "admin")
	h.refuse(t, audit.WithActor(t.Context(), staff("adam")), one(later), rbac.ErrLastAdmin, rbac.CodeLastAdmin, "")
	_ = adam
}

// GET is followed by crawlers, prefetched and repeated: what cannot be undone is never one.
func TestDestructiveActionsAreNotServedOnSafeMethods(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	wipe := rbac.Define[patient]("patient.wipe", rbac.Columns{ID: "id", Tenant: "tenant"}, rbac.Destructive(), rbac.NeedReason())
	p, err := rbac.Compile(rbac.Rules{
		Actions: []rbac.AnyAction{wipe},
		Roles:   []rbac.Role{{Name: "admin", Label: "Admin", Rank: 1, Allow: []rbac.Allow{rbac.In(rbac.Tenant, wipe)}}},
	})
	require.NoError(t, err)
	z, err := rbac.New(p, h.store, h.rec, nil)
	require.NoError(t, err)
	for pattern, served := range map[string]bool{"GET /wipe": false, "/wipe": false, "HEAD /wipe": false, "POST /wipe": true} {
		mux := rbac.NewMux(z, nil)
		rbac.For(mux, func(_ context.Context, _ *http.Request) (patient, error) { return patient{"p1", clinic, ""}, nil }).
			Handle(pattern, wipe, func(http.ResponseWriter, *http.Request, rbac.Granted[patient]) {})
		if served {
			require.NoError(t, mux.Err(), pattern)
		} else {
			require.Error(t, mux.Err(), pattern)
		}
	}
}

// encoding/json takes a field by its name in whatever case: the second spelling would replace
// what a reviewer read under the first.
func TestReadPolicyTakesNoFieldUnderTwoSpellings(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	actions := []rbac.AnyAction{h.PatientRead, h.PatientUpdate, h.PatientReveal, h.PatientPurge, h.NoteRead, h.NoteWrite, h.TeamManage}
	relations := rbac.Relations{Own: h.own, Self: h.self}
	_, err := rbac.ReadPolicy(h.policy.JSON(), actions, relations)
	require.NoError(t, err)
	wide := h.revised(t, h.allOf("admin", 100, nil), h.allOf("biller", 40, nil), h.role(t, "therapist"), h.role(t, "patient")).JSON()
	from := bytes.Index(wide, []byte(`"roles":`))
	to := bytes.Index(wide, []byte(`,"forbid":`))
	require.Greater(t, to, from)
	for _, name := range []string{`"Roles":`, `"ROLES":`, `"roleſ":`} {
		text := bytes.TrimSuffix(h.policy.JSON(), []byte("}"))
		text = append(append(text, ','), name...)
		text = append(append(text, wide[from+len(`"roles":`):to]...), '}')
		p, err := rbac.ReadPolicy(text, actions, relations)
		require.Error(t, err, name)
		require.Nil(t, p)
	}
}

func TestALicenceLostEndsALongList(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	sign := rbac.Define[note]("note.sign", rbac.Columns{ID: "id", Tenant: "tenant"}, rbac.Verb(audit.Update), rbac.NeedLicence(rbac.NPI))
	policy, err := rbac.Compile(rbac.Rules{
		Actions: []rbac.AnyAction{sign},
		Roles:   []rbac.Role{{Name: "clinician", Label: "Clinician", Allow: []rbac.Allow{rbac.In(rbac.Tenant, sign)}}},
	})
	require.NoError(t, err)
	reg := &register{until: map[audit.ActorID]time.Time{"ana": now.Add(time.Hour)}}
	z, err := rbac.New(policy, rbac.NewMemory(), audit.Discard{}, &rbac.Options{Now: func() time.Time { return now }, Licences: reg})
	require.NoError(t, err)
	_, err = z.Grant(system(t), rbac.Grant{Person: "ana", Role: "clinician"})
	require.NoError(t, err)
	mux := rbac.NewMux(z, nil)
	rbac.HandleList(mux, "GET /unsigned", sign, func(http.ResponseWriter, *http.Request, rbac.Filter[note]) {})
	ctx, trail := audit.WithTrail(t.Context(), audit.Discard{}, audit.Event{})
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", "/unsigned", nil).WithContext(audit.WithActor(ctx, staff("ana"))))
	require.Equal(t, http.StatusOK, w.Code)
	require.NoError(t, trail.Recheck(ctx))
	now = now.Add(time.Hour)
	require.ErrorIs(t, trail.Recheck(ctx), rbac.ErrDenied)
}

// A role that only one of two policies has is a difference like any other, in both directions.
func TestDiffTellsOfANewRole(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	roles := h.policy.Roles()
	next := h.revised(t, append(roles, h.allOf("boss", 200, nil))...)
	for effect, diff := range map[rbac.Effect][]rbac.Difference{rbac.Gains: rbac.Diff(h.policy, next), rbac.Loses: rbac.Diff(next, h.policy)} {
		require.Len(t, diff, 8, "the role and its seven permissions")
		for _, d := range diff {
			require.Equal(t, effect, d.Effect)
			require.Equal(t, rbac.RoleName("boss"), d.Role)
		}
	}
}

// The same rules written in another order are the same policy: otherwise a review of what changes
// drowns in what does not.
func TestTheOrderOfPartsChangesNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	with := func(s rbac.Scope) *rbac.Policy {
		nurse := rbac.Role{Name: "nurse", Label: "Nurse", Rank: 30, Allow: []rbac.Allow{rbac.In(s, h.NoteRead)}}
		return h.revised(t, append(h.policy.Roles(), nurse)...)
	}
	a := with(rbac.Or(rbac.And(rbac.Self, rbac.Not(rbac.Own)), rbac.And(rbac.Practice, rbac.Not(rbac.And(rbac.Self, rbac.Own)))))
	b := with(rbac.Or(rbac.And(rbac.Not(rbac.And(rbac.Own, rbac.Self)), rbac.Practice), rbac.And(rbac.Not(rbac.Own), rbac.Self)))
	require.Equal(t, string(a.JSON()), string(b.JSON()))
	require.Equal(t, a.Digest(), b.Digest())
	require.Empty(t, rbac.Diff(a, b))
	again, err := rbac.ReadPolicy(a.JSON(), []rbac.AnyAction{h.PatientRead, h.PatientUpdate, h.PatientReveal, h.PatientPurge, h.NoteRead, h.NoteWrite, h.TeamManage},
		rbac.Relations{Own: h.own, Self: h.self})
	require.NoError(t, err)
	require.Equal(t, a.Digest(), again.Digest())
}
