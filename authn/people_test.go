package authn_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

// approving is a house whose policy asks for approval.
func approving(t *testing.T) *house {
	t.Helper()
	h := newHouse(t, nil)
	p := authn.DefaultPolicy()
	p.ApproveStaff = true
	require.NoError(t, h.m.SavePolicy(admin(t.Context()), clinic, p, false))
	return h
}

// Invited, set up, approved, active, suspended, reinstated, removed: the seat goes along, and
// each step says what it refuses.
func TestTheWayOfAPerson(t *testing.T) {
	t.Parallel()
	h := approving(t)
	ctx := admin(t.Context())
	p, err := h.m.Invite(ctx, clinic, authn.Newcomer{Identifier: ada, Role: "therapist"})
	require.NoError(t, err)
	require.Equal(t, "reserved", h.seats.of(p.ID))
	require.Equal(t, "therapist", h.seats.role(p.ID))
	require.Equal(t, p.Created.Add(7*day), h.seats.until[p.ID])
	require.ErrorIs(t, h.m.Approve(ctx, clinic, p.ID, ""), authn.ErrState, "not before the set-up")

	token := h.mail.token(t, authn.TopicInvitation)
	s, err := h.m.CompleteSetUp(t.Context(), token, authn.Answer{Password: pw(good)}, home)
	require.NoError(t, err)
	require.Equal(t, authn.NeedApproval, s.Need)
	require.True(t, s.Ticket.IsZero() && s.Token.IsZero())
	require.Equal(t, "held", h.seats.of(p.ID), "the seat stays, however long the approval takes")
	_, err = h.m.SignIn(t.Context(), clinic, ada, pw("wrong"), home)
	require.ErrorIs(t, err, authn.ErrDenied, "who cannot prove who they are is not told")
	_, err = h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.ErrorIs(t, err, authn.ErrApproval)
	require.Equal(t, 403, authn.Status(err))
	require.Contains(t, h.events(), "authn.sign_in! approval")
	require.ErrorIs(t, h.m.Suspend(ctx, clinic, p.ID, ""), authn.ErrState)
	require.ErrorIs(t, h.m.Resend(ctx, clinic, p.ID), authn.ErrState)
	require.NoError(t, h.m.RequestReset(t.Context(), clinic, ada, home))
	_, err = h.m.Deliver(t.Context())
	require.NoError(t, err)
	require.Empty(t, h.mail.all(authn.TopicReset), "no link around the approval")
	require.Zero(t, h.sessions.count())

	require.NoError(t, h.m.Approve(ctx, clinic, p.ID, "known to the practice"))
	require.Len(t, h.mail.all(authn.TopicApproved), 1)
	e, _ := h.rec.Last(authn.ActionApprove)
	require.Equal(t, audit.ActorID("boss"), e.Actor.ID)
	s, err = h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	require.Equal(t, authn.NeedEnrolment, s.Need, "approval is no second factor")
	s, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Code: code}, home)
	require.NoError(t, err)
	require.Equal(t, authn.Done, s.Need)
	require.ErrorIs(t, h.m.Approve(ctx, clinic, p.ID, ""), authn.ErrState)

	h.devices.pair(p.ID)
	require.NoError(t, h.m.Suspend(ctx, clinic, p.ID, ""))
	require.Zero(t, h.sessions.count())
	require.Zero(t, h.devices.of(p.ID))
	require.Empty(t, h.seats.of(p.ID))
	require.Equal(t, "therapist", h.seats.role(p.ID), "a suspension takes the seat, not the role")
	require.NoError(t, h.m.Reinstate(ctx, clinic, p.ID, ""))
	require.Equal(t, "held", h.seats.of(p.ID))

	_, err = h.signIn(good)
	require.NoError(t, err)
	h.devices.pair(p.ID)
	require.NoError(t, h.m.Remove(ctx, clinic, p.ID, "left"))
	require.Zero(t, h.sessions.count())
	require.Zero(t, h.devices.of(p.ID))
	require.Empty(t, h.seats.of(p.ID))
	require.Empty(t, h.seats.role(p.ID), "who leaves loses what was granted")
	_, err = h.signIn(good)
	require.ErrorIs(t, err, authn.ErrDenied)
	a, err := h.m.Account(t.Context(), clinic, p.ID)
	require.NoError(t, err)
	require.Empty(t, a.Password.Hash)
}

// Staff and patients are approved apart, and the first administrator by nobody.
func TestApprovalIsOfTheKindsThatThePolicyNames(t *testing.T) {
	t.Parallel()
	h := approving(t)
	_, token := h.invite(audit.KindPatient)
	s, err := h.m.CompleteSetUp(t.Context(), token, authn.Answer{Password: pw(good)}, home)
	require.NoError(t, err)
	require.Equal(t, authn.Done, s.Need)

	h = approving(t)
	link, err := h.m.SetUp(t.Context(), clinic, authn.Newcomer{Identifier: ada, Role: "admin"})
	require.NoError(t, err)
	s, err = h.m.CompleteSetUp(t.Context(), tokenOf(t, link.Reveal()), authn.Answer{Password: pw(good)}, home)
	require.NoError(t, err)
	require.Equal(t, authn.NeedEnrolment, s.Need)
}

