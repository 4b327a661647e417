package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"
)

// clients is how many requests are on their way at once.
const clients = 64

// connections is how many connections to PostgreSQL each side may have.
const connections = 16

// crowd is one kind of request, ready to be sent by many at once, each with a session of its
// own.
type crowd struct {
	name string
	run  [clients]func() error

	perSecond []float64
	late      []float64 // 99 of 100 were served within, in microseconds
}

// parallel measures how many requests are served over PostgreSQL with many at once. It uses
// all processors, which the database shares.
func parallel(ctx context.Context, c *config) error {
	if !c.has("postgres") {
		return nil
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.NumCPU()))
	all, end, err := crowds(ctx, c)
	defer end()
	if err != nil {
		return err
	}
	const rounds = 5
	for range rounds {
		for _, one := range all {
			if err := one.measure(c.time / rounds / time.Duration(len(all))); err != nil {
				return fmt.Errorf("%s: %w", one.name, err)
			}
		}
	}
	fmt.Fprintf(c.out, "| PostgreSQL, %d at once, %d connections | requests/s, best | median | 99 of 100 within ms |\n|---|---|---|---|\n",
		clients, connections)
	for _, one := range all {
		slices.Sort(one.perSecond)
		slices.Sort(one.late)
		fmt.Fprintf(c.out, "| %s | %.0f | %.0f | %.1f |\n", one.name, one.perSecond[rounds-1], one.perSecond[rounds/2], one.late[rounds/2]/1000)
	}
	fmt.Fprintln(c.out)
	return nil
}

// crowds are those that are measured, and what closes what they opened.
func crowds(ctx context.Context, c *config) (all []*crowd, end func(), err error) {
	var closers []func()
	end = func() {
		for _, f := range slices.Backward(closers) {
			f()
		}
	}
	for _, everyRequest := range []bool{false, true} {
		e, err := open(ctx, c, "postgres", 0)
		if err != nil {
			return nil, end, err
		}
		closers = append(closers, e.close)
		e.db.SetMaxOpenConns(connections)
		e.db.SetMaxIdleConns(connections)
		one, bare := &crowd{}, &crowd{}
		for i := range clients {
			t, err := wardkitCase(ctx, e, i, everyRequest, false)
			if err != nil {
				return nil, end, err
			}
			trip := bareTrip(ctx, e)
			one.name, one.run[i] = t.Name, t.Run
			bare.name, bare.run[i] = trip.Name, trip.Run
		}
		if all = append(all, one); !everyRequest {
			all = append(all, bare)
		}
	}
	store, closePeer, err := scsPostgres(ctx, c, connections)
	closers = append(closers, closePeer)
	if err != nil {
		return nil, end, err
	}
	peers := []*crowd{{}, {}}
	for i := range clients {
		cases, err := scsCases(ctx, "postgres", store, 1)
		if err != nil {
			return nil, end, err
		}
		for k, t := range cases {
			peers[k].name, peers[k].run[i] = t.Name, t.Run
		}
	}
	return append(all, peers...), end, nil
}

// measure sends requests for d.
func (o *crowd) measure(d time.Duration) error {
	var (
		all    sync.WaitGroup
		failed [clients]error
		took   [clients][]float64
	)
	start := time.Now()
	for i := range clients {
		all.Go(func() {
			for first := true; first || time.Since(start) < d && failed[i] == nil; first = false {
				begun := time.Now()
				failed[i] = o.run[i]()
				took[i] = append(took[i], float64(time.Since(begun))/1000)
			}
		})
	}
	all.Wait()
	lasted := time.Since(start).Seconds()
	var each []float64
	for i := range clients {
		if failed[i] != nil {
			return failed[i]
		}
		each = append(each, took[i]...)
	}
	slices.Sort(each)
	o.perSecond = append(o.perSecond, float64(len(each))/lasted)
	o.late = append(o.late, each[len(each)*99/100])
	return nil
}
