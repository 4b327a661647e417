package auditsql_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
)

// bodies returns canonical bytes of many kinds of events.
func bodies(t testing.TB) []audit.Stored {
	t.Helper()
	text, err := os.ReadFile("../testdata/v1.txt")
	require.NoError(t, err)
	var out []audit.Stored
	for line := range strings.Lines(string(text)) {
		_, body, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		require.True(t, ok)
		e, err := audit.Decode([]byte(body))
		require.NoError(t, err)
		out = append(out, audit.Stored{Event: e, Body: []byte(body)})
	}
	require.NotEmpty(t, out)
	return out
}

func pack(e audit.Stored) []byte {
	return auditsql.Pack(e.Body, string(e.Tenant), auditsql.IDBytes(e.ID), e.Recorded.UnixMicro())
}

func unpack(e audit.Stored, packed []byte) ([]byte, bool) {
	return auditsql.Unpack(packed, string(e.Tenant), auditsql.IDBytes(e.ID), e.Recorded.UnixMicro())
}

func TestPack(t *testing.T) {
	t.Parallel()
	for _, e := range bodies(t) {
		packed := pack(e)
		require.Less(t, len(packed), len(e.Body)*2/3)
		got, ok := unpack(e, packed)
		require.True(t, ok)
		require.Equal(t, string(e.Body), string(got))
		for i := range packed {
			_, _ = unpack(e, packed[:i]) // whatever it is, no panic
		}
	}
}

// TestUnpackEveryToken: whatever a forged row says the length or the number of something is, it is
// refused or unpacked.
func TestUnpackEveryToken(t *testing.T) {
	t.Parallel()
	e := bodies(t)[0]
	for token := range 256 {
		for says := range 256 {
			for _, more := range []int{0, 1, 7, 15, 31, says - 2, says - 1, says, says + 1} {
				_, _ = unpack(e, append([]byte{1, byte(token), byte(says)}, make([]byte, max(more, 0))...))
			}
		}
	}
}

// TestPackOfEveryRelease unpacks what was packed when the form was made.
func TestPackOfEveryRelease(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/packed.txt")
	require.NoError(t, err)
	n := 0
	for line := range strings.Lines(string(text)) {
		part := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 5)
		require.Len(t, part, 5)
		recorded, err := strconv.ParseInt(part[1], 10, 64)
		require.NoError(t, err)
		packed, err := hex.DecodeString(part[3])
		require.NoError(t, err)
		got, ok := auditsql.Unpack(packed, part[2], auditsql.IDBytes(part[0]), recorded)
		require.True(t, ok)
		require.Equal(t, part[4], string(got))
		n++
	}
	require.Greater(t, n, 3)
}

func FuzzPack(f *testing.F) {
	for _, e := range bodies(f) {
		f.Add(e.Body, "clinic-17", int64(1))
	}
	f.Add([]byte("\x01\x00\xff"), "", int64(0))
	f.Add([]byte(`"0193a5c0-7c4f-7abc-8def-0123456789ab"2026-11-21T18:00:00.123456Z"abcdef0123456789"a"b`), `a"b`, int64(-1))
	f.Fuzz(func(t *testing.T, body []byte, tenant string, recorded int64) {
		if len(body) > audit.MaxBody {
			return
		}
		id := bytes.Repeat([]byte{byte(recorded)}, 16)
		got, ok := auditsql.Unpack(auditsql.Pack(body, tenant, id, recorded), tenant, id, recorded)
		require.True(t, ok)
		require.True(t, bytes.Equal(body, got))
	})
}

func FuzzUnpack(f *testing.F) {
	for _, e := range bodies(f) {
		f.Add(pack(e))
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		got, ok := auditsql.Unpack(packed, "clinic-17", make([]byte, 16), 1)
		if ok && len(got) > audit.MaxBody {
			t.Fatal("larger than any event")
		}
	})
}

func BenchmarkPack(b *testing.B) {
	e := benchEvent(b)
	b.Run("pack", func(b *testing.B) {
		b.ReportMetric(float64(len(e.Body)), "bytes")
		b.ReportMetric(float64(len(pack(e))), "packed")
		for b.Loop() {
			pack(e)
		}
	})
	packed := pack(e)
	b.Run("unpack", func(b *testing.B) {
		for b.Loop() {
			unpack(e, packed)
		}
	})
}

func benchEvent(t testing.TB) audit.Stored {
	now := time.Unix(1_800_000_000, 123_456_000).UTC()
	e := event("note.read")
	e.ID, e.Recorded = audit.NewID(now), now
	e.Actor.AuthTime, e.Actor.Methods, e.Actor.Assurance = now.Truncate(time.Hour), []string{"pwd", "otp"}, audit.AAL2
	e.Objects = []audit.Object{{Type: "note", ID: "note-00000123", Category: "notes"}}
	e.Patients = []audit.Patient{"patient-000123"}
	e.Purpose = "TREAT"
	e.Decision = audit.Decision{Rule: "own-patients", Scope: "own"}
	e.Correlation = audit.Correlation{Request: "0123456789abcdef"}
	body, err := audit.Encode(e)
	require.NoError(t, err)
	return audit.Stored{Event: e, Body: body}
}
