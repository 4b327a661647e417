package authnredis_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/authn/authnredis"
	"github.com/wardkit/wardkit/authn/authntest"
	"github.com/wardkit/wardkit/internal/enginetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB) (*authnredis.Windows, *redis.Client, string) {
	t.Helper()
	client, prefix := enginetest.Redis(t)
	w, err := authnredis.New(client, &authnredis.Options{Prefix: prefix})
	require.NoError(t, err)
	return w, client, prefix
}

func TestWindows(t *testing.T) {
	t.Parallel()
	authntest.TestWindows(t, func(t testing.TB) authn.Windows {
		w, _, _ := open(t)
		return w
	})
}

// Nothing of what is counted can be read from the keys, and every key goes by itself.
func TestKeysSayNothingAndExpire(t *testing.T) {
	t.Parallel()
	w, client, prefix := open(t)
	now := time.Now()
	_, _, err := w.Hit(t.Context(), "clinic", "addr:192.0.2.7", time.Minute, now)
	require.NoError(t, err)
	keys, err := client.Keys(t.Context(), prefix+"*").Result()
	require.NoError(t, err)
	require.Len(t, keys, 1)
	require.False(t, strings.Contains(keys[0], "192") || strings.Contains(keys[0], "clinic"))
	kept, err := client.PTTL(t.Context(), keys[0]).Result()
	require.NoError(t, err)
	require.InDelta(t, (time.Hour + time.Minute).Seconds(), kept.Seconds(), 30)
	fields, err := client.HGetAll(t.Context(), keys[0]).Result()
	require.NoError(t, err)
	require.Len(t, fields, 2)
}

// Two tenants whose name and key together read the same are two windows.
func TestNoTwoNamesShareAWindow(t *testing.T) {
	t.Parallel()
	w, _, _ := open(t)
	now := time.Now()
	_, _, err := w.Hit(t.Context(), "a", "bc", time.Minute, now)
	require.NoError(t, err)
	n, _, err := w.Hit(t.Context(), "ab", "c", time.Minute, now)
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

// A Redis that does not answer is an error, in time, and says nothing about what was counted.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	client, prefix, proxy := enginetest.ProxiedRedis(t)
	w, err := authnredis.New(client, &authnredis.Options{Prefix: prefix})
	require.NoError(t, err)
	_, _, err = w.Hit(t.Context(), "clinic", "addr:192.0.2.7", time.Minute, time.Now())
	require.NoError(t, err)
	proxy.Stall()
	defer proxy.Resume()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, _, err = w.Hit(ctx, "clinic", "addr:192.0.2.7", time.Minute, time.Now())
	require.Error(t, err)
	require.NotContains(t, err.Error(), "192.0.2.7")
	dead, kill := context.WithCancel(t.Context())
	kill()
	_, _, err = w.Hit(dead, "clinic", "k", time.Minute, time.Now())
	require.ErrorIs(t, err, context.Canceled)
}

// A cleared script cache costs a second round trip, not a try.
func TestScriptsMayBeFlushed(t *testing.T) {
	t.Parallel()
	server := enginetest.PrivateRedis(t)
	client := server.Client()
	w, err := authnredis.New(client, nil)
	require.NoError(t, err)
	now := time.Now()
	for i := range 3 {
		n, _, err := w.Hit(t.Context(), "clinic", "k", time.Minute, now)
		require.NoError(t, err)
		require.Equal(t, i+1, n)
		require.NoError(t, client.ScriptFlush(t.Context()).Err())
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	deaf := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	obeys := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", ContextTimeoutEnabled: true})
	defer deaf.Close()
	defer obeys.Close()
	for name, c := range map[string]redis.UniversalClient{"nil": nil, "typed nil": (*redis.Client)(nil), "deaf": deaf, "nil cluster": (*redis.ClusterClient)(nil)} {
		_, err := authnredis.New(c, nil)
		require.Error(t, err, name)
	}
	_, err := authnredis.New(obeys, &authnredis.Options{Prefix: "{x}"})
	require.Error(t, err)
	_, err = authnredis.New(obeys, nil)
	require.NoError(t, err)
}