// Somebody is turned down before they ever got in.
func TestTurnedDown(t *testing.T) {
	t.Parallel()
	h := approving(t)
	p, token := h.invite(audit.KindStaff)
	_, err := h.m.CompleteSetUp(t.Context(), token, authn.Answer{Password: pw(good)}, home)
	require.NoError(t, err)
	require.NoError(t, h.m.Remove(admin(t.Context()), clinic, p.ID, "nobody knows them"))
	require.Empty(t, h.seats.of(p.ID))
	_, err = h.signIn(good)
	require.ErrorIs(t, err, authn.ErrDenied)
	require.ErrorIs(t, h.m.Approve(admin(t.Context()), clinic, p.ID, ""), authn.ErrState)
}

// Without a seat nobody is invited, let in or taken back, nothing is changed, and it is recorded.
func TestNoSeat(t *testing.T) {
	t.Parallel()
	h := approving(t)
	ctx := admin(t.Context())
	p, token := h.invite(audit.KindStaff)
	version := func() int64 {
		a, err := h.m.Account(t.Context(), clinic, p.ID)
		require.NoError(t, err)
		return a.Person.Version
	}
	h.seats.set(1)
	_, err := h.m.Invite(ctx, clinic, authn.Newcomer{Identifier: "new@example.com"})
	require.ErrorIs(t, err, authn.ErrNoSeat)
	require.Equal(t, 409, authn.Status(err))
	require.Contains(t, h.events(), "authn.invite! no_seat")
	require.Len(t, h.mail.all(authn.TopicInvitation), 1, "nobody is told")

	full := func() { // somebody else has the last one
		h.seats.mu.Lock()
		defer h.seats.mu.Unlock()
		h.seats.state = map[audit.ActorID]string{"somebody else": "held"}
	}
	full()
	before := version()
	require.ErrorIs(t, h.m.Resend(ctx, clinic, p.ID), authn.ErrNoSeat, "the reservation lapsed meanwhile")
	_, err = h.m.CompleteSetUp(t.Context(), token, authn.Answer{Password: pw(good)}, home)
	require.ErrorIs(t, err, authn.ErrNoSeat)
	require.Equal(t, before, version())
	h.seats.set(2)
	_, err = h.m.CompleteSetUp(t.Context(), token, authn.Answer{Password: pw(good)}, home)
	require.NoError(t, err, "the link stayed as it was")

	h.seats.set(1)
	full()
	before = version()
	require.ErrorIs(t, h.m.Approve(ctx, clinic, p.ID, ""), authn.ErrNoSeat)
	require.Equal(t, before, version())
	h.seats.set(2)
	require.NoError(t, h.m.Approve(ctx, clinic, p.ID, ""))
	require.NoError(t, h.m.Suspend(ctx, clinic, p.ID, ""))
	h.seats.set(1)
	before = version()
	require.ErrorIs(t, h.m.Reinstate(ctx, clinic, p.ID, ""), authn.ErrNoSeat)
	require.Equal(t, before, version())
}

// An invitation of somebody who is there already takes nothing from them.
func TestAnInvitationOfSomebodyThereLeavesTheirSeat(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindStaff)
	for name, n := range map[string]authn.Newcomer{
		"their ID":         {ID: p.ID, Identifier: "new@example.com", Role: "other"},
		"their identifier": {Identifier: ada, Role: "other"},
	} {
		_, err := h.m.Invite(admin(t.Context()), clinic, n)
		require.ErrorIs(t, err, authn.ErrExists, name)
	}
	require.Equal(t, "held", h.seats.of(p.ID))
	require.Empty(t, h.seats.role(p.ID))

	// two administrators invite one person at once: the one who was slower leaves no seat behind
	h.clock.Advance(time.Second)
	done := false
	h.wire.watch(func(_ int, name string) error {
		if name == "store.Apply" && !done {
			done = true
			_, err := h.m.Invite(admin(t.Context()), clinic, authn.Newcomer{ID: "faster", Identifier: "new@example.com"})
			return err
		}
		return nil
	})
	_, err := h.m.Invite(admin(t.Context()), clinic, authn.Newcomer{ID: "slower", Identifier: "new@example.com"})
	require.ErrorIs(t, err, authn.ErrExists)
	require.Equal(t, "reserved", h.seats.of("faster"))
	require.Empty(t, h.seats.of("slower"))
}

