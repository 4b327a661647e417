package authn_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
)

// rolesAsSeats is an authn.Admission out of rbac's grants: an invitation is a grant that lapses, who
// becomes active keeps it, who is suspended has rbac.Suspended beside it, and who leaves has none.
type rolesAsSeats struct {
	access *rbac.Authorizer
	grants rbac.Store
}

// Reserve runs as the inviter, so that nobody invites into a role that they could not grant.
// SetUp calls it too: with audit.System in its context and Newcomer.Role set.
func (s rolesAsSeats) Reserve(ctx context.Context, t audit.Tenant, person audit.ActorID, role string, until time.Time) error {
	had, d, err := s.look(ctx, t, person)
	if err != nil {
		return err
	}
	if role == "" {
		role = string(had.Role)
	}
	d.Grant = append(d.Grant, rbac.Grant{Person: person, Role: rbac.RoleName(role), Until: until, Source: rbac.SourceInvite})
	return s.change(ctx, d)
}

// Hold comes from whoever opens the link, so it acts as the system does.
func (s rolesAsSeats) Hold(ctx context.Context, t audit.Tenant, person audit.ActorID) error {
	had, d, err := s.look(ctx, t, person)
	if err != nil {
		return err
	}
	if had.Role != "" && !had.Until.IsZero() { // a lapsed one is taken anew, if there is room
		d.Grant = append(d.Grant, rbac.Grant{Person: person, Role: had.Role, Source: rbac.SourceInvite})
	}
	return s.change(audit.WithActor(ctx, audit.System(t, "admission")), d)
}

func (s rolesAsSeats) Free(ctx context.Context, t audit.Tenant, person audit.ActorID, gone bool) error {
	all, err := s.grants.Grants(ctx, t, person)
	if err != nil {
		return err
	}
	d, suspended := rbac.Draft{}, false
	for _, g := range all {
		suspended = suspended || g.Role == rbac.Suspended
		if gone && g.Live(time.Now()) {
			d.Revoke = append(d.Revoke, rbac.Ref{Person: person, ID: g.ID})
		}
	}
	if !gone && !suspended {
		d.Grant = append(d.Grant, rbac.Grant{Person: person, Role: rbac.Suspended})
	}
	return s.change(audit.WithActor(ctx, audit.System(t, "admission")), d)
}

// look returns the grant that came with an invitation, the one that is kept before others, and a
// draft that ends what it replaces: a reservation, a suspension.
func (s rolesAsSeats) look(ctx context.Context, t audit.Tenant, person audit.ActorID) (had rbac.Grant, d rbac.Draft, err error) {
	all, err := s.grants.Grants(ctx, t, person)
	for _, g := range all {
		invited := g.Source == rbac.SourceInvite
		if invited && (had.Role == "" || !had.Until.IsZero()) {
			had = g
		}
		if g.Live(time.Now()) && (g.Role == rbac.Suspended || invited && !g.Until.IsZero()) {
			d.Revoke = append(d.Revoke, rbac.Ref{Person: person, ID: g.ID})
		}
	}
	return had, d, err
}

func (s rolesAsSeats) change(ctx context.Context, d rbac.Draft) error {
	if len(d.Grant)+len(d.Revoke) == 0 {
		return nil
	}
	_, err := s.access.Change(ctx, d)
	if errors.Is(err, rbac.ErrSeats) {
		return errors.Join(authn.ErrNoSeat, err)
	}
	return err
}

// The clinic has paid for two people. Whoever is invited takes a seat, whoever leaves gives it back.
func ExampleAdmission() {
	team := rbac.Define[rbac.InTenant]("team.manage", rbac.Columns{})
	policy, err := rbac.Compile(rbac.Rules{
		Actions: []rbac.AnyAction{team},
		Roles:   []rbac.Role{{Name: "admin", Label: "Clinic Admin", Rank: 100, Seat: true, Allow: []rbac.Allow{rbac.In(rbac.Tenant, team)}}},
	})
	if err != nil {
		log.Fatal(err)
	}
	grants := rbac.NewMemory()
	access, err := rbac.New(policy, grants, audit.Discard{}, &rbac.Options{Grants: rbac.GrantRules{Seats: rbac.SeatLimit(2)}})
	if err != nil {
		log.Fatal(err)
	}
	vault, err := phi.Open(context.Background(), "example", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil)
	if err != nil {
		log.Fatal(err)
	}
	people, err := authn.New(authn.Parts{
		Store: authn.NewMemory(), Vault: vault, Sessions: keeper{}, Factor: &phone{}, Recorder: audit.Discard{},
		Mailer: &post{}, BaseURL: "https://clinic.example.com",
	}, &authn.Options{Admission: rolesAsSeats{access, grants}, InsecureArgon2: &authn.Argon2{Memory: 8, Time: 1, Threads: 1}})
	if err != nil {
		log.Fatal(err)
	}

	setup := audit.WithActor(context.Background(), audit.System("clinic", "setup"))
	_, err = people.SetUp(setup, "clinic", authn.Newcomer{ID: "adam", Identifier: "adam@example.com", Role: "admin"})
	fmt.Println("adam", err)
	invite := func(id audit.ActorID) {
		_, err := people.Invite(setup, "clinic", authn.Newcomer{ID: id, Identifier: string(id) + "@example.com", Role: "admin"})
		fmt.Println(id, errors.Is(err, authn.ErrNoSeat), err == nil)
	}
	invite("ben")
	invite("cleo")
	fmt.Println(people.Remove(setup, "clinic", "ben", "was never coming"))
	invite("cleo")
	// Output:
	// adam <nil>
	// ben false true
	// cleo true false
	// <nil>
	// cleo false true
}
