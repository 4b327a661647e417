package session_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

// visit is what a handler sees of a request that carries the token: its context.
func visit(sessions *session.Manager, token string) (ctx context.Context) {
	r := httptest.NewRequest(http.MethodGet, "https://clinic.example.com/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	sessions.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { ctx = r.Context() })).
		ServeHTTP(httptest.NewRecorder(), r)
	return ctx
}

// An administrator changes what the clinic asks of its sessions; it binds the next request.
func ExampleManager_SavePolicy() {
	sessions, _ := session.New(session.NewMemory(), audit.Discard{}, session.RemoteAddr, nil)
	admin := audit.WithActor(context.Background(), who()) // Handler does this; rbac decides who may

	policy, _ := sessions.Policy(admin, "clinic-1")
	policy.Limits.Sessions = 1
	policy.Kinds = map[audit.Kind]session.Limits{audit.KindPatient: {Idle: 5 * time.Minute, Absolute: time.Hour}}
	fmt.Println(sessions.SavePolicy(admin, "clinic-1", policy))

	first, _ := sessions.Start(context.Background(), who())
	_, _ = sessions.Start(context.Background(), who()) // on another device
	fmt.Println(session.Status(visit(sessions, first)))

	policy.Limits.Idle = 8 * time.Hour
	fmt.Println(sessions.SavePolicy(admin, "clinic-1", policy))
	// Output:
	// <nil>
	// ended
	// session: policy: session: limits: idle is above 1h0m0s
}

// What the clinic lists as high risk asks for a fresh proof, once for each patient.
func ExampleManager_StepUp() {
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	sessions, _ := session.New(session.NewMemory(), audit.Discard{}, session.RemoteAddr, &session.Options{
		Now:    func() time.Time { return now },
		Policy: session.Policy{HighRisk: map[audit.Action]session.Duty{"patient.export": {}}},
	})
	token, _ := sessions.Start(context.Background(), who())
	ctx, patient := visit(sessions, token), audit.Object{Type: "patient", ID: "17"}
	owed, _ := sessions.StepUp(ctx, "patient.export", patient, 0) // package rbac asks this
	fmt.Println("owed:", owed)

	now = now.Add(time.Minute)
	again := who() // who typed the password just now: package authn says so
	again.AuthTime, again.Methods, again.Assurance = now, []string{"pwd"}, audit.AAL1
	token, err := sessions.Reauthenticated(ctx, again, sessions.PurposeOf(ctx, "patient.export", patient))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx = visit(sessions, token) // the next request; SetCookie handed the token out
	for range 2 {
		owed, _ = sessions.StepUp(ctx, "patient.export", patient, 0)
		fmt.Println("owed:", owed)
	}
	// Output:
	// owed: true
	// owed: false
	// owed: true
}

// Somebody leaves a shared workstation for a moment.
func ExampleManager_Lock() {
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	sessions, _ := session.New(session.NewMemory(), audit.Discard{}, session.RemoteAddr, &session.Options{
		Now: func() time.Time { return now },
	})
	token, _ := sessions.Start(context.Background(), who())
	fmt.Println(sessions.Lock(visit(sessions, token)))

	ctx := visit(sessions, token)
	a, _ := audit.ActorFrom(ctx)
	locked, _ := session.Locked(ctx)
	fmt.Println(session.Status(ctx), a.Kind, locked.Person)

	now = now.Add(time.Minute)
	again := who()
	again.AuthTime = now
	other := again
	other.ID = "staff-18"
	_, err := sessions.Unlock(ctx, other)
	fmt.Println(err)
	token, err = sessions.Unlock(ctx, again)
	fmt.Println(session.Status(visit(sessions, token)), err)
	// Output:
	// <nil>
	// locked anonymous staff-17
	// session: denied
	// live <nil>
}

// The session that somebody is looking from is marked in their list.
func ExampleSession_Current() {
	sessions, _ := session.New(session.NewMemory(), audit.Discard{}, session.RemoteAddr, nil)
	phone := who()
	phone.Device = "Safari on iPhone"
	_, _ = sessions.Start(context.Background(), phone)
	here := who()
	here.Device = "Firefox on Windows"
	token, _ := sessions.Start(context.Background(), here)

	ctx := visit(sessions, token)
	for s, err := range sessions.List(ctx, "clinic-1", "staff-17") {
		fmt.Println(s.Device, s.Current(ctx), err)
	}
	// Unordered output:
	// Firefox on Windows true <nil>
	// Safari on iPhone false <nil>
}
