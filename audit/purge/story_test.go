package purge_test

import (
	"bytes"
	"crypto/sha256"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/export"
	"github.com/wardkit/wardkit/audit/purge"
	"github.com/wardkit/wardkit/audit/tlog"
)

// What is older than seven years goes, and everything about it can still be proven.
func TestTwoPeoplePurgeWhatIsOld(t *testing.T) {
	t.Parallel()
	h := old(t, 1200)
	seen, err := h.keeper.Preview(bg, clinic)
	require.NoError(t, err)
	require.EqualValues(t, 1200, seen.Count)
	require.Equal(t, 84, seen.Months)

	p := h.propose(t)
	require.Equal(t, purge.Proposed, p.State)
	require.EqualValues(t, 1200, p.Count)
	require.Equal(t, []audit.Span{{From: 0, To: 1200}}, p.Spans)
	require.Equal(t, 1203, h.reads(t), "a proposal destroys nothing")

	p, err = h.keeper.Approve(as(bg, "p-diaz"), clinic, p.ID, "seen")
	require.NoError(t, err)
	require.Equal(t, purge.Approved, p.State)
	require.Equal(t, 1203, h.reads(t), "an approval destroys nothing")

	p, err = h.keeper.Resume(as(bg, "p-diaz"), clinic, p.ID)
	require.NoError(t, err)
	require.Equal(t, purge.Destroyed, p.State)
	require.Zero(t, p.Kept)
	require.Equal(t, 3, h.reads(t))

	events, manifest, err := h.keeper.Bundle(bg, clinic, p.ID)
	require.NoError(t, err)
	all, err := io.ReadAll(events)
	require.NoError(t, err)
	require.NoError(t, events.Close())
	require.Equal(t, sha256.Sum256(manifest), p.Export)
	v, err := export.Verify(bytes.NewReader(all), manifest, export.Keys{Export: h.x.VerifierKey(), Log: h.tlog.VerifierKey()}, nil)
	require.NoError(t, err)
	require.EqualValues(t, 1200, v.Manifest.Count)

	said := h.actions(t)
	require.Equal(t, 1, said[purge.ActionProposed])
	require.Equal(t, 1, said[purge.ActionApproved])
	require.Equal(t, 1, said[audit.ActionPurgeExecuted])
	require.Equal(t, 1, said[audit.ActionExportCreated])

	_, err = h.keeper.Propose(as(bg, "p-ada"), clinic, "again")
	require.ErrorIs(t, err, purge.ErrNothing)
}

// The event that says so names all that the verification of the rest needs.
func TestTheEventSaysWhatMayBeMissing(t *testing.T) {
	t.Parallel()
	h := old(t, 40)
	h.place(t, purge.Hold{Patient: "m-2"})
	p := h.purge(t)
	var found bool
	for e, err := range h.events.List(bg, audit.Filter{Tenant: clinic, Actions: []audit.Action{audit.ActionPurgeExecuted}}, audit.Newest, 2) {
		require.NoError(t, err)
		event, err := audit.Decode(e.Body)
		require.NoError(t, err)
		said, err := audit.PurgeOf(event, e.Index)
		require.NoError(t, err)
		require.Equal(t, audit.Purge{ID: p.ID, Spans: p.Spans, Newest: p.Newest, Months: 84, Export: p.Export, By: [2]audit.ActorID{"p-ada", "p-diaz"}}, said)
		missing, err := h.events.Purged(bg, clinic, 0, e.Index)
		require.NoError(t, err)
		require.Equal(t, said.Spans, missing)
		proof, err := h.tlog.Prove(bg, clinic, e.Index)
		require.NoError(t, err)
		require.NoError(t, proof.Check(h.tlog.VerifierKey(), e.Body))
		found = true
	}
	require.True(t, found)
	require.EqualValues(t, 32, p.Count)
	require.Len(t, h.left(t, audit.Filter{Patient: "m-2"}), 8+1+1, "the old ones, today's, and the hold's own event")
}

