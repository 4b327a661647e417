//go:build !linux

package enginetest

import "os/exec"

func (s *Server) own(string) {}

func (s *Server) prepare(*exec.Cmd) {
	s.t.Helper()
	s.t.Skip("SKIPPED: a private PostgreSQL server needs Linux")
}

func (s *Server) killAll() {}

// SmallDisk needs Linux; the test is skipped.
func (s *Server) SmallDisk(int) string {
	s.t.Helper()
	s.t.Skip("SKIPPED: mounting a file system needs Linux")
	return ""
}
