package fhir_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit/export/exporttest"
	"github.com/wardkit/wardkit/audit/fhir"
)

func BenchmarkAppend(b *testing.B) {
	for name, e := range map[string]string{"read": "read", "full": "full"} {
		b.Run(name, func(b *testing.B) {
			entry, err := exporttest.Entry(exporttest.Shapes()[e], 12)
			require.NoError(b, err)
			var room []byte
			b.ReportAllocs()
			for b.Loop() {
				room, _ = fhir.AuditEvents{}.Append(room[:0], &entry)
			}
			b.SetBytes(int64(len(room)))
		})
	}
}
