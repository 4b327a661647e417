package authn_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audittest"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/phi"
)

const (
	clinic audit.Tenant = "clinic"
	ada                 = "ada@example.com"

	good  = "nine lives of a tabby" // a password that the policy takes
	other = "walks across the kettle"
	code  = "123456" // the right second-factor code
)

var home = authn.Client{Addr: netip.MustParseAddr("192.0.2.7"), Device: "Firefox on Windows"}

func pw(s string) authn.Password { return authn.NewPassword(s) }

// clock is a clock that only tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// house is a Manager with everything around it, and a wire through which every call to a
// collaborator goes: it counts, fails, stalls and interleaves them.
type house struct {
	t        testing.TB
	m        *authn.Manager
	parts    authn.Parts
	options  authn.Options
	store    authn.Store // without the wire
	clock    *clock
	wire     *wire
	sessions *sessions
	factor   *factor
	rec      *audittest.Recorder
	mail     *mailbox

	handed []string // session tokens that sign-ins got
	reset  string   // the token of a reset link
}

// newHouse returns a house over store, a memory one if nil, with cheap hashing.
func newHouse(t testing.TB, store authn.Store, edit ...func(*authn.Options)) *house {
	t.Helper()
	if store == nil {
		store = authn.NewMemory()
	}
	h := &house{t: t, store: store, clock: newClock(), wire: &wire{}, rec: audittest.NewRecorder()}
	vault, err := phi.Open(t.Context(), "test", phi.NewMemoryKMS(), phi.NewMemoryKeys(), &phi.Options{Now: h.clock.Now})
	require.NoError(t, err)
	h.sessions = &sessions{wire: h.wire, live: map[string]audit.Actor{}}
	h.factor = &factor{wire: h.wire, enrolled: map[audit.ActorID]bool{}, pending: map[audit.ActorID]bool{}}
	h.mail = &mailbox{wire: h.wire}
	h.options = authn.Options{
		InsecureArgon2: &authn.Argon2{Memory: 8, Time: 1, Threads: 1}, Now: h.clock.Now, AddressTries: 100_000, Hashers: 4,
	}
	for _, f := range edit {
		f(&h.options)
	}
	h.parts = authn.Parts{
		Store: wired{h.wire, store}, Vault: vault, Sessions: h.sessions, Factor: h.factor,
		Recorder: recorder{h.wire, h.rec}, Mailer: h.mail, BaseURL: "https://clinic.example.com",
	}
	h.m = h.manager()
	return h
}

// manager returns another Manager over the same parts, as after a restart.
func (h *house) manager() *authn.Manager {
	h.t.Helper()
	m, err := authn.New(h.parts, &h.options)
	require.NoError(h.t, err)
	return m
}

// invite invites ada and returns the person and the link's token.
func (h *house) invite(k audit.Kind) (authn.Person, string) {
	h.t.Helper()
	p, err := h.m.Invite(h.t.Context(), clinic, authn.Newcomer{Kind: k, Identifier: ada})
	require.NoError(h.t, err)
	return p, h.mail.token(h.t, authn.TopicInvitation)
}

// ada is an active person with the password good; staff have a second factor.
func (h *house) ada(k audit.Kind) authn.Person {
	h.t.Helper()
	p, token := h.invite(k)
	s, err := h.m.CompleteSetUp(h.t.Context(), token, authn.Answer{Password: pw(good)}, home)
	require.NoError(h.t, err)
	if s.Need == authn.NeedEnrolment {
		s, err = h.m.Continue(h.t.Context(), s.Ticket.Reveal(), authn.Answer{Code: code}, home)
		require.NoError(h.t, err)
	}
	require.Equal(h.t, authn.Done, s.Need)
	h.sessions.clear()
	h.rec.Reset()
	return p
}

