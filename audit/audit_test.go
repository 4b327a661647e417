package audit_test

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/bubble"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNewRefusesWhatMakesNoSense(t *testing.T) {
	t.Parallel()
	store := audit.NewMemory()
	_, err := audit.New(nil, audit.DropOpenings{}, nil)
	require.ErrorContains(t, err, "no store")
	_, err = audit.New(store, nil, nil)
	require.ErrorContains(t, err, "no sealer")
	for _, o := range []audit.Options{
		{MaxQueue: -1},
		{MaxQueue: 1_000_001},
		{CommitTimeout: -1},
		{CommitTimeout: 2 * time.Hour},
		{CursorKey: make([]byte, 31)},
		{CursorKey: []byte{}},
	} {
		_, err := audit.New(store, audit.DropOpenings{}, &o)
		require.ErrorContains(t, err, "options")
	}
	_, err = audit.New(store, audit.DropOpenings{}, &audit.Options{})
	require.NoError(t, err)
}

func TestRecordFillsIn(t *testing.T) {
	t.Parallel()
	now := day(18).Add(999 * time.Nanosecond)
	log := newLog(t, audit.NewMemory(), &audit.Options{
		Now: clock(&now), Server: audit.Server{ID: "api-1"},
		Clock: func() audit.Clock { return audit.Clock{Known: true, Synced: true, ErrMicros: 7} },
	})
	require.NoError(t, log.Record(t.Context()), "nothing to record")
	e := audit.Event{
		Action: "a", Verb: audit.Read, Actor: staff,
		Recorded: day(1), // nobody else dates an event
	}
	require.NoError(t, log.Record(t.Context(), e))
	now = day(3) // the clock steps back
	e.Server.ID = "worker"
	require.NoError(t, log.Record(t.Context(), e))
	require.Empty(t, e.ID, "the caller's event is not touched")

	page, err := log.Query(t.Context(), audit.Query{Tenant: staff.Tenant})
	require.NoError(t, err)
	require.Len(t, page.Events, 2)
	for _, got := range page.Events {
		require.Equal(t, day(18), got.Recorded, "whole microseconds, never backwards")
		require.Equal(t, staff.Tenant, got.Tenant)
		require.Len(t, got.ID, 36)
		require.Equal(t, audit.Clock{Known: true, Synced: true, ErrMicros: 7}, got.Clock)
		require.Contains(t, []string{"api-1", "worker"}, got.Server.ID)
	}
	require.NotEqual(t, page.Events[0].Server, page.Events[1].Server)
}

func TestRecordWritesNothingOfAnInvalidCall(t *testing.T) {
	t.Parallel()
	store := newGated()
	log := newLog(t, store, nil)
	err := log.Record(t.Context(), event(1, "a"), audit.Event{Outcome: 8, Actor: audit.Actor{Kind: audit.KindStaff}, Objects: []audit.Object{{ID: "x"}}})
	var invalid *audit.InvalidError
	require.ErrorAs(t, err, &invalid)
	require.ErrorIs(t, err, audit.ErrInvalid)
	require.Equal(t, []string{"tenant", "action", "verb", "code", "actor.id", "objects.type"}, invalid.Missing,
		"all that is missing, at once")
	require.ErrorIs(t, log.Record(t.Context(), event(1, "a"), audit.Event{Tenant: "t", Action: "a", Verb: audit.Read}), audit.ErrNoActor)
	require.Empty(t, store.calls())
}

