package authnredis_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/authn/authnredis"
	"github.com/wardkit/wardkit/authn/authntest"
	"github.com/wardkit/wardkit/internal/enginetest"
)

// spoil is a redis.Hook that has another script run, or under another key.
type spoil struct {
	script string
	key    string // "" leaves it
}

func (s spoil) DialHook(next redis.DialHook) redis.DialHook { return next }

func (s spoil) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (s spoil) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if args := cmd.Args(); strings.HasPrefix(fmt.Sprint(args[0]), "eval") {
			args[0], args[1] = "eval", s.script
			if s.key != "" {
				args[3] = s.key
			}
		}
		return next(ctx, cmd)
	}
}

// Every condition in the script, and what makes the key, is there for a rule: without it that rule
// is broken.
func TestScriptMutants(t *testing.T) {
	t.Parallel()
	const increment = "return {tostring(redis.call('HINCRBY', KEYS[1], 'n', 1)), w[2]}"
	check := func(t *testing.T, s spoil, prefix string, client *redis.Client) error {
		client.AddHook(s)
		n := 0
		return authntest.CheckWindows(t.Context(), func() (authn.Windows, error) {
			n++
			return authnredis.New(client, &authnredis.Options{Prefix: fmt.Sprint(prefix, n, ":")})
		})
	}
	t.Run("whole", func(t *testing.T) {
		t.Parallel()
		client, prefix := enginetest.Redis(t)
		require.NoError(t, check(t, spoil{script: authnredis.Source()}, prefix, client))
	})
	for _, c := range []struct{ rule, old, replacement string }{
		{"hit_window", "tonumber(w[2]) <= tonumber(ARGV[1])", "tonumber(w[2]) < tonumber(ARGV[1])"},
		{"hit_window", " or tonumber(w[2]) <= tonumber(ARGV[1])", ""},
		{"hit_window", "'n', 1, 'ends'", "'n', 0, 'ends'"},
		{"hit_window", "'n', 1))", "'n', 2))"},
		{"hit_fixed", increment, "redis.call('HSET', KEYS[1], 'ends', ARGV[2])\n" + strings.Replace(increment, "w[2]", "ARGV[2]", 1)},
		{"hit_race", increment, "return {w[1] + 1 .. '', w[2]}"},
	} {
		t.Run(c.old+" "+c.replacement, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, 1, strings.Count(authnredis.Source(), c.old), "the script has no such place any more")
			client, prefix := enginetest.Redis(t)
			err := check(t, spoil{script: strings.Replace(authnredis.Source(), c.old, c.replacement, 1)}, prefix, client)
			require.ErrorContains(t, err, c.rule)
		})
	}
	t.Run("one key for all", func(t *testing.T) {
		t.Parallel()
		client, prefix := enginetest.Redis(t)
		require.ErrorContains(t, check(t, spoil{script: authnredis.Source(), key: prefix + "one"}, prefix, client), "hit_apart")
	})
	t.Run("no end of the key", func(t *testing.T) {
		t.Parallel()
		client, prefix := enginetest.Redis(t)
		const expire = "redis.call('PEXPIRE', KEYS[1], ARGV[3])"
		require.Contains(t, authnredis.Source(), expire)
		client.AddHook(spoil{script: strings.Replace(authnredis.Source(), expire, "", 1)})
		w, err := authnredis.New(client, &authnredis.Options{Prefix: prefix})
		require.NoError(t, err)
		require.Negative(t, left(t, w, client, prefix))
	})
}

// left is how long the key of a new window is kept.
func left(t *testing.T, w *authnredis.Windows, client *redis.Client, prefix string) time.Duration {
	t.Helper()
	_, _, err := w.Hit(t.Context(), "clinic", "addr:192.0.2.7", time.Minute, time.Now())
	require.NoError(t, err)
	keys, err := client.Keys(t.Context(), prefix+"*").Result()
	require.NoError(t, err)
	require.Len(t, keys, 1)
	d, err := client.PTTL(t.Context(), keys[0]).Result()
	require.NoError(t, err)
	return d
}

// The same on three servers that share the keys. A window is one key, so it needs no hash tag: the
// windows of a tenant are spread over all servers, and a flood of one tenant is no server's own.
func TestWindowsOnCluster(t *testing.T) {
	t.Parallel()
	client, servers := enginetest.RedisCluster(t)
	authntest.TestWindows(t, func(t testing.TB) authn.Windows {
		w, err := authnredis.New(client, &authnredis.Options{Prefix: t.Name() + ":"})
		require.NoError(t, err)
		return w
	})
	t.Run("spread", func(t *testing.T) {
		t.Parallel()
		w, err := authnredis.New(client, &authnredis.Options{Prefix: "spread:"})
		require.NoError(t, err)
		for i := range 60 {
			n, _, err := w.Hit(t.Context(), "clinic", fmt.Sprint("addr:192.0.2.", i), time.Minute, time.Now())
			require.NoError(t, err)
			require.Equal(t, 1, n)
		}
		all := 0
		for _, s := range servers {
			keys, err := s.Client().Keys(t.Context(), "spread:*").Result()
			require.NoError(t, err)
			require.NotEmpty(t, keys)
			all += len(keys)
		}
		require.Equal(t, 60, all)
	})
}

// A decision is one round trip, once the server knows the script.
func TestADecisionIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	client, prefix, trips := enginetest.CountedRedis(t)
	w, err := authnredis.New(client, &authnredis.Options{Prefix: prefix})
	require.NoError(t, err)
	hit := func() {
		_, _, err := w.Hit(t.Context(), "clinic", "a key", time.Minute, time.Now())
		require.NoError(t, err)
	}
	hit()
	for range 3 {
		require.Equal(t, 1, trips.Of(hit))
	}
}
