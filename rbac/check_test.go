package rbac_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
)

func TestCheckSaysWhy(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	g := h.grant(t, "ana", "therapist")
	h.grant(t, "bill", "biller", "north", "south")
	h.grant(t, "adam", "admin")
	h.grantIn(t, clinic, rbac.Grant{Person: "pat", Role: "patient"})
	h.own.Link(clinic, "ana", "p1", time.Time{})
	h.self.Link(clinic, "pat", "p1", time.Time{})
	weak := staff("ana")
	weak.Assurance = audit.AAL1
	patientActor := audit.Actor{ID: "pat", Kind: audit.KindPatient, Tenant: clinic, Assurance: audit.AAL1}
	impostor := staff("pat")
	foreign := staff("adam")
	foreign.Tenant = other

	p1 := patient{"p1", clinic, "north"}
	for name, c := range map[string]struct {
		actor  audit.Actor
		action rbac.Action[patient]
		row    patient
		want   rbac.Code
		scope  rbac.Base
		role   rbac.RoleName
	}{
		"own patient":           {staff("ana"), h.PatientRead, p1, rbac.CodeAllowed, rbac.Own, "therapist"},
		"another's patient":     {staff("ana"), h.PatientRead, patient{"p2", clinic, "north"}, rbac.CodeOutOfScope, 0, ""},
		"not in the role":       {staff("ana"), h.PatientPurge, p1, rbac.CodeNoPermission, 0, ""},
		"other tenant":          {staff("ana"), h.PatientRead, patient{"p1", other, "north"}, rbac.CodeOtherTenant, 0, ""},
		"row of no tenant":      {staff("ana"), h.PatientRead, patient{"p1", "", "north"}, rbac.CodeOtherTenant, 0, ""},
		"practice":              {staff("bill"), h.PatientRead, p1, rbac.CodeAllowed, rbac.Practice, "biller"},
		"other practice":        {staff("bill"), h.PatientRead, patient{"p1", clinic, "west"}, rbac.CodeOutOfScope, 0, ""},
		"row of no practice":    {staff("bill"), h.PatientRead, patient{"p1", clinic, ""}, rbac.CodeOutOfScope, 0, ""},
		"tenant":                {staff("adam"), h.PatientRead, patient{"p9", clinic, "west"}, rbac.CodeAllowed, rbac.Tenant, "admin"},
		"grant in another home": {foreign, h.PatientRead, patient{"p9", other, "west"}, rbac.CodeNoPermission, 0, ""},
		"nobody's role":         {staff("zoe"), h.PatientRead, p1, rbac.CodeNoPermission, 0, ""},
		"weak sign-in":          {weak, h.PatientRead, p1, rbac.CodeAssurance, 0, ""},
		"self":                  {patientActor, h.PatientRead, p1, rbac.CodeAllowed, rbac.Self, "patient"},
		"another's record":      {patientActor, h.PatientRead, patient{"p2", clinic, ""}, rbac.CodeOutOfScope, 0, ""},
		"role of another kind":  {impostor, h.PatientRead, p1, rbac.CodeNoPermission, 0, ""},
		"anonymous":             {audit.Actor{Kind: audit.KindAnonymous, Tenant: clinic}, h.PatientRead, p1, rbac.CodeAnonymous, 0, ""},
		"no id":                 {audit.Actor{Kind: audit.KindStaff, Tenant: clinic}, h.PatientRead, p1, rbac.CodeAnonymous, 0, ""},
		"no tenant":             {audit.Actor{ID: "ana", Kind: audit.KindStaff}, h.PatientRead, p1, rbac.CodeAnonymous, 0, ""},
		"zero action":           {staff("adam"), rbac.Action[patient]{}, p1, rbac.CodeUnlisted, 0, ""},
		"a namesake":            {staff("adam"), rbac.Define[patient]("patient.read", rbac.Columns{}), p1, rbac.CodeUnlisted, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := rbac.Check(h.as(t, c.actor), h.z, c.action, c.row)
			require.NoError(t, err)
			require.Equal(t, c.want, d.Code)
			require.Equal(t, c.want == rbac.CodeAllowed, d.Allowed)
			require.Equal(t, c.scope, d.Scope)
			require.Equal(t, c.role, d.Role)
			if name == "own patient" {
				require.Equal(t, g.ID, d.Grant)
			}
		})
	}
	t.Run("no actor at all", func(t *testing.T) {
		t.Parallel()
		d, err := rbac.Check(t.Context(), h.z, h.PatientRead, p1)
		require.NoError(t, err)
		require.Equal(t, rbac.CodeAnonymous, d.Code)
	})
}

