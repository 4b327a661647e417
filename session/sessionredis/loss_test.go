package sessionredis_test

import (
	"context"
	"encoding/base64"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/session"
	"github.com/wardkit/wardkit/session/sessionredis"
)

// onServer returns a store on a server of the test's own.
func onServer(t testing.TB, s *enginetest.RedisServer) *sessionredis.Store {
	t.Helper()
	return over(t, s.Client(), newDurable(), "")
}

func endAll(t testing.TB, s session.Store, r session.Record, want int) {
	t.Helper()
	n, err := s.Revoke(t.Context(), session.Selection{Tenant: r.Session.Tenant, Person: r.Session.Person}, base().Add(time.Minute), "sign_out")
	require.NoError(t, err)
	require.Equal(t, want, n)
}

// A server that was emptied, or lost one person's key, knows nobody, and goes on.
func TestEmptiedRedisKnowsNobody(t *testing.T) {
	t.Parallel()
	server := enginetest.PrivateRedis(t)
	s, client := onServer(t, server), server.Client()
	for _, lose := range []func() error{
		func() error { return client.FlushAll(t.Context()).Err() },
		func() error {
			key, err := client.RandomKey(t.Context()).Result() // as if evicted
			require.NoError(t, err)
			return client.Del(t.Context(), key).Err()
		},
	} {
		r := begun(t, s, clinic, ann)
		require.NoError(t, s.Put(t.Context(), session.Proof{Tenant: clinic, Key: r.Key, Until: base().Add(time.Minute)}))
		alive(t, s, r)
		require.NoError(t, client.Del(t.Context(), policyKeys(t, client)...).Err())
		require.NoError(t, lose())
		gone(t, s, r)
		used, err := s.Consume(t.Context(), clinic, r.Key, base())
		require.NoError(t, err)
		require.False(t, used)
		alive(t, s, begun(t, s, clinic, ann))
		require.NoError(t, client.FlushAll(t.Context()).Err())
	}
}

func policyKeys(t testing.TB, client *redis.Client) []string {
	t.Helper()
	keys, err := client.Keys(t.Context(), "wks:*}p").Result()
	require.NoError(t, err)
	require.NotEmpty(t, keys)
	return keys
}

// Old data that is loaded from a file brings nobody back: neither who was signed out since,
// nor anybody else, nor a proof that was used.
func TestRestoredFileBringsNobodyBack(t *testing.T) {
	t.Parallel()
	server := enginetest.PrivateRedis(t)
	s, client := onServer(t, server), server.Client()
	out, in := begun(t, s, clinic, ann), begun(t, s, clinic, bob)
	proof := session.Proof{Tenant: clinic, Key: in.Key, Until: base().Add(time.Minute)}
	require.NoError(t, s.Put(t.Context(), proof))
	require.NoError(t, client.Save(t.Context()).Err())
	old, err := os.ReadFile(server.Folder("dump.rdb"))
	require.NoError(t, err)
	endAll(t, s, out, 1)
	used, err := s.Consume(t.Context(), clinic, in.Key, base())
	require.NoError(t, err)
	require.True(t, used)

	server.Kill()
	require.NoError(t, os.WriteFile(server.Folder("dump.rdb"), old, 0o600))
	server.Start()
	n, err := client.DBSize(t.Context()).Result()
	require.NoError(t, err)
	require.Positive(t, n, "the old data is there")
	for _, server := range []*sessionredis.Store{s, onServer(t, server)} { // one that was there, and a new one
		gone(t, server, out)
		gone(t, server, in)
		used, err := server.Consume(t.Context(), clinic, in.Key, base())
		require.NoError(t, err)
		require.False(t, used)
	}
	alive(t, s, begun(t, s, clinic, ann))
}

// The same where nothing was lost: whether it was, nobody can know.
func TestRestartSignsEverybodyOut(t *testing.T) {
	t.Parallel()
	server := enginetest.PrivateRedis(t, "appendonly yes", "appendfsync always")
	s := onServer(t, server)
	r := begun(t, s, clinic, ann)
	server.Kill()
	server.Start()
	gone(t, s, r)
	endAll(t, s, r, 0)
	alive(t, s, begun(t, s, clinic, ann))
}

// A server that is told to forget its scripts is the same server.
func TestForgottenScriptsSignNobodyOut(t *testing.T) {
	t.Parallel()
	server := enginetest.PrivateRedis(t)
	s := onServer(t, server)
	r := begun(t, s, clinic, ann)
	require.NoError(t, server.Client().ScriptFlush(t.Context()).Err())
	alive(t, s, r)
	require.NoError(t, server.Client().ScriptFlush(t.Context()).Err())
	endAll(t, s, r, 1)
}

