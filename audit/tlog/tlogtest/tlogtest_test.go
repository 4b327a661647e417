package tlogtest_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tlog"
	"github.com/wardkit/wardkit/audit/tlog/tlogtest"
	"github.com/wardkit/wardkit/internal/conform"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	tlogtest.TestStore(t, func(testing.TB) tlog.Store { return tlog.NewMemory() })
}

// TestMutants shows for each rule that it can fail: a store broken in that one place, which the
// rule catches and no other does.
func TestMutants(t *testing.T) {
	t.Parallel()
	mutants := map[string]func() tlog.Store{}
	for _, r := range tlogtest.Rules() {
		mutants[r.Name] = func() tlog.Store { return &flawed{Memory: tlog.NewMemory(), flaw: r.Name} }
	}
	conform.Mutants(t, tlogtest.Rules(), mutants)
}

func TestCheckSaysWhatIsBroken(t *testing.T) {
	t.Parallel()
	open := func() (tlog.Store, error) { return &flawed{Memory: tlog.NewMemory(), flaw: "latest"}, nil }
	require.ErrorContains(t, tlogtest.Check(t.Context(), open), "latest")
	require.NoError(t, tlogtest.Check(t.Context(), func() (tlog.Store, error) { return tlog.NewMemory(), nil }))
	require.Error(t, tlogtest.Check(t.Context(), func() (tlog.Store, error) { return nil, errors.New("no store") }))
}

// flawed is a Memory with one flaw.
type flawed struct {
	*tlog.Memory
	flaw string
	kept tlog.Commit
}

func (s *flawed) Latest(ctx context.Context) (tlog.Signed, error) {
	got, err := s.Memory.Latest(ctx)
	switch {
	case s.flaw == "empty" && got.Note == nil && err == nil:
		got.Note = []byte("nothing")
	case s.flaw == "latest":
		got.Note = bytes.ReplaceAll(got.Note, []byte{0}, nil)
	case s.flaw == "copies" && err == nil && s.kept.Signed.Note != nil:
		got.Note = s.kept.Signed.Note
	}
	return got, err
}

func (s *flawed) Commit(ctx context.Context, c tlog.Commit) error {
	switch s.flaw {
	case "cancelled":
		ctx = context.WithoutCancel(ctx)
	case "copies":
		err := s.Memory.Commit(ctx, c)
		if err == nil {
			s.kept = c
		}
		return err
	case "tile_of_tenant":
		for i := range c.Tiles {
			c.Tiles[i].Tenant = ""
		}
	case "tile_grows":
		c = s.withoutOld(ctx, c)
	case "condition":
		if last, err := s.Memory.Latest(ctx); err == nil && last.Size > c.Was && c.Was == 1 && c.Heads[0].Tenant != "clinic" {
			return nil
		}
	case "race":
		return s.raced(ctx, c)
	}
	return s.Memory.Commit(ctx, c)
}

// withoutOld leaves out tiles that are there.
func (s *flawed) withoutOld(ctx context.Context, c tlog.Commit) tlog.Commit {
	var fresh []tlog.Tile
	for _, t := range c.Tiles {
		if old, err := s.Memory.Tiles(ctx, t.Tenant, []tlog.Tile{t}); err == nil && old[0] == nil {
			fresh = append(fresh, t)
		}
	}
	c.Tiles = fresh
	return c
}

// raced tells one loser of a race that it won.
func (s *flawed) raced(ctx context.Context, c tlog.Commit) error {
	err := s.Memory.Commit(ctx, c)
	if last, _ := s.Memory.Latest(ctx); errors.Is(err, tlog.ErrConflict) && last.Size == c.Signed.Size && c.Heads[0].Tenant == "clinic" {
		return nil
	}
	return err
}

func (s *flawed) Tiles(ctx context.Context, tenant audit.Tenant, ask []tlog.Tile) ([][]byte, error) {
	if s.flaw == "tile_of_tenant" {
		tenant = ""
	}
	got, err := s.Memory.Tiles(ctx, tenant, ask)
	if s.flaw == "keeps_tiles" {
		for i := range got {
			if got[i] == nil && i > 0 && string(got[0]) == "one" {
				got[i] = []byte{}
			}
		}
	}
	return got, err
}

func (s *flawed) Heads(ctx context.Context, from int64) iter.Seq2[tlog.Head, error] {
	return func(yield func(tlog.Head, error) bool) {
		for h, err := range s.Memory.Heads(ctx, from) {
			switch {
			case s.flaw == "keeps_heads" && h.N == 2 && h.Tenant == "clinic":
				h.At = h.At.Truncate(1e9)
			case s.flaw == "many_heads" && h.N >= 2048:
				return
			}
			if !yield(h, err) {
				return
			}
		}
	}
}

func (s *flawed) HeadsOf(ctx context.Context, tenant audit.Tenant, from int64) iter.Seq2[tlog.Head, error] {
	if s.flaw == "heads_of_tenant" {
		return s.Memory.Heads(ctx, from)
	}
	return s.Memory.HeadsOf(ctx, tenant, from)
}