// TestRecordAgain: an event that carries an ID may be recorded again after any error.
func TestRecordAgain(t *testing.T) {
	t.Parallel()
	now := day(18)
	store := audit.NewMemory()
	log := newLog(t, store, &audit.Options{Now: clock(&now), Server: audit.Server{ID: "api-1"}})
	require.NoError(t, log.Record(t.Context(), fullEvent()))
	now = day(20)
	other := newLog(t, store, &audit.Options{Now: clock(&now), Server: audit.Server{ID: "api-2"}})
	require.NoError(t, other.Record(t.Context(), fullEvent()), "by another server, later")
	require.NoError(t, other.Record(t.Context(), event(1, "a"), fullEvent(), event(2, "a")), "among new ones")
	page, err := log.Query(t.Context(), audit.Query{Tenant: "clinic-17"})
	require.NoError(t, err)
	require.Len(t, page.Events, 3)

	opened, err := log.Open(t.Context(), "clinic-17", fullEvent().ID)
	require.NoError(t, err)
	require.NoError(t, log.Record(t.Context(), opened), "as it was read back")
	require.NoError(t, log.Record(t.Context(), page.Events[2].Event), "as commitments")

	plain := event(3, "a") // without a server of its own
	require.NoError(t, log.Record(t.Context(), plain))
	require.NoError(t, other.Record(t.Context(), plain), "by another server")

	swapped := page.Events[2].Event
	swapped.Why = swapped.Search
	require.ErrorIs(t, log.Record(t.Context(), swapped), audit.ErrConflict, "another commitment")
	for name, change := range map[string]func(e *audit.Event){
		"action":    func(e *audit.Event) { e.Action = "record.read" },
		"patients":  func(e *audit.Event) { e.Patients = append(e.Patients, "p-9") },
		"why":       func(e *audit.Event) { e.Why = audit.NewPrivate("another reason") },
		"no why":    func(e *audit.Event) { e.Why = audit.Private{} },
		"origin":    func(e *audit.Event) { e.Actor.Origin = e.Actor.Origin.Next() },
		"recipient": func(e *audit.Event) { e.Disclosure.Recipient = audit.NewPrivate("somebody else") },
		"undone":    func(e *audit.Event) { e.Disclosure = nil },
	} {
		e := fullEvent()
		change(&e)
		require.ErrorIs(t, log.Record(t.Context(), e), audit.ErrConflict, name)
	}
	e := fullEvent()
	e.Tenant = "clinic-18"
	require.NoError(t, log.Record(t.Context(), e), "tenants do not share IDs")
	require.ErrorIs(t, log.Record(t.Context(), event(8, "a"), event(8, "b")), audit.ErrConflict, "twice in one call")
}

func TestRecordAgainAfterErasure(t *testing.T) {
	t.Parallel()
	store := audit.NewMemory()
	log := newLog(t, store, nil)
	require.NoError(t, log.Record(t.Context(), fullEvent()))
	require.NoError(t, store.Erase(t.Context(), "clinic-17", []string{fullEvent().ID}))
	require.NoError(t, log.Record(t.Context(), fullEvent()))
	opened, err := log.Open(t.Context(), "clinic-17", fullEvent().ID)
	require.NoError(t, err)
	_, known := opened.Why.Reveal()
	require.False(t, known, "recording again does not bring back what was erased")
	require.Len(t, opened.Why.Commitment(), 32)

	dropping, err := audit.New(audit.NewMemory(), audit.DropOpenings{}, nil)
	require.NoError(t, err)
	require.NoError(t, dropping.Record(t.Context(), fullEvent()))
	require.NoError(t, dropping.Record(t.Context(), fullEvent()))
	e := fullEvent()
	e.Why = audit.Private{}
	require.ErrorIs(t, dropping.Record(t.Context(), e), audit.ErrConflict)
}

func TestRecordAgainWhileTheStoreIsUnreadable(t *testing.T) {
	t.Parallel()
	store := &unreadable{Memory: audit.NewMemory()}
	log := newLog(t, store, nil)
	require.NoError(t, log.Record(t.Context(), fullEvent()))
	store.err = errors.New("down")
	err := log.Record(t.Context(), fullEvent())
	require.ErrorIs(t, err, audit.ErrUnconfirmed)
	require.ErrorIs(t, err, store.err)
	require.False(t, log.Health(t.Context()).OK)
}

type unreadable struct {
	*audit.Memory
	err error
}

func (u *unreadable) Get(ctx context.Context, t audit.Tenant, id string) (audit.Entry, error) {
	if u.err != nil {
		return audit.Entry{}, u.err
	}
	return u.Memory.Get(ctx, t, id)
}

// brokenSealer fails where it is told to.
type brokenSealer struct {
	gcm
	seal, unseal error
}

func (s *brokenSealer) Seal(ctx context.Context, t audit.Tenant, label string, plain []byte) ([]byte, error) {
	if s.seal != nil {
		return nil, s.seal
	}
	return s.gcm.Seal(ctx, t, label, plain)
}

func (s *brokenSealer) Unseal(ctx context.Context, t audit.Tenant, label string, sealed []byte) ([]byte, error) {
	if s.unseal != nil {
		return nil, s.unseal
	}
	return s.gcm.Unseal(ctx, t, label, sealed)
}

func TestSealerFails(t *testing.T) {
	t.Parallel()
	store := newGated()
	sealer := &brokenSealer{gcm: newSealer(t), seal: errors.New("KMS said: key arn:example")}
	log, err := audit.New(store, sealer, nil)
	require.NoError(t, err)
	err = log.Record(t.Context(), fullEvent())
	require.ErrorIs(t, err, audit.ErrSealing)
	require.ErrorIs(t, err, sealer.seal)
	require.NotContains(t, err.Error(), "arn")
	require.Empty(t, store.calls(), "what cannot be sealed is not written")
	require.NoError(t, log.Record(t.Context(), event(1, "a")), "an event without private values needs no sealer")

	sealer.seal = nil
	require.NoError(t, log.Record(t.Context(), fullEvent()))
	sealer.unseal = errors.New("KMS said: key arn:example")
	_, err = log.Open(t.Context(), "clinic-17", fullEvent().ID)
	require.ErrorIs(t, err, audit.ErrSealing)
	require.NotContains(t, err.Error(), "arn")
	require.ErrorIs(t, log.Record(t.Context(), fullEvent()), audit.ErrSealing, "cannot tell whether it is the same")
}

