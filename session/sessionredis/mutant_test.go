package sessionredis_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/session"
	"github.com/wardkit/wardkit/session/sessionredis"
	"github.com/wardkit/wardkit/session/sessiontest"
)

// edit is a redis.Hook that spoils one place of one script, or of what all have in common, on
// its way to the server.
type edit struct {
	script, old, replacement string
	found                    atomic.Int64
}

func (e *edit) DialHook(next redis.DialHook) redis.DialHook { return next }

func (e *edit) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (e *edit) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			args := cmd.Args()
			if len(args) != 3 || !strings.EqualFold(fmt.Sprint(args[0], args[1]), "scriptload") {
				continue
			}
			text := args[2].(string)
			own := 0 // where what is to be spoiled begins
			if e.script != "common" {
				own = strings.Index(text, "\n-- "+e.script+":")
			}
			if own >= 0 && strings.Contains(text[own:], e.old) {
				args[2] = text[:own] + strings.Replace(text[own:], e.old, e.replacement, 1)
				e.found.Add(1)
			}
		}
		return next(ctx, cmds)
	}
}

// spoiled returns a store on the common server with one place of its scripts spoiled.
func spoiled(t testing.TB, e *edit) session.Store {
	client, prefix := enginetest.Redis(t)
	client.AddHook(e)
	return over(t, client, newDurable(), prefix)
}

// Every condition in the scripts is there for a rule of the contract: without it the rule is
// broken. "model" is the random walk.
func TestScriptMutants(t *testing.T) {
	t.Parallel()
	rules := map[string]func(context.Context, session.Store) error{
		"model": func(ctx context.Context, s session.Store) error { return sessiontest.Walk(ctx, s, 3, 400) },
	}
	for _, r := range sessiontest.Rules() {
		rules[r.Name] = r.Run
	}
	for _, c := range []struct{ rule, script, old, replacement string }{
		{"an_ended_session_never_comes_back", "common", "return r.ended == 0 and ", "return "},
		{"touch_refuses_after_idle", "common", "at < r.idle", "at <= r.idle"},
		{"touch_refuses_after_the_end", "common", " and at < r.ends", ""},
		{"revoke_ends_one", "common", "(id == '' or r.id == id)", "true"},
		{"revoke_spares_the_exception", "common", "(except == '' or r.id ~= except)", "true"},
		{"model", "common", "if r.ends < at then", "if r.ends < at or r.ended ~= 0 then"},
		{"model", "common", "if number(all[i + 1]) <= at then", "if true then"},

		{"create_refuses_a_key_that_exists", "create", "f == field or r.id == new.id", "r.id == new.id"},
		{"create_refuses_an_id_that_exists", "create", "f == field or r.id == new.id", "f == field"},
		{"create_counts_sessions_not_tokens", "create", "r.sup == '0' and live(", "live("},
		{"create_counts_only_live_sessions", "create", "and live(r, new.created) then", "then"},
		{"create_ends_the_oldest_beyond_the_limit", "create", "return a.created < b.created", "return a.created > b.created"},
		{"create_ends_the_oldest_beyond_the_limit", "create", "#others + 1 - limit", "#others - limit"},
		{"create_counts_sessions_not_tokens", "create", "if r.id == others[i].id and r.ended == 0", "if r.sup == '0' and r.id == others[i].id and r.ended == 0"},

		{"touch_refuses_after_idle", "touch", "if not live(r, seen) then return 0 end", ""},
		{"touch_of_an_unknown_key", "touch", "if not v then return 0 end", "if not v then return 1 end"},
		{"touch_never_moves_back", "touch", "if seen > r.seen then", "if true then"},
		{"touch_moves_a_live_session", "touch", "ARGV[2] .. ARGV[3] .. string.sub(v, 17)", "ARGV[2] .. string.sub(v, 9)"},

		{"revoke_is_monotone", "revoke", "r.ended == 0 and ", ""},
		{"revoke_ends_one", "revoke", " and selected(r, ARGV[3], ARGV[4])", ""},
		{"revoke_ends_both_tokens", "revoke", "if r.ended == 0 and", "if r.sup == '0' and r.ended == 0 and"},
		{"revoke_ends_both_tokens", "revoke", "if r.sup == '0' then n = n + 1 end", "n = n + 1"},

		{"lock_leaves_ended_sessions", "lock", "r.ended == 0 and ", ""},
		{"lock_keeps_the_first_time", "lock", "r.locked == 0 and ", ""},
		{"lock_sets_the_time", "lock", "r.version + 1", "r.version"},
		{"lock_reaches_both_tokens", "lock", "if r.ended == 0 and", "if r.sup == '0' and r.ended == 0 and"},
		{"lock_reaches_both_tokens", "lock", "if r.sup == '0' then n = n + 1 end", "n = n + 1"},
		{"lock_sets_the_time", "lock", " and selected(r, ARGV[2], ARGV[3])", ""},

		{"rotate_needs_the_same_session", "rotate", "old.id ~= next.id or ", ""},
		{"rotate_happens_once", "rotate", "old.sup ~= '0' or ", ""},
		{"rotate_needs_the_version_it_read", "rotate", "old.version ~= next.version - 1", "old.version > next.version - 1"},
		{"rotate_needs_a_live_session", "rotate", " or not live(old, next.seen)", ""},
		{"rotate_refuses_a_key_that_exists", "rotate", "if redis.call('HEXISTS', key, ARGV[2]) == 1", "if false"},
		{"rotate_ends_the_old_token_in_time", "rotate", "old.idle > until_ and ARGV[4] or ", ""},
		{"rotate_ends_the_old_token_in_time", "rotate", "old.ends > until_ and ARGV[4] or ", ""},
		{"rotate_ends_the_old_token_in_time", "rotate", "old.ends > until_ and ARGV[4] or string.sub(v, 17, 24)", "ARGV[4]"},
		{"list_leaves_out_superseded_rows", "rotate", ".. '1' ..", ".. '0' .."},

		{"consume_uses_up", "consume", "redis.call('HDEL', key, ARGV[1])", ""},
		{"consume_keeps_to_until", "consume", "if number(v) > number(ARGV[2]) then", "if true then"},
		{"consume_keeps_to_until", "consume", "number(v) > number(ARGV[2])", "number(v) >= number(ARGV[2])"},
	} {
		t.Run(c.script+": "+c.old, func(t *testing.T) {
			t.Parallel()
			e := &edit{script: c.script, old: c.old, replacement: c.replacement}
			require.NotNil(t, rules[c.rule], c.rule)
			err := rules[c.rule](t.Context(), spoiled(t, e))
			require.Positive(t, e.found.Load(), "the script has no such place any more")
			require.Error(t, err, "%s does not notice", c.rule)
		})
	}
}

