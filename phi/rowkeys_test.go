package phi_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// A row whose columns are under several keys of its patient, as one that is half sealed anew, opens
// each under its own, in whatever order they are and are asked for.
func TestRowOfSeveralKeys(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	c, err := phi.For[eightFields](v, "row")
	require.NoError(t, err)
	old, err := c.Seal(t.Context(), clinic, fullRow())
	require.NoError(t, err)
	r, err := phi.NewRotator(v, audit.Discard{}, platform, nil)
	require.NoError(t, err)
	require.NoError(t, r.RotatePatient(t.Context(), clinic, "p-1"))
	now, err := c.Seal(t.Context(), clinic, fullRow())
	require.NoError(t, err)
	want := fullRow().A
	for mask := range 1 << 8 {
		row := phi.Row{ID: "p-1", Cols: map[string]phi.Sealed{}}
		for i, f := range c.Fields() {
			row.Cols[f] = old.Col(f)
			if mask>>i&1 == 1 {
				row.Cols[f] = now.Col(f)
			}
		}
		p, err := c.Open(t.Context(), clinic, row)
		require.NoError(t, err)
		all := p.all()
		for i := range all {
			require.True(t, all[len(all)-1-i].Equal(want), "mask %08b", mask)
		}
		again, err := c.Seal(t.Context(), clinic, p)
		require.NoError(t, err)
		for _, f := range c.Fields() {
			require.Equal(t, row.Cols[f], again.Col(f))
		}
	}
}
