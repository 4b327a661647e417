package auditsql

import (
	"context"
	"fmt"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// Erase implements audit.Eraser. An entry is looked for first where it waits and then where it
// is placed, because it moves in this direction. What release 0.1 recorded has its private
// values in a table of their own, which that release may still look at.
func (s *Store) Erase(ctx context.Context, tenant audit.Tenant, ids []string) error {
	var keys []any
	for _, id := range ids {
		if key, ok := idBytes(id); ok {
			keys = append(keys, key)
		}
	}
	statements := []string{
		`UPDATE audit_entry SET sealed = NULL WHERE ` + s.numberOf("audit_entry") + ` = (SELECT no FROM audit_tenant WHERE tenant = ?) AND id IN `,
		`DELETE FROM audit_opening WHERE tenant = ? AND id IN `,
	}
	if s.postgres() {
		statements = append([]string{`UPDATE audit_pending SET sealed = NULL WHERE tenant = ? AND id IN `}, statements...)
	}
	err := s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if err := s.durable(ctx, tx); err != nil {
			return err
		}
		return chunks(len(keys), func(start, end int) error {
			args := append([]any{string(tenant)}, keys[start:end]...)
			for _, query := range statements {
				if _, err := tx.Exec(ctx, query+sqlkit.List(end-start), args...); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("auditsql: erasing openings: %w", err)
	}
	return nil
}
