package main

import (
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// slowLine is a connection that keeps the deadlines that were asked for.
type slowLine struct {
	*httptest.ResponseRecorder
	deadlines []time.Time
}

func (s *slowLine) SetWriteDeadline(t time.Time) error {
	s.deadlines = append(s.deadlines, t)
	return nil
}

// TestACopyMayTakeLong: the copy of what a purge destroys is not cut off by the server's limit for requests.
func TestACopyMayTakeLong(t *testing.T) {
	t.Parallel()
	line := &slowLine{ResponseRecorder: httptest.NewRecorder()}
	w := unhurried{line, http.NewResponseController(line)}
	require.NoError(t, zipped(w, io.LimitReader(rand.Reader, 1<<20), []byte("manifest")))
	require.Greater(t, len(line.deadlines), 10)
	for _, at := range line.deadlines {
		require.WithinDuration(t, time.Now().Add(pieceTime), at, pieceTime/2)
	}
	require.Greater(t, line.Body.Len(), 1<<20)
}
