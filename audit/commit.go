package audit

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net/netip"
)

// saltSize is the length of a commitment's salt in bytes: 128 random bits hide even a value
// that can be guessed, such as an address.
const saltSize = 16

// opening is what proves a commitment: SHA-256(Salt ‖ Value).
type opening struct {
	Salt  []byte `json:"s"`
	Value []byte `json:"v"`
}

func (o opening) sum() []byte {
	sum := sha256.Sum256(append(o.Salt[:len(o.Salt):len(o.Salt)], o.Value...))
	return sum[:]
}

// slot is one private field of an event.
type slot struct {
	path  string // in the canonical bytes
	field string // for errors
	p     *Private
}

// privates lists the private fields that e has room for.
func (e *Event) privates() []slot {
	all := []slot{
		{"cli.ip", "actor.origin", &e.origin},
		{"qry", "search", &e.Search},
		{"why", "why", &e.Why},
	}
	if d := e.Disclosure; d != nil {
		all = append(all,
			slot{"dis.to", "disclosure.recipient", &d.Recipient},
			slot{"dis.addr", "disclosure.address", &d.Address})
	}
	return all
}

// detach prepares e for changing its private values: nothing is shared with the caller any
// more, and the address is a private value like the others.
func (e *Event) detach() {
	if e.Disclosure != nil {
		d := *e.Disclosure
		e.Disclosure = &d
	}
	if e.Actor.Origin.IsValid() {
		e.origin = NewPrivate(e.Actor.Origin.String())
		e.Actor.Origin = netip.Addr{}
	}
}

// commit replaces each private value of a detached event by a fresh salted commitment and
// returns the openings by path. A commitment without a value stays.
func (e *Event) commit() map[string]opening {
	var openings map[string]opening
	for _, s := range e.privates() {
		v, ok := s.p.Reveal()
		if !ok {
			continue
		}
		o := opening{make([]byte, saltSize), []byte(v)}
		rand.Read(o.Salt) // never fails (crypto/rand)
		*s.p = Private{commitment: o.sum()}
		if openings == nil {
			openings = map[string]opening{}
		}
		openings[s.path] = o
	}
	return openings
}

// adopt gives the detached event e the commitments of old. It reports false if their private
// values differ; a value that only one of them still has cannot differ.
func (e *Event) adopt(old *Event) bool {
	mine, its := e.privates(), old.privates()
	if len(mine) != len(its) {
		return false
	}
	for i := range mine {
		m, o := mine[i].p, its[i].p
		want, known := m.Reveal()
		have, opened := o.Reveal()
		if m.IsZero() != o.IsZero() ||
			known && opened && want != have ||
			!known && !bytes.Equal(m.commitment, o.commitment) {
			return false
		}
		*m = Private{commitment: o.commitment}
	}
	return true
}

// open puts the values back beside their commitments. An opening that does not prove its
// commitment is ErrDamaged; a commitment without an opening stays closed.
func (e *Event) open(openings map[string]opening) error {
	for _, s := range e.privates() {
		o, ok := openings[s.path]
		if !ok {
			continue
		}
		if subtle.ConstantTimeCompare(o.sum(), s.p.commitment) != 1 {
			return ErrDamaged
		}
		*s.p = Private{NewPrivate(string(o.Value)).value, s.p.commitment}
	}
	if v, ok := e.origin.Reveal(); ok {
		addr, err := netip.ParseAddr(v)
		if err != nil {
			return ErrDamaged
		}
		e.Actor.Origin = addr
	}
	return nil
}

// sealLabel binds sealed openings to their event.
func sealLabel(id string) string { return "audit.opening/" + id }

func (l *Log) seal(ctx context.Context, e *Event, openings map[string]opening) ([]byte, error) {
	if _, drop := l.sealer.(DropOpenings); drop || len(openings) == 0 {
		return nil, nil
	}
	plain, err := json.Marshal(openings)
	if err != nil {
		return nil, because(ErrSealing, err)
	}
	sealed, err := l.sealer.Seal(ctx, e.Tenant, sealLabel(e.ID), plain)
	if err != nil {
		return nil, because(ErrSealing, err)
	}
	return sealed, nil
}

// unseal returns nil for an event whose openings were never kept, or erased.
func (l *Log) unseal(ctx context.Context, entry *Entry) (map[string]opening, error) {
	if len(entry.Openings) == 0 {
		return nil, nil
	}
	plain, err := l.sealer.Unseal(ctx, entry.Tenant, sealLabel(entry.ID), entry.Openings)
	if err != nil {
		return nil, because(ErrSealing, err)
	}
	var openings map[string]opening
	if err := json.Unmarshal(plain, &openings); err != nil {
		return nil, ErrDamaged
	}
	return openings, nil
}
