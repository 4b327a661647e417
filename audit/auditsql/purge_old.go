package auditsql

import (
	"context"

	"github.com/wardkit/wardkit/internal/sqlkit"
)

// purgeOld deletes what the tables of release 0.1 have of the events in a span, and returns of how many.
func (s *Store) purgeOld(ctx context.Context, tx *sqlkit.Tx, tenant string, of span) (int, error) {
	const some = `SELECT v.id, v.recorded, v.body FROM audit_entry e JOIN audit_event v ON v.tenant = ? AND v.id = e.id WHERE e.place >= ? AND e.place < ?`
	type old struct {
		id       []byte
		recorded int64
		body     []byte
	}
	var list []old
	err := scanAll(ctx, tx, func(rows *sqlkit.Rows) error {
		var o old
		err := rows.Scan(&o.id, &o.recorded, &o.body)
		list = append(list, o)
		return err
	}, some, tenant, of.from, of.until)
	if err != nil {
		return 0, err
	}
	for _, o := range list {
		if err := purgeFoundBy(ctx, tx, tenant, o.id, o.recorded, o.body); err != nil {
			return 0, err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM audit_import WHERE recorded = ? AND id = ? AND tenant = ?`, o.recorded, o.id, tenant); err != nil {
			return 0, err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM audit_event WHERE tenant = ? AND id = ?`, tenant, o.id); err != nil {
			return 0, err
		}
	}
	return len(list), nil
}

// purgeFoundBy deletes what release 0.1 finds an event by, which its body tells. Where that cannot
// be read, it looks through everything.
func purgeFoundBy(ctx context.Context, tx *sqlkit.Tx, tenant string, id []byte, recorded int64, body []byte) error {
	const (
		anyPatient = `DELETE FROM audit_event_patient WHERE tenant = ? AND id = ?`
		anyObject  = `DELETE FROM audit_event_object WHERE tenant = ? AND id = ?`
		onePatient = `DELETE FROM audit_event_patient WHERE tenant = ? AND patient = ? AND recorded = ? AND id = ?`
		oneObject  = `DELETE FROM audit_event_object WHERE tenant = ? AND type = ? AND object IN (?, '') AND recorded = ? AND id = ?`
	)
	type step struct {
		query string
		args  []any
	}
	var steps []step
	var f facts
	if !f.read(body) {
		steps = []step{{anyPatient, []any{tenant, id}}, {anyObject, []any{tenant, id}}}
	} else {
		for _, p := range f.patients {
			steps = append(steps, step{onePatient, []any{tenant, string(p), recorded, id}})
		}
		for _, o := range f.objects {
			steps = append(steps, step{oneObject, []any{tenant, string(o.kind), string(o.id), recorded, id}})
		}
	}
	for _, st := range steps {
		if _, err := tx.Exec(ctx, st.query, st.args...); err != nil {
			return err
		}
	}
	return nil
}
