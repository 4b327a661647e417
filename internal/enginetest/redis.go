package enginetest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// RedisServer is a Redis server of one test's own, for tests that empty it, kill it, hold it up
// or give it old data. It listens on a port of this machine.
type RedisServer struct {
	process
	t        testing.TB
	dir      string
	port     int
	settings []string
}

// PrivateRedis starts a Redis server with the settings, as "appendonly yes"; it is gone when
// the test ends. It writes nothing to disk unless told to. Without Redis's server program the
// test is skipped, or fails where WARDKIT_ENGINES=all.
func PrivateRedis(t testing.TB, settings ...string) *RedisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		Missing(t, "Redis's server program is not installed")
	}
	s := &RedisServer{t: t, dir: t.TempDir(), port: freePort(t), settings: settings}
	t.Cleanup(s.Kill)
	s.Start()
	return s
}

// freePort returns a port of this machine that nothing listens on.
func freePort(t testing.TB) int {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(privateHost, "0"))
	if err != nil {
		t.Fatalf("enginetest: %v", err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// Address returns the server's host and port.
func (s *RedisServer) Address() string { return net.JoinHostPort(privateHost, strconv.Itoa(s.port)) }

// Folder returns the path of a name in the folder that the server keeps its files in.
func (s *RedisServer) Folder(name string) string { return filepath.Join(s.dir, name) }

// Client returns a client of the server that obeys contexts; it is closed when the test ends.
func (s *RedisServer) Client() *redis.Client {
	client := redis.NewClient(patient(&redis.Options{Addr: s.Address(), ContextTimeoutEnabled: true, DialerRetries: 1}))
	s.t.Cleanup(func() { client.Close() })
	return client
}

// patient lets a client wait: a test's own deadlines are those of its contexts.
func patient(o *redis.Options) *redis.Options {
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = patience, patience, patience, patience
	return o
}

// Start starts the server if it does not run, and returns when it answers and has loaded what
// is on its disk.
func (s *RedisServer) Start() {
	s.t.Helper()
	if !s.Running() {
		s.launch()
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if s.answers() {
			return
		}
		if !s.Running() { // somebody else was given the port
			s.port = freePort(s.t)
			s.launch()
		}
	}
	log, _ := os.ReadFile(s.Folder("log"))
	s.t.Fatalf("enginetest: the private Redis server does not answer:\n%s", log)
}

func (s *RedisServer) launch() {
	s.t.Helper()
	config := fmt.Sprintf("bind %s\nport %d\ndir %q\nlogfile %q\nsave \"\"\nappendonly no\nenable-debug-command local\nrepl-diskless-sync-delay 0\n",
		privateHost, s.port, s.dir, s.Folder("log"))
	for _, setting := range s.settings {
		config += setting + "\n"
	}
	s.must(os.WriteFile(s.Folder("conf"), []byte(config), 0o600))
	cmd := exec.Command("redis-server", s.Folder("conf"))
	dieWithTest(cmd)
	s.must(s.begin(cmd))
}

// answers reports whether it is this server that answers, with its data loaded: a port that
// was free may have become another's.
func (s *RedisServer) answers() bool {
	client := redis.NewClient(&redis.Options{Addr: s.Address(), MaxRetries: -1})
	defer client.Close()
	ctx := context.Background()
	if client.Ping(ctx).Err() != nil {
		return false
	}
	pid := client.InfoMap(ctx, "server").Item("Server", "process_id")
	return pid == strconv.Itoa(s.cmd.Process.Pid)
}

// Kill ends the server at once, as a power cut would. Start brings it back with what is on its
// disk.
func (s *RedisServer) Kill() {
	if s.Running() {
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
}

// Freeze stops the server's process where it is: connections stay open, nothing answers, and
// what a primary says does not arrive, until Thaw.
func (s *RedisServer) Freeze() {
	s.t.Helper()
	s.must(freeze(s.cmd.Process))
}

// Thaw ends Freeze.
func (s *RedisServer) Thaw() {
	s.t.Helper()
	s.must(thaw(s.cmd.Process))
}

func (s *RedisServer) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("enginetest: the private Redis server: %v", err)
	}
}

// RedisCluster starts a Redis Cluster of three primaries, which share the slots evenly, and
// returns a client of it.
func RedisCluster(t testing.TB) (*redis.ClusterClient, []*RedisServer) {
	t.Helper()
	const nodes, slots = 3, 16384
	var servers []*RedisServer
	var addresses []string
	for i := range nodes {
		s := PrivateRedis(t, "cluster-enabled yes", "cluster-node-timeout 60000", "cluster-announce-ip "+privateHost,
			fmt.Sprint("cluster-port ", freePort(t)))
		client := s.Client()
		s.must(client.ClusterAddSlotsRange(t.Context(), i*slots/nodes, (i+1)*slots/nodes-1).Err())
		s.must(client.Do(t.Context(), "cluster", "set-config-epoch", i+1).Err())
		servers, addresses = append(servers, s), append(addresses, s.Address())
	}
	first := servers[0].Client()
	for _, s := range servers[1:] {
		s.must(first.Do(t.Context(), "cluster", "meet", privateHost, s.port, clusterPort(t, s)).Err())
	}
	for _, s := range servers {
		s.joined(nodes)
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: addresses, ContextTimeoutEnabled: true,
		DialTimeout: patience, ReadTimeout: patience, WriteTimeout: patience, PoolTimeout: patience,
	})
	t.Cleanup(func() { client.Close() })
	return client, servers
}

func clusterPort(t testing.TB, s *RedisServer) string {
	t.Helper()
	values, err := s.Client().ConfigGet(t.Context(), "cluster-port").Result()
	s.must(err)
	return values["cluster-port"]
}

// joined waits until the server knows so many nodes and says that all slots are served.
func (s *RedisServer) joined(nodes int) {
	s.t.Helper()
	client := s.Client()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		shards, err := client.ClusterShards(s.t.Context()).Result()
		info, infoErr := client.ClusterInfo(s.t.Context()).Result()
		if err == nil && infoErr == nil && len(shards) == nodes && clusterOK(info) {
			return
		}
	}
	s.t.Fatal("enginetest: the Redis Cluster does not come together")
}

func clusterOK(info string) bool {
	const ok = "cluster_state:ok"
	return len(info) >= len(ok) && info[:len(ok)] == ok
}

// ProxiedRedis is Redis with a Proxy before it: what is cut is a whole command, found by a
// text in it.
func ProxiedRedis(t testing.TB) (client *redis.Client, prefix string, proxy *Proxy) {
	t.Helper()
	direct, prefix := Redis(t)
	options := *direct.Options()
	p := newProxy(options.Network, options.Addr)
	host, port := listen(t, p.serve)
	options.Addr = net.JoinHostPort(host, strconv.Itoa(int(port)))
	options.ContextTimeoutEnabled = true
	options.Dialer = nil
	client = redis.NewClient(&options)
	t.Cleanup(func() {
		p.Resume()
		p.Hangup()
		client.Close()
	})
	return client, prefix, p
}
