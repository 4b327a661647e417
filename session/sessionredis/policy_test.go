package sessionredis_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/session"
	"github.com/wardkit/wardkit/session/sessionredis"
)

var errDied = errors.New("the server died")

// server is one of several, whose steps a schedule decides: it waits before and after each of
// its calls of the durable store, and may die there.
type server struct {
	store   *sessionredis.Store
	durable *durable
	waiting chan struct{} // it has come to its next step, or ended
	goOn    chan error    // nil, or how it dies
	done    bool
	err     error
}

func newServer(t testing.TB, client redis.UniversalClient, shared session.Policies, prefix string, call string) *server {
	d := newDurable()
	d.Policies = shared
	v := &server{durable: d, waiting: make(chan struct{}), goOn: make(chan error)}
	v.store = over(t, client, d, prefix)
	gate := func(c string) error {
		if c != call {
			return nil
		}
		v.waiting <- struct{}{}
		return <-v.goOn
	}
	d.before, d.after = gate, gate
	return v
}

// step starts f, or lets it do its next step; death is how it dies instead.
func (v *server) step(started bool, death error, f func() error) {
	if !started {
		go func() {
			v.err = f()
			v.done = true
			v.waiting <- struct{}{}
		}()
	} else if !v.done {
		v.goOn <- death
	} else {
		return
	}
	<-v.waiting
}

// world is two servers that save, one that reads, and one that has remembered what was.
type world struct {
	t       *testing.T
	shared  *session.Memory
	client  *redis.Client
	prefix  string
	row     session.Record
	writers [2]*server
	reader  *server
	knower  *sessionredis.Store
	least   int64 // the version that a read must have by now
}

func policyVersion(version int64) session.Policy {
	p := session.DefaultPolicy()
	p.Version = version
	return p
}

func newWorld(t *testing.T, client *redis.Client, prefix string) *world {
	w := &world{t: t, shared: session.NewMemory(), client: client, prefix: prefix, least: 1}
	for i := range w.writers {
		w.writers[i] = newServer(t, client, w.shared, prefix, "SavePolicy")
	}
	w.reader = newServer(t, client, w.shared, prefix, "GetPolicy")
	d := newDurable()
	d.Policies = w.shared
	w.knower = over(t, client, d, prefix)
	w.row = begun(t, w.knower, clinic, ann)
	require.NoError(t, w.knower.SavePolicy(t.Context(), clinic, policyVersion(1)))
	w.knows()
	return w
}

// knows requires that the server that remembers does not remember too much.
func (w *world) knows() { w.sees(w.knower) }

func (w *world) sees(s *sessionredis.Store) {
	w.t.Helper()
	f, err := s.Get(w.t.Context(), w.row.Key)
	require.NoError(w.t, err)
	require.NotNil(w.t, f.Policy)
	require.GreaterOrEqual(w.t, f.Policy.Version, w.least)
}

// schedules calls f with every order of the steps of three, each of which has three.
func schedules(f func([]int)) {
	var order []int
	left := [3]int{3, 3, 3}
	var next func()
	next = func() {
		if len(order) == 9 {
			f(order)
			return
		}
		for i := range left {
			if left[i] > 0 {
				left[i]--
				order = append(order, i)
				next()
				order = order[:len(order)-1]
				left[i]++
			}
		}
	}
	next()
}

// play runs a schedule. The first writer dies before its step number death (1: before SQL,
// 2: after it), if that is not 0; before the schedule's step number lost Redis loses what it
// knows of policies, if that is not negative.
func (w *world) play(order []int, death, lost int) {
	ctx := w.t.Context()
	var steps [3]int
	for at, i := range order {
		if at == lost {
			keys, err := w.client.Keys(ctx, w.prefix+"*}p").Result()
			require.NoError(w.t, err)
			require.NoError(w.t, w.client.Del(ctx, keys...).Err())
		}
		started := steps[i] > 0
		if i == 2 {
			w.reader.step(started, nil, func() error { _, err := w.reader.store.Get(ctx, w.row.Key); return err })
		} else {
			v := w.writers[i]
			var dies error
			if i == 0 && death != 0 && steps[i] == death {
				dies = errDied
			}
			v.step(started, dies, func() error { return v.store.SavePolicy(ctx, clinic, policyVersion(2)) })
			if v.done && v.err == nil {
				w.least = 2
			}
		}
		steps[i]++
		w.knows()
	}
	require.NoError(w.t, w.reader.err)
}

