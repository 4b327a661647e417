// Package seats makes an authn.Admission out of rbac's grants, for copying: whoever is invited takes
// a seat and a role, and both go with whoever leaves.
package seats

import (
	"context"
	"errors"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/rbac"
)

// Seats is an authn.Admission out of rbac's grants: an invitation is a grant that lapses, who
// becomes active keeps it, who is suspended has rbac.Suspended beside it, and who leaves has none.
type Seats struct {
	Access *rbac.Authorizer
	Grants rbac.Store
}

// Reserve runs as the inviter, so that nobody invites into a role that they could not grant.
// SetUp calls it too: with audit.System in its context and Newcomer.Role set.
func (s Seats) Reserve(ctx context.Context, t audit.Tenant, person audit.ActorID, role string, until time.Time) error {
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
func (s Seats) Hold(ctx context.Context, t audit.Tenant, person audit.ActorID) error {
	had, d, err := s.look(ctx, t, person)
	if err != nil {
		return err
	}
	if had.Role != "" && !had.Until.IsZero() { // a lapsed one is taken anew, if there is room
		d.Grant = append(d.Grant, rbac.Grant{Person: person, Role: had.Role, Source: rbac.SourceInvite})
	}
	return s.change(audit.WithActor(ctx, audit.System(t, "admission")), d)
}

// Free runs when the change of the account is durable, again until it succeeds.
func (s Seats) Free(ctx context.Context, t audit.Tenant, person audit.ActorID, gone bool) error {
	all, err := s.Grants.Grants(ctx, t, person)
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
func (s Seats) look(ctx context.Context, t audit.Tenant, person audit.ActorID) (had rbac.Grant, d rbac.Draft, err error) {
	all, err := s.Grants.Grants(ctx, t, person)
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

func (s Seats) change(ctx context.Context, d rbac.Draft) error {
	if len(d.Grant)+len(d.Revoke) == 0 {
		return nil
	}
	_, err := s.Access.Change(ctx, d)
	refusal := (*rbac.Refusal)(nil)
	switch {
	case errors.Is(err, rbac.ErrSeats):
		return errors.Join(authn.ErrNoSeat, err)
	case errors.Is(err, rbac.ErrBadGrant):
		return errors.Join(authn.ErrRole, err)
	case errors.Is(err, rbac.ErrDenied), errors.As(err, &refusal):
		return errors.Join(authn.ErrRoleDenied, err)
	}
	return err
}
