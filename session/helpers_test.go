package session_test

import (
	"context"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audittest"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/session"
	"github.com/wardkit/wardkit/session/sessionredis"
	"github.com/wardkit/wardkit/session/sessionsql"
)

const (
	clinic = audit.Tenant("clinic-1")
	ann    = audit.ActorID("staff-ann")
	bob    = audit.ActorID("staff-bob")
)

// clock is a clock that tests set.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// desk is one server with everything around it.
type desk struct {
	*session.Manager
	clock *clock
	log   *audittest.Recorder
	store *faulty
}

// newDesk returns a server on store; change may set options.
func newDesk(t testing.TB, store session.Store, change ...func(*session.Options)) *desk {
	t.Helper()
	d := &desk{clock: newClock(), log: audittest.NewRecorder(), store: &faulty{Store: store}}
	o := &session.Options{Now: d.clock.Now, Timeout: time.Minute} // tests keep a small machine busy
	for _, f := range change {
		f(o)
	}
	m, err := session.New(d.store, d.log, session.RemoteAddr, o)
	require.NoError(t, err)
	d.Manager = m
	return d
}

// staff is a person of clinic-1 who proved two factors.
func staff(id audit.ActorID) audit.Actor {
	return audit.Actor{
		ID: id, Kind: audit.KindStaff, Tenant: clinic, Methods: []string{"pwd", "otp"}, Assurance: audit.AAL2,
		Origin: netip.MustParseAddr("192.0.2.7"), Device: "Firefox on Windows",
	}
}

// start signs somebody in.
func (d *desk) start(t testing.TB, a audit.Actor) string {
	t.Helper()
	token, err := d.Start(t.Context(), a)
	require.NoError(t, err)
	return token
}

// get is a request with the token in the cookie.
func get(token string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "https://clinic.example.com/", nil)
	r.RemoteAddr = "192.0.2.7:4711"
	if token != "" {
		r.Header.Set("Cookie", "__Host-session="+token)
	}
	return r
}

// state asks d what the token is worth, with a request that counts as activity.
func (d *desk) state(token string) error {
	_, err := d.Check(get(token))
	return err
}

// serve runs one request through Handler and returns the answer and what the inner handler
// saw; seen is nil where it was not reached.
func serve(h interface {
	Handler(http.Handler) http.Handler
}, r *http.Request,
) (w *httptest.ResponseRecorder, seen context.Context) {
	w = httptest.NewRecorder()
	h.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.Context() })).ServeHTTP(w, r)
	return w, seen
}

// faulty is a store whose calls can be made to fail or to hang until their context ends.
type faulty struct {
	session.Store
	mu     sync.Mutex
	broken map[string]error // by method name; errStall hangs
	before map[string]func()
	calls  map[string]int
}

type stall struct{}

func (stall) Error() string { return "stall" }

func (f *faulty) breaks(method string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken == nil {
		f.broken = map[string]error{}
	}
	f.broken[method] = err
}

// on runs hook before each call of method.
func (f *faulty) on(method string, hook func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.before == nil {
		f.before = map[string]func(){}
	}
	f.before[method] = hook
}

func (f *faulty) count(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[method]
}

