package main

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/rbac"
)

// openHere opens a clinic in this process.
func openHere(t *testing.T, args ...string) *app {
	t.Helper()
	c, err := parseConfig(append([]string{"-data", t.TempDir(), "-url", "http://localhost:8080"}, args...))
	require.NoError(t, err)
	a, err := open(t.Context(), c, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(a.close)
	return a
}

// TestViewersOfMany: a patient with 10,000 events is told of each viewer once, with all of them
// counted, and nobody by an identifier.
func TestViewersOfMany(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			var args []string
			if engine == "postgres" {
				_, url := enginetest.PostgresSchema(t)
				args = []string{"-db", url}
			}
			a := openHere(t, args...)
			many := 10_000
			if testing.Short() {
				many = 1_000
			}
			require.NoError(t, a.staff.put(t.Context(), member{"u-known", "Tomas Berg", "tomas@example.com"}))
			batch := make([]audit.Event, 0, 100)
			for i := range many {
				actor := audit.Actor{ID: "u-known", Kind: audit.KindStaff, Tenant: tenant, Roles: []string{string(rbac.Therapist)}}
				switch i % 5 {
				case 1:
					actor = audit.Actor{ID: audit.ActorID(fmt.Sprint("u-gone-", i%3)), Kind: audit.KindStaff, Tenant: tenant}
				case 2:
					actor = audit.Actor{ID: "u-ava", Kind: audit.KindPatient, Tenant: tenant}
				case 3:
					actor = audit.Actor{ID: "m-1", Kind: audit.KindAgent, Tenant: tenant, OnBehalfOf: "u-known"}
				case 4:
					actor = audit.System(tenant, "secret-job")
				}
				batch = append(batch, audit.Event{
					Tenant: tenant, Actor: actor, Action: patientRead.Name(), Verb: audit.Read, Outcome: audit.Success,
					Patients: []audit.Patient{"p-ava"}, Objects: []audit.Object{{Type: "patient", ID: "p-ava"}},
				})
				if len(batch) == cap(batch) {
					require.NoError(t, a.log.Record(t.Context(), batch...))
					batch = batch[:0]
				}
			}
			other := audit.Event{Tenant: tenant, Actor: audit.Actor{ID: "u-else", Kind: audit.KindStaff, Tenant: tenant}, Action: noteRead.Name(), Verb: audit.Read, Patients: []audit.Patient{"p-ben"}}
			require.NoError(t, a.log.Record(t.Context(), other))
			ctx := audit.WithActor(t.Context(), audit.Actor{ID: "u-ava", Kind: audit.KindPatient, Tenant: tenant})
			began := time.Now()
			rows, err := a.viewers(ctx, "p-ava", allTime, time.Now())
			require.NoError(t, err)
			t.Logf("%d events in %v", many, time.Since(began))
			total, names := 0, map[string]int{}
			for _, r := range rows {
				total += r.Times
				names[r.Who]++
				for _, text := range append(r.Did, r.Who, r.Role) {
					require.NotRegexp(t, `u-|m-1|p-ben|secret|patient\.read`, text)
				}
			}
			require.Equal(t, many, total)
			require.Equal(t, map[string]int{"Tomas Berg": 1, "Somebody who worked here then": 3, "You": 1, "An AI agent, for Tomas Berg": 1, "The clinic’s server": 1}, names)
		})
	}
}

// TestOnlyPatientsHaveTheirOwn: a proxy, a program, a member of the team or nobody has no record of
// their own, whatever the portal's table says.
func TestOnlyPatientsHaveTheirOwn(t *testing.T) {
	t.Parallel()
	a := openHere(t)
	_, err := a.portal.prepare(t.Context(), "p-ava", "u-ava")
	require.NoError(t, err)
	for _, kind := range []audit.Kind{audit.KindProxy, audit.KindStaff, audit.KindService, audit.KindAgent, audit.KindSystem, audit.KindAnonymous, ""} {
		ctx := audit.WithActor(t.Context(), audit.Actor{ID: "u-ava", Kind: kind, Tenant: tenant})
		_, err := a.ownPatient(ctx, nil)
		require.ErrorIs(t, err, rbac.ErrNotFound, kind)
	}
	_, err = a.ownPatient(t.Context(), nil)
	require.ErrorIs(t, err, rbac.ErrNotFound)
}

// TestNamesForPatients: whoever it was, the patient reads words.
func TestNamesForPatients(t *testing.T) {
	t.Parallel()
	me := audit.Actor{ID: "u-ava", Kind: audit.KindPatient}
	for _, kind := range []audit.Kind{audit.KindStaff, audit.KindPatient, audit.KindProxy, audit.KindSystem, audit.KindAgent, audit.KindService, audit.KindAnonymous, "new"} {
		name := viewerName(audit.Viewer{Actor: "x-1", OnBehalfOf: "x-2", Kind: kind}, me, nil)
		require.NotContains(t, name, "x-", kind)
		require.NotEmpty(t, name)
	}
	require.Equal(t, otherDeed, viewerDeed(actionDisclosed))
	require.Equal(t, otherDeed, viewerDeed(disclosureRecord.Name()))
	require.Equal(t, otherDeed, viewerDeed("something.new"))
}

// TestHarmless: no cell begins a formula, and every text survives.
func TestHarmless(t *testing.T) {
	t.Parallel()
	for in, out := range map[string]string{
		"": "", "plain": "plain", "=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "  =1": "'  =1", "\t=1": "'\t=1", "＝1": "'＝1", "a=1": "a=1", " ": " ",
	} {
		require.Equal(t, out, harmless(in))
	}
}

// TestHeldBack: until the day is over, and for ever where the day cannot be read.
func TestHeldBack(t *testing.T) {
	t.Parallel()
	a := openHere(t)
	n := 0
	held := a.heldBack(&n)
	today := time.Now().In(a.config.zone)
	for text, want := range map[string]bool{
		"": false, today.Format(time.DateOnly): true, today.AddDate(0, 0, -2).Format(time.DateOnly): false, today.AddDate(1, 0, 0).Format(time.DateOnly): true, "soon": true,
	} {
		is, err := held(context.Background(), audit.Event{Detail: map[string]string{heldUntil: text}})
		require.NoError(t, err)
		require.Equal(t, want, is, text)
	}
	require.Equal(t, 3, n)
}
