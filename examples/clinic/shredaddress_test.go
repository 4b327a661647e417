package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// remember notes what the database holds of the patient's address for signing in: the sealed address, and
// the term that it is found by.
func (w *shredding) remember(t *testing.T) {
	t.Helper()
	d := w.database(t)
	defer d.pool.Close()
	var term, sealed []byte
	require.NoError(t, d.pool.QueryRowContext(t.Context(), d.q(`SELECT p.id, p.term, p.sealed FROM authn_person p
		JOIN clinic_portal c ON c.tenant = p.tenant AND c.account = p.id WHERE c.patient = ?`), w.id()).Scan(&w.account, &term, &sealed))
	w.traces = [][]byte{term, sealed, []byte(demoPatient(0).Email)}
	for _, trace := range w.traces[:2] {
		require.Greater(t, len(trace), 15)
		require.Contains(t, d.where(t, trace), "authn_person")
	}
}

// noAddress checks that no row of any table holds any of it, and that the account is there without.
func (w *shredding) noAddress(t *testing.T) {
	t.Helper()
	d := w.database(t)
	defer d.pool.Close()
	for _, trace := range w.traces {
		require.Empty(t, d.where(t, trace))
	}
	var rows int
	require.NoError(t, d.pool.QueryRowContext(t.Context(), d.q(`SELECT COUNT(*) FROM authn_person
		WHERE id = ? AND state = 'removed' AND term IS NULL AND sealed IS NULL`), w.account).Scan(&rows))
	require.Equal(t, 1, rows)
}

// where returns the tables in which some bytes are, but for a test's own copies.
func (d *database) where(t *testing.T, what []byte) (found []string) {
	t.Helper()
	for _, table := range everyTable(t, d) {
		rows, err := d.pool.QueryContext(t.Context(), `SELECT * FROM `+table)
		require.NoError(t, err)
		names, err := rows.Columns()
		require.NoError(t, err)
		cells, into := make([][]byte, len(names)), make([]any, len(names))
		for i := range cells {
			into[i] = &cells[i]
		}
		hit := false
		for rows.Next() {
			require.NoError(t, rows.Scan(into...))
			for _, cell := range cells {
				hit = hit || bytes.Contains(cell, what)
			}
		}
		require.NoError(t, rows.Err())
		require.NoError(t, rows.Close())
		if hit {
			found = append(found, table)
		}
	}
	return found
}

func everyTable(t *testing.T, d *database) (tables []string) {
	t.Helper()
	query := `SELECT name FROM sqlite_master WHERE type = 'table'`
	if d.postgres {
		query = `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'`
	}
	rows, err := d.pool.QueryContext(t.Context(), query)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		if !strings.HasPrefix(name, "old_") {
			tables = append(tables, name)
		}
	}
	require.NoError(t, rows.Err())
	require.Greater(t, len(tables), 20)
	return tables
}
