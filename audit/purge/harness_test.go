package purge_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/export"
	"github.com/wardkit/wardkit/audit/purge"
	"github.com/wardkit/wardkit/audit/tlog"
)

const (
	clinic audit.Tenant = "clinic"
	other  audit.Tenant = "other"
)

// long is a day on which all that is recorded will be old in 2026.
var (
	long = time.Date(2017, 2, 3, 9, 0, 0, 0, time.UTC)
	noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
)

// clock is a clock that tests set.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(time.Millisecond)
	return c.at
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = t
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// events is a log's store that can be purged.
type events interface {
	audit.Store
	purge.Source
}

// house is a log with trees, exports and a keeper.
type house struct {
	clock   *clock
	events  events
	trees   tlog.Store
	rows    purge.Store
	bundles purge.Bundles
	options purge.Options

	src    purge.Source // what the keeper reads; events unless a test puts something in front
	rec    audit.Recorder
	log    *audit.Log
	tlog   *tlog.Log
	x      *export.Exporter
	keeper *purge.Keeper
}

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{
		clock: &clock{at: long}, events: audit.NewMemory(), trees: tlog.NewMemory(), rows: purge.NewMemory(),
		bundles: purge.NewFolder(t.TempDir()),
	}
	h.build(t)
	return h
}

// build makes everything that is no store, as a process that starts does.
func (h *house) build(t testing.TB) {
	t.Helper()
	require.NoError(t, h.start())
}

func (h *house) start() (err error) {
	if h.log, err = audit.New(h.events, audit.DropOpenings{}, &audit.Options{Now: h.clock.now}); err != nil {
		return err
	}
	if h.tlog, err = tlog.New(h.events, h.trees, "clinic.example.com/audit", key("log"), &tlog.Options{Now: h.clock.now}); err != nil {
		return err
	}
	h.rec = sequenced{h.log, h.events}
	if h.x, err = newExporter(h); err != nil {
		return err
	}
	h.src = h.events
	return h.keep()
}

func newExporter(h *house) (*export.Exporter, error) {
	return export.New(h.events, h.tlog, h.rec, "clinic.example.com/export", key("export"), &export.Options{Now: h.clock.now})
}

// keep makes the keeper anew.
func (h *house) keep() (err error) {
	o := h.options
	o.Now = h.clock.now
	h.keeper, err = purge.New(purge.Parts{
		Source: h.src, Trees: h.tlog, Exporter: h.x, Recorder: h.rec, Bundles: h.bundles, Store: h.rows,
	}, &o)
	return err
}

// sequenced gives each event its place at once, as a log that runs does in a moment.
type sequenced struct {
	audit.Recorder
	events audit.Sequencer
}

func (s sequenced) Record(ctx context.Context, events ...audit.Event) error {
	if err := s.Recorder.Record(ctx, events...); err != nil {
		return err
	}
	_, err := s.events.Sequence(ctx, 1<<20)
	return err
}

func key(seed string) ed25519.PrivateKey {
	sum := sha256.Sum256([]byte(seed))
	return ed25519.NewKeyFromSeed(sum[:])
}

// as is a context of somebody of the staff.
func as(ctx context.Context, id audit.ActorID) context.Context {
	return audit.WithActor(ctx, audit.Actor{ID: id, Kind: audit.KindStaff, Tenant: clinic})
}

var bg = context.Background()

// add records n events at the time it is, about the patients m-0 to m-4, by u-0 to u-2.
func (h *house) add(t testing.TB, tenant audit.Tenant, n int) {
	t.Helper()
	require.NoError(t, h.fill(tenant, n))
}

func (h *house) fill(tenant audit.Tenant, n int) error {
	all := make([]audit.Event, n)
	for i := range all {
		all[i] = audit.Event{
			Tenant: tenant, Action: "patient.read", Verb: audit.Read,
			Actor:    audit.Actor{ID: audit.ActorID(fmt.Sprint("u-", i%3)), Kind: audit.KindStaff, Tenant: tenant},
			Patients: []audit.Patient{audit.Patient(fmt.Sprint("m-", i%5))},
			Objects:  []audit.Object{{Type: "note", ID: fmt.Sprint("n-", i)}},
		}
	}
	return h.rec.Record(bg, all...)
}

// old is a house with n events of 2017 and a few of today, covered.
func old(t testing.TB, n int) *house {
	t.Helper()
	h := newHouse(t)
	h.add(t, clinic, n)
	h.cover(t)
	h.clock.set(noon)
	h.add(t, clinic, 3)
	h.cover(t)
	return h
}

func (h *house) cover(t testing.TB) {
	t.Helper()
	_, err := h.tlog.Integrate(bg)
	require.NoError(t, err)
}

// left returns the places of the events of clinic that are there, the first first.
func (h *house) left(t testing.TB, f audit.Filter) []int64 {
	t.Helper()
	f.Tenant = clinic
	var out []int64
	for e, err := range h.events.List(bg, f, audit.Newest, 1<<20) {
		require.NoError(t, err)
		out = append([]int64{e.Index}, out...)
	}
	return out
}

// reads is how many of the events that add records are there.
func (h *house) reads(t testing.TB) int {
	t.Helper()
	return len(h.left(t, audit.Filter{Actions: []audit.Action{"patient.read"}}))
}

// actions returns how often each action is in the log.
func (h *house) actions(t testing.TB) map[audit.Action]int {
	t.Helper()
	out := map[audit.Action]int{}
	for e, err := range h.events.List(bg, audit.Filter{Tenant: clinic}, audit.Newest, 1<<20) {
		require.NoError(t, err)
		out[e.Action]++
	}
	return out
}

// purge has two people purge all that is old.
func (h *house) purge(t testing.TB) purge.Plan {
	t.Helper()
	p := h.propose(t)
	_, err := h.keeper.Approve(as(bg, "p-diaz"), clinic, p.ID, "seen")
	require.NoError(t, err)
	p, err = h.keeper.Resume(as(bg, "p-diaz"), clinic, p.ID)
	require.NoError(t, err)
	return p
}

func (h *house) propose(t testing.TB) purge.Plan {
	t.Helper()
	p, err := h.keeper.Propose(as(bg, "p-ada"), clinic, "older than seven years")
	require.NoError(t, err)
	return p
}

// place places a hold of p-ada.
func (h *house) place(t testing.TB, hold purge.Hold) purge.Hold {
	t.Helper()
	hold.Tenant, hold.Matter = clinic, "2026-014"
	out, err := h.keeper.Place(as(bg, "p-ada"), hold, "a claim")
	require.NoError(t, err)
	return out
}
