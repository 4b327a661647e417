package authn_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

// Every range has hundreds of hashes: an answer without one, of a proxy for instance, is no answer.
func TestAnEmptyRangeIsNoAnswer(t *testing.T) {
	t.Parallel()
	_, err := authn.ReadRange(strings.NewReader(""))
	require.Error(t, err)
	_, err = authn.ReadRange(strings.NewReader(goodSuffix + ":0"))
	require.NoError(t, err, "padding shows that somebody answered")
}

// A ticket that is carried to where its person may not work from is worth nothing there: no code
// is tried, no second factor enrolled.
func TestATicketDoesNotTravel(t *testing.T) {
	t.Parallel()
	for name, enrolled := range map[string]bool{"second factor": true, "enrolment": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := authn.Policy{Network: authn.Network{Staff: networks(t, "192.0.2.0/24")}}
			h := ruled(t, &p)
			who := h.ada(audit.KindStaff)
			h.factor.enrolled[who.ID] = enrolled
			inside, outside := authn.Client{Addr: addr("192.0.2.7")}, authn.Client{Addr: addr("203.0.113.7")}
			s, err := h.m.SignIn(t.Context(), clinic, ada, pw(good), inside)
			require.NoError(t, err)
			h.wire.watch(nil)
			_, err = h.m.Continue(t.Context(), s.Ticket.Reveal(), authn.Answer{Code: code}, outside)
			require.ErrorIs(t, err, authn.ErrNetwork)
			require.NotContains(t, h.wire.names(), "factor.Verify")
			require.NotContains(t, h.wire.names(), "factor.Confirm")
			require.Zero(t, h.sessions.count())
		})
	}
}
