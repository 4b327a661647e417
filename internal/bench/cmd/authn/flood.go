package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardkit/wardkit/authn"
)

const (
	requestEvery = 2 * time.Millisecond // one request with a live session
	signInEvery  = 5 * time.Millisecond // one sign-in of the flood, several times what can be hashed
)

// flood measures requests with a live session, over HTTP on loopback, while nobody signs in and
// while 200 sign-ins a second come in, with one hasher, the default for two processors, and two.
func flood(ctx context.Context, c *config) error {
	fmt.Fprintf(c.out, "Requests with a live session, one each %v, over HTTP, in milliseconds:\n\n", requestEvery)
	fmt.Fprintln(c.out, "| | p50 | p99 | sign-ins hashed | refused with 503 |\n|---|---|---|---|---|")
	var calm time.Duration
	for _, run := range []struct {
		name    string
		hashers int
		flood   bool
	}{
		{"calm", 1, false},
		{"200 sign-ins a second, 1 hasher", 1, true},
		{"200 sign-ins a second, 2 hashers", 2, true},
	} {
		w, err := newWorld(ctx, c, authn.NewMemory(), func(o *authn.Options) { o.Hashers = run.hashers })
		if err != nil {
			return err
		}
		r, err := w.flooded(ctx, c.flood, run.flood)
		if err != nil {
			return err
		}
		p99 := quantile(r.took, 0.99)
		note := ""
		if !run.flood {
			calm = p99
		} else {
			note = fmt.Sprintf(" (%.1f × calm)", float64(p99)/float64(calm))
		}
		fmt.Fprintf(c.out, "| %s | %s | %s%s | %d | %d |\n", run.name, ms(quantile(r.took, 0.5)), ms(p99), note, r.hashed.Load(), r.busy.Load())
	}
	fmt.Fprintln(c.out)
	return nil
}

type result struct {
	took         []time.Duration
	hashed, busy atomic.Int64
}

// flooded serves requests for a while and returns how long each took.
func (w *world) flooded(ctx context.Context, d time.Duration, flood bool) (*result, error) {
	page := http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(out, "here you are") })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: w.sessions.Handler(page), ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	r := &result{}
	var all sync.WaitGroup
	if flood {
		all.Go(func() { w.guess(ctx, r) })
	}
	err = r.ask(ctx, "http://"+listener.Addr().String(), w.token)
	cancel()
	all.Wait()
	slices.Sort(r.took)
	if err == nil && len(r.took) == 0 {
		err = errors.New("no request was answered")
	}
	return r, err
}

// ask sends one request after the other, at the pace.
func (r *result) ask(ctx context.Context, url, token string) error {
	client := &http.Client{}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(requestEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		req.AddCookie(&http.Cookie{Name: "__Host-session", Value: token})
		begun := time.Now()
		res, err := client.Do(req)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		_, err = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if err == nil && ctx.Err() == nil {
			r.took = append(r.took, time.Since(begun))
		}
	}
}

// guess signs in as always somebody else, at the pace, whatever becomes of the ones before.
func (w *world) guess(ctx context.Context, r *result) {
	tick := time.NewTicker(signInEvery)
	defer tick.Stop()
	var all sync.WaitGroup
	defer all.Wait()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		all.Go(func() {
			_, err := w.people.SignIn(ctx, clinic, fmt.Sprint("somebody", n, "@example.com"), authn.NewPassword("a guess"), authn.Client{})
			switch {
			case errors.Is(err, authn.ErrBusy):
				r.busy.Add(1)
			case errors.Is(err, authn.ErrDenied):
				r.hashed.Add(1)
			}
		})
	}
}
