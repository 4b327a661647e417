package authn

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

const (
	saltSize = 16 // bytes; NIST SP 800-63B-4, 3.1.1.2 asks for at least 4, SP 800-132 for 16
	tagSize  = 32 // bytes

	// pbkdf2Iterations is what the OWASP Password Storage Cheat Sheet asks of
	// PBKDF2-HMAC-SHA-256.
	pbkdf2Iterations = 600_000

	minSalt       = 8
	maxSalt       = 64
	minTag        = 16
	maxTag        = 64
	minIterations = 1000
	maxIterations = 20_000_000
)

// errHash: a stored hash is not one of ours.
var errHash = errors.New("authn: stored password hash not readable")

// scheme is how a hash is computed: Argon2id, or PBKDF2-HMAC-SHA-256 where iterations is not 0.
type scheme struct {
	argon      Argon2
	iterations int
}

func (s scheme) valid() bool {
	return s.iterations >= minIterations && s.iterations <= maxIterations || s.iterations == 0 && s.argon.valid()
}

// phc is a password hash in the PHC string format, salt and tag in unpadded base64, the pepper
// named by keyid where there is one:
//
//	$argon2id$v=19$m=19456,t=2,p=1$salt$tag          as the reference implementation writes it
//	$argon2id$v=19$m=19456,t=2,p=1,keyid=djE$salt$tag
//	$pbkdf2-sha256$i=600000,l=32$salt$tag
type phc struct {
	scheme
	pepper string // the id of the pepper, "" for none
	salt   []byte
	tag    []byte
}

func (p phc) String() string {
	b64 := base64.RawStdEncoding
	head := fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d", argon2.Version, p.argon.Memory, p.argon.Time, p.argon.Threads)
	if p.iterations > 0 {
		head = fmt.Sprintf("$pbkdf2-sha256$i=%d,l=%d", p.iterations, len(p.tag))
	}
	if p.pepper != "" {
		head += ",keyid=" + b64.EncodeToString([]byte(p.pepper))
	}
	return head + "$" + b64.EncodeToString(p.salt) + "$" + b64.EncodeToString(p.tag)
}

// parsePHC reads what String writes and nothing else: each hash has one spelling.
func parsePHC(s string) (p phc, err error) {
	part := strings.Split(s, "$")
	if len(part) < 5 || part[0] != "" {
		return phc{}, errHash
	}
	switch {
	case part[1] == "argon2id" && len(part) == 6 && part[2] == "v="+strconv.Itoa(argon2.Version):
		err = p.parseArgon2(part[3])
	case part[1] == "pbkdf2-sha256" && len(part) == 5:
		err = p.parsePBKDF2(part[2])
	default:
		err = errHash
	}
	if err != nil {
		return phc{}, err
	}
	if p.salt, err = parseBytes(part[len(part)-2], minSalt, maxSalt); err != nil {
		return phc{}, err
	}
	if p.tag, err = parseBytes(part[len(part)-1], minTag, maxTag); err != nil {
		return phc{}, err
	}
	if p.String() != s { // l is the length of the tag, and nothing was skipped
		return phc{}, errHash
	}
	return p, nil
}

func (p *phc) parseArgon2(params string) error {
	n, err := p.parseParams(params, "m=", "t=", "p=")
	if err != nil {
		return err
	}
	if n[2] > maxThreads {
		return errHash
	}
	p.argon = Argon2{Memory: uint32(n[0]), Time: uint32(n[1]), Threads: uint8(n[2])}
	if !p.argon.valid() {
		return errHash
	}
	return nil
}

func (p *phc) parsePBKDF2(params string) error {
	n, err := p.parseParams(params, "i=", "l=")
	if err != nil {
		return err
	}
	if n[0] > maxIterations {
		return errHash
	}
	if p.iterations = int(n[0]); p.iterations == 0 || !p.valid() {
		return errHash
	}
	return nil
}

// parseParams reads the numbers with these names and the pepper's id, if there is one.
func (p *phc) parseParams(s string, names ...string) ([]uint64, error) {
	part := strings.Split(s, ",")
	if len(part) == len(names)+1 {
		id, ok := strings.CutPrefix(part[len(names)], "keyid=")
		raw, err := parseBytes(id, 1, maxPepperID)
		if !ok || err != nil {
			return nil, errHash
		}
		p.pepper, part = string(raw), part[:len(names)]
	}
	if len(part) != len(names) {
		return nil, errHash
	}
	n := make([]uint64, len(names))
	for i, name := range names {
		digits, ok := strings.CutPrefix(part[i], name)
		v, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil {
			return nil, errHash
		}
		n[i] = v
	}
	return n, nil
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

// compute returns the tag of a secret: the normalised password, or its HMAC under a pepper.
func (p phc) compute(secret []byte) ([]byte, error) {
	if p.iterations > 0 {
		return pbkdf2.Key(sha256.New, string(secret), p.salt, p.iterations, len(p.tag))
	}
	return argon2.IDKey(secret, p.salt, p.argon.Time, p.argon.Memory, p.argon.Threads, uint32(len(p.tag))), nil
}

// matches reports whether p is a hash of the secret.
func (p phc) matches(secret []byte) (bool, error) {
	tag, err := p.compute(secret)
	if err != nil {
		return false, errHash
	}
	return subtle.ConstantTimeCompare(tag, p.tag) == 1, nil
}

// decoy returns a hash that costs as much as any other and that no password has: its tag
// is random, and finding a password for it is breaking the scheme.
func decoy(s scheme) phc {
	p := phc{scheme: s, salt: make([]byte, saltSize), tag: make([]byte, tagSize)}
	rand.Read(p.salt) // never fails (crypto/rand)
	rand.Read(p.tag)
	return p
}
