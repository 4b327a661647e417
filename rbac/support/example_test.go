package support_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/support"
)

// An operator asks a clinic for access, is let in for an hour, and is put out again.
func Example() {
	now := time.Date(2026, 3, 2, 14, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	readSettings := rbac.Define[rbac.InTenant]("settings.read", rbac.Columns{}, rbac.Verb(audit.Read), rbac.InCategory(rbac.Settings))
	manageTeam := rbac.Define[rbac.InTenant]("team.manage", rbac.Columns{}, rbac.InCategory(rbac.Users))
	askTenants := rbac.Define[rbac.InTenant]("platform.use", rbac.Columns{}, rbac.Verb(audit.Execute))
	policy, err := rbac.Compile(rbac.Rules{
		Actions: []rbac.AnyAction{readSettings, manageTeam, askTenants},
		Roles: []rbac.Role{
			{Name: "admin", Label: "Admin", Rank: 100, Allow: []rbac.Allow{rbac.In(rbac.Tenant, readSettings, manageTeam)}},
			{Name: "operator", Label: "Operator of the platform", Rank: 10, Allow: []rbac.Allow{rbac.In(rbac.Tenant, askTenants)}},
			{Name: "support", Label: "Support in a tenant", Rank: 15, Allow: []rbac.Allow{rbac.In(rbac.Tenant, readSettings)}},
		},
	})
	if err != nil {
		panic(err)
	}
	grants := rbac.NewMemory()
	z, err := rbac.New(policy, grants, audit.Discard{}, &rbac.Options{Now: clock})
	if err != nil {
		panic(err)
	}
	grant := func(t audit.Tenant, person audit.ActorID, role rbac.RoleName) {
		if _, err := z.Grant(audit.WithActor(context.Background(), audit.System(t, "setup")), rbac.Grant{Person: person, Role: role}); err != nil {
			panic(err)
		}
	}
	grant("clinic", "p-1", "admin")
	grant("platform", "o-1", "operator") // which opens nothing anywhere but at the platform
	// Every tenant is a customer to NewOperatorRoles: a host with a list of them refuses a misspelt one.
	operators, err := support.NewOperatorRoles(grants, []rbac.RoleName{"operator"}, &support.Options{Now: clock})
	if err != nil {
		panic(err)
	}
	desk, err := support.New(support.Parts{
		Store: support.NewMemory(), Grants: grants, Authorizer: z, Recorder: audit.Discard{}, Sealer: demoSealer{}, StepUps: fresh{},
		Operators: operators, Notices: printer{}, Platform: "platform", Roles: []rbac.RoleName{"support"},
	}, &support.Options{Now: clock})
	if err != nil {
		panic(err)
	}
	operator := audit.WithActor(context.Background(), audit.Actor{ID: "o-1", Kind: audit.KindStaff, Tenant: "platform", Assurance: audit.AAL2, Session: "s-1"})
	admin := audit.WithActor(context.Background(), audit.Actor{ID: "p-1", Kind: audit.KindStaff, Tenant: "clinic", Assurance: audit.AAL2, Session: "s-2"})

	a, err := desk.Request(operator, support.Ask{Tenant: "clinic", Role: "support", Code: "ticket", Text: "Mails of the clinic bounce.", Ticket: "T-4711"})
	if err != nil {
		panic(err)
	}
	if a, err = desk.Approve(admin, a.ID, a.Version, support.Answer{Length: time.Hour}); err != nil {
		panic(err)
	}
	visitor, _, err := desk.Enter(operator, "clinic")
	if err != nil {
		panic(err)
	}
	d, err := rbac.Check(audit.WithActor(context.Background(), visitor), z, readSettings, rbac.InTenant{Tenant: "clinic"})
	fmt.Println(visitor.ID, "of", visitor.Organization, "until", a.Until.Format(time.TimeOnly), d.Allowed, err)

	if _, err = desk.End(admin, "clinic", a.ID, ""); err != nil {
		panic(err)
	}
	_, _, err = desk.Guard(operator, "clinic")
	fmt.Println(errors.Is(err, support.ErrClosed))

	// Output:
	// to the tenant: requested
	// to the tenant: approved
	// to the operator: approved
	// to the tenant: entered
	// support:platform/o-1 of platform until 15:00:00 true <nil>
	// to the tenant: closed
	// to the operator: closed
	// true
}

// demoSealer stands in for phi.NewSealer.
type demoSealer struct{}

func (demoSealer) Seal(_ context.Context, _ audit.Tenant, _ string, plain []byte) ([]byte, error) {
	return append([]byte(rand.Text()[:8]), plain...), nil
}

func (demoSealer) Unseal(_ context.Context, _ audit.Tenant, _ string, sealed []byte) ([]byte, error) {
	return sealed[8:], nil
}

// fresh stands in for a session.Manager.
type fresh struct{}

func (fresh) StepUp(context.Context, audit.Action, audit.Object, time.Duration) (bool, error) {
	return false, nil
}

type printer struct{}

func (printer) Tell(_ context.Context, n support.Notice) error {
	fmt.Printf("to the %s: %s\n", n.To, n.Kind)
	return nil
}
