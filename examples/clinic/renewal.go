package main

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// keyCache is how long a server uses a key before it asks for it again. The key-encryption key
// is in a file beside, so asking costs next to nothing; and a renewal waits this long for
// servers that still seal under the keys before.
const keyCache = 5 * time.Second

// renewals give everything that is sealed new keys: first the clinic and each patient get a new
// key, then the rows are sealed anew under it, table by table, then what patients are found by
// gets a key of its own. How far a renewal came is in phi's key store alone, so it goes on after
// a crash, in whichever process looks first.
type renewals struct {
	db      *database
	rotator *phi.Rotator
	tables  []sealedTable
}

// newRenewals returns the renewals; progress, if not nil, is told about every step.
func newRenewals(a *app, progress func(phi.Rotation)) (*renewals, error) {
	rotator, err := phi.NewRotator(a.vault, a.log, tenant, &phi.RotatorOptions{
		Batch: 100, Poll: 2 * time.Second, Progress: progress, Settle: keyCache + time.Second,
		Terms: a.patients.terms, Rows: []phi.IndexRows{{Entity: "patient", Page: a.patients.termsAfter}},
	})
	if err != nil {
		return nil, err
	}
	team, err := phi.For[sealedMember](a.vault, "staff")
	if err != nil {
		return nil, err
	}
	return &renewals{a.db, rotator, []sealedTable{
		{"patient", "Patients’ records", "clinic_patient", "", a.patients.codec},
		{"claim", "Claims", "clinic_claim", "patient", a.claims.codec},
		{"paper", "Letters and questionnaires", "clinic_paper", "patient", a.papers.codec},
		{"draft", "Notes in the making", "clinic_draft", "patient", a.drafts.codec},
		{"staff", "Names of the team", "clinic_staff", "", team},
	}}, nil
}

// renewal is how far one came.
type renewal struct {
	keys  phi.Rotation            // the new keys; zero if there never was a renewal
	rows  map[string]phi.Rotation // by table
	index phi.Rotation
}

func (r renewal) done() bool { return !r.index.Finished.IsZero() }

// list returns the latest renewals, newest first.
func (s *renewals) list(ctx context.Context) (all []renewal, err error) {
	const jobs = 60 // of which a renewal has one for its keys, one for each table, one for the index
	found, err := s.rotator.Rotations(ctx, tenant, "", jobs)
	for _, job := range slices.Backward(found) {
		switch {
		case job.Kind == phi.RotatePatients:
			all = append(all, renewal{keys: job, rows: map[string]phi.Rotation{}})
		case job.Kind == phi.RotateRows && len(all) > 0:
			// Of two servers that were at it, what the first one finished counts.
			if rows := all[len(all)-1].rows; rows[job.Name].Finished.IsZero() {
				rows[job.Name] = job
			}
		case job.Kind == phi.RotateIndex && len(all) > 0 && !all[len(all)-1].done():
			all[len(all)-1].index = job
		}
	}
	slices.Reverse(all)
	return all, err
}

func (s *renewals) latest(ctx context.Context) (renewal, error) {
	all, err := s.list(ctx)
	if err != nil || len(all) == 0 {
		return renewal{}, err
	}
	return all[0], nil
}

// begin begins a renewal, which run does, unless one is not done yet.
func (s *renewals) begin(ctx context.Context) error {
	r, err := s.latest(ctx)
	if err == nil && (r.keys.ID == "" || r.done()) {
		_, err = s.rotator.Begin(ctx, phi.RotatePatients, tenant)
	}
	return err
}

// finish does here and now what is left of a renewal, and begins one where nothing is left.
func (s *renewals) finish(ctx context.Context) error {
	r, err := s.latest(ctx)
	if err == nil && (r.keys.Finished.IsZero() || r.done()) {
		_, err = s.rotator.Rotate(ctx, phi.RotatePatients, tenant)
	}
	if err == nil {
		err = s.sweep(ctx)
	}
	if err == nil {
		_, err = s.rotator.Rotate(ctx, phi.RotateIndex, tenant)
	}
	return err
}