// signIn signs ada in with a password, second factor included.
func (h *house) signIn(password string) (authn.Step, error) {
	ctx := h.t.Context()
	s, err := h.m.SignIn(ctx, clinic, ada, pw(password), home)
	if err == nil && s.Need == authn.NeedSecondFactor {
		s, err = h.m.Continue(ctx, s.Ticket.Reveal(), authn.Answer{Code: code}, home)
	}
	return s, err
}

// as puts a signed-in person into a context.
func as(ctx context.Context, p authn.Person) context.Context {
	return audit.WithActor(ctx, audit.Actor{ID: p.ID, Kind: p.Kind, Tenant: p.Tenant, Assurance: audit.AAL2, Methods: []string{"pwd"}})
}

// admin is a context in which somebody administers.
func admin(ctx context.Context) context.Context {
	return audit.WithActor(ctx, audit.Actor{ID: "boss", Kind: audit.KindStaff, Tenant: clinic, Assurance: audit.AAL2})
}

// events are the recorded actions, with outcome and code.
func (h *house) events() []string {
	var all []string
	for _, e := range h.rec.Events() {
		s := string(e.Action)
		if e.Outcome != audit.Success {
			s += "!"
		}
		if e.Code != "" {
			s += " " + e.Code
		}
		all = append(all, s)
	}
	return all
}

// wire sees every call to a collaborator before it is made.
type wire struct {
	mu    sync.Mutex
	calls []string
	hook  func(n int, name string) error // n counts from 0
}

func (w *wire) call(ctx context.Context, name string) error {
	w.mu.Lock()
	n := len(w.calls)
	w.calls = append(w.calls, name)
	hook := w.hook
	w.mu.Unlock()
	if hook != nil {
		if err := hook(n, name); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// watch forgets the calls and sets a hook, nil for none.
func (w *wire) watch(hook func(n int, name string) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls, w.hook = nil, hook
}

func (w *wire) names() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.calls)
}

var errBroken = errors.New("broken on purpose")

// failAt fails one call.
func failAt(k int) func(int, string) error {
	return func(n int, _ string) error {
		if n == k {
			return errBroken
		}
		return nil
	}
}

// sessions is a session keeper.
type sessions struct {
	wire *wire
	mu   sync.Mutex
	n    int
	live map[string]audit.Actor
}

func (s *sessions) Start(ctx context.Context, a audit.Actor) (string, error) {
	if err := s.wire.call(ctx, "sessions.Start"); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	token := fmt.Sprintf("session-%d", s.n)
	s.live[token] = a
	return token, nil
}

func (s *sessions) End(ctx context.Context, token, _ string) error {
	if err := s.wire.call(ctx, "sessions.End"); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, token)
	return nil
}

func (s *sessions) EndAll(ctx context.Context, t audit.Tenant, person audit.ActorID, _ string) error {
	if err := s.wire.call(ctx, "sessions.EndAll"); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for token, a := range s.live {
		if a.Tenant == t && a.ID == person {
			delete(s.live, token)
		}
	}
	return nil
}

// of returns the live session of a token.
func (s *sessions) of(token string) (audit.Actor, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.live[token]
	return a, ok
}

func (s *sessions) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.live)
}

func (s *sessions) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.live)
}

// factor is a second factor whose right code is always the same.
type factor struct {
	wire     *wire
	mu       sync.Mutex
	enrolled map[audit.ActorID]bool
	pending  map[audit.ActorID]bool
	tries    int
}

