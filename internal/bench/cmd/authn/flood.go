package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
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

// floodCase is one row of the flood's table.
type floodCase struct {
	name    string
	hashers int
	flood   bool
	gogc    int

	p50, p99, ratio []time.Duration // of each round; ratio in thousandths
	hashed, busy    int64
}

// flood measures requests with a live session, over HTTP on loopback, while nobody signs in and
// while 200 sign-ins a second come in, with one hasher, the default for two processors, and two. The
// cases run in turns, so that a neighbour who takes the machine takes it from all of them alike.
func flood(ctx context.Context, c *config) error {
	cases := []*floodCase{
		{name: "calm", hashers: 1, gogc: 100},
		{name: "200 sign-ins a second, 1 hasher", hashers: 1, flood: true, gogc: 100},
		{name: "200 sign-ins a second, 1 hasher, GOGC=400", hashers: 1, flood: true, gogc: 400},
		{name: "200 sign-ins a second, 2 hashers", hashers: 2, flood: true, gogc: 100},
	}
	for range c.rounds {
		var calm time.Duration
		for _, k := range cases {
			if err := k.run(ctx, c); err != nil {
				return err
			}
			p99 := k.p99[len(k.p99)-1]
			if !k.flood {
				calm = p99
			}
			k.ratio = append(k.ratio, 1000*p99/calm)
		}
	}
	fmt.Fprintf(c.out, "Requests with a live session, one each %v, over HTTP, in milliseconds; medians of %d rounds of %v each, the smallest and the largest behind them:\n\n", requestEvery, c.rounds, c.flood)
	fmt.Fprintln(c.out, "| | p50 | p99 | p99 by the calm of the same round | sign-ins hashed | refused with 503 |\n|---|---|---|---|---|---|")
	for _, k := range cases {
		fmt.Fprintf(c.out, "| %s | %s | %s | %s | %d | %d |\n", k.name, spread(k.p50, ms), spread(k.p99, ms), spread(k.ratio, times), k.hashed, k.busy)
	}
	fmt.Fprintln(c.out)
	return nil
}

// run is one round of a case.
func (k *floodCase) run(ctx context.Context, c *config) error {
	w, err := newWorld(ctx, c, authn.NewMemory(), func(o *authn.Options) { o.Hashers = k.hashers })
	if err != nil {
		return err
	}
	defer debug.SetGCPercent(debug.SetGCPercent(k.gogc))
	runtime.GC() // what the round before left
	r, err := w.flooded(ctx, c.flood, k.flood)
	if err != nil {
		return err
	}
	k.p50, k.p99 = append(k.p50, quantile(r.took, 0.5)), append(k.p99, quantile(r.took, 0.99))
	k.hashed += r.hashed.Load()
	k.busy += r.busy.Load()
	return nil
}

// spread is the median of values and, behind it, the smallest and the largest.
func spread(values []time.Duration, show func(time.Duration) string) string {
	slices.Sort(values)
	return fmt.Sprintf("%s (%s to %s)", show(quantile(values, 0.5)), show(values[0]), show(values[len(values)-1]))
}

// times shows a ratio in thousandths.
func times(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d)/1000) }

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
