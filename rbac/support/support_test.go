package support_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/support"
)

// TestAVisit is a visit from the request to its end, as both sides and both logs see it.
func TestAVisit(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.requested()
	require.Equal(t, support.Requested, a.State)
	require.Equal(t, 2*time.Hour, a.Length)
	require.Equal(t, h.now().Add(24*time.Hour), a.Lapses)
	require.False(t, h.in(noor))
	_, _, err := h.desk.Enter(h.op(noor), clinic)
	require.ErrorIs(t, err, support.ErrClosed)

	a, err = h.desk.Approve(h.as(adam), a.ID, a.Version, support.Answer{Length: time.Hour, Text: "One hour will do."})
	require.NoError(t, err)
	require.Equal(t, h.now().Add(time.Hour), a.Until)
	require.Equal(t, adam, a.Approver)
	require.Equal(t, []audit.Object{{Type: support.ObjectAccess, ID: a.ID}}, h.proofs.asked)
	g := h.held()
	require.Len(t, g, 1)
	require.Equal(t, rbac.SourceSupport, g[0].Source)
	require.Equal(t, adam, g[0].By)
	require.Equal(t, a.Until, g[0].Until)
	require.False(t, h.in(noor), "approved is not yet inside")

	actor, a, err := h.desk.Enter(h.op(noor), clinic)
	require.NoError(t, err)
	require.Equal(t, audit.ActorID("support:platform/o-noor"), actor.ID)
	require.Equal(t, clinic, actor.Tenant)
	require.Equal(t, "platform", actor.Organization)
	require.Equal(t, []string{"pwd", "otp"}, actor.Methods)
	require.Equal(t, audit.AAL2, actor.Assurance)
	require.Equal(t, "s-o-noor", actor.Session)
	require.True(t, a.Inside(h.now()))
	require.True(t, h.in(noor))
	require.False(t, h.in(omar))
	standing, err := h.other.Standing(h.as(adam))
	require.NoError(t, err)
	require.Len(t, standing, 1)

	a, err = h.other.End(h.as(dana), clinic, a.ID, "Thank you.")
	require.NoError(t, err)
	require.Equal(t, support.Ended, a.State)
	require.Equal(t, support.ByTenant, a.Closing)
	require.False(t, h.in(noor))
	require.Empty(t, h.held())
	require.Equal(t, []string{
		"approved operator", "approved tenant", "closed operator", "closed tenant", "entered tenant", "requested tenant",
	}, h.sent.kinds(a.ID))

	for _, action := range []audit.Action{support.ActionRequest, support.ActionApprove, support.ActionEnter, support.ActionEnd} {
		require.Len(t, h.log.of(clinic, action), 1, action)
		require.Len(t, h.log.of(platform, action), 1, action)
		for _, e := range h.log.of(platform, action) {
			why, _ := e.Why.Reveal()
			require.Empty(t, why, "no words in the platform's log")
			require.NotContains(t, []audit.ActorID{adam, dana}, e.Actor.ID)
		}
	}
	why, _ := h.log.of(clinic, support.ActionRequest)[0].Why.Reveal()
	require.Equal(t, words, why)
	require.Equal(t, "operator", h.log.of(platform, support.ActionRequest)[0].Detail["by"])
	require.Equal(t, "tenant", h.log.of(platform, support.ActionApprove)[0].Detail["by"])
	require.Equal(t, dana, h.log.of(clinic, support.ActionEnd)[0].Actor.ID)
	require.Equal(t, "platform", h.log.of(clinic, support.ActionEnter)[0].Actor.Organization)

	var seen []support.Access
	for one, err := range h.desk.List(h.as(adam), "") {
		require.NoError(t, err)
		seen = append(seen, one)
	}
	require.Len(t, seen, 1)
	for one, err := range h.desk.Mine(h.op(noor), "") {
		require.NoError(t, err)
		require.Equal(t, seen[0], one)
	}
	for range h.desk.Mine(h.op(omar), "") {
		require.Fail(t, "somebody else's")
	}
}

