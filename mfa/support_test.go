package mfa_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audittest"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/mfa/mfasql"
	"github.com/wardkit/wardkit/mfa/passkey"
	"github.com/wardkit/wardkit/phi"
)

const (
	clinic = audit.Tenant("clinic")
	lin    = audit.ActorID("p-lin")
	diaz   = audit.ActorID("p-diaz")
	admin  = audit.ActorID("p-admin")
)

// start is in the middle of a time step.
var start = time.Date(2026, 3, 2, 9, 0, 15, 0, time.UTC)

var errBroken = errors.New("broken on purpose")

// clock is a clock that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// sessions and notices remember what they were asked, and fail while told to.
type sessions struct {
	mu    sync.Mutex
	ended []audit.ActorID
	fail  error
}

func (s *sessions) EndAll(_ context.Context, _ audit.Tenant, person audit.ActorID, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil || reason == "" {
		return s.fail
	}
	s.ended = append(s.ended, person)
	return nil
}

type notices struct {
	mu   sync.Mutex
	sent []audit.Message
	fail error
}

func (n *notices) Notify(_ context.Context, m audit.Message) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fail != nil {
		return n.fail
	}
	n.sent = append(n.sent, m)
	return nil
}

func (n *notices) topics() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []string
	for _, m := range n.sent {
		out = append(out, m.Topic)
	}
	return out
}

// kms is a KMS that can be broken.
type kms struct {
	*phi.MemoryKMS
	mu   sync.Mutex
	fail error
}

func (k *kms) Unwrap(ctx context.Context, wrapped []byte, c phi.KeyContext) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fail != nil {
		return nil, k.fail
	}
	return k.MemoryKMS.Unwrap(ctx, wrapped, c)
}

func (k *kms) Wrap(ctx context.Context, key []byte, c phi.KeyContext) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fail != nil {
		return nil, k.fail
	}
	return k.MemoryKMS.Wrap(ctx, key, c)
}

// world is Factors with everything around them.
type world struct {
	*mfa.Factors
	store    mfa.Store
	vault    *phi.Vault
	kms      *kms
	phiKeys  *phi.MemoryKeys
	rec      *audittest.Recorder
	clock    *clock
	sessions *sessions
	notices  *notices
	options  mfa.Options
	pending  mfa.Key  // of "p-new", not confirmed yet
	codes    []string // recovery codes of p-lin
	phone    mfa.Key  // of p-diaz, who is replacing theirs
}

func newWorld(t testing.TB, store mfa.Store, edit func(*mfa.Options)) *world {
	t.Helper()
	w := &world{
		store: store, kms: &kms{MemoryKMS: phi.NewMemoryKMS()}, rec: audittest.NewRecorder(),
		phiKeys: phi.NewMemoryKeys(),
		clock:   &clock{now: start}, sessions: &sessions{}, notices: &notices{},
	}
	var err error
	w.vault, err = phi.Open(t.Context(), "mfa-test", w.kms, w.phiKeys, &phi.Options{Now: w.clock.Now})
	require.NoError(t, err)
	protocol, err := passkey.New(passkey.RelyingParty{ID: "clinic.example", Name: "Example Clinic", Origins: []string{origin}}, &passkey.Options{Now: w.clock.Now})
	require.NoError(t, err)
	w.options = mfa.Options{Sessions: w.sessions, Notices: w.notices, Now: w.clock.Now, Required: optional, WebAuthn: protocol}
	if edit != nil {
		edit(&w.options)
	}
	w.Factors, err = mfa.New(store, w.vault, w.rec, "Example Clinic", &w.options)
	require.NoError(t, err)
	return w
}

func optional(context.Context, audit.Tenant, audit.ActorID) (bool, error) { return false, nil }

