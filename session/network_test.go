package session_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

// rooms allows one prefix, may fail, and counts.
type rooms struct {
	prefix netip.Prefix
	err    error
	stall  bool
	asked  int
}

func (r *rooms) Allowed(ctx context.Context, t audit.Tenant, k audit.Kind, a netip.Addr) (bool, error) {
	r.asked++
	if r.stall {
		<-ctx.Done()
		return true, ctx.Err()
	}
	return t == clinic && k == audit.KindStaff && r.prefix.Contains(a), r.err
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	net := &rooms{prefix: netip.MustParsePrefix("192.0.2.0/24")}
	d := newDesk(t, session.NewMemory(), func(o *session.Options) { o.Network = net })
	token := d.start(t, staff(ann))
	require.NoError(t, d.state(token))
	require.Equal(t, 1, net.asked, "once for each request")

	away := get(token)
	away.RemoteAddr = "198.51.100.9:1"
	w, ctx := serve(d, away)
	require.Equal(t, session.StateBlocked, session.Status(ctx))
	who, _ := audit.ActorFrom(ctx)
	require.Equal(t, audit.KindAnonymous, who.Kind)
	require.Empty(t, w.Header()["Set-Cookie"], "it is good where she works")
	e, _ := d.log.Last("session.check")
	require.Equal(t, "network", e.Code)
	require.Equal(t, audit.Failure, e.Outcome)
	require.Equal(t, ann, e.Actor.ID)
	require.Equal(t, "198.51.100.9", e.Actor.Origin.String())
	_, err := d.Check(away)
	require.ErrorIs(t, err, session.ErrBlocked)
	require.NoError(t, d.state(token), "back at work")

	d.clock.Add(time.Minute)
	_, err = d.Check(away)
	require.ErrorIs(t, err, session.ErrBlocked)
	require.Zero(t, d.store.count("Touch"), "what is blocked is no activity")

	d.log.FailWith(errors.New("down"))
	_, err = d.Check(away)
	require.ErrorIs(t, err, session.ErrUnrecorded)
	d.log.FailWith(nil)

	require.NoError(t, d.SignOut(ctx), "leaving is allowed from everywhere")
	require.ErrorIs(t, d.state(token), session.ErrEnded)
}

func TestNetworkFailsClosed(t *testing.T) {
	t.Parallel()
	net := &rooms{prefix: netip.MustParsePrefix("0.0.0.0/0")}
	d := newDesk(t, session.NewMemory(), func(o *session.Options) { o.Network, o.Timeout = net, time.Second })
	token := d.start(t, staff(ann))
	net.err = errors.New("rules are down")
	require.ErrorIs(t, d.state(token), session.ErrUnavailable)
	require.ErrorIs(t, d.state(token), net.err)
	net.err, net.stall = nil, true
	require.ErrorIs(t, d.state(token), session.ErrUnavailable)
	net.stall = false
	require.NoError(t, d.state(token))
}