// TestEndsByTheClock: what nobody closes closes itself, at once for who asks, and on record once somebody looks.
func TestEndsByTheClock(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.entered()
	h.pass(a.Length - 15*time.Minute)
	require.NoError(t, h.other.Tick(t.Context()))
	require.Contains(t, h.sent.kinds(a.ID), "ending operator")
	require.True(t, h.in(noor))
	h.pass(15*time.Minute - time.Microsecond)
	require.True(t, h.in(noor))
	h.pass(time.Microsecond)
	require.False(t, h.in(noor))
	require.Equal(t, support.Expired, h.stored(a).State)
	require.Empty(t, h.held())
	for range 3 {
		require.NoError(t, h.desk.Tick(t.Context()))
		require.NoError(t, h.other.Tick(t.Context()))
	}
	require.Len(t, h.log.of(clinic, support.ActionEnd), 1)
	for range h.store.Active(t.Context()) {
		require.Fail(t, "nothing is left to do")
	}

	h.pass(time.Hour)
	b := h.requested()
	h.pass(4 * time.Hour)
	require.NoError(t, h.desk.Tick(t.Context()))
	require.Equal(t, []string{"reminder tenant", "requested tenant"}, h.sent.kinds(b.ID))
	h.pass(20 * time.Hour)
	_, err := h.desk.Approve(h.as(adam), b.ID, b.Version, support.Answer{})
	require.ErrorIs(t, err, support.ErrState)
	require.Equal(t, support.Lapsed, h.stored(b).State)
}

// TestWhoMayNot is everybody who is turned away, with what they get.
func TestWhoMayNot(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	weak := func(a audit.Actor) audit.Actor { a.Assurance = audit.AAL1; return a }
	of := func(id audit.ActorID, tenant audit.Tenant) audit.Actor {
		return audit.Actor{ID: id, Kind: audit.KindStaff, Tenant: tenant, Assurance: audit.AAL2, Session: "s"}
	}
	change := func(a audit.Actor, f func(*audit.Actor)) audit.Actor { f(&a); return a }
	for name, c := range map[string]struct {
		who  audit.Actor
		want error
	}{
		"nobody":            {audit.Actor{}, support.ErrNoActor},
		"of the clinic":     {of(adam, clinic), support.ErrNoActor},
		"a visitor":         {of("support:platform/o-noor", platform), support.ErrNoActor},
		"a patient":         {change(of(noor, platform), func(a *audit.Actor) { a.Kind = audit.KindPatient }), support.ErrNoActor},
		"for somebody else": {change(of(noor, platform), func(a *audit.Actor) { a.OnBehalfOf = omar }), support.ErrNoActor},
		"with one factor":   {weak(of(noor, platform)), support.ErrAssurance},
	} {
		_, err := h.desk.Request(audit.WithActor(t.Context(), c.who), ask())
		require.ErrorIs(t, err, c.want, name)
	}
	h.crew.fire(omar)
	_, err := h.desk.Request(h.op(omar), ask())
	require.ErrorIs(t, err, support.ErrOperator)

	a := h.requested()
	for name, c := range map[string]struct {
		who  audit.Actor
		want error
	}{
		"nobody":             {audit.Actor{}, support.ErrNoActor},
		"the operator":       {of(noor, platform), support.ErrSelf},
		"a visitor":          {change(of("support:platform/o-omar", clinic), func(a *audit.Actor) { a.Organization = "platform" }), support.ErrSelf},
		"of the platform":    {change(of(adam, clinic), func(a *audit.Actor) { a.Organization = "platform" }), support.ErrSelf},
		"for somebody else":  {change(of(adam, clinic), func(a *audit.Actor) { a.OnBehalfOf = dana }), support.ErrSelf},
		"of another tenant":  {of(adam, "other-clinic"), support.ErrNotFound},
		"with one factor":    {weak(of(adam, clinic)), support.ErrAssurance},
		"without the rights": {of(dana, clinic), support.ErrRights},
		"a stranger":         {of("p-eve", clinic), support.ErrRights},
		"a patient":          {change(of(adam, clinic), func(a *audit.Actor) { a.Kind = audit.KindPatient }), support.ErrNoActor},
	} {
		_, err := h.desk.Approve(audit.WithActor(t.Context(), c.who), a.ID, a.Version, support.Answer{})
		require.ErrorIs(t, err, c.want, name)
	}
	for _, operator := range []audit.ActorID{noor, omar} { // the operator's own account there, and a colleague's
		h.crew.same = map[audit.ActorID]audit.ActorID{operator: adam}
		_, err = h.desk.Approve(h.as(adam), a.ID, a.Version, support.Answer{})
		require.ErrorIs(t, err, support.ErrSelf)
	}
	h.crew.same = nil
	h.proofs.owed = true
	_, err = h.desk.Approve(h.as(adam), a.ID, a.Version, support.Answer{})
	require.ErrorIs(t, err, support.ErrStepUp)
	h.proofs.owed = false
	_, err = h.desk.Approve(h.as(adam), a.ID, a.Version+1, support.Answer{})
	require.ErrorIs(t, err, support.ErrConflict)
	require.Equal(t, support.Requested, h.stored(a).State)
	require.Empty(t, h.held())
	require.NotEmpty(t, h.log.of(clinic, support.ActionApprove), "tries are on record")
	for _, e := range h.log.of(clinic, support.ActionApprove) {
		require.Equal(t, audit.Failure, e.Outcome)
	}

	_, err = h.desk.Withdraw(h.op(omar), clinic, a.ID)
	require.ErrorIs(t, err, support.ErrNotFound)
	_, err = h.desk.End(h.op(omar), clinic, a.ID, "")
	require.ErrorIs(t, err, support.ErrNotFound)
	_, err = h.desk.End(h.as(adam), "other-clinic", a.ID, "")
	require.ErrorIs(t, err, support.ErrNotFound)
	_, err = h.desk.End(h.as(adam), clinic, a.ID, "")
	require.ErrorIs(t, err, support.ErrState)
	_, err = h.desk.Get(h.op(omar), clinic, a.ID)
	require.ErrorIs(t, err, support.ErrNotFound)
	_, err = h.desk.Get(audit.WithActor(t.Context(), of(adam, "other-clinic")), clinic, a.ID)
	require.ErrorIs(t, err, support.ErrNotFound)
	_, err = h.desk.Standing(h.op(noor))
	require.ErrorIs(t, err, support.ErrSelf)
	for _, err := range h.desk.List(h.op(noor), "") {
		require.ErrorIs(t, err, support.ErrSelf)
	}
	for _, err := range h.desk.Mine(h.as(adam), "") {
		require.ErrorIs(t, err, support.ErrNoActor)
	}
}

