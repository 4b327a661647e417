package reviewtest

import (
	"context"
	"errors"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/review"
)

func tailRules() []rule {
	return []rule{
		{Name: "place_empty", Clause: "Place returns the zero Place where nothing was committed.", Run: placeEmpty},
		{Name: "place_kept", Clause: "Place returns what was committed last for the tenant, every field of it.", Run: placeKept},
		{Name: "actors_kept", Clause: "Actors returns what is remembered of the actors asked for, and leaves out who is not there.", Run: actorsKept},
		{Name: "actors_replaced", Clause: "Commit replaces what was remembered of an actor and leaves the others.", Run: actorsReplaced},
		{Name: "actors_of_tenant", Clause: "Actors of one tenant are not those of another.", Run: actorsOfTenant},
		{Name: "commit_condition", Clause: "Commit stores nothing where the place has another version than the one before: ErrConflict.", Run: commitCondition},
		{Name: "commit_new_finding", Clause: "Commit stores nothing where a finding of Version 1 is there already: ErrConflict.", Run: commitNewFinding},
		{Name: "commit_old_finding", Clause: "Commit stores nothing where a finding is not there, or has another version than the one before: ErrConflict.", Run: commitOldFinding},
		{Name: "commit_race", Clause: "Of several commits of one version at once one succeeds and the others answer ErrConflict.", Run: commitRace},
		{Name: "commit_cancelled", Clause: "Cancelled: an error, and nothing is there.", Run: commitCancelled},
		{Name: "copies", Clause: "What the caller does to its bytes after Commit changes nothing.", Run: copies},
		{Name: "tail_cancelled", Clause: "Reading the place or actors: cancelled is an error.", Run: tailCancelled},
	}
}

func placeEmpty(ctx context.Context, s review.Store) error {
	p, err := s.Place(ctx, "nobody")
	if err != nil {
		return err
	}
	return same("an empty store's place", p, review.Place{})
}

func placeKept(ctx context.Context, s review.Store) error {
	first, second := commit(clinic, 1), commit(clinic, 2)
	second.Place.Data = []byte("a\x00b\xff")
	if err := errors.Join(s.Commit(ctx, first), s.Commit(ctx, commit(other, 1)), s.Commit(ctx, second)); err != nil {
		return err
	}
	p, err := s.Place(ctx, clinic)
	if err != nil {
		return err
	}
	return errors.Join(same("the place", p, second.Place), place(ctx, s, other, 1, 10))
}

func actorsKept(ctx context.Context, s review.Store) error {
	c := commit(clinic, 1)
	c.Actors = []review.Actor{{ID: "u-1", Data: []byte("one\x00")}, {ID: "~others", Data: []byte("two")}, {ID: "u-3", Data: []byte("three")}}
	if err := s.Commit(ctx, c); err != nil {
		return err
	}
	got, err := memory(ctx, s, clinic, "u-3", "~others", "u-1", "u-4")
	if err != nil {
		return err
	}
	some, err := memory(ctx, s, clinic, "u-3")
	if err != nil {
		return err
	}
	return errors.Join(same("three actors", got, map[audit.ActorID]string{"u-1": "one\x00", "~others": "two", "u-3": "three"}),
		same("one actor", some, map[audit.ActorID]string{"u-3": "three"}))
}

func actorsReplaced(ctx context.Context, s review.Store) error {
	first, second := commit(clinic, 1), commit(clinic, 2)
	first.Actors = []review.Actor{{ID: "u-7", Data: []byte("old")}, {ID: "u-8", Data: []byte("stays")}}
	second.Actors = []review.Actor{{ID: "u-7", Data: []byte("new")}}
	if err := errors.Join(s.Commit(ctx, first), s.Commit(ctx, second)); err != nil {
		return err
	}
	got, err := memory(ctx, s, clinic, "u-7", "u-8")
	if err != nil {
		return err
	}
	return same("actors", got, map[audit.ActorID]string{"u-7": "new", "u-8": "stays"})
}

func actorsOfTenant(ctx context.Context, s review.Store) error {
	ours, theirs := commit(clinic, 1), commit(other, 1)
	ours.Actors, theirs.Actors = []review.Actor{{ID: "u-5", Data: []byte("ours")}}, []review.Actor{{ID: "u-5", Data: []byte("theirs")}}
	if err := errors.Join(s.Commit(ctx, ours), s.Commit(ctx, theirs)); err != nil {
		return err
	}
	got, err := memory(ctx, s, clinic, "u-5")
	if err != nil {
		return err
	}
	return same("our actor", got, map[audit.ActorID]string{"u-5": "ours"})
}

func commitCondition(ctx context.Context, s review.Store) error {
	if err := errors.Join(s.Commit(ctx, commit(clinic, 1)), s.Commit(ctx, commit(clinic, 2))); err != nil {
		return err
	}
	for _, version := range []int64{1, 2, 4} {
		c := commit(clinic, version, finding(clinic, version))
		c.Place.Next, c.Actors = 99, []review.Actor{{ID: "u-1", Data: []byte("no")}}
		if err := conflicts("a commit of a wrong version", s.Commit(ctx, c)); err != nil {
			return err
		}
	}
	if err := conflicts("a second commit where there is none", s.Commit(ctx, commit(other, 2))); err != nil {
		return err
	}
	return nothingChanged(ctx, s, clinic, 2)
}

