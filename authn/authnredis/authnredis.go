// Package authnredis counts tries of sign-ins in Redis, for hosts with many servers: the budgets of
// addresses, tenants and reset links, which expire by nature. What must not be lost, people, their
// passwords and their consecutive failures, stays in the host's SQL database.
//
//	client := redis.NewClient(&redis.Options{Addr: "…", ContextTimeoutEnabled: true})
//	windows, err := authnredis.New(client, nil)
//	people, err := authn.New(authn.Parts{Store: store, …}, &authn.Options{Windows: windows})
//
// A try costs one round trip. A Redis that lost its data, or one that is told to forget it, has
// every budget begin anew, and nothing else; one that does not answer lets nobody in. An answer
// that was lost on the way may count a try twice, never not at all. Keys hold no address and no
// name, only a SHA-256 of them; who can read Redis can guess addresses by it.
//
// # What the host must do
//
// Redis 6.2 or newer, one server, with replicas or as a cluster. The account needs EVALSHA, EVAL,
// HGET, HSET, HINCRBY, PEXPIRE and HMGET on keys that begin with the prefix. A maxmemory-policy
// other than noeviction can end a window early.
//
// # Compatibility
//
// While wardkit is below 1.0 the Go API may change with a changelog entry. What is stored may
// change with any release, since it may be lost at any time.
package authnredis

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

//go:embed hit.lua
var source string

// slack is how long a key outlives its window: the window's end is the caller's to judge, Redis's
// clock only clears away.
const slack = time.Hour

// Options are what may be left out. Nil and the zero value are the defaults.
type Options struct {
	// Prefix begins every key; empty is "wka:". Braces are refused: they say where a cluster
	// places a key.
	Prefix string
}

// Windows is an authn.Windows in Redis. It is safe for concurrent use.
type Windows struct {
	client redis.UniversalClient
	prefix string
	hit    *redis.Script
}

var _ authn.Windows = (*Windows)(nil)

// New returns a Windows. The client is a *redis.Client, also one that follows Sentinel, or a
// *redis.ClusterClient, with ContextTimeoutEnabled: otherwise a call would outlast its context.
// It does not talk to Redis yet.
func New(client redis.UniversalClient, o *Options) (*Windows, error) {
	w := &Windows{client: client, prefix: "wka:", hit: redis.NewScript(source)}
	if o != nil && o.Prefix != "" {
		w.prefix = o.Prefix
	}
	obeys := false
	switch c := client.(type) {
	case *redis.Client:
		obeys = c != nil && c.Options().ContextTimeoutEnabled
	case *redis.ClusterClient:
		obeys = c != nil && c.Options().ContextTimeoutEnabled
	default:
		return nil, errors.New("authnredis: the client is neither a *redis.Client nor a *redis.ClusterClient")
	}
	switch {
	case !obeys:
		return nil, errors.New("authnredis: the client needs ContextTimeoutEnabled")
	case strings.ContainsAny(w.prefix, "{}"):
		return nil, errors.New("authnredis: the prefix has braces")
	}
	return w, nil
}

// Hit implements authn.Windows.
func (w *Windows) Hit(ctx context.Context, t audit.Tenant, key string, length time.Duration, now time.Time) (count int, ends time.Time, err error) {
	if err := ctx.Err(); err != nil {
		return 0, time.Time{}, err
	}
	answer, err := w.hit.Run(ctx, w.client, []string{w.key(t, key)},
		now.UnixMicro(), now.Add(length).UnixMicro(), (length + slack).Milliseconds()).StringSlice()
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("authnredis: counting a try: %w", hidden{err})
	}
	if len(answer) != 2 {
		return 0, time.Time{}, errors.New("authnredis: counting a try: not an answer")
	}
	count, err1 := strconv.Atoi(answer[0])
	us, err2 := strconv.ParseInt(answer[1], 10, 64)
	if err1 != nil || err2 != nil || count < 1 {
		return 0, time.Time{}, errors.New("authnredis: counting a try: not an answer")
	}
	return count, time.UnixMicro(us).UTC(), nil
}

// key is the key of a window. The parts carry their length, so that no two share one.
func (w *Windows) key(t audit.Tenant, key string) string {
	sum := sha256.Sum256([]byte(strconv.Itoa(len(t)) + ":" + string(t) + key))
	return w.prefix + base64.RawURLEncoding.EncodeToString(sum[:])
}

// hidden keeps the text of a client's error out of logs, and the error for errors.Is.
type hidden struct{ err error }

func (hidden) Error() string   { return "Redis refused or did not answer" }
func (h hidden) Unwrap() error { return h.err }