// A seat that could not be freed at once is freed by Run, and one that was taken again meanwhile
// is not: it follows the person, not the message.
func TestTheSeatFollowsThePerson(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindStaff)
	ctx := admin(t.Context())
	h.wire.watch(func(_ int, name string) error {
		if name == "seats.Free" {
			return errBroken
		}
		return nil
	})
	err := h.m.Suspend(ctx, clinic, p.ID, "")
	require.ErrorIs(t, err, authn.ErrPending)
	require.Equal(t, "held", h.seats.of(p.ID))
	require.NoError(t, h.m.Reinstate(ctx, clinic, p.ID, ""))
	h.wire.watch(nil)
	h.clock.Advance(time.Hour)
	_, err = h.m.Deliver(t.Context())
	require.NoError(t, err)
	require.Equal(t, "held", h.seats.of(p.ID))

	// the person changes while the seat is being freed
	done := false
	h.wire.watch(func(_ int, name string) error {
		if name == "seats.Free" && !done {
			done = true
			return h.m.Reinstate(ctx, clinic, p.ID, "")
		}
		return nil
	})
	require.NoError(t, h.m.Suspend(ctx, clinic, p.ID, ""))
	require.True(t, done)
	require.Equal(t, "held", h.seats.of(p.ID))

	require.NoError(t, h.m.Remove(ctx, clinic, p.ID, ""))
	require.Empty(t, h.seats.of(p.ID))
}

// What cannot be ended keeps a suspension from being answered as done, and the others from
// nothing.
func TestOneThatCannotBeEndedKeepsNoOther(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindStaff)
	_, err := h.signIn(good)
	require.NoError(t, err)
	h.devices.pair(p.ID)
	h.wire.watch(func(_ int, name string) error {
		if name == "sessions.EndAll" {
			return errBroken
		}
		return nil
	})
	require.ErrorIs(t, h.m.Remove(admin(t.Context()), clinic, p.ID, ""), authn.ErrUnavailable)
	require.Zero(t, h.devices.of(p.ID))
	h.wire.watch(nil)
	require.NoError(t, h.m.Remove(admin(t.Context()), clinic, p.ID, ""))
	require.Zero(t, h.sessions.count())
}

// A notice that nobody can be given is given up after a week, and that is recorded; nothing else
// ever is.
func TestANoticeIsGivenUp(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindStaff)
	h.wire.watch(func(_ int, name string) error {
		if name == "mail.Send" || name == "seats.Free" {
			return errBroken
		}
		return nil
	})
	require.ErrorIs(t, h.m.Suspend(admin(t.Context()), clinic, p.ID, ""), authn.ErrPending)
	for range 6 {
		h.clock.Advance(day)
		_, err := h.m.Deliver(t.Context())
		require.NoError(t, err)
	}
	require.NotContains(t, h.events(), "authn.notice! given_up")
	h.clock.Advance(day)
	h.rec.FailWith(errBroken)
	_, err := h.m.Deliver(t.Context())
	require.NoError(t, err)
	h.rec.FailWith(nil)
	left, err := h.store.Claim(t.Context(), h.clock.Now().Add(day), h.clock.Now().Add(day), 9)
	require.NoError(t, err)
	require.Len(t, left, 2, "not given up unrecorded")
	h.clock.Advance(day)
	_, err = h.m.Deliver(t.Context())
	require.NoError(t, err)
	require.Contains(t, h.events(), "authn.notice! given_up")
	e, _ := h.rec.Last(authn.ActionNotice)
	require.Equal(t, "authn.suspended", e.Detail["topic"])
	left, err = h.store.Claim(t.Context(), h.clock.Now().Add(day), h.clock.Now().Add(day), 9)
	require.NoError(t, err)
	require.Len(t, left, 1, "the seat is still to be freed")
	require.False(t, errors.Is(h.m.Health(t.Context()), nil))
}

// A role that cannot be given is an answer, recorded, and neither a failure nor an invitation.
func TestARoleThatCannotBeGiven(t *testing.T) {
	t.Parallel()
	for refusal, status := range map[error]int{authn.ErrRole: 422, authn.ErrRoleDenied: 403, errBroken: 503} {
		h := newHouse(t, nil, func(o *authn.Options) { o.Admission = strict{refusal} })
		p, err := h.m.Invite(admin(t.Context()), clinic, authn.Newcomer{Identifier: ada, Role: "amdin"})
		require.ErrorIs(t, err, refusal)
		require.Equal(t, status, authn.Status(err))
		require.Empty(t, p.ID)
		for range h.m.People(t.Context(), clinic, "") {
			t.Fatal("somebody was invited")
		}
		require.Empty(t, h.mail.all(authn.TopicInvitation))
		events := h.rec.Find(authn.ActionInvite)
		if status == 503 {
			require.Empty(t, events)
			continue
		}
		require.Len(t, events, 1)
		require.Equal(t, authn.CodeRole, events[0].Code)
		require.Equal(t, audit.MinorFailure, events[0].Outcome)
	}
}

// strict is an Admission that refuses every invitation.
type strict struct{ why error }

func (s strict) Reserve(context.Context, audit.Tenant, audit.ActorID, string, time.Time) error {
	return fmt.Errorf("x: %w", s.why)
}
func (strict) Hold(context.Context, audit.Tenant, audit.ActorID) error       { return nil }
func (strict) Free(context.Context, audit.Tenant, audit.ActorID, bool) error { return nil }
