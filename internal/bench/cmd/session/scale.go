package main

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/bench/turns"
	"github.com/wardkit/wardkit/session"
)

// each is how many sessions a person has.
const each = 3

// population is one store full of sessions.
type population struct {
	*engine
	keys   []session.Key
	tokens []byte // of all, each of the same length
	now    time.Time
	bytes  float64 // per session
}

// tokenBytes is the length of a token.
const tokenBytes = 69

// scale measures looking up and listing in stores of both sizes, in turns: the store alone, and as
// a request and a page do it.
func scale(ctx context.Context, c *config) error {
	fmt.Fprintf(c.out, "| store | | of %d, best / median µs | of %d | × | bytes per session |\n|---|---|---|---|---|---|\n", c.small, c.large)
	for _, title := range titles {
		if !c.has(title[0]) {
			continue
		}
		if err := scaleRows(ctx, c, title[0], title[1]); err != nil {
			return fmt.Errorf("%s: %w", title[0], err)
		}
	}
	return nil
}

func scaleRows(ctx context.Context, c *config, name, title string) error {
	var all [2][]*turns.Case
	var bytes, bareBytes float64
	for i, n := range []int{c.small, c.large} {
		e, err := open(ctx, c, name, i)
		if err != nil {
			return err
		}
		defer e.close()
		p, err := populate(ctx, e, n)
		if err != nil {
			return err
		}
		asked, err := p.asked(ctx)
		if err != nil {
			return err
		}
		all[i], bytes = append(asked, p.lookUp(ctx), p.list(ctx)), p.bytes
		if name == "memory" {
			m, err := p.bare(ctx)
			if err != nil {
				return err
			}
			all[i], bareBytes = append(all[i], m.lookUp(p.keys), m.list(len(p.keys)/each)), m.bytes
		}
	}
	if err := c.measure(slices.Concat(all[0], all[1]), 300*time.Microsecond); err != nil {
		return err
	}
	for i, small := range all[0] {
		first, size := title, bytes
		if i >= 4 {
			first, size = "two Go maps, to compare", bareBytes
		}
		scaleLine(c.out, first, small, all[1][i], size)
	}
	return nil
}

func scaleLine(w io.Writer, title string, small, large *turns.Case, bytes float64) {
	cell := func(t *turns.Case) string { return fmt.Sprintf("%.2f / %.2f", t.Best()/1000, t.Median()/1000) }
	fmt.Fprintf(w, "| %s | %s | %s | %s | %.2f / %.2f | %.0f |\n", title, small.Name, cell(small), cell(large),
		large.Best()/small.Best(), large.Median()/small.Median(), bytes)
}

// bare are the same sessions in maps: no locks, no conditions, no policy. How much longer they take
// among more of them is the machine's own.
type bare struct {
	byHash   map[[32]byte]*session.Session
	byPerson map[audit.ActorID][]*session.Session
	bytes    float64 // per session
	found    session.Session
}

func (p *population) bare(ctx context.Context) (*bare, error) {
	before, err := heap(ctx)
	if err != nil {
		return nil, err
	}
	m := &bare{byHash: map[[32]byte]*session.Session{}, byPerson: map[audit.ActorID][]*session.Session{}}
	for _, k := range p.keys {
		f, err := p.store.Get(ctx, k)
		if err != nil {
			return nil, err
		}
		s := f.Session
		m.byHash[k.Hash], m.byPerson[s.Person] = &s, append(m.byPerson[s.Person], &s)
	}
	after, err := heap(ctx)
	m.bytes = float64(after-before) / float64(len(p.keys))
	return m, err
}

func (m *bare) lookUp(all []session.Key) *turns.Case {
	keys, next := shuffled(all), 0
	return &turns.Case{Name: "look-up", Run: func() error {
		s := m.byHash[keys[next%len(keys)].Hash]
		next++
		if s == nil {
			return errMissing
		}
		m.found = *s
		return nil
	}}
}

func (m *bare) list(people int) *turns.Case {
	return &turns.Case{Name: "list", Run: func() error {
		n := 0
		for _, s := range m.byPerson[person(rand.IntN(people))] {
			m.found = *s
			n++
		}
		if n != each {
			return errMissing
		}
		return nil
	}}
}

var errMissing = errors.New("a session is missing")

// lookUp asks for all in an order that no store knows. The keys themselves lie one after the
// other: a request has its key at hand.
func (p *population) lookUp(ctx context.Context) *turns.Case {
	keys, next := shuffled(p.keys), 0
	return &turns.Case{Name: "look-up, the store alone", Run: func() error {
		_, err := p.store.Get(ctx, keys[next%len(keys)])
		next++
		return err
	}}
}

func shuffled(all []session.Key) []session.Key {
	keys := slices.Clone(all)
	rand.Shuffle(len(keys), func(i, k int) { keys[i], keys[k] = keys[k], keys[i] })
	return keys
}

// readEach reads the sessions that each person has.
func readEach[S any](list iter.Seq2[S, error]) error {
	n := 0
	for _, err := range list {
		if err != nil {
			return err
		}
		n++
	}
	if n != each {
		return errMissing
	}
	return nil
}

