package rbactest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/rbac"
)

type rule = conform.Rule[rbac.Store]

// rules is the contract of rbac.Store.
func rules() []rule {
	return []rule{
		{Name: "grants_round_trip", Clause: "Grants returns a grant as it was added.", Run: grantsRoundTrip},
		{Name: "list_round_trip", Clause: "List yields a grant as it was added.", Run: listRoundTrip},
		{Name: "grants_of_person", Clause: "Grants returns the grants of one person.", Run: grantsOfPerson},
		{Name: "grants_of_tenant", Clause: "Grants returns the grants of one tenant.", Run: grantsOfTenant},
		{Name: "grants_in_order", Clause: "Grants returns grants in order of ID.", Run: grantsInOrder},
		{Name: "grants_of_nobody", Clause: "Nobody there: an empty slice and no error.", Run: grantsOfNobody},
		{Name: "holders_of_roles", Clause: "Holders returns the grants to the roles that were asked for, as they were added.", Run: holdersOfRoles},
		{Name: "holders_of_tenant", Clause: "Holders returns the grants of one tenant.", Run: holdersOfTenant},
		{Name: "holders_in_order", Clause: "Holders returns grants in order of ID.", Run: holdersInOrder},
		{Name: "holders_after_a_change", Clause: "After Apply has returned, every Holders sees its effect; what was ended is not in it.", Run: holdersAfterAChange},
		{Name: "holders_of_nothing", Clause: "No roles, or nobody holds one: an empty slice and no error.", Run: holdersOfNothing},
		{Name: "ids_are_opaque", Clause: "Ids may hold separators: no two pairs of tenant and person are one.", Run: idsAreOpaque},
		{Name: "revoke_then_ask", Clause: "After Apply has returned, every Grants sees its effect.", Run: revokeThenAsk},
		{Name: "ended_kept", Clause: "List yields ended grants, with when and by whom.", Run: endedKept},
		{Name: "list_of_tenant", Clause: "List yields the grants of one tenant.", Run: listOfTenant},
		{Name: "list_in_order", Clause: "List yields grants in order of ID.", Run: listInOrder},
		{Name: "list_after", Clause: "List starts after the given ID.", Run: listAfter},
		{Name: "version_counts", Clause: "Version is 0 without a change and counts up by one with each, per tenant.", Run: versionCounts},
		{Name: "stale_version", Clause: "Apply with another version than the current: ErrConflict, nothing written.", Run: staleVersion},
		{Name: "one_wins", Clause: "Of two changes at once with the same version one wins.", Run: oneWins},
		{Name: "all_or_nothing", Clause: "A refused change writes nothing of itself.", Run: allOrNothing},
		{Name: "id_taken", Clause: "Adding a grant whose ID is taken: ErrGrantExists, the old one stays.", Run: idTaken},
		{Name: "id_taken_elsewhere", Clause: "Adding a grant whose ID another tenant's grant has: ErrGrantExists.", Run: idTakenElsewhere},
		{Name: "end_missing", Clause: "Ending a grant that is not there: ErrNoGrant.", Run: endMissing},
		{Name: "end_foreign", Clause: "Ending a grant of another tenant: ErrNoGrant, it stays.", Run: endForeign},
		{Name: "end_twice", Clause: "Ending a grant that was ended before: ErrNoGrant.", Run: endTwice},
		{Name: "copies", Clause: "Nothing that a caller holds is shared with the store.", Run: copies},
		{Name: "cancelled", Clause: "A cancelled context is an error, never an empty answer.", Run: cancelled},
	}
}

const (
	clinic = audit.Tenant("clinic")
	other  = audit.Tenant("other")
	ana    = audit.ActorID("ana")
	ben    = audit.ActorID("ben")
)

// start is when the grants of the rules begin.
func start() time.Time { return time.Date(2026, 3, 1, 9, 0, 0, 123456000, time.UTC) }

// grant returns a grant with every field that is not about its end.
func grant(id string, t audit.Tenant, person audit.ActorID) rbac.Grant {
	return rbac.Grant{
		ID: id, Tenant: t, Person: person, Role: "therapist",
		Practices: []rbac.PracticeID{"north", `so"uth,\{}`},
		Locations: []rbac.LocationID{"floor 2", `a"b`}, Queues: []rbac.QueueID{"intake"},
		From: start(), Until: start().Add(time.Hour),
		By: "admin", Why: "cover", Source: rbac.SourceInvite, Created: start().Add(-time.Minute),
	}
}

