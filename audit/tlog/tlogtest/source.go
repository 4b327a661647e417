package tlogtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tlog"
	"github.com/wardkit/wardkit/internal/conform"
)

// Events is a host's own audit.Store that trees can be built over.
type Events interface {
	audit.Store
	tlog.Source
}

// TestSource checks every rule of Orders and Leaves as a subtest; audittest.TestStore checks
// the rest. Each call of open returns a new, empty store.
func TestSource(t *testing.T, open func(t testing.TB) Events) {
	t.Helper()
	conform.Test(t, sourceRules(), open)
}

// CheckSource is TestSource without a test: it returns every rule that is broken.
func CheckSource(ctx context.Context, open func() (Events, error)) error {
	return conform.Check(ctx, sourceRules(), open)
}

func sourceRules() []conform.Rule[Events] {
	return []conform.Rule[Events]{
		{Name: "orders", Clause: "Orders yields how far each tenant's order has come, by tenant, byte by byte.", Run: orders},
		{Name: "placed", Clause: "Orders counts entries that have their place, and so does what Leaves is asked for.", Run: placed},
		{Name: "leaves", Clause: "Leaves returns the leaf hashes from place from to to-1, in order.", Run: leaves},
		{Name: "not_there", Clause: "A leaf that is not there: audit.ErrDamaged.", Run: notThere},
		{Name: "leaves_of_tenant", Clause: "Leaves are those of one tenant.", Run: leavesOfTenant},
		{Name: "source_cancelled", Clause: "Cancelled: an error.", Run: sourceCancelled},
	}
}

const neighbour audit.Tenant = "other"

// event is the n-th of a tenant.
func event(t audit.Tenant, n int) audit.Entry {
	at := noon.Add(time.Duration(n) * time.Millisecond)
	e := audit.Event{
		ID: audit.NewID(at), Tenant: t, Recorded: at, Action: "patient.read", Verb: audit.Read,
		Actor: audit.Actor{ID: "u-9", Kind: audit.KindStaff, Tenant: t}, Detail: map[string]string{"n": fmt.Sprint(n)},
	}
	body, err := audit.Encode(e)
	if err != nil {
		panic(err) // it is the same event every time
	}
	return audit.Entry{
		Index: -1, Tenant: t, ID: e.ID, Recorded: at, Actor: e.Actor.ID, Action: e.Action, Body: body, Leaf: audit.Leaf(body),
	}
}

// record appends n entries of a tenant and gives them their places.
func record(ctx context.Context, s Events, t audit.Tenant, n int) ([]audit.Entry, error) {
	var all []audit.Entry
	for i := range n {
		all = append(all, event(t, i))
	}
	if err := s.Append(ctx, all); err != nil {
		return nil, err
	}
	for {
		if n, err := s.Sequence(ctx, 1000); n == 0 || err != nil {
			return all, err
		}
	}
}

func listOrders(ctx context.Context, s Events) (all []audit.Order, err error) {
	for o, err := range s.Orders(ctx) {
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}

func orders(ctx context.Context, s Events) error {
	want := []audit.Order{{Tenant: "Clinic", Size: 2}, {Tenant: "clinic", Size: 1}, {Tenant: "clinic-é", Size: 4}, {Tenant: "clinics", Size: 3}}
	slices.SortFunc(want, func(a, b audit.Order) int {
		return slices.Compare([]byte(a.Tenant), []byte(b.Tenant))
	})
	for _, i := range []int{2, 0, 3, 1} {
		if _, err := record(ctx, s, want[i].Tenant, int(want[i].Size)); err != nil {
			return err
		}
	}
	got, err := listOrders(ctx, s)
	if err != nil {
		return err
	}
	return same("orders", got, want)
}

func placed(ctx context.Context, s Events) error {
	if _, err := record(ctx, s, clinic, 3); err != nil {
		return err
	}
	if err := s.Append(ctx, []audit.Entry{event(clinic, 3)}); err != nil {
		return err
	}
	before, err := listOrders(ctx, s)
	if err != nil {
		return err
	}
	if _, err := s.Leaves(ctx, clinic, 0, before[0].Size); err != nil {
		return fmt.Errorf("what Orders counts is not there: %w", err)
	}
	if _, err := s.Leaves(ctx, clinic, 0, before[0].Size+1); !errors.Is(err, audit.ErrDamaged) {
		return fmt.Errorf("a leaf that Orders does not count: %v", err)
	}
	if _, err := s.Sequence(ctx, 1000); err != nil {
		return err
	}
	after, err := listOrders(ctx, s)
	if err != nil {
		return err
	}
	return same("orders", after, []audit.Order{{Tenant: clinic, Size: 4}})
}

func leaves(ctx context.Context, s Events) error {
	all, err := record(ctx, s, clinic, 700)
	if err != nil {
		return err
	}
	for _, r := range [][2]int{{0, 700}, {0, 1}, {255, 257}, {699, 700}, {300, 300}} {
		got, err := s.Leaves(ctx, clinic, int64(r[0]), int64(r[1]))
		if err != nil || len(got) != r[1]-r[0] {
			return fmt.Errorf("%d leaves from %d to %d: %v", len(got), r[0], r[1], err)
		}
		for i, h := range got {
			if h != all[r[0]+i].Leaf {
				return fmt.Errorf("the leaf at %d is another one", r[0]+i)
			}
		}
	}
	return nil
}

func notThere(ctx context.Context, s Events) error {
	if _, err := record(ctx, s, clinic, 3); err != nil {
		return err
	}
	for _, r := range [][2]int64{{0, 4}, {3, 4}, {-1, 2}, {2, 1}, {1 << 40, 1<<40 + 1}} {
		if got, err := s.Leaves(ctx, clinic, r[0], r[1]); !errors.Is(err, audit.ErrDamaged) {
			return fmt.Errorf("leaves from %d to %d of 3: %d and %v", r[0], r[1], len(got), err)
		}
	}
	if _, err := s.Leaves(ctx, neighbour, 0, 1); !errors.Is(err, audit.ErrDamaged) {
		return fmt.Errorf("a leaf of a tenant without any: %v", err)
	}
	return nil
}

func leavesOfTenant(ctx context.Context, s Events) error {
	_, err := record(ctx, s, clinic, 2)
	if err != nil {
		return err
	}
	theirs, err := record(ctx, s, neighbour, 2)
	if err != nil {
		return err
	}
	got, err := s.Leaves(ctx, neighbour, 1, 2)
	if err != nil || len(got) != 1 || got[0] != theirs[1].Leaf {
		return fmt.Errorf("another tenant's leaf is not its own: %v", err)
	}
	return nil
}

func sourceCancelled(ctx context.Context, s Events) error {
	if _, err := record(ctx, s, clinic, 2); err != nil {
		return err
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Leaves(gone, clinic, 0, 2); err == nil {
		return errors.New("leaves were read that nobody waits for")
	}
	if _, err := listOrders(gone, s); err == nil {
		return errors.New("orders were read that nobody waits for")
	}
	return nil
}
