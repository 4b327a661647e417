package audit_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
)

// told records that something was disclosed about p-1, some hours after noon of the first of March
// of a year.
func told(t testing.TB, log *audit.Log, now *time.Time, at time.Time, recipient string, change func(*audit.Event)) {
	t.Helper()
	*now = at
	e := audit.Event{
		Action: "record.disclose", Verb: audit.Read, Actor: staff, Patients: []audit.Patient{"p-1"}, Purpose: "PUBHLTH",
		Disclosure: &audit.Disclosure{Recipient: audit.NewPrivate(recipient), Address: audit.NewPrivate("1 Main St"), Description: "a test result", Authority: "164.512(b)"},
	}
	if change != nil {
		change(&e)
	}
	require.NoError(t, log.Record(t.Context(), e))
}

func march(year int) time.Time { return time.Date(year, 3, 1, 12, 0, 0, 0, time.UTC) }

// TestDisclosures is what 45 CFR 164.528 asks for: six years, each disclosure with date,
// recipient, address, description and purpose, and a series as one entry.
func TestDisclosures(t *testing.T) {
	t.Parallel()
	now := march(2019)
	log := newLog(t, audit.NewMemory(), &audit.Options{Now: clock(&now)})
	told(t, log, &now, march(2019), "too old", nil)
	told(t, log, &now, march(2021), "County Health", nil)
	told(t, log, &now, march(2022), "County Health", nil)
	told(t, log, &now, march(2022).Add(time.Hour), "Court", func(e *audit.Event) {
		e.Disclosure.Authority, e.Purpose, e.Disclosure.Address = "164.512(e)", "LEGAL", audit.Private{}
		e.Occurred.Start = march(2020).Add(48 * time.Hour) // it happened before it was entered
	})
	told(t, log, &now, march(2022).Add(2*time.Hour), "entered late, and too old", func(e *audit.Event) { e.Occurred.Start = march(2019) })
	told(t, log, &now, march(2023), "Registry", func(e *audit.Event) {
		e.Disclosure.Count, e.Disclosure.Frequency, e.Disclosure.Last = 12, "monthly", march(2024)
	})
	told(t, log, &now, march(2024), "Registry", func(e *audit.Event) { e.Disclosure.Count = 2 })
	told(t, log, &now, march(2024), "nobody, it was refused", func(e *audit.Event) { e.Outcome, e.Code = audit.Failure, "denied" })
	told(t, log, &now, march(2024), "about somebody else", func(e *audit.Event) { e.Patients = []audit.Patient{"p-2"} })
	told(t, log, &now, march(2024), "another tenant", func(e *audit.Event) { e.Tenant, e.Actor.Tenant = "other", "other" })
	require.NoError(t, log.Record(t.Context(), audit.Event{Action: "patient.read", Verb: audit.Read, Actor: staff, Patients: []audit.Patient{"p-1"}}))
	told(t, log, &now, march(2025), "County Health", func(e *audit.Event) { e.Purpose = "LEGAL" })
	now = march(2026)

	got, err := log.Disclosures(t.Context(), audit.Subject{Tenant: staff.Tenant, Patient: "p-1"}, nil)
	require.NoError(t, err)
	require.Equal(t, audit.Period{Start: march(2020), End: march(2026)}, got.Period)
	for i := range got.Disclosures {
		require.NotEmpty(t, got.Disclosures[i].Events)
		got.Disclosures[i].Events = make([]string, len(got.Disclosures[i].Events))
	}
	one := make([]string, 1)
	require.Equal(t, []audit.Disclosed{
		{First: march(2020).Add(48 * time.Hour), Last: march(2020).Add(48 * time.Hour), Count: 1, Recipient: "Court", Description: "a test result", Purpose: "LEGAL", Authority: "164.512(e)", Events: one},
		{First: march(2021), Last: march(2022), Count: 2, Recipient: "County Health", Address: "1 Main St", Description: "a test result", Purpose: "PUBHLTH", Authority: "164.512(b)", Events: make([]string, 2)},
		{First: march(2023), Last: march(2024), Count: 14, Frequency: "monthly", Recipient: "Registry", Address: "1 Main St", Description: "a test result", Purpose: "PUBHLTH", Authority: "164.512(b)", Events: make([]string, 2)},
		{First: march(2025), Last: march(2025), Count: 1, Recipient: "County Health", Address: "1 Main St", Description: "a test result", Purpose: "LEGAL", Authority: "164.512(b)", Events: one},
	}, got.Disclosures)

	got, err = log.Disclosures(t.Context(), audit.Subject{Tenant: staff.Tenant, Patient: "p-1", Period: audit.Period{Start: march(2023), End: march(2025)}}, nil)
	require.NoError(t, err)
	require.Len(t, got.Disclosures, 1, "a shorter period, without its end")
}

