package session_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

// BenchmarkHandler is one request with a live session over the memory store: cookie,
// cross-origin check, look-up, actor and session in the context.
func BenchmarkHandler(b *testing.B) {
	m, err := session.New(session.NewMemory(), audit.Discard{}, session.RemoteAddr, nil)
	if err != nil {
		b.Fatal(err)
	}
	token, err := m.Start(b.Context(), staff(ann))
	if err != nil {
		b.Fatal(err)
	}
	h := m.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		r, w := get(token), httptest.NewRecorder()
		for pb.Next() {
			h.ServeHTTP(w, r)
		}
	})
}
