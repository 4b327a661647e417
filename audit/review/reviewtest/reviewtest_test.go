package reviewtest_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/review"
	"github.com/wardkit/wardkit/audit/review/reviewtest"
	"github.com/wardkit/wardkit/internal/conform"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	reviewtest.TestStore(t, func(testing.TB) review.Store { return review.NewMemory() })
}

// TestMutants shows for each rule that it can fail: a store broken in that one place, which the
// rule catches and no other does.
func TestMutants(t *testing.T) {
	t.Parallel()
	mutants := map[string]func() review.Store{}
	for _, r := range reviewtest.Rules() {
		mutants[r.Name] = func() review.Store { return &flawed{Memory: review.NewMemory(), flaw: r.Name} }
	}
	conform.Mutants(t, reviewtest.Rules(), mutants)
}

func TestCheckSaysWhatIsBroken(t *testing.T) {
	t.Parallel()
	open := func() (review.Store, error) { return &flawed{Memory: review.NewMemory(), flaw: "list_rule"}, nil }
	require.ErrorContains(t, reviewtest.Check(t.Context(), open), "list_rule")
	require.NoError(t, reviewtest.Check(t.Context(), func() (review.Store, error) { return review.NewMemory(), nil }))
	require.Error(t, reviewtest.Check(t.Context(), func() (review.Store, error) { return nil, errors.New("no store") }))
}

// flawed is a Memory with one flaw.
type flawed struct {
	*review.Memory
	flaw string
	mu   sync.Mutex
	kept review.Commit
}

func (s *flawed) Place(ctx context.Context, t audit.Tenant) (review.Place, error) {
	if s.flaw == "tail_cancelled" {
		ctx = context.WithoutCancel(ctx)
	}
	p, err := s.Memory.Place(ctx, t)
	switch {
	case s.flaw == "place_empty" && t == "nobody":
		p.Version = 1
	case s.flaw == "place_kept":
		p.Data = bytes.ReplaceAll(p.Data, []byte{0}, nil)
	}
	return p, err
}

func (s *flawed) Actors(ctx context.Context, t audit.Tenant, ids []audit.ActorID) ([]review.Actor, error) {
	if s.flaw == "actors_of_tenant" {
		if all, err := s.Memory.Actors(ctx, "other \x7f 'clinic'", ids); err == nil && len(all) > 0 {
			return all, nil
		}
	}
	all, err := s.Memory.Actors(ctx, t, ids)
	switch {
	case s.flaw == "actors_kept" && len(ids) == 4:
		all = append(all, review.Actor{ID: "u-4"})
	case s.flaw == "copies" && len(ids) == 1 && ids[0] == "u-9":
		s.mu.Lock()
		defer s.mu.Unlock()
		all[0].Data = s.kept.Actors[0].Data
	}
	return all, err
}

func (s *flawed) Commit(ctx context.Context, c review.Commit) error {
	switch s.flaw {
	case "commit_cancelled":
		ctx = context.WithoutCancel(ctx)
	case "copies":
		s.mu.Lock()
		s.kept = c
		s.mu.Unlock()
	case "actors_replaced":
		if len(c.Actors) == 1 && c.Actors[0].ID == "u-7" {
			c.Actors = nil
		}
	case "commit_condition":
		if p, _ := s.Memory.Place(ctx, c.Place.Tenant); p.Version == 2 && c.Place.Version == 4 {
			c.Place.Version = 3
		}
	case "commit_new_finding":
		return s.overwrites(ctx, c)
	case "commit_old_finding":
		return s.skips(ctx, c)
	case "commit_race":
		return s.lets(ctx, c)
	}
	return s.Memory.Commit(ctx, c)
}

// overwrites replaces a finding that is there.
func (s *flawed) overwrites(ctx context.Context, c review.Commit) error {
	for i, f := range c.Findings {
		if was, err := s.Memory.Finding(ctx, f.Tenant, f.ID); err == nil && f.Version == 1 && f.Count == 77 {
			c.Findings[i].Version = was.Version + 1
		}
	}
	return s.Memory.Commit(ctx, c)
}

// skips leaves a finding out that has another version.
func (s *flawed) skips(ctx context.Context, c review.Commit) error {
	var fit []review.Finding
	for _, f := range c.Findings {
		was, err := s.Memory.Finding(ctx, f.Tenant, f.ID)
		if f.Version == 1 || err == nil && was.Version == f.Version-1 {
			fit = append(fit, f)
		}
	}
	c.Findings = fit
	return s.Memory.Commit(ctx, c)
}

