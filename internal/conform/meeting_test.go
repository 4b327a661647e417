package conform_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/conform"
)

// Two meet, whoever comes first; one alone goes on.
func TestMeeting(t *testing.T) {
	t.Parallel()
	var m conform.Meeting
	require.False(t, m.Wait())
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			if !m.Wait() {
				t.Error("the two did not meet")
			}
		})
	}
	all.Wait()
	require.False(t, m.Wait())
}
