package auditsql

import (
	"context"
	"fmt"

	"github.com/wardkit/wardkit/internal/sqlkit"
)

// EndImport imports what is left of release 0.1 and closes its tables: from then on the database
// refuses every INSERT into audit_event. Call it once, as the owner of the tables, when no
// server of that release runs any more; one that still does gets an error for each event it
// records. It may be called again.
//
// Until then whoever has the right to INSERT into audit_event can have events of his own
// making imported, since release 0.1 authenticated none.
func (s *Store) EndImport(ctx context.Context) error {
	err := s.Migrate(ctx)
	if err != nil {
		return err
	}
	err = s.bare.Write(ctx, func(tx *sqlkit.Tx) error {
		if err := s.locked(ctx, tx, lockImport); err != nil {
			return err
		}
		for _, statement := range s.closeOldTables() {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return s.importRest(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("auditsql: ending the import: %w", err)
	}
	return nil
}

// closeOldTables waits on PostgreSQL for transactions that are writing into them.
func (s *Store) closeOldTables() []string {
	if s.postgres() {
		return []string{
			`DROP TRIGGER IF EXISTS audit_event_closed ON audit_event`,
			`CREATE TRIGGER audit_event_closed BEFORE INSERT ON audit_event FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()`,
		}
	}
	return []string{`CREATE TRIGGER IF NOT EXISTS audit_event_closed BEFORE INSERT ON audit_event
		BEGIN SELECT RAISE(ABORT, 'this release no longer records'); END`}
}

// importRest imports in tx what came after the last look.
func (s *Store) importRest(ctx context.Context, tx *sqlkit.Tx) error {
	for after, n := firstQueued(), 1; n > 0; {
		var err error
		if after, n, err = s.importSome(ctx, tx, after); err != nil {
			return err
		}
	}
	return nil
}
