package reviewtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/review"
)

func findingRules() []rule {
	return []rule{
		{Name: "finding_kept", Clause: "Finding returns what was committed, every field of it.", Run: findingKept},
		{Name: "finding_missing", Clause: "Finding of another tenant, or none: ErrNotFound.", Run: findingMissing},
		{Name: "list_order", Clause: "List yields the highest Mark first, at most Limit.", Run: listOrder},
		{Name: "list_below", Clause: "List yields what comes after Below only.", Run: listBelow},
		{Name: "list_states", Clause: "List yields findings of the states asked for.", Run: listStates},
		{Name: "list_rule", Clause: "List yields findings of the rule asked for.", Run: listRule},
		{Name: "list_actor", Clause: "List yields findings of the actor asked for.", Run: listActor},
		{Name: "list_of_tenant", Clause: "List yields findings of one tenant.", Run: listOfTenant},
		{Name: "update_kept", Clause: "Update replaces the finding, and what it is listed by.", Run: updateKept},
		{Name: "update_condition", Clause: "Update changes nothing where the finding has another version than the one before: ErrConflict.", Run: updateCondition},
		{Name: "update_missing", Clause: "Update of a finding that the tenant does not have: ErrConflict, and there is none then.", Run: updateMissing},
		{Name: "update_race", Clause: "Of several updates at once one succeeds.", Run: updateRace},
		{Name: "update_cancelled", Clause: "Update that was cancelled: an error.", Run: updateCancelled},
		{Name: "count", Clause: "Count returns how many findings of the tenant each state has.", Run: counted},
		{Name: "findings_cancelled", Clause: "Reading findings: cancelled is an error.", Run: findingsCancelled},
	}
}

// full is a finding in which nothing is empty.
func full() review.Finding {
	return review.Finding{
		ID: "8d1c2a90-aaaa-8000-8000-0000000000ff", Tenant: clinic, Version: 1, Rule: review.Woken, Index: 1 << 40, Actor: "u \xc3\xa9 'x", Kind: audit.KindAgent,
		For: "u-2", From: noon, To: noon.Add(time.Microsecond), Count: 3, Limit: 4, Window: time.Minute, Usual: 5, Days: 6, Times: 7,
		Events: []string{"e-2", "e-1"}, Left: 8, State: review.Closed, Assignee: "u-3", Verdict: review.Unclear, Incident: "i-1",
		Changed: noon.Add(time.Hour), Note: []byte("\x00sealed\xff"),
	}
}

func findingKept(ctx context.Context, s review.Store) error {
	if err := s.Commit(ctx, commit(clinic, 1, full())); err != nil {
		return err
	}
	got, err := s.Finding(ctx, clinic, full().ID)
	if err != nil {
		return err
	}
	return same("a finding", got, full())
}

func findingMissing(ctx context.Context, s review.Store) error {
	if err := s.Commit(ctx, commit(clinic, 1, finding(clinic, 61))); err != nil {
		return err
	}
	_, none := s.Finding(ctx, clinic, finding(clinic, 62).ID)
	_, foreign := s.Finding(ctx, other, finding(clinic, 61).ID)
	if !errors.Is(none, review.ErrNotFound) || !errors.Is(foreign, review.ErrNotFound) {
		return fmt.Errorf("a finding that is not there answers %w, another tenant's %w", none, foreign)
	}
	return nil
}

// lists compares what is listed.
func lists(ctx context.Context, s review.Store, what string, f review.Filter, want ...int64) error {
	got, err := list(ctx, s, f)
	if err != nil {
		return err
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("%s: %v, not %v", what, got, want)
	}
	return nil
}

func listOrder(ctx context.Context, s review.Store) error {
	twin := finding(clinic, 22)
	twin.ID, twin.Index = finding(clinic, 29).ID, 22
	err := s.Commit(ctx, commit(clinic, 1, finding(clinic, 22), finding(clinic, 100), twin, finding(clinic, 9)))
	if err != nil {
		return err
	}
	var ids []string
	for f, err := range s.List(ctx, review.Filter{Tenant: clinic, Limit: 3}) {
		if err != nil {
			return err
		}
		ids = append(ids, f.ID)
	}
	return same("the order", ids, []string{finding(clinic, 100).ID, twin.ID, finding(clinic, 22).ID})
}

func listBelow(ctx context.Context, s review.Store) error {
	twin := finding(clinic, 35)
	twin.ID, twin.Index = finding(clinic, 36).ID, 35
	if err := s.Commit(ctx, commit(clinic, 1, finding(clinic, 34), finding(clinic, 35), twin, finding(clinic, 36+1))); err != nil {
		return err
	}
	return errors.Join(
		lists(ctx, s, "below a finding", review.Filter{Tenant: clinic, Limit: 9, Below: review.Mark{Index: 37, ID: finding(clinic, 37).ID}}, 35, 35, 34),
		lists(ctx, s, "below a twin", review.Filter{Tenant: clinic, Limit: 9, Below: twin.Mark()}, 35, 34),
		lists(ctx, s, "below the last", review.Filter{Tenant: clinic, Limit: 9, Below: review.Mark{Index: 34, ID: finding(clinic, 34).ID}}))
}

func listStates(ctx context.Context, s review.Store) error {
	open, taken, done := finding(clinic, 41), finding(clinic, 42), finding(clinic, 43)
	taken.State, done.State = review.InReview, review.Explained
	if err := s.Commit(ctx, commit(clinic, 1, open, taken, done)); err != nil {
		return err
	}
	return errors.Join(
		lists(ctx, s, "two states", review.Filter{Tenant: clinic, Limit: 9, States: []review.State{review.Open, review.Explained}}, 43, 41),
		lists(ctx, s, "one state", review.Filter{Tenant: clinic, Limit: 9, States: []review.State{review.InReview}}, 42))
}

