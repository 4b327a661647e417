package phi

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// RingKMS is a KMS that can tell its own work from that of others, which a Ring needs.
type RingKMS interface {
	KMS
	// Holds reports whether wrapped names this KMS's key. It asks nobody and proves nothing:
	// bytes that were altered are refused by Unwrap.
	Holds(wrapped []byte) bool
	// Fingerprint returns what tells the key-encryption key from others in an error, for
	// example eight hexadecimal digits.
	Fingerprint() string
}

// Ring is a KMS made of several: one that wraps, and older ones that still unwrap. With it a
// key-encryption key is replaced while the application runs, a key file by another one or by
// a KMS on the network:
//
//  1. every server gets a Ring of the old KMS, with the new one as an older one;
//  2. every server gets a Ring of the new KMS, with the old one as an older one;
//  3. Rotator.Rotate with RotateKEK;
//  4. every server gets the new KMS alone. One that gets it too early is refused by phi.Open,
//     because the canary is re-wrapped last.
//
// What is wrapped names the KMS that wrapped it; no other one is asked.
type Ring struct{ all []RingKMS } // the current one first

// NewRing returns a Ring that wraps with current. It refuses a nil KMS and two with the same
// fingerprint.
func NewRing(current RingKMS, older ...RingKMS) (*Ring, error) {
	r := &Ring{append([]RingKMS{current}, older...)}
	seen := map[string]bool{}
	for _, k := range r.all {
		if k == nil {
			return nil, errors.New("phi: new ring: nil KMS")
		}
		if seen[k.Fingerprint()] {
			return nil, errors.New("phi: new ring: the same key twice")
		}
		seen[k.Fingerprint()] = true
	}
	return r, nil
}

// Wrap encrypts key with the current KMS.
func (r *Ring) Wrap(ctx context.Context, key []byte, c KeyContext) ([]byte, error) {
	return r.all[0].Wrap(ctx, key, c)
}

// Unwrap decrypts with the KMS that wrapped.
func (r *Ring) Unwrap(ctx context.Context, wrapped []byte, c KeyContext) ([]byte, error) {
	i, err := r.holder(ctx, wrapped)
	if err != nil {
		return nil, err
	}
	return r.all[i].Unwrap(ctx, wrapped, c)
}

// Rewrap brings a key from the KMS that wrapped it to the current one.
func (r *Ring) Rewrap(ctx context.Context, wrapped []byte, c KeyContext) ([]byte, error) {
	i, err := r.holder(ctx, wrapped)
	if err != nil {
		return nil, err
	}
	if i == 0 {
		return r.all[0].Rewrap(ctx, wrapped, c)
	}
	key, err := r.all[i].Unwrap(ctx, wrapped, c)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return r.all[0].Wrap(ctx, key, c)
}

// Holds reports whether wrapped names a key of one of the KMSes.
func (r *Ring) Holds(wrapped []byte) bool {
	for _, k := range r.all {
		if k.Holds(wrapped) {
			return true
		}
	}
	return false
}

// Fingerprint returns that of the current KMS.
func (r *Ring) Fingerprint() string { return r.all[0].Fingerprint() }

// holder returns which KMS wrapped a key.
func (r *Ring) holder(ctx context.Context, wrapped []byte) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	names := make([]string, len(r.all))
	for i, k := range r.all {
		if k.Holds(wrapped) {
			return i, nil
		}
		names[i] = k.Fingerprint()
	}
	return 0, fmt.Errorf("%w: it is wrapped under key %s, the ring has %s",
		ErrWrongKey, WrapperOf(wrapped), strings.Join(names, ", "))
}

// WrapperOf returns the fingerprint of the key-encryption key that wrapped a key, for
// messages: that of a key file or of vaulttransit. For other KMSes it says nothing useful.
func WrapperOf(wrapped []byte) string {
	if len(wrapped) <= kidSize {
		return "unknown"
	}
	return hex.EncodeToString(wrapped[1:5])
}
