package main

import (
	"context"
	"strings"
	"sync"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/session"
)

const (
	clinic   audit.Tenant = "clinic"
	who                   = "ada@example.com"
	password              = "nine lives of a tabby"
)

// none is a second factor that nobody has.
type none struct{}

func (none) Enrolled(context.Context, audit.Tenant, audit.ActorID) (bool, error) { return false, nil }

func (none) TakesCodes(context.Context, audit.Tenant, audit.ActorID) (bool, error) { return false, nil }

func (none) Verify(context.Context, audit.Tenant, audit.ActorID, string) ([]string, error) {
	return nil, nil
}

func (none) Begin(context.Context, audit.Tenant, audit.ActorID, string) (string, string, error) {
	return "", "", nil
}

func (none) Confirm(context.Context, audit.Tenant, audit.ActorID, string) (bool, error) {
	return false, nil
}

// post keeps the last link.
type post struct {
	mu   sync.Mutex
	link string
}

func (p *post) Send(_ context.Context, n authn.Notice) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.link = n.Link.Reveal()
	return nil
}

// world is a tenant with one patient who has a password and no second factor.
type world struct {
	people   *authn.Manager
	store    authn.Store
	sessions *session.Manager
	person   audit.ActorID
	token    string // a live session's
}

func newWorld(ctx context.Context, c *config, store authn.Store, edit func(*authn.Options)) (*world, error) {
	vault, err := phi.Open(ctx, "bench", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil)
	if err != nil {
		return nil, err
	}
	sessions, err := session.New(session.NewMemory(), audit.Discard{}, session.RemoteAddr, nil)
	if err != nil {
		return nil, err
	}
	o := &authn.Options{AddressTries: 1 << 30, TenantTries: 1 << 30}
	if c.quick {
		o.InsecureArgon2 = &authn.Argon2{Memory: 64, Time: 1, Threads: 1}
	}
	if edit != nil {
		edit(o)
	}
	mail := &post{}
	people, err := authn.New(authn.Parts{
		Store: store, Vault: vault, Sessions: sessions, Factor: none{}, Recorder: audit.Discard{}, Mailer: mail,
		BaseURL: "https://clinic.example.com",
	}, o)
	if err != nil {
		return nil, err
	}
	p, err := people.Invite(ctx, clinic, authn.Newcomer{Kind: audit.KindPatient, Identifier: who})
	if err != nil {
		return nil, err
	}
	token := mail.link[strings.LastIndex(mail.link, "/")+1:]
	s, err := people.CompleteSetUp(ctx, token, authn.Answer{Password: authn.NewPassword(password)}, authn.Client{})
	if err != nil {
		return nil, err
	}
	return &world{people, store, sessions, p.ID, s.Token.Reveal()}, nil
}
