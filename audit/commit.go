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

// slot is one private field of an event; p is nil if the event has no room for it.
type slot struct {
	path  string // in the canonical bytes
	field string // for errors
	p     *Private
}

// slots is how many private fields an event has.
const slots = 5

// slot returns the i-th private field.
func (e *Event) slot(i int) slot {
	switch i {
	case 0:
		return slot{"cli.ip", "actor.origin", &e.origin}
	case 1:
		return slot{"qry", "search", &e.Search}
	case 2:
		return slot{"why", "why", &e.Why}
	}
	s := slot{"dis.to", "disclosure.recipient", nil}
	if i == 4 {
		s = slot{"dis.addr", "disclosure.address", nil}
	}
	if d := e.Disclosure; d != nil {
		s.p = &d.Recipient
		if i == 4 {
			s.p = &d.Address
		}
	}
	return s
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
	for i := range slots {
		s := e.slot(i)
		if s.p == nil || s.p.value == nil {
			continue
		}
		v := s.p.value()
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
	if (e.Disclosure == nil) != (old.Disclosure == nil) {
		return false
	}
	for i := range slots {
		m, o := e.slot(i).p, old.slot(i).p
		if m == nil {
			continue
		}
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
	for i := range slots {
		s := e.slot(i)
		o, ok := openings[s.path]
		if !ok || s.p == nil {
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