func TestTheRestIsVerifiable(t *testing.T) {
	t.Parallel()
	h := old(t, 700)
	before := h.tlog.Checkpoint()
	h.purge(t)
	h.cover(t)
	_, err := tlog.Verify(bg, h.events, h.trees, h.tlog.VerifierKey(), before, &tlog.VerifyOptions{Now: h.clock.now})
	require.NoError(t, err)
}

func TestSeveralPlans(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.options.Most = 50
	h.build(t)
	h.add(t, clinic, 120)
	h.cover(t)
	h.clock.set(noon)
	h.cover(t)
	for _, n := range []int64{50, 50, 20} {
		seen, err := h.keeper.Preview(bg, clinic)
		require.NoError(t, err)
		require.Equal(t, n == 50, seen.More)
		require.Equal(t, n, h.purge(t).Count)
		h.clock.pass(time.Hour)
	}
	require.Zero(t, h.reads(t))
	require.Len(t, h.left(t, audit.Filter{Actions: []audit.Action{audit.ActionPurgeExecuted}}), 3)
}

// Holds tear the places apart; the worst that one event can name is recorded and read again.
func TestManySpans(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for range 12 {
		h.add(t, clinic, 500)
	}
	h.cover(t)
	h.clock.set(noon)
	h.cover(t)
	h.place(t, purge.Hold{Actor: "u-1"})
	p := h.purge(t)
	require.Len(t, p.Spans, audit.MaxSpans)
	kept := h.left(t, audit.Filter{Actors: []audit.ActorID{"u-1"}})
	require.Len(t, kept, 12*167)
	h.clock.pass(time.Hour)
	h.purge(t)
	require.Len(t, h.left(t, audit.Filter{Actors: []audit.ActorID{"u-1"}}), len(kept))
}

// What is about a purge is never destroyed, however old it is.
func TestPurgesThatGrowOld(t *testing.T) {
	t.Parallel()
	h := old(t, 20)
	h.purge(t)
	h.cover(t)
	h.clock.set(noon.AddDate(20, 0, 0))
	p := h.purge(t)
	require.Zero(t, h.reads(t))
	said := h.actions(t)
	require.Equal(t, 2, said[audit.ActionPurgeExecuted])
	require.Equal(t, 2, said[purge.ActionApproved])
	require.Greater(t, p.Count, int64(3))
	h.clock.pass(time.Hour)
	_, err := h.keeper.Propose(as(bg, "p-ada"), clinic, "again")
	require.ErrorIs(t, err, purge.ErrNothing)
}

// An event goes on the day it may, not a moment before; Months have no fixed length.
func TestTheDay(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	leap := time.Date(2020, 2, 29, 23, 0, 0, 0, time.UTC)
	h.clock.set(leap)
	h.add(t, clinic, 1)
	h.cover(t)
	h.clock.set(leap.Add(2 * time.Hour)) // 1 March, 01:00
	h.add(t, clinic, 1)
	h.cover(t)
	count := func(at time.Time) int64 {
		h.clock.set(at)
		p, err := h.keeper.Preview(bg, clinic)
		require.NoError(t, err)
		return p.Count
	}
	require.Zero(t, count(time.Date(2027, 3, 1, 0, 59, 0, 0, time.UTC)))
	require.EqualValues(t, 1, count(time.Date(2027, 3, 1, 3, 1, 0, 0, time.UTC)), "the younger one goes first: seven years after 29 February is 1 March")
	require.EqualValues(t, 2, count(time.Date(2027, 3, 2, 1, 1, 0, 0, time.UTC)))
}

// What says that it is old, and was signed for the first time lately, is young.
func TestEventsThatWereImported(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.add(t, clinic, 10)
	h.clock.set(noon)
	h.cover(t)
	_, err := h.keeper.Propose(as(bg, "p-ada"), clinic, "")
	require.ErrorIs(t, err, purge.ErrNothing)
	h.clock.set(noon.AddDate(7, 0, 1))
	require.EqualValues(t, 10, h.purge(t).Count)
}