// Two servers save at once, one of them may die on the way, Redis may lose what it knows, and
// another server reads in between: whatever the order, a policy whose save has returned is in
// force everywhere from then on, and in the end all servers agree with SQL.
func TestPolicySavesInEveryOrder(t *testing.T) {
	t.Parallel()
	client, prefix := enginetest.Redis(t)
	every, n, saved := 11, 0, 0 // of 1680; all of them take a minute
	if testing.Short() {
		every = 67
	}
	schedules(func(order []int) {
		if n++; n%every != 0 {
			return
		}
		death, lost := n%3, -1
		if death == 0 && n%2 == 0 {
			lost = n / 6 % 9
		}
		w := newWorld(t, client, fmt.Sprint(prefix, n, ":"))
		w.play(order, death, lost)
		now, err := w.shared.GetPolicy(t.Context(), clinic)
		require.NoError(t, err)
		w.least = now.Version
		saved += int(now.Version) - 1
		open := func(string) error { return nil }
		for _, v := range append(w.writers[:], w.reader) {
			v.durable.before, v.durable.after = open, open
			w.sees(v.store)
		}
		w.knows()
		// Nor does what a dead server left behind bind the next save.
		require.NoError(t, w.knower.SavePolicy(t.Context(), clinic, policyVersion(now.Version+1)))
		w.least = now.Version + 1
		w.knows()
		w.sees(w.reader.store)
	})
	require.Positive(t, saved)
}

// Once it is known that a dead server's save has happened, or never will, requests no longer
// read SQL.
func TestDeadSaverIsForgotten(t *testing.T) {
	t.Parallel()
	for _, dies := range []string{"before", "after"} {
		client, prefix := enginetest.Redis(t)
		d, reads := newDurable(), 0
		s := over(t, client, d, prefix)
		r := begun(t, s, clinic, ann)
		die := func(call string) error {
			if call == "SavePolicy" {
				return errDied
			}
			return nil
		}
		count := func(call string) error {
			if call == "GetPolicy" {
				reads++
			}
			return nil
		}
		if dies == "before" {
			d.before = die
		} else {
			d.after = die
		}
		require.ErrorIs(t, s.SavePolicy(t.Context(), clinic, policyVersion(1)), errDied)
		d.before, d.after = count, count
		for range 3 {
			alive(t, s, r)
		}
		if dies == "before" {
			require.Equal(t, 6, reads, "it may still happen")
			require.NoError(t, s.SavePolicy(t.Context(), clinic, policyVersion(1)))
		}
		alive(t, s, r)
		alive(t, s, r)
		reads = 0
		alive(t, s, r)
		require.Zero(t, reads)
	}
}

// Nobody can save while Redis is away: servers would not learn of it.
func TestPolicyIsNotSavedWithoutRedis(t *testing.T) {
	t.Parallel()
	server := enginetest.PrivateRedis(t)
	d := newDurable()
	s := over(t, server.Client(), d, "")
	server.Kill()
	require.Error(t, s.SavePolicy(t.Context(), clinic, policyVersion(1)))
	_, err := d.GetPolicy(t.Context(), clinic)
	require.ErrorIs(t, err, session.ErrNotFound)
	require.ErrorIs(t, s.SavePolicy(t.Context(), clinic, session.Policy{Version: 1}), session.ErrPolicy)
}

// Without the durable store nobody is let in on a policy that may have changed.
func TestPolicyThatCannotBeReadCloses(t *testing.T) {
	t.Parallel()
	client, prefix := enginetest.Redis(t)
	d := newDurable()
	s := over(t, client, d, prefix)
	r := begun(t, s, clinic, ann)
	d.before = func(string) error { return errDied }
	_, err := s.Get(t.Context(), r.Key)
	require.ErrorIs(t, err, errDied)
	_, err = s.GetPolicy(t.Context(), clinic)
	require.ErrorIs(t, err, errDied)
}