func TestZeroValuesAreClosed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.grant(t, "adam", "admin")
	ctx := h.as(t, staff("adam"))
	p1 := patient{"p1", clinic, "north"}

	t.Run("action", func(t *testing.T) {
		t.Parallel()
		var zero rbac.Action[patient]
		require.Empty(t, zero.Name())
		require.Equal(t, "(zero action)", zero.String())
		_, err := rbac.Authorize(h.as(t, staff("adam")), h.z, zero, p1)
		require.ErrorIs(t, err, rbac.ErrDenied)
		_, err = rbac.Visible(h.as(t, staff("adam")), h.z, zero)
		require.ErrorIs(t, err, rbac.ErrDenied)
		holds, err := rbac.Holds(ctx, h.z, zero)
		require.NoError(t, err)
		require.False(t, holds)
		may, err := rbac.May(ctx, h.z, p1, zero)
		require.NoError(t, err)
		require.False(t, may.Allows(zero))
		require.False(t, may.Has(""))
	})
	t.Run("granted", func(t *testing.T) {
		t.Parallel()
		var zero rbac.Granted[patient]
		require.False(t, zero.Allows(h.PatientRead))
		require.False(t, zero.Allows(rbac.Action[patient]{}))
		require.Equal(t, patient{}, zero.Resource())
		s, ok := phi.SightFrom(zero.Context(t.Context()))
		require.True(t, ok)
		require.Equal(t, phi.Hide, s.Level(phi.ClassName))
	})
	t.Run("filter", func(t *testing.T) {
		t.Parallel()
		var zero rbac.Filter[patient]
		where, args := zero.SQL(rbac.SQLite, "p", 1)
		require.Equal(t, "1 = 0", where)
		require.Empty(t, args)
		ok, err := zero.Match(ctx, p1)
		require.NoError(t, err)
		require.False(t, ok)
		require.Equal(t, phi.Hide, zero.Sight().Level(phi.ClassName))
	})
	t.Run("decision", func(t *testing.T) {
		t.Parallel()
		var zero rbac.Decision
		require.Empty(t, zero.Policy())
		require.Equal(t, phi.Hide, zero.Sight().Level(phi.ClassName))
	})
	t.Run("authorizer", func(t *testing.T) {
		t.Parallel()
		for _, z := range []*rbac.Authorizer{nil, {}} {
			_, err := rbac.Check(ctx, z, h.PatientRead, p1)
			require.ErrorIs(t, err, rbac.ErrUndecided)
			_, err = rbac.Authorize(ctx, z, h.PatientRead, p1)
			require.ErrorIs(t, err, rbac.ErrUndecided)
			_, err = rbac.Visible(ctx, z, h.PatientRead)
			require.ErrorIs(t, err, rbac.ErrUndecided)
			_, err = rbac.Holds(ctx, z, h.PatientRead)
			require.ErrorIs(t, err, rbac.ErrUndecided)
			_, err = rbac.May(ctx, z, p1)
			require.ErrorIs(t, err, rbac.ErrUndecided)
			_, err = z.Load(ctx)
			require.ErrorIs(t, err, rbac.ErrUndecided)
		}
	})
	t.Run("policy", func(t *testing.T) {
		t.Parallel()
		z, err := rbac.New(&rbac.Policy{}, h.store, h.rec, nil)
		require.NoError(t, err)
		d, err := rbac.Check(ctx, z, h.PatientRead, p1)
		require.NoError(t, err)
		require.Equal(t, rbac.CodeUnlisted, d.Code)
	})
	t.Run("scope", func(t *testing.T) {
		t.Parallel()
		_, err := rbac.Compile(rbac.Rules{
			Actions: []rbac.AnyAction{h.TeamManage},
			Roles:   []rbac.Role{{Name: "r", Label: "R", Allow: []rbac.Allow{rbac.In(rbac.Base(0), h.TeamManage), {}}}},
		})
		require.ErrorContains(t, err, "permissions without a scope")
	})
}

