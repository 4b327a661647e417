package audittest_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"iter"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // the toy's engine

	"github.com/wardkit/wardkit/audit"
)

// toy is the smallest honest store over a database that several processes can open: it keeps
// entries as JSON, filters in Go, and knows a page only by reading everything. It shows that
// the attacks pass on a sound store, and a flaw that they see an unsound one.
type toy struct {
	db   *sql.DB
	flaw flaw

	mu    sync.Mutex
	alone sync.Mutex             // flaw wastes: one sequencer in a process
	next  map[audit.Tenant]int64 // flaw cachedHead
	own   map[string][]byte      // flaw ownIDs
	late  []func(context.Context) error
	read  sync.Map // what JSON says, because reading it takes long
}

// flaw names what is wrong with a toy.
type flaw string

const (
	sane          flaw = ""
	looseSequence flaw = "chooses in one transaction and places in another"
	cachedHead    flaw = "remembers the next place in the process"
	byID          flaw = "places in the order of IDs"
	byTime        flaw = "lists in the order of time"
	ownIDs        flaw = "knows only the IDs of its own process"
	lookThenLeap  flaw = "looks for the ID before the transaction, and ignores that it is there"
	lookThenFail  flaw = "looks for the ID before the transaction, and fails if it is there"
	acksEarly     flaw = "acknowledges, then writes"
	halves        flaw = "writes entry by entry"
	wastes        flaw = "counts up in one transaction and places in another"
	erasesLate    flaw = "acknowledges an erasure, then erases"
)

const toyTables = `
	CREATE TABLE IF NOT EXISTS entry (row INTEGER PRIMARY KEY, tenant TEXT, id TEXT, idx INTEGER DEFAULT -1, body BLOB, openings BLOB, data TEXT);
	CREATE UNIQUE INDEX IF NOT EXISTS entry_id ON entry (id, tenant);
	CREATE TABLE IF NOT EXISTS head (tenant TEXT PRIMARY KEY, next INTEGER)`

func openToy(t testing.TB, path string, f flaw) *toy {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(path)+
		"?_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_txlock=immediate")
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	for range 500 { // SQLite does not wait where two processes switch a new file to WAL at once
		if _, err = db.ExecContext(t.Context(), toyTables); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	require.NoError(t, err)
	s := &toy{db: db, flaw: f, next: map[audit.Tenant]int64{}, own: map[string][]byte{}}
	if f == acksEarly || f == erasesLate {
		go s.catchUp(t.Context())
	}
	return s
}

// catchUp does what was acknowledged long ago.
func (s *toy) catchUp(ctx context.Context) {
	for ctx.Err() == nil {
		time.Sleep(50 * time.Millisecond)
		s.mu.Lock()
		late := s.late
		s.late = nil
		s.mu.Unlock()
		for _, f := range late {
			_ = f(ctx)
		}
	}
}

func (s *toy) postpone(f func(context.Context) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.late = append(s.late, f)
	return nil
}

