package auditsql

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// maxRows is how many rows one statement inserts at most.
const maxRows = 64

// errExists: some of the entries are there already; nothing was written.
var errExists = errors.New("auditsql: some entries are there already")

// keyed is an entry with its ID as the tables keep it.
type keyed struct {
	audit.Entry
	key []byte
}

// Append implements audit.Store. The entries go in with one statement per table and chunk.
// Only if some turn out to be there already are they looked at and left out.
func (s *Store) Append(ctx context.Context, entries []audit.Entry) error {
	list, err := distinct(entries)
	// Others may add some of the same entries between a look and the next try; each round
	// leaves out at least one, so there is an end.
	for err == nil && len(list) > 0 {
		err = s.insert(ctx, list)
		if !errors.Is(err, errExists) {
			break
		}
		list, err = s.missing(ctx, list)
	}
	if err == nil || errors.Is(err, audit.ErrConflict) {
		return err
	}
	return fmt.Errorf("auditsql: appending events: %w", err)
}

// distinct sorts the entries by their key, so that two calls lock rows in the same order, and
// drops repeats.
func distinct(entries []audit.Entry) ([]keyed, error) {
	list := make([]keyed, len(entries))
	for i, e := range entries {
		key, ok := idBytes(e.ID)
		if !ok {
			return nil, errors.New("an ID is not a UUID")
		}
		list[i] = keyed{e, key}
	}
	slices.SortFunc(list, compareKeys)
	out := list[:0]
	for _, e := range list {
		if n := len(out); n > 0 && compareKeys(out[n-1], e) == 0 {
			if !bytes.Equal(out[n-1].Body, e.Body) {
				return nil, audit.ErrConflict
			}
			continue
		}
		out = append(out, e)
	}
	return out, nil
}

func compareKeys(a, b keyed) int {
	return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), bytes.Compare(a.key, b.key))
}

const (
	insertEvent   = `INSERT INTO audit_event (tenant, id, recorded, actor, action, outcome, leaf, body) VALUES `
	insertPatient = `INSERT INTO audit_event_patient (tenant, patient, recorded, id) VALUES `
	insertObject  = `INSERT INTO audit_event_object (tenant, type, object, recorded, id) VALUES `
	insertOpening = `INSERT INTO audit_opening (tenant, id, sealed) VALUES `
)

// insert writes all entries or, if one is there already, none and returns errExists.
func (s *Store) insert(ctx context.Context, list []keyed) error {
	var events, patients, objects, sealed []any
	for i := range list {
		e := &list[i]
		tenant, at := string(e.Tenant), sqlkit.Micros(e.Recorded)
		events = append(events, tenant, e.key, at, string(e.Actor), string(e.Action), int64(e.Outcome), e.Leaf[:], e.Body)
		for _, p := range e.Patients {
			patients = append(patients, tenant, string(p), at, e.key)
		}
		for _, r := range objectRows(e.Objects) {
			objects = append(objects, tenant, r.Type, r.ID, at, e.key)
		}
		if len(e.Openings) > 0 {
			sealed = append(sealed, tenant, e.key, e.Openings)
		}
	}
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if err := s.durable(ctx, tx); err != nil {
			return err
		}
		n, err := insertRows(ctx, tx, insertEvent, events, 8)
		if err == nil && n < int64(len(list)) {
			err = errExists
		}
		if err == nil {
			_, err = insertRows(ctx, tx, insertPatient, patients, 4)
		}
		if err == nil {
			_, err = insertRows(ctx, tx, insertObject, objects, 5)
		}
		if err == nil {
			_, err = insertRows(ctx, tx, insertOpening, sealed, 3)
		}
		return err
	})
}

// insertRows inserts rows of width values and returns how many were not there yet. It uses
// three sizes of statement, so that an engine can keep them prepared.
func insertRows(ctx context.Context, tx *sqlkit.Tx, insert string, values []any, width int) (int64, error) {
	var inserted int64
	for len(values) > 0 {
		rows := 1
		for _, size := range []int{maxRows, 8} {
			if len(values) >= size*width {
				rows = size
				break
			}
		}
		tuple := sqlkit.List(width)
		query := insert + strings.Repeat(tuple+", ", rows-1) + tuple + " ON CONFLICT DO NOTHING"
		n, err := tx.Exec(ctx, query, values[:rows*width]...)
		if err != nil {
			return inserted, err
		}
		inserted += n
		values = values[rows*width:]
	}
	return inserted, nil
}

// objectRows adds to the objects one row for each type, with an empty ID.
func objectRows(objects []audit.Ref) []audit.Ref {
	var out []audit.Ref
	add := func(r audit.Ref) {
		if !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	for _, r := range objects {
		add(audit.Ref{Type: r.Type})
		add(r)
	}
	return out
}

// missing returns the entries that are not there; ErrConflict if one is there with another
// body.
func (s *Store) missing(ctx context.Context, list []keyed) ([]keyed, error) {
	var out []keyed
	for start := 0; start < len(list); {
		end := start
		for end < len(list) && end-start < maxRows && list[end].Tenant == list[start].Tenant {
			end++
		}
		bodies, err := s.bodies(ctx, list[start:end])
		if err != nil {
			return nil, err
		}
		for _, e := range list[start:end] {
			body, there := bodies[string(e.key)]
			if there && !bytes.Equal(body, e.Body) {
				return nil, audit.ErrConflict
			}
			if !there {
				out = append(out, e)
			}
		}
		start = end
	}
	return out, nil
}

// bodies reads what is stored under the IDs of some entries of one tenant.
func (s *Store) bodies(ctx context.Context, list []keyed) (map[string][]byte, error) {
	args := []any{string(list[0].Tenant)}
	for _, e := range list {
		args = append(args, e.key)
	}
	query := `SELECT id, body FROM audit_event WHERE tenant = ? AND id IN ` + sqlkit.List(len(list))
	rows, err := s.db.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	bodies := map[string][]byte{}
	for rows.Next() {
		var id, body []byte
		if err := rows.Scan(&id, &body); err != nil {
			return nil, err
		}
		bodies[string(id)] = body
	}
	return bodies, rows.Err()
}
