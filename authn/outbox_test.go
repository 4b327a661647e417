package authn_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

func TestFailingMailerLosesNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.wire.watch(func(_ int, name string) error {
		if name == "mail.Send" {
			return errBroken
		}
		return nil
	})
	p, err := h.m.Invite(admin(t.Context()), clinic, authn.Newcomer{Kind: audit.KindPatient, Identifier: ada})
	require.NoError(t, err, "the person is invited; the mail follows")
	n, err := h.m.Deliver(t.Context())
	require.NoError(t, err)
	require.Zero(t, n, "the message is still leased")
	wait := time.Minute
	for range 5 {
		h.clock.Advance(wait)
		n, err = h.m.Deliver(t.Context())
		require.NoError(t, err)
		require.Zero(t, n)
		wait *= 2
	}
	h.wire.watch(nil)
	h.clock.Advance(10 * time.Minute)
	n, err = h.manager().Deliver(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n, "delivered by another process")
	s, err := h.m.CompleteSetUp(t.Context(), h.mail.token(t, authn.TopicInvitation), authn.Answer{Password: pw(good)}, home)
	require.NoError(t, err)
	require.Equal(t, p.ID, s.Person)
}

func TestFailingRecorderLosesNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindStaff)
	h.rec.FailWith(errBroken)
	require.NoError(t, h.m.Suspend(admin(t.Context()), clinic, p.ID, "because"), "the event is durable in the outbox")
	require.Empty(t, h.rec.Find(authn.ActionSuspend))
	h.rec.FailWith(nil)
	h.clock.Advance(time.Minute)
	_, err := h.m.Deliver(t.Context())
	require.NoError(t, err)
	require.Len(t, h.rec.Find(authn.ActionSuspend), 1)
	e, _ := h.rec.Last(authn.ActionSuspend)
	require.Equal(t, h.clock.Now().Add(-time.Minute), e.Occurred.Start, "when it happened, not when it was recorded")
}

func TestPendingRevocationIsSaid(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindStaff)
	ended := 0
	h.wire.watch(func(_ int, name string) error {
		if name == "sessions.EndAll" {
			if ended++; ended == 2 {
				return errBroken
			}
		}
		return nil
	})
	err := h.m.Suspend(admin(t.Context()), clinic, p.ID, "")
	require.ErrorIs(t, err, authn.ErrPending)
	a, err := h.m.Account(t.Context(), clinic, p.ID)
	require.NoError(t, err)
	require.Equal(t, authn.Suspended, a.Person.State)
	h.clock.Advance(time.Minute)
	_, err = h.m.Deliver(t.Context())
	require.NoError(t, err)
	require.Equal(t, 3, ended)
}

func TestRunDeliversAndSweeps(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.ada(audit.KindStaff)
	require.ErrorIs(t, h.m.Health(t.Context()), authn.ErrNotRunning)
	sent, swept := make(chan struct{}), make(chan struct{})
	h.wire.watch(func(_ int, name string) error {
		switch name {
		case "store.Sweep":
			close(swept)
		case "mail.Send":
			close(sent)
		}
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- h.m.Run(ctx) }()
	<-swept
	require.NoError(t, h.m.Health(t.Context()))
	require.NoError(t, h.m.RequestReset(t.Context(), clinic, ada, home))
	<-sent
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	require.ErrorIs(t, h.m.Health(t.Context()), authn.ErrNotRunning)
}

func TestHealthComplainsOfOldMessages(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.ada(audit.KindStaff)
	require.NoError(t, h.m.RequestReset(t.Context(), clinic, ada, home))
	h.clock.Advance(6 * time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	started := make(chan struct{})
	h.wire.watch(func(_ int, name string) error {
		if name == "store.Sweep" {
			close(started)
		}
		if name == "store.Claim" {
			return errBroken
		}
		return nil
	})
	done := make(chan error)
	go func() { done <- h.m.Run(ctx) }()
	<-started
	require.ErrorIs(t, h.m.Health(t.Context()), authn.ErrPending)
	cancel()
	<-done
	h.wire.watch(failAt(0))
	require.ErrorIs(t, h.m.Health(t.Context()), authn.ErrUnavailable)
}

func TestDeadLinksAreNotMailed(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.ada(audit.KindStaff)
	require.NoError(t, h.m.RequestReset(t.Context(), clinic, ada, home))
	h.clock.Advance(2 * time.Hour)
	n, err := h.m.Deliver(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Empty(t, h.mail.all(authn.TopicReset))
}

func TestNotify(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindStaff)
	m := audit.Message{ID: audit.NewID(h.clock.Now()), Kind: audit.MessageNotice, Tenant: clinic, Person: p.ID, Topic: "mfa.enrolled"}
	require.NoError(t, h.m.Notify(t.Context(), m))
	require.Equal(t, ada, h.mail.all("mfa.enrolled")[0].Address.Reveal())
	m.Person = "nobody"
	require.NoError(t, h.m.Notify(t.Context(), m))
	require.Len(t, h.mail.all("mfa.enrolled"), 1)
}

// redirecting is a database whose writer has changed whom every notice is for.
type redirecting struct {
	authn.Store
	to audit.ActorID
}

func (r *redirecting) Claim(ctx context.Context, now, until time.Time, n int) ([]audit.Message, error) {
	all, err := r.Store.Claim(ctx, now, until, n)
	for i := range all {
		if r.to != "" && all[i].Kind == audit.MessageNotice {
			all[i].Person = r.to
		}
	}
	return all, err
}

// Whoever can write the outbox, but has no key, cannot have one person's link sent to another.
func TestRedirectedNoticeIsNotSent(t *testing.T) {
	t.Parallel()
	store := &redirecting{Store: authn.NewMemory()}
	h := newHouse(t, store)
	h.ada(audit.KindStaff)
	mallory, err := h.m.Invite(admin(t.Context()), clinic, authn.Newcomer{Kind: audit.KindStaff, Identifier: "mallory@example.com"})
	require.NoError(t, err)
	for range 3 {
		h.clock.Advance(time.Hour)
		_, err = h.m.Deliver(t.Context())
		require.NoError(t, err)
	}
	require.NoError(t, h.m.RequestReset(t.Context(), clinic, ada, home))
	store.to = mallory.ID
	h.clock.Advance(10 * time.Minute)
	n, err := h.m.Deliver(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
	require.Empty(t, h.mail.all(authn.TopicReset), "nobody got the link")
	store.to = ""
	h.clock.Advance(10 * time.Minute)
	n, err = h.m.Deliver(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n, "unchanged, it arrives")
	require.Len(t, h.mail.all(authn.TopicReset), 1)
}
