package main

import (
	"context"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/bench/turns"
	"github.com/wardkit/wardkit/rbac"
)

// hand answers the same questions from the same records and the same relation with a few
// comparisons: no reasons, no grants with a life, no assurance. What it costs is the machine's and
// the host's own.
type hand struct {
	*clinic
	may map[string]*[]bool // by role
}

// handUser is what somebody who writes the rules by hand keeps of a signed-in person.
type handUser struct {
	id        audit.ActorID
	tenant    audit.Tenant
	may       *[]bool // by action
	own       bool
	practices []rbac.PracticeID
}

func (c *clinic) hand() hand {
	h := hand{c, map[string]*[]bool{}}
	for _, role := range roles() {
		list := make([]bool, len(c.actions))
		for i, action := range c.actions {
			list[i] = c.granted[role+" "+action]
		}
		h.may[role] = &list
	}
	return h
}

func (h hand) user(i int) handUser {
	u := h.users[i]
	out := handUser{id: audit.ActorID(u.id), tenant: audit.Tenant(tenantName(u.tenant)), may: h.may[u.role], own: own(u.role)}
	for _, p := range u.practices {
		out.practices = append(out.practices, rbac.PracticeID(practiceName(p)))
	}
	return out
}

// allows decides.
func (h hand) allows(ctx context.Context, u *handUser, action int, r row) (bool, error) {
	a := r.RBAC()
	switch {
	case u.tenant != a.Tenant || !(*u.may)[action]:
		return false, nil
	case u.own:
		return h.inCare.Has(ctx, u.tenant, u.id, a.Patient, time.Time{})
	}
	return slices.Contains(u.practices, a.Practice), nil
}

const handName = "by hand, without reasons"

// byHand answers in requests.
func byHand(ctx context.Context, c *clinic) (*turns.Case, error) {
	h := c.hand()
	var u *handUser
	var rows page
	var actions [inRow]int
	ready := func(first int) error {
		who := h.user(c.asked[first].user)
		u, rows = &who, c.page(first)
		for i := range actions {
			actions[i] = c.asked[first+i].action
		}
		return nil
	}
	return visited(handName, c.answers, ready, func(i int) (bool, error) {
		return h.allows(ctx, u, actions[i], rows[i])
	}), nil
}

// byHandCold answers questions each of which is about somebody else.
func byHandCold(ctx context.Context, c *clinic) (*turns.Case, error) {
	h, users, rows := c.hand(), make([]handUser, len(c.users)), c.rows()
	for i := range users {
		users[i] = h.user(i)
	}
	return answering(handName, c.answers, func(i int) (bool, error) {
		return h.allows(ctx, &users[c.asked[i].user], c.asked[i].action, rows[i])
	}, nil), nil
}
