package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// span is how much time the logs of pages cover.
const span = 90 * 24 * time.Hour

// archive is a log that pages are read from.
type archive struct {
	*engine
	log    *audit.Log
	events int
	bytes  int64
	bare   bare
}

// question is one kind of page, or of what is compared with one. It returns how many rows it got.
type question struct {
	name string
	ask  func(ctx context.Context, a *archive, r *rand.Rand) (rows int, err error)
}

func page(name string, query func(r *rand.Rand) audit.Query) question {
	return question{name, func(ctx context.Context, a *archive, r *rand.Rand) (int, error) {
		page, err := a.log.Query(ctx, query(r))
		return len(page.Events), err
	}}
}

func questions() []question {
	of := func(last time.Duration, change func(*rand.Rand, *audit.Query)) func(*rand.Rand) audit.Query {
		return func(r *rand.Rand) audit.Query {
			q := audit.Query{Tenant: tenantName(r.IntN(tenants)), Last: last, Limit: 50}
			change(r, &q)
			return q
		}
	}
	anyone := func(r *rand.Rand, q *audit.Query) { q.Actors = []audit.ActorID{actorName(r.IntN(actors))} }
	return []question{
		{"bare: SELECT 1", bareOne},
		{"bare: 51 rows by their places", bareRows},
		page("24 hours", of(audit.Last24h, func(*rand.Rand, *audit.Query) {})),
		page("90 days", of(audit.Last90d, func(*rand.Rand, *audit.Query) {})),
		page("actor, 30 days", of(audit.Last30d, anyone)),
		page("patient, 90 days", of(audit.Last90d, func(r *rand.Rand, q *audit.Query) { q.Patient = patientName(r.IntN(patients)) })),
		page("resource type, 30 days", of(audit.Last30d, func(r *rand.Rand, q *audit.Query) { q.ResourceType = kindOf(r.IntN(5)) })),
		page("one resource, 90 days", of(audit.Last90d, func(r *rand.Rand, q *audit.Query) {
			n := r.IntN(notes)
			q.ResourceType, q.ResourceID = kindOf(n), noteName(n)
		})),
		page("one resource with few events", of(0, func(r *rand.Rand, q *audit.Query) {
			q.ResourceType, q.ResourceID = "document", documentName(r.IntN(documents))
		})),
		page("action, 30 days", of(audit.Last30d, func(r *rand.Rand, q *audit.Query) { q.Actions = []audit.Action{usualAction(r.IntN(4))} })),
		page("rare action, 90 days", of(audit.Last90d, func(_ *rand.Rand, q *audit.Query) { q.Actions = []audit.Action{rareAction} })),
		page("actor and patient", of(0, func(r *rand.Rand, q *audit.Query) {
			anyone(r, q)
			q.Patient = patientName(r.IntN(patients))
		})),
	}
}

// measurePages builds the logs through Prepare, Append and Sequence, asks them for pages, and
// lets them grow.
func measurePages(ctx context.Context, c *config, dir string) (err error) {
	if c.keep {
		dir = c.dir
	}
	var archives []*archive
	defer func() {
		for _, a := range archives {
			err = errors.Join(err, a.close())
		}
	}()
	now := time.Now()
	fmt.Fprintf(c.out, "\n### Logs of %d tenants, %d actors each, 90 days\n\n| engine | events | built in | events/s | bytes/event |\n|---|---|---|---|---|\n", tenants, actors)
	for _, size := range c.sizes {
		for _, name := range []string{"SQLite", "PostgreSQL"} {
			if name == "PostgreSQL" && c.postgres == "" || !strings.Contains(name, c.cells) {
				continue
			}
			a, err := openArchive(ctx, c, name, dir, size, now)
			if err != nil {
				return err
			}
			archives = append(archives, a)
		}
	}
	if slices.Contains(c.parts, "pages") {
		err = askAll(ctx, c, archives)
	}
	if err == nil && slices.Contains(c.parts, "grow") {
		err = growAll(ctx, c, dir, archives)
	}
	return err
}

func openArchive(ctx context.Context, c *config, name, dir string, size int, now time.Time) (a *archive, err error) {
	a = &archive{events: size}
	file := fmt.Sprint("pages_", size)
	if name == "SQLite" {
		a.engine, err = openSQLite(ctx, dir, file, c.keep)
	} else {
		a.engine, err = openPostgres(ctx, c.postgres, file, c.keep)
	}
	if err != nil {
		return nil, err
	}
	start := time.Now()
	err = a.fill(ctx, now)
	took := time.Since(start)
	if err == nil {
		a.bytes, err = a.size(ctx)
	}
	if err == nil {
		a.log, err = audit.New(a.store, audit.DropOpenings{}, &audit.Options{Now: func() time.Time { return now }})
	}
	if err == nil {
		a.bare, err = prepareBare(ctx, a.engine)
	}
	if err != nil {
		return nil, errors.Join(err, a.close())
	}
	fmt.Fprintf(c.out, "| %s | %d | %v | %.0f | %d |\n", name, size, took.Round(time.Second), float64(size)/took.Seconds(), a.bytes/int64(size))
	return a, nil
}

