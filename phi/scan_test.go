package phi_test

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi"
)

// Whatever takes a Row sees the columns that Dest scanned as it sees those in Cols.
func TestScannedRows(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	c := contacts(t, v)
	rec, err := c.Seal(t.Context(), clinic, someContact())
	require.NoError(t, err)
	scanned := phi.Row{ID: "r-1", Patient: "p-1"}
	for i, dest := range c.Dest(&scanned) {
		require.NoError(t, dest.(sql.Scanner).Scan([]byte(rec.Col(c.Fields()[i]))))
	}
	narrow, err := phi.For[person](v, "contact")
	require.NoError(t, err)
	for name, row := range map[string]phi.Row{"scanned": scanned, "map": contactRow(c, rec)} {
		out, err := c.Open(t.Context(), clinic, row)
		require.NoError(t, err, name)
		require.True(t, out.Note.Equal(phi.NewText("sleeps badly")), name)
		all, err := c.OpenAll(t.Context(), clinic, []phi.Row{row, row})
		require.NoError(t, err, name)
		require.Len(t, all, 2)
		fresh, err := c.Reseal(t.Context(), clinic, row)
		require.NoError(t, err, name)
		require.Empty(t, fresh)
		_, err = narrow.Open(t.Context(), clinic, row)
		require.ErrorIs(t, err, phi.ErrNoField, name)
		_, err = narrow.Reseal(t.Context(), clinic, row)
		require.ErrorIs(t, err, phi.ErrNoField, name)
	}
}
