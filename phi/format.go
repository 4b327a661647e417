package phi

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"strings"
	"unicode/utf8"

	"github.com/wardkit/wardkit/audit"
)

// The sealed format, version 1. It is final: every later release reads it.
//
//	 0   1   suite  0x01 = XAES-256-GCM of C2SP
//	 1   1   flags  bits 0–1 scope (0 tenant, 1 patient), bit 2 padded, other bits 0
//	 2  16   kid    HKDF-Expand(key, "phi/v1/kid", 16): names the key and commits to it
//	18  12   salt   fresh for each row that is sealed
//	30  12   nonce  fresh for each field
//	42   n   ciphertext
//	    16   tag
//
//	AAD = bytes 0–17 ‖ LP(namespace) ‖ LP(tenant) ‖ LP(field) ‖ LP(patient) ‖ LP(row) ‖ LP("")
//
// LP(s) is the length of s as 4 bytes, big endian, and s. In scope "patient" the key is the
// patient's own; in scope "tenant" it is HKDF-Expand(root, "phi/v1/field/" ‖ field, 32) and
// kid is that of the tenant's root, from which the field key follows.
const (
	suiteXAES = 0x01

	flagPatient = 0x01
	flagScope   = 0x03
	flagPadded  = 0x04
	flagsKnown  = flagPatient | flagPadded

	kidAt      = 2
	saltAt     = kidAt + kidSize
	nonceAt    = saltAt + saltSize
	ciphertext = nonceAt + nonceSize
	overhead   = ciphertext + tagSize

	padStep, padStride = 32, 128 // of up to 64 bytes, and of more
)

// MaxValue is the most bytes a sealed value may hold: 1 MiB. Files are not values.
const MaxValue = 1 << 20

const kidSize = 16

// KeyID names a key and commits to it: the first 16 bytes of
// HKDF-Expand-SHA-256(key, "phi/v1/kid").
type KeyID [kidSize]byte

func kidOf(key []byte) (id KeyID) {
	copy(id[:], expand(key, "phi/v1/kid", kidSize))
	return id
}

// expand is HKDF-Expand of RFC 5869, section 2.3, with SHA-256. The keys given to it are
// uniformly random, so there is nothing to extract.
func expand(key []byte, info string, size int) []byte {
	out, err := hkdf.Expand(sha256.New, key, info, size)
	if err != nil {
		panic("phi: HKDF: " + err.Error()) // only for impossible sizes
	}
	return out
}

// header is the part of a sealed value that says how to open it.
type header struct {
	flags byte
	kid   KeyID
}

// parse reads the header and refuses what cannot have been sealed by this package.
func parse(s Sealed) (h header, err error) {
	if len(s) < overhead {
		if len(s) > 0 && s[0] != suiteXAES {
			return h, ErrUnknownSuite
		}
		return h, ErrTruncated
	}
	h.flags = s[1]
	if s[0] != suiteXAES || h.flags&^flagsKnown != 0 {
		return h, ErrUnknownSuite
	}
	copy(h.kid[:], s[kidAt:saltAt])
	return h, s.checkLength()
}

// checkLength refuses what cannot be the length of s, which has a header.
func (s Sealed) checkLength() error {
	if n := len(s) - overhead; s[1]&flagPadded != 0 && (n == 0 || n%padStep != 0) {
		return ErrTruncated
	}
	return nil
}

// sharesKey reports whether s has the suite, flags and kid of other, which parse accepted or which
// is nil.
func (s Sealed) sharesKey(other Sealed) bool {
	return other != nil && len(s) >= overhead && s[0] == other[0] && s[1] == other[1] &&
		KeyID(s[kidAt:]) == KeyID(other[kidAt:])
}

func (h header) patient() bool { return h.flags&flagScope == flagPatient }

// At says where a sealed value lives. All of it is authenticated: the value opens there and
// nowhere else. What it cannot notice is an older value of the same place put back.
type At struct {
	Tenant audit.Tenant
	Field  string // logical name such as "patient.phone", which outlives renamed columns
	// Patient, where it is set, makes the value sealed under that patient's own key, which can
	// be erased. Without one the key is the tenant's.
	Patient audit.Patient
	Row     string // the host's row id, unique within Field
}

func (a At) check() error {
	switch {
	case a.Tenant == "":
		return errNoTenant
	case a.Field == "":
		return errNoField
	case a.Row == "":
		return errNoRow
	}
	return nil
}

// storable reports whether every database can keep the ids as text.
func storable(ids ...string) bool {
	for _, id := range ids {
		if !utf8.ValidString(id) || strings.IndexByte(id, 0) >= 0 {
			return false
		}
	}
	return true
}

// place is what the values of a row are bound to: their additional data but for the head, for
// which there is room, and the field, which comes at split.
type place struct {
	all   []byte
	split int
}

// bind sets p to the row of at; the bytes go into buf as far as they fit.
func (p *place) bind(buf []byte, namespace string, at *At) {
	p.all = appendLP(appendLP(append(buf[:0], make([]byte, saltAt)...), namespace), string(at.Tenant))
	p.split = len(p.all)
	p.all = appendLP(appendLP(appendLP(p.all, string(at.Patient)), at.Row), "")
}

// appendAAD appends the additional data of one field; head is bytes 0–17 of its value.
func (p *place) appendAAD(b, head []byte, field string) []byte {
	at := len(b)
	b = append(b, p.all[:p.split]...)
	b[at], b[at+1] = head[0], head[1]
	copy(b[at+kidAt:], head[kidAt:saltAt])
	return append(appendLP(b, field), p.all[p.split:]...)
}

// appendLP appends s preceded by its length, which makes a sequence of them injective.
func appendLP(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

// paddedSize returns to how many bytes n are padded: 32, 64 or a multiple of 128, so that the
// length of a name, a phone number or a yes says little. What is longer is padded to what
// AES-GCM encrypts at one stroke: 96 bytes would take longer than 128.
func paddedSize(n int) int {
	if n < 2*padStep {
		return (n/padStep + 1) * padStep
	}
	return (n/padStride + 1) * padStride
}

// appendPadded appends s, 0x80 and zeros up to its padded size (ISO/IEC 7816-4).
func appendPadded[T string | []byte](b []byte, s T) []byte {
	b = append(b, s...)
	end := len(b)
	b = append(b, make([]byte, paddedSize(len(s))-len(s))...)
	b[end] = 0x80
	return b
}

// sealedSize returns the length of a sealed value of n bytes.
func sealedSize(n int) int { return overhead + paddedSize(n) }

// unpad removes what appendPadded appended. Other implementations, and earlier releases, may pad
// to any multiple of 32 bytes.
func unpad(b []byte) ([]byte, error) {
	n := len(b)
	for n >= 8 {
		if last := binary.LittleEndian.Uint64(b[n-8:]); last != 0 {
			n -= bits.LeadingZeros64(last) / 8
			break
		}
		n -= 8
	}
	for n > 0 && b[n-1] == 0 {
		n--
	}
	if n == 0 || b[n-1] != 0x80 {
		return nil, ErrAltered
	}
	return b[:n-1], nil
}