// nothingChanged: the place has still this version, nobody is remembered, and there is no finding.
func nothingChanged(ctx context.Context, s review.Store, t audit.Tenant, version int64) error {
	got, err := memory(ctx, s, t, "u-1")
	if err != nil {
		return err
	}
	all, err := list(ctx, s, review.Filter{Tenant: t, Limit: 10})
	if err != nil {
		return err
	}
	return errors.Join(place(ctx, s, t, version, 10*version), same("actors", len(got), 0), same("findings", len(all), 0))
}

func commitNewFinding(ctx context.Context, s review.Store) error {
	if err := s.Commit(ctx, commit(clinic, 1, finding(clinic, 1))); err != nil {
		return err
	}
	again := finding(clinic, 1)
	again.Count = 77
	c := commit(clinic, 2, finding(clinic, 2), again)
	c.Actors = []review.Actor{{ID: "u-1", Data: []byte("no")}}
	if err := conflicts("a commit of a finding that is there", s.Commit(ctx, c)); err != nil {
		return err
	}
	return only(ctx, s, finding(clinic, 1))
}

// only: of two commits the first counted, with one finding and nobody remembered.
func only(ctx context.Context, s review.Store, want review.Finding) error {
	got, err := s.Finding(ctx, clinic, want.ID)
	if err != nil {
		return err
	}
	all, err := list(ctx, s, review.Filter{Tenant: clinic, Limit: 10})
	if err != nil {
		return err
	}
	actors, err := memory(ctx, s, clinic, "u-1")
	if err != nil {
		return err
	}
	return errors.Join(same("the finding", got, want), same("findings", all, []int64{want.Index}), same("actors", len(actors), 0), place(ctx, s, clinic, 1, 10))
}

func commitOldFinding(ctx context.Context, s review.Store) error {
	if err := s.Commit(ctx, commit(clinic, 1, finding(clinic, 1))); err != nil {
		return err
	}
	for _, wrong := range []review.Finding{changed(finding(clinic, 1), 3), changed(finding(clinic, 3), 2)} {
		c := commit(clinic, 2, finding(clinic, 2), wrong)
		c.Actors = []review.Actor{{ID: "u-1", Data: []byte("no")}}
		if err := conflicts("a commit of a finding of another version", s.Commit(ctx, c)); err != nil {
			return err
		}
	}
	if err := only(ctx, s, finding(clinic, 1)); err != nil {
		return err
	}
	right := changed(finding(clinic, 1), 2)
	if err := s.Commit(ctx, commit(clinic, 2, right)); err != nil {
		return err
	}
	got, err := s.Finding(ctx, clinic, right.ID)
	if err != nil {
		return err
	}
	return same("the finding after a commit", got, right)
}

// changed is a finding of another version.
func changed(f review.Finding, version int64) review.Finding {
	f.Version, f.Count = version, 40+int(version)
	return f
}

func commitRace(ctx context.Context, s review.Store) error {
	for version := int64(1); version < 5; version++ {
		if err := raced(func() error { return s.Commit(ctx, commit(clinic, version, finding(clinic, version))) }); err != nil {
			return err
		}
	}
	return nil
}

func commitCancelled(ctx context.Context, s review.Store) error {
	c := commit(clinic, 1, finding(clinic, 1))
	c.Actors = []review.Actor{{ID: "u-1", Data: []byte("no")}}
	if s.Commit(gone(ctx), c) == nil {
		return errors.New("a commit that was cancelled succeeded")
	}
	return nothingChanged(ctx, s, clinic, 0)
}

func copies(ctx context.Context, s review.Store) error {
	c := commit(clinic, 1, finding(clinic, 1))
	c.Findings[0].Note, c.Findings[0].Events = []byte("kept"), []string{"kept"}
	c.Actors = []review.Actor{{ID: "u-9", Data: []byte("kept")}}
	if err := s.Commit(ctx, c); err != nil {
		return err
	}
	c.Findings[0].Note[0], c.Findings[0].Events[0], c.Actors[0].Data[0], c.Place.Data[0] = 'X', "X", 'X', 'X'
	f, err := s.Finding(ctx, clinic, c.Findings[0].ID)
	if err != nil {
		return err
	}
	actors, err := memory(ctx, s, clinic, "u-9")
	if err != nil {
		return err
	}
	p, err := s.Place(ctx, clinic)
	if err != nil {
		return err
	}
	return errors.Join(same("the note", string(f.Note), "kept"), same("the events", f.Events, []string{"kept"}),
		same("the actor", actors["u-9"], "kept"), same("the place", string(p.Data), "data"))
}

func tailCancelled(ctx context.Context, s review.Store) error {
	if _, err := s.Place(gone(ctx), clinic); err == nil {
		return errors.New("a place was read that was cancelled")
	}
	if _, err := s.Actors(gone(ctx), clinic, []audit.ActorID{"u-1"}); err == nil {
		return errors.New("actors were read, which was cancelled")
	}
	return nil
}
