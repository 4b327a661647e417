package authn

import (
	"context"
	"crypto/sha1" //nolint:gosec // the protocol's hash, of a password that is about to be refused or hashed properly
	"encoding/hex"
	"strings"
	"time"
)

// Breaches knows passwords that were stolen somewhere, without being told which one is asked
// about: it is given the first five hexadecimal digits, in upper case, of the password's SHA-1
// and returns how the known ones go on ("k-anonymity": each answer fits hundreds of them).
type Breaches interface {
	// Range returns the other 35 digits, in upper case, of every known hash that begins with
	// prefix.
	Range(ctx context.Context, prefix string) (suffixes []string, err error)
}

const (
	breachPrefix  = 5
	breachTimeout = 3 * time.Second
)

// breached reports whether a new password is known to be stolen. What is asked is NFC text as it
// was typed, not the hash that is stored.
func (m *Manager) breached(ctx context.Context, password string) (bool, error) {
	if m.o.Breaches == nil {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, breachTimeout)
	defer cancel()
	sum := sha1.Sum([]byte(password)) //nolint:gosec // see the import
	digits := strings.ToUpper(hex.EncodeToString(sum[:]))
	suffixes, err := m.o.Breaches.Range(ctx, digits[:breachPrefix])
	if err != nil {
		if m.o.InsecureBreachesOptional {
			m.warn(ctx, "authn: a new password could not be compared with stolen ones")
			return false, nil
		}
		return false, unavailable("asking for stolen passwords", err)
	}
	for _, s := range suffixes {
		if s == digits[breachPrefix:] {
			return true, nil
		}
	}
	return false, nil
}
