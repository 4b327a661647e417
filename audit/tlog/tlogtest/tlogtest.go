// Package tlogtest proves that a host's own tlog.Store keeps its contract.
//
//	func TestTrees(t *testing.T) {
//		tlogtest.TestStore(t, func(t testing.TB) tlog.Store { return newStore(t) })
//	}
package tlogtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tlog"
	"github.com/wardkit/wardkit/internal/conform"
)

type rule = conform.Rule[tlog.Store]

// TestStore checks every rule as a subtest. Each call of open returns a new, empty store.
func TestStore(t *testing.T, open func(t testing.TB) tlog.Store) {
	t.Helper()
	conform.Test(t, rules(), open)
}

// Check is TestStore without a test: it returns every rule that is broken.
func Check(ctx context.Context, open func() (tlog.Store, error)) error {
	return conform.Check(ctx, rules(), open)
}

func rules() []rule {
	return []rule{
		{Name: "empty", Clause: "Latest returns the zero Signed where nothing was committed.", Run: empty},
		{Name: "keeps_heads", Clause: "Heads yields what was committed, every field of it, in order from the place asked for.", Run: keepsHeads},
		{Name: "many_heads", Clause: "However many heads there are, Heads yields each of them once.", Run: manyHeads},
		{Name: "heads_of_tenant", Clause: "HeadsOf yields one tenant's entries only, and all of them.", Run: headsOfTenant},
		{Name: "keeps_tiles", Clause: "Tiles returns the data in the order asked for, and nil for a tile that is not there.", Run: keepsTiles},
		{Name: "tile_grows", Clause: "A tile that is committed again is replaced.", Run: tileGrows},
		{Name: "tile_of_tenant", Clause: "A tile is that of its own tenant.", Run: tileOfTenant},
		{Name: "latest", Clause: "Latest returns the checkpoint committed last, byte for byte.", Run: latest},
		{Name: "condition", Clause: "Commit adds nothing where Latest has another size than c.Was: ErrConflict.", Run: condition},
		{Name: "race", Clause: "Of several commits at once with the same Was one succeeds and the others answer ErrConflict.", Run: race},
		{Name: "copies", Clause: "What the caller does to its bytes after Commit changes nothing.", Run: copies},
		{Name: "cancelled", Clause: "Cancelled: an error, and nothing is there.", Run: cancelled},
	}
}

const clinic, other audit.Tenant = "clinic", "other \x7f 'clinic'"

var noon = time.Date(2026, 5, 4, 12, 0, 0, 123456000, time.UTC)

func head(t audit.Tenant, n int64) tlog.Head {
	return tlog.Head{N: n, Tenant: t, Size: 10 * (n + 1), Root: tlog.Hash{1, byte(n), 0xff}, At: noon.Add(time.Duration(n) * time.Second)}
}

// next is a commit of some heads after was others.
func next(was int64, heads ...tlog.Head) tlog.Commit {
	size := was + int64(len(heads))
	return tlog.Commit{Was: was, Heads: heads, Signed: tlog.Signed{Size: size, Note: fmt.Appendf(nil, "note of %d\n", size)}}
}

func collect(seq func(func(tlog.Head, error) bool)) (all []tlog.Head, err error) {
	for h, err := range seq {
		if err != nil {
			return nil, err
		}
		all = append(all, h)
	}
	return all, nil
}

func same(what string, got, want any) error {
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("%s: %v, not %v", what, got, want)
	}
	return nil
}

func empty(ctx context.Context, s tlog.Store) error {
	got, err := s.Latest(ctx)
	if err != nil || got.Size != 0 || got.Note != nil {
		return fmt.Errorf("an empty store answers %v, %v", got, err)
	}
	return nil
}

func keepsHeads(ctx context.Context, s tlog.Store) error {
	want := []tlog.Head{head(clinic, 0), head(clinic, 1), head(clinic, 2)}
	if err := errors.Join(s.Commit(ctx, next(0, want[0], want[1])), s.Commit(ctx, next(2, want[2]))); err != nil {
		return err
	}
	for from := range int64(4) {
		got, err := collect(s.Heads(ctx, from))
		if err != nil {
			return err
		}
		if err := same("heads", append([]tlog.Head{}, got...), append([]tlog.Head{}, want[from:]...)); err != nil {
			return err
		}
	}
	return nil
}

func manyHeads(ctx context.Context, s tlog.Store) error {
	const many = 5000
	var all []tlog.Head
	for n := range int64(many) {
		all = append(all, head(clinic, n))
	}
	if err := s.Commit(ctx, next(0, all...)); err != nil {
		return err
	}
	got, err := collect(s.Heads(ctx, 0))
	if err != nil || len(got) != many {
		return fmt.Errorf("%d heads of %d: %v", len(got), many, err)
	}
	of, err := collect(s.HeadsOf(ctx, clinic, 7))
	if err != nil || len(of) != many-7 {
		return fmt.Errorf("%d heads of %d: %v", len(of), many-7, err)
	}
	return same("the last", got[many-1], of[len(of)-1])
}

func headsOfTenant(ctx context.Context, s tlog.Store) error {
	all := []tlog.Head{head(clinic, 0), head(other, 1), head(clinic, 2), head(other, 3)}
	if err := s.Commit(ctx, next(0, all...)); err != nil {
		return err
	}
	got, err := collect(s.HeadsOf(ctx, other, 0))
	if err != nil {
		return err
	}
	return same("heads of one tenant", got, []tlog.Head{all[1], all[3]})
}

func tile(t audit.Tenant, level int, n int64, data string) tlog.Tile {
	return tlog.Tile{Tenant: t, Level: level, N: n, Data: []byte(data)}
}

