package main

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
)

// staff keeps the names and addresses of the team, sealed. Who may sign in is authn's
// business, what they may do is rbac's; this is what the pages call them.
type staff struct {
	db    *database
	vault *phi.Vault
}

// member is somebody of the team as the pages show them.
type member struct {
	ID          audit.ActorID
	Name, Email string
}

func at(field string, id audit.ActorID) phi.At {
	return phi.At{Tenant: tenant, Field: "staff." + field, Row: string(id)}
}

// put writes a member's name and address; writing them again replaces them.
func (s *staff) put(ctx context.Context, m member) error {
	name, err := s.vault.Seal(ctx, at("name", m.ID), []byte(m.Name))
	if err != nil {
		return err
	}
	email, err := s.vault.Seal(ctx, at("email", m.ID), []byte(m.Email))
	if err != nil {
		return err
	}
	_, err = s.db.pool.ExecContext(ctx, s.db.q(`INSERT INTO clinic_staff (tenant, id, name, email) VALUES (?, ?, ?, ?)
		ON CONFLICT (tenant, id) DO UPDATE SET name = excluded.name, email = excluded.email`),
		string(tenant), string(m.ID), name, email)
	return err
}

// all returns the team by id.
func (s *staff) all(ctx context.Context) (map[audit.ActorID]member, error) {
	rows, err := s.db.pool.QueryContext(ctx, s.db.q(`SELECT id, name, email FROM clinic_staff WHERE tenant = ?`), string(tenant))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	team := map[audit.ActorID]member{}
	for rows.Next() {
		var id string
		var name, email phi.Sealed
		if err := rows.Scan(&id, &name, &email); err != nil {
			return nil, err
		}
		m, err := s.unseal(ctx, audit.ActorID(id), name, email)
		if err != nil {
			return nil, err
		}
		team[m.ID] = m
	}
	return team, rows.Err()
}

// get returns one member, rbac.ErrNotFound if there is none.
func (s *staff) get(ctx context.Context, id audit.ActorID) (member, error) {
	team, err := s.all(ctx)
	if err != nil {
		return member{}, err
	}
	m, ok := team[id]
	if !ok {
		return member{}, rbac.ErrNotFound
	}
	return m, nil
}

func (s *staff) unseal(ctx context.Context, id audit.ActorID, name, email phi.Sealed) (member, error) {
	n, err := s.vault.Unseal(ctx, at("name", id), name)
	if err != nil {
		return member{}, err
	}
	e, err := s.vault.Unseal(ctx, at("email", id), email)
	return member{id, string(n), string(e)}, err
}

// byName returns the team sorted by name.
func byName(team map[audit.ActorID]member) []member {
	var all []member
	for _, m := range team {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b member) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// checkMember refuses names and addresses that cannot be right.
func checkMember(name, email string) error {
	parsed, err := mail.ParseAddress(email)
	if name == "" || len(name) > 120 || err != nil || parsed.Address != email {
		return fmt.Errorf("%w: a name and a valid e-mail address are needed", errInput)
	}
	return nil
}

// invite brings somebody into a role: the account with its seat, the mail, the name.
func (a *app) invite(ctx context.Context, name, email string, role rbac.RoleName) (authn.Person, error) {
	if err := checkMember(name, email); err != nil {
		return authn.Person{}, err
	}
	person, err := a.people.Invite(ctx, tenant, authn.Newcomer{Kind: audit.KindStaff, Identifier: email, Role: string(role)})
	if err != nil {
		return person, err
	}
	return person, a.staff.put(ctx, member{person.ID, name, email})
}

// firstAdminID is the account that -demo=false prepares.
const firstAdminID audit.ActorID = "first-administrator"

// firstAdmin returns a link that sets up the first administrator, or authn.ErrSetUpDone.
func (a *app) firstAdmin(ctx context.Context) (authn.Secret, error) {
	return a.people.SetUp(ctx, tenant, authn.Newcomer{ID: firstAdminID, Kind: audit.KindStaff, Role: string(roleAdmin)})
}

// statusOf is the HTTP status of an error of the clinic or of authn.
func statusOf(err error) int {
	if errors.Is(err, errInput) {
		return 422
	}
	return authn.Status(err)
}
