package machine

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"regexp"
	"strings"

	"github.com/wardkit/wardkit/authn"
)

// Lengths of the parts of a credential, in hexadecimal digits.
const (
	idDigits     = 24 // 96 bits, public
	secretDigits = 64 // 256 bits
	sumDigits    = 8  // CRC-32 (IEEE) of what stands before it
)

// mark says what a credential is: it stands between the prefix and the first underscore.
type mark string

const (
	markKey   mark = ""
	markToken mark = "t"
)

// Pattern returns the regular expression by which secret scanners find keys and access tokens
// with a prefix, in RE2 syntax: for "wk" it is \bwkt?_[0-9a-f]{24}_[0-9a-f]{64}_[0-9a-f]{8}\b.
func Pattern(prefix string) string {
	return fmt.Sprintf(`\b%s%s?_[0-9a-f]{%d}_[0-9a-f]{%d}_[0-9a-f]{%d}\b`, regexp.QuoteMeta(prefix), markToken, idDigits, secretDigits, sumDigits)
}

// credential is a key or an access token as it was presented.
type credential struct {
	mark mark
	id   string
	hash [sha256.Size]byte
}

// newCredential makes one. The text is the only place that has the secret.
func newCredential(prefix string, m mark) (text authn.Secret, c credential) {
	var b [(idDigits + secretDigits) / 2]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	digits := hex.EncodeToString(b[:])
	c = credential{mark: m, id: digits[:idDigits]}
	s := prefix + string(m) + "_" + c.id + "_" + digits[idDigits:]
	s += "_" + checksum(s)
	c.hash = sha256.Sum256([]byte(s))
	return authn.NewSecret(s), c
}

// parseCredential reads what somebody presented. It reports false for what newCredential cannot
// have made with this prefix: any changed byte is found by the checksum.
func parseCredential(prefix, s string) (c credential, ok bool) {
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok {
		return credential{}, false
	}
	if cut, found := strings.CutPrefix(rest, string(markToken)+"_"); found {
		c.mark, rest = markToken, "_"+cut
	}
	if len(rest) != 3+idDigits+secretDigits+sumDigits || rest[0] != '_' || rest[1+idDigits] != '_' || rest[2+idDigits+secretDigits] != '_' {
		return credential{}, false
	}
	c.id = rest[1 : 1+idDigits]
	secret := rest[2+idDigits : 2+idDigits+secretDigits]
	sum := rest[3+idDigits+secretDigits:]
	if !hexadecimal(c.id) || !hexadecimal(secret) || checksum(s[:len(s)-1-sumDigits]) != sum {
		return credential{}, false
	}
	c.hash = sha256.Sum256([]byte(s))
	return c, true
}

// matches compares with what is stored, in constant time.
func (c credential) matches(hash []byte) bool {
	return subtle.ConstantTimeCompare(c.hash[:], hash) == 1
}

func checksum(s string) string {
	return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(s)))
}

// hexadecimal reports whether s has lower-case hexadecimal digits only.
func hexadecimal(s string) bool {
	return strings.Trim(s, "0123456789abcdef") == ""
}

// validPrefix reports whether keys can begin with p: 2 to 12 lower-case letters and digits, a
// letter first.
func validPrefix(p string) bool {
	if len(p) < 2 || len(p) > 12 || p[0] < 'a' || p[0] > 'z' {
		return false
	}
	return strings.Trim(p, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}
