package rbactest

import (
	"iter"
	"os"
	"strings"
	"testing"

	"github.com/wardkit/wardkit/rbac"
)

// UpdateVariable names the environment variable that makes Routes write its golden file.
const UpdateVariable = "RBACTEST_UPDATE"

// Routes asserts that the table of routes, one line each, is the golden file, and that
// nothing is wrong with them (Mux.Err). With RBACTEST_UPDATE=1 in the environment it writes
// the file instead.
func Routes(t testing.TB, m *rbac.Mux, golden string) {
	t.Helper()
	if err := m.Err(); err != nil {
		t.Errorf("rbactest: routes: %v", err)
	}
	var b strings.Builder
	for _, r := range m.Routes() {
		b.WriteString(r.String() + "\n")
	}
	if os.Getenv(UpdateVariable) != "" {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatalf("rbactest: routes: %v (%s=1 writes the file)", err, UpdateVariable)
	}
	if got := b.String(); got != strings.ReplaceAll(string(want), "\r\n", "\n") {
		t.Errorf("rbactest: the routes are not those of %s (%s=1 updates it):\n%s", golden, UpdateVariable, got)
	}
}

// Unguarded asserts that every route of a host's own router is one of m's: see
// rbac.Mux.Unguarded. A router without routes is an error, because then nothing was looked at.
func Unguarded(t testing.TB, m *rbac.Mux, routes iter.Seq2[string, string]) {
	t.Helper()
	some := false
	for range routes {
		some = true
		break
	}
	if !some {
		t.Errorf("rbactest: the router has no routes")
	}
	for _, r := range m.Unguarded(routes) {
		t.Errorf("rbactest: no guard decides %s", r)
	}
}