// fill records what is missing up to a.events, in batches of 512 spread evenly over the span.
func (a *archive) fill(ctx context.Context, now time.Time) error {
	done, err := placed(ctx, a.engine)
	if err != nil {
		return err
	}
	at := now
	log, err := audit.New(a.store, audit.DropOpenings{}, &audit.Options{Now: func() time.Time { return at }})
	if err != nil {
		return err
	}
	r := random(uint64(done))
	batch := make([]audit.Event, 512)
	for ; done < a.events; done += len(batch) {
		batch = batch[:min(len(batch), a.events-done)]
		for i := range batch {
			at = now.Add(-span + span/time.Duration(a.events)*time.Duration(done+i))
			batch[i] = event(r, at)
			batch[i].ID = audit.NewID(at)
		}
		entries, err := log.Prepare(ctx, batch...)
		if err != nil {
			return err
		}
		if err := a.store.Append(ctx, entries); err != nil {
			return err
		}
		if done/512%8 == 7 || done+len(batch) == a.events {
			if err := a.drain(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// askAll prints how long pages take, as Log.Query gives them: with the check of each event against
// its leaf, decoded. They are warm: the same ones were asked for just before, uncounted.
func askAll(ctx context.Context, c *config, archives []*archive) error {
	const calls = 300
	type times struct{ p50, p99, rows []float64 }
	all := make(map[*archive][]times)
	for _, a := range archives {
		all[a] = make([]times, len(questions()))
	}
	for round := range c.rounds {
		for i, q := range questions() {
			for _, a := range archives {
				seed := uint64(100*round + i)
				_, _, err := a.ask(ctx, q, random(seed), calls)
				waits, rows := []time.Duration(nil), 0
				if err == nil {
					waits, rows, err = a.ask(ctx, q, random(seed), calls)
				}
				if err != nil {
					return fmt.Errorf("%s: %w", q.name, err)
				}
				t := &all[a][i]
				t.p50 = append(t.p50, float64(quantile(waits, 0.5))/float64(time.Millisecond))
				t.p99 = append(t.p99, float64(quantile(waits, 0.99))/float64(time.Millisecond))
				t.rows = append(t.rows, float64(rows)/calls)
			}
		}
	}
	fmt.Fprintf(c.out, "\n### Page of 50, warm: p50 / p99 in ms, the best p99 of a round (events on the page)\n\nLoad average %s.\n\n| filter beside the tenant |", load())
	for _, a := range archives {
		fmt.Fprintf(c.out, " %s, %d M |", a.name, a.events/1_000_000)
	}
	fmt.Fprint(c.out, "\n|---|")
	for range archives {
		fmt.Fprint(c.out, "---|")
	}
	for i, q := range questions() {
		fmt.Fprintf(c.out, "\n| %s |", q.name)
		for _, a := range archives {
			t := all[a][i]
			fmt.Fprintf(c.out, " %.2f / %.2f, %.2f (%.0f) |", median(t.p50), median(t.p99), slices.Min(t.p99), median(t.rows))
		}
	}
	fmt.Fprintln(c.out)
	return nil
}

func (a *archive) ask(ctx context.Context, q question, r *rand.Rand, calls int) (waits []time.Duration, rows int, err error) {
	for range calls {
		start := time.Now()
		n, err := q.ask(ctx, a, r)
		if err != nil {
			return nil, 0, err
		}
		waits = append(waits, time.Since(start))
		rows += n
	}
	return waits, rows, nil
}

// growAll prints how fast 256 writers record into logs that are large already.
func growAll(ctx context.Context, c *config, dir string, archives []*archive) error {
	d := time.Duration(c.seconds * float64(time.Second))
	results := make([]result, len(archives))
	for range c.rounds {
		for i, a := range archives {
			unit, err := measureUnit(ctx, dir, d/4)
			if err != nil {
				return err
			}
			s, err := a.record(ctx, 256, d, false, event)
			if err != nil {
				return err
			}
			results[i].add(s, unit.rate())
		}
	}
	fmt.Fprintf(c.out, "\n### 256 writers into these logs\n\nLoad average %s.\n\n| log | events/s | × unit | p50 ms | p99 ms | CPU µs/event |\n|---|---|---|---|---|---|\n", load())
	for i, a := range archives {
		r := results[i]
		fmt.Fprintf(c.out, "| %s, %d M | %.0f | %.2f | %.2f | %.1f | %.0f |\n", a.name, a.events/1_000_000,
			median(r.rate), median(r.units), median(r.p50), median(r.p99), median(r.cpu))
	}
	return nil
}
