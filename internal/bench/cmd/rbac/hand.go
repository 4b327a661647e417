package main

import (
	"context"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/bench/turns"
	"github.com/wardkit/wardkit/rbac"
)

// handUser is what somebody who writes the rules by hand keeps of a signed-in person.
type handUser struct {
	id        audit.ActorID
	tenant    audit.Tenant
	may       *[]bool // by action
	own       bool
	practices []rbac.PracticeID
}

// byHand answers the same questions from the same records and the same relation with a few
// comparisons: no reasons, no grants with a life, no assurance. What it costs is the machine's and
// the host's own.
func byHand(ctx context.Context, c *clinic) (*turns.Case, error) {
	care, rows := c.careMap(), make([]row, len(c.asked))
	may := map[string]*[]bool{}
	for _, role := range roles() {
		list := make([]bool, len(c.actions))
		for i, action := range c.actions {
			list[i] = c.granted[role+" "+action]
		}
		may[role] = &list
	}
	users := make([]handUser, len(c.users))
	for i, u := range c.users {
		users[i] = handUser{id: audit.ActorID(u.id), tenant: audit.Tenant(tenantName(u.tenant)), may: may[u.role], own: own(u.role)}
		for _, p := range u.practices {
			users[i].practices = append(users[i].practices, rbac.PracticeID(practiceName(p)))
		}
	}
	for i, q := range c.asked {
		rows[i] = c.row(q.patient)
	}
	return answering("by hand, without reasons", c.answers, func(i int) (bool, error) {
		q := &c.asked[i]
		u, r := &users[q.user], rows[i].RBAC()
		switch {
		case u.tenant != r.Tenant || !(*u.may)[q.action]:
			return false, nil
		case u.own:
			return care.Has(ctx, u.tenant, u.id, r.Patient, time.Time{})
		}
		return slices.Contains(u.practices, r.Practice), nil
	}, nil), nil
}
