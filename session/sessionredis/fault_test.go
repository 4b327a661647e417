package sessionredis_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audittest"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/session"
	"github.com/wardkit/wardkit/session/sessionredis"
)

// calls are all calls of a store that reach Redis.
func calls(s session.Store, r session.Record, next session.Record) map[string]func(context.Context) error {
	who := session.Selection{Tenant: r.Session.Tenant, Person: r.Session.Person}
	return map[string]func(context.Context) error{
		"Create": func(ctx context.Context) error { _, err := s.Create(ctx, next, 3); return err },
		"Get":    func(ctx context.Context) error { _, err := s.Get(ctx, r.Key); return err },
		"Touch": func(ctx context.Context) error {
			_, err := s.Touch(ctx, r.Key, base().Add(time.Minute), base().Add(16*time.Minute))
			return err
		},
		"List": func(ctx context.Context) error {
			for _, err := range s.List(ctx, clinic, ann, base()) {
				return err
			}
			return nil
		},
		"Revoke": func(ctx context.Context) error { _, err := s.Revoke(ctx, who, base(), "x"); return err },
		"Lock":   func(ctx context.Context) error { _, err := s.Lock(ctx, who, base()); return err },
		"Rotate": func(ctx context.Context) error {
			n := next
			n.Session.ID, n.Session.Version = r.Session.ID, 2
			return s.Rotate(ctx, r.Key, n, base().Add(10*time.Second))
		},
		"Put": func(ctx context.Context) error {
			return s.Put(ctx, session.Proof{Tenant: clinic, Key: r.Key, Until: base()})
		},
		"Consume":    func(ctx context.Context) error { _, err := s.Consume(ctx, clinic, r.Key, base()); return err },
		"SavePolicy": func(ctx context.Context) error { return s.SavePolicy(ctx, clinic, policyVersion(1)) },
		"Purge":      func(ctx context.Context) error { _, err := s.Purge(ctx, base(), 1); return err },
	}
}

// Each call while Redis says nothing, hangs up, or is gone: an error, soon, that is no answer.
// TestMain sees that no goroutine stays.
func TestRedisFaults(t *testing.T) {
	t.Parallel()
	client, prefix, proxy := enginetest.ProxiedRedis(t)
	s := over(t, client, newDurable(), prefix)
	r, next := begun(t, s, clinic, ann), record(t, s, clinic, ann)
	for name, call := range calls(s, r, next) {
		proxy.Stall()
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond)
		err := call(ctx)
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded, name)
		proxy.Hangup()
		proxy.Resume()

		require.Eventually(t, func() bool { _, err := s.Get(t.Context(), r.Key); return err == nil }, 30*time.Second, time.Millisecond)
		proxy.Cut(enginetest.Before, "evalsha", 100)
		if name == "Purge" {
			proxy.Cut(enginetest.Before, "info", 100)
		}
		err = call(t.Context())
		require.Error(t, err, name)
		for _, answer := range []error{session.ErrNotFound, session.ErrExists, session.ErrConflict} {
			require.NotErrorIs(t, err, answer, name)
		}
		proxy.Cut(0, "", 0)
	}
	alive(t, s, r)
	_, err := s.Get(t.Context(), next.Key)
	require.ErrorIs(t, err, session.ErrNotFound)
}

