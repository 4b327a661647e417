package authn_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/phi"
)

// enters is a whole sign-in of ada in a browser, which keeps the cookie that it gets.
func (h *house) enters(c *authn.Client) {
	h.t.Helper()
	s, err := h.through(ada, good, *c)
	require.NoError(h.t, err)
	require.Equal(h.t, authn.Done, s.Need)
	require.False(h.t, s.Known.IsZero())
	c.Known = s.Known.Reveal()
}

// labels are those of ada's known browsers as c sees them, with a star at the own one.
func (h *house) labels(p authn.Person, c authn.Client) (out []string) {
	h.t.Helper()
	all, err := h.m.Devices(h.t.Context(), clinic, p.ID, c)
	require.NoError(h.t, err)
	for _, d := range all {
		require.Empty(h.t, d.Hash)
		mark := ""
		if d.Current {
			mark = "*"
		}
		out = append(out, d.Label+mark)
	}
	return out
}

// device is the ID of the known browser with a label.
func (h *house) device(p authn.Person, label string) string {
	h.t.Helper()
	all, err := h.m.Devices(h.t.Context(), clinic, p.ID, authn.Client{})
	require.NoError(h.t, err)
	i := slices.IndexFunc(all, func(d authn.Device) bool { return d.Label == label })
	require.GreaterOrEqual(h.t, i, 0)
	return all[i].ID
}

// isKnown reports whether tries from c are counted as those of a known browser, on another server.
func (h *house) isKnown(p authn.Person, c authn.Client) bool {
	h.t.Helper()
	before, err := h.store.Credential(h.t.Context(), clinic, p.ID, authn.FamilyPassword.Known())
	require.NoError(h.t, err)
	h.clock.Advance(time.Hour)
	_, err = h.manager().SignIn(h.t.Context(), clinic, ada, pw("wrong"), c)
	require.Error(h.t, err)
	after, err := h.store.Credential(h.t.Context(), clinic, p.ID, authn.FamilyPassword.Known())
	require.NoError(h.t, err)
	return after.Failures > before.Failures
}

// A person sees the browsers they signed in with, each once, and forgets one or all of them: it is
// a stranger at the next try, on every server.
func TestDevices(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store authn.Store) {
		h := newHouse(t, store)
		p := h.ada(audit.KindStaff)
		require.NoError(t, h.m.ForgetDevices(admin(t.Context()), clinic, p.ID))
		desk, phone := authn.Client{Addr: home.Addr, Device: "desk"}, authn.Client{Addr: far.Addr, Device: "phone"}
		h.enters(&desk)
		h.clock.Advance(time.Minute)
		h.enters(&phone)
		require.Equal(t, []string{"phone", "desk*"}, h.labels(p, desk))
		require.Equal(t, []string{"phone", "desk"}, h.labels(p, authn.Client{}))

		h.clock.Advance(time.Hour)
		first, id := desk.Known, h.device(p, "desk")
		desk.Device = "desk, renewed"
		h.enters(&desk)
		require.Equal(t, first, desk.Known, "the same browser")
		all, err := h.m.Devices(t.Context(), clinic, p.ID, desk)
		require.NoError(t, err)
		require.Len(t, all, 2)
		require.Equal(t, id, all[0].ID)
		require.Equal(t, "desk, renewed", all[0].Label)
		require.Equal(t, time.Hour+time.Minute, all[0].Seen.Sub(all[0].Created))

		require.True(t, h.isKnown(p, desk))
		require.True(t, h.isKnown(p, phone))
		h.rec.Reset()
		require.NoError(t, h.m.ForgetDevice(as(t.Context(), p), clinic, p.ID, h.device(p, "phone")))
		events := h.rec.Find(authn.ActionForgetDevice)
		require.Len(t, events, 1)
		require.Equal(t, p.ID, events[0].Actor.ID)
		require.NotEmpty(t, events[0].Detail["device"])
		require.False(t, h.isKnown(p, phone))
		require.True(t, h.isKnown(p, desk))
		require.Equal(t, []string{"desk, renewed*"}, h.labels(p, desk))

		h.clock.Advance(time.Hour)
		old := phone.Known
		h.enters(&phone)
		require.NotEqual(t, old, phone.Known, "a forgotten cookie never comes back to life")
		require.False(t, h.isKnown(p, authn.Client{Addr: far.Addr, Known: old}))
		require.NoError(t, h.m.ForgetDevices(as(t.Context(), p), clinic, p.ID))
		require.Len(t, h.rec.Find(authn.ActionForgetDevices), 1)
		require.Empty(t, h.labels(p, desk))
		require.False(t, h.isKnown(p, desk))
		require.False(t, h.isKnown(p, phone))
	})
}

