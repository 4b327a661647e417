package phi_test

import (
	"database/sql"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi"
)

// TestScratchKeepsNoPlaintext: the memory that a call works in is cleared before another has it, also of
// what a short value left of a long one, and of what a longer one outgrew.
func TestScratchKeepsNoPlaintext(t *testing.T) {
	t.Parallel()
	secret := strings.Repeat("SECRET", 30)
	for _, order := range [][]string{
		{secret, "b"}, {secret, strings.Repeat("b", 3000)}, {"b", secret, "c"}, {strings.Repeat("b", 3000), secret, ""},
	} {
		arrays := phi.Leftovers(order...)
		require.NotEmpty(t, arrays)
		for _, a := range arrays {
			require.Equal(t, make([]byte, len(a)), a)
		}
	}
}

// TestOpenedRowsAreFinalized: a host may hang a finalizer on a struct that was opened, and nothing of the
// row keeps it alive.
func TestOpenedRowsAreFinalized(t *testing.T) {
	t.Parallel()
	v, err := phi.Open(t.Context(), "app", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil)
	require.NoError(t, err)
	c, err := phi.For[finalized](v, "finalized")
	require.NoError(t, err)
	gone := make(chan struct{})
	func() {
		rec, err := c.Seal(t.Context(), "clinic", &finalized{ID: "r1", Name: phi.NewText("Ana")})
		require.NoError(t, err)
		row := phi.Row{ID: "r1"}
		for i, dest := range c.Dest(&row) {
			require.NoError(t, dest.(sql.Scanner).Scan([]byte(rec.Col(c.Fields()[i]))))
		}
		p, err := c.Open(t.Context(), "clinic", row)
		require.NoError(t, err)
		require.True(t, p.Name.Equal(phi.NewText("Ana")))
		runtime.SetFinalizer(p, func(*finalized) { close(gone) })
	}()
	require.Eventually(t, func() bool {
		runtime.GC()
		select {
		case <-gone:
			return true
		default:
			return false
		}
	}, time.Minute, time.Millisecond)
}

type finalized struct {
	ID   string   `phi:",row"`
	Name phi.Text `phi:"name,class=clinical"`
}
