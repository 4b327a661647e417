// Billing is a billing company with eight practices as its clients. One of its billers works from
// abroad, for four of them: lists, counts, sums and single records all obey the same grant.
//
//	go run ./examples/billing
package main

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the SQLite driver

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audithttp"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/rbacsql"
	"github.com/wardkit/wardkit/session"
)

// practices are the company's clients.
func practices() []rbac.PracticeID {
	return []rbac.PracticeID{"alder", "birch", "cedar", "dogwood", "elm", "fir", "ginkgo", "hazel"}
}

// offshore are the practices that the biller abroad works for.
func offshore() []rbac.PracticeID { return practices()[:4] }

// host is the company's server and what a demonstration or a test needs of it.
type host struct {
	http.Handler
	access *rbac.Authorizer
	mux    *rbac.Mux
	books  *books
	grants rbac.Store
	events *audit.Log
	tokens map[audit.ActorID]string // of who is signed in
}

// newHost wires the parts over one SQLite file in dir. A real host has a KMS and a sign-in: see
// examples/clinic.
func newHost(ctx context.Context, dir string) (*host, error) {
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Join(dir, "billing.db"))+
		"?_pragma=busy_timeout(100)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	vault, err := phi.Open(ctx, "billing", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil)
	if err != nil {
		return nil, err
	}
	records, err := auditsql.SQLite(db)
	if err == nil {
		err = records.Migrate(ctx)
	}
	if err != nil {
		return nil, err
	}
	events, err := audit.New(records, phi.NewSealer(vault), nil)
	if err != nil {
		return nil, err
	}
	grants, err := rbacsql.SQLite(db)
	if err == nil {
		err = grants.Migrate(ctx)
	}
	if err != nil {
		return nil, err
	}
	policy, err := rules()
	if err != nil {
		return nil, err
	}
	access, err := rbac.New(policy, grants, events, nil)
	if err != nil {
		return nil, err
	}
	sessions, err := session.New(session.NewMemory(), events, session.RemoteAddr, nil)
	if err != nil {
		return nil, err
	}
	b, err := newBooks(ctx, db, vault)
	if err != nil {
		return nil, err
	}
	mux := rbac.NewMux(access, nil)
	routes(mux, b)
	handler, err := audithttp.Hold(events, sessions.Handler(mux), nil)
	if err != nil {
		return nil, err
	}
	h := &host{handler, access, mux, b, grants, events, map[audit.ActorID]string{}}
	return h, h.people(ctx, sessions, b)
}

// people fills the books and signs the people in: an owner, the biller abroad, and somebody new
// who was granted nothing.
func (h *host) people(ctx context.Context, sessions *session.Manager, b *books) error {
	for i, practice := range practices() {
		for n := range 3 {
			c := Claim{
				ID: fmt.Sprintf("%s-%d", practice, n+1), Practice: practice, Patient: patientOf(practice, n), State: "submitted",
				Name: phi.NewText(fmt.Sprintf("Person %d of %s", n+1, practice)), Amount: int64(10_000*(i+1) + 100*n),
			}
			if err := b.add(ctx, &c); err != nil {
				return err
			}
		}
	}
	setup := audit.WithActor(ctx, audit.System(company, "setup"))
	for _, g := range []rbac.Grant{
		{Person: "olga", Role: rbac.Owner, Why: "founder"},
		{Person: "arjun", Role: rbac.Biller, Practices: offshore(), Why: "contract", Until: time.Now().AddDate(1, 0, 0)},
	} {
		if _, err := h.access.Grant(setup, g); err != nil {
			return err
		}
	}
	for _, person := range []audit.ActorID{"olga", "arjun", "newcomer"} {
		token, err := sessions.Start(setup, audit.Actor{
			ID: person, Tenant: company, Kind: audit.KindStaff, Methods: []string{"pwd", "otp"}, Assurance: audit.AAL2,
		})
		if err != nil {
			return err
		}
		h.tokens[person] = token
	}
	return nil
}

func main() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "billing")
	if err != nil {
		log.Fatal(err)
	}
	h, err := newHost(ctx, dir)
	if err != nil {
		log.Fatal(err)
	}
	for _, who := range []struct {
		id   audit.ActorID
		says string
	}{
		{"olga", "Olga owns the company: eight practices."},
		{"arjun", "Arjun bills for four of them: alder, birch, cedar, dogwood."},
	} {
		fmt.Printf("%s\n\n", who.says)
		for _, path := range []string{"report", "claims", "claims/dogwood-1", "claims/elm-1"} {
			fmt.Printf("  curl -H 'Authorization: Bearer %s' http://127.0.0.1:8082/%s\n", h.tokens[who.id], path)
		}
		fmt.Println()
	}
	go func() { log.Fatal(h.events.Run(ctx, "platform")) }()
	server := http.Server{Addr: "127.0.0.1:8082", Handler: h, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}
