package audithttp_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audithttp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sink is a response writer that costs nothing, so that what is measured is the wrapper's.
type sink struct{ header http.Header }

func (s sink) Header() http.Header         { return s.header }
func (s sink) WriteHeader(int)             {}
func (s sink) Write(p []byte) (int, error) { return len(p), nil }

// exempt writes body as a response that nobody has to record, so that the cost of the
// decision, which is audit's, is not counted.
func exempt(t testing.TB, body string) http.Handler {
	t.Helper()
	held, err := audithttp.Hold(audit.Discard{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = audit.Exempt(r.Context(), "measured")
		_, _ = io.WriteString(w, body)
	}), nil)
	require.NoError(t, err)
	return held
}

func TestAllocations(t *testing.T) {
	held := exempt(t, "hello")
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	w := sink{http.Header{}}
	got := testing.AllocsPerRun(200, func() {
		clear(w.header)
		held.ServeHTTP(w, r)
	})
	require.LessOrEqual(t, got, 20.0)
}

func BenchmarkHold(b *testing.B) {
	for _, c := range []struct {
		name string
		size int
	}{{"100B", 100}, {"32KiB", 32 << 10}, {"1MiB", 1 << 20}} {
		held := exempt(b, strings.Repeat("x", c.size))
		b.Run(c.name, func(b *testing.B) {
			r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
			w := sink{http.Header{}}
			b.ReportAllocs()
			b.SetBytes(int64(c.size))
			for b.Loop() {
				clear(w.header)
				held.ServeHTTP(w, r)
			}
		})
	}
}

// BenchmarkHoldRecorded is a whole guarded request but for the store: decided, seen, held.
func BenchmarkHoldRecorded(b *testing.B) {
	held, err := audithttp.Hold(audit.Discard{}, guarded(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "hello")
	}), nil)
	require.NoError(b, err)
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	w := sink{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		held.ServeHTTP(w, r)
	}
}
