package tlog_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tlog"
	"github.com/wardkit/wardkit/internal/enginetest"
)

const benchEvents = 50_000

// BenchmarkVerify verifies a log that a hundred checkpoints cover.
func BenchmarkVerify(b *testing.B) {
	for name, open := range map[string]func() *house{
		"memory": func() *house { return &house{events: audit.NewMemory(), trees: tlog.NewMemory()} },
		"sqlite": func() *house { return over(b, enginetest.SQLite(b)) },
	} {
		b.Run(name, func(b *testing.B) {
			h := build(b, open(), "key", nil)
			for range 100 {
				h.add(b, clinic, benchEvents/100, "a")
				h.cover(b)
			}
			for b.Loop() {
				_, err := h.verify(nil)
				require.NoError(b, err)
			}
			b.ReportMetric(float64(benchEvents)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
