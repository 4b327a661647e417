package passkeytest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
)

var (
	// ErrExcluded: the device has one of the passkeys that the options exclude (a browser's
	// InvalidStateError).
	ErrExcluded = errors.New("passkeytest: the device has a passkey that the options exclude")
	// ErrNone: the device has no passkey that the options allow (a browser's NotAllowedError).
	ErrNone = errors.New("passkeytest: the device has no passkey for these options")
	// ErrOrigin: a page of this origin may not use this relying party ID (a browser's
	// SecurityError).
	ErrOrigin = errors.New("passkeytest: the relying party ID does not belong to the origin")
)

// Device is a browser and its authenticator. Its methods are safe for concurrent use; its fields
// are set before that.
type Device struct {
	// Origin of the page or app that asks.
	Origin string
	// Synced says that keys are copied to the person's other devices, as those of iCloud Keychain
	// and Google Password Manager are: BE and BS are set and the counter stays 0. Otherwise the
	// counter of each key starts at 1 and grows by 1 with each signature.
	Synced bool
	// Lie, if given, changes what a response says before it is signed.
	Lie func(*Claims)

	mu   sync.Mutex
	keys []key
}

type key struct {
	rp         string
	id, handle []byte
	private    *ecdsa.PrivateKey
	synced     bool
	count      uint32
}

// New returns a device without passkeys, used with pages of the origin.
func New(origin string) *Device { return &Device{Origin: origin} }

// Clone returns a second device with the same passkeys and counters, as somebody has it who copied
// the keys. It shares Lie.
func (d *Device) Clone() *Device {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &Device{Origin: d.Origin, Synced: d.Synced, Lie: d.Lie, keys: slices.Clone(d.keys)}
}

type descriptor struct {
	ID string `json:"id"`
}

// Create makes a passkey, as navigator.credentials.create does, and returns what toJSON returns.
func (d *Device) Create(options []byte) (response []byte, err error) {
	var o struct {
		Challenge string
		RP        struct{ ID string }
		User      struct{ ID string }
		Exclude   []descriptor `json:"excludeCredentials"`
	}
	if err := json.Unmarshal(options, &o); err != nil {
		return nil, fmt.Errorf("passkeytest: unreadable options: %w", err)
	}
	handle, err := base64.RawURLEncoding.DecodeString(o.User.ID)
	if err != nil {
		return nil, fmt.Errorf("passkeytest: unreadable user handle: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !mayUse(d.Origin, o.RP.ID) {
		return nil, ErrOrigin
	}
	for _, k := range d.keys {
		if k.rp == o.RP.ID && among(o.Exclude, k.id) {
			return nil, ErrExcluded
		}
	}
	k := key{rp: o.RP.ID, id: make([]byte, 32), handle: handle, synced: d.Synced}
	_, _ = rand.Read(k.id)
	if k.private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("passkeytest: generate a key: %w", err)
	}
	c := d.claims("webauthn.create", o.Challenge, &k)
	c.Flags |= AT
	c.Key = cose(&k.private.PublicKey)
	if d.Lie != nil {
		d.Lie(c)
	}
	d.keys = append(d.keys, k)
	return c.registration(), nil
}

// Get signs with the newest passkey that the options allow, as navigator.credentials.get does, and
// returns what toJSON returns.
func (d *Device) Get(options []byte) (response []byte, err error) {
	var o struct {
		Challenge string
		RP        string       `json:"rpId"`
		Allow     []descriptor `json:"allowCredentials"`
	}
	if err := json.Unmarshal(options, &o); err != nil {
		return nil, fmt.Errorf("passkeytest: unreadable options: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !mayUse(d.Origin, o.RP) {
		return nil, ErrOrigin
	}
	for i := range slices.Backward(d.keys) {
		k := &d.keys[i]
		if k.rp == o.RP && (len(o.Allow) == 0 || among(o.Allow, k.id)) {
			c := d.claims("webauthn.get", o.Challenge, k)
			if d.Lie != nil {
				d.Lie(c)
			}
			return c.assertion(k.private)
		}
	}
	return nil, ErrNone
}

// claims are the truth about a use of k.
func (d *Device) claims(kind, challenge string, k *key) *Claims {
	c := &Claims{
		Type: kind, Challenge: challenge, Origin: d.Origin, RPID: k.rp, Flags: UP | UV,
		ID: slices.Clone(k.id), Handle: slices.Clone(k.handle),
	}
	if k.synced {
		c.Flags |= BE | BS
	} else {
		k.count++
		c.Count = k.count
	}
	return c
}

func among(list []descriptor, id []byte) bool {
	return slices.ContainsFunc(list, func(d descriptor) bool {
		raw, err := base64.RawURLEncoding.DecodeString(d.ID)
		return err == nil && bytes.Equal(raw, id)
	})
}

// mayUse holds web origins to the browsers' rule; an app's origin says nothing of a host.
func mayUse(origin, rp string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return rp != ""
	}
	return rp != "" && (u.Hostname() == rp || strings.HasSuffix(u.Hostname(), "."+rp))
}

// sign is ES256 over authenticator data and the hash of the client data.
func sign(private *ecdsa.PrivateKey, authData, clientData []byte) ([]byte, error) {
	client := sha256.Sum256(clientData)
	digest := sha256.Sum256(slices.Concat(authData, client[:]))
	signature, err := ecdsa.SignASN1(rand.Reader, private, digest[:])
	if err != nil {
		return nil, fmt.Errorf("passkeytest: sign: %w", err)
	}
	return signature, nil
}
