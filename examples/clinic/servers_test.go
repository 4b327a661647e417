package main

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// visitorAddress is whose requests they are, as the proxy in front of the clinics sees it.
const visitorAddress = "203.0.113.9"

// balanced puts a small proxy in front of two clinics, which takes turns.
func balanced(t *testing.T) (front *httptest.Server, serve func(...*clinic)) {
	t.Helper()
	var behind atomic.Pointer[[]*clinic]
	var turn atomic.Int64
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		all := *behind.Load()
		to, err := url.Parse(all[int(turn.Add(1))%len(all)].base)
		if err != nil {
			panic(err)
		}
		r.SetURL(to)
		r.Out.Host = r.In.Host
		r.Out.Header.Set("X-Forwarded-For", visitorAddress)
	}}
	front = httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	return front, func(all ...*clinic) { behind.Store(&all) }
}

// freeAddress is one of this machine that nothing listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// beside starts a clinic whose links lead to the proxy, and returns it as it is reached directly.
func beside(t *testing.T, args []string) *clinic {
	t.Helper()
	var addr string
	var c *clinic
	for err := errTaken; errors.Is(err, errTaken); {
		addr = freeAddress(t)
		c, err = launch(append(slices.Clone(args), "-addr", addr)...)
		if c != nil {
			t.Cleanup(c.kill)
		}
		if !errors.Is(err, errTaken) {
			require.NoError(t, err)
		}
	}
	direct := *c
	direct.base = "http://" + strings.Replace(addr, "127.0.0.1", "localhost", 1)
	return &direct
}

// TestTwoServers: two clinics on one database behind a proxy are one clinic: what is ended, ruled
// or locked on one is so on the other by the next request.
func TestTwoServers(t *testing.T) {
	t.Parallel()
	sessionEngines(t, func(t *testing.T, args []string) {
		front, serve := balanced(t)
		base := strings.Replace(front.URL, "127.0.0.1", "localhost", 1)
		args = append(args, "-url", base, "-proxy", "127.0.0.0/8")
		one := beside(t, args)
		two := beside(t, args)
		serve(one, two)
		all := *one
		all.base = base
		boss, therapist := newPerson(t, &all), newPerson(t, &all)
		boss.signIn(alma, demoPassword)
		therapist.signIn(tom, demoPassword)
		require.Contains(t, therapist.get("/security").text(), "Springfield, "+visitorAddress, "not the proxy's address")
		for range 4 {
			require.Equal(t, http.StatusOK, therapist.get("/patients").status, "whichever answers")
		}
		on := func(p *person, c *clinic) *person { p.clinic = c; return p }

		end := on(boss, one).get("/team/"+tomID).match(t, `action="(/team/`+tomID+`/sessions/[^"]+/end)"`)
		require.Contains(t, boss.post(end, nil).text(), "The session is ended.")
		require.Equal(t, "/sign-in?out=ended", on(therapist, two).get("/patients").path, "ended on one, dead on the other")

		on(therapist, one).signIn(tom, demoPassword)
		on(therapist, one).post("/lock", nil)
		require.Equal(t, http.StatusUnauthorized, on(therapist, two).get("/patients").status, "locked on one, locked on the other")
		require.Equal(t, http.StatusOK, therapist.proves(therapist.get("/locked?to=/patients"), byPassword()).status)
		require.Equal(t, http.StatusOK, on(therapist, one).get("/patients").status, "and open again")

		d := &desk{alma: on(boss, one)}
		form := d.rulesForm(t)
		form.Set("ask-patient.reveal_ssn", askEach)
		require.Contains(t, boss.post("/settings/sign-in", form).text(), "The rules are saved.")
		path := on(therapist, two).patient(demoPatient(0).Email)
		require.Equal(t, http.StatusUnauthorized, therapist.post(path+"/reveal", url.Values{"reason": {revealReason}}).status, "ruled on one, in force on the other")
	})
}