// TestRequestsThatCannotBe names the field.
func TestRequestsThatCannotBe(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for field, change := range map[string]func(*support.Ask){
		"tenant":    func(a *support.Ask) { a.Tenant = platform },
		"role":      func(a *support.Ask) { a.Role = "admin" },
		"practices": func(a *support.Ask) { a.Practices = []rbac.PracticeID{"north"} },
		"locations": func(a *support.Ask) { a.Locations = []rbac.LocationID{"north"} },
		"queues":    func(a *support.Ask) { a.Queues = []rbac.QueueID{"north"} },
		"length":    func(a *support.Ask) { a.Length = 8*time.Hour + time.Second },
		"code":      func(a *support.Ask) { a.Code = "Because of Maria" },
		"ticket":    func(a *support.Ask) { a.Ticket = "for Maria" },
		"text":      func(a *support.Ask) { a.Text = "  " },
	} {
		request := ask()
		change(&request)
		_, err := h.desk.Request(h.op(noor), request)
		var bad *support.InputError
		require.ErrorAs(t, err, &bad, field)
		require.Equal(t, field, bad.Field)
		require.ErrorIs(t, err, support.ErrInput)
	}
	request := ask()
	request.Tenant = "nobody"
	_, err := h.desk.Request(h.op(noor), request)
	require.ErrorIs(t, err, support.ErrOperator, "a tenant that the platform does not know")

	for range 10 {
		a := h.requested()
		_, err := h.desk.Request(h.op(noor), ask())
		require.ErrorIs(t, err, support.ErrOpen)
		_, err = h.desk.Withdraw(h.op(noor), clinic, a.ID)
		require.NoError(t, err)
	}
	_, err = h.desk.Request(h.op(noor), ask())
	require.ErrorIs(t, err, support.ErrLimited)
	_, err = h.desk.Request(h.op(omar), ask())
	require.NoError(t, err)
	h.pass(24 * time.Hour)
	h.requested()
}

