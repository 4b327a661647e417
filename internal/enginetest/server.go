package enginetest

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// patience bounds how long a server may take to start or to stop.
const patience = time.Minute

// Server is a PostgreSQL server of one test's own, for tests that kill it, fill its disk or
// configure it wrongly. It listens on a socket in its folder and nowhere else.
type Server struct {
	process
	t        testing.TB
	bin, dir string
	settings []string
}

// Cluster makes a PostgreSQL cluster with the settings, as "fsync=off", and starts its server;
// both are gone when the test ends. Without PostgreSQL's server programs the test is skipped,
// or fails where WARDKIT_ENGINES=all. As root the server runs as the user postgres, or nobody.
func Cluster(t testing.TB, settings ...string) *Server {
	t.Helper()
	s := &Server{t: t, bin: programs(t), settings: settings}
	dir, err := os.MkdirTemp("", "wardkit-postgres.") // a socket's path must be short
	s.must(err)
	s.dir = dir
	t.Cleanup(func() {
		s.Kill()
		os.RemoveAll(dir)
	})
	s.own(dir)
	initdb := s.command("initdb", "-D", s.Folder("data"), "-U", "postgres", "--auth=trust",
		"--encoding=UTF8", "--locale=C", "--no-sync", "--wal-segsize=1")
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("enginetest: initdb: %v\n%s", err, out)
	}
	s.Start()
	return s
}

// programs finds the folder of PostgreSQL's server programs.
func programs(t testing.TB) string {
	t.Helper()
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.Reverse(dirs) // the newest first
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, string(bytes.TrimSpace(out)))
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "postgres")); err == nil {
			return dir
		}
	}
	Missing(t, "PostgreSQL's server programs are not installed")
	return ""
}

// command prepares one of PostgreSQL's programs. They refuse to run as root.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	s.prepare(cmd)
	return cmd
}

// Folder returns the path of a name in the server's own folder, which the server may write to.
func (s *Server) Folder(name string) string { return filepath.Join(s.dir, name) }

// Address returns a connection string of the superuser.
func (s *Server) Address() string {
	return "host=" + s.dir + " port=5432 user=postgres dbname=postgres sslmode=disable"
}

// Pool returns a pool of connections to the server; it is closed when the test ends.
func (s *Server) Pool() *sql.DB {
	s.t.Helper()
	config, err := pgx.ParseConfig(s.Address())
	s.must(err)
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(8)
	s.t.Cleanup(func() { pool.Close() })
	return pool
}

// Start starts the server if it does not run, and returns when it answers: after a crash,
// when it has recovered.
func (s *Server) Start() {
	s.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if !s.Running() { // also when leftovers of the killed one kept it from starting
			s.launch()
		}
		if s.answers() {
			return
		}
	}
	log, _ := os.ReadFile(s.Folder("log"))
	s.t.Fatalf("enginetest: the private PostgreSQL server does not answer:\n%s", log)
}

func (s *Server) launch() {
	s.t.Helper()
	args := []string{
		"-D", s.Folder("data"), "-c", "listen_addresses=", "-c", "unix_socket_directories=" + s.dir, "-c", "port=5432",
		"-c", "shared_buffers=16MB", "-c", "max_connections=60",
	}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	log, err := os.OpenFile(s.Folder("log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	s.must(err)
	defer log.Close()
	cmd := s.command("postgres", args...)
	cmd.Stdout, cmd.Stderr = log, log
	s.must(s.begin(cmd))
}

func (s *Server) answers() bool {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.Address())
	if err != nil {
		return false
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "SELECT 1")
	return err == nil
}

// Kill ends all processes of the server at once, as a power cut would: none of them can
// write or say anything more. Start brings it back.
func (s *Server) Kill() {
	if s.Running() {
		s.killAll()
		<-s.exited
	}
}

// Stop lets the server end in order, with its clients' connections cut.
func (s *Server) Stop() {
	s.t.Helper()
	if !s.Running() {
		return
	}
	s.must(s.cmd.Process.Signal(os.Interrupt)) // a fast shutdown
	s.Ended()
}

// Ended returns when the server has ended. One that crashes by itself ends if it has the
// setting "restart_after_crash=off"; without, it may answer for a moment and is gone then.
func (s *Server) Ended() {
	s.t.Helper()
	select {
	case <-s.exited:
	case <-time.After(patience):
		s.t.Fatal("enginetest: the private PostgreSQL server does not stop")
	}
}

// SmallDisk returns a folder on a file system of its own, with room for so many bytes, that
// is gone when the test ends. Where nothing may be mounted the test is skipped.
func SmallDisk(t testing.TB, bytes int) string {
	t.Helper()
	dir := t.TempDir()
	mountSmall(t, dir, bytes)
	return dir
}

// SmallDisk is the function for a folder that the server may use.
func (s *Server) SmallDisk(bytes int) string {
	s.t.Helper()
	dir := s.Folder("small")
	s.must(os.Mkdir(dir, 0o700))
	mountSmall(s.t, dir, bytes)
	s.t.Cleanup(s.Kill) // before it is unmounted
	s.own(dir)
	return dir
}

// MoveLog puts the write-ahead log into a folder. The server must not run.
func (s *Server) MoveLog(dir string) {
	s.t.Helper()
	old, moved := s.Folder("data/pg_wal"), filepath.Join(dir, "pg_wal")
	if out, err := exec.Command("cp", "-a", old, moved).CombinedOutput(); err != nil {
		s.t.Fatalf("enginetest: moving the log: %v\n%s", err, out)
	}
	s.must(os.RemoveAll(old))
	s.must(os.Symlink(moved, old))
}

func (s *Server) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("enginetest: the private PostgreSQL server: %v", err)
	}
}
