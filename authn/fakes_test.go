package authn_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

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
	others   func(audit.ActorID) bool // whether there are factors of other kinds
}

func (f *factor) Enrolled(ctx context.Context, _ audit.Tenant, p audit.ActorID) (bool, error) {
	if err := f.wire.call(ctx, "factor.Enrolled"); err != nil {
		return false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.enrolled[p] || f.others(p), nil
}

func (f *factor) TakesCodes(ctx context.Context, _ audit.Tenant, p audit.ActorID) (bool, error) {
	if err := f.wire.call(ctx, "factor.TakesCodes"); err != nil {
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
	if f.others(p) && !admitted(ctx, p) {
		return "", "", errors.New("factor: beside another one only by who proved it")
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
	if f.others(p) && !admitted(ctx, p) {
		return false, errors.New("factor: beside another one only by who proved it")
	}
	if c != code {
		return false, nil
	}
	f.pending[p], f.enrolled[p] = false, true
	return true, nil
}

// admitted reports whether the context says that the person is signed in with two factors, which is
// what package mfa asks of who sets up a factor beside another one.
func admitted(ctx context.Context, p audit.ActorID) bool {
	a, ok := audit.ActorFrom(ctx)
	return ok && a.ID == p && a.Assurance >= audit.AAL2
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
