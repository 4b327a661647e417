package rbac_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/internal/world"
	"github.com/wardkit/wardkit/rbac/rbactest"
)

func verdicts(x rbac.Explanation) (out []rbac.Verdict) {
	for _, c := range x.Clauses {
		out = append(out, c.Verdict)
	}
	return out
}

func TestExplainSaysWhy(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.own.Link(clinic, "ana", "p1", time.Time{})
	g := h.grantIn(t, clinic, rbac.Grant{Person: "ana", Role: "therapist", Why: "new_hire", Source: rbac.SourceInvite})
	h.grantIn(t, clinic, rbac.Grant{Person: "ana", Role: "admin", From: h.now.Add(time.Hour)})
	h.grant(t, "ana", "biller", "north")
	ended := h.grant(t, "ana", "admin")
	require.NoError(t, h.z.Revoke(system(t), "ana", ended.ID))
	boss := audit.WithActor(t.Context(), staff("boss"))
	ana := audit.Actor{ID: "ana", Kind: audit.KindStaff}
	h.rec.take()

	x, err := rbac.Explain(boss, h.z, ana, h.PatientReveal, patient{"p1", clinic, "south"})
	require.NoError(t, err)
	require.True(t, x.Allowed)
	require.Equal(t, rbac.Explanation{
		At: h.now, Policy: h.policy.Digest(), Person: "ana", Action: "patient.reveal_ssn", Allowed: true, Code: rbac.CodeAllowed,
		Scope: "own", Role: "therapist", Grant: g.ID, Duties: []string{"phi", "reason", "reveals:ssn"}, Clauses: x.Clauses,
	}, x)
	got := map[rbac.RoleName]rbac.Clause{}
	for _, c := range x.Clauses {
		got[c.Role] = c
	}
	require.Len(t, got, 3, "what was revoked is no part of it")
	require.Equal(t, rbac.Clause{Grant: g.ID, Role: "therapist", Scope: "own", Verdict: rbac.VerdictAllows, By: "system:setup", Why: "new_hire", Source: rbac.SourceInvite}, got["therapist"])
	require.Equal(t, rbac.VerdictNone, got["biller"].Verdict)
	require.Equal(t, rbac.VerdictNotYet, got["admin"].Verdict)

	x, err = rbac.Explain(boss, h.z, ana, h.PatientRead, patient{"p2", clinic, "south"})
	require.NoError(t, err)
	require.False(t, x.Allowed)
	require.Equal(t, rbac.CodeOutOfScope, x.Code)
	require.Equal(t, []rbac.Exception{rbac.Privacy}, x.Exceptions)
	require.ElementsMatch(t, []rbac.Verdict{rbac.VerdictScope, rbac.VerdictScope, rbac.VerdictNotYet}, verdicts(x))
	require.Empty(t, h.rec.take(), "asking records nothing")

	text, err := json.Marshal(x)
	require.NoError(t, err)
	require.NotContains(t, string(text), "p2", "it names no record")
}

func TestExplainOfPeopleWhoMayNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.grant(t, "sue", "admin")
	h.grant(t, "sue", rbac.Suspended)
	h.grant(t, "old", "admin")
	h.grantIn(t, other, rbac.Grant{Person: "fay", Role: "admin"})
	boss := audit.WithActor(t.Context(), staff("boss"))
	p := patient{"p1", clinic, "north"}

	x, err := rbac.Explain(boss, h.z, audit.Actor{ID: "sue", Kind: audit.KindStaff}, h.PatientRead, p)
	require.NoError(t, err)
	require.False(t, x.Allowed)
	require.True(t, x.Suspended)
	require.Contains(t, verdicts(x), rbac.VerdictSuspended)

	x, err = rbac.Explain(boss, h.z, audit.Actor{ID: "fay", Kind: audit.KindStaff, Tenant: other}, h.PatientRead, p)
	require.NoError(t, err)
	require.Empty(t, x.Clauses, "another tenant's grants are nobody's business here")
	require.Equal(t, rbac.CodeNoPermission, x.Code)

	x, err = rbac.Explain(boss, h.z, audit.Actor{ID: "old", Kind: audit.KindPatient}, h.PatientRead, p)
	require.NoError(t, err)
	require.Equal(t, []rbac.Verdict{rbac.VerdictKind}, verdicts(x))

	x, err = rbac.Explain(boss, h.z, audit.Actor{ID: "old", Kind: audit.KindStaff}, h.PatientRead, patient{"p9", other, "north"})
	require.NoError(t, err)
	require.Equal(t, rbac.CodeOtherTenant, x.Code)
	require.Equal(t, []rbac.Verdict{rbac.VerdictScope}, verdicts(x))

	x, err = rbac.Explain(boss, h.z, audit.Actor{}, h.PatientRead, p)
	require.NoError(t, err)
	require.Equal(t, rbac.CodeAnonymous, x.Code)
	require.Equal(t, []rbac.Exception{rbac.Security}, x.Exceptions)

	x, err = rbac.Explain(boss, h.z, audit.Actor{ID: "old", Kind: audit.KindStaff}, rbac.Action[patient]{}, p)
	require.NoError(t, err)
	require.Equal(t, rbac.CodeUnlisted, x.Code)
}