func TestOpen(t *testing.T) {
	t.Parallel()
	store := audit.NewMemory()
	log := newLog(t, store, nil)
	want := fullEvent()
	require.NoError(t, log.Record(t.Context(), want))
	got, err := log.Open(t.Context(), "clinic-17", want.ID)
	require.NoError(t, err)
	require.Equal(t, want.Actor.Origin, got.Actor.Origin)
	for _, p := range [][2]audit.Private{
		{want.Why, got.Why},
		{want.Search, got.Search},
		{want.Disclosure.Recipient, got.Disclosure.Recipient},
		{want.Disclosure.Address, got.Disclosure.Address},
	} {
		w, _ := p[0].Reveal()
		g, ok := p[1].Reveal()
		require.True(t, ok)
		require.Equal(t, w, g)
		require.Len(t, p[1].Commitment(), 32)
	}
	for _, tenant := range []audit.Tenant{"", "clinic-18"} {
		_, err := log.Open(t.Context(), tenant, want.ID)
		require.ErrorIs(t, err, audit.ErrNotFound)
	}
	for _, id := range []string{"", "x", want.ID + "0", "0193A5C0-7C4F-7ABC-8DEF-0123456789AB", "0193a5c0-7c4f-7abc-8def-000000000000"} {
		_, err := log.Open(t.Context(), "clinic-17", id)
		require.ErrorIs(t, err, audit.ErrNotFound)
	}
}

// forging returns what the test makes of a stored entry.
type forging struct {
	*audit.Memory
	forge func(e *audit.Entry)
}

func (f *forging) Get(ctx context.Context, t audit.Tenant, id string) (audit.Entry, error) {
	e, err := f.Memory.Get(ctx, t, id)
	if f.forge != nil && err == nil {
		f.forge(&e)
	}
	return e, err
}

