package mfa_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/mfa"
)

const linsNumber = "+14155550123"

// carrier is a TextSender that keeps what it is given and fails while told to.
type carrier struct {
	mu   sync.Mutex
	sent []mfa.TextMessage
	fail error
	hook func(ctx context.Context, m mfa.TextMessage) error // asked first, outside the lock
}

func (c *carrier) Send(ctx context.Context, m mfa.TextMessage) error {
	if c.hook != nil {
		if err := c.hook(ctx, m); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		return c.fail
	}
	c.sent = append(c.sent, m)
	return nil
}

func (c *carrier) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.sent)
}

// last returns the code of the last message.
func (c *carrier) last(t testing.TB) string {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	require.NotEmpty(t, c.sent)
	return c.sent[len(c.sent)-1].Code.Reveal()
}

// numbers returns where the messages went.
func (c *carrier) numbers() (all []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.sent {
		all = append(all, m.Number.Reveal())
	}
	return all
}

// texting is a world with text messages.
type texting struct {
	*world
	carrier *carrier
	windows mfa.Windows
}

func newTexting(t testing.TB, store mfa.Store, edit func(*mfa.Options)) *texting {
	t.Helper()
	w := &texting{carrier: &carrier{}, windows: mfa.NewMemory()}
	w.world = newWorld(t, store, func(o *mfa.Options) {
		o.Texts = &mfa.TextOptions{Sender: w.carrier, Windows: w.windows}
		if edit != nil {
			edit(o)
		}
	})
	return w
}

// anew is a context with a person of the clinic who has just proven two factors.
func (w *world) anew(ctx context.Context, person audit.ActorID) context.Context {
	return audit.WithActor(ctx, audit.Actor{
		ID: person, Kind: audit.KindStaff, Tenant: clinic, Session: "s-1",
		Assurance: audit.AAL2, AuthTime: w.clock.Now(), Methods: []string{"pwd", "otp"},
	})
}

// beginText begins with a number and returns the code that was sent to it.
func (w *texting) beginText(t testing.TB, person audit.ActorID, number string) string {
	t.Helper()
	_, err := w.BeginText(w.anew(t.Context(), person), clinic, person, number)
	require.NoError(t, err)
	return w.carrier.last(t)
}

// number gives the person a verified number.
func (w *texting) number(t testing.TB, person audit.ActorID, number string) {
	t.Helper()
	ok, err := w.ConfirmText(w.anew(t.Context(), person), clinic, person, w.beginText(t, person, number))
	require.NoError(t, err)
	require.True(t, ok)
}

// send sends a code to the person's number and returns it.
func (w *texting) send(t testing.TB, person audit.ActorID) string {
	t.Helper()
	before := w.carrier.count()
	again, err := w.SendText(t.Context(), clinic, person)
	require.NoError(t, err)
	require.Equal(t, w.clock.Now().Add(5*time.Minute), again)
	require.Equal(t, before+1, w.carrier.count())
	return w.carrier.last(t)
}

// textPasses and textRefuses assert what becomes of a code.
func (w *texting) textPasses(t testing.TB, person audit.ActorID, code string) {
	t.Helper()
	methods, err := w.VerifyText(t.Context(), clinic, person, code)
	require.NoError(t, err)
	require.Equal(t, []string{"sms"}, methods)
}

func (w *texting) textRefuses(t testing.TB, person audit.ActorID, code string) {
	t.Helper()
	methods, err := w.VerifyText(t.Context(), clinic, person, code)
	require.NoError(t, err)
	require.Nil(t, methods)
}

// another returns six digits that are not code.
func another(code string) string {
	return strings.Map(func(r rune) rune { return '0' + (r-'0'+1)%10 }, code)
}

// numberRow returns the stored row.
func (w *texting) numberRow(t testing.TB, person audit.ActorID) mfa.Number {
	t.Helper()
	n, err := w.store.Number(t.Context(), clinic, person)
	require.NoError(t, err)
	return n
}

// limited asserts that err says how long to wait.
func limited(t testing.TB, err error, wait time.Duration) {
	t.Helper()
	require.ErrorIs(t, err, mfa.ErrTextLimit)
	var later interface{ RetryAfter() time.Duration }
	require.ErrorAs(t, err, &later)
	require.Equal(t, wait, later.RetryAfter())
}
