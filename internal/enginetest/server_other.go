//go:build !linux

package enginetest

import (
	"errors"
	"os"
	"os/exec"
	"testing"
)

const privateHost = "127.0.0.1" // the only address that every system has

func (s *Server) own(string) {}

func (s *Server) prepare(*exec.Cmd) {
	s.t.Helper()
	s.t.Skip("SKIPPED: a private PostgreSQL server needs Linux")
}

func (s *Server) killAll() {}

func mountSmall(t testing.TB, _ string, _ int) {
	t.Helper()
	t.Skip("SKIPPED: mounting a file system needs Linux")
}

func dieWithTest(*exec.Cmd) {}

func freeze(*os.Process) error { return errors.New("a process is held up on Linux only") }

func thaw(*os.Process) error { return errors.New("a process is held up on Linux only") }