// tx runs f in a transaction.
func (s *toy) tx(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

func (s *toy) Append(ctx context.Context, entries []audit.Entry) error {
	switch s.flaw {
	case acksEarly:
		return s.postpone(func(ctx context.Context) error { return s.insertAll(ctx, entries) })
	case halves:
		for i := range entries {
			if err := s.insertAll(ctx, entries[i:i+1]); err != nil {
				return err
			}
			time.Sleep(time.Millisecond) // so that what can go wrong does
		}
		return nil
	case lookThenLeap, lookThenFail:
		return s.insertUnlessSeen(ctx, entries)
	case ownIDs:
		return s.insertUnlessOwn(ctx, entries)
	}
	return s.insertAll(ctx, entries)
}

func (s *toy) insertAll(ctx context.Context, entries []audit.Entry) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		for _, e := range entries {
			var body []byte
			err := tx.QueryRowContext(ctx, `SELECT body FROM entry WHERE id = ? AND tenant = ?`, e.ID, e.Tenant).Scan(&body)
			switch {
			case errors.Is(err, sql.ErrNoRows):
				err = insert(ctx, tx, e, `INSERT`)
			case err == nil && !bytes.Equal(body, e.Body):
				err = audit.ErrConflict
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func insert(ctx context.Context, tx *sql.Tx, e audit.Entry, verb string) error {
	openings := e.Openings
	e.Index, e.Openings = -1, nil
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, verb+` INTO entry (tenant, id, body, openings, data) VALUES (?, ?, ?, ?, ?)`, e.Tenant, e.ID, e.Body, openings, data)
	return err
}

// insertUnlessSeen is a flaw: what it has seen may be out of date.
func (s *toy) insertUnlessSeen(ctx context.Context, entries []audit.Entry) error {
	var fresh []audit.Entry
	for _, e := range entries {
		old, err := s.Get(ctx, e.Tenant, e.ID)
		switch {
		case errors.Is(err, audit.ErrNotFound):
			fresh = append(fresh, e)
		case err != nil:
			return err
		case !bytes.Equal(old.Body, e.Body):
			return audit.ErrConflict
		}
	}
	verb := `INSERT OR IGNORE`
	if s.flaw == lookThenFail {
		verb = `INSERT`
	}
	time.Sleep(time.Millisecond)
	return s.tx(ctx, func(tx *sql.Tx) error {
		for _, e := range fresh {
			if err := insert(ctx, tx, e, verb); err != nil {
				return err
			}
		}
		return nil
	})
}

// insertUnlessOwn is a flaw: others write, too.
func (s *toy) insertUnlessOwn(ctx context.Context, entries []audit.Entry) error {
	for _, e := range entries {
		s.mu.Lock()
		old, ok := s.own[e.ID]
		if !ok {
			s.own[e.ID] = e.Body
		}
		s.mu.Unlock()
		if ok && !bytes.Equal(old, e.Body) {
			return audit.ErrConflict
		}
	}
	return s.tx(ctx, func(tx *sql.Tx) error {
		for _, e := range entries {
			if err := insert(ctx, tx, e, `INSERT OR IGNORE`); err != nil {
				return err
			}
		}
		return nil
	})
}

type waiting struct {
	row    int64
	tenant audit.Tenant
	index  int64
}

func (s *toy) Sequence(ctx context.Context, limit int) (n int, err error) {
	var chosen []waiting
	if s.flaw == wastes {
		s.alone.Lock()
		defer s.alone.Unlock()
	}
	if s.flaw == looseSequence || s.flaw == wastes {
		err := s.tx(ctx, func(tx *sql.Tx) error {
			chosen, err = s.choose(ctx, tx, limit)
			return err
		})
		if err != nil {
			return 0, err
		}
		time.Sleep(4 * time.Millisecond)
		return len(chosen), s.tx(ctx, func(tx *sql.Tx) error { return s.place(ctx, tx, chosen) })
	}
	err = s.tx(ctx, func(tx *sql.Tx) error {
		if chosen, err = s.choose(ctx, tx, limit); err != nil {
			return err
		}
		return s.place(ctx, tx, chosen)
	})
	return len(chosen), err
}

// choose takes entries that wait and numbers for them.
func (s *toy) choose(ctx context.Context, tx *sql.Tx, limit int) (out []waiting, err error) {
	order := `row`
	if s.flaw == byID {
		order = `id`
	}
	rows, err := tx.QueryContext(ctx, `SELECT row, tenant FROM entry WHERE idx < 0 ORDER BY `+order+` LIMIT ?`, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var w waiting
		if err := rows.Scan(&w.row, &w.tenant); err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	for i := range out {
		if out[i].index, err = s.number(ctx, tx, out[i].tenant); err != nil {
			return nil, err
		}
	}
	return out, rows.Err()
}

func (s *toy) number(ctx context.Context, tx *sql.Tx, t audit.Tenant) (n int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if next, ok := s.next[t]; ok && s.flaw == cachedHead {
		s.next[t] = next + 1
		return next, nil
	}
	err = tx.QueryRowContext(ctx, `INSERT INTO head (tenant, next) VALUES (?, 1) ON CONFLICT (tenant) DO UPDATE SET next = next + 1 RETURNING next - 1`, t).Scan(&n)
	s.next[t] = n + 1
	return n, err
}

func (s *toy) place(ctx context.Context, tx *sql.Tx, chosen []waiting) error {
	for _, w := range chosen {
		if _, err := tx.ExecContext(ctx, `UPDATE entry SET idx = ? WHERE row = ?`, w.index, w.row); err != nil {
			return err
		}
		if s.flaw == cachedHead {
			if _, err := tx.ExecContext(ctx, `UPDATE head SET next = ? WHERE tenant = ?`, w.index+1, w.tenant); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *toy) Backlog(ctx context.Context) (b audit.Backlog, err error) {
	var oldest sql.NullString
	err = s.db.QueryRowContext(ctx, `SELECT count(*), (SELECT data FROM entry WHERE idx < 0 ORDER BY row LIMIT 1) FROM entry WHERE idx < 0`).Scan(&b.Waiting, &oldest)
	if err != nil || !oldest.Valid {
		return b, err
	}
	var e audit.Entry
	err = json.Unmarshal([]byte(oldest.String), &e)
	b.Oldest = e.Recorded
	return b, err
}

func (s *toy) Get(ctx context.Context, t audit.Tenant, id string) (audit.Entry, error) {
	var data, openings []byte
	var index int64
	err := s.db.QueryRowContext(ctx, `SELECT data, openings, idx FROM entry WHERE id = ? AND tenant = ?`, id, t).Scan(&data, &openings, &index)
	if errors.Is(err, sql.ErrNoRows) {
		return audit.Entry{}, audit.ErrNotFound
	}
	if err != nil {
		return audit.Entry{}, err
	}
	var e audit.Entry
	err = json.Unmarshal(data, &e)
	e.Index = index
	return row(&e, openings), err
}

func (s *toy) List(ctx context.Context, f audit.Filter, below int64, limit int) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		list, err := s.list(ctx, f, below, limit)
		for _, e := range list {
			if !yield(e, nil) {
				return
			}
		}
		if err != nil {
			yield(audit.Entry{}, err)
		}
	}
}

func (s *toy) list(ctx context.Context, f audit.Filter, below int64, limit int) (out []audit.Entry, err error) {
	order := `idx DESC`
	if s.flaw == byTime {
		order = `data ->> 'Recorded' DESC, id`
	}
	rows, err := s.db.QueryContext(ctx, `SELECT data, idx FROM entry WHERE tenant = ? AND idx >= 0 AND idx < ? ORDER BY `+order, f.Tenant, below)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() && len(out) < limit {
		var data []byte
		var e audit.Entry
		var index int64
		if err := rows.Scan(&data, &index); err != nil {
			return nil, err
		}
		if known, ok := s.read.Load(string(data)); ok {
			e = known.(audit.Entry)
		} else if err := json.Unmarshal(data, &e); err != nil {
			return nil, err
		}
		s.read.Store(string(data), e)
		e.Index = index
		if f.Matches(&e) {
			out = append(out, row(&e, nil))
		}
	}
	return out, rows.Err()
}

func (s *toy) Count(ctx context.Context, f audit.Filter, limit int) (int, error) {
	list, err := s.list(ctx, f, audit.Newest, limit)
	return len(list), err
}

func (s *toy) Erase(ctx context.Context, t audit.Tenant, ids []string) error {
	erase := func(ctx context.Context) error {
		return s.tx(ctx, func(tx *sql.Tx) error {
			for _, id := range ids {
				if _, err := tx.ExecContext(ctx, `UPDATE entry SET openings = NULL WHERE id = ? AND tenant = ?`, id, t); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if s.flaw == erasesLate {
		return s.postpone(erase)
	}
	return erase(ctx)
}
