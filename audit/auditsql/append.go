package auditsql

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// errExists: some of the entries are there already; nothing was written.
var errExists = errors.New("auditsql: some entries are there already")

// tries bounds how often Append looks what is there already and leaves it out.
const tries = 10

// Append implements audit.Appender. Only if some entries turn out to be there already are they
// looked at and left out. Others may add more of the same entries meanwhile; each round
// leaves out at least one, so there is an end.
func (s *Store) Append(ctx context.Context, entries []audit.Entry) error {
	list, err := items(entries)
	for try := 0; err == nil && len(list) > 0; try++ {
		if s.postgres() {
			err = s.landPostgres(ctx, s.db, list, false, true)
		} else {
			err = s.db.Write(ctx, func(tx *sqlkit.Tx) error { return s.landSQLite(ctx, tx, list) })
		}
		if !errors.Is(err, errExists) || try == tries {
			break
		}
		list, err = s.missing(ctx, s.db, list)
	}
	switch {
	case err == nil:
		s.help(ctx, len(entries))
		return nil
	case errors.Is(err, audit.ErrConflict), errors.Is(err, audit.ErrDamaged):
		return err
	}
	return fmt.Errorf("auditsql: appending events: %w", err)
}

// land writes all entries in the transaction; errExists if one is there already, and then the
// transaction must not be committed. fresh says that no ID was used before.
func (s *Store) land(ctx context.Context, tx runner, list []item, fresh bool) error {
	if s.postgres() {
		return s.landPostgres(ctx, tx, list, fresh, false)
	}
	return s.landSQLite(ctx, tx, list)
}

// missing returns the entries that are not there; ErrConflict if one is there with another
// body.
func (s *Store) missing(ctx context.Context, from runner, list []item) ([]item, error) {
	var out []item
	for _, tenant := range tenantsOf(list) {
		mine := slices.DeleteFunc(slices.Clone(list), func(it item) bool { return it.tenant != tenant })
		err := chunks(len(mine), func(start, end int) error {
			var ids [][]byte
			for _, it := range mine[start:end] {
				ids = append(ids, it.id)
			}
			there, err := s.stored(ctx, from, tenant, ids)
			if err != nil {
				return err
			}
			for _, it := range mine[start:end] {
				r := there[string(it.id)]
				if r == nil {
					out = append(out, it)
				} else if !r.says(tenant, it.plain) {
					return audit.ErrConflict
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