// A write whose answer is lost has happened once, and the caller is in doubt, not misled.
func TestLostAnswersAreNotRepeated(t *testing.T) {
	t.Parallel()
	client, prefix, proxy := enginetest.ProxiedRedis(t)
	s := over(t, client, newDurable(), prefix)
	for _, name := range []string{"Create", "Lock", "Revoke", "Consume", "Put", "Rotate"} {
		r, next := begun(t, s, clinic, ann), record(t, s, clinic, ann)
		require.NoError(t, s.Put(t.Context(), session.Proof{Tenant: clinic, Key: r.Key, Until: base().Add(time.Minute)}))
		before := proxy.Cuts()
		proxy.Cut(enginetest.After, "evalsha", 100)
		err := calls(s, r, next)[name](t.Context())
		require.Error(t, err, name)
		require.NotErrorIs(t, err, session.ErrExists, name)
		require.NotErrorIs(t, err, session.ErrConflict, name)
		require.Equal(t, before+1, proxy.Cuts(), name)
		proxy.Cut(0, "", 0)
		f, err := s.Get(t.Context(), r.Key)
		require.NoError(t, err)
		require.Equal(t, name == "Revoke", !f.Session.Ended.IsZero(), name)
		require.Equal(t, name == "Lock", !f.Session.Locked.IsZero(), name)
		require.Equal(t, name == "Rotate", f.Session.Superseded, name)
		_, err = s.Get(t.Context(), next.Key)
		require.Equal(t, name == "Create" || name == "Rotate", err == nil, name)
		used, err := s.Consume(t.Context(), clinic, r.Key, base().Add(-time.Second))
		require.NoError(t, err)
		require.Equal(t, name != "Consume", used, name)
		_, err = s.Revoke(t.Context(), session.Selection{Tenant: clinic, Person: ann}, base(), "x")
		require.NoError(t, err)
	}
}

// The manager over it is closed too, and says so.
func TestManagerIsClosedWithoutRedis(t *testing.T) {
	t.Parallel()
	server := enginetest.PrivateRedis(t)
	m := manager(t, onServer(t, server))
	token, err := m.Start(t.Context(), staff())
	require.NoError(t, err)
	server.Kill()
	require.ErrorIs(t, m.Health(t.Context()), session.ErrUnavailable)
	require.ErrorIs(t, m.End(t.Context(), token, session.ReasonSignOut), session.ErrUnavailable)
	_, err = m.Start(t.Context(), staff())
	require.ErrorIs(t, err, session.ErrUnavailable)
}

func staff() audit.Actor {
	return audit.Actor{ID: ann, Kind: audit.KindStaff, Tenant: clinic, Assurance: audit.AAL2, Methods: []string{"pwd"}}
}

func manager(t testing.TB, s session.Store) *session.Manager {
	t.Helper()
	m, err := session.New(s, audittest.NewRecorder(), session.RemoteAddr, nil)
	require.NoError(t, err)
	return m
}

// What one server ends is dead on the other by its next request, however the two met.
func TestTwoServers(t *testing.T) {
	t.Parallel()
	client, prefix := enginetest.Redis(t)
	another := redis.NewClient(client.Options())
	t.Cleanup(func() { another.Close() })
	d := newDurable()
	a, b := over(t, client, d, prefix), over(t, another, d, prefix)
	for range 20 {
		r := begun(t, a, clinic, ann)
		alive(t, b, r)
		n, err := b.Revoke(t.Context(), session.Selection{Tenant: clinic, Person: ann}, base(), "sign_out")
		require.NoError(t, err)
		require.Equal(t, 1, n)
		f, err := a.Get(t.Context(), r.Key)
		require.NoError(t, err)
		require.Equal(t, base(), f.Session.Ended)
		live, err := a.Touch(t.Context(), r.Key, base().Add(time.Second), base().Add(time.Minute))
		require.NoError(t, err)
		require.False(t, live)
	}
}

// counter counts what a client says.
type counter struct{ commands, pipelines atomic.Int32 }

func (c *counter) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return next(ctx, network, address)
	}
}

func (c *counter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.commands.Add(1)
		return next(ctx, cmd)
	}
}

func (c *counter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, all []redis.Cmder) error {
		c.pipelines.Add(1)
		return next(ctx, all)
	}
}

// Each call is one command, the policy of a request in it, and sign-out everywhere too.
func TestOneRoundTrip(t *testing.T) {
	t.Parallel()
	client, prefix := enginetest.Redis(t)
	s := over(t, client, newDurable(), prefix)
	require.NoError(t, s.SavePolicy(t.Context(), clinic, policyVersion(1)))
	r := begun(t, s, clinic, ann)
	for range 20 {
		begun(t, s, clinic, ann)
	}
	alive(t, s, r) // reads the policy
	count := &counter{}
	client.AddHook(count)
	for name := range calls(s, r, r) {
		if name == "SavePolicy" || name == "Purge" {
			continue
		}
		call := calls(s, r, record(t, s, clinic, ann))[name]
		before := count.commands.Load()
		require.NoError(t, ignoreConflict(call(t.Context())), name)
		require.Equal(t, before+1, count.commands.Load(), name)
	}
	f, err := s.Get(t.Context(), r.Key)
	require.NoError(t, err)
	require.EqualValues(t, 1, f.Policy.Version)
	require.Zero(t, count.pipelines.Load())
}

