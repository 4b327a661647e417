package authn_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

func TestTicketExpires(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.ada(audit.KindStaff)
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	require.Equal(t, h.clock.Now().Add(10*time.Minute), s.Expires)
	h.clock.Advance(10 * time.Minute)
	_, err = h.m.Show(t.Context(), s.Ticket.Reveal())
	require.ErrorIs(t, err, authn.ErrTicket)
	_, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Code: code}, home)
	require.ErrorIs(t, err, authn.ErrTicket)
}

func TestForeignTickets(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.ada(audit.KindStaff)
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	ticket := s.Ticket.Reveal()
	for _, forged := range []string{
		"", "x", ticket[:42], ticket + "A", strings.Repeat("A", 43), strings.Repeat("A", 42) + "\n", strings.ToUpper(ticket[:42]) + "_",
	} {
		_, err := h.m.Continue(t.Context(), forged, authn.Answer{Code: code}, home)
		require.ErrorIs(t, err, authn.ErrTicket, "%q", forged)
	}
	s, err = h.m.Continue(t.Context(), ticket, authn.Answer{Code: code}, home)
	require.NoError(t, err)
	require.Equal(t, authn.Done, s.Need)
}

// TestTicketRowsCannotBeSwapped: who can write the database cannot give one person's
// half-done sign-in to another's ticket.
func TestTicketRowsCannotBeSwapped(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.ada(audit.KindStaff)
	a, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	b, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	now := h.clock.Now()
	first, err := h.store.TakeTicket(t.Context(), authn.Sum(a.Ticket.Reveal()), now)
	require.NoError(t, err)
	second, err := h.store.TakeTicket(t.Context(), authn.Sum(b.Ticket.Reveal()), now)
	require.NoError(t, err)
	first.State = second.State
	require.NoError(t, h.store.PutTicket(t.Context(), first))
	_, err = h.m.Continue(t.Context(), a.Ticket.Reveal(), authn.Answer{Code: code}, home)
	require.ErrorIs(t, err, authn.ErrUnavailable)
	require.Zero(t, h.sessions.count())
}

// TestTicketRowsCannotBeEdited: nor can they give it more time or another person.
func TestTicketRowsCannotBeEdited(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*authn.Ticket){
		"end":    func(tk *authn.Ticket) { tk.Expires = tk.Expires.Add(time.Hour) },
		"person": func(tk *authn.Ticket) { tk.Person = "boss" },
		"tenant": func(tk *authn.Ticket) { tk.Tenant = "another" },
		"state":  func(tk *authn.Ticket) { tk.State[len(tk.State)-1] ^= 1 },
	} {
		h := newHouse(t, nil)
		h.ada(audit.KindStaff)
		s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
		require.NoError(t, err)
		tk, err := h.store.TakeTicket(t.Context(), authn.Sum(s.Ticket.Reveal()), h.clock.Now())
		require.NoError(t, err)
		edit(&tk)
		require.NoError(t, h.store.PutTicket(t.Context(), tk))
		if name == "end" {
			h.clock.Advance(10 * time.Minute)
		}
		_, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Code: code}, home)
		require.Error(t, err, name)
		require.Zero(t, h.sessions.count(), name)
	}
}

// TestStateAloneKeepsOut: whoever is not active stays out, whatever became of the version.
func TestStateAloneKeepsOut(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindStaff)
	s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), home)
	require.NoError(t, err)
	a, err := h.store.Account(t.Context(), clinic, p.ID)
	require.NoError(t, err)
	c := authn.Change{Person: a.Person, Expect: a.Person.Version}
	c.Person.State = authn.Suspended
	require.NoError(t, h.store.Apply(t.Context(), c))
	_, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Code: code}, home)
	require.ErrorIs(t, err, authn.ErrTicket)
}