func listRule(ctx context.Context, s review.Store) error {
	night, refused := finding(clinic, 51), finding(clinic, 52)
	night.Rule, refused.Rule = review.OffHours, review.Denied
	if err := s.Commit(ctx, commit(clinic, 1, night, refused)); err != nil {
		return err
	}
	return lists(ctx, s, "one rule", review.Filter{Tenant: clinic, Limit: 9, Rule: review.OffHours}, 51)
}

func listActor(ctx context.Context, s review.Store) error {
	ours, theirs := finding(clinic, 71), finding(clinic, 72)
	ours.Actor, theirs.Actor = "u-71", "u-72"
	if err := s.Commit(ctx, commit(clinic, 1, ours, theirs)); err != nil {
		return err
	}
	return lists(ctx, s, "one actor", review.Filter{Tenant: clinic, Limit: 9, Actor: "u-71"}, 71)
}

func listOfTenant(ctx context.Context, s review.Store) error {
	if err := errors.Join(s.Commit(ctx, commit(clinic, 1, finding(clinic, 81))), s.Commit(ctx, commit(other, 1, finding(other, 82)))); err != nil {
		return err
	}
	return lists(ctx, s, "one tenant", review.Filter{Tenant: clinic, Limit: 9}, 81)
}

func updateKept(ctx context.Context, s review.Store) error {
	if err := s.Commit(ctx, commit(clinic, 1, finding(clinic, 11), finding(clinic, 12))); err != nil {
		return err
	}
	f := changed(finding(clinic, 11), 2)
	f.State, f.Note = review.Closed, []byte("sealed")
	if err := s.Update(ctx, f); err != nil {
		return err
	}
	got, err := s.Finding(ctx, clinic, f.ID)
	if err != nil {
		return err
	}
	return errors.Join(same("a finding after an update", got, f),
		lists(ctx, s, "closed ones", review.Filter{Tenant: clinic, Limit: 9, States: []review.State{review.Closed}}, 11),
		lists(ctx, s, "open ones", review.Filter{Tenant: clinic, Limit: 9, States: []review.State{review.Open}}, 12))
}

func updateCondition(ctx context.Context, s review.Store) error {
	if err := errors.Join(s.Commit(ctx, commit(clinic, 1, finding(clinic, 13))), s.Update(ctx, changed(finding(clinic, 13), 2))); err != nil {
		return err
	}
	for _, version := range []int64{1, 2, 4} {
		if err := conflicts("an update of a wrong version", s.Update(ctx, changed(finding(clinic, 13), version))); err != nil {
			return err
		}
	}
	got, err := s.Finding(ctx, clinic, finding(clinic, 13).ID)
	if err != nil {
		return err
	}
	return same("the finding", got, changed(finding(clinic, 13), 2))
}

func updateMissing(ctx context.Context, s review.Store) error {
	if err := s.Commit(ctx, commit(clinic, 1, finding(clinic, 14))); err != nil {
		return err
	}
	for _, f := range []review.Finding{changed(finding(clinic, 15), 1), changed(finding(clinic, 15), 2), changed(finding(other, 14), 2)} {
		if err := conflicts("an update of nothing", s.Update(ctx, f)); err != nil {
			return err
		}
		if _, err := s.Finding(ctx, f.Tenant, f.ID); !errors.Is(err, review.ErrNotFound) {
			return fmt.Errorf("an update made a finding: %w", err)
		}
	}
	return nil
}

func updateRace(ctx context.Context, s review.Store) error {
	if err := s.Commit(ctx, commit(clinic, 1, finding(clinic, 16))); err != nil {
		return err
	}
	for version := int64(2); version < 6; version++ {
		if err := raced(func() error { return s.Update(ctx, changed(finding(clinic, 16), version)) }); err != nil {
			return err
		}
	}
	return nil
}

func updateCancelled(ctx context.Context, s review.Store) error {
	if err := s.Commit(ctx, commit(clinic, 1, finding(clinic, 17))); err != nil {
		return err
	}
	if s.Update(gone(ctx), changed(finding(clinic, 17), 2)) == nil {
		return errors.New("an update that was cancelled succeeded")
	}
	return nil
}

func counted(ctx context.Context, s review.Store) error {
	open, second, done := finding(clinic, 1), finding(clinic, 2), finding(clinic, 3)
	done.State = review.Escalated
	if err := errors.Join(s.Commit(ctx, commit(clinic, 1, open, second, done)), s.Commit(ctx, commit(other, 1, finding(other, 4)))); err != nil {
		return err
	}
	n, err := s.Count(ctx, clinic)
	if err != nil {
		return err
	}
	for state, want := range map[review.State]int{review.Open: 2, review.Escalated: 1, review.Closed: 0} {
		if n[state] != want {
			return fmt.Errorf("%d findings are %s, not %d", n[state], state, want)
		}
	}
	return nil
}

func findingsCancelled(ctx context.Context, s review.Store) error {
	if _, err := s.Finding(gone(ctx), clinic, finding(clinic, 1).ID); err == nil || errors.Is(err, review.ErrNotFound) {
		return fmt.Errorf("a finding was looked for, which was cancelled: %w", err)
	}
	if _, err := list(gone(ctx), s, review.Filter{Tenant: clinic, Limit: 1}); err == nil {
		return errors.New("findings were listed, which was cancelled")
	}
	if _, err := s.Count(gone(ctx), clinic); err == nil {
		return errors.New("findings were counted, which was cancelled")
	}
	return nil
}