// apply changes a tenant's grants at their current version.
func apply(ctx context.Context, s rbac.Store, t audit.Tenant, c rbac.Change) error {
	v, err := s.Version(ctx, t)
	if err != nil {
		return err
	}
	return s.Apply(ctx, t, v, c)
}

// add adds grants, each to its tenant, one change each.
func add(ctx context.Context, s rbac.Store, grants ...rbac.Grant) error {
	for _, g := range grants {
		if err := apply(ctx, s, g.Tenant, rbac.Change{Add: []rbac.Grant{g}}); err != nil {
			return fmt.Errorf("adding a grant: %w", err)
		}
	}
	return nil
}

func end(ctx context.Context, s rbac.Store, t audit.Tenant, id string) error {
	return apply(ctx, s, t, rbac.Change{End: []rbac.Ending{{ID: id, At: start(), By: "admin"}}})
}

func list(ctx context.Context, s rbac.Store, t audit.Tenant, after string) (out []rbac.Grant, err error) {
	for g, err := range s.List(ctx, t, after) {
		if err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return out, nil
}

func ids(grants []rbac.Grant) []string {
	out := []string{}
	for _, g := range grants {
		out = append(out, g.ID)
	}
	return out
}

// same reports a difference between ids as a set.
func same(what string, grants []rbac.Grant, want ...string) error {
	got := slices.Sorted(slices.Values(ids(grants)))
	if !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		return fmt.Errorf("%s: got %v, want %v", what, got, want)
	}
	return nil
}

func grantsRoundTrip(ctx context.Context, s rbac.Store) error {
	want := grant("g1", clinic, ana)
	if err := add(ctx, s, want); err != nil {
		return err
	}
	got, err := s.Grants(ctx, clinic, ana)
	if err != nil || len(got) != 1 {
		return fmt.Errorf("got %d grants, error %v", len(got), err)
	}
	return equal(got[0], want)
}

// equal compares grants; an empty list is no list.
func equal(got, want rbac.Grant) error {
	if len(got.Practices)+len(got.Locations)+len(got.Queues) == 0 {
		got.Practices, got.Locations, got.Queues = nil, nil, nil
	}
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("got %+v, want %+v", got, want)
	}
	return nil
}

func listRoundTrip(ctx context.Context, s rbac.Store) error {
	want := grant("g1", clinic, ana)
	bare := rbac.Grant{ID: "g2", Tenant: clinic, Person: ana, Role: "desk", By: "admin", Created: start()}
	if err := add(ctx, s, want, bare); err != nil {
		return err
	}
	got, err := list(ctx, s, clinic, "")
	if err != nil || len(got) != 2 {
		return fmt.Errorf("got %d grants, error %v", len(got), err)
	}
	slices.SortFunc(got, func(a, b rbac.Grant) int { return len(b.Why) - len(a.Why) })
	return errors.Join(equal(got[0], want), equal(got[1], bare))
}

func grantsOfPerson(ctx context.Context, s rbac.Store) error {
	if err := add(ctx, s, grant("g1", clinic, ana), grant("g2", clinic, ben), grant("g3", clinic, ana)); err != nil {
		return err
	}
	got, err := s.Grants(ctx, clinic, ana)
	return errors.Join(err, same("ana's grants", got, "g1", "g3"))
}

func grantsOfTenant(ctx context.Context, s rbac.Store) error {
	if err := add(ctx, s, grant("g1", clinic, ana), grant("g2", other, ana)); err != nil {
		return err
	}
	got, err := s.Grants(ctx, clinic, ana)
	return errors.Join(err, same("ana's grants in one tenant", got, "g1"))
}

func grantsInOrder(ctx context.Context, s rbac.Store) error {
	if err := add(ctx, s, grant("g-2", clinic, ana), grant("g10", clinic, ana), grant("G3", clinic, ana), grant("g1", clinic, ana)); err != nil {
		return err
	}
	got, err := s.Grants(ctx, clinic, ana)
	if !slices.IsSorted(ids(got)) {
		return fmt.Errorf("out of order: %v", ids(got))
	}
	return err
}