// lets tells the losers of a race that they won.
func (s *flawed) lets(ctx context.Context, c review.Commit) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.Memory.Commit(ctx, c)
	p, _ := s.Memory.Place(ctx, c.Place.Tenant)
	if errors.Is(err, review.ErrConflict) && p.Version == c.Place.Version && len(c.Findings) == 1 && len(c.Actors) == 0 {
		return nil
	}
	return err
}

func (s *flawed) Finding(ctx context.Context, t audit.Tenant, id string) (review.Finding, error) {
	if s.flaw == "findings_cancelled" {
		ctx = context.WithoutCancel(ctx)
	}
	f, err := s.Memory.Finding(ctx, t, id)
	switch {
	case s.flaw == "finding_kept":
		f.Note = bytes.TrimPrefix(f.Note, []byte{0})
	case s.flaw == "finding_missing" && f.Index == 0 && id == "8d1c2a90-0000-8000-8000-000000000062":
		return review.Finding{}, nil
	}
	return f, err
}

func (s *flawed) List(ctx context.Context, f review.Filter) iter.Seq2[review.Finding, error] {
	switch s.flaw {
	case "list_below":
		if f.Below.Index == 35 {
			f.Below.ID = ""
		}
	case "list_states":
		if len(f.States) > 1 {
			f.States = f.States[:1]
		}
	case "list_rule":
		f.Rule = ""
	case "list_actor":
		f.Actor = ""
	case "list_order":
		if f.Limit == 3 {
			f.Limit = 4
		}
	case "list_of_tenant":
		return s.everybody(ctx, f)
	case "update_kept":
		if len(f.States) == 1 && f.States[0] == review.Closed {
			return func(func(review.Finding, error) bool) {}
		}
	}
	return s.Memory.List(ctx, f)
}

// everybody lists two tenants' findings.
func (s *flawed) everybody(ctx context.Context, f review.Filter) iter.Seq2[review.Finding, error] {
	return func(yield func(review.Finding, error) bool) {
		theirs := f
		theirs.Tenant = "other \x7f 'clinic'"
		for _, one := range []review.Filter{f, theirs} {
			for got, err := range s.Memory.List(ctx, one) {
				if !yield(got, err) {
					return
				}
			}
		}
	}
}

func (s *flawed) Update(ctx context.Context, f review.Finding) error {
	switch s.flaw {
	case "update_cancelled":
		ctx = context.WithoutCancel(ctx)
	case "update_condition":
		if was, err := s.Memory.Finding(ctx, f.Tenant, f.ID); err == nil && was.Version == 2 && f.Version == 4 {
			f.Version = 3
		}
	case "update_missing":
		if _, err := s.Memory.Finding(ctx, f.Tenant, f.ID); errors.Is(err, review.ErrNotFound) && f.Version == 2 {
			return nil
		}
	case "update_race":
		s.mu.Lock()
		defer s.mu.Unlock()
		err := s.Memory.Update(ctx, f)
		if was, _ := s.Memory.Finding(ctx, f.Tenant, f.ID); errors.Is(err, review.ErrConflict) && was.Version == f.Version && f.Index == 16 {
			return nil
		}
		return err
	}
	return s.Memory.Update(ctx, f)
}

func (s *flawed) Count(ctx context.Context, t audit.Tenant) (map[review.State]int, error) {
	n, err := s.Memory.Count(ctx, t)
	if s.flaw == "count" && err == nil {
		n[review.Open] += n[review.Escalated]
	}
	return n, err
}

func (s *flawed) Settings(ctx context.Context, t audit.Tenant) (review.Settings, error) {
	if s.flaw == "settings_cancelled" {
		ctx = context.WithoutCancel(ctx)
	}
	got, err := s.Memory.Settings(ctx, t)
	switch {
	case s.flaw == "settings_empty" && t == "nobody":
		got.Zone = "UTC"
	case s.flaw == "settings_kept" && t == "other \x7f 'clinic'":
		got.Weekends = false
	}
	return got, err
}

func (s *flawed) SaveSettings(ctx context.Context, t audit.Tenant, n review.Settings) error {
	was, _ := s.Memory.Settings(ctx, t)
	switch {
	case s.flaw == "settings_condition" && was.Version == 2 && n.Version == 4:
		n.Version = 3
	case s.flaw == "settings_race":
		s.mu.Lock()
		defer s.mu.Unlock()
		err := s.Memory.SaveSettings(ctx, t, n)
		if is, _ := s.Memory.Settings(ctx, t); errors.Is(err, review.ErrConflict) && is.Version == n.Version && n.ListFrom == 99 {
			return nil
		}
		return err
	}
	return s.Memory.SaveSettings(ctx, t, n)
}
