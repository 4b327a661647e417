package phi_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi"
)

// wide has more fields than fit into one piece of memory.
type wide struct {
	ID string `phi:",row,patient"`
	eightOf
	I phi.Text   `phi:"i,class=clinical"`
	J phi.Number `phi:"j,class=clinical"`
}

// eightOf is embedded, and its own name is not exported.
type eightOf struct {
	A phi.Text `phi:"a,class=clinical"`
	B phi.Text `phi:"b,class=clinical"`
	C phi.Text `phi:"c,class=clinical"`
	D phi.Text `phi:"d,class=clinical"`
	E phi.Text `phi:"e,class=clinical"`
	F phi.Text `phi:"f,class=clinical"`
	G phi.Text `phi:"g,class=clinical"`
	H phi.Text `phi:"h,class=clinical"`
}

func (w *wide) texts() []*phi.Text {
	return []*phi.Text{&w.A, &w.B, &w.C, &w.D, &w.E, &w.F, &w.G, &w.H, &w.I}
}

// A row of many fields, sealed at several times, so that it has several salts.
func TestWideRow(t *testing.T) {
	t.Parallel()
	c, err := phi.For[wide](newVault(t), "wide")
	require.NoError(t, err)
	p := &wide{ID: "p-1", J: phi.NewInt(7)}
	want := map[int]string{}
	for round := range 4 {
		for i := round; i < 9; i++ { // each field keeps the salt of the round that wrote it last
			want[i] = fmt.Sprint("value ", i, " of round ", round)
			*p.texts()[i] = phi.NewText(want[i])
		}
		rec, err := c.Seal(t.Context(), clinic, p)
		require.NoError(t, err)
		p, err = c.Open(t.Context(), clinic, rowOf(c, rec))
		require.NoError(t, err)
		for range 2 {
			for i, text := range p.texts() {
				require.True(t, text.Equal(phi.NewText(want[i])), "%d", i)
			}
		}
		require.True(t, p.J.Equal(phi.NewInt(7)))
	}
	require.True(t, p.A.Equal(phi.NewText("value 0 of round 0")))
	require.True(t, p.I.Equal(phi.NewText("value 8 of round 3")))
}

// Where the key cannot be had, no field of a row is sealed, and the error says which asked.
func TestSealRowWithoutKeys(t *testing.T) {
	t.Parallel()
	keys, down := newSpyKeys(), errors.New("down")
	c := contacts(t, openVault(t, phi.NewMemoryKMS(), keys, nil))
	keys.failAt, keys.err = 1, down
	rec, err := c.Seal(t.Context(), clinic, &contact{ID: "r-1", Who: "p-1", Name: phi.NewText("Jane Doe")})
	require.ErrorIs(t, err, phi.ErrUnavailable)
	require.ErrorIs(t, err, down)
	require.Nil(t, rec)
	var f *phi.FieldError
	require.ErrorAs(t, err, &f)
	require.Equal(t, "contact.name", f.Field)
	requireSilent(t, err)
}