// What ends a right to be signed in makes browsers strangers, in the same write.
func TestDevicesEndWithThePerson(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(h *house, p authn.Person) error{
		"remove":  func(h *house, p authn.Person) error { return h.m.Remove(admin(h.t.Context()), clinic, p.ID, "") },
		"suspend": func(h *house, p authn.Person) error { return h.m.Suspend(admin(h.t.Context()), clinic, p.ID, "") },
		"reset":   func(h *house, p authn.Person) error { return h.m.AdminReset(admin(h.t.Context()), clinic, p.ID, "") },
		"password": func(h *house, p authn.Person) error {
			_, err := h.m.ChangePassword(as(h.t.Context(), p), pw(good), pw(other), home)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachStore(t, func(t *testing.T, store authn.Store) {
				h, p, _ := settled(t, store)
				require.NoError(t, end(h, p))
				all, err := h.store.Devices(t.Context(), clinic, p.ID)
				require.NoError(t, err)
				require.Empty(t, all)
			})
		})
	}
}

// Who keeps signing in with new browsers has the last 20, however many at once.
func TestTheLast20DevicesStay(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store authn.Store) {
		h, p, _ := settled(t, store, func(o *authn.Options) { o.Hashers, o.Queue = 8, 1000 })
		for range 7 {
			h.clock.Advance(time.Hour)
			errs := atOnce(4, func(int) error { // as many as are free of delays
				_, err := h.through(ada, good, home)
				return err
			})
			require.Equal(t, 4, number(errs, nil))
		}
		all, err := h.m.Devices(t.Context(), clinic, p.ID, home)
		require.NoError(t, err)
		require.Len(t, all, 20)
	})
}

// A cookie that was not made here costs no call at all, and neither does one of the release before,
// which knew no rows: both are strangers'.
func TestForgedDevicesCostNothing(t *testing.T) {
	t.Parallel()
	h, p, here := settled(t, nil)
	calls := func(who, cookie string) []string {
		h.clock.Advance(time.Hour)
		h.wire.watch(nil)
		_, err := h.m.SignIn(t.Context(), clinic, who, pw("wrong"), authn.Client{Addr: home.Addr, Known: cookie})
		require.ErrorIs(t, err, authn.ErrDenied)
		return h.wire.names()
	}
	sealed, err := h.parts.Vault.Seal(t.Context(), phi.At{Tenant: clinic, Field: "authn.known", Row: "browser"},
		fmt.Appendf(nil, `{"person":%q,"since":%d,"expires":%d}`, p.ID, h.clock.Now().UnixMicro(), h.clock.Now().Add(day).UnixMicro()))
	require.NoError(t, err)
	foreign, err := h.parts.Vault.LastingTerm(t.Context(), "other", "authn.known_browser", here.Known[:43])
	require.NoError(t, err)
	for _, who := range []string{ada, "nobody@example.com"} {
		stranger := calls(who, "")
		for name, cookie := range map[string]string{
			"noise": "AAAA", "no tag": here.Known[:43], "another's tag": here.Known[:43] + base64.RawURLEncoding.EncodeToString(foreign),
			"another secret": "A" + here.Known[1:], "longer": here.Known + "A", "the release before": base64.RawURLEncoding.EncodeToString(sealed),
		} {
			if cookie == here.Known {
				continue // it began with an A
			}
			require.Equal(t, stranger, calls(who, cookie), name)
		}
	}
	// A real one costs one look, whoever it is shown for, and nobody learns from it who exists.
	require.Equal(t, calls("nobody@example.com", here.Known), calls("somebody@example.com", here.Known))
	require.Equal(t, "store.Device", calls(ada, here.Known)[0])
	require.NoError(t, h.m.ForgetDevices(admin(t.Context()), clinic, p.ID))
	require.Equal(t, append([]string{"store.Device"}, calls(ada, "")...), calls(ada, here.Known), "a forgotten one is a stranger's")
}

