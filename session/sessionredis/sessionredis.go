package sessionredis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/wardkit/wardkit/session"
)

// Durable is what must outlive Redis. sessionsql.Store is one.
type Durable interface {
	session.Policies
	// Seed returns 32 random bytes, the same to every server and for good.
	Seed(ctx context.Context) ([32]byte, error)
}

// Options are what may be left out. Nil and the zero value are the defaults.
type Options struct {
	// Prefix begins every key; empty is "wks:". Braces are refused: they say where a cluster
	// places a key.
	Prefix string
}

// Store is a session.Store in Redis.
type Store struct {
	client  redis.UniversalClient
	durable Durable
	prefix  string

	single  *node    // where there is one server
	nodes   sync.Map // *redis.Client → *node, in a cluster
	finding sync.Mutex

	seeded   atomic.Pointer[[32]byte]
	policies policies
}

var _ session.Store = (*Store)(nil)

// New returns a Store. The client is a *redis.Client, also one that follows Sentinel, or a
// *redis.ClusterClient, with ContextTimeoutEnabled: otherwise a call would outlast its
// context. It does not talk to Redis yet; see Check.
func New(client redis.UniversalClient, durable Durable, o *Options) (*Store, error) {
	s := &Store{client: client, durable: durable, prefix: "wks:"}
	if o != nil && o.Prefix != "" {
		s.prefix = o.Prefix
	}
	s.policies.known = map[tenantTag]*known{}
	var obeys bool
	switch c := client.(type) {
	case *redis.Client:
		if c != nil {
			s.single, obeys = newNode(c), c.Options().ContextTimeoutEnabled
		}
	case *redis.ClusterClient:
		if c != nil {
			obeys = c.Options().ContextTimeoutEnabled
		}
	default:
		return nil, errors.New("sessionredis: the client is neither a *redis.Client nor a *redis.ClusterClient")
	}
	switch {
	case !obeys:
		return nil, errors.New("sessionredis: the client needs ContextTimeoutEnabled")
	case durable == nil:
		return nil, errors.New("sessionredis: nothing durable for policies and the seed")
	case strings.ContainsAny(s.prefix, "{}"):
		return nil, errors.New("sessionredis: the prefix has braces")
	}
	return s, nil
}

// Check reports why sessions cannot be kept here: Redis or the durable store does not answer, a
// server is too old or a replica (ErrServer), or drops keys when its memory is full
// (ErrEviction). Call it before the first request.
func (s *Store) Check(ctx context.Context) error {
	if _, err := s.seed(ctx); err != nil {
		return err
	}
	return refused("checking", s.primaries(ctx, func(ctx context.Context, n *node) error {
		conn := n.client.Conn()
		defer conn.Close()
		id, err := identify(ctx, conn)
		if err == nil && id.eviction != "noeviction" {
			err = ErrEviction
		}
		return err
	}))
}

// primaries calls f for every primary, several at once.
func (s *Store) primaries(ctx context.Context, f func(context.Context, *node) error) error {
	if s.single != nil {
		return f(ctx, s.single)
	}
	return s.client.(*redis.ClusterClient).ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
		return f(ctx, s.nodeOf(c))
	})
}

// node returns the primary that a key is on.
func (s *Store) node(ctx context.Context, key string) (*node, error) {
	if s.single != nil {
		return s.single, nil
	}
	c, err := s.client.(*redis.ClusterClient).MasterForKey(ctx, key)
	if err != nil {
		return nil, err
	}
	return s.nodeOf(c), nil
}

func (s *Store) nodeOf(c *redis.Client) *node {
	if n, ok := s.nodes.Load(c); ok {
		return n.(*node)
	}
	s.finding.Lock() // one node, and one hook, for each
	defer s.finding.Unlock()
	if n, ok := s.nodes.Load(c); ok {
		return n.(*node)
	}
	n := newNode(c)
	s.nodes.Store(c, n)
	return n
}