// tiles compares what is there of one tenant's tiles 1/0, 2/0 and 1/7.
func tiles(ctx context.Context, s tlog.Store, t audit.Tenant, want ...string) error {
	got, err := s.Tiles(ctx, t, []tlog.Tile{{Level: 1, N: 0}, {Level: 2, N: 0}, {Level: 1, N: 7}})
	if err != nil || len(got) != 3 {
		return fmt.Errorf("%d tiles: %v", len(got), err)
	}
	for i, w := range want {
		if string(got[i]) != w || w == "" && got[i] != nil {
			return fmt.Errorf("a tile is %q, not %q", got[i], w)
		}
	}
	return nil
}

func with(c tlog.Commit, t ...tlog.Tile) tlog.Commit {
	c.Tiles = t
	return c
}

func keepsTiles(ctx context.Context, s tlog.Store) error {
	err := s.Commit(ctx, with(next(0, head(clinic, 0)), tile(clinic, 2, 0, "two"), tile(clinic, 1, 0, "one")))
	if err != nil {
		return err
	}
	return tiles(ctx, s, clinic, "one", "two", "")
}

func tileGrows(ctx context.Context, s tlog.Store) error {
	err := errors.Join(
		s.Commit(ctx, with(next(0, head(clinic, 0)), tile(clinic, 1, 0, "a"))),
		s.Commit(ctx, with(next(1, head(clinic, 1)), tile(clinic, 1, 0, "ab"))))
	if err != nil {
		return err
	}
	return tiles(ctx, s, clinic, "ab")
}

func tileOfTenant(ctx context.Context, s tlog.Store) error {
	err := s.Commit(ctx, with(next(0, head(clinic, 0), head(other, 1)), tile(clinic, 1, 0, "ours"), tile("", 1, 0, "root")))
	if err != nil {
		return err
	}
	return errors.Join(tiles(ctx, s, clinic, "ours"), tiles(ctx, s, other, ""), tiles(ctx, s, "", "root"))
}

func latest(ctx context.Context, s tlog.Store) error {
	second := next(1, head(clinic, 1))
	second.Signed.Note = []byte("a note\x00 with\n\xff bytes\n")
	if err := errors.Join(s.Commit(ctx, next(0, head(clinic, 0))), s.Commit(ctx, second)); err != nil {
		return err
	}
	got, err := s.Latest(ctx)
	if err != nil || got.Size != 2 || !bytes.Equal(got.Note, second.Signed.Note) {
		return fmt.Errorf("the latest checkpoint is %v, %v", got, err)
	}
	return nil
}

func condition(ctx context.Context, s tlog.Store) error {
	if err := s.Commit(ctx, next(0, head(clinic, 0), head(clinic, 1))); err != nil {
		return err
	}
	for _, was := range []int64{0, 1, 3} {
		err := s.Commit(ctx, with(next(was, head(other, was)), tile(other, 1, 0, "no")))
		if !errors.Is(err, tlog.ErrConflict) {
			return fmt.Errorf("a commit after %d of 2 entries answers %v", was, err)
		}
	}
	got, err := collect(s.Heads(ctx, 0))
	if err != nil || len(got) != 2 {
		return fmt.Errorf("%d heads after a conflict: %v", len(got), err)
	}
	return tiles(ctx, s, other, "")
}

func race(ctx context.Context, s tlog.Store) error {
	for was := range int64(4) {
		var won atomic.Int64
		var group sync.WaitGroup
		bad := make([]error, 8)
		for i := range bad {
			group.Go(func() {
				err := s.Commit(ctx, next(was, head(clinic, was)))
				if err == nil {
					won.Add(1)
				} else if !errors.Is(err, tlog.ErrConflict) {
					bad[i] = err
				}
			})
		}
		group.Wait()
		if err := errors.Join(bad...); err != nil || won.Load() != 1 {
			return fmt.Errorf("%d of 8 commits at once succeeded: %v", won.Load(), err)
		}
	}
	return nil
}

func copies(ctx context.Context, s tlog.Store) error {
	c := with(next(0, head(clinic, 0)), tile(clinic, 1, 0, "kept"))
	if err := s.Commit(ctx, c); err != nil {
		return err
	}
	c.Tiles[0].Data[0], c.Signed.Note[0], c.Heads[0].Size = 'X', 'X', 99
	got, err := s.Latest(ctx)
	if err != nil || got.Note[0] == 'X' {
		return fmt.Errorf("the checkpoint changed with its caller: %v", err)
	}
	heads, err := collect(s.Heads(ctx, 0))
	if err != nil {
		return err
	}
	return errors.Join(same("heads", heads, []tlog.Head{head(clinic, 0)}), tiles(ctx, s, clinic, "kept"))
}

func cancelled(ctx context.Context, s tlog.Store) error {
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if s.Commit(gone, next(0, head(clinic, 0))) == nil {
		return errors.New("a commit that was cancelled succeeded")
	}
	if _, err := s.Latest(gone); err == nil {
		return errors.New("a look that was cancelled succeeded")
	}
	if _, err := s.Tiles(gone, clinic, []tlog.Tile{{Level: 1}}); err == nil {
		return errors.New("a look at tiles that was cancelled succeeded")
	}
	if _, err := collect(s.Heads(gone, 0)); err == nil {
		return errors.New("a listing that was cancelled succeeded")
	}
	heads, err := collect(s.Heads(ctx, 0))
	if err != nil || len(heads) != 0 {
		return fmt.Errorf("%d heads after a commit that was cancelled: %v", len(heads), err)
	}
	return nil
}
