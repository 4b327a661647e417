package recert_test

import (
	"context"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/recert"
)

// must keeps the example short.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// printer prints notices.
type printer struct{}

func (printer) Notify(_ context.Context, n recert.Notice) error {
	fmt.Println("to", n.To+":", n.What, n.Open)
	return nil
}

// nobody cannot be missed.
type nobody struct{}

func (nobody) OnlyOne(context.Context, audit.Tenant, recert.Access) (bool, error) { return false, nil }

// A practice reviews who may do what: one access is revoked, one is certified, and one that nobody
// looked at is suspended when it is due.
func Example() {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	team := rbac.Define[rbac.InTenant]("team.manage", rbac.Columns{}, rbac.InCategory(rbac.Users))
	slots := rbac.Define[rbac.InTenant]("slot.read", rbac.Columns{}, rbac.Verb(audit.Read))
	policy := must(rbac.Compile(rbac.Rules{
		Actions: []rbac.AnyAction{team, slots},
		Roles: []rbac.Role{
			{Name: "admin", Label: "Clinic Admin", Rank: 100, Allow: []rbac.Allow{rbac.In(rbac.Tenant, team)}},
			{Name: "officer", Label: "Privacy Officer", Rank: 60, Allow: []rbac.Allow{rbac.In(rbac.Tenant, slots)}},
			{Name: "desk", Label: "Front Desk", Rank: 10, Allow: []rbac.Allow{rbac.In(rbac.Tenant, slots)}},
		},
	}))
	store := rbac.NewMemory()
	z := must(rbac.New(policy, store, audit.Discard{}, &rbac.Options{Now: clock}))
	setup := audit.WithActor(context.Background(), audit.System("clinic", "setup"))
	must(z.Grant(setup, rbac.Grant{Person: "olga", Role: "officer"}))
	must(z.Grant(setup, rbac.Grant{Person: "ada", Role: "admin"}))
	must(z.Grant(setup, rbac.Grant{Person: "ben", Role: "desk"}))
	must(z.Grant(setup, rbac.Grant{Person: "cleo", Role: "desk"}))

	grants := must(recert.NewGrants(z, store, &recert.GrantOptions{Now: clock}))
	reviews := must(recert.New(recert.Parts{
		Store: recert.NewMemory(), Recorder: audit.Discard{}, Population: grants, Policy: grants.Policy,
		Effects: grants.Effects(), OnlyOne: nobody{}, Notices: printer{},
	}, &recert.Options{Now: clock}))

	olga := audit.WithActor(context.Background(), audit.Actor{
		ID: "olga", Kind: audit.KindStaff, Tenant: "clinic", Assurance: audit.AAL2, AuthTime: now,
	})
	c := must(reviews.Start(olga, recert.Spec{Name: "Spring review", Roles: []string{"admin", "desk"}, Owner: "olga", Every: 6}))
	fmt.Println(c.Snapshot.Count, "items until", c.Due.Format(time.DateOnly), "and again on", c.Next.Format(time.DateOnly))
	for i, err := range reviews.Items(olga, c.ID, recert.ItemFilter{}) {
		fmt.Println(i.Seq, i.Access.Subject, i.Access.Role, i.Risk, i.Reviewer, err)
	}

	_, err := reviews.Decide(olga, c.ID, 1, recert.Verdict{Do: recert.Certify})
	fmt.Println(err)
	must(reviews.Decide(olga, c.ID, 1, recert.Verdict{Do: recert.Certify, Why: "runs the practice"}))
	i := must(reviews.Decide(olga, c.ID, 2, recert.Verdict{Do: recert.RevokeIt}))
	fmt.Println(i.Outcome, "and denied:", i.Effects[0].Denied)

	now = c.Due
	report := must(reviews.Tick(context.Background(), now))
	fmt.Println(report.Effects[0].Do, report.Effects[0].Seq)
	// Output:
	// 3 items until 2026-04-01 and again on 2026-09-02
	// 1 ada admin admin olga <nil>
	// 2 ben desk other olga <nil>
	// 3 cleo desk other olga <nil>
	// recert: decision refused: it has to be justified in words, of at least 8 letters and digits
	// revoked and denied: true
	// to olga: assigned 1
	// to olga: overdue 1
	// to olga: suspended 1
	// suspend 3
}