// TestRefusing: no is no.
func TestRefusing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.requested()
	_, err := h.desk.Refuse(h.op(noor), a.ID, a.Version, "")
	require.ErrorIs(t, err, support.ErrSelf)
	_, err = h.desk.Refuse(h.as(adam), a.ID, a.Version-1, "")
	require.ErrorIs(t, err, support.ErrConflict)
	b, err := h.desk.Refuse(h.as(adam), a.ID, a.Version, "Please call first.")
	require.NoError(t, err)
	require.Equal(t, support.Refused, b.State)
	require.Equal(t, "Please call first.", b.Words)
	_, err = h.desk.Approve(h.as(adam), a.ID, b.Version, support.Answer{})
	require.ErrorIs(t, err, support.ErrState)
	_, err = h.desk.Withdraw(h.op(noor), clinic, a.ID)
	require.ErrorIs(t, err, support.ErrState)
	require.Len(t, h.log.of(clinic, support.ActionRefuse), 1)
	require.Contains(t, h.sent.kinds(a.ID), "closed operator")
	require.Empty(t, h.held())
}

// TestNewRefuses what is missing, out of range, and roles that are more than support.
func TestNewRefuses(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for name, change := range map[string]func(*support.Parts, *support.Options){
		"Parts lacks Store":       func(p *support.Parts, _ *support.Options) { p.Store = nil },
		"Parts lacks Roles":       func(p *support.Parts, _ *support.Options) { p.Roles = nil },
		"Parts lacks Platform":    func(p *support.Parts, _ *support.Options) { p.Platform = "" },
		"Longest":                 func(_ *support.Parts, o *support.Options) { o.Longest = 13 * time.Hour },
		"Usual":                   func(_ *support.Parts, o *support.Options) { o.Longest, o.Usual = time.Hour, 2*time.Hour },
		"Wait":                    func(_ *support.Parts, o *support.Options) { o.Wait = 8 * 24 * time.Hour },
		"Fresh":                   func(_ *support.Parts, o *support.Options) { o.Fresh = time.Hour },
		"Every":                   func(_ *support.Parts, o *support.Options) { o.Every = -1 },
		"MaxRequests":             func(_ *support.Parts, o *support.Options) { o.MaxRequests = -1 },
		"Sealer keeps nothing":    func(p *support.Parts, _ *support.Options) { p.Sealer = audit.DropOpenings{} },
		"Sealer keeps":            func(p *support.Parts, _ *support.Options) { p.Sealer = &audit.DropOpenings{} },
		`no role "ghost"`:         func(p *support.Parts, _ *support.Options) { p.Roles = []rbac.RoleName{"ghost"} },
		"role admin takes a seat": func(p *support.Parts, _ *support.Options) { p.Roles = []rbac.RoleName{"admin"} },
	} {
		p, o := h.parts(), &support.Options{}
		change(&p, o)
		_, err := support.New(p, o)
		require.ErrorContains(t, err, name)
	}
	d, err := support.New(h.parts(), nil)
	require.NoError(t, err)
	require.ErrorIs(t, d.Health(t.Context()), support.ErrNotRunning)
}

