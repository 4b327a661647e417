package machine_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audithttp"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/authn/machine"
)

// everybody may grant everything and act: rbac.Authorizer and authn.Manager stand here.
type everybody struct{}

func (everybody) MayGrant(context.Context, audit.Action, bool) (bool, error) { return true, nil }

func (everybody) Active(context.Context, audit.Tenant, audit.ActorID) (bool, error) { return true, nil }

// An administrator makes an agent that acts for a therapist; the agent reads with its key, until
// the key is revoked.
func Example() {
	log, _ := audit.New(audit.NewMemory(), audit.DropOpenings{}, nil)
	machines, err := machine.New(machine.Parts{
		Store: machine.NewMemory(), Rights: everybody{}, People: everybody{}, Windows: authn.NewMemory(), Recorder: log,
	}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	page := func(w http.ResponseWriter, r *http.Request) { // an rbac.Mux stands here
		a, _ := audit.ActorFrom(r.Context())
		_ = audit.Decide(r.Context(), audit.Event{Action: "patient.read", Verb: audit.Read})
		fmt.Fprintf(w, "%s for %s, within %v", a.Kind, a.OnBehalfOf, a.Scopes())
	}
	remote := func(*http.Request) netip.Addr { return netip.MustParseAddr("192.0.2.7") } // session.RemoteAddr
	api, _ := audithttp.Hold(log, machines.Handler(remote, http.HandlerFunc(page), nil), nil)

	// the session's handler has put the administrator into the context
	ctx := audit.WithActor(context.Background(), audit.Actor{ID: "p-ada", Kind: audit.KindStaff, Tenant: "clinic", Assurance: audit.AAL2})
	bot, key, err := machines.Create(ctx, machine.Spec{
		Kind: audit.KindAgent, Name: "Note helper", OnBehalfOf: "p-tess",
		Scopes: []audit.Action{"patient.read"}, Expires: time.Now().AddDate(0, 1, 0),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(key) // prints nothing; key.Reveal() is shown to the administrator, once

	request := func() {
		r := httptest.NewRequest(http.MethodGet, "/api/patients", nil)
		r.Header.Set("Authorization", "Bearer "+key.Reveal())
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"), w.Body.String())
	}
	request()
	fmt.Println(machines.Revoke(ctx, bot.ID, bot.Keys[0].ID, "found in a repository"))
	request()
	// Output:
	// [secret]
	// 200  agent for p-tess, within [patient.read]
	// <nil>
	// 401 Bearer error="invalid_token" Unauthorized
}

// A program that prefers short-lived tokens gets them with its key, with fewer scopes if it likes.
func ExampleManager_Grant() {
	machines, _ := machine.New(machine.Parts{
		Store: machine.NewMemory(), Rights: everybody{}, People: everybody{}, Windows: authn.NewMemory(), Recorder: audit.Discard{},
	}, nil)
	ctx := audit.WithActor(context.Background(), audit.Actor{ID: "p-ada", Kind: audit.KindStaff, Tenant: "clinic", Assurance: audit.AAL2})
	export, key, _ := machines.Create(ctx, machine.Spec{
		Kind: audit.KindService, Name: "Billing export", Scopes: []audit.Action{"claim.read", "patient.read"}, Expires: time.Now().AddDate(0, 6, 0),
	})
	access, err := machines.Grant(context.Background(), string(export.ID), key, []audit.Action{"claim.read"}, machine.Client{})
	fmt.Println(access.Scopes, err)
	who, err := machines.Enter(context.Background(), access.Token, machine.Client{})
	fmt.Println(who.Kind, who.Scopes(), err)
	// Output:
	// [claim.read] <nil>
	// service [claim.read] <nil>
}