// remembers plays a server that dies after it has saved a policy, and another that reads in
// between. It returns an error if one of those who remembered does not know of it.
func remembers(t *testing.T, e *edit) error {
	t.Helper()
	client, prefix := enginetest.Redis(t)
	client.AddHook(e)
	shared := session.NewMemory()
	server := func() (*sessionredis.Store, *durable) {
		d := newDurable()
		d.Policies = shared
		return over(t, client, d, prefix), d
	}
	knower, _ := server()
	reader, _ := server()
	writer, d := server()
	r := begun(t, knower, clinic, ann)
	require.NoError(t, knower.SavePolicy(t.Context(), clinic, policyVersion(1)))
	sees := func(s *sessionredis.Store) int64 {
		f, err := s.Get(t.Context(), r.Key)
		require.NoError(t, err)
		require.NotNil(t, f.Policy)
		return f.Policy.Version
	}
	require.EqualValues(t, 1, sees(knower))
	d.before = func(call string) error {
		if call == "SavePolicy" { // it has begun, and nothing is saved yet
			sees(reader)
			sees(reader)
		}
		return nil
	}
	d.after = func(string) error { return errDied }
	require.ErrorIs(t, writer.SavePolicy(t.Context(), clinic, policyVersion(2)), errDied)
	for name, s := range map[string]*sessionredis.Store{"who knew": knower, "who read": reader} {
		if v := sees(s); v != 2 {
			return fmt.Errorf("%s before has version %d of the policy", name, v)
		}
	}
	return nil
}

// What keeps servers from remembering a policy for too long: without it, one does.
func TestPolicyMutants(t *testing.T) {
	t.Parallel()
	require.NoError(t, remembers(t, &edit{script: "none"}))
	for _, c := range []struct{ script, old, replacement string }{
		{"begin", "redis.call('HDEL', key, 's')", ""},
		{"begin", ", 'w' .. ARGV[1], ARGV[2]", ""},
		{"stamp", "if redis.call('HLEN', key) > 1 then return '' end", ""},
		{"heal", "if tonumber(all[i + 1]) <= tonumber(ARGV[1]) then", "if true then"},
	} {
		t.Run(c.script+": "+c.old, func(t *testing.T) {
			t.Parallel()
			e := &edit{script: c.script, old: c.old, replacement: c.replacement}
			err := remembers(t, e)
			require.Positive(t, e.found.Load(), "the script has no such place any more")
			require.Error(t, err, "nobody notices")
		})
	}
}

