package sessionredis

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

// proofTime is how long a key that holds nothing but proofs is kept.
const proofTime = 24 * time.Hour

// tenantTag is the part of a route that the people of one tenant share: with it a request
// finds the tenant's policy before it knows whose it is.
type tenantTag [6]byte

func tagOf(route [16]byte) tenantTag { return tenantTag(route[:6]) }

// Route implements session.Store. The tag is a keyed hash of tenant and person, under the
// durable seed: to whom that is unknown it is random, and nothing has to be kept, or could be
// lost, that says which tag is whose. All keys of a person carry it, so that a cluster has
// them on one server.
func (s *Store) Route(ctx context.Context, t audit.Tenant, person audit.ActorID) (route [16]byte, err error) {
	if err := ctx.Err(); err != nil {
		return route, refused("placing a session", err)
	}
	seed, err := s.seed(ctx)
	if err != nil {
		return route, err
	}
	tag := tenantTagOf(seed, t)
	copy(route[:], tag[:])
	copy(route[len(tag):], mac(seed, "person", string(t), string(person)))
	return route, nil
}

func tenantTagOf(seed [32]byte, t audit.Tenant) tenantTag {
	return tenantTag(mac(seed, "tenant", string(t))[:6])
}

// mac is HMAC-SHA-256 over texts, each with its length.
func mac(seed [32]byte, texts ...string) []byte {
	h := hmac.New(sha256.New, seed[:])
	var b []byte
	for _, text := range texts {
		b = appendText(b, text)
	}
	h.Write(b)
	return h.Sum(nil)
}

func (s *Store) personKey(route [16]byte) []string {
	return []string{s.prefix + "{" + base64.RawURLEncoding.EncodeToString(route[:]) + "}"}
}

func (s *Store) policyKey(tag tenantTag) string {
	return s.prefix + "{" + base64.RawURLEncoding.EncodeToString(tag[:]) + "}p"
}

func proofField(t audit.Tenant, k session.Key) string { return "p" + string(k.Hash[:]) + string(t) }

// Put implements session.Store.
func (s *Store) Put(ctx context.Context, p session.Proof) error {
	until, err := packed(p.Until)
	if err == nil {
		_, err = s.run(ctx, opPut, s.personKey(p.Key.Route), proofField(p.Tenant, p.Key), until, proofTime.Milliseconds())
	}
	return refused("keeping a confirmation", err)
}

// Consume implements session.Store.
func (s *Store) Consume(ctx context.Context, t audit.Tenant, k session.Key, now time.Time) (bool, error) {
	at, err := packed(now)
	if err != nil {
		return false, refused("using a confirmation", err)
	}
	n, err := integer(s.run(ctx, opConsume, s.personKey(k.Route), proofField(t, k), at))
	return n == 1, refused("using a confirmation", err)
}

// Purge implements session.Store. Redis clears away by itself what is over, and Create what a
// person's key has kept of it, so nothing is deleted here. It is when the store asks again who
// the servers are, what the seed is, and forgets what it knows of policies.
func (s *Store) Purge(ctx context.Context, _ time.Time, _ int) (int, error) {
	seed, err := s.durable.Seed(ctx)
	if err != nil {
		return 0, refused("reading the seed", err)
	}
	s.seeded.Store(&seed)
	s.policies.forget()
	return 0, refused("asking the servers who they are", s.primaries(ctx, func(ctx context.Context, n *node) error {
		n.mu.Lock()
		defer n.mu.Unlock()
		_, err := n.ask(ctx, seed)
		return err
	}))
}
