package phi_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi"
)

// A key keeps what it opened a value with last. Values of one patient that were sealed apart, opened
// in turns and by many at once, are each opened with their own.
func TestValuesOfOnePatientInTurns(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	sealed := make([]phi.Sealed, 5)
	for i := range sealed {
		var err error
		sealed[i], err = v.Seal(t.Context(), place(), fmt.Append(nil, "value ", i))
		require.NoError(t, err)
	}
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for n := range 200 {
				i := (n/(g+1) + g) % len(sealed) // some ask twice for the same one
				plain, err := v.Unseal(t.Context(), place(), sealed[i])
				if err != nil || string(plain) != fmt.Sprint("value ", i) {
					t.Errorf("value %d: %q, %v", i, plain, err)
					return
				}
			}
		})
	}
	all.Wait()
}

// What is kept opens the values of its salt alone, and no altered one.
func TestAlteredAfterItOpened(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	s, err := v.Seal(t.Context(), place(), []byte("555-555-0123"))
	require.NoError(t, err)
	for i := range s {
		_, err := v.Unseal(t.Context(), place(), s)
		require.NoError(t, err)
		altered := append(phi.Sealed{}, s...)
		altered[i] ^= 4
		_, err = v.Unseal(t.Context(), place(), altered)
		require.Error(t, err, "byte %d", i)
	}
	elsewhere := place()
	elsewhere.Row = "r-2"
	_, err = v.Unseal(t.Context(), elsewhere, s)
	require.ErrorIs(t, err, phi.ErrAltered)
}