func grantsOfNobody(ctx context.Context, s rbac.Store) error {
	got, err := s.Grants(ctx, clinic, "nobody")
	return errors.Join(err, same("nobody's grants", got))
}

func idsAreOpaque(ctx context.Context, s rbac.Store) error {
	pairs := []struct {
		tenant audit.Tenant
		person audit.ActorID
	}{{"a", "b/c"}, {"a/b", "c"}, {"x", "y:z"}, {"x:y", "z"}, {"p", "q\x1fr"}, {"p\x1fq", "r"}, {"m", "n|o"}, {"m|n", "o"}}
	for i, p := range pairs {
		if err := add(ctx, s, grant(fmt.Sprintf("g%d", i), p.tenant, p.person)); err != nil {
			return err
		}
	}
	for i, p := range pairs {
		got, err := s.Grants(ctx, p.tenant, p.person)
		if err := errors.Join(err, same("grants of one pair", got, fmt.Sprintf("g%d", i))); err != nil {
			return err
		}
	}
	return nil
}

func revokeThenAsk(ctx context.Context, s rbac.Store) error {
	if err := add(ctx, s, grant("g1", clinic, ana)); err != nil {
		return err
	}
	got, err := s.Grants(ctx, clinic, ana)
	if err := errors.Join(err, same("after granting", got, "g1")); err != nil {
		return err
	}
	if err := add(ctx, s, grant("g2", clinic, ana)); err != nil {
		return err
	}
	got, err = s.Grants(ctx, clinic, ana)
	if err := errors.Join(err, same("after granting more", got, "g1", "g2")); err != nil {
		return err
	}
	if err := end(ctx, s, clinic, "g1"); err != nil {
		return err
	}
	got, err = s.Grants(ctx, clinic, ana)
	return errors.Join(err, same("after revoking", got, "g2"))
}

func endedKept(ctx context.Context, s rbac.Store) error {
	want := grant("g1", clinic, ana)
	if err := add(ctx, s, want); err != nil {
		return err
	}
	want.Ended, want.EndedBy = start().Add(time.Minute), "boss"
	err := apply(ctx, s, clinic, rbac.Change{End: []rbac.Ending{{ID: "g1", At: want.Ended, By: "boss"}}})
	if err != nil {
		return err
	}
	_ = end(ctx, s, clinic, "g1") // whatever it answers, the first ending stays
	got, err := list(ctx, s, clinic, "")
	if err != nil || len(got) != 1 {
		return fmt.Errorf("got %d grants, error %v", len(got), err)
	}
	if got[0].ID != "g1" || !got[0].Ended.Equal(want.Ended) || got[0].EndedBy != "boss" {
		return fmt.Errorf("got %+v, want %+v", got[0], want)
	}
	return nil
}

func listOfTenant(ctx context.Context, s rbac.Store) error {
	if err := add(ctx, s, grant("g1", clinic, ana), grant("g2", other, ana)); err != nil {
		return err
	}
	got, err := list(ctx, s, clinic, "")
	return errors.Join(err, same("one tenant's grants", got, "g1"))
}

// many is more grants than a store may want to read at a time.
func many() []rbac.Grant {
	var out []rbac.Grant
	for i := range 450 {
		out = append(out, grant(fmt.Sprintf("g%03d", (i*7)%450), clinic, ana))
	}
	return out
}

func listInOrder(ctx context.Context, s rbac.Store) error {
	if err := apply(ctx, s, clinic, rbac.Change{Add: many()}); err != nil {
		return err
	}
	got, err := list(ctx, s, clinic, "")
	if !slices.IsSorted(ids(got)) || len(got) != 450 {
		return fmt.Errorf("%d grants, sorted: %v", len(got), slices.IsSorted(ids(got)))
	}
	return err
}

func listAfter(ctx context.Context, s rbac.Store) error {
	if err := add(ctx, s, grant("g1", clinic, ana), grant("g2", clinic, ben), grant("g3", clinic, ana)); err != nil {
		return err
	}
	got, err := list(ctx, s, clinic, "g1")
	if err := errors.Join(err, same("after g1", got, "g2", "g3")); err != nil {
		return err
	}
	got, err = list(ctx, s, clinic, "g3")
	return errors.Join(err, same("after the last", got))
}
