package phisql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/phi"
)

// RequireTerms raises the epochs that SaveTerms asks for. On PostgreSQL it waits for the
// transactions that have saved terms of the tenant, a moment at a time, so that those which
// come after are never held up for long by one that stays open.
func (s *Store) RequireTerms(ctx context.Context, t audit.Tenant, floor, need byte) error {
	err := s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if s.db.Dialect() == sqlkit.Postgres {
			if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '200ms'`); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(`+lockKey+`)`, tenantLock(t)); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `INSERT INTO phi_index (tenant, lowest, needed) VALUES (?, ?, ?)
			ON CONFLICT (tenant) DO UPDATE SET
				lowest = CASE WHEN phi_index.lowest < excluded.lowest THEN excluded.lowest ELSE phi_index.lowest END,
				needed = CASE WHEN phi_index.needed < excluded.needed THEN excluded.needed ELSE phi_index.needed END`,
			string(t), int64(floor), int64(need))
		return err
	})
	if err != nil {
		return fmt.Errorf("phisql: requiring index terms: %w", err)
	}
	return nil
}

// Reindex gives rows that are behind their terms of epoch.
func (s *Store) Reindex(ctx context.Context, t audit.Tenant, epoch byte, rows []phi.Terms) (done int, err error) {
	byEntity := map[string][]phi.Terms{}
	for _, r := range rows {
		if err := r.Check(t); err != nil {
			return 0, err
		}
		byEntity[r.Entity] = append(byEntity[r.Entity], r)
	}
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		done = 0
		for entity, rows := range byEntity {
			job := reindexing{tx, s.db.Dialect(), t, entity, epoch}
			n, err := job.run(ctx, rows)
			if err != nil {
				return err
			}
			done += n
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("phisql: indexing rows anew: %w", err)
	}
	return done, nil
}

// reindexing is Reindex for the rows of one entity, in one transaction.
type reindexing struct {
	tx      *sqlkit.Tx
	dialect sqlkit.Dialect
	tenant  audit.Tenant
	entity  string
	epoch   byte
}

