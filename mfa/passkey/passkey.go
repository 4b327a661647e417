package passkey

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wardkit/wardkit/mfa"
)

const (
	// Lifetime is how long a ceremony may take, from its options to its response (WebAuthn Level 3,
	// section 15.1, recommends five minutes).
	Lifetime = 5 * time.Minute
	// MaxResponse is the most bytes that a response may have.
	MaxResponse = 64 << 10
	// MaxKeys is the most passkeys that PasskeyOwner.Has or Request may name.
	MaxKeys = 64

	challengeSize  = 32
	handleSize     = 64
	minIDSize      = 16   // WebAuthn Level 3, section 4, "credential ID"
	maxIDSize      = 1023 // WebAuthn Level 3, section 6.5.1
	maxAccountSize = 256
)

// Options are what New can be told. The zero value is safe.
type Options struct {
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Verifier is mfa.WebAuthn for one relying party. It is safe for concurrent use and keeps nothing.
type Verifier struct {
	rp  RelyingParty
	now func() time.Time
}

var _ mfa.WebAuthn = (*Verifier)(nil)

// New returns the Verifier of a relying party, or every problem with its description at once.
func New(rp RelyingParty, o *Options) (*Verifier, error) {
	rp.Origins = slices.Clone(rp.Origins)
	if err := rp.check(); err != nil {
		return nil, err
	}
	v := &Verifier{rp: rp, now: time.Now}
	if o != nil && o.Now != nil {
		v.now = o.Now
	}
	return v, nil
}

// Create implements mfa.WebAuthn. It asks for a discoverable passkey with user verification and for
// no attestation; the owner's handle has 64 bytes and Has at most MaxKeys entries.
func (v *Verifier) Create(o mfa.PasskeyOwner) (options, state []byte, err error) {
	if len(o.Handle) != handleSize {
		return nil, nil, errors.New("passkey: the owner's handle must have 64 bytes")
	}
	if !printable(o.Account, maxAccountSize) {
		return nil, nil, errors.New("passkey: the owner's account is empty, too long or holds control characters")
	}
	s, err := v.begin(registration, o.Has)
	if err != nil {
		return nil, nil, err
	}
	s.handle = o.Handle
	options, err = json.Marshal(creation(&v.rp, o, s.challenge))
	if err != nil {
		return nil, nil, fmt.Errorf("passkey: encode options: %w", err)
	}
	return options, s.encode(), nil
}

// Request implements mfa.WebAuthn. At most MaxKeys keys may be allowed. The options serve a button
// and, without keys, also the browser's autofill (mediation: "conditional").
func (v *Verifier) Request(allow []mfa.PublicKey) (options, state []byte, err error) {
	s, err := v.begin(assertion, allow)
	if err != nil {
		return nil, nil, err
	}
	options, err = json.Marshal(request(&v.rp, allow, s.challenge))
	if err != nil {
		return nil, nil, fmt.Errorf("passkey: encode options: %w", err)
	}
	return options, s.encode(), nil
}

// begin makes the state of a new ceremony.
func (v *Verifier) begin(kind byte, keys []mfa.PublicKey) (*state, error) {
	if len(keys) > MaxKeys {
		return nil, errors.New("passkey: too many passkeys for one ceremony")
	}
	s := &state{kind: kind, until: v.now().Add(Lifetime), challenge: make([]byte, challengeSize)}
	for _, k := range keys {
		if len(k.ID) == 0 || len(k.ID) > maxIDSize {
			return nil, errors.New("passkey: a passkey's ID must have 1 to 1023 bytes")
		}
		s.ids = append(s.ids, k.ID)
	}
	_, _ = rand.Read(s.challenge) // never fails
	return s, nil
}

// Created implements mfa.WebAuthn.
func (v *Verifier) Created(state, response []byte) (mfa.PublicKey, error) {
	s, err := v.resume(state, registration)
	if err != nil {
		return mfa.PublicKey{}, err
	}
	r, err := readRegistration(response)
	if err != nil {
		return mfa.PublicKey{}, err
	}
	switch {
	case len(r.id) < minIDSize:
		return mfa.PublicKey{}, refused("a credential ID that is too short")
	case s.names(r.id):
		return mfa.PublicKey{}, refused("a passkey that was excluded")
	}
	if err := v.checkOrigin(r.client); err != nil {
		return mfa.PublicKey{}, err
	}
	made, err := v.verifyRegistration(s, r)
	if err != nil {
		return mfa.PublicKey{}, err
	}
	if made.flags.HasBackupState() && !made.flags.HasBackupEligible() {
		return mfa.PublicKey{}, refused("backed up, but not eligible")
	}
	return mfa.PublicKey{
		ID:             r.id,
		Handle:         slices.Clone(s.handle),
		Key:            made.key,
		Transports:     r.transports,
		Model:          made.model,
		Count:          made.count,
		BackupEligible: made.flags.HasBackupEligible(),
		BackedUp:       made.flags.HasBackupState(),
	}, nil
}

// Claimed implements mfa.WebAuthn.
func (v *Verifier) Claimed(response []byte) (id, handle []byte, err error) {
	r, err := readAssertion(response)
	if err != nil {
		return nil, nil, err
	}
	return r.id, r.handle, nil
}

// Asserted implements mfa.WebAuthn.
func (v *Verifier) Asserted(state, response []byte, key mfa.PublicKey) (mfa.Assertion, error) {
	s, err := v.resume(state, assertion)
	if err != nil {
		return mfa.Assertion{}, err
	}
	r, err := readAssertion(response)
	if err != nil {
		return mfa.Assertion{}, err
	}
	if err := checkOwner(s, r, key); err != nil {
		return mfa.Assertion{}, err
	}
	if err := v.checkOrigin(r.client); err != nil {
		return mfa.Assertion{}, err
	}
	used, err := v.verifyAssertion(s, r, key.Key)
	if err != nil {
		return mfa.Assertion{}, err
	}
	switch {
	case used.flags.HasBackupState() && !used.flags.HasBackupEligible():
		return mfa.Assertion{}, refused("backed up, but not eligible")
	case used.flags.HasBackupEligible() != key.BackupEligible:
		return mfa.Assertion{}, refused("another backup eligibility than at registration")
	}
	return mfa.Assertion{
		Count:    used.count,
		BackedUp: used.flags.HasBackupState(),
		Cloned:   (used.count != 0 || key.Count != 0) && used.count <= key.Count,
	}, nil
}

// printable reports whether a person can be shown s: something, and no control characters.
func printable(s string, most int) bool {
	return strings.TrimSpace(s) != "" && len(s) <= most && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, unicode.IsControl)
}

// refused is mfa.ErrPasskey with what is wrong, which never is a value.
func refused(why string) error { return fmt.Errorf("%w: %s", mfa.ErrPasskey, why) }