func (f *faulty) gate(ctx context.Context, method string) error {
	f.mu.Lock()
	if f.calls == nil {
		f.calls = map[string]int{}
	}
	f.calls[method]++
	err, hook := f.broken[method], f.before[method]
	f.mu.Unlock()
	if hook != nil {
		hook()
	}
	if err == (stall{}) {
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

func (f *faulty) Create(ctx context.Context, r session.Record, limit int) ([]string, error) {
	if err := f.gate(ctx, "Create"); err != nil {
		return nil, err
	}
	return f.Store.Create(ctx, r, limit)
}

func (f *faulty) Get(ctx context.Context, k session.Key) (session.Found, error) {
	if err := f.gate(ctx, "Get"); err != nil {
		return session.Found{}, err
	}
	return f.Store.Get(ctx, k)
}

func (f *faulty) Touch(ctx context.Context, k session.Key, seen, idleEnds time.Time) (bool, error) {
	if err := f.gate(ctx, "Touch"); err != nil {
		return false, err
	}
	return f.Store.Touch(ctx, k, seen, idleEnds)
}

func (f *faulty) Revoke(ctx context.Context, which session.Selection, at time.Time, reason string) (int, error) {
	if err := f.gate(ctx, "Revoke"); err != nil {
		return 0, err
	}
	return f.Store.Revoke(ctx, which, at, reason)
}

func (f *faulty) List(ctx context.Context, t audit.Tenant, person audit.ActorID, now time.Time) iter.Seq2[session.Session, error] {
	if err := f.gate(ctx, "List"); err != nil {
		return func(yield func(session.Session, error) bool) { yield(session.Session{}, err) }
	}
	return f.Store.List(ctx, t, person, now)
}

func (f *faulty) Rotate(ctx context.Context, old session.Key, next session.Record, until time.Time) error {
	if err := f.gate(ctx, "Rotate"); err != nil {
		return err
	}
	return f.Store.Rotate(ctx, old, next, until)
}

func (f *faulty) Lock(ctx context.Context, which session.Selection, at time.Time) (int, error) {
	if err := f.gate(ctx, "Lock"); err != nil {
		return 0, err
	}
	return f.Store.Lock(ctx, which, at)
}

func (f *faulty) Put(ctx context.Context, p session.Proof) error {
	if err := f.gate(ctx, "Put"); err != nil {
		return err
	}
	return f.Store.Put(ctx, p)
}

func (f *faulty) Consume(ctx context.Context, t audit.Tenant, k session.Key, now time.Time) (bool, error) {
	if err := f.gate(ctx, "Consume"); err != nil {
		return false, err
	}
	return f.Store.Consume(ctx, t, k, now)
}

func (f *faulty) GetPolicy(ctx context.Context, t audit.Tenant) (*session.Policy, error) {
	if err := f.gate(ctx, "GetPolicy"); err != nil {
		return nil, err
	}
	return f.Store.GetPolicy(ctx, t)
}

func (f *faulty) SavePolicy(ctx context.Context, t audit.Tenant, p session.Policy) error {
	if err := f.gate(ctx, "SavePolicy"); err != nil {
		return err
	}
	return f.Store.SavePolicy(ctx, t, p)
}

func (f *faulty) Route(ctx context.Context, t audit.Tenant, person audit.ActorID) ([16]byte, error) {
	if err := f.gate(ctx, "Route"); err != nil {
		return [16]byte{}, err
	}
	return f.Store.Route(ctx, t, person)
}

func (f *faulty) Purge(ctx context.Context, before time.Time, limit int) (int, error) {
	if err := f.gate(ctx, "Purge"); err != nil {
		return 0, err
	}
	return f.Store.Purge(ctx, before, limit)
}

// stores runs f once for each kind of store, each with a fresh one per call of open.
func stores(t *testing.T, f func(t *testing.T, open func(testing.TB) session.Store)) {
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		f(t, func(testing.TB) session.Store { return session.NewMemory() })
	})
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		f(t, func(t testing.TB) session.Store { return sqlStore(t, open(t)) })
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		f(t, redisStore)
	})
}

// redisStore keeps what has to be durable in SQLite.
func redisStore(t testing.TB) session.Store {
	t.Helper()
	client, prefix := enginetest.Redis(t)
	s, err := sessionredis.New(client, sqlStore(t, enginetest.SQLite(t)), &sessionredis.Options{Prefix: prefix})
	require.NoError(t, err)
	return s
}

func sqlStore(t testing.TB, e enginetest.Engine) *sessionsql.Store {
	t.Helper()
	open := sessionsql.SQLite
	if e.Dialect == sqlkit.Postgres {
		open = sessionsql.Postgres
	}
	s, err := open(e.Pool)
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()))
	return s
}