func TestExplainFailsClosed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.grant(t, "ana", "admin")
	down := errors.New("connection refused")
	z, err := rbac.New(h.policy, &faulty{Store: h.store, err: down, on: "Grants"}, h.rec, nil)
	require.NoError(t, err)
	ctx := audit.WithActor(t.Context(), staff("ana"))
	x, err := rbac.Explain(ctx, z, staff("ana"), h.PatientRead, patient{"p1", clinic, "north"})
	require.ErrorIs(t, err, rbac.ErrUndecided)
	require.False(t, x.Allowed)
	require.Equal(t, rbac.CodeUndecided, x.Code)
	_, err = rbac.Rights(ctx, z, staff("ana"))
	require.ErrorIs(t, err, rbac.ErrUndecided)
	_, err = rbac.MayAnywhere(ctx, z)
	require.ErrorIs(t, err, rbac.ErrUndecided)
	_, err = rbac.Rights(ctx, (*rbac.Authorizer)(nil), staff("ana"))
	require.ErrorIs(t, err, rbac.ErrUndecided)
	_, err = (*rbac.Authorizer)(nil).Suppose(ctx, rbac.Supposition{})
	require.ErrorIs(t, err, rbac.ErrUndecided)
}

// TestExplainAgreesWithCheck: in random worlds the explanation is the decision, and its
// clauses are the reason for it.
func TestExplainAgreesWithCheck(t *testing.T) {
	t.Parallel()
	seeds, rows := uint64(6), 40
	if testing.Short() {
		seeds, rows = 2, 20
	}
	allowed := 0
	for seed := range seeds {
		w := world.New(seed, rows)
		p, err := rbac.Compile(w.Rules(w.Relations()))
		require.NoError(t, err)
		store := rbac.NewMemory()
		require.NoError(t, w.Fill(t.Context(), store))
		z, err := rbac.New(p, store, audit.Discard{}, &rbac.Options{Now: func() time.Time { return w.Now }, Toggles: w})
		require.NoError(t, err)
		for _, a := range w.Actors {
			ctx := rbactest.As(t.Context(), a, audit.Discard{})
			may, err := rbac.MayAnywhere(ctx, z)
			require.NoError(t, err)
			rights, err := rbac.Rights(ctx, z, a)
			require.NoError(t, err)
			for i, action := range w.Actions {
				holds, err := rbac.Holds(ctx, z, action)
				require.NoError(t, err)
				require.Equal(t, holds, may.Allows(action))
				at := slices.IndexFunc(rights, func(x rbac.Explanation) bool { return x.Action == action.Name() })
				require.Equal(t, holds, rights[at].Allowed)
				for _, r := range w.Rows {
					x, err := rbac.Explain(ctx, z, a, action, r)
					require.NoError(t, err)
					d, err := rbac.Check(ctx, z, action, r)
					require.NoError(t, err)
					require.Equal(t, d.Allowed, x.Allowed)
					require.Equal(t, d.Code, x.Code)
					require.Equal(t, d.Grant, x.Grant)
					// clauses are about roles; what a program's task or too little proof takes away is in the code
					beside := slices.Contains([]rbac.Code{rbac.CodeAssurance, rbac.CodeScopes, rbac.CodePerson}, x.Code)
					require.Equal(t, w.Allowed(a, i, r) || beside && slices.Contains(verdicts(x), rbac.VerdictAllows),
						slices.Contains(verdicts(x), rbac.VerdictAllows), "%+v", x)
					if x.Allowed {
						allowed++
						require.Empty(t, x.Exceptions)
					}
				}
			}
		}
	}
	require.Greater(t, allowed, 50)
}

func TestEveryDenialOfInformationHasAnException(t *testing.T) {
	t.Parallel()
	none := []rbac.Code{
		rbac.CodeAllowed, rbac.CodeUnlisted, rbac.CodeRank, rbac.CodeExclusive, rbac.CodeSingle, rbac.CodeSeats, rbac.CodeLastAdmin,
		rbac.CodeSelfGrant, rbac.CodeReason, rbac.CodeLicence, rbac.CodeNotFound, rbac.CodeNoMethod,
	}
	for _, c := range none {
		require.Empty(t, c.Exceptions(), c)
	}
	for _, c := range []rbac.Code{
		rbac.CodeAnonymous, rbac.CodeAssurance, rbac.CodeStepUp, rbac.CodeSecondPerson, rbac.CodeOtherTenant,
		rbac.CodeNoPermission, rbac.CodeNothing, rbac.CodeOutOfScope, rbac.CodeForbidden, rbac.CodeUndecided,
	} {
		require.NotEmpty(t, c.Exceptions(), c)
	}
}