// A sign-in does not depend on whether its browser becomes known, and neither does an answer on
// whether a cookie can be looked up: it is a stranger's then.
func TestDevicesOutOfReach(t *testing.T) {
	t.Parallel()
	h, p, here := settled(t, nil)
	fail := func(names ...string) {
		h.wire.watch(func(_ int, name string) error {
			if slices.Contains(names, name) {
				return errBroken
			}
			return nil
		})
	}
	fail("store.PutDevice", "store.Device", "store.SeeDevice")
	require.False(t, h.isKnown(p, here))
	h.clock.Advance(time.Hour)
	for _, c := range []authn.Client{home, here} {
		s, err := h.through(ada, good, c)
		require.NoError(t, err)
		require.Equal(t, authn.Done, s.Need)
		require.True(t, s.Known.IsZero())
	}
	fail("store.SeeDevice")
	s, err := h.through(ada, good, here)
	require.NoError(t, err)
	require.True(t, s.Known.IsZero(), "the cookie stays as it is")
	fail("store.Devices")
	_, err = h.m.Devices(t.Context(), clinic, p.ID, here)
	require.ErrorIs(t, err, authn.ErrUnavailable)
	require.ErrorIs(t, h.m.ForgetDevice(t.Context(), clinic, p.ID, "x"), authn.ErrUnavailable)
	fail("store.ForgetDevices")
	require.ErrorIs(t, h.m.ForgetDevices(t.Context(), clinic, p.ID), authn.ErrUnavailable)
	fail()
	h.rec.FailWith(errBroken)
	require.ErrorIs(t, h.m.ForgetDevices(t.Context(), clinic, p.ID), authn.ErrUnavailable, "what cannot be recorded does not happen")
	h.rec.FailWith(nil)
	require.True(t, h.isKnown(p, here))
}

// Only the person's own are forgotten, by who may be asked at all.
func TestForgettingDevicesOfOthers(t *testing.T) {
	t.Parallel()
	h, p, here := settled(t, nil)
	id := h.device(p, home.Device)
	q, err := h.m.Invite(t.Context(), clinic, authn.Newcomer{Kind: audit.KindPatient, Identifier: "bob@example.com"})
	require.NoError(t, err)
	for _, no := range []string{"", "x", id + "x"} {
		require.ErrorIs(t, h.m.ForgetDevice(t.Context(), clinic, p.ID, no), authn.ErrNotFound)
	}
	require.ErrorIs(t, h.m.ForgetDevice(t.Context(), clinic, q.ID, id), authn.ErrNotFound)
	require.ErrorIs(t, h.m.ForgetDevice(t.Context(), "other", p.ID, id), authn.ErrNotFound)
	require.ErrorIs(t, h.m.ForgetDevices(t.Context(), "other", p.ID), authn.ErrNotFound)
	_, err = h.m.Devices(t.Context(), "other", p.ID, here)
	require.ErrorIs(t, err, authn.ErrNotFound)
	foreign := audit.WithActor(t.Context(), audit.Actor{ID: "u-mallory", Kind: audit.KindStaff, Tenant: "elsewhere"})
	require.ErrorIs(t, h.m.ForgetDevice(foreign, clinic, p.ID, id), authn.ErrNoActor)
	require.ErrorIs(t, h.m.ForgetDevices(foreign, clinic, p.ID), authn.ErrNoActor)
	require.ErrorIs(t, h.m.With(h.store).ForgetDevice(t.Context(), clinic, p.ID, id), authn.ErrState)
	all, err := h.m.Devices(t.Context(), clinic, q.ID, here)
	require.NoError(t, err)
	require.Empty(t, all)
	require.True(t, h.isKnown(p, here))
}