// sweepAndIndex does what is left of the latest renewal after its keys; run does the index.
func (s *renewals) sweepAndIndex(ctx context.Context) error {
	if err := s.sweep(ctx); err != nil {
		return err
	}
	r, err := s.latest(ctx)
	if err == nil && !r.keys.Finished.IsZero() && r.index.ID == "" {
		_, err = s.rotator.Begin(ctx, phi.RotateIndex, tenant)
	}
	return err
}

// sweep seals the rows of the latest renewal anew, once every server has the new keys.
func (s *renewals) sweep(ctx context.Context) error {
	for _, t := range s.tables {
		r, err := s.latest(ctx) // anew for each table: another server may be at it
		if err != nil || r.keys.Finished.IsZero() {
			return err
		}
		if !r.rows[t.name].Finished.IsZero() {
			continue
		}
		if err := pause(ctx, time.Until(r.keys.Finished.Add(keyCache))); err != nil {
			return err
		}
		total, err := s.count(ctx, t)
		if err != nil {
			return err
		}
		if _, err := s.rotator.Sweep(ctx, tenant, t.name, total, s.step(t)); err != nil {
			return err
		}
	}
	return nil
}

// run does what is left of renewals, whenever something is, until ctx ends. What fails is in the
// audit, and is tried again soon, then more and more rarely.
func (s *renewals) run(ctx context.Context) error {
	const soon, rarely = 2 * time.Second, time.Hour
	for wait := soon; ; {
		if s.sweepAndIndex(ctx) == nil {
			wait = soon
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, rarely)
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sealedTable is a table of the clinic with sealed columns.
type sealedTable struct {
	name, title string
	table       string
	patient     string // the column with the patient, where it is not the row's own id
	codec       interface {
		Columns(prefix string) string
		Dest(row *phi.Row, own ...any) []any
		Reseal(ctx context.Context, t audit.Tenant, row phi.Row) (map[string]phi.Sealed, error)
	}
}

// sealedMember is a row of clinic_staff.
type sealedMember struct {
	ID    string   `phi:",row"`
	Name  phi.Text `phi:"name,class=name"`
	Email phi.Text `phi:"email,class=email"`
}

func (s *renewals) count(ctx context.Context, t sealedTable) (n int, err error) {
	err = s.db.pool.QueryRowContext(ctx, s.db.q(`SELECT COUNT(*) FROM `+t.table+` WHERE tenant = ?`), string(tenant)).Scan(&n)
	return n, err
}

// step seals the next rows of a table anew.
func (s *renewals) step(t sealedTable) phi.Step {
	const rows = 25
	return func(ctx context.Context, cursor string) (string, int, error) {
		page, err := s.page(ctx, t, cursor, rows)
		if err == nil {
			err = s.reseal(ctx, t, page)
		}
		if err != nil || len(page) < rows {
			return "", len(page), err
		}
		return page[rows-1].ID, rows, nil
	}
}

func (s *renewals) page(ctx context.Context, t sealedTable, after string, limit int) (all []phi.Row, err error) {
	columns := "id, "
	if t.patient != "" {
		columns += t.patient + ", "
	}
	rows, err := s.db.pool.QueryContext(ctx, s.db.q(`SELECT `+columns+t.codec.Columns("")+` FROM `+t.table+
		` WHERE tenant = ? AND id > ? ORDER BY id LIMIT ?`), string(tenant), after, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var row phi.Row
		own := []any{&row.ID}
		if t.patient != "" {
			own = append(own, &row.Patient)
		}
		if err := rows.Scan(t.codec.Dest(&row, own...)...); err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

// reseal writes the rows' columns under the keys of now. A column that somebody has saved since
// it was read is left alone: that was sealed under the new key.
func (s *renewals) reseal(ctx context.Context, t sealedTable, page []phi.Row) error {
	fresh := make([]map[string]phi.Sealed, len(page))
	for i, row := range page {
		var err error
		if fresh[i], err = t.codec.Reseal(ctx, tenant, row); err != nil {
			return err
		}
	}
	return s.db.inTx(ctx, func(tx *sql.Tx) error {
		for i, row := range page {
			for column, sealed := range fresh[i] {
				old, _ := row.Col(column)
				if _, err := tx.ExecContext(ctx, s.db.q(`UPDATE `+t.table+` SET `+column+` = ? WHERE tenant = ? AND id = ? AND `+
					column+` = ?`), sealed, string(tenant), row.ID, old); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
