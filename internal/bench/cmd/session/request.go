package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/bench/turns"
	"github.com/wardkit/wardkit/session"
)

// engines and their titles, in the order of the tables.
var titles = [][2]string{{"memory", "memory"}, {"sqlite", "SQLite"}, {"postgres", "PostgreSQL"}, {"redis", "Redis"}}

// request is one request of a browser with a session's cookie, again and again, and the
// response that nobody reads.
type request struct {
	handler http.Handler
	request *http.Request
	head    http.Header
	served  bool
}

func newRequest(cookie *http.Cookie) *request {
	r, _ := http.NewRequest(http.MethodGet, "https://app.example.com/patients", http.NoBody)
	r.RemoteAddr = "192.0.2.7:40000"
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if cookie != nil {
		r.AddCookie(cookie)
	}
	return &request{request: r, head: http.Header{}}
}

func (r *request) Header() http.Header         { return r.head }
func (r *request) WriteHeader(int)             {}
func (r *request) Write(b []byte) (int, error) { return len(b), nil }

var errNobody = errors.New("the handler saw nobody")

// serve lets the handler serve the request once.
func (r *request) serve() error {
	clear(r.head)
	r.served = false
	r.handler.ServeHTTP(r, r.request)
	if !r.served {
		return errNobody
	}
	return nil
}

func staff(i int) audit.Actor {
	return audit.Actor{
		ID: audit.ActorID(fmt.Sprint("staff-", i)), Kind: audit.KindStaff, Tenant: "clinic-1",
		Assurance: audit.AAL2, Methods: []string{"pwd", "otp"}, Device: "Firefox on Linux",
	}
}

// wardkitCase is a request through Handler, over a store with that many sessions. Where every
// request is to write, its clock goes on by one grain with each. apart is the same without the
// response's headers: Check, and the actor put into the context.
func wardkitCase(ctx context.Context, e *engine, sessions int, everyRequest, apart bool) (*turns.Case, error) {
	const grain = 6 * time.Second // a tenth of a minute
	now, name := time.Now(), "wardkit, coarse touch"
	o := &session.Options{Now: func() time.Time { return now }}
	if everyRequest {
		name = "wardkit, a write for every request"
		o.Policy.Limits = session.Limits{Idle: time.Minute, Absolute: 30 * 24 * time.Hour, InsecureLong: true}
	} else {
		o.Now = nil
	}
	m, err := session.New(e.store, audit.Discard{}, session.RemoteAddr, o)
	if err != nil {
		return nil, err
	}
	for i := range sessions - 1 {
		if _, err := m.Start(ctx, staff(i)); err != nil {
			return nil, err
		}
	}
	var r *request
	sign := func() error {
		token, err := m.Start(ctx, staff(sessions))
		if err != nil {
			return err
		}
		r = newRequest(&http.Cookie{Name: "__Host-session", Value: token})
		r.handler = m.Handler(r.seen())
		if apart {
			name, r.handler = "wardkit, coarse touch, headers apart", checked(m, r.seen())
		}
		return nil
	}
	if err := sign(); err != nil {
		return nil, err
	}
	begun := now
	return &turns.Case{Name: name, Run: func() error {
		if everyRequest {
			if now = now.Add(grain); now.Sub(begun) > 29*24*time.Hour {
				begun = now
				if err := sign(); err != nil {
					return err
				}
			}
		}
		return r.serve()
	}}, nil
}

// seen notes whether it knows who acts.
func (r *request) seen() http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		a, ok := audit.ActorFrom(q.Context())
		r.served = ok && a.ID != "" && a.Tenant != "" && a.Assurance == audit.AAL2
	})
}

// checked is what Handler does to a request, but nothing to its response.
func checked(m *session.Manager, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		s, err := m.Check(q)
		if err != nil {
			return
		}
		next.ServeHTTP(w, q.WithContext(audit.WithActor(q.Context(), s.Actor(session.RemoteAddr(q)))))
	})
}

// requests measures requests over every engine.
func requests(ctx context.Context, c *config) error {
	for _, title := range titles {
		if !c.has(title[0]) {
			continue
		}
		if err := requestTable(ctx, c, title[0], title[1]); err != nil {
			return fmt.Errorf("%s: %w", title[0], err)
		}
	}
	return nil
}

func requestTable(ctx context.Context, c *config, name, title string) error {
	n := c.sessions
	if name == "memory" {
		n *= 10
	}
	kinds := [][2]bool{{false, false}, {true, false}}
	if name == "memory" {
		kinds = append(kinds, [2]bool{false, true})
	}
	var cases []*turns.Case
	for i, kind := range kinds {
		e, err := open(ctx, c, name, i)
		if err != nil {
			return err
		}
		defer e.close()
		t, err := wardkitCase(ctx, e, n, kind[0], kind[1])
		if err != nil {
			return err
		}
		cases = append(cases, t)
		if name == "postgres" && i == 0 {
			cases = append(cases, bareTrip(ctx, e))
		}
	}
	peers, end, err := peerCases(ctx, c, name, n)
	if err != nil {
		return err
	}
	defer end()
	cases = append(cases, peers...)
	// Who writes leaves work behind for the store, and for the processor's caches: a batch is ten
	// times as long as the longest request, and begins with a few that are not measured.
	for _, t := range cases {
		t.Before = func() error { return errors.Join(t.Run(), t.Run(), t.Run()) }
	}
	if err := c.measure(cases, 3*time.Millisecond); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "| %s, %d sessions | best µs | median µs | B/op | allocs/op |\n|---|---|---|---|---|\n", title, n)
	for _, t := range cases {
		fmt.Fprintf(c.out, "| %s | %.2f | %.2f | %.0f | %.0f |\n", t.Name, t.Best()/1000, t.Median()/1000, t.Bytes, t.Allocs)
	}
	fmt.Fprintln(c.out)
	return nil
}

// bareTrip is the least that a question to PostgreSQL costs, over the same pool.
func bareTrip(ctx context.Context, e *engine) *turns.Case {
	return &turns.Case{Name: "SELECT 1, over the same pool", Run: func() error {
		var n int
		return e.db.QueryRowContext(ctx, "SELECT 1").Scan(&n)
	}}
}