// TestSuspendedDisclosures: what an agency has had suspended is left out without a trace, and
// not being able to ask ends the report (164.528(a)(2)).
func TestSuspendedDisclosures(t *testing.T) {
	t.Parallel()
	now := march(2025)
	log := newLog(t, audit.NewMemory(), &audit.Options{Now: clock(&now)})
	told(t, log, &now, march(2025), "Registry", nil)
	told(t, log, &now, march(2025), "Agency", func(e *audit.Event) { e.Action = "record.disclose.oversight" })
	s := audit.Subject{Tenant: staff.Tenant, Patient: "p-1"}
	got, err := log.Disclosures(t.Context(), s, func(_ context.Context, e audit.Event) (bool, error) {
		return e.Action == "record.disclose.oversight", nil
	})
	require.NoError(t, err)
	require.Len(t, got.Disclosures, 1)
	require.Equal(t, "Registry", got.Disclosures[0].Recipient)
	_, err = log.Disclosures(t.Context(), s, func(context.Context, audit.Event) (bool, error) { return false, errors.New(leak) })
	require.ErrorIs(t, err, audit.ErrUnavailable)
	require.NotContains(t, err.Error(), leak)
}

// TestErasedDisclosures: an accounting never looks complete where the recipient is gone.
func TestErasedDisclosures(t *testing.T) {
	t.Parallel()
	now := march(2025)
	log := newLog(t, audit.NewMemory(), &audit.Options{Now: clock(&now)})
	told(t, log, &now, march(2025), "Registry", nil)
	told(t, log, &now, march(2025), "Registry", nil)
	s := audit.Subject{Tenant: staff.Tenant, Patient: "p-1"}
	got, err := log.Disclosures(t.Context(), s, nil)
	require.NoError(t, err)
	require.Len(t, got.Disclosures, 1)
	require.Equal(t, 2, got.Disclosures[0].Count)
	ctx := audit.WithActor(t.Context(), staff)
	require.NoError(t, log.Erase(ctx, staff.Tenant, audit.NewPrivate("request 12"), got.Disclosures[0].Events...))
	got, err = log.Disclosures(t.Context(), s, nil)
	require.NoError(t, err)
	require.Len(t, got.Disclosures, 2, "nobody can tell that they went to the same")
	for _, d := range got.Disclosures {
		require.True(t, d.Erased)
		require.Empty(t, d.Recipient)
	}
}