// TestRolesThatAreMore than support roles are refused, each for one action.
func TestRolesThatAreMore(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	columns := rbac.Columns{ID: "id", Tenant: "tenant", Patient: "patient", Practice: "practice"}
	record := func(o ...rbac.Opt) rbac.Action[thing] { return rbac.Define[thing]("thing.do", columns, o...) }
	never := rbac.Define[thing]("thing.never", columns, rbac.Verb(audit.Read))
	for why, c := range map[string]struct {
		action rbac.Action[thing]
		scope  rbac.Scope
	}{
		"it deletes":                     {record(rbac.Verb(audit.Delete)), rbac.Tenant},
		"it exports":                     {record(rbac.Verb(audit.Read), rbac.InCategory(rbac.Exports)), rbac.Tenant},
		"it manages people":              {record(rbac.Verb(audit.Update), rbac.InCategory(rbac.Users)), rbac.Tenant},
		"psychotherapy":                  {record(rbac.Verb(audit.Read), rbac.InCategory(rbac.Psychotherapy)), rbac.Tenant},
		"it reveals":                     {record(rbac.Verb(audit.Read), rbac.PHI(), rbac.NeedReason(), rbac.Reveals(phiSSN)), rbac.Tenant},
		"a relation decides":             {record(rbac.Verb(audit.Read)), rbac.Own},
		"combination of scopes":          {record(rbac.Verb(audit.Read)), rbac.Or(rbac.Tenant, rbac.Practice)},
		"it changes health information":  {record(rbac.Verb(audit.Create), rbac.PHI()), rbac.Tenant},
		"changes health information":     {record(rbac.Verb(audit.Update), rbac.InCategory(rbac.Notes)), rbac.Tenant},
		"listed in Options.Never":        {never, rbac.Tenant},
		"support: role support, action ": {record(rbac.Verb(audit.Update), rbac.Destructive(), rbac.NeedReason()), rbac.Practice},
	} {
		rules := h.rules()
		rules.Relations.Own = rbac.NewMemoryRelation()
		rules.Actions = append(rules.Actions, c.action)
		rules.Roles[2].Allow = append(rules.Roles[2].Allow, rbac.In(c.scope, c.action).OptIn())
		p, err := rbac.Compile(rules)
		require.NoError(t, err, why)
		z, err := rbac.New(p, h.grants, h.log, nil)
		require.NoError(t, err)
		parts := h.parts()
		parts.Authorizer = z
		_, err = support.New(parts, &support.Options{Never: []rbac.AnyAction{never, nil}})
		require.ErrorContains(t, err, why)
	}
	rules := h.rules()
	rules.Roles[2].Allow = append(rules.Roles[2].Allow, rbac.In(rbac.Tenant, h.write))
	p, err := rbac.Compile(rules)
	require.NoError(t, err)
	z, err := rbac.New(p, h.grants, h.log, nil)
	require.NoError(t, err)
	parts := h.parts()
	parts.Authorizer = z
	_, err = support.New(parts, nil)
	require.Error(t, err)
	_, err = support.New(parts, &support.Options{InsecureWritesPHI: true})
	require.NoError(t, err)
}

// TestOperatorRoles reads the platform's grants each time.
func TestOperatorRoles(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	crew, err := support.NewOperatorRoles(h.grants, []rbac.RoleName{"support"}, &support.Options{Now: h.now})
	require.NoError(t, err)
	me := support.Account{Tenant: platform, ID: noor}
	may := func() bool {
		ok, err := crew.May(t.Context(), me, clinic)
		require.NoError(t, err)
		return ok
	}
	system := audit.WithActor(t.Context(), audit.System(platform, "setup"))
	require.False(t, may())
	_, err = h.z.Grant(system, rbac.Grant{Person: noor, Role: "admin"})
	require.NoError(t, err)
	require.False(t, may())
	_, err = h.z.Grant(system, rbac.Grant{Person: noor, Role: "support", Until: h.now().Add(time.Hour)})
	require.NoError(t, err)
	require.True(t, may())
	g, err := h.z.Grant(system, rbac.Grant{Person: noor, Role: rbac.Suspended})
	require.NoError(t, err)
	require.False(t, may())
	require.NoError(t, h.z.Revoke(system, noor, g.ID))
	require.True(t, may())
	h.pass(time.Hour)
	require.False(t, may())
	_, err = support.NewOperatorRoles(nil, nil, nil)
	require.Error(t, err)
	same, err := crew.Ours(t.Context(), me, me)
	require.NoError(t, err)
	require.False(t, same)
}

// An approval whose grant is not where Guard looks is no approval: it is ended, on record, and the grant is taken back.
func TestGrantsOfAnotherStore(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	d := h.server(func(p *support.Parts, _ *support.Options) { p.Grants = rbac.NewMemory() })
	a, err := d.Request(h.op(noor), ask())
	require.NoError(t, err)
	_, err = d.Approve(h.as(adam), a.ID, a.Version, support.Answer{})
	require.ErrorIs(t, err, support.ErrUnavailable)
	require.ErrorContains(t, err, "Parts.Grants")
	a = h.stored(a)
	require.Equal(t, support.Ended, a.State)
	require.Equal(t, support.NotGranted, a.Closing)
	require.Empty(t, h.held(), "taken back where it was made")
	require.Len(t, h.log.of(clinic, support.ActionEnd), 1)
	_, _, err = d.Enter(h.op(noor), clinic)
	require.ErrorIs(t, err, support.ErrClosed)
}