// seed returns the durable seed, read once.
func (s *Store) seed(ctx context.Context) ([32]byte, error) {
	if seed := s.seeded.Load(); seed != nil {
		return *seed, nil
	}
	seed, err := s.durable.Seed(ctx)
	if err != nil {
		return seed, refused("reading the seed", err)
	}
	if seed == [32]byte{} {
		return seed, errors.New("sessionredis: reading the seed: it is empty")
	}
	s.seeded.CompareAndSwap(nil, &seed)
	return *s.seeded.Load(), nil
}

// attempts bounds how often a call goes on after it met a server that has changed.
const attempts = 4

// run runs a script where keys[0] is, after finding out whose scripts those are.
func (s *Store) run(ctx context.Context, o op, keys []string, args ...any) (v any, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	seed, err := s.seed(ctx)
	if err != nil {
		return nil, err
	}
	var over *generation
	for range attempts {
		n, err := s.node(ctx, keys[0])
		if err != nil {
			return nil, s.failed(ctx, err)
		}
		g, err := n.generation(ctx, over, seed)
		if err != nil {
			return nil, s.failed(ctx, err)
		}
		v, err = n.eval(ctx, g, o, keys, args)
		switch {
		case err == nil:
			// The call itself may have made a new connection, to who knows whom.
			now, err := n.generation(ctx, nil, seed)
			if err != nil {
				return nil, s.failed(ctx, err)
			}
			if now == g {
				return v, nil
			}
			if o.once() {
				return nil, errRestless
			}
			over = nil
		case redis.HasErrorPrefix(err, "NOSCRIPT"): // the process is another one, or was told to forget
			over = g
		case redis.HasErrorPrefix(err, "STALE"):
			if err := n.stale(ctx, g, seed, keys[0]); err != nil {
				return nil, s.failed(ctx, err)
			}
			over = nil
		default:
			return nil, s.failed(ctx, n.doubt(err))
		}
	}
	return nil, errRestless
}

// stale deals with a key of another generation than g: if the server is still in g the key is
// left from an earlier one, and what it held is dead for good.
func (n *node) stale(ctx context.Context, g *generation, seed [32]byte, key string) error {
	n.mu.Lock()
	now, err := n.ask(ctx, seed)
	n.mu.Unlock()
	if err != nil || now != g {
		return err
	}
	_, err = n.eval(ctx, g, opDrop, []string{key}, nil)
	return err
}

// doubt has the server asked again after a call that it did not answer as it should.
func (n *node) doubt(err error) error {
	if !redis.HasErrorPrefix(err, "EXISTS") && !redis.HasErrorPrefix(err, "CONFLICT") {
		n.events.Add(1)
	}
	return err
}

// failed says why a call failed; in a cluster it also has the client find out what has moved.
func (s *Store) failed(ctx context.Context, err error) error {
	if c, ok := s.client.(*redis.ClusterClient); ok {
		switch {
		case redis.HasErrorPrefix(err, "EXISTS"), redis.HasErrorPrefix(err, "CONFLICT"):
		default:
			c.ReloadState(ctx)
		}
	}
	var late net.Error
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &late) && late.Timeout():
		return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	case redis.HasErrorPrefix(err, "EXISTS"):
		return session.ErrExists
	case redis.HasErrorPrefix(err, "CONFLICT"):
		return session.ErrConflict
	}
	return err
}

// integer is the answer of a script that counts.
func integer(v any, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, ok := v.(int64)
	if !ok {
		return 0, fmt.Errorf("%w: an answer that is no number", ErrServer)
	}
	return int(n), nil
}

// texts is the answer of a script that lists.
func texts(v any, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	all, ok := v.([]any)
	list := make([]string, len(all))
	for i := range all {
		text, is := all[i].(string)
		list[i], ok = text, ok && is
	}
	if !ok {
		return nil, fmt.Errorf("%w: an answer that is no list of texts", ErrServer)
	}
	return list, nil
}
