package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

// who is somebody whom package authn has just let in.
func who() audit.Actor {
	return audit.Actor{
		ID: "staff-17", Kind: audit.KindStaff, Tenant: "clinic-1",
		Methods: []string{"pwd", "otp"}, Assurance: audit.AAL2,
	}
}

func Example() {
	sessions, err := session.New(session.NewMemory(), audit.Discard{}, session.RemoteAddr, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /sign-in", func(w http.ResponseWriter, r *http.Request) {
		token, err := sessions.Start(r.Context(), who()) // after package authn said yes
		if err != nil {
			http.Error(w, "", http.StatusServiceUnavailable)
			return
		}
		sessions.SetCookie(w, token)
	})
	var field string // what the page puts first into its forms
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		a, _ := audit.ActorFrom(r.Context())
		fmt.Fprintf(w, "%s %s", a.Kind, a.ID)
		field = session.CSRFField + "=" + session.CSRF(r.Context())
	})
	mux.HandleFunc("POST /sign-out", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.SignOut(r.Context()); err != nil {
			http.Error(w, "", http.StatusServiceUnavailable)
			return
		}
		sessions.SignedOut(w)
	})
	handler := sessions.Handler(mux) // in a host: audithttp.Hold around it

	ask := func(method, path, cookie string) *http.Response {
		r := httptest.NewRequest(method, path, strings.NewReader(field))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Cookie", cookie)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Result()
	}
	line := ask("POST", "/sign-in", "").Header.Get("Set-Cookie")
	cookie, attributes, _ := strings.Cut(line, ";")
	fmt.Println(attributes)
	fmt.Println(body(ask("GET", "/", cookie)))
	fmt.Println(ask("POST", "/sign-out", cookie).Header.Get("Clear-Site-Data"))
	fmt.Println(body(ask("GET", "/", cookie)))
	// Output:
	//  Path=/; Secure; HttpOnly; SameSite=Lax
	// staff staff-17
	// "cache", "storage"
	// anonymous
}

func body(r *http.Response) string {
	b := make([]byte, 100)
	n, _ := r.Body.Read(b)
	return strings.TrimSpace(string(b[:n]))
}

// What a request presented decides what a sign-in page says.
func ExampleStatus() {
	sessions, _ := session.New(session.NewMemory(), audit.Discard{}, session.RemoteAddr, nil)
	page := sessions.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		switch session.Status(r.Context()) {
		case session.StateLive:
			fmt.Println("welcome back")
		case session.StateExpired:
			fmt.Println("you were signed out because nothing happened for a while")
		case session.StateEnded:
			fmt.Println("you were signed out")
		default:
			fmt.Println("please sign in")
		}
	}))
	token, _ := sessions.Start(context.Background(), who())
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	page.ServeHTTP(httptest.NewRecorder(), r)
	r.Header.Set("Authorization", "Bearer "+token) // a mobile client
	page.ServeHTTP(httptest.NewRecorder(), r)
	_ = sessions.End(context.Background(), token, session.ReasonSignOut)
	page.ServeHTTP(httptest.NewRecorder(), r)
	// Output:
	// please sign in
	// welcome back
	// you were signed out
}

// A framework that wants to be asked rather than wrapped calls Check.
func ExampleManager_Check() {
	sessions, _ := session.New(session.NewMemory(), audit.Discard{}, session.RemoteAddr, nil)
	token, _ := sessions.Start(context.Background(), who())
	r := httptest.NewRequest(http.MethodGet, "https://clinic.example.com/notes", nil)
	r.Header.Set("Cookie", "__Host-session="+token)

	s, err := sessions.Check(r)
	fmt.Println(s.Person, s.Assurance == audit.AAL2, err)

	r.Method = http.MethodPost
	_, err = sessions.Check(r)
	fmt.Println(err)

	r.Header.Set("Sec-Fetch-Site", "cross-site") // what a browser adds on another site's page
	_, err = sessions.Check(r)
	fmt.Println(err)

	_, err = sessions.Check(httptest.NewRequest(http.MethodGet, "https://clinic.example.com/", nil))
	fmt.Println(errors.Is(err, session.ErrNoSession), err)
	// Output:
	// staff-17 true <nil>
	// session: the request does not carry its session's identifier
	// session: cross-origin request
	// true session: not signed in
}

// Everybody can see where they are signed in, and end what they do not recognise.
func ExampleManager_List() {
	sessions, _ := session.New(session.NewMemory(), audit.Discard{}, session.RemoteAddr, nil)
	for _, device := range []string{"Firefox on Windows", "Safari on iPhone"} {
		a := who()
		a.Device = device
		_, _ = sessions.Start(context.Background(), a)
	}
	ctx := audit.WithActor(context.Background(), who()) // Handler does this
	for s, err := range sessions.List(ctx, "clinic-1", "staff-17") {
		if err == nil && s.Device == "Safari on iPhone" {
			err = sessions.EndOne(ctx, s.Tenant, s.Person, s.ID, "lost_phone")
		}
		if err != nil {
			fmt.Println(err)
		}
	}
	for s := range sessions.List(ctx, "clinic-1", "staff-17") {
		fmt.Println(s.Device)
	}
	// Output: Firefox on Windows
}

// The policy is read with each request, so a change is in force on the next one.
func ExampleLimits() {
	ctx, store := context.Background(), session.NewMemory()
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	sessions, _ := session.New(store, audit.Discard{}, session.RemoteAddr, &session.Options{
		Now: func() time.Time { return now },
	})
	token, _ := sessions.Start(ctx, who())
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Cookie", "__Host-session="+token)

	now = now.Add(10 * time.Minute)
	s, _ := sessions.Check(r)
	fmt.Println("left:", s.Left(now))

	policy := session.DefaultPolicy()
	policy.Version, policy.Limits.Idle = 1, 5*time.Minute
	_ = store.SavePolicy(ctx, "clinic-1", policy)
	now = now.Add(6 * time.Minute)
	_, err := sessions.Check(r)
	fmt.Println(err)

	fmt.Println(session.Limits{Idle: 8 * time.Hour, Absolute: 12 * time.Hour}.Validate())
	// Output:
	// left: 15m0s
	// session: not signed in: the session expired
	// session: limits: idle is above 1h0m0s
}

// Behind a proxy the client's address is what the proxy says, and only the proxy.
func ExampleTrustedProxy() {
	client := session.TrustedProxy(netip.MustParsePrefix("10.0.0.0/8"))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = "10.0.0.1:4711"
	r.Header.Set("X-Forwarded-For", "203.0.113.66, 192.0.2.7") // the first was forged by the client
	fmt.Println(client(r))
	// Output: 192.0.2.7
}

// A token cannot be printed by accident.
func ExampleToken() {
	token := session.NewToken()
	fmt.Printf("%v %+v %s\n", token, token, token)
	fmt.Println(len(token.Reveal()))
	// Output:
	// [session token] [session token] [session token]
	// 69
}
