package export_test

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/audit/export"
	"github.com/wardkit/wardkit/audit/fhir"
	"github.com/wardkit/wardkit/internal/enginetest"
)

const benchEvents = 20_000

// bulk fills a house quickly.
func bulk(b *testing.B, events store) *house {
	b.Helper()
	h := newHouse(b, events)
	var all []audit.Entry
	for i := range benchEvents {
		at := noon.Add(time.Duration(i) * time.Millisecond)
		e := audit.Event{
			ID: audit.NewID(at), Tenant: clinic, Recorded: at, Action: "patient.read", Verb: audit.Read, Purpose: "TREAT",
			Actor: staff, Patients: []audit.Patient{"p-1"}, Objects: []audit.Object{{Type: "note", ID: "n-1", Category: "notes"}},
			Correlation: audit.Correlation{Request: "0193a5c0-7c4f-7abc-8def-000000000000"}, Client: audit.Client{App: "web"},
		}
		body, err := audit.Encode(e)
		require.NoError(b, err)
		all = append(all, audit.Entry{Tenant: clinic, ID: e.ID, Recorded: at, Actor: e.Actor.ID, Action: e.Action, Patients: e.Patients, Body: body, Leaf: audit.Leaf(body)})
	}
	for len(all) > 0 {
		n := min(len(all), 500)
		require.NoError(b, h.events.Append(b.Context(), all[:n]))
		all = all[n:]
	}
	h.add(b, 1, nil)
	return h
}

func report(b *testing.B) {
	b.ReportMetric(float64(benchEvents)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkVerify(b *testing.B) {
	h := bulk(b, audit.NewMemory())
	file, manifest := h.export(b, export.Request{})
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		_, err := export.Verify(bytes.NewReader(file), manifest, h.keys(), nil)
		require.NoError(b, err)
	}
	report(b)
}

func BenchmarkExport(b *testing.B) {
	for name, encoder := range map[string]export.Encoder{"jsonl": export.JSONLines{}, "csv": export.CSV{}, "fhir": fhir.AuditEvents{}} {
		b.Run(name, func(b *testing.B) {
			e := enginetest.SQLite(b)
			s, err := auditsql.SQLite(e.Pool)
			require.NoError(b, err)
			require.NoError(b, s.Migrate(b.Context()))
			h := bulk(b, s)
			ctx := audit.WithActor(context.Background(), staff)
			for b.Loop() {
				_, err := h.x.Export(ctx, io.Discard, export.Request{Tenant: clinic, Encoder: encoder})
				require.NoError(b, err)
			}
			report(b)
		})
	}
}
