package rbac_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// ruledHouse is newChartHouse with rules for grants.
func ruledHouse(rules rbac.GrantRules) (rbac.Action[Chart], *rbac.Authorizer, context.Context) {
	read, _, _, plain := newChartHouse()
	z := must(rbac.New(plain.Policy(), rbac.NewMemory(), audit.Discard{}, &rbac.Options{Grants: rules}))
	setup := audit.WithActor(context.Background(), audit.System("clinic", "setup"))
	must(z.Grant(setup, rbac.Grant{Person: "adam", Role: "admin"}))
	return read, z, signedIn("adam")
}

// A new job is one change: the old role goes and the new one comes, or neither.
func ExampleAuthorizer_Change() {
	_, z, admin := ruledHouse(rbac.GrantRules{})
	old := must(z.Grant(admin, rbac.Grant{Person: "ben", Role: "therapist", Why: "new_hire"}))
	_, err := z.Change(rbac.WithReason(admin, "takes over from Alma"), rbac.Draft{
		Grant:  []rbac.Grant{{Person: "ben", Role: "admin", Why: "promotion"}},
		Revoke: []rbac.Ref{{Person: "ben", ID: old.ID}},
	})
	fmt.Println(err)
	fmt.Println(must(z.Label(signedIn("ben"))))
	// Output:
	// <nil>
	// Clinic Admin
}

// Seats count people, whatever they hold, and separation of duties is checked on write.
func ExampleGrantRules() {
	_, z, admin := ruledHouse(rbac.GrantRules{
		Seats:     rbac.SeatLimit(2),
		Exclusive: []rbac.Exclusive{{Name: "who_treats_grants_nothing", One: []rbac.RoleName{"therapist"}, Other: []rbac.RoleName{"admin"}}},
	})
	_, err := z.Grant(admin, rbac.Grant{Person: "ben", Role: "therapist", Source: rbac.SourceInvite})
	fmt.Println(must(z.Seats(admin)), err)
	_, err = z.Grant(admin, rbac.Grant{Person: "cleo", Role: "therapist"})
	fmt.Println(errors.Is(err, rbac.ErrSeats), err)
	_, err = z.Grant(admin, rbac.Grant{Person: "ben", Role: "admin"})
	fmt.Println(errors.Is(err, rbac.ErrExclusive), err)
	// Output:
	// {2 2 true} <nil>
	// true rbac: change of grants refused: no seat is left
	// true rbac: change of grants refused: roles that nobody holds together: rule who_treats_grants_nothing
}

// Why may ana read this chart, and not that one?
func ExampleExplain() {
	read, _, _, z := newChartHouse()
	for _, id := range []string{"c1", "c2"} {
		x := must(rbac.Explain(signedIn("adam"), z, audit.Actor{ID: "ana", Kind: audit.KindStaff}, read, Chart{ID: id, Tenant: "clinic"}))
		fmt.Println(id, x.Allowed, x.Code, x.Role, x.Scope, x.Duties, x.Exceptions)
		for _, c := range x.Clauses {
			fmt.Println("  ", c.Role, c.Scope, c.Verdict)
		}
	}
	// Output:
	// c1 true allowed therapist own [phi] []
	//    therapist own allows
	// c2 false out_of_scope   [phi] [45 CFR 171.202]
	//    therapist own out_of_scope
}

// What would it change, before it is saved?
func ExampleAuthorizer_Suppose() {
	_, _, _, z := newChartHouse()
	admin := signedIn("adam")
	then := must(z.Suppose(admin, rbac.Supposition{Draft: &rbac.Draft{Grant: []rbac.Grant{{Person: "ana", Role: "admin"}}}}))
	for _, e := range must(then.Effects(admin, signedInAs("ana"))) {
		fmt.Println(e.Person, e.Effect, e.Action, e.After)
	}
	// Output:
	// ana gains team.manage [tenant]
}

// One call for a page: what it shows and what it leaves out.
func ExampleMayAnywhere() {
	_, reveal, team, z := newChartHouse()
	ana := signedIn("ana")
	chart := must(rbac.May(ana, z, Chart{ID: "c1", Tenant: "clinic"}))
	menu := must(rbac.MayAnywhere(ana, z))
	fmt.Println(chart.Has("chart.read"), chart.Allows(reveal), menu.Allows(team))
	// Output:
	// true true false
}
