package authn

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Argon2 are the parameters of Argon2id (RFC 9106, section 3.1).
type Argon2 struct {
	Memory  uint32 // KiB
	Time    uint32 // passes
	Threads uint8  // lanes
}

// DefaultArgon2 returns 19 MiB, 2 passes, 1 lane: the OWASP Password Storage Cheat Sheet's
// parameters with the least memory that it still ranks equal.
func DefaultArgon2() Argon2 { return Argon2{Memory: 19 * 1024, Time: 2, Threads: 1} }

const (
	saltSize = 16 // bytes; NIST SP 800-63B-4, 3.1.1.2 asks for at least 4
	tagSize  = 32 // bytes

	// Bounds of what is accepted from a stored hash, so that a tampered row cannot make one
	// sign-in take all memory or a minute.
	maxMemory  = 1 << 20 // KiB, 1 GiB
	maxTime    = 64
	maxThreads = 64
	minSalt    = 8
	maxSalt    = 64
	minTag     = 16
	maxTag     = 64
)

// errHash: a stored hash is not one of ours.
var errHash = errors.New("authn: stored password hash not readable")

func (a Argon2) valid() bool {
	return a.Threads >= 1 && a.Threads <= maxThreads && a.Time >= 1 && a.Time <= maxTime &&
		a.Memory >= 8*uint32(a.Threads) && a.Memory <= maxMemory
}

// phc is a password hash in the PHC string format, as the reference implementation writes
// it: $argon2id$v=19$m=19456,t=2,p=1$salt$tag, salt and tag in unpadded base64.
type phc struct {
	params Argon2
	salt   []byte
	tag    []byte
}

func (p phc) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		p.params.Memory, p.params.Time, p.params.Threads, b64.EncodeToString(p.salt), b64.EncodeToString(p.tag))
}

// parsePHC reads what String writes and nothing else: each hash has one spelling.
func parsePHC(s string) (p phc, err error) {
	part := strings.Split(s, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" || part[2] != "v="+strconv.Itoa(argon2.Version) {
		return phc{}, errHash
	}
	if p.params, err = parseParams(part[3]); err != nil {
		return phc{}, err
	}
	if p.salt, err = parseBytes(part[4], minSalt, maxSalt); err != nil {
		return phc{}, err
	}
	if p.tag, err = parseBytes(part[5], minTag, maxTag); err != nil {
		return phc{}, err
	}
	return p, nil
}

func parseParams(s string) (Argon2, error) {
	var n [3]uint64
	part := strings.Split(s, ",")
	if len(part) != len(n) {
		return Argon2{}, errHash
	}
	for i, key := range []string{"m=", "t=", "p="} {
		digits, ok := strings.CutPrefix(part[i], key)
		v, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil || strconv.FormatUint(v, 10) != digits {
			return Argon2{}, errHash
		}
		n[i] = v
	}
	if n[2] > maxThreads {
		return Argon2{}, errHash
	}
	a := Argon2{Memory: uint32(n[0]), Time: uint32(n[1]), Threads: uint8(n[2])}
	if !a.valid() {
		return Argon2{}, errHash
	}
	return a, nil
}

func parseBytes(s string, low, high int) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") { // which the decoder would skip
		return nil, errHash
	}
	b, err := base64.RawStdEncoding.Strict().DecodeString(s)
	if err != nil || len(b) < low || len(b) > high {
		return nil, errHash
	}
	return b, nil
}

// derive computes a hash of a normalised password with a fresh salt.
func derive(password string, a Argon2) phc {
	salt := make([]byte, saltSize)
	rand.Read(salt) // never fails (crypto/rand)
	return phc{a, salt, argon2.IDKey([]byte(password), salt, a.Time, a.Memory, a.Threads, tagSize)}
}

// matches reports whether p is a hash of the normalised password.
func (p phc) matches(password string) bool {
	tag := argon2.IDKey([]byte(password), p.salt, p.params.Time, p.params.Memory, p.params.Threads, uint32(len(p.tag)))
	return subtle.ConstantTimeCompare(tag, p.tag) == 1
}

// decoy returns a hash that costs as much as any other and that no password has: its tag
// is random, and finding a password for it is breaking Argon2.
func decoy(a Argon2) phc {
	p := phc{a, make([]byte, saltSize), make([]byte, tagSize)}
	rand.Read(p.salt)
	rand.Read(p.tag)
	return p
}