// sinceChange are calls about sessions of before a change of the server's term of office, each
// about a person of its own, and what is wrong with the answer, if anything.
func sinceChange(s session.Store, r session.Record, next session.Record) map[string]func(context.Context) error {
	v := r.Session
	who := session.Selection{Tenant: v.Tenant, Person: v.Person}
	wrong := func(alive bool, err error) error {
		if alive && err == nil {
			return errors.New("what was before is there")
		}
		return err
	}
	gone := func(ctx context.Context) error {
		_, err := s.Get(ctx, r.Key)
		if errors.Is(err, session.ErrNotFound) {
			return nil
		}
		return wrong(true, err)
	}
	return map[string]func(context.Context) error{
		"get": gone,
		"touch": func(ctx context.Context) error {
			live, err := s.Touch(ctx, r.Key, base().Add(time.Second), base().Add(time.Hour))
			return wrong(live, err)
		},
		"list": func(ctx context.Context) error {
			for _, err := range s.List(ctx, v.Tenant, v.Person, base()) {
				return wrong(true, err)
			}
			return nil
		},
		"revoke": func(ctx context.Context) error {
			n, err := s.Revoke(ctx, who, base(), "x")
			return wrong(n > 0, err)
		},
		"lock": func(ctx context.Context) error {
			n, err := s.Lock(ctx, who, base())
			return wrong(n > 0, err)
		},
		"rotate": func(ctx context.Context) error {
			n := session.Record{Key: next.Key, Session: v}
			n.Session.Version = 2
			if err := s.Rotate(ctx, r.Key, n, base().Add(time.Minute)); !errors.Is(err, session.ErrConflict) {
				return wrong(true, err)
			}
			return nil
		},
		"consume": func(ctx context.Context) error {
			ok, err := s.Consume(ctx, v.Tenant, r.Key, base())
			return wrong(ok, err)
		},
		"create": func(ctx context.Context) error { // must not take old rows along
			if _, err := s.Create(ctx, next, 0); err != nil {
				return err
			}
			return gone(ctx)
		},
		"put": func(ctx context.Context) error {
			if err := s.Put(ctx, session.Proof{Tenant: v.Tenant, Key: next.Key, Until: base()}); err != nil {
				return err
			}
			return gone(ctx)
		},
	}
}

// Every script asks whose key it is. Without that, what was before a change of the server's
// term of office is there again.
func TestGenerationMutants(t *testing.T) {
	t.Parallel()
	server := enginetest.PrivateRedis(t)
	admin := server.Client()
	change := func() {
		require.NoError(t, admin.ReplicaOf(t.Context(), "127.0.0.1", "1").Err())
		require.NoError(t, admin.ReplicaOf(t.Context(), "NO", "ONE").Err())
	}
	play := func(name string, e *edit) error {
		client := server.Client()
		client.AddHook(e)
		s, err := sessionredis.New(client, newDurable(), &sessionredis.Options{Prefix: e.script + e.replacement + name + ":"})
		require.NoError(t, err)
		r, next := begun(t, s, clinic, ann), record(t, s, clinic, ann)
		require.NoError(t, s.Put(t.Context(), session.Proof{Tenant: clinic, Key: r.Key, Until: base().Add(time.Minute)}))
		change()
		_, err = s.Purge(t.Context(), base(), 1) // asks who the server is
		require.NoError(t, err)
		return sinceChange(s, r, next)[name](t.Context())
	}
	for _, name := range []string{"get", "touch", "list", "revoke", "lock", "rotate", "consume", "create", "put"} {
		old := "if stale(key) then return redis.error_reply('STALE') end"
		if name == "get" {
			old = "if row[1] and row[1] ~= gen then return redis.error_reply('STALE') end"
		}
		require.NoError(t, play(name, &edit{script: name, old: old, replacement: old}), name)
		e := &edit{script: name, old: old}
		err := play(name, e)
		require.Positive(t, e.found.Load(), name)
		require.ErrorContains(t, err, "what was before is there", name)
	}
	e := &edit{script: "common", old: "return g and g ~= gen", replacement: "return false"}
	require.ErrorContains(t, play("touch", e), "what was before is there")
}

// A slot that moves to another server while requests come: whoever was signed in there signs in
// again, and nobody comes back.
func TestMovedSlotSignsOut(t *testing.T) {
	t.Parallel()
	client, servers := enginetest.RedisCluster(t)
	s := over(t, client, newDurable(), "")
	r := begun(t, s, clinic, ann)
	key := "wks:{" + base64.RawURLEncoding.EncodeToString(r.Key.Route[:]) + "}"
	from, err := client.MasterForKey(t.Context(), key)
	require.NoError(t, err)
	slot, err := client.ClusterKeySlot(t.Context(), key).Result()
	require.NoError(t, err)
	var to *redis.Client
	for _, server := range servers {
		if server.Address() != from.Options().Addr {
			to = server.Client()
		}
	}
	require.NotNil(t, to)
	toID, err := to.Do(t.Context(), "cluster", "myid").Text()
	require.NoError(t, err)
	fromID, err := from.Do(t.Context(), "cluster", "myid").Text()
	require.NoError(t, err)
	move := func(c redis.Cmdable, args ...any) {
		t.Helper()
		require.NoError(t, c.(interface {
			Do(context.Context, ...any) *redis.Cmd
		}).Do(t.Context(), args...).Err())
	}
	move(to, "cluster", "setslot", slot, "importing", fromID)
	move(from, "cluster", "setslot", slot, "migrating", toID)
	alive(t, s, r) // it is still here
	host, port, err := net.SplitHostPort(to.Options().Addr)
	require.NoError(t, err)
	move(from, "migrate", host, port, key, 0, 5000)
	for _, server := range servers {
		move(server.Client(), "cluster", "setslot", slot, "node", toID)
	}
	require.Eventually(t, func() bool {
		_, err := s.Get(t.Context(), r.Key)
		return errors.Is(err, session.ErrNotFound)
	}, 30*time.Second, 5*time.Millisecond, "it was begun on another server")
	gone(t, s, r)
	alive(t, s, begun(t, s, clinic, ann))
}
