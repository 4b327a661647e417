package emergency_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/emergency"
)

// reads returns what a review lists as read under g.
func reads(m *memo, g emergency.Grant) (out []audit.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := g.Query()
	for _, e := range m.events {
		named := slices.ContainsFunc(e.Objects, func(o audit.Object) bool { return o.Type == q.ResourceType && o.ID == q.ResourceID })
		if named && g.Read(e) {
			out = append(out, e)
		}
	}
	return out
}

// TestReviewsFindTheRowsOfAPostedList: the guard of a POST makes the decision durable before its handler
// runs, so the rows land in a further event.
func TestReviewsFindTheRowsOfAPostedList(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	g := h.opens("ana", "p1")
	mux := rbac.NewMux(h.z, nil)
	rbac.HandleList(mux, "POST /find", h.read, func(_ http.ResponseWriter, r *http.Request, f rbac.Filter[chart]) {
		ok, err := f.Match(r.Context(), patient("p1"))
		require.True(t, ok && err == nil)
		require.NoError(t, audit.Seen(r.Context(), "p1", audit.Object{Type: "chart", ID: "p1"}))
	})
	ctx := h.by("ana")
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/find", nil).WithContext(ctx))
	require.Equal(t, http.StatusOK, w.Code)
	require.NoError(t, audit.Flush(ctx))
	require.Len(t, reads(h.rec, g), 1)
}

// TestAListEndsWithItsEmergency: a response that lasts must not go on with rows of an emergency that is over,
// whatever else the person may list.
func TestAListEndsWithItsEmergency(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(h *house, g emergency.Grant){
		"stopped": func(h *house, g emergency.Grant) {
			_, err := h.desks[0].Stop(h.by("ben"), g.ID, "")
			require.NoError(t, err)
		},
		"ran out": func(h *house, g emergency.Grant) { h.pass(g.Until.Sub(h.now())) },
	} {
		for _, who := range []audit.ActorID{"ana", "dora"} {
			t.Run(name+"_"+string(who), func(t *testing.T) {
				t.Parallel()
				h := newHouse(t)
				g := h.opens(who, "p1")
				mux := rbac.NewMux(h.z, nil)
				rbac.HandleList(mux, "GET /notes", h.notes, func(http.ResponseWriter, *http.Request, rbac.Filter[chart]) {})
				ctx, trail := audit.WithTrail(audit.WithActor(t.Context(), staff(who)), h.rec, audit.Event{})
				w := httptest.NewRecorder()
				mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/notes", nil).WithContext(ctx))
				require.Equal(t, http.StatusOK, w.Code)
				h.opens(who, "p2")
				require.NoError(t, trail.Recheck(ctx), "one more is no reason to stop")
				end(h, g)
				require.ErrorIs(t, trail.Recheck(ctx), rbac.ErrDenied)
			})
		}
	}
}
