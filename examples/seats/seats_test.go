package seats_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/examples/seats"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
)

// keeper and phone stand in for session.Manager and mfa.Factors.
type (
	keeper struct{}
	phone  struct{}
)

func (keeper) Start(context.Context, audit.Actor) (string, error) { return "a session token", nil }
func (keeper) End(context.Context, string, string) error          { return nil }
func (keeper) EndAll(context.Context, audit.Tenant, audit.ActorID, string) error {
	return nil
}

func (phone) Enrolled(context.Context, audit.Tenant, audit.ActorID) (bool, error) { return false, nil }

func (phone) TakesCodes(context.Context, audit.Tenant, audit.ActorID) (bool, error) {
	return false, nil
}

func (phone) Verify(context.Context, audit.Tenant, audit.ActorID, string) ([]string, error) {
	return nil, nil
}

func (phone) Begin(context.Context, audit.Tenant, audit.ActorID, string) (string, string, error) {
	return "", "", nil
}

func (phone) Confirm(context.Context, audit.Tenant, audit.ActorID, string) (bool, error) {
	return false, nil
}

// The clinic has paid for two people. Whoever is invited takes a seat, whoever leaves gives it back.
func Example() {
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
		Store: authn.NewMemory(), Vault: vault, Sessions: keeper{}, Factor: phone{}, Recorder: audit.Discard{},
		Mailer: authn.MailerFunc(func(context.Context, authn.Notice) error { return nil }), BaseURL: "https://clinic.example.com",
	}, &authn.Options{Admission: seats.Seats{Access: access, Grants: grants}, InsecureArgon2: &authn.Argon2{Memory: 8, Time: 1, Threads: 1}})
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

// A role that nobody knows, and one that is not the inviter's to give, are answers with a status of
// their own.
func TestRolesThatCannotBeGiven(t *testing.T) {
	t.Parallel()
	team := rbac.Define[rbac.InTenant]("team.manage", rbac.Columns{})
	policy, err := rbac.Compile(rbac.Rules{
		Actions: []rbac.AnyAction{team},
		Roles: []rbac.Role{
			{Name: "admin", Label: "Clinic Admin", Rank: 100, Allow: []rbac.Allow{rbac.In(rbac.Tenant, team)}},
			{Name: "clerk", Label: "Clerk", Rank: 10, Allow: []rbac.Allow{rbac.In(rbac.Tenant, team)}},
		},
	})
	require.NoError(t, err)
	grants := rbac.NewMemory()
	access, err := rbac.New(policy, grants, audit.Discard{}, nil)
	require.NoError(t, err)
	s := seats.Seats{Access: access, Grants: grants}
	until := time.Now().Add(time.Hour)
	setup := audit.WithActor(t.Context(), audit.System("clinic", "setup"))
	require.NoError(t, s.Reserve(setup, "clinic", "cleo", "clerk", until))
	require.NoError(t, s.Hold(t.Context(), "clinic", "cleo"))

	err = s.Reserve(setup, "clinic", "ben", "amdin", until)
	require.ErrorIs(t, err, authn.ErrRole)
	require.Equal(t, 422, authn.Status(err))
	cleo := audit.WithActor(t.Context(), audit.Actor{ID: "cleo", Kind: audit.KindStaff, Tenant: "clinic"})
	err = s.Reserve(cleo, "clinic", "ben", "admin", until)
	require.ErrorIs(t, err, authn.ErrRoleDenied)
	require.Equal(t, 403, authn.Status(err))
	has, err := grants.Grants(t.Context(), "clinic", "ben")
	require.NoError(t, err)
	require.Empty(t, has)
}
