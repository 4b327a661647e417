package main

import (
	"context"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/examples/seats"
	"github.com/wardkit/wardkit/rbac"
)

// admission has roles and seats follow accounts: an invitation reserves them, who comes in keeps
// them, who is suspended or leaves frees them.
type admission struct{ seats.Seats }

// Reserve leaves a role as it is that was given before invitations reserved any.
func (s admission) Reserve(ctx context.Context, t audit.Tenant, person audit.ActorID, role string, until time.Time) error {
	if role == "" {
		had, err := s.Grants.Grants(ctx, t, person)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(had, func(g rbac.Grant) bool { return g.Source == rbac.SourceInvite }) {
			return nil
		}
	}
	return s.Seats.Reserve(ctx, t, person, role, until)
}
