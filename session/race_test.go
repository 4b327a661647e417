package session_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

// The race that brings sessions back to life elsewhere: a request reads the session and is
// slow, the person signs out, the slow request ends and writes what it knows.
func TestSlowRequestDoesNotReviveTheSession(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		token := d.start(t, staff(ann))
		d.clock.Add(2 * time.Minute) // so that the request wants to write
		d.store.on("Touch", func() { // after the slow request read a live session
			require.NoError(t, d.EndAll(t.Context(), clinic, ann, session.ReasonSignOut))
		})
		w, inside := serve(d, get(token))
		require.Equal(t, 1, d.store.count("Touch"))
		_, ok := session.From(inside)
		require.False(t, ok, "the slow request itself is not signed in any more")
		require.Equal(t, session.StateEnded, session.Status(inside))
		require.NotEmpty(t, w.Header()["Set-Cookie"])
		require.ErrorIs(t, d.state(token), session.ErrEnded)
	})
}

// The same with a handler that is slow after it was let in.
func TestSlowHandlerDoesNotReviveTheSession(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		token := d.start(t, staff(ann))
		d.clock.Add(2 * time.Minute)
		h := d.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			require.NoError(t, d.EndAll(r.Context(), clinic, ann, session.ReasonSignOut))
			d.clock.Add(2 * time.Minute)
		}))
		h.ServeHTTP(httptest.NewRecorder(), get(token))
		require.ErrorIs(t, d.state(token), session.ErrEnded)
	})
}

// Many requests of one session at once while it is ended: none that began after the end
// returned finds it alive.
func TestRequestsBesideTheEnd(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		d := newDesk(t, open(t))
		token := d.start(t, staff(ann))
		var all sync.WaitGroup
		ended := make(chan struct{})
		last := make([]error, 8)
		for i := range last {
			all.Go(func() {
				for {
					var after bool
					select {
					case <-ended:
						after = true
					default:
					}
					d.clock.Add(time.Second)
					err := d.state(token)
					if after {
						last[i] = err
						return
					}
				}
			})
		}
		require.NoError(t, d.EndAll(t.Context(), clinic, ann, session.ReasonSignOut))
		close(ended)
		all.Wait()
		for _, err := range last {
			require.ErrorIs(t, err, session.ErrEnded)
		}
	})
}

// Two servers on one database: what one ends is dead on the other by the next request.
func TestTwoServers(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		store := open(t)
		a, b := newDesk(t, store), newDesk(t, store)
		token, second := a.start(t, staff(ann)), b.start(t, staff(ann))
		require.NoError(t, a.state(second))
		require.NoError(t, b.state(token))

		require.NoError(t, a.End(t.Context(), token, session.ReasonSignOut))
		require.ErrorIs(t, b.state(token), session.ErrEnded)
		require.NoError(t, b.EndAll(t.Context(), clinic, ann, session.ReasonSignOut))
		require.ErrorIs(t, a.state(second), session.ErrEnded)

		third := a.start(t, staff(ann))
		all, err := list(audit.WithActor(t.Context(), staff(ann)), b)
		require.NoError(t, err)
		require.Len(t, all, 1)
		require.NoError(t, b.EndOne(audit.WithActor(t.Context(), staff("staff-admin")), clinic, ann, all[0].ID, "ended_by_admin"))
		require.ErrorIs(t, a.state(third), session.ErrEnded)
	})
}

// person is what a host keeps of somebody beside sessions: a version that grows with every
// change that takes a proof back.
type person struct {
	mu      sync.Mutex
	version int
}

func (p *person) read() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.version
}

// takeBack is a new password, or a suspension: first the version, then the sessions.
func (p *person) takeBack(t *testing.T, d *desk) {
	p.mu.Lock()
	p.version++
	p.mu.Unlock()
	require.NoError(t, d.EndAll(t.Context(), clinic, ann, "password_changed"))
}

// A sign-in that was proved before everything was ended, and is completed after it. The row
// carries no epoch that would tell: whoever mints sessions reads the person's version before
// looking at the proof and again after Start, and hands out nothing if it has grown. In
// whichever gap of Start everything is ended, no session lives that way; and without the
// second look, some do, so the rule is needed.
func TestSignInThatIsOvertaken(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		survived := 0
		for _, gap := range []string{"", "GetPolicy", "Route", "Create", "started"} {
			for _, looksAgain := range []bool{true, false} {
				d, who := newDesk(t, open(t)), new(person)
				var once sync.Once
				end := func() { once.Do(func() { who.takeBack(t, d) }) }
				before := who.read()
				if gap == "" {
					end() // after the proof was looked at
				}
				d.store.on(gap, end)
				token, err := d.Start(t.Context(), staff(ann))
				require.NoError(t, err)
				if gap == "started" {
					end()
				}
				if looksAgain && who.read() != before {
					require.NoError(t, d.End(t.Context(), token, "overtaken"))
				}
				require.Equal(t, 1, who.read(), gap)
				if d.state(token) == nil {
					require.False(t, looksAgain, "it lives, ended in the gap %q", gap)
					survived++
				}
			}
		}
		require.Positive(t, survived)
	})
}

// What is not a sign-in cannot outlive an end either way: a change of token that was proved
// before everything was ended finds nothing to change, in whichever gap that happens.
func TestChangeOfTokenThatIsOvertaken(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, open func(testing.TB) session.Store) {
		for _, gap := range []string{"Put", "Rotate", "after"} {
			d := newDesk(t, open(t))
			old := d.start(t, staff(ann))
			d.clock.Add(time.Second)
			var once sync.Once
			end := func() {
				once.Do(func() { require.NoError(t, d.EndAll(t.Context(), clinic, ann, session.ReasonSignOut)) })
			}
			ctx := d.in(t, old)
			d.store.on(gap, end)
			token, err := d.Reauthenticated(ctx, d.again(ann), session.Confirm(export, patient17))
			if gap == "after" {
				require.NoError(t, err)
				end()
			} else {
				require.ErrorIs(t, err, session.ErrConflict, gap)
			}
			for _, presented := range []string{old, token} {
				require.ErrorIs(t, d.state(presented), session.ErrNoSession, gap)
			}
			all, err := list(audit.WithActor(t.Context(), staff(ann)), d)
			require.NoError(t, err)
			require.Empty(t, all, gap)
		}
	})
}
