package enginetest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/enginetest"
)

// A killed server comes back with what was on its disk and nothing else.
func TestPrivateRedis(t *testing.T) {
	t.Parallel()
	s := enginetest.PrivateRedis(t)
	client, ctx := s.Client(), t.Context()
	require.NoError(t, client.Set(ctx, "old", "1", 0).Err())
	require.NoError(t, client.Save(ctx).Err())
	require.FileExists(t, s.Folder("dump.rdb"))
	require.NoError(t, client.Set(ctx, "new", "1", 0).Err())
	s.Kill()
	require.False(t, s.Running())
	require.Error(t, client.Ping(ctx).Err())
	s.Start()
	require.NoError(t, client.Get(ctx, "old").Err())
	require.Error(t, client.Get(ctx, "new").Err())

	s.Freeze()
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, client.Ping(short).Err(), context.DeadlineExceeded)
	s.Thaw()
	require.NoError(t, client.Ping(ctx).Err())
}

// Two servers that were promised the same port are still two.
func TestPrivateRedisIsTheTestsOwn(t *testing.T) {
	t.Parallel()
	first := enginetest.PrivateRedis(t)
	second := enginetest.RedisAt(t, first)
	require.NotEqual(t, first.Address(), second.Address())
	require.NoError(t, second.Client().Set(t.Context(), "mine", "1", 0).Err())
	require.Zero(t, first.Client().Exists(t.Context(), "mine").Val())
}

func TestPrivateRedisHasSettings(t *testing.T) {
	t.Parallel()
	s := enginetest.PrivateRedis(t, "maxmemory-policy allkeys-lru")
	got, err := s.Client().ConfigGet(t.Context(), "maxmemory-policy").Result()
	require.NoError(t, err)
	require.Equal(t, "allkeys-lru", got["maxmemory-policy"])
}

// Keys spread over the three servers, and each is on one.
func TestRedisCluster(t *testing.T) {
	t.Parallel()
	client, servers := enginetest.RedisCluster(t)
	for i := range 50 {
		require.NoError(t, client.Set(t.Context(), fmt.Sprint(i), "1", 0).Err())
	}
	all := int64(0)
	for _, s := range servers {
		n, err := s.Client().DBSize(t.Context()).Result()
		require.NoError(t, err)
		require.Positive(t, n)
		all += n
	}
	require.EqualValues(t, 50, all)
}

func TestProxiedRedis(t *testing.T) {
	t.Parallel()
	client, prefix, proxy := enginetest.ProxiedRedis(t)
	key := prefix + "n"
	for moment, want := range map[enginetest.Moment]string{enginetest.Before: "0", enginetest.After: "4"} {
		require.NoError(t, client.Set(t.Context(), key, "0", 0).Err())
		proxy.Cut(moment, "incr", 4) // the client tries four times
		require.Error(t, client.Incr(t.Context(), key).Err())
		require.Equal(t, want, client.Get(t.Context(), key).Val())
	}
	proxy.Stall()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, client.Ping(ctx).Err(), context.DeadlineExceeded)
	proxy.Resume()
	require.NoError(t, client.Ping(t.Context()).Err())
}
