package session_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

// site is a desk behind a real HTTP server.
type site struct {
	*desk
	server *httptest.Server
}

// answer is what a tab was told.
type answer struct {
	status int
	body   string
	cookie []string
}

func newSite(t *testing.T, store session.Store) *site {
	t.Helper()
	s := &site{desk: newDesk(t, store)}
	save(t, s.store, session.Policy{
		Limits:   session.DefaultLimits(),
		HighRisk: map[audit.Action]session.Duty{"settings.edit": {Area: "settings", Within: time.Minute}},
	})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /who", func(w http.ResponseWriter, r *http.Request) {
		a, _ := audit.ActorFrom(r.Context())
		owed, err := s.StepUp(r.Context(), "settings.edit", audit.Object{}, 0)
		fmt.Fprintf(w, "%s aal%d %v owed=%v %v", session.Status(r.Context()), a.Assurance, a.Methods, owed, err)
	})
	mux.HandleFunc("GET /csrf", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, session.CSRF(r.Context()))
	})
	mux.HandleFunc("POST /prove", func(w http.ResponseWriter, r *http.Request) {
		a := staff(ann) // with a second factor
		a.AuthTime = s.clock.Now()
		token, err := s.Reauthenticated(r.Context(), a, session.Area("settings"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		s.SetCookie(w, token)
	})
	s.server = httptest.NewTLSServer(s.Handler(mux))
	s.server.Client().Transport.(*http.Transport).MaxIdleConnsPerHost = 64
	t.Cleanup(func() {
		s.server.Client().CloseIdleConnections()
		s.server.Close()
	})
	return s
}

// ask sends one request of a tab that has the token.
func (s *site) ask(t *testing.T, method, path, token, csrf string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.server.URL+path, nil)
	require.NoError(t, err)
	r.Header.Set("Cookie", "theme=dark; __Host-session="+token)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set(session.CSRFHeader, csrf)
	w, err := s.server.Client().Do(r)
	if err != nil {
		t.Error(err)
		return answer{}
	}
	defer w.Body.Close()
	body, err := io.ReadAll(w.Body)
	if err != nil {
		t.Error(err)
	}
	return answer{w.StatusCode, string(body), w.Header["Set-Cookie"]}
}

const (
	asBefore = "live aal1 [pwd] owed=true <nil>"
	asProved = "live aal2 [pwd otp] owed=false <nil>"
	tabs     = 8
)

// weak signs ann in with a password alone, and returns her token and her pages' identifier.
func (s *site) weak(t *testing.T) (token, csrf string) {
	t.Helper()
	a := staff(ann)
	a.Assurance, a.Methods = audit.AAL1, []string{"pwd"}
	token = s.start(t, a)
	s.clock.Add(time.Second)
	return token, s.ask(t, "GET", "/csrf", token, "").body
}

// race has many tabs ask with the old token, again and again, from before change until after
// it. Each answer to a question that was asked after change is handed to after.
func (s *site) race(t *testing.T, old string, change func(), before, after func(answer)) {
	t.Helper()
	var all sync.WaitGroup
	var begun atomic.Int32
	changed, going := make(chan struct{}), make(chan struct{})
	for range tabs {
		all.Go(func() {
			for round := 0; ; round++ {
				select {
				case <-changed:
					after(s.ask(t, "GET", "/who", old, ""))
					return
				default:
				}
				before(s.ask(t, "GET", "/who", old, ""))
				if round == 0 && begun.Add(1) == tabs {
					close(going)
				}
			}
		})
	}
	<-going
	change()
	close(changed)
	all.Wait()
}

