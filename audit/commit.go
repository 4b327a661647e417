package audit

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
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

// slots is how many private fields an event has.
const slots = 5

// slot returns the i-th private field, nil if the event has no room for it.
func (e *Event) slot(i int) *Private {
	switch i {
	case 0:
		return &e.origin
	case 1:
		return &e.Search
	case 2:
		return &e.Why
	}
	if e.Disclosure == nil {
		return nil
	}
	if i == 3 {
		return &e.Disclosure.Recipient
	}
	return &e.Disclosure.Address
}

// slotPath names the i-th private field in the canonical bytes.
func slotPath(i int) string {
	return [slots]string{"cli.ip", "qry", "why", "dis.to", "dis.addr"}[i]
}

// slotField names the i-th private field in errors.
func slotField(i int) string {
	return [slots]string{"actor.origin", "search", "why", "disclosure.recipient", "disclosure.address"}[i]
}

// detach prepares e for changing its private values: nothing is shared with the caller any
// more.
func (e *Event) detach() {
	if e.Disclosure != nil {
		d := *e.Disclosure
		e.Disclosure = &d
	}
}

// commitments is the memory of an event's commitments.
type commitments [slots][sha256.Size]byte

// commit replaces each private value of a detached event, and the client's address, by a fresh
// salted commitment in sums, and returns the openings as JSON, by path; nil if there are none.
// A commitment without a value stays.
func (e *Event) commit(sums *commitments) (openings []byte) {
	var scratch [256]byte
	for i := range slots {
		p, proof := e.slot(i), scratch[:saltSize]
		switch {
		case i == 0 && e.Actor.Origin.IsValid():
			proof = e.Actor.Origin.AppendTo(proof)
		case p == nil || p.value == nil:
			continue
		default:
			proof = append(proof, p.value()...)
		}
		rand.Read(proof[:saltSize]) // never fails (crypto/rand)
		sums[i] = sha256.Sum256(proof)
		*p = Private{commitment: sums[i][:]}
		openings = appendOpening(openings, slotPath(i), proof)
	}
	if openings != nil {
		openings = append(openings, '}')
	}
	return openings
}

// appendOpening adds a salt and the value that follows it to a JSON object.
func appendOpening(b []byte, path string, proof []byte) []byte {
	if b == nil {
		b = append(make([]byte, 0, 256), '{')
	} else {
		b = append(b, ',')
	}
	b = append(b, '"')
	b = append(b, path...)
	b = append(b, `":{"s":"`...)
	b = base64.StdEncoding.AppendEncode(b, proof[:saltSize])
	b = append(b, `","v":"`...)
	b = base64.StdEncoding.AppendEncode(b, proof[saltSize:])
	return append(b, `"}`...)
}

// adopt gives the detached event e the commitments of old. It reports false if their private
// values differ; a value that only one of them still has cannot differ.
func (e *Event) adopt(old *Event) bool {
	if e.Actor.Origin.IsValid() {
		e.origin = NewPrivate(e.Actor.Origin.String())
	}
	if (e.Disclosure == nil) != (old.Disclosure == nil) {
		return false
	}
	for i := range slots {
		m, o := e.slot(i), old.slot(i)
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
		p := e.slot(i)
		o, ok := openings[slotPath(i)]
		if !ok || p == nil {
			continue
		}
		if subtle.ConstantTimeCompare(o.sum(), p.commitment) != 1 {
			return ErrDamaged
		}
		*p = Private{NewPrivate(string(o.Value)).value, p.commitment}
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

func (l *Log) seal(ctx context.Context, e *Event, openings []byte) ([]byte, error) {
	if _, drop := l.sealer.(DropOpenings); drop || openings == nil {
		return nil, nil
	}
	sealed, err := l.sealer.Seal(ctx, e.Tenant, sealLabel(e.ID), openings)
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