// everywhere runs f on memory, SQLite and PostgreSQL.
func everywhere(t *testing.T, f func(t *testing.T, open func(t testing.TB) mfa.Store)) {
	t.Parallel()
	t.Run("memory", func(t *testing.T) {
		f(t, func(testing.TB) mfa.Store { return mfa.NewMemory() })
	})
	enginetest.SQL(t, func(t *testing.T, engine func(testing.TB) enginetest.Engine) {
		f(t, func(t testing.TB) mfa.Store { return sqlStore(t, engine(t)) })
	})
}

func sqlStore(t testing.TB, e enginetest.Engine) *mfasql.Store {
	t.Helper()
	open := mfasql.SQLite
	if e.Name == "postgres" {
		open = mfasql.Postgres
	}
	s, err := open(e.Pool)
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

// begin starts an enrolment and returns the phone that holds the key.
func (w *world) begin(t testing.TB, person audit.ActorID) mfa.Key {
	t.Helper()
	uri, manual, err := w.Begin(t.Context(), clinic, person, string(person)+"@example.com")
	require.NoError(t, err)
	key, err := mfa.ParseURI(uri)
	require.NoError(t, err)
	require.Equal(t, key.Manual(), manual)
	return key
}

// enrol enrols a person; the first code is used up by it.
func (w *world) enrol(t testing.TB, person audit.ActorID) mfa.Key {
	t.Helper()
	key := w.begin(t, person)
	ok, err := w.Confirm(t.Context(), clinic, person, w.code(t, key, 0))
	require.NoError(t, err)
	require.True(t, ok)
	return key
}

// code returns what the phone shows so many steps from now.
func (w *world) code(t testing.TB, key mfa.Key, steps int) string {
	t.Helper()
	code, err := key.Code(w.clock.Now().Add(time.Duration(steps) * 30 * time.Second))
	require.NoError(t, err)
	return code
}

// next waits for the next step.
func (w *world) next() { w.clock.add(30 * time.Second) }

// passes asserts that a code is accepted.
func (w *world) passes(t testing.TB, person audit.ActorID, code string) {
	t.Helper()
	methods, err := w.Verify(t.Context(), clinic, person, code)
	require.NoError(t, err)
	require.Equal(t, []string{"otp"}, methods)
}

// refuses asserts that a code is wrong, which is not an error.
func (w *world) refuses(t testing.TB, person audit.ActorID, code string) {
	t.Helper()
	methods, err := w.Verify(t.Context(), clinic, person, code)
	require.NoError(t, err)
	require.Nil(t, methods)
}

// wrong returns a code that is right in no step near now.
func (w *world) wrong(t testing.TB, key mfa.Key) string {
	t.Helper()
	for _, candidate := range []string{"000000", "111111", "222222", "333333"} {
		if candidate != w.code(t, key, -1) && candidate != w.code(t, key, 0) && candidate != w.code(t, key, 1) {
			return candidate
		}
	}
	t.Fatal("four codes in three steps")
	return ""
}

// as returns a context with a signed-in person of the clinic.
func as(t testing.TB, person audit.ActorID) context.Context {
	t.Helper()
	return audit.WithActor(t.Context(), audit.Actor{ID: person, Kind: audit.KindStaff, Tenant: clinic, Session: "s-1"})
}

// row returns the stored credential.
func (w *world) row(t testing.TB, person audit.ActorID) mfa.Credential {
	t.Helper()
	c, err := w.store.Get(t.Context(), clinic, person)
	require.NoError(t, err)
	return c
}

// plant stores a confirmed credential with a key of the test's choice.
func (w *world) plant(t testing.TB, person audit.ActorID, secret []byte) {
	t.Helper()
	sealed, err := w.vault.Seal(t.Context(), phi.At{Tenant: clinic, Field: "mfa.totp", Row: string(person)}, secret)
	require.NoError(t, err)
	c := mfa.Credential{
		Tenant: clinic, Person: person, ID: audit.NewID(start), Secret: sealed,
		Created: w.clock.Now(), Confirmed: w.clock.Now(),
	}
	require.NoError(t, w.store.Apply(t.Context(), mfa.Change{Was: mfa.Ref{Tenant: clinic, Person: person}, Put: &c}))
}
