package phisql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/phi"
)

const rotationColumns = `id, namespace, tenant, kind, name, target, place, done, failed, total,
	started, updated, finished, version, phase`

// BeginRotation stores r unless another one of its lane is not finished: phi.ErrRotating.
func (s *Store) BeginRotation(ctx context.Context, r phi.Rotation) error {
	n, err := s.db.Exec(ctx, `INSERT INTO phi_rotation (`+rotationColumns+`, lane)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		r.ID, r.Namespace, string(r.Tenant), string(r.Kind), r.Name, int64(r.Target), r.Cursor, r.Done, r.Failed, r.Total,
		sqlkit.Micros(r.Started), sqlkit.Micros(r.Updated), sqlkit.Micros(r.Finished), r.Version, string(r.Phase), r.Lane())
	if err != nil {
		return fmt.Errorf("phisql: storing a rotation: %w", err)
	}
	if n == 0 {
		return phi.ErrRotating
	}
	return nil
}

// AdvanceRotation replaces the rotation if it is still where r.Version says, else
// phi.ErrRotationMoved.
func (s *Store) AdvanceRotation(ctx context.Context, r phi.Rotation) error {
	n, err := s.db.Exec(ctx, `UPDATE phi_rotation SET phase = ?, place = ?, done = ?, failed = ?, total = ?,
			updated = ?, finished = ?, version = version + 1
		WHERE namespace = ? AND id = ? AND version = ? AND finished = 0`,
		string(r.Phase), r.Cursor, r.Done, r.Failed, r.Total, sqlkit.Micros(r.Updated), sqlkit.Micros(r.Finished), r.Namespace, r.ID, r.Version)
	if err != nil {
		return fmt.Errorf("phisql: storing a rotation's progress: %w", err)
	}
	if n == 0 {
		return phi.ErrRotationMoved
	}
	return nil
}

// Rotation returns one rotation, or phi.ErrNoRotation.
func (s *Store) Rotation(ctx context.Context, namespace, id string) (phi.Rotation, error) {
	var row rotationRow
	err := s.db.Get(ctx, row.dest(), `SELECT `+rotationColumns+` FROM phi_rotation
		WHERE namespace = ? AND id = ?`, namespace, id)
	if errors.Is(err, sql.ErrNoRows) {
		return phi.Rotation{}, phi.ErrNoRotation
	}
	if err != nil {
		return phi.Rotation{}, fmt.Errorf("phisql: reading a rotation: %w", err)
	}
	return row.rotation(), nil
}

// Rotations returns those that q selects, the latest first.
func (s *Store) Rotations(ctx context.Context, q phi.RotationQuery) ([]phi.Rotation, error) {
	query, args := `SELECT `+rotationColumns+` FROM phi_rotation WHERE namespace = ?`, []any{q.Namespace}
	if q.Tenant != nil {
		query, args = query+` AND tenant = ?`, append(args, string(*q.Tenant))
	}
	if q.Kind != "" {
		query, args = query+` AND kind = ?`, append(args, string(q.Kind))
	}
	if q.Unfinished {
		query += ` AND finished = 0`
	}
	if q.Before != "" {
		query, args = query+` AND id < ?`, append(args, q.Before)
	}
	rows, err := s.db.Query(ctx, query+` ORDER BY id DESC LIMIT ?`, append(args, q.Limit)...)
	if err != nil {
		return nil, fmt.Errorf("phisql: listing rotations: %w", err)
	}
	defer rows.Close()
	found := []phi.Rotation{}
	for rows.Next() {
		var row rotationRow
		if err := rows.Scan(row.dest()...); err != nil {
			return nil, fmt.Errorf("phisql: listing rotations: %w", err)
		}
		found = append(found, row.rotation())
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("phisql: listing rotations: %w", err)
	}
	return found, nil
}

// rotationRow is a row of phi_rotation on its way into a phi.Rotation.
type rotationRow struct {
	r                                  phi.Rotation
	tenant, kind, phase                string
	target, started, updated, finished int64
}

func (w *rotationRow) dest() []any {
	r := &w.r
	return []any{
		&r.ID, &r.Namespace, &w.tenant, &w.kind, &r.Name, &w.target, &r.Cursor, &r.Done, &r.Failed, &r.Total,
		&w.started, &w.updated, &w.finished, &r.Version, &w.phase,
	}
}

func (w *rotationRow) rotation() phi.Rotation {
	r := w.r
	r.Tenant, r.Kind, r.Target = audit.Tenant(w.tenant), phi.RotationKind(w.kind), uint32(w.target)
	r.Phase = phi.RotationPhase(w.phase)
	r.Started, r.Updated, r.Finished = sqlkit.Time(w.started), sqlkit.Time(w.updated), sqlkit.Time(w.finished)
	return r
}