// Many tabs of one browser have the old cookie while one of them proves again who is there. No
// tab is signed out by that or takes the new cookie away, none gets what only the new proof
// unlocks, and of several that prove it at once one gets a token.
func TestRacingTabs(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		s := newSite(t, open(t))
		old, csrf := s.weak(t)
		tab := func(a answer) {
			if a.status != http.StatusOK || a.body != asBefore || len(a.cookie) != 0 {
				t.Errorf("a tab with the old token was told %d %q, %q", a.status, a.body, a.cookie)
			}
		}
		tokens := make(chan string, 4)
		s.race(t, old, func() {
			var all sync.WaitGroup
			for range cap(tokens) {
				all.Go(func() {
					a := s.ask(t, "POST", "/prove", old, csrf)
					switch {
					case a.status == http.StatusOK && len(a.cookie) == 1:
						value, _, _ := strings.Cut(strings.TrimPrefix(a.cookie[0], "__Host-session="), ";")
						tokens <- value
					case a.status != http.StatusConflict || len(a.cookie) != 0:
						t.Errorf("proving it at once: %d %q, %q", a.status, a.body, a.cookie)
					}
				})
			}
			all.Wait()
		}, tab, tab)
		require.Len(t, tokens, 1, "one change of token, not several")
		next := <-tokens
		require.Equal(t, asProved, s.ask(t, "GET", "/who", next, "").body)
		require.Equal(t, asBefore, s.ask(t, "GET", "/who", old, "").body)
		require.Equal(t, http.StatusConflict, s.ask(t, "POST", "/prove", old, csrf).status, "it leads nowhere")

		s.clock.Add(9 * time.Second)
		require.Equal(t, asBefore, s.ask(t, "GET", "/who", old, "").body)
		s.clock.Add(time.Second)
		late := s.ask(t, "GET", "/who", old, "")
		require.Equal(t, "ended aal0 [] owed=true <nil>", late.body)
		require.Empty(t, late.cookie, "its answer must not take the new cookie along")
		require.Equal(t, asProved, s.ask(t, "GET", "/who", next, "").body)
	})
}

// Whatever ends or locks the session while tabs race with the old token ends it for them, by
// their next request.
func TestRacingTabsDieWithTheSession(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		ends := map[string]func(t *testing.T, s *site, token string) error{
			"everywhere": func(t *testing.T, s *site, _ string) error {
				return s.EndAll(t.Context(), clinic, ann, session.ReasonSignOut)
			},
			"this one": func(t *testing.T, s *site, token string) error {
				return s.End(t.Context(), token, session.ReasonSignOut)
			},
			"by an administrator": func(t *testing.T, s *site, token string) error {
				ctx := audit.WithActor(t.Context(), staff("staff-admin"))
				return s.EndOne(ctx, clinic, ann, s.is(t, token).ID, "ended_by_admin")
			},
			"the others": func(t *testing.T, s *site, _ string) error {
				return s.EndOthers(t.Context(), clinic, ann, "another", "password_changed")
			},
			"locked": func(t *testing.T, s *site, token string) error { return s.Lock(s.in(t, token)) },
			"signed out in a tab": func(t *testing.T, s *site, token string) error {
				return s.SignOut(s.in(t, token))
			},
		}
		for name, end := range ends {
			s := newSite(t, open(t))
			old, csrf := s.weak(t)
			a := s.ask(t, "POST", "/prove", old, csrf)
			require.Len(t, a.cookie, 1)
			next, _, _ := strings.Cut(strings.TrimPrefix(a.cookie[0], "__Host-session="), ";")
			want := "ended aal0 [] owed=true <nil>"
			if name == "locked" {
				want = "locked aal0 [] owed=true <nil>"
			}
			s.race(t, old, func() {
				if err := end(t, s, next); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}, func(a answer) {
				if a.body != asBefore && a.body != want {
					t.Errorf("%s: a tab was told %q", name, a.body)
				}
			}, func(a answer) {
				if a.body != want {
					t.Errorf("%s: a tab that asked afterwards was told %q", name, a.body)
				}
			})
			require.Equal(t, want, s.ask(t, "GET", "/who", next, "").body, name)
		}
	})
}
