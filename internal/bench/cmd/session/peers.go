package main

import (
	"context"
	"crypto/rand"
	"net/http"
	"time"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/pgxstore"
	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/gorilla/sessions"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wardkit/wardkit/internal/bench/turns"
)

// What a peer's session holds: who it is, of which tenant, and how strongly that was proven.
const keyPerson, keyTenant, keyLevel = "person", "tenant", "level"

// peerCases are the peers over an engine, and what closes what they opened.
func peerCases(ctx context.Context, c *config, engine string, n int) (all []*turns.Case, end func(), err error) {
	none := func() {}
	switch engine {
	case "memory":
		scsCases, err := scsCases(ctx, engine, memstore.NewWithCleanupInterval(0), n)
		if err != nil {
			return nil, none, err
		}
		cookies, err := gorillaCases()
		return append(scsCases, cookies...), none, err
	case "postgres":
		return postgresPeers(ctx, c, n)
	case "redis":
		e, err := openRedis(ctx, c, 13)
		if err != nil {
			return nil, none, err
		}
		all, err = scsCases(ctx, engine, goredisstore.New(e.redis), n)
		return all, e.close, err
	}
	return nil, none, nil
}

func postgresPeers(ctx context.Context, c *config, n int) ([]*turns.Case, func(), error) {
	store, end, err := scsPostgres(ctx, c, 0)
	if err != nil {
		return nil, end, err
	}
	all, err := scsCases(ctx, "postgres", store, n)
	return all, end, err
}

// scsPostgres opens scs's store over a pool of pgx with so many connections, 0 for its default.
func scsPostgres(ctx context.Context, c *config, connections int32) (scs.Store, func(), error) {
	e, err := openPostgres(ctx, c.postgres)
	if err != nil {
		return nil, func() {}, err
	}
	config, err := pgxpool.ParseConfig(c.postgres)
	if err != nil {
		return nil, e.close, err
	}
	config.ConnConfig.RuntimeParams["search_path"] = e.schema
	if connections > 0 {
		config.MaxConns, config.MinConns = connections, connections
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, e.close, err
	}
	end := func() {
		pool.Close()
		e.close()
	}
	_, err = pool.Exec(ctx, `CREATE TABLE sessions (token TEXT PRIMARY KEY, data BYTEA NOT NULL, expiry TIMESTAMPTZ NOT NULL)`)
	if err != nil {
		return nil, end, err
	}
	if _, err = pool.Exec(ctx, `CREATE INDEX sessions_expiry_idx ON sessions (expiry)`); err != nil {
		return nil, end, err
	}
	return pgxstore.NewWithCleanupInterval(pool, 0), end, nil
}

// scsCases are requests through scs, without and with an idle time: with one, each writes.
func scsCases(ctx context.Context, engine string, store scs.Store, n int) (all []*turns.Case, err error) {
	for _, idle := range []time.Duration{0, 15 * time.Minute} {
		name := "scs, load only (no idle time)"
		if idle > 0 {
			name = "scs, load and touch (a write for every request)"
		}
		m := scs.New()
		m.Store, m.IdleTimeout, m.Lifetime = store, idle, 12*time.Hour
		var token string
		for range n {
			if token, err = scsBegin(ctx, m); err != nil {
				return nil, err
			}
		}
		r := newRequest(&http.Cookie{Name: m.Cookie.Name, Value: token})
		r.handler = m.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
			r.served = m.GetString(q.Context(), keyPerson) != "" && m.GetString(q.Context(), keyTenant) != "" && m.GetInt(q.Context(), keyLevel) == 2
		}))
		all = append(all, &turns.Case{Name: name, Run: r.serve})
	}
	return all, nil
}

func scsBegin(ctx context.Context, m *scs.SessionManager) (token string, err error) {
	if ctx, err = m.Load(ctx, ""); err != nil {
		return "", err
	}
	m.Put(ctx, keyPerson, "staff-"+rand.Text())
	m.Put(ctx, keyTenant, "clinic-1")
	m.Put(ctx, keyLevel, 2)
	token, _, err = m.Commit(ctx)
	return token, err
}

// gorillaCases are requests with gorilla's encrypted cookie, which nobody can end, without
// and with saving it again.
func gorillaCases() (all []*turns.Case, err error) {
	hash, block := make([]byte, 32), make([]byte, 32)
	rand.Read(hash)
	rand.Read(block)
	store := sessions.NewCookieStore(hash, block)
	for _, save := range []bool{false, true} {
		name := "gorilla, encrypted cookie, load only"
		if save {
			name = "gorilla, encrypted cookie, load and save"
		}
		first := newRequest(nil)
		s, err := store.Get(first.request, "session")
		if err != nil {
			return nil, err
		}
		s.Values[keyPerson], s.Values[keyTenant], s.Values[keyLevel] = "staff-"+rand.Text(), "clinic-1", 2
		if err := store.Save(first.request, first, s); err != nil {
			return nil, err
		}
		r := newRequest((&http.Response{Header: first.head}).Cookies()[0])
		r.handler = http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			q = q.WithContext(context.WithoutCancel(q.Context())) // its registry is the request's
			s, err := store.Get(q, "session")
			if err == nil && save {
				err = s.Save(q, w)
			}
			r.served = err == nil && s.Values[keyPerson] != "" && s.Values[keyTenant] == "clinic-1" && s.Values[keyLevel] == 2
		})
		all = append(all, &turns.Case{Name: name, Run: r.serve})
	}
	return all, nil
}
