// Command rbac measures package rbac on this machine, beside casbin v2, cedar-go and OPA on one
// workload: 10 roles, 60 actions, 200 practices, 10,000 users and 200,000 care relations. Every
// engine gives the same answers to the same questions, or the command fails. It prints Markdown;
// docs/benchmarks.md has a run.
//
//	cd internal/bench && WARDKIT_POSTGRES=postgres://… go run ./cmd/rbac
//
// A decision is measured as a request makes it: a person's grants and 16 records have just been
// read, which is not measured, and 16 questions follow, which are. The relation is the host's, in
// memory; what of it the caches do not have is in the figures, by hand as by rbac.
//
// The engines answer in turns, a batch each, so that a neighbour who takes the machine takes it
// from all of them alike. "best" is the fastest batch, the work itself; "median" has what the
// garbage collector and the neighbours add. It uses one processor.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/wardkit/wardkit/internal/bench/turns"
)

func main() {
	d := flag.Duration("time", 30*time.Second, "how long to measure the engines")
	peers := flag.Bool("peers", true, "measure casbin, cedar-go and OPA too")
	parts := flag.String("parts", "compare,grow,databases", "what to measure")
	flag.Parse()
	runtime.GOMAXPROCS(1)
	s := sizes{users: 10_000, growth: []int{1_000, 10_000, 100_000}, time: *d, peers: *peers, parts: strings.Split(*parts, ",")}
	if err := run(context.Background(), os.Stdout, s); err != nil {
		fmt.Fprintln(os.Stderr, "rbac:", err)
		os.Exit(1)
	}
}

// sizes says how much to measure.
type sizes struct {
	users  int   // of the workload for the peers and the databases
	growth []int // users of the workloads for one engine after the other
	time   time.Duration
	peers  bool
	parts  []string
}

func run(ctx context.Context, w io.Writer, s sizes) error {
	fmt.Fprintf(w, "%s/%s, %s, one processor, %s\n\n", runtime.GOOS, runtime.GOARCH, runtime.Version(), time.Now().UTC().Format(time.DateOnly))
	parts := map[string]func(context.Context, io.Writer, sizes) error{"compare": compare, "grow": grow, "databases": databases}
	for _, name := range s.parts {
		part, ok := parts[name]
		if !ok {
			return fmt.Errorf("there is no part %q", name)
		}
		if err := part(ctx, w, s); err != nil {
			return err
		}
		runtime.GC()
	}
	return nil
}

// compare measures one decision, everybody's, in requests of some questions each.
func compare(ctx context.Context, w io.Writer, s sizes) error {
	c := newClinic(s.users, inRow)
	engines := []func(context.Context, *clinic) (*turns.Case, error){ours, byHand, visible, text}
	if s.peers {
		engines = append(engines, casbins, cedars, opas)
	}
	var cases []*turns.Case
	for _, open := range engines {
		t, err := open(ctx, c)
		if err != nil {
			return err
		}
		cases = append(cases, t)
	}
	if err := measure(cases, s.time, questions/inRow, questions/inRow); err != nil {
		return err
	}
	fmt.Fprintf(w, "| one decision, %d users | best ns | median ns | × ours | B/op | allocs/op |\n|---|---|---|---|---|---|\n", s.users)
	for _, t := range cases {
		fmt.Fprintf(w, "| %s | %.0f | %.0f | %.1f | %.0f | %.1f |\n", t.Name, t.Best(), t.Median(), t.Best()/cases[0].Best(), t.Bytes/inRow, t.Allocs/inRow)
	}
	fmt.Fprintln(w)
	return nil
}

// grow measures our own decision while users, patients and relations grow: in requests of some
// questions each, and with every question about somebody else, whom no cache remembers.
func grow(ctx context.Context, w io.Writer, s sizes) error {
	fmt.Fprintf(w, "| users | care relations | questions of one person in a row | best ns | median ns | × fewest users | by hand, best ns | × fewest users |\n|---|---|---|---|---|---|---|---|\n")
	type engine = func(context.Context, *clinic) (*turns.Case, error)
	for _, by := range []struct {
		each        int
		engine, own engine
	}{{inRow, ours, byHand}, {1, oursCold, byHandCold}} {
		var cases, hands []*turns.Case
		var relations []int
		for _, users := range s.growth {
			c := newClinic(users, by.each)
			t, err := by.engine(ctx, c)
			if err != nil {
				return err
			}
			h, err := by.own(ctx, c)
			if err != nil {
				return err
			}
			cases, hands, relations = append(cases, t), append(hands, h), append(relations, len(c.care))
		}
		if err := measure(append(slices.Clone(cases), hands...), s.time, questions/by.each, questions/by.each); err != nil {
			return err
		}
		for i, t := range cases {
			h := hands[i]
			fmt.Fprintf(w, "| %d | %d | %d | %.0f | %.0f | %.2f | %.0f | %.2f |\n", s.growth[i], relations[i], by.each,
				t.Best(), t.Median(), t.Best()/cases[0].Best(), h.Best(), h.Best()/hands[0].Best())
		}
	}
	fmt.Fprintln(w)
	return nil
}
