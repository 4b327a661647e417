package authn

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// What the tests of this package see of its inside.

// Sum is what a store keeps of a token.
func Sum(token string) []byte { return sum(token) }

// ParsePHC parses a stored hash and writes it again.
func ParsePHC(s string) (again string, params Argon2, err error) {
	p, err := parsePHC(s)
	return p.String(), p.argon, err
}

// MatchPHC reports whether a stored hash is one of a password.
func MatchPHC(s, password string) (bool, error) {
	p, err := parsePHC(s)
	if err != nil {
		return false, err
	}
	return p.matches([]byte(password))
}

// HashPHC computes a hash with a fresh salt.
func HashPHC(password string, a Argon2) string {
	s, err := newHasher(Options{InsecureArgon2: &a, Hashers: 1}).derive(password)
	if err != nil {
		panic(err)
	}
	return s
}

// ReadRange reads an answer of a range server.
var ReadRange = readRange

// Canonical is the one form of an identifier.
func Canonical(s string) (string, bool) { return canonical(s) }

// Judge applies a Manager's password policy.
func (m *Manager) Judge(p Password, least int, words ...string) error {
	_, err := m.judge(p, least, words)
	return err
}

// Occupy takes every place of the hasher's slots and n of its queue, as guests do.
func (m *Manager) Occupy(n int) (leave func()) {
	hashing := cap(m.hash.slots)
	for range hashing {
		m.hash.slots <- struct{}{}
	}
	for range hashing + n {
		m.hash.inside <- struct{}{}
		m.hash.guests <- struct{}{}
	}
	return func() {
		for range hashing {
			<-m.hash.slots
		}
		for range hashing + n {
			<-m.hash.inside
			<-m.hash.guests
		}
	}
}

// Waiting is how many wait for the hasher or are in it.
func (m *Manager) Waiting() int { return len(m.hash.inside) }

// AddressKey is the budget that an address draws on.
var AddressKey = addressKey

// PutTicketState keeps a state, as JSON, behind a new ticket.
func (m *Manager) PutTicketState(ctx context.Context, t audit.Tenant, person audit.ActorID, expires time.Time, state string) (string, error) {
	token, hash := newToken()
	sealed, err := m.p.Vault.Seal(ctx, at(t, fieldTicket, hex.EncodeToString(hash)), []byte(state))
	if err != nil {
		return "", err
	}
	return token.Reveal(), m.p.Store.PutTicket(ctx, Ticket{Hash: hash, Tenant: t, Person: person, State: sealed, Expires: expires})
}

// Recognise reports whether a cookie makes a browser known.
func (m *Manager) Recognise(ctx context.Context, t audit.Tenant, cookie string) bool {
	_, ok := m.recognise(ctx, t, cookie)
	return ok
}