func ignoreConflict(err error) error {
	if errors.Is(err, session.ErrConflict) {
		return nil
	}
	return err
}

// All that Redis holds of a person is under the person's tag, and says nothing of who it is.
func TestKeysOfAPerson(t *testing.T) {
	t.Parallel()
	server := enginetest.PrivateRedis(t)
	s, client := onServer(t, server), server.Client()
	r := begun(t, s, clinic, ann)
	begun(t, s, clinic, ann)
	require.NoError(t, s.Put(t.Context(), session.Proof{Tenant: clinic, Key: r.Key, Until: base()}))
	alive(t, s, r)
	keys, err := client.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	tag := base64.RawURLEncoding.EncodeToString(r.Key.Route[:])
	tenant := base64.RawURLEncoding.EncodeToString(r.Key.Route[:6])
	require.ElementsMatch(t, []string{"wks:{" + tag + "}", "wks:{" + tenant + "}p"}, keys)
	left, err := client.PTTL(t.Context(), "wks:{"+tag+"}").Result()
	require.NoError(t, err)
	require.InDelta(t, 13*time.Hour, left, float64(time.Minute), "the longest session and an hour")

	elsewhere := newDurable()
	elsewhere.seed = [32]byte{9}
	for _, other := range []session.Key{record(t, s, clinic, bob).Key, record(t, s, "clinic-2", ann).Key, record(t, over(t, client, elsewhere, ""), clinic, ann).Key} {
		require.NotEqual(t, r.Key.Route, other.Route)
	}
	require.Equal(t, r.Key.Route, record(t, s, clinic, ann).Key.Route)

	lost := record(t, s, clinic, ann)
	lost.Key.Route[15] ^= 1
	_, err = s.Create(t.Context(), lost, 0)
	require.Error(t, err, "ending ann's sessions would not reach it")
	require.NotErrorIs(t, err, session.ErrExists)
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	good := redis.NewClient(&redis.Options{ContextTimeoutEnabled: true})
	defer good.Close()
	deaf := redis.NewClient(&redis.Options{})
	defer deaf.Close()
	ring := redis.NewRing(&redis.RingOptions{})
	defer ring.Close()
	for name, c := range map[string]struct {
		client  redis.UniversalClient
		durable sessionredis.Durable
		prefix  string
	}{
		"no client":           {nil, newDurable(), ""},
		"a nil client":        {(*redis.Client)(nil), newDurable(), ""},
		"a ring":              {ring, newDurable(), ""},
		"a deaf client":       {deaf, newDurable(), ""},
		"nothing durable":     {good, nil, ""},
		"braces in the names": {good, newDurable(), "a{b}:"},
	} {
		_, err := sessionredis.New(c.client, c.durable, &sessionredis.Options{Prefix: c.prefix})
		require.Error(t, err, name)
		require.True(t, strings.HasPrefix(err.Error(), "sessionredis: "), name)
	}
	_, err := sessionredis.New(good, newDurable(), nil)
	require.NoError(t, err)
}

// Errors of the engine name no person, tenant or token.
func TestErrorsNameNobody(t *testing.T) {
	t.Parallel()
	server := enginetest.PrivateRedis(t)
	s := onServer(t, server)
	r, next := begun(t, s, clinic, ann), record(t, s, clinic, ann)
	server.Kill()
	for name, call := range calls(s, r, next) {
		err := call(t.Context())
		require.Error(t, err, name)
		for _, secret := range []string{string(clinic), string(ann), r.Session.ID, base64.RawURLEncoding.EncodeToString(r.Key.Route[:])} {
			require.NotContains(t, err.Error(), secret, name)
		}
	}
}