func (p *population) list(ctx context.Context) *turns.Case {
	return &turns.Case{Name: "list, the store alone", Run: func() error {
		return readEach(p.store.List(ctx, "clinic-1", person(rand.IntN(len(p.keys)/each)), p.now))
	}}
}

func person(i int) audit.ActorID { return audit.ActorID("staff-" + strconv.Itoa(i)) }

// populate fills a store with n sessions, each people's.
func populate(ctx context.Context, e *engine, n int) (*population, error) {
	n -= n % each
	p := &population{engine: e, now: time.Now().UTC().Truncate(time.Microsecond), keys: make([]session.Key, n), tokens: make([]byte, n*tokenBytes)}
	before, err := e.size(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case e.schema != "":
		err = p.copyRows(ctx)
	case e.db != nil:
		err = p.insertRows(ctx)
	default:
		err = p.create(ctx)
	}
	if err != nil {
		return nil, err
	}
	after, err := e.size(ctx)
	p.bytes = float64(after-before) / float64(len(p.keys))
	return p, err
}

// record makes the i-th session. Each of a person's began an hour before the one before it.
func (p *population) record(ctx context.Context, i int) (session.Record, error) {
	who, created := person(i/each), p.now.Add(-time.Duration(i%each)*time.Hour)
	route, err := p.store.Route(ctx, "clinic-1", who)
	if err != nil {
		return session.Record{}, err
	}
	k, err := p.token(i, route)
	p.keys[i] = k
	return session.Record{Key: k, Session: session.Session{
		ID: audit.NewID(created), Tenant: "clinic-1", Person: who, Kind: audit.KindStaff, AuthTime: created,
		Methods: []string{"pwd", "otp"}, Assurance: audit.AAL2, Device: "Firefox on Linux",
		Created: created, Since: created, LastSeen: p.now, Version: 1,
		IdleEnds: p.now.Add(15 * time.Minute), Ends: created.Add(12 * time.Hour),
	}}, err
}

// token makes the i-th token, with the store's routing tag, and returns its key.
func (p *population) token(i int, route [16]byte) (session.Key, error) {
	const prefix = "wks1_"
	b, err := base64.RawURLEncoding.DecodeString(session.NewToken().Reveal()[len(prefix):])
	if err != nil {
		return session.Key{}, err
	}
	copy(b, route[:])
	text := prefix + base64.RawURLEncoding.EncodeToString(b)
	copy(p.tokens[i*tokenBytes:], text)
	t, err := session.ParseToken(text)
	return t.Key(), err
}

// create fills a store as sign-ins do, several at once.
func (p *population) create(ctx context.Context) error {
	const workers = 16
	errs := make([]error, workers)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := w; i < len(p.keys) && errs[w] == nil; i += workers {
				r, err := p.record(ctx, i)
				if err == nil {
					_, err = p.store.Create(ctx, r, 0)
				}
				errs[w] = err
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// The columns of a row, in the order of row.
var columns = strings.Fields(`hash id tenant person kind on_behalf_of organization auth_time methods assurance
	phishing_resistant origin device created last_seen idle_ends ends ended reason version superseded since locked fresh`)

func row(r session.Record) []any {
	s := r.Session
	at, seen := s.Created.UnixMicro(), s.LastSeen.UnixMicro()
	return []any{
		r.Key.Hash[:], s.ID, string(s.Tenant), string(s.Person), string(s.Kind), "", "", at, strings.Join(s.Methods, " "), 2,
		0, "", s.Device, at, seen, s.IdleEnds.UnixMicro(), s.Ends.UnixMicro(), 0, "", 1, 0, at, 0, "",
	}
}

// copyRows fills PostgreSQL the way it is filled fastest.
func (p *population) copyRows(ctx context.Context) error {
	conn, err := p.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	err = conn.Raw(func(c any) error {
		_, err := c.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{"session_row"}, columns, pgx.CopyFromSlice(len(p.keys), func(i int) ([]any, error) {
			r, err := p.record(ctx, i)
			return row(r), err
		}))
		return err
	})
	if err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, "VACUUM ANALYZE session_row")
	return err
}

// insertRows fills SQLite in few transactions.
func (p *population) insertRows(ctx context.Context) error {
	insert := "INSERT INTO session_row (" + strings.Join(columns, ", ") + ") VALUES (?" + strings.Repeat(", ?", len(columns)-1) + ")"
	const chunk = 50_000
	for from := 0; from < len(p.keys); from += chunk {
		err := p.inTx(ctx, insert, from, min(from+chunk, len(p.keys)))
		if err != nil {
			return err
		}
	}
	_, err := p.db.ExecContext(ctx, "ANALYZE")
	return err
}

func (p *population) inTx(ctx context.Context, insert string, from, to int) error {
	tx, err := p.db.BeginTx(ctx, &sql.TxOptions{})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	statement, err := tx.PrepareContext(ctx, insert)
	if err != nil {
		return err
	}
	for i := from; i < to; i++ {
		r, err := p.record(ctx, i)
		if err != nil {
			return err
		}
		if _, err := statement.ExecContext(ctx, row(r)...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// heap is the memory in use after a collection.
func heap(context.Context) (int64, error) {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc), nil
}