// TestViewers: who, in which roles, why, what kind of data, how often and when; and nothing of
// anybody else.
func TestViewers(t *testing.T) {
	t.Parallel()
	now := march(2025)
	log := newLog(t, audit.NewMemory(), &audit.Options{Now: clock(&now)})
	saw := func(at time.Time, change func(*audit.Event)) {
		now = at
		e := audit.Event{
			Action: "patient.read", Verb: audit.Read, Actor: staff, Patients: []audit.Patient{"p-1"}, Purpose: "TREAT",
			Objects: []audit.Object{{Type: "patient", ID: "p-1", Category: "demographics"}},
		}
		e.Actor.Roles = []string{"therapist"}
		if change != nil {
			change(&e)
		}
		require.NoError(t, log.Record(t.Context(), e))
	}
	saw(march(2018), func(e *audit.Event) { e.Actor.ID = "u-long-ago" })
	saw(march(2025), nil)
	saw(march(2025).Add(time.Hour), func(e *audit.Event) {
		e.Action, e.Objects = "note.read", []audit.Object{{Type: "note", ID: "n-1"}}
		e.Actor.Roles, e.Actor.Emergency, e.Purpose = []string{"admin", "therapist"}, "g-1", "ETREAT"
	})
	saw(march(2025).Add(2*time.Hour), func(e *audit.Event) {
		e.Patients = []audit.Patient{"p-1", "p-2"}
		e.Objects[0].Category = "somebody else's"
	})
	saw(march(2025).Add(3*time.Hour), func(e *audit.Event) {
		e.Actor.ID, e.Actor.Kind, e.Actor.OnBehalfOf = "agent-1", audit.KindAgent, "u-9"
	})
	saw(march(2025).Add(4*time.Hour), func(e *audit.Event) { e.Actor.ID, e.Outcome, e.Code = "u-curious", audit.Failure, "denied" })
	saw(march(2025).Add(4*time.Hour), func(e *audit.Event) { e.Patients = []audit.Patient{"p-2"} })
	now = march(2025).Add(5 * time.Hour)

	got, err := log.Viewers(t.Context(), audit.Subject{Tenant: staff.Tenant, Patient: "p-1"})
	require.NoError(t, err)
	require.Equal(t, []audit.Viewer{
		{
			Actor: "agent-1", Kind: audit.KindAgent, OnBehalfOf: "u-9", Roles: []string{"therapist"}, Purposes: []string{"TREAT"},
			Categories: []string{"demographics"}, Actions: []audit.Action{"patient.read"}, Times: 1,
			First: march(2025).Add(3 * time.Hour), Last: march(2025).Add(3 * time.Hour),
		},
		{
			Actor: "u-9", Kind: audit.KindStaff, Roles: []string{"admin", "therapist"}, Purposes: []string{"ETREAT", "TREAT"},
			Categories: []string{"demographics", "note"}, Actions: []audit.Action{"note.read", "patient.read"}, Emergency: true, Times: 3,
			First: march(2025), Last: march(2025).Add(2 * time.Hour),
		},
	}, got.Viewers)
}

// TestReportsAskForEverything: without tenant or patient there is no report, a foreign tenant has
// an empty one, and what is recorded at this very moment is in it.
func TestReportsAskForEverything(t *testing.T) {
	t.Parallel()
	now := march(2025)
	log := newLog(t, audit.NewMemory(), &audit.Options{Now: clock(&now)})
	told(t, log, &now, march(2025), "Registry", nil)
	for _, s := range []audit.Subject{
		{},
		{Tenant: staff.Tenant},
		{Patient: "p-1"},
		{Tenant: staff.Tenant, Patient: "p\n1"},
		{Tenant: staff.Tenant, Patient: "p-1", Period: audit.Period{Start: march(2025), End: march(2024)}},
	} {
		_, err := log.Disclosures(t.Context(), s, nil)
		require.ErrorIs(t, err, audit.ErrBadQuery, fmt.Sprint(s))
		_, err = log.Viewers(t.Context(), s)
		require.ErrorIs(t, err, audit.ErrBadQuery)
	}
	views, err := log.Viewers(t.Context(), audit.Subject{Tenant: "other", Patient: "p-1"})
	require.NoError(t, err)
	require.Empty(t, views.Viewers)
	views, err = log.Viewers(t.Context(), audit.Subject{Tenant: staff.Tenant, Patient: "p-1"})
	require.NoError(t, err)
	require.Len(t, views.Viewers, 1)
}
