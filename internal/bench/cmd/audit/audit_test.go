package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
)

// TestMain lets the test's program be the second process too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == childArg {
		if err := child(context.Background(), os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A short campaign measures every cell, and finds every event that was acknowledged.
func TestTheCampaignRuns(t *testing.T) {
	c, err := parse([]string{"-dir", t.TempDir(), "-rounds", "1", "-seconds", "0.05", "-sizes", "1000"})
	require.NoError(t, err)
	var out bytes.Buffer
	c.out = &out
	require.NoError(t, run(t.Context(), c))
	want := []string{"| wardkit, SQLite | 256 |", "| SQLite | 1 |", "| SQLite | 1000 |", "| rare action, 90 days |"}
	if c.postgres != "" {
		want = append(want, "| wardkit, PostgreSQL, two processes | 256 |", "| PostgreSQL | 16 |", "| PostgreSQL | 1000 |")
	}
	for _, line := range want {
		require.Contains(t, out.String(), line)
	}
	left, err := os.ReadDir(c.dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

// The events of the workload have the length that the tables speak of, and those that a host
// encodes by hand are not longer.
func TestAnEventHasAbout400Bytes(t *testing.T) {
	log, err := audit.New(audit.NewMemory(), audit.DropOpenings{}, nil)
	require.NoError(t, err)
	sum, plain := 0, 0
	for _, next := range sources(100, event) {
		e := next()
		entries, err := log.Prepare(t.Context(), e)
		require.NoError(t, err)
		sum += len(entries[0].Body)
		body, err := encodePlain(&e, entries[0].ID)
		require.NoError(t, err)
		plain += len(body)
	}
	require.InDelta(t, 400, sum/100, 40)
	require.InDelta(t, 385, plain/100, 25, "and no longer than the others")
}

func BenchmarkAuditRecord(b *testing.B) {
	memory := opener{name: "memory"}
	for _, c := range []struct {
		name    string
		opener  opener
		writers int
	}{
		{"memory", memory, 1},
		{"SQLite", engines(&config{})[0], 1},
		{"SQLite, 256 writers", engines(&config{})[0], 256},
	} {
		b.Run(c.name, func(b *testing.B) {
			var store audit.Store = audit.NewMemory()
			if c.opener.open != nil {
				e, err := c.opener.open(b.Context(), b.TempDir())
				require.NoError(b, err)
				b.Cleanup(func() { require.NoError(b, e.close()) })
				store = e.store
			}
			log, err := newLog(b.Context(), store, false)
			require.NoError(b, err)
			next := sources(1, event)[0]
			events := make([]audit.Event, 1024) // or the benchmark would measure how they are made
			for i := range events {
				events[i] = next()
			}
			b.ReportAllocs()
			record(b, log, events, c.writers)
		})
	}
}

// record records so many events as the benchmark asks for; a parallel one starts writers for
// each CPU.
func record(b *testing.B, log *audit.Log, events []audit.Event, writers int) {
	if writers == 1 {
		for i := 0; b.Loop(); i++ {
			require.NoError(b, log.Record(b.Context(), events[i%len(events)]))
		}
		return
	}
	b.SetParallelism(writers / 2)
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if err := log.Record(b.Context(), events[i%len(events)]); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkAuditRecordTx is a host's transaction of one insert, without and with RecordTx.
func BenchmarkAuditRecordTx(b *testing.B) {
	for _, o := range engines(&config{postgres: os.Getenv("WARDKIT_POSTGRES")}) {
		for _, with := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s, recording %t", o.name, with), func(b *testing.B) {
				h, err := newHost(b.Context(), o, b.TempDir())
				require.NoError(b, err)
				b.Cleanup(func() { require.NoError(b, h.close()) })
				next := sources(1, event)[0]
				for b.Loop() {
					require.NoError(b, h.insert(b.Context(), next(), txKind{row: true, record: with}))
				}
			})
		}
	}
}

// BenchmarkAuditPage is one page of 50 of a small log.
func BenchmarkAuditPage(b *testing.B) {
	ctx := b.Context()
	a, err := openArchive(ctx, &config{out: io.Discard}, "SQLite", b.TempDir(), 20_000, time.Now())
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, a.close()) })
	for _, q := range questions() {
		b.Run(q.name, func(b *testing.B) {
			r := random(1)
			b.ReportAllocs()
			for b.Loop() {
				_, err := q.ask(ctx, a, r)
				require.NoError(b, err)
			}
		})
	}
}
