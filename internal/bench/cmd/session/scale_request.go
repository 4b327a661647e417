package main

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/bench/turns"
	"github.com/wardkit/wardkit/session"
)

// asked are the look-up and the list as users have them: a request through Handler, each of
// another session, and a person's sessions as their page asks the Manager for them.
func (p *population) asked(ctx context.Context) ([]*turns.Case, error) {
	begun := time.Now()
	o := &session.Options{Now: func() time.Time { return p.now.Add(time.Since(begun) / 1000) }} // nobody's next grain comes
	m, err := session.New(p.store, audit.Discard{}, session.RemoteAddr, o)
	if err != nil {
		return nil, err
	}
	return []*turns.Case{p.request(m), p.own(ctx, m)}, nil
}

// request presents all tokens in an order that no store knows. The cookies lie one after the
// other, as if they had just been read from connections.
func (p *population) request(m *session.Manager) *turns.Case {
	const name = "__Host-session"
	const line = len(name+"=") + tokenBytes
	lines := make([]byte, 0, len(p.keys)*line)
	for _, i := range rand.Perm(len(p.keys)) {
		lines = append(append(lines, name+"="...), p.tokens[i*tokenBytes:(i+1)*tokenBytes]...)
	}
	r, next := newRequest(&http.Cookie{Name: name, Value: "none"}), 0
	r.handler = m.Handler(r.seen())
	return &turns.Case{Name: "request", Run: func() error {
		at := next % len(p.keys) * line
		next++
		r.request.Header["Cookie"][0] = string(lines[at : at+line])
		return r.serve()
	}}
}

func (p *population) own(ctx context.Context, m *session.Manager) *turns.Case {
	ctx = audit.WithActor(ctx, staff(0))
	return &turns.Case{Name: "own sessions", Run: func() error {
		return readEach(m.List(ctx, "clinic-1", person(rand.IntN(len(p.keys)/each))))
	}}
}
