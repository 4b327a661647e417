package audit_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
)

// TestRecordAttributes: nobody passes a user's ID by hand.
func TestRecordAttributes(t *testing.T) {
	t.Parallel()
	log := newLog(t, audit.NewMemory(), nil)
	bare := audit.Event{Action: "a", Verb: audit.Read}
	require.ErrorIs(t, log.Record(t.Context(), bare), audit.ErrNoActor)
	_, err := log.Prepare(t.Context(), bare)
	require.ErrorIs(t, err, audit.ErrNoActor)
	_, err = audit.Attribute(t.Context(), bare)
	require.ErrorIs(t, err, audit.ErrNoActor)

	ctx, _ := audit.WithTrail(audit.WithActor(t.Context(), staff), audit.Discard{}, audit.Event{
		Correlation: audit.Correlation{Request: "req\x00" + strings.Repeat("x", audit.MaxID), Trace: "tr-1"},
		Client:      audit.Client{App: "web", Location: "ward 3"},
		Server:      audit.Server{ID: "not the log's"},
	})
	require.NoError(t, log.Record(ctx, bare), "whatever the request is called")
	own := bare
	own.Actor = audit.System("clinic-17", "job")
	own.Correlation.Request, own.Client.App = "mine", "cli"
	require.NoError(t, log.Record(ctx, own))
	evidence := bare
	evidence.Actor.Roles = []string{"therapist"}
	require.NoError(t, log.Record(ctx, evidence))
	half := bare
	half.Actor.ID = "u-1" // names somebody, if not well: the context's actor must not stand in
	require.ErrorContains(t, log.Record(ctx, half), "actor.kind")

	events := pages(t, log, audit.Query{Tenant: staff.Tenant})
	require.Len(t, events, 3)
	require.Equal(t, staff, events[2].Actor)
	require.True(t, strings.HasPrefix(events[2].Correlation.Request, "req_"), "a stand-in")
	require.Equal(t, "tr-1", events[2].Correlation.Trace)
	require.Equal(t, audit.Client{App: "web", Location: "ward 3"}, events[2].Client)
	require.Zero(t, events[2].Server, "who records is who records")

	require.Equal(t, audit.ActorID("system:job"), events[1].Actor.ID)
	require.Equal(t, audit.Correlation{Request: "mine"}, events[1].Correlation)
	require.Equal(t, audit.Client{App: "cli"}, events[1].Client)

	require.Equal(t, staff.ID, events[0].Actor.ID)
	require.Equal(t, []string{"therapist"}, events[0].Actor.Roles)
}

// TestPrepare: what a host's transaction stores is what Record would have stored.
func TestPrepare(t *testing.T) {
	t.Parallel()
	now := day(18)
	store := audit.NewMemory()
	log := newLog(t, store, &audit.Options{Now: clock(&now)})
	ctx := audit.WithActor(t.Context(), staff)
	entries, err := log.Prepare(ctx, fullEvent(), audit.Event{Action: "a", Verb: audit.Read, Patients: []audit.Patient{"p", "p", "q"}})
	require.NoError(t, err)
	require.Len(t, entries, 2)
	e := entries[0]
	require.Equal(t, int64(-1), e.Index)
	require.Equal(t, audit.Leaf(e.Body), e.Leaf)
	require.Equal(t, []audit.Patient{"p-1234", "p-1235"}, e.Patients)
	require.Equal(t, []audit.Ref{{Type: "session_note", ID: "o-77"}, {Type: "invoice"}}, e.Objects)
	require.Equal(t, []audit.Patient{"p", "q"}, entries[1].Patients)
	require.NotEmpty(t, e.Openings)
	require.NotContains(t, string(e.Body), "Court")
	page, err := log.Query(ctx, audit.Query{Tenant: "clinic-17"})
	require.NoError(t, err)
	require.Empty(t, page.Events, "nothing is written")

	require.NoError(t, store.Append(ctx, entries))
	opened, err := log.Open(ctx, e.Tenant, e.ID)
	require.NoError(t, err)
	why, _ := opened.Why.Reveal()
	require.Equal(t, "patient asked on the phone", why)
	require.NoError(t, log.Record(ctx, fullEvent()), "the same event, recorded again")
	require.Equal(t, 2, count(t, log))

	var invalid *audit.InvalidError
	_, err = log.Prepare(ctx, fullEvent(), audit.Event{Verb: audit.Read})
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, []string{"action"}, invalid.Missing)
	entries, err = log.Prepare(ctx)
	require.NoError(t, err)
	require.Empty(t, entries)
}