// pair is a primary, its replica, and a client that goes where it is told, as one that
// follows Sentinel.
type pair struct {
	primary, replica *enginetest.RedisServer
	client           *redis.Client
	address          atomic.Pointer[string]
}

func newPair(t testing.TB, settings ...string) *pair {
	t.Helper()
	p := &pair{primary: enginetest.PrivateRedis(t, settings...), replica: enginetest.PrivateRedis(t)}
	p.client = redis.NewClient(&redis.Options{
		ContextTimeoutEnabled: true, MinIdleConns: 0, MaxRetries: 3,
		Dialer: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, *p.address.Load())
		},
	})
	t.Cleanup(func() { p.client.Close() })
	p.follow(t, p.replica, p.primary)
	p.goTo(t, p.primary)
	return p
}

// follow makes one server the replica of another, and waits until it has its data.
func (p *pair) follow(t testing.TB, replica, primary *enginetest.RedisServer) {
	t.Helper()
	host, port, err := net.SplitHostPort(primary.Address())
	require.NoError(t, err)
	require.NoError(t, replica.Client().ReplicaOf(t.Context(), host, port).Err())
	p.synced(t, primary)
}

// synced waits until a replica has what its primary has.
func (p *pair) synced(t testing.TB, primary *enginetest.RedisServer) {
	t.Helper()
	client := primary.Client()
	require.Eventually(t, func() bool {
		if client.Set(t.Context(), "written", 1, 0).Err() != nil {
			return false
		}
		n, err := client.Wait(t.Context(), 1, 100*time.Millisecond).Result()
		return err == nil && n == 1
	}, 30*time.Second, 5*time.Millisecond)
}

func (p *pair) promote(t testing.TB, s *enginetest.RedisServer) {
	t.Helper()
	require.NoError(t, s.Client().ReplicaOf(t.Context(), "NO", "ONE").Err())
	p.goTo(t, s)
}

// goTo sends the client to a server and cuts its connections, as Sentinel does.
func (p *pair) goTo(t testing.TB, s *enginetest.RedisServer) {
	t.Helper()
	address := s.Address()
	p.address.Store(&address)
	for _, server := range []*enginetest.RedisServer{p.primary, p.replica} {
		if server.Running() {
			require.NoError(t, server.Client().Do(t.Context(), "client", "kill", "type", "normal", "skipme", "yes").Err())
		}
	}
}

// cutOff freezes the replica with its connection cut: it hears nothing more.
func (p *pair) cutOff(t testing.TB) {
	t.Helper()
	p.replica.Freeze()
	require.NoError(t, p.primary.Client().Do(t.Context(), "client", "kill", "type", "replica").Err())
}

// rowsOf returns all that a server holds of a person.
func rowsOf(t testing.TB, server *enginetest.RedisServer, r session.Record) map[string]string {
	t.Helper()
	key := "wks:{" + base64.RawURLEncoding.EncodeToString(r.Key.Route[:]) + "}"
	all, err := server.Client().HGetAll(t.Context(), key).Result()
	require.NoError(t, err)
	return all
}

// A replica that had not heard of the end of a session takes over.
func TestLaggingReplicaBringsNobodyBack(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	s := over(t, p.client, newDurable(), "")
	out, in := begun(t, s, clinic, ann), begun(t, s, clinic, bob)
	p.synced(t, p.primary)
	before := rowsOf(t, p.primary, out)
	p.cutOff(t)
	endAll(t, s, out, 1)
	p.primary.Kill()
	p.replica.Thaw()
	p.promote(t, p.replica)
	require.Equal(t, before, rowsOf(t, p.replica, out), "it has not heard")
	gone(t, s, out)
	gone(t, s, in)
	alive(t, s, begun(t, s, clinic, ann))
}

// The old primary lives on, becomes the replica of the one that had not heard, and takes over
// again: the process is the one under which the session began, its term of office is not.
func TestFailbackBringsNobodyBack(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	s := over(t, p.client, newDurable(), "")
	out := begun(t, s, clinic, ann)
	p.synced(t, p.primary)
	before := rowsOf(t, p.primary, out)
	p.cutOff(t)
	endAll(t, s, out, 1)
	admin := p.primary.Client()
	require.NoError(t, admin.ConfigSet(t.Context(), "requirepass", "x").Err()) // keeps the replica out
	p.replica.Thaw()
	promoted(t, p.replica)
	require.NoError(t, admin.ConfigSet(t.Context(), "requirepass", "").Err())
	p.follow(t, p.primary, p.replica)
	require.Equal(t, before, rowsOf(t, p.primary, out), "its end is lost")
	p.promote(t, p.primary)
	require.Equal(t, before, rowsOf(t, p.primary, out))
	gone(t, s, out)
	gone(t, over(t, p.primary.Client(), newDurable(), ""), out)
	alive(t, s, begun(t, s, clinic, ann))
}