func TestRevokedIsDeniedOnTheNextRequest(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.own.Link(clinic, "ana", "p1", time.Time{})
	p1 := patient{"p1", clinic, ""}
	g := h.grant(t, "ana", "therapist")

	request, err := h.z.Load(h.as(t, staff("ana")))
	require.NoError(t, err)
	admin := audit.WithActor(t.Context(), audit.System(clinic, "setup"))
	require.NoError(t, h.z.Revoke(admin, "ana", g.ID))

	// the request under way read its grants before
	d, err := rbac.Check(request, h.z, h.PatientRead, p1)
	require.NoError(t, err)
	require.True(t, d.Allowed)

	// the next one reads them anew, on this server and on every other
	second, err := rbac.New(h.policy, h.store, h.rec, &rbac.Options{Now: func() time.Time { return h.now }})
	require.NoError(t, err)
	for _, z := range []*rbac.Authorizer{h.z, second} {
		d, err = rbac.Check(h.as(t, staff("ana")), z, h.PatientRead, p1)
		require.NoError(t, err)
		require.False(t, d.Allowed)
	}

	// grants read for another actor, or long ago, are not used
	swapped := audit.WithActor(request, staff("ben"))
	d, err = rbac.Check(swapped, h.z, h.PatientRead, p1)
	require.NoError(t, err)
	require.False(t, d.Allowed)
	h.now = h.now.Add(31 * time.Second)
	d, err = rbac.Check(request, h.z, h.PatientRead, p1)
	require.NoError(t, err)
	require.False(t, d.Allowed)
}

// TestAStoreThatAnswersTooMuch: what a broken store hands out beyond the question is not used.
func TestAStoreThatAnswersTooMuch(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	good := rbac.Grant{ID: "g", Tenant: clinic, Person: "adam", Role: "admin", By: "x"}
	for name, spoil := range map[string]func(*rbac.Grant){
		"nothing":        func(*rbac.Grant) {},
		"another person": func(g *rbac.Grant) { g.Person = "ben" },
		"another tenant": func(g *rbac.Grant) { g.Tenant = other },
		"ended":          func(g *rbac.Grant) { g.Ended = h.now },
		"not yet":        func(g *rbac.Grant) { g.From = h.now.Add(time.Hour) },
		"no more":        func(g *rbac.Grant) { g.Until = h.now },
		"unknown role":   func(g *rbac.Grant) { g.Role = "owner" },
		"other kind":     func(g *rbac.Grant) { g.Role = "patient" },
	} {
		g := good
		spoil(&g)
		z, err := rbac.New(h.policy, loose{h.store, g}, h.rec, &rbac.Options{Now: func() time.Time { return h.now }})
		require.NoError(t, err)
		d, err := rbac.Check(h.as(t, staff("adam")), z, h.TeamManage, rbac.InTenant{Tenant: clinic})
		require.NoError(t, err)
		require.Equal(t, name == "nothing", d.Allowed, name)
	}
	// a permission in scope practice without a practice reaches nothing, in both readings
	none := rbac.Grant{ID: "g", Tenant: clinic, Person: "bill", Role: "biller", By: "x", Practices: []rbac.PracticeID{"", "\xff", "a\x00"}}
	z, err := rbac.New(h.policy, loose{h.store, none}, h.rec, nil)
	require.NoError(t, err)
	_, err = rbac.Visible(h.as(t, staff("bill")), z, h.PatientRead)
	require.ErrorIs(t, err, rbac.ErrNothing)
	for _, p := range append(none.Practices, "\ufffd") {
		d, err := rbac.Check(h.as(t, staff("bill")), z, h.PatientRead, patient{"p1", clinic, p})
		require.NoError(t, err)
		require.False(t, d.Allowed)
	}
}

func TestGrantsReadOncePerRequest(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.grant(t, "adam", "admin")
	counting := &faulty{Store: h.store}
	z, err := rbac.New(h.policy, counting, h.rec, nil)
	require.NoError(t, err)
	ctx, err := z.Load(h.as(t, staff("adam")))
	require.NoError(t, err)
	for range 5 {
		ctx, err = z.Load(ctx)
		require.NoError(t, err)
		_, err = rbac.Authorize(ctx, z, h.PatientRead, patient{"p1", clinic, ""})
		require.NoError(t, err)
		_, err = rbac.Visible(ctx, z, h.PatientRead)
		require.NoError(t, err)
	}
	require.EqualValues(t, 1, counting.calls.Load())
}

func TestGrantsCountFromUntil(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	from, until := h.now.Add(time.Hour), h.now.Add(2*time.Hour)
	h.grantIn(t, clinic, rbac.Grant{Person: "adam", Role: "admin", From: from, Until: until})
	for _, c := range []struct {
		at   time.Time
		want bool
	}{{from.Add(-time.Microsecond), false}, {from, true}, {until.Add(-time.Microsecond), true}, {until, false}} {
		h.now = c.at
		d, err := rbac.Check(h.as(t, staff("adam")), h.z, h.TeamManage, rbac.InTenant{Tenant: clinic})
		require.NoError(t, err)
		require.Equal(t, c.want, d.Allowed, c.at)
	}
}

