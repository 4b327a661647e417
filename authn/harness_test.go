package authn_test

import (
	"context"
	"errors"
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

const clinic audit.Tenant = "clinic"

const (
	ada = "ada@example.com"

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
	passkeys *passkeys
	texts    *texts
	rec      *audittest.Recorder
	mail     *mailbox
	seats    *seats
	devices  *devices

	handed []string // session tokens that sign-ins got
	reset  string   // the token of a reset link
	known  authn.Client
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
	h.passkeys, h.texts = newPasskeys(h.wire), newTexts(h.wire, h.clock)
	h.factor.others = func(p audit.ActorID) bool {
		return len(h.passkeys.of(p)) > 0 || h.texts.hint(p) != ""
	}
	h.passkeys.others = func(p audit.ActorID) bool {
		return h.factor.has(p) || h.texts.hint(p) != "" || len(h.passkeys.of(p)) > 0
	}
	h.mail = &mailbox{wire: h.wire}
	h.seats = newSeats(h.wire)
	h.devices = &devices{wire: h.wire, live: map[audit.ActorID]int{}}
	h.options = authn.Options{
		Passkeys: h.passkeys, Texts: h.texts,
		Admission: h.seats, Also: []authn.Ender{h.devices},
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

type ctxT = context.Context