func (j reindexing) run(ctx context.Context, rows []phi.Terms) (int, error) {
	byID := map[string]phi.Terms{}
	for _, r := range rows {
		byID[r.Row] = r
	}
	ids := make([]string, 0, len(byID))
	for id := range byID {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	ids, err := j.lock(ctx, ids)
	if err != nil {
		return 0, err
	}
	if ids, err = j.behind(ctx, ids); err != nil {
		return 0, err
	}
	var plain, unique []phi.Terms
	for _, id := range ids {
		fresh := byID[id].Of(j.epoch)
		if len(fresh.List) == 0 {
			if err := deleteTerms(ctx, j.tx, j.tenant, j.entity, id); err != nil {
				return 0, err
			}
			continue
		}
		shared, alone := split(fresh)
		plain, unique = append(plain, shared), append(unique, alone)
	}
	if err := j.insertPlain(ctx, plain); err != nil {
		return 0, err
	}
	return len(ids), j.insertUnique(ctx, unique)
}

// split parts a row's terms into those that others may share and those that they may not.
func split(r phi.Terms) (plain, unique phi.Terms) {
	plain, unique = r, r
	plain.List = slices.DeleteFunc(slices.Clone(r.List), func(t phi.Term) bool { return t.Unique })
	unique.List = slices.DeleteFunc(slices.Clone(r.List), func(t phi.Term) bool { return !t.Unique })
	return plain, unique
}

// lock returns those of the rows that nobody is writing, and keeps it so.
func (j reindexing) lock(ctx context.Context, ids []string) ([]string, error) {
	if j.dialect != sqlkit.Postgres {
		return ids, nil
	}
	var free []string
	for some := range slices.Chunk(ids, chunk) {
		args := []any{}
		for _, id := range some {
			args = append(args, id)
		}
		values := strings.TrimSuffix(strings.Repeat(`(?), `, len(some)), `, `)
		key := strings.Replace(lockKey, `?`, `? || r.id`, 1)
		got, err := j.ids(ctx, `SELECT r.id FROM (VALUES `+values+`) AS r (id)
			WHERE pg_try_advisory_xact_lock(`+key+`)`, append(args, rowLock(j.tenant, j.entity))...)
		if err != nil {
			return nil, err
		}
		free = append(free, got...)
	}
	return free, nil
}

// behind returns those of the rows that have terms and none of the epoch or a later one.
func (j reindexing) behind(ctx context.Context, ids []string) ([]string, error) {
	var all []string
	for some := range slices.Chunk(ids, chunk) {
		half := []any{string(j.tenant), j.entity}
		for _, id := range some {
			half = append(half, id)
		}
		args := append(slices.Concat(half, half), any(epochArg(j.dialect, j.epoch)))
		where := `tenant = ? AND entity = ? AND row_id IN ` + sqlkit.List(len(some))
		got, err := j.ids(ctx, `SELECT row_id FROM (SELECT row_id, term FROM `+byRow(j.dialect, `phi_term`)+` WHERE `+where+
			` UNION ALL SELECT row_id, term FROM `+byRow(j.dialect, `phi_unique`)+` WHERE `+where+`) AS terms
			GROUP BY row_id HAVING max(`+epochOf(j.dialect)+`) < ?`, args...)
		if err != nil {
			return nil, err
		}
		all = append(all, got...)
	}
	return all, nil
}

func (j reindexing) ids(ctx context.Context, query string, args ...any) ([]string, error) {
	rows, err := j.tx.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

func (j reindexing) insertPlain(ctx context.Context, rows []phi.Terms) error {
	for args := range slices.Chunk(j.args(rows), 5*chunk) {
		if _, err := j.tx.Exec(ctx, `INSERT INTO phi_term `+columns(len(args)/5)+` ON CONFLICT DO NOTHING`, args...); err != nil {
			return err
		}
	}
	return nil
}

// insertUnique stores the claims. As in SaveTerms, a claim that affects no row is held by
// another one; which that is, is found by claiming one by one.
func (j reindexing) insertUnique(ctx context.Context, rows []phi.Terms) error {
	seen := map[string]bool{}
	for _, r := range rows {
		for _, t := range r.List { // a statement may not meet a row of its own
			if id := t.Field + "\x1f" + string(t.Value); seen[id] {
				return &phi.DuplicateError{Field: t.Field}
			} else {
				seen[id] = true
			}
		}
	}
	for args := range slices.Chunk(j.args(rows), 5*chunk) {
		n, err := j.tx.Exec(ctx, `INSERT INTO phi_unique `+columns(len(args)/5)+claim, args...)
		if err != nil {
			return err
		}
		if int(n) == len(args)/5 {
			continue
		}
		for _, r := range rows {
			if err := claimEach(ctx, j.tx, j.tenant, r, r.List); err != nil {
				return err
			}
		}
		return errors.New("the database counts rows wrongly")
	}
	return nil
}

// args returns the rows' terms as arguments, in the order in which all writers claim them.
func (j reindexing) args(rows []phi.Terms) (args []any) {
	type claimed struct {
		phi.Term
		row string
	}
	var all []claimed
	for _, r := range rows {
		for _, t := range r.List {
			all = append(all, claimed{t, r.Row})
		}
	}
	slices.SortFunc(all, func(a, b claimed) int { return compareTerms(a.Term, b.Term) })
	for _, t := range all {
		args = append(args, string(j.tenant), j.entity, t.Field, t.Value, t.row)
	}
	return args
}

// columns is the head of an INSERT of n terms.
func columns(n int) string {
	return `(tenant, entity, field, term, row_id) VALUES ` + strings.TrimSuffix(strings.Repeat(`(?, ?, ?, ?, ?), `, n), `, `)
}

// epochOf is the epoch of a term in SQL, and epochArg what it is compared with.
func epochOf(d sqlkit.Dialect) string {
	if d == sqlkit.Postgres {
		return `get_byte(term, 0)`
	}
	return `substr(term, 1, 1)`
}

func epochArg(d sqlkit.Dialect, epoch byte) any {
	if d == sqlkit.Postgres {
		return int64(epoch)
	}
	return []byte{epoch}
}

// Behind returns how many rows of each entity have terms and none of epoch or a later one.
func (s *Store) Behind(ctx context.Context, t audit.Tenant, epoch byte) (map[string]int, error) {
	d := s.db.Dialect()
	rows, err := s.db.Query(ctx, `SELECT entity, count(*) FROM (
			SELECT entity, row_id FROM (
				SELECT entity, row_id, term FROM phi_term WHERE tenant = ?
				UNION ALL SELECT entity, row_id, term FROM phi_unique WHERE tenant = ?) AS terms
			GROUP BY entity, row_id HAVING max(`+epochOf(d)+`) < ?) AS behind
		GROUP BY entity`, string(t), string(t), epochArg(d, epoch))
	if err != nil {
		return nil, fmt.Errorf("phisql: counting rows: %w", err)
	}
	defer rows.Close()
	behind := map[string]int{}
	for rows.Next() {
		var entity string
		var n int
		if err := rows.Scan(&entity, &n); err != nil {
			return nil, fmt.Errorf("phisql: counting rows: %w", err)
		}
		behind[entity] = n
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("phisql: counting rows: %w", err)
	}
	return behind, nil
}