func TestFailingStoreAndRelationAreUndecided(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.grant(t, "ana", "therapist")
	h.grant(t, "adam", "admin")
	p1 := patient{"p1", clinic, ""}
	down := errors.New("connection refused")
	z, err := rbac.New(h.policy, &faulty{Store: h.store, err: down}, h.rec, nil)
	require.NoError(t, err)
	for name, ask := range map[string]func(ctx context.Context) error{
		"check":     func(ctx context.Context) error { _, err := rbac.Check(ctx, z, h.PatientRead, p1); return err },
		"authorize": func(ctx context.Context) error { _, err := rbac.Authorize(ctx, z, h.PatientRead, p1); return err },
		"visible":   func(ctx context.Context) error { _, err := rbac.Visible(ctx, z, h.PatientRead); return err },
		"holds":     func(ctx context.Context) error { _, err := rbac.Holds(ctx, z, h.PatientRead); return err },
		"may":       func(ctx context.Context) error { _, err := rbac.May(ctx, z, p1); return err },
		"load":      func(ctx context.Context) error { _, err := z.Load(ctx); return err },
		"roles":     func(ctx context.Context) error { _, err := z.Roles(ctx); return err },
		"label":     func(ctx context.Context) error { _, err := z.Label(ctx); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := ask(h.as(t, staff("ana")))
			require.ErrorIs(t, err, rbac.ErrUndecided)
			require.ErrorIs(t, err, down)
			require.NotErrorIs(t, err, rbac.ErrDenied)
		})
	}
	t.Run("relation", func(t *testing.T) {
		t.Parallel()
		broken := newHouse(t)
		rules := broken.rules()
		rules.Relations.Own = failingRelation{broken.own, down}
		p, err := rbac.Compile(rules)
		require.NoError(t, err)
		z, err := rbac.New(p, broken.store, broken.rec, nil)
		require.NoError(t, err)
		broken.grant(t, "ana", "therapist")
		broken.grant(t, "both", "therapist")
		broken.grant(t, "both", "admin")
		ctx := broken.as(t, staff("ana"))
		d, err := rbac.Check(ctx, z, broken.PatientRead, p1)
		require.ErrorIs(t, err, rbac.ErrUndecided)
		require.ErrorIs(t, err, down)
		require.False(t, d.Allowed)
		require.Equal(t, rbac.CodeUndecided, d.Code)
		require.Equal(t, phi.Hide, d.Sight().Level(phi.ClassName))
		_, err = rbac.Authorize(ctx, z, broken.PatientRead, p1)
		require.ErrorIs(t, err, rbac.ErrUndecided)
		f, err := rbac.Visible(ctx, z, broken.PatientRead)
		require.NoError(t, err, "the condition asks nothing")
		ok, err := f.Match(ctx, p1)
		require.ErrorIs(t, err, rbac.ErrUndecided)
		require.False(t, ok)
		// a role that allows without the relation does not hide that the other is unknown
		_, err = rbac.Check(broken.as(t, staff("both")), z, broken.PatientRead, p1)
		require.ErrorIs(t, err, rbac.ErrUndecided)
	})
	t.Run("stalling", func(t *testing.T) {
		t.Parallel()
		z, err := rbac.New(h.policy, &faulty{Store: h.store, stall: true}, h.rec, nil)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(h.as(t, staff("ana")))
		cancel()
		_, err = rbac.Check(ctx, z, h.PatientRead, p1)
		require.ErrorIs(t, err, rbac.ErrUndecided)
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestMayIsTheSamePolicy(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.grant(t, "ana", "therapist")
	h.own.Link(clinic, "ana", "p1", time.Time{})
	ctx := h.as(t, staff("ana"))
	may, err := rbac.May(ctx, h.z, patient{"p1", clinic, ""})
	require.NoError(t, err)
	require.True(t, may.Has("patient.read") && may.Allows(h.PatientUpdate) && may.Allows(h.PatientReveal))
	require.False(t, may.Allows(h.PatientPurge))
	require.False(t, may.Has("note.read"), "another type")
	require.False(t, may.Allows(nil))

	may, err = rbac.May(ctx, h.z, patient{"p2", clinic, ""})
	require.NoError(t, err)
	require.False(t, may.Has("patient.read"))

	may, err = rbac.May(ctx, h.z, patient{"p1", clinic, ""}, h.PatientRead)
	require.NoError(t, err)
	require.True(t, may.Has("patient.read"))
	require.False(t, may.Has("patient.update"), "not asked")

	holds, err := rbac.Holds(ctx, h.z, h.PatientRead)
	require.NoError(t, err)
	require.True(t, holds)
	holds, err = rbac.Holds(ctx, h.z, h.TeamManage)
	require.NoError(t, err)
	require.False(t, holds)
	counting := &countingRelation{Relation: h.own}
	rules := h.rules()
	rules.Relations.Own = counting
	p, err := rbac.Compile(rules)
	require.NoError(t, err)
	z, err := rbac.New(p, h.store, h.rec, &rbac.Options{Now: func() time.Time { return h.now }})
	require.NoError(t, err)
	may, err = rbac.May(ctx, z, patient{"p1", clinic, ""})
	require.NoError(t, err)
	require.True(t, may.Has("patient.read") && may.Has("patient.update"))
	require.Equal(t, 1, counting.asked, "one record, one question")
	require.Empty(t, h.rec.flush(t, ctx)[1:], "asking records nothing: only the grant is there")
}

func TestSightFollowsTheDecision(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.own.Link(clinic, "both", "p1", time.Time{})
	h.own.Link(clinic, "ana", "p1", time.Time{})
	h.grant(t, "ana", "therapist")
	h.grant(t, "both", "therapist")
	h.grant(t, "both", "admin")
	h.grant(t, "two", "therapist")
	h.grant(t, "two", "biller", "north")

	level := func(id audit.ActorID, a rbac.Action[patient], row string, c phi.Class) phi.Level {
		ctx := rbac.WithReason(h.as(t, staff(id)), "the patient asked")
		g, err := rbac.Authorize(ctx, h.z, a, patient{row, clinic, "north"})
		require.NoError(t, err)
		s, ok := phi.SightFrom(g.Context(ctx))
		require.True(t, ok)
		return s.Level(c)
	}
	require.Equal(t, phi.Mask, level("ana", h.PatientRead, "p1", phi.ClassSSN))
	require.Equal(t, phi.Full, level("ana", h.PatientReveal, "p1", phi.ClassSSN), "the action reveals")
	require.Equal(t, phi.Full, level("both", h.PatientRead, "p1", phi.ClassPhone), "the widest of the roles that allow it")
	require.Equal(t, phi.Partial, level("both", h.PatientRead, "p2", phi.ClassPhone), "the therapist's role does not reach p2")

	list := func(id audit.ActorID, c phi.Class) phi.Level {
		f, err := rbac.Visible(h.as(t, staff(id)), h.z, h.PatientRead)
		require.NoError(t, err)
		return f.Sight().Level(c)
	}
	require.Equal(t, phi.Full, list("ana", phi.ClassPhone))
	require.Equal(t, phi.Partial, list("both", phi.ClassPhone), "the admin's level holds for every row")
	require.Equal(t, phi.Partial, list("two", phi.ClassName), "the narrowest holds for every row")
	h.grant(t, "over", "admin")
	h.grant(t, "over", "biller", "north")
	require.Equal(t, phi.Full, list("over", phi.ClassName), "every row is there because of the admin's role too")
	d, err := rbac.Check(h.as(t, staff("over")), h.z, h.PatientRead, patient{"p1", clinic, "south"})
	require.NoError(t, err)
	require.Equal(t, rbac.CodeAllowed, d.Code, "that another role does not reach it changes nothing")
	require.Equal(t, phi.Hide, list("two", phi.ClassPhone))
}

func TestLabelIsTheHighestRole(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.grant(t, "both", "therapist")
	h.grant(t, "both", "admin")
	h.grant(t, "ana", "therapist")
	ctx := h.as(t, staff("both"))
	label, err := h.z.Label(ctx)
	require.NoError(t, err)
	require.Equal(t, "Clinic Admin", label)
	roles, err := h.z.Roles(ctx)
	require.NoError(t, err)
	require.Equal(t, []rbac.RoleName{"admin", "therapist"}, roles)
	label, err = h.z.Label(h.as(t, staff("nobody")))
	require.NoError(t, err)
	require.Empty(t, label)
	seats, err := h.z.Seats(ctx)
	require.NoError(t, err)
	require.Equal(t, rbac.SeatUse{Taken: 2}, seats, "people, not roles")
}