func (f *factor) Enrolled(ctx context.Context, _ audit.Tenant, p audit.ActorID) (bool, error) {
	if err := f.wire.call(ctx, "factor.Enrolled"); err != nil {
		return false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.enrolled[p], nil
}

func (f *factor) Verify(ctx context.Context, _ audit.Tenant, p audit.ActorID, c string) ([]string, error) {
	if err := f.wire.call(ctx, "factor.Verify"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tries++
	switch {
	case !f.enrolled[p]:
		return nil, errors.New("factor: not enrolled")
	case c != code:
		return nil, nil
	}
	return []string{"otp"}, nil
}

func (f *factor) Begin(ctx context.Context, _ audit.Tenant, p audit.ActorID, account string) (string, string, error) {
	if err := f.wire.call(ctx, "factor.Begin"); err != nil {
		return "", "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.enrolled[p] {
		return "", "", errors.New("factor: enrolled already")
	}
	f.pending[p] = true
	return "otpauth://totp/" + account, "ABCD EFGH", nil
}

func (f *factor) Confirm(ctx context.Context, _ audit.Tenant, p audit.ActorID, c string) (bool, error) {
	if err := f.wire.call(ctx, "factor.Confirm"); err != nil {
		return false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.pending[p] {
		return false, errors.New("factor: nothing to confirm")
	}
	if c != code {
		return false, nil
	}
	f.pending[p], f.enrolled[p] = false, true
	return true, nil
}

func (f *factor) set(p audit.ActorID, enrolled bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.enrolled[p] = enrolled
}

func (f *factor) has(p audit.ActorID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.enrolled[p]
}

func (f *factor) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tries
}

// mailbox keeps what was sent.
type mailbox struct {
	wire *wire
	mu   sync.Mutex
	sent []authn.Notice
}

func (m *mailbox) Send(ctx context.Context, n authn.Notice) error {
	if err := m.wire.call(ctx, "mail.Send"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sent = append(m.sent, n)
	return nil
}

func (m *mailbox) all(topic authn.Topic) (out []authn.Notice) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range m.sent {
		if n.Topic == topic {
			out = append(out, n)
		}
	}
	return out
}

// token returns the token of the last link of a topic.
func (m *mailbox) token(t testing.TB, topic authn.Topic) string {
	t.Helper()
	all := m.all(topic)
	require.NotEmpty(t, all)
	return tokenOf(t, all[len(all)-1].Link.Reveal())
}

func tokenOf(t testing.TB, url string) string {
	t.Helper()
	const base = "https://clinic.example.com/link/"
	require.Greater(t, len(url), len(base))
	require.Equal(t, base, url[:len(base)])
	return url[len(base):]
}

// recorder wires a Recorder.
type recorder struct {
	wire *wire
	audit.Recorder
}

func (r recorder) Record(ctx context.Context, events ...audit.Event) error {
	if err := r.wire.call(ctx, "recorder.Record"); err != nil {
		return err
	}
	return r.Recorder.Record(ctx, events...)
}

// wired wires a store.
type wired struct {
	wire *wire
	s    authn.Store
}

func (w wired) Account(ctx context.Context, t audit.Tenant, id audit.ActorID) (authn.Account, error) {
	if err := w.wire.call(ctx, "store.Account"); err != nil {
		return authn.Account{}, err
	}
	return w.s.Account(ctx, t, id)
}

func (w wired) Find(ctx context.Context, t audit.Tenant, term []byte) (authn.Account, error) {
	if err := w.wire.call(ctx, "store.Find"); err != nil {
		return authn.Account{}, err
	}
	return w.s.Find(ctx, t, term)
}

func (w wired) People(ctx context.Context, t audit.Tenant, after audit.ActorID) iter.Seq2[authn.Person, error] {
	if err := w.wire.call(ctx, "store.People"); err != nil {
		return func(yield func(authn.Person, error) bool) { yield(authn.Person{}, err) }
	}
	return w.s.People(ctx, t, after)
}

func (w wired) Link(ctx context.Context, hash []byte) (authn.Link, error) {
	if err := w.wire.call(ctx, "store.Link"); err != nil {
		return authn.Link{}, err
	}
	return w.s.Link(ctx, hash)
}

func (w wired) Apply(ctx context.Context, c authn.Change) error {
	if err := w.wire.call(ctx, "store.Apply"); err != nil {
		return err
	}
	return w.s.Apply(ctx, c)
}

func (w wired) Credential(ctx context.Context, t audit.Tenant, id audit.ActorID, f authn.Family) (authn.Credential, error) {
	if err := w.wire.call(ctx, "store.Credential"); err != nil {
		return authn.Credential{}, err
	}
	return w.s.Credential(ctx, t, id, f)
}

func (w wired) Charge(ctx context.Context, t audit.Tenant, id audit.ActorID, f authn.Family, l authn.Limits, now time.Time) (authn.Credential, bool, error) {
	if err := w.wire.call(ctx, "store.Charge"); err != nil {
		return authn.Credential{}, false, err
	}
	return w.s.Charge(ctx, t, id, f, l, now)
}

func (w wired) Clear(ctx context.Context, t audit.Tenant, id audit.ActorID, f authn.Family, now time.Time) error {
	if err := w.wire.call(ctx, "store.Clear"); err != nil {
		return err
	}
	return w.s.Clear(ctx, t, id, f, now)
}

func (w wired) Rehash(ctx context.Context, t audit.Tenant, id audit.ActorID, old, new string) error {
	if err := w.wire.call(ctx, "store.Rehash"); err != nil {
		return err
	}
	return w.s.Rehash(ctx, t, id, old, new)
}

func (w wired) SignedIn(ctx context.Context, t audit.Tenant, id audit.ActorID, now time.Time) error {
	if err := w.wire.call(ctx, "store.SignedIn"); err != nil {
		return err
	}
	return w.s.SignedIn(ctx, t, id, now)
}

func (w wired) PutTicket(ctx context.Context, tk authn.Ticket) error {
	if err := w.wire.call(ctx, "store.PutTicket"); err != nil {
		return err
	}
	return w.s.PutTicket(ctx, tk)
}

func (w wired) Ticket(ctx context.Context, hash []byte, now time.Time) (authn.Ticket, error) {
	if err := w.wire.call(ctx, "store.Ticket"); err != nil {
		return authn.Ticket{}, err
	}
	return w.s.Ticket(ctx, hash, now)
}

func (w wired) TakeTicket(ctx context.Context, hash []byte, now time.Time) (authn.Ticket, error) {
	if err := w.wire.call(ctx, "store.TakeTicket"); err != nil {
		return authn.Ticket{}, err
	}
	return w.s.TakeTicket(ctx, hash, now)
}

func (w wired) Sweep(ctx context.Context, now time.Time) error {
	if err := w.wire.call(ctx, "store.Sweep"); err != nil {
		return err
	}
	return w.s.Sweep(ctx, now)
}

func (w wired) Hit(ctx context.Context, t audit.Tenant, key string, d time.Duration, now time.Time) (int, time.Time, error) {
	if err := w.wire.call(ctx, "store.Hit"); err != nil {
		return 0, time.Time{}, err
	}
	return w.s.Hit(ctx, t, key, d, now)
}

func (w wired) Claim(ctx context.Context, now, until time.Time, n int) ([]audit.Message, error) {
	if err := w.wire.call(ctx, "store.Claim"); err != nil {
		return nil, err
	}
	return w.s.Claim(ctx, now, until, n)
}

func (w wired) Delivered(ctx context.Context, t audit.Tenant, id string) error {
	if err := w.wire.call(ctx, "store.Delivered"); err != nil {
		return err
	}
	return w.s.Delivered(ctx, t, id)
}

func (w wired) Failed(ctx context.Context, t audit.Tenant, id string, next time.Time) error {
	if err := w.wire.call(ctx, "store.Failed"); err != nil {
		return err
	}
	return w.s.Failed(ctx, t, id, next)
}

func (w wired) Oldest(ctx context.Context) (time.Time, error) {
	if err := w.wire.call(ctx, "store.Oldest"); err != nil {
		return time.Time{}, err
	}
	return w.s.Oldest(ctx)
}

type ctxT = context.Context