func (f *forging) List(ctx context.Context, q audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		for e, err := range f.Memory.List(ctx, q, below, limit) {
			if f.forge != nil {
				f.forge(&e)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// TestForgedRows: whoever can write to the database shows up.
func TestForgedRows(t *testing.T) {
	t.Parallel()
	store := &forging{Memory: audit.NewMemory()}
	log, err := audit.New(store, newSealer(t), nil)
	require.NoError(t, err)
	require.NoError(t, log.Record(t.Context(), fullEvent()))
	theirs := fullEvent()
	theirs.Tenant, theirs.ID = "clinic-18", event(1, "a").ID
	require.NoError(t, log.Record(t.Context(), theirs))
	other, err := store.Memory.Get(t.Context(), "clinic-18", theirs.ID)
	require.NoError(t, err)

	rows := map[string]func(e *audit.Entry){
		"body":             func(e *audit.Entry) { e.Body[40] ^= 1 },
		"leaf":             func(e *audit.Entry) { e.Leaf[0] ^= 1 },
		"body and leaf":    func(e *audit.Entry) { e.Body = e.Body[:len(e.Body)-1]; e.Leaf = audit.Leaf(e.Body) },
		"empty":            func(e *audit.Entry) { e.Body = nil; e.Leaf = audit.Leaf(nil) },
		"id":               func(e *audit.Entry) { e.ID = theirs.ID },
		"recorded":         func(e *audit.Entry) { e.Recorded = e.Recorded.Add(time.Microsecond) },
		"actor":            func(e *audit.Entry) { e.Actor = "u-10" },
		"action":           func(e *audit.Entry) { e.Action = "b" },
		"outcome":          func(e *audit.Entry) { e.Outcome = audit.Success },
		"another tenant's": func(e *audit.Entry) { *e = other },
	}
	for name, forge := range rows {
		store.forge = forge
		_, err := log.Open(t.Context(), "clinic-17", fullEvent().ID)
		require.ErrorIs(t, err, audit.ErrDamaged, name)
		_, err = log.Query(t.Context(), audit.Query{Tenant: "clinic-17"})
		require.ErrorIs(t, err, audit.ErrDamaged, name)
	}
	require.NoError(t, log.Record(t.Context(), event(3, "a")))
	sibling, err := store.Memory.Get(t.Context(), "clinic-17", event(3, "a").ID)
	require.NoError(t, err)
	store.forge = func(e *audit.Entry) { *e = sibling }
	_, err = log.Open(t.Context(), "clinic-17", fullEvent().ID)
	require.ErrorIs(t, err, audit.ErrDamaged, "a whole event, but another one")

	store.forge = func(e *audit.Entry) { e.Openings = other.Openings }
	_, err = log.Open(t.Context(), "clinic-17", fullEvent().ID)
	require.ErrorIs(t, err, audit.ErrSealing, "openings belong to their event")

	// Even a sealer that authenticates nothing cannot pass off another value.
	lax, err := audit.New(store, plainSealer{}, nil)
	require.NoError(t, err)
	store.forge = nil
	e := event(2, "a")
	e.Why = audit.NewPrivate("true reason")
	require.NoError(t, lax.Record(t.Context(), e))
	for name, openings := range map[string]string{
		"another value": `{"why":{"s":"AAAAAAAAAAAAAAAAAAAAAA==","v":"bm9uZQ=="}}`,
		"not JSON":      `x`,
	} {
		store.forge = func(e *audit.Entry) { e.Openings = []byte(openings) }
		_, err := lax.Open(t.Context(), staff.Tenant, e.ID)
		require.ErrorIs(t, err, audit.ErrDamaged, name)
	}
}

type plainSealer struct{}

func (plainSealer) Seal(_ context.Context, _ audit.Tenant, _ string, plain []byte) ([]byte, error) {
	return plain, nil
}

func (plainSealer) Unseal(_ context.Context, _ audit.Tenant, _ string, sealed []byte) ([]byte, error) {
	return sealed, nil
}

// TestRecordAllocations bounds what a typical event of about 400 bytes costs on the memory
// store, the store's copies and the sealer's included.
func TestRecordAllocations(t *testing.T) {
	for name, test := range map[string]struct {
		event audit.Event
		limit float64
	}{
		"nothing private": {typical(), 7},
		"an address":      {typicalPrivate(), 10},
	} {
		log := newLog(t, audit.NewMemory(), nil)
		events := []audit.Event{test.event}
		for _, ctx := range []context.Context{t.Context(), context.Background()} {
			allocs := testing.AllocsPerRun(2000, func() {
				if err := log.Record(ctx, events...); err != nil {
					t.Fatal(err)
				}
			})
			require.True(t, raceDetector || allocs <= test.limit, "%s: %v allocations", name, allocs)
			t.Logf("%s: %.0f allocations", name, allocs)
		}
		page, err := log.Query(t.Context(), audit.Query{Tenant: "clinic-17", Limit: 1})
		require.NoError(t, err)
		require.InDelta(t, 440, len(page.Events[0].Body), 60)
		t.Logf("%s: %d bytes", name, len(page.Events[0].Body))
	}
}

// waiting is a store that waits for its context's end as drivers do: with contexts of its own.
type waiting struct {
	*audit.Memory
	derived bool
}

func (w waiting) Append(ctx context.Context, _ []audit.Entry) error {
	if end, ok := ctx.Deadline(); !ok || time.Until(end) > 10*time.Second || ctx.Err() != nil {
		return errors.New("no deadline")
	}
	if w.derived {
		before := runtime.NumGoroutine()
		child, cancel := context.WithCancel(ctx)
		defer cancel()
		if runtime.NumGoroutine() > before {
			return errors.New("package context needs a goroutine for it")
		}
		ctx = child
	}
	<-ctx.Done()
	return ctx.Err()
}

// TestCommitDeadline: the commit of a caller without a deadline has one that behaves like any
// other context.
func TestCommitDeadline(t *testing.T) { // not parallel: it counts goroutines
	for _, derived := range []bool{false, true} {
		bubble.Test(t, func(t *testing.T) {
			log := newLog(t, waiting{audit.NewMemory(), derived}, nil)
			began := time.Now()
			err := log.Record(context.Background(), event(1, "a"))
			require.ErrorIs(t, err, audit.ErrUnconfirmed)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Equal(t, 10*time.Second, time.Since(began))

			type key struct{}
			ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, "v"))
			time.AfterFunc(time.Second, cancel)
			began = time.Now()
			err = log.Record(ctx, event(1, "a"))
			require.ErrorIs(t, err, context.Canceled)
			require.Equal(t, time.Second, time.Since(began))
		})
	}
	store := newGated()
	log := newLog(t, store, &audit.Options{CommitTimeout: time.Millisecond})
	store.set(func(ctx context.Context, _ []audit.Entry) error {
		for ctx.Err() == nil { // who only asks is told, too
			runtime.Gosched()
		}
		return ctx.Err()
	})
	require.ErrorIs(t, log.Record(t.Context(), event(1, "a")), context.DeadlineExceeded)
}