// A change of the account that overtakes a sign-in leaves no browser known, in whichever gap of the
// sign-in it comes.
func TestAChangeOvertakesADevice(t *testing.T) {
	t.Parallel()
	for gap := 0; ; gap++ {
		h, p, _ := settled(t, nil)
		reached := false
		h.wire.watch(func(n int, _ string) error {
			if n != gap || reached {
				return nil
			}
			reached = true
			return h.m.AdminReset(context.WithoutCancel(admin(t.Context())), clinic, p.ID, "")
		})
		_, _ = h.through(ada, good, home)
		h.wire.watch(nil)
		if !reached {
			require.Greater(t, gap, 10)
			return
		}
		all, err := h.store.Devices(t.Context(), clinic, p.ID)
		require.NoError(t, err)
		require.Empty(t, all, "gap %d", gap)
	}
}

// A server of the release before sets passwords and knows no rows: its new password makes browsers
// strangers all the same.
func TestANewPasswordOfTheReleaseBefore(t *testing.T) {
	t.Parallel()
	h, p, here := settled(t, nil)
	require.True(t, h.isKnown(p, here))
	a, err := h.store.Account(t.Context(), clinic, p.ID)
	require.NoError(t, err)
	c := authn.Change{Person: a.Person, Expect: a.Person.Version, Password: &a.Password, Now: h.clock.Now()}
	c.Person.Version++
	c.Password.Changed = h.clock.Now()
	require.NoError(t, h.store.Apply(t.Context(), c))
	require.False(t, h.isKnown(p, here))
	require.Empty(t, h.labels(p, here), "and nobody is shown what is none of theirs any more")
	h.clock.Advance(time.Hour)
	old := here.Known
	h.enters(&here)
	require.NotEqual(t, old, here.Known)
}

// Whatever a cookie holds, only the one that was made here is known, and only to its tenant.
func FuzzKnownCookie(f *testing.F) {
	h := newHouse(f, nil)
	h.ada(audit.KindPatient)
	s, err := h.signIn(good)
	require.NoError(f, err)
	own := s.Known.Reveal()
	for _, seed := range []string{
		"", own, own[:43], own[43:], own + "A", own[:len(own)-1], " " + own, strings.ToLower(own),
		strings.Repeat("A", len(own)), own[:43] + "==", own + own, strings.Repeat("é", 40),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cookie string) {
		require.Equal(t, cookie == own, h.m.Recognise(t.Context(), clinic, cookie))
		require.False(t, h.m.Recognise(t.Context(), "other", cookie))
		require.False(t, h.m.Recognise(t.Context(), "", cookie))
	})
}

// Whose browser it is counts, also where two people set their passwords in the same instant.
func TestADeviceIsOnePersons(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p := h.ada(audit.KindPatient)
	_, err := h.m.Invite(t.Context(), clinic, authn.Newcomer{Kind: audit.KindPatient, Identifier: "bob@example.com"})
	require.NoError(t, err)
	s, err := h.m.CompleteSetUp(t.Context(), h.mail.token(t, authn.TopicInvitation), authn.Answer{Password: pw(good)}, home)
	require.NoError(t, err)
	bobs := home
	bobs.Known = s.Known.Reveal()
	require.True(t, h.m.Recognise(t.Context(), clinic, bobs.Known))
	require.False(t, h.isKnown(p, bobs))
	all, err := h.m.Devices(t.Context(), clinic, p.ID, bobs)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.False(t, all[0].Current)
}
