package enginetest

import (
	"bytes"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// privateHost is where a test's own servers listen: an address that nobody else has ports on, so
// that a server that was killed finds its own free again. All of 127.0.0.0/8 is this machine.
const privateHost = "127.0.0.2"

// own gives a folder to the user that the server runs as.
func (s *Server) own(dir string) {
	s.t.Helper()
	if c := s.credential(); c != nil {
		s.must(os.Chown(dir, int(c.Uid), int(c.Gid)))
	}
}

// prepare lets a program run as the server's user and die with the test, however that ends.
func (s *Server) prepare(cmd *exec.Cmd) {
	s.t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.credential(), Pdeathsig: syscall.SIGKILL}
}

// credential returns the user that the server runs as, nil for the test's own.
func (s *Server) credential() *syscall.Credential {
	s.t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	s.must(err)
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	s.must(err)
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	s.must(err)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// killAll stops the first process, so that it neither sees nor replaces those that die, then
// kills its children and itself.
func (s *Server) killAll() {
	first := s.cmd.Process.Pid
	_ = syscall.Kill(first, syscall.SIGSTOP)
	for _, pid := range children(first) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	_ = syscall.Kill(first, syscall.SIGKILL)
}

// children returns the processes whose parent is pid, from /proc/<pid>/stat: "pid (name)
// state parent …".
func children(pid int) (list []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
		if len(fields) < 2 || string(fields[1]) != strconv.Itoa(pid) {
			continue
		}
		if child, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			list = append(list, child)
		}
	}
	return list
}

// mountSmall mounts a file system for so many bytes; it is gone when the test ends.
func mountSmall(t testing.TB, dir string, bytes int) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700,size="+strconv.Itoa(bytes)); err != nil {
		t.Skipf("SKIPPED: no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		// Detached: killed processes may need a moment to let go of their files.
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("enginetest: unmounting: %v", err)
		}
	})
}

// dieWithTest lets a program die with the test, however that ends.
func dieWithTest(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

func freeze(p *os.Process) error { return p.Signal(syscall.SIGSTOP) }

func thaw(p *os.Process) error { return p.Signal(syscall.SIGCONT) }
