package sessionredis

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// Errors of Check and of every other call.
var (
	// ErrServer: the Redis server is none that sessions can be kept in: too old, a replica,
	// or one that does not say who it is.
	ErrServer = errors.New("sessionredis: not a server for sessions")
	// ErrEviction: the server drops keys when its memory is full (Check).
	ErrEviction = errors.New("sessionredis: maxmemory-policy is not noeviction")

	errRestless = errors.New("the server changed again and again")
)

// node is one primary and the generation it was found in last.
type node struct {
	client *redis.Client
	mu     sync.Mutex // held while the server is asked who it is
	now    atomic.Pointer[generation]
	events atomic.Uint64 // connections made and calls failed: then it may be another server
	asked  atomic.Uint64 // events when it was asked last
}

func newNode(c *redis.Client) *node {
	n := &node{client: c}
	n.events.Add(1)
	c.AddHook(dials{n})
	return n
}

// dials is a redis.Hook that notes new connections.
type dials struct{ n *node }

func (d dials) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		d.n.events.Add(1)
		return next(ctx, network, address)
	}
}

func (dials) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (dials) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// current returns the scripts to use, nil if the server has to be asked first.
func (n *node) current(over *generation) *generation {
	if g := n.now.Load(); g != over && n.asked.Load() == n.events.Load() {
		return g
	}
	return nil
}

// eval runs a script of g. What must not happen twice is not repeated by the client: an
// answer that was lost leaves the caller in doubt, as with any database.
func (n *node) eval(ctx context.Context, g *generation, o op, keys []string, args []any) (any, error) {
	all := make([]any, 0, 3+len(keys)+len(args))
	all = append(all, "evalsha", g.sha[o], len(keys))
	for _, k := range keys {
		all = append(all, k)
	}
	cmd := redis.NewCmd(ctx, append(all, args...)...)
	var run redis.Cmder = cmd
	if o.once() {
		run = once{cmd}
	}
	err := n.client.Process(ctx, run)
	return cmd.Val(), err
}

// once is a command that the client does not repeat.
type once struct{ *redis.Cmd }

// NoRetry implements redis.Cmder.
func (once) NoRetry() bool { return true }

// generation returns the scripts to use; not the one given, if that has proved to be over.
func (n *node) generation(ctx context.Context, over *generation, seed [32]byte) (*generation, error) {
	if g := n.current(over); g != nil {
		return g, nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if g := n.current(over); g != nil { // somebody else asked meanwhile
		return g, nil
	}
	return n.ask(ctx, seed)
}

// ask asks the server who it is and loads the scripts that say so, on one connection: it leads
// to one process.
func (n *node) ask(ctx context.Context, seed [32]byte) (*generation, error) {
	conn := n.client.Conn()
	defer conn.Close()
	if err := conn.Ping(ctx).Err(); err != nil { // now it is connected
		return nil, err
	}
	events := n.events.Load()
	info, err := identify(ctx, conn)
	if err != nil {
		return nil, err
	}
	g := newGeneration(info.generation(seed))
	loaded, err := conn.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, text := range g.text {
			p.ScriptLoad(ctx, text)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, cmd := range loaded {
		g.sha[i] = cmd.(*redis.StringCmd).Val()
	}
	if old := n.now.Load(); old != nil && old.name == g.name {
		g = old // callers compare generations by their address
	}
	n.now.Store(g)
	n.asked.Store(events)
	return g, nil
}

// identity is what a server says of itself.
type identity struct{ process, term, eviction string }

// identify reads INFO. It refuses servers that scripts would not be safe on.
func identify(ctx context.Context, conn *redis.Conn) (identity, error) {
	text, err := conn.Info(ctx, "server", "replication", "memory").Result()
	if err != nil {
		return identity{}, err
	}
	said := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			said[name] = value
		}
	}
	major, _ := strconv.Atoi(strings.SplitN(said["redis_version"], ".", 2)[0])
	id := identity{said["run_id"], said["master_replid"], said["maxmemory_policy"]}
	switch {
	case major < 7:
		return id, fmt.Errorf("%w: older than version 7", ErrServer)
	case said["role"] != "master":
		return id, fmt.Errorf("%w: a replica", ErrServer)
	case id.process == "" || id.term == "":
		return id, fmt.Errorf("%w: it does not say who it is", ErrServer)
	}
	return id, nil
}

// generation names the process, its term as primary, and the seed by which keys are placed.
func (id identity) generation(seed [32]byte) string {
	sum := sha256.Sum256([]byte("wardkit session generation\x00" + id.process + "\x00" + id.term + "\x00" + string(seed[:])))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}
