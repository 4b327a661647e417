package authn

import (
	"context"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// Where this package's sealed values are bound to, and its blind index. They never change.
const (
	indexIdentifier = "authn.identifier"
	fieldIdentifier = "authn.identifier"
	fieldTicket     = "authn.ticket"
	fieldMessage    = "authn.message"
	tagKnown        = "authn.known_browser" // "authn.known" was the cookie of releases without rows
)

const maxIdentifier = 254 // bytes, the longest e-mail address (RFC 5321, 4.5.3.1.3)

// phantomPrefix begins the credential row of an identifier that nobody has. Real people
// cannot have such an ID.
const phantomPrefix = "unknown:"

// canonical returns the one form of an identifier: NFKC, lower case, without white space
// around it. It reports false for what cannot be one. Two spellings of one address are one
// person and one counter.
func canonical(identifier string) (string, bool) {
	if len(identifier) > 2*maxIdentifier || !utf8.ValidString(identifier) {
		return "", false
	}
	s := strings.TrimSpace(norm.NFKC.String(strings.ToLower(norm.NFKC.String(identifier))))
	if s == "" || len(s) > maxIdentifier || strings.IndexFunc(s, unicode.IsControl) >= 0 {
		return "", false
	}
	return s, true
}

// subject is whose try it is: somebody, or the nobody that an unknown identifier stands for.
type subject struct {
	tenant  audit.Tenant
	id      audit.ActorID // of the credential row
	account Account       // zero for nobody
	known   bool          // the try comes from a browser that is known for them
}

// object is the person for an event, "" for nobody.
func (s subject) object() audit.ActorID { return s.account.Person.ID }

// lookup finds who signs in with identifier. Nobody is no error.
func (m *Manager) lookup(ctx context.Context, t audit.Tenant, identifier string) (subject, error) {
	name, ok := canonical(identifier)
	if !ok {
		name = "\x00" // no identifier canonicalises to this; same work for nonsense
	}
	term, err := m.p.Vault.LastingTerm(ctx, t, indexIdentifier, name)
	if err != nil {
		return subject{}, unavailable("looking up an identifier", err)
	}
	acct, err := m.find(ctx, t, term)
	if err != nil {
		return subject{}, err
	}
	if acct.Person.ID == "" {
		return subject{tenant: t, id: phantom(term)}, nil
	}
	return subject{tenant: t, id: acct.Person.ID, account: acct}, nil
}

// phantom is the credential row of an unknown identifier. The term is keyed, so the row
// does not tell what was typed.
func phantom(term []byte) audit.ActorID {
	return audit.ActorID(phantomPrefix + hex.EncodeToString(term))
}

// enter puts a canonical identifier on a person: term and sealed.
func (m *Manager) enter(ctx context.Context, p *Person, identifier string) error {
	name, ok := canonical(identifier)
	if !ok {
		return ErrIdentifier
	}
	term, err := m.p.Vault.LastingTerm(ctx, p.Tenant, indexIdentifier, name)
	if err != nil {
		return unavailable("indexing an identifier", err)
	}
	sealed, err := m.p.Vault.Seal(ctx, at(p.Tenant, fieldIdentifier, string(p.ID)), []byte(name))
	if err != nil {
		return unavailable("sealing an identifier", err)
	}
	p.Term, p.Sealed = term, sealed
	return nil
}

// identifier opens a person's identifier, "" if there is none.
func (m *Manager) identifier(ctx context.Context, p Person) (string, error) {
	if p.Sealed == nil {
		return "", nil
	}
	b, err := m.p.Vault.Unseal(ctx, at(p.Tenant, fieldIdentifier, string(p.ID)), p.Sealed)
	if err != nil {
		return "", unavailable("opening an identifier", err)
	}
	return string(b), nil
}

// at is a place in the tenant's own key scope.
func at(t audit.Tenant, field, row string) phi.At { return phi.At{Tenant: t, Field: field, Row: row} }
