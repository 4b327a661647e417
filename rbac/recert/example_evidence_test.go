package recert_test

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/recert"
)

// journal stands for the host's audit.Log.
type journal map[string]audit.Event

func (j journal) Record(ctx context.Context, events ...audit.Event) error {
	for _, e := range events {
		e, err := audit.Attribute(ctx, e)
		if err != nil {
			return err
		}
		e.Recorded = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
		j[e.ID] = e
	}
	return nil
}

// Who signed a review off hands out its evidence. An auditor checks the bundle without the database,
// and compares it with one event of the log.
func ExampleVerifyBundle() {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	slots := rbac.Define[rbac.InTenant]("slot.read", rbac.Columns{}, rbac.Verb(audit.Read))
	policy := must(rbac.Compile(rbac.Rules{Actions: []rbac.AnyAction{slots}, Roles: []rbac.Role{
		{Name: "officer", Label: "Privacy Officer", Rank: 60, Allow: []rbac.Allow{rbac.In(rbac.Tenant, slots)}},
		{Name: "desk", Label: "Front Desk", Rank: 10, Allow: []rbac.Allow{rbac.In(rbac.Tenant, slots)}},
	}}))
	store := rbac.NewMemory()
	z := must(rbac.New(policy, store, audit.Discard{}, &rbac.Options{Now: clock}))
	setup := audit.WithActor(context.Background(), audit.System("clinic", "setup"))
	must(z.Grant(setup, rbac.Grant{Person: "olga", Role: "officer"}))
	must(z.Grant(setup, rbac.Grant{Person: "ben", Role: "desk"}))

	log := journal{}
	grants := must(recert.NewGrants(z, store, &recert.GrantOptions{Now: clock}))
	reviews := must(recert.New(recert.Parts{
		Store: recert.NewMemory(), Recorder: log, Population: grants, Policy: grants.Policy,
		Effects: grants.Effects(), OnlyOne: nobody{}, Notices: printer{},
	}, &recert.Options{Now: clock}))
	olga := audit.WithActor(context.Background(), audit.Actor{
		ID: "olga", Kind: audit.KindStaff, Tenant: "clinic", Assurance: audit.AAL2, AuthTime: now,
	})
	c := must(reviews.Start(olga, recert.Spec{Name: "Front desk", Roles: []string{"desk"}, Owner: "olga"}))
	must(reviews.Decide(olga, c.ID, 1, recert.Verdict{Do: recert.Certify}))
	must(reviews.SignOff(olga, c.ID, "spring"))
	b := must(reviews.Evidence(olga, c.ID))

	v, err := recert.VerifyBundle(bytes.NewReader(b.JSON))
	fmt.Println(v.Campaign.Spec.Name, v.SignOff.By, err)
	fmt.Println("the log has its sign-off:", v.Anchored(log[v.Anchor()]) == nil)
	_, err = recert.VerifyBundle(bytes.NewReader(bytes.Replace(b.JSON, []byte("olga"), []byte("adam"), 1)))
	fmt.Println(err != nil)
	// Output:
	// Front desk olga <nil>
	// the log has its sign-off: true
	// true
}
