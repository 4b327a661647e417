package phisql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/phi"
)

const keyColumns = `kid, namespace, tenant, purpose, patient, epoch, root, wrapped, created`

// Create stores k unless its id, or its slot and epoch, is taken: phi.ErrKeyExists.
func (s *Store) Create(ctx context.Context, k phi.Key) error {
	n, err := s.db.Exec(ctx, `INSERT INTO phi_key (`+keyColumns+`)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		k.ID[:], k.Namespace, string(k.Tenant), string(k.Purpose), string(k.Patient), int64(k.Epoch),
		k.Root[:], k.Wrapped, sqlkit.Micros(k.Created))
	if err != nil {
		return fmt.Errorf("phisql: storing a key: %w", err)
	}
	if n == 0 {
		return phi.ErrKeyExists
	}
	return nil
}

// Current returns the slot's key of the highest epoch, or phi.ErrKeyNotFound.
func (s *Store) Current(ctx context.Context, slot phi.KeySlot) (phi.Key, error) {
	var row keyRow
	err := s.db.Get(ctx, row.dest(), `SELECT `+keyColumns+` FROM phi_key
		WHERE namespace = ? AND tenant = ? AND purpose = ? AND patient = ?
		ORDER BY epoch DESC LIMIT 1`,
		slot.Namespace, string(slot.Tenant), string(slot.Purpose), string(slot.Patient))
	if errors.Is(err, sql.ErrNoRows) {
		return phi.Key{}, phi.ErrKeyNotFound
	}
	if err != nil {
		return phi.Key{}, fmt.Errorf("phisql: reading the current key: %w", err)
	}
	return row.key()
}

// chunk bounds the parameters of one statement.
const chunk = 500

// Get returns those of the keys that exist.
func (s *Store) Get(ctx context.Context, ids ...phi.KeyID) ([]phi.Key, error) {
	var found []phi.Key
	for len(ids) > 0 {
		n := min(len(ids), chunk)
		some, err := s.get(ctx, ids[:n])
		if err != nil {
			return nil, fmt.Errorf("phisql: reading keys: %w", err)
		}
		found, ids = append(found, some...), ids[n:]
	}
	return found, nil
}

func (s *Store) get(ctx context.Context, ids []phi.KeyID) ([]phi.Key, error) {
	args := make([]any, len(ids))
	for i := range ids {
		args[i] = ids[i][:]
	}
	return s.keys(ctx, `SELECT `+keyColumns+` FROM phi_key WHERE kid IN `+sqlkit.List(len(args)), args...)
}

// keys runs a query for keyColumns.
func (s *Store) keys(ctx context.Context, query string, args ...any) ([]phi.Key, error) {
	rows, err := s.db.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := []phi.Key{}
	for rows.Next() {
		var row keyRow
		if err := rows.Scan(row.dest()...); err != nil {
			return nil, err
		}
		k, err := row.key()
		if err != nil {
			return nil, err
		}
		found = append(found, k)
	}
	return found, rows.Err()
}

// List returns the keys that q selects, in ascending order of their ids.
func (s *Store) List(ctx context.Context, q phi.KeyQuery) ([]phi.Key, error) {
	where, args := under(q)
	found, err := s.keys(ctx, `SELECT `+keyColumns+` FROM phi_key WHERE `+where+` AND kid > ? ORDER BY kid LIMIT ?`,
		append(args, q.After[:], q.Limit)...)
	if err != nil {
		return nil, fmt.Errorf("phisql: listing keys: %w", err)
	}
	return found, nil
}

// Count returns how many keys q selects.
func (s *Store) Count(ctx context.Context, q phi.KeyQuery) (n int, err error) {
	where, args := under(q)
	if err := s.db.Get(ctx, []any{&n}, `SELECT count(*) FROM phi_key WHERE `+where, args...); err != nil {
		return 0, fmt.Errorf("phisql: counting keys: %w", err)
	}
	return n, nil
}

func under(q phi.KeyQuery) (where string, args []any) {
	where, args = `namespace = ? AND root = ?`, []any{q.Namespace, q.Root[:]}
	if q.Tenant != "" {
		where, args = where+` AND tenant = ?`, append(args, string(q.Tenant))
	}
	return where, args
}

// Rewrap changes how keys are wrapped, where they are still wrapped as the swap says.
func (s *Store) Rewrap(ctx context.Context, swaps []phi.KeySwap) (int, error) {
	done := 0
	for len(swaps) > 0 {
		n := min(len(swaps), chunk)
		changed, err := s.rewrap(ctx, swaps[:n])
		if err != nil {
			return done, fmt.Errorf("phisql: re-wrapping keys: %w", err)
		}
		done, swaps = done+changed, swaps[n:]
	}
	return done, nil
}

func (s *Store) rewrap(ctx context.Context, swaps []phi.KeySwap) (int, error) {
	row := `(CAST(? AS BLOB), CAST(? AS BLOB), CAST(? AS BLOB), CAST(? AS BLOB)), `
	if s.db.Dialect() == sqlkit.Postgres {
		row = strings.ReplaceAll(row, `BLOB`, `BYTEA`)
	}
	args := make([]any, 0, 4*len(swaps))
	for i := range swaps {
		args = append(args, swaps[i].ID[:], swaps[i].Old, swaps[i].Root[:], swaps[i].Wrapped)
	}
	values := strings.TrimSuffix(strings.Repeat(row, len(swaps)), `, `)
	n, err := s.db.Exec(ctx, `WITH swap (kid, old, root, wrapped) AS (VALUES `+values+`)
		UPDATE phi_key SET root = swap.root, wrapped = swap.wrapped FROM swap
		WHERE phi_key.kid = swap.kid AND phi_key.wrapped = swap.old`, args...)
	return int(n), err
}

// keyRow is a row of phi_key on its way into a phi.Key.
type keyRow struct {
	kid, root, wrapped                  []byte
	namespace, tenant, purpose, patient string
	epoch, created                      int64
}

func (r *keyRow) dest() []any {
	return []any{&r.kid, &r.namespace, &r.tenant, &r.purpose, &r.patient, &r.epoch, &r.root, &r.wrapped, &r.created}
}

var errDamaged = errors.New("phisql: a stored key is damaged")

func (r *keyRow) key() (k phi.Key, err error) {
	if len(r.kid) != len(k.ID) || len(r.root) != len(k.Root) || r.epoch < 1 || r.epoch > 1<<32-1 {
		return k, errDamaged
	}
	return phi.Key{
		ID: phi.KeyID(r.kid),
		KeySlot: phi.KeySlot{
			Namespace: r.namespace, Tenant: audit.Tenant(r.tenant),
			Purpose: phi.Purpose(r.purpose), Patient: audit.Patient(r.patient),
		},
		Epoch: uint32(r.epoch), Root: phi.KeyID(r.root), Wrapped: r.wrapped, Created: sqlkit.Time(r.created),
	}, nil
}
