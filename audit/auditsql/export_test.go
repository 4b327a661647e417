package auditsql

import (
	"context"
	"testing"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// Shape makes the runs of a store small, so that few entries make many of them.
func (s *Store) Shape(block, fan, piece int) {
	s.shape = shape{block, fan, piece, int64(min(block/9, 512))}
}

// Pair, Blocks and Pairs are the form of a block.
type Pair = pair

// MakePair returns a pair.
func MakePair(key, place int64) Pair { return pair{key, place} }

// Key and Place are what a pair is of.
func (p pair) Key() int64   { return p.key }
func (p pair) Place() int64 { return p.place }

// Blocks cuts ascending pairs into blocks.
func Blocks(pairs []Pair, size int) (data [][]byte) {
	for _, b := range blocksOf(pairs, size) {
		data = append(data, b.data)
	}
	return data
}

// Pairs reads a block.
func Pairs(data []byte) ([]Pair, bool) { return decodeBlock(nil, data) }

// Step is how many candidates are looked for after a step that looked for n, read so many and kept so many, where
// limit events of a patient are asked for.
func Step(limit, n, read, kept int) int {
	w := newWanted(&audit.Filter{Patient: "p"}, limit)
	w.read, w.kept = read, kept
	return w.step(n)
}

// Tidy does one piece of merging.
func (s *Store) Tidy(ctx context.Context) (int, error) {
	n, _, err := s.tidySome(ctx, waitForLock)
	return n, err
}

// Begun begins a transaction as sequencing does, and returns two settings in it.
func (s *Store) Begun(t testing.TB) (idle, path string) {
	err := s.db.Write(t.Context(), func(tx *sqlkit.Tx) error {
		if err := s.alone(t.Context(), tx, waitForLock); err != nil {
			return err
		}
		return tx.Row(t.Context(), `SELECT current_setting('idle_in_transaction_session_timeout'), current_setting('search_path')`).Scan(&idle, &path)
	})
	if err != nil {
		t.Fatal(err)
	}
	return idle, path
}

// Kit returns the database.
func (s *Store) Kit() *sqlkit.DB { return s.db }

// Pack and Unpack are the stored form of canonical bytes.
func Pack(body []byte, tenant string, id []byte, recorded int64) []byte {
	return pack(body, packContext{tenant, id, recorded})
}

// Unpack is the inverse of Pack.
func Unpack(packed []byte, tenant string, id []byte, recorded int64) ([]byte, bool) {
	return unpack(nil, packed, packContext{tenant, id, recorded})
}

// IDBytes are those of a UUID.
func IDBytes(id string) []byte {
	b, _ := idBytes(id)
	return b
}

// Planned is a statement whose plan matters.
type Planned struct {
	Name, Text string
	Args       []any
}

// Planned returns the statements behind pages, look-ups and sequencing.
func (s *Store) Planned() []Planned {
	one, oneArgs := s.searchQuery([]int64{1}, 1<<41)
	two, twoArgs := s.searchQuery([]int64{1, -2}, 1<<41)
	narrow, narrowArgs := s.narrowQuery([]int64{1, -2}, reach{from: 1 << 40, below: 2 << 40}, 100)
	near, nearArgs := s.rowsQuery([]int64{1<<40 + 9, 1<<40 + 8})
	far, farArgs := s.rowsQuery([]int64{1<<40 + 900, 1<<40 + 700, 1<<40 + 8})
	all := []Planned{
		{"one key", one, oneArgs},
		{"two keys", two, twoArgs},
		{"near rows", near, nearArgs},
		{"far rows", far, farArgs},
		{"head", selectReach, []any{"clinic-17"}},
		{"period", s.periodQuery(), []any{"clinic-17", 2, 3, 4, 5, 6}},
		{"other keys", narrow, narrowArgs},
		{"by ID", s.selectStored(2), []any{"clinic-17", make([]byte, 16), make([]byte, 16)}},
		{"block of a pair", blockAt, []any{1, 2, 3}},
		{"blocks after a pair", blocksAfter, []any{1, 2, 3, 6}},
	}
	if s.postgres() {
		all = append(all, Planned{"first page of a key", selectFirst, []any{"clinic-17", 2, 1, 51}}, Planned{"take", take, []any{100}}, Planned{"waiting", anyWaitingPostgres, nil},
			Planned{"waiting by ID", selectWaiting + "(?)", []any{"clinic-17", make([]byte, 16)}})
	}
	for i := range all {
		all[i].Text = s.db.Rebind(all[i].Text)
	}
	return all
}

// Relief sets when appenders help and when tables are cleaned.
func (s *Store) Relief(lookEvery, tooMany, vacuumEvery int64) {
	s.relief.lookEvery, s.relief.tooMany, s.relief.vacuumEvery = lookEvery, tooMany, vacuumEvery
}

// Posting is what a block has for a key, at most keep places of it, 0 for all.
func Posting(data []byte, key, from, below int64, keep int) (places []int64, more, older, ok bool) {
	f := posting{key: key, keep: keep}
	ok = f.read(data, reach{from: from, below: below})
	return f.places, f.more, f.older, ok
}

// Candidates searches for a key in a tenant's places.
func (s *Store) Candidates(ctx context.Context, key, no, from, below int64, n int) (places []int64, done bool, err error) {
	return s.candidates(ctx, []int64{key}, reach{placeOf(no, from), placeOf(no, below)}, n)
}

// First are the candidates of a first page; it is on PostgreSQL only that they are looked for with the period.
func (s *Store) First(ctx context.Context, f audit.Filter, key int64, n int) (places []int64, done, known bool, err error) {
	_, places, done, known, err = s.firstPage(ctx, &f, key, n)
	return places, done, known, err
}

// KeyOfPatient is what events about a patient are found by.
func KeyOfPatient(tenant, patient string) int64 { return keyOf(byPatient, tenant, patient) }

// KeyOfType is what events with objects of a type are found by.
func KeyOfType(tenant, kind string) int64 { return keyOf(byType, tenant, kind) }

// Traces are the purged places that the tables still say something of: a body, private values, or
// a pair in any run.
func (s *Store) Traces(t testing.TB) (places []int64) {
	spans, err := scanSpans(t.Context(), s.db, `SELECT place, until FROM audit_purged ORDER BY place`)
	if err != nil {
		t.Fatal(err)
	}
	note := func(place int64) {
		for _, p := range spans {
			if p.has(place) {
				places = append(places, place)
			}
		}
	}
	err = scanAll(t.Context(), s.db, func(rows *sqlkit.Rows) error {
		var data []byte
		err := rows.Scan(&data)
		pairs, ok := decodeBlock(nil, data)
		if err == nil && !ok {
			err = audit.ErrDamaged
		}
		for _, p := range pairs {
			note(p.place)
		}
		return err
	}, `SELECT data FROM audit_block`)
	if err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{
		`SELECT place FROM audit_entry WHERE length(body) > 0 OR outcome >= 0 OR sealed IS NOT NULL`, `SELECT place FROM audit_run`,
	} {
		err := scanAll(t.Context(), s.db, func(rows *sqlkit.Rows) error {
			var place int64
			err := rows.Scan(&place)
			note(place)
			return err
		}, query)
		if err != nil {
			t.Fatal(err)
		}
	}
	return places
}