// The same where no connection is cut: whoever has not been asked meanwhile is, by Purge.
func TestPurgeAsksServersAgain(t *testing.T) {
	t.Parallel()
	server := enginetest.PrivateRedis(t)
	s := onServer(t, server)
	r := begun(t, s, clinic, ann)
	client := server.Client()
	require.NoError(t, client.ReplicaOf(t.Context(), "127.0.0.1", "1").Err())
	require.NoError(t, client.ReplicaOf(t.Context(), "NO", "ONE").Err())
	n, err := s.Purge(t.Context(), base(), 10)
	require.NoError(t, err)
	require.Zero(t, n)
	gone(t, s, r)
}

// Who is a replica answers nothing, not even to those who read.
func TestReplicaIsRefused(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	s := over(t, p.client, newDurable(), "")
	r := begun(t, s, clinic, ann)
	p.synced(t, p.primary)
	pinned := onServer(t, p.replica)
	require.ErrorIs(t, pinned.Check(t.Context()), sessionredis.ErrServer)
	_, err := pinned.Get(t.Context(), r.Key)
	require.ErrorIs(t, err, sessionredis.ErrServer)

	// One that turns into a replica with its clients' connections open, too.
	p.follow(t, p.primary, promoted(t, p.replica))
	_, err = s.Get(t.Context(), r.Key)
	require.Error(t, err)
	require.NotErrorIs(t, err, session.ErrNotFound)
}

func promoted(t testing.TB, s *enginetest.RedisServer) *enginetest.RedisServer {
	t.Helper()
	require.NoError(t, s.Client().ReplicaOf(t.Context(), "NO", "ONE").Err())
	return s
}

// With min-replicas-to-write a primary that is cut off from its replicas answers nobody: it
// may have a successor, which knows better.
func TestIsolatedPrimaryIsRefused(t *testing.T) {
	t.Parallel()
	p := newPair(t, "min-replicas-to-write 1", "min-replicas-max-lag 60")
	s := over(t, p.client, newDurable(), "")
	r := begun(t, s, clinic, ann)
	p.cutOff(t)
	_, err := s.Get(t.Context(), r.Key)
	require.ErrorContains(t, err, "NOREPLICAS")
}

// What Check refuses.
func TestCheck(t *testing.T) {
	t.Parallel()
	good := enginetest.PrivateRedis(t)
	require.NoError(t, onServer(t, good).Check(t.Context()))
	evicts := enginetest.PrivateRedis(t, "maxmemory-policy volatile-lru")
	require.ErrorIs(t, onServer(t, evicts).Check(t.Context()), sessionredis.ErrEviction)
	evicts.Kill()
	require.Error(t, onServer(t, evicts).Check(t.Context()))
	d := newDurable()
	d.seed = [32]byte{}
	require.Error(t, over(t, good.Client(), d, "").Check(t.Context()))
}

// Where memory is full nobody signs in, and everybody can be signed out.
func TestFullMemoryStillEndsSessions(t *testing.T) {
	t.Parallel()
	server := enginetest.PrivateRedis(t)
	s := onServer(t, server)
	r, q := begun(t, s, clinic, ann), begun(t, s, clinic, bob)
	proof := session.Proof{Tenant: clinic, Key: q.Key, Until: base().Add(time.Minute)}
	require.NoError(t, s.Put(t.Context(), proof))
	require.NoError(t, server.Client().ConfigSet(t.Context(), "maxmemory", "1").Err())
	_, err := s.Create(t.Context(), record(t, s, clinic, ann), 0)
	require.ErrorContains(t, err, "OOM")
	alive(t, s, r)
	n, err := s.Lock(t.Context(), session.Selection{Tenant: clinic, Person: bob}, base())
	require.NoError(t, err)
	require.Equal(t, 1, n)
	endAll(t, s, r, 1)
	used, err := s.Consume(t.Context(), clinic, q.Key, base())
	require.NoError(t, err)
	require.True(t, used)
}

// Servers that do not place keys alike, because their durable store was put back, do not see
// each other's sessions.
func TestAnotherSeedKnowsNobody(t *testing.T) {
	t.Parallel()
	server := enginetest.PrivateRedis(t)
	d := newDurable()
	s := over(t, server.Client(), d, "")
	r := begun(t, s, clinic, ann)
	d.seed = [32]byte{2}
	gone(t, over(t, server.Client(), d, ""), r)
	gone(t, s, r) // for good
	r = begun(t, s, clinic, ann)
	_, err := s.Purge(t.Context(), base(), 1) // reads the seed again
	require.NoError(t, err)
	gone(t, s, r)
	alive(t, s, begun(t, s, clinic, ann))
}
