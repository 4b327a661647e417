package support_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audithttp"
	"github.com/wardkit/wardkit/audit/audittest"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/support"
)

// front is what a host puts before its routes: a response that waits for its record, the desk, and routes
// under the tenant's name.
type front struct {
	held http.Handler
	rec  *audittest.Recorder
	who  audit.Actor // as the last request was served
	in   bool
}

func (h *house) front(o *support.HTTPOptions) *front {
	h.t.Helper()
	f := &front{rec: audittest.NewRecorder()}
	mux := rbac.NewMux(h.z, &rbac.HTTPOptions{Tenant: clinic})
	serve := func(w http.ResponseWriter, r *http.Request) {
		f.who, _ = audit.ActorFrom(r.Context())
		_, f.in = support.From(r.Context())
		_, _ = w.Write([]byte("served"))
	}
	rbac.For(mux, rbac.TenantOf).Handle("GET /clinic/slots", h.slots, func(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) { serve(w, r) })
	mux.SignedIn("GET /clinic/me", "one's own", http.HandlerFunc(serve))
	mux.SignedIn("GET /platform", "the operators' own page", http.HandlerFunc(serve))
	gate, err := h.desk.Handler(func(r *http.Request) audit.Tenant {
		if strings.HasPrefix(r.URL.Path, "/clinic/") {
			return clinic
		}
		return ""
	}, mux, o)
	require.NoError(h.t, err)
	f.held, err = audithttp.Hold(f.rec, gate, &audithttp.Options{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(h.t, err)
	return f
}

// get asks for a page as whoever is in ctx.
func (f *front) get(ctx context.Context, path string) (status int, body string) {
	f.who, f.in = audit.Actor{}, false
	w := httptest.NewRecorder()
	f.held.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

// turned are the refusals on record.
func (f *front) turned() (out []audit.Event) {
	for _, e := range f.rec.Events() {
		if e.Action == support.ActionTurnedAway {
			out = append(out, e)
		}
	}
	return out
}

// Operators are turned away on record until they have come in, are visitors then, and are turned away again at the end.
func TestHandlerOfAVisit(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	f := h.front(nil)
	status, body := f.get(h.op(noor), "/clinic/slots")
	require.Equal(t, http.StatusForbidden, status, "not 500: somebody has decided")
	require.Equal(t, "Forbidden\n", body)
	require.Len(t, f.turned(), 1)
	e := f.turned()[0]
	require.Equal(t, platform, e.Tenant)
	require.Equal(t, noor, e.Actor.ID)
	require.Equal(t, audit.Failure, e.Outcome)
	require.Equal(t, support.CodeClosed, e.Code)
	require.Equal(t, string(clinic), e.Objects[0].ID)

	a := h.entered()
	status, body = f.get(h.op(noor), "/clinic/slots")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "served", body)
	require.Equal(t, a.Visitor(), f.who.ID)
	require.Equal(t, clinic, f.who.Tenant)
	require.True(t, f.in)
	status, _ = f.get(h.op(omar), "/clinic/slots")
	require.Equal(t, http.StatusForbidden, status, "another operator was not let in")

	status, _ = f.get(h.op(noor), "/platform")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, noor, f.who.ID, "their own page is theirs")
	require.False(t, f.in)

	_, err := h.other.End(h.as(dana), clinic, a.ID, "")
	require.NoError(t, err)
	status, _ = f.get(h.op(noor), "/clinic/slots")
	require.Equal(t, http.StatusForbidden, status)
	require.Len(t, f.turned(), 3)
}

// Everybody else passes as they are.
func TestHandlerOfEverybodyElse(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	f := h.front(nil)
	status, _ := f.get(h.as(dana), "/clinic/slots")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, dana, f.who.ID)
	require.False(t, f.in)
	status, _ = f.get(t.Context(), "/clinic/slots")
	require.Equal(t, http.StatusUnauthorized, status)
	require.Empty(t, f.turned())
}

// What is undecided or cannot be recorded is 503, and nothing is served.
func TestHandlerFailsClosed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.entered()
	f := h.front(nil)
	h.w.arm(1, "fails")
	status, _ := f.get(h.op(noor), "/clinic/slots")
	h.w.arm(0, "")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Zero(t, f.who)
	require.Len(t, f.turned(), 1)
	require.Equal(t, support.CodeUndecided, f.turned()[0].Code)
	require.Equal(t, audit.MajorFailure, f.turned()[0].Outcome)

	f.rec.FailWith(errors.New("down"))
	status, body := f.get(h.op(omar), "/clinic/slots")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Empty(t, body, "not even the refusal, without its record")

	gate, err := h.desk.Handler(func(*http.Request) audit.Tenant { return clinic }, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		require.Fail(t, "served without a trail")
	}), nil)
	require.NoError(t, err)
	for _, id := range []audit.ActorID{noor, omar} {
		w := httptest.NewRecorder()
		gate.ServeHTTP(w, httptest.NewRequestWithContext(h.op(id), http.MethodGet, "/clinic/slots", nil))
		require.Equal(t, http.StatusServiceUnavailable, w.Code, "outside audithttp.Hold")
	}
}

// What proves too little is 401.
func TestHandlerOfWeakOperator(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.entered()
	f := h.front(nil)
	a, _ := audit.ActorFrom(h.op(noor))
	a.Assurance = audit.AAL1
	status, _ := f.get(audit.WithActor(t.Context(), a), "/clinic/slots")
	require.Equal(t, http.StatusUnauthorized, status)
	require.Len(t, f.turned(), 1)
}

// The host keeps visitors from what no action guards, and has a page of its own for refusals.
func TestHandlerOptions(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.entered()
	var got error
	f := h.front(&support.HTTPOptions{
		Reach: func(r *http.Request) bool { return r.URL.Path != "/clinic/me" },
		Refused: func(w http.ResponseWriter, _ *http.Request, status int, err error) {
			got = err
			http.Error(w, "not in", status)
		},
	})
	status, _ := f.get(h.op(noor), "/clinic/slots")
	require.Equal(t, http.StatusOK, status)
	status, body := f.get(h.op(noor), "/clinic/me")
	require.Equal(t, http.StatusForbidden, status)
	require.Equal(t, "not in\n", body)
	require.ErrorIs(t, got, support.ErrClosed)
	require.Len(t, f.turned(), 1)
	status, _ = f.get(h.as(dana), "/clinic/me")
	require.Equal(t, http.StatusOK, status)
}

// A response that goes on is cut off with the access.
func TestHandlerQuestionsLongResponses(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.entered()
	ctx, trail := audit.WithTrail(h.op(noor), audittest.NewRecorder(), audit.Event{})
	served := false
	gate, err := h.desk.Handler(func(*http.Request) audit.Tenant { return clinic }, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		served = true
		require.NoError(t, trail.Recheck(r.Context()))
		_, err := h.other.End(h.as(dana), clinic, a.ID, "")
		require.NoError(t, err)
		require.ErrorIs(t, trail.Recheck(t.Context()), support.ErrClosed)
	}), nil)
	require.NoError(t, err)
	gate.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/clinic/slots", nil))
	require.True(t, served)
}

func TestHandlerNeedsItsParts(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, err := h.desk.Handler(nil, http.NotFoundHandler(), nil)
	require.Error(t, err)
	_, err = h.desk.Handler(func(*http.Request) audit.Tenant { return clinic }, nil, nil)
	require.Error(t, err)
}
