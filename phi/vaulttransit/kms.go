package vaulttransit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"github.com/wardkit/wardkit/phi"
)

// What Wrap returns, version 2 of phi's wrapped roots (version 1 is that of key files):
//
//	 0   1   0x02
//	 1  16   id of the Vault key: the first bytes of SHA-256("phi/v1/vaulttransit" ‖ 0 ‖ label)
//	17   n   ciphertext as Vault writes it: "vault:v1:…"
//
// and in the ciphertext
//
//	 0   1   0x01
//	 1  32   SHA-256 of the key's context, see phi.KeyContext.Bytes
//	33  32   the key
const (
	wrappedVersion = 0x02
	idSize         = 16
	headSize       = 1 + idSize

	plainVersion = 0x01
	keySize      = 32
	plainSize    = 1 + sha256.Size + keySize

	maxCiphertext = 4096 // Vault's are some 150 bytes
)

// KMS is a phi.KMS whose key-encryption key is in Vault. It is safe for concurrent use.
type KMS struct {
	c  *client
	id [idSize]byte
}

var _ phi.RingKMS = (*KMS)(nil)

// Token returns the Vault token for a request: from Vault Agent's sink file, an environment
// variable, a login that the host keeps alive. It is called for each attempt and should answer
// from memory.
type Token func(ctx context.Context) (string, error)

// New returns a KMS that wraps with the Transit key called key. Address is Vault's, such as
// "https://vault.internal:8200". It asks nothing yet: phi.Open does.
func New(address, key string, token Token, o *Options) (*KMS, error) {
	c, label, err := newClient(address, key, token, o)
	if err != nil {
		return nil, fmt.Errorf("vaulttransit: %w", err)
	}
	sum := sha256.Sum256([]byte("phi/v1/vaulttransit\x00" + label))
	return &KMS{c, [idSize]byte(sum[:])}, nil
}

// Wrap encrypts key in Vault under the latest version of the Transit key.
func (k *KMS) Wrap(ctx context.Context, key []byte, c phi.KeyContext) ([]byte, error) {
	if len(key) != keySize {
		return nil, errors.New("vaulttransit: a key has 32 bytes")
	}
	place := c.Bytes()
	digest := sha256.Sum256(place)
	plain := append(append([]byte{plainVersion}, digest[:]...), key...)
	defer clear(plain)
	a, err := k.c.ask(ctx, "encrypt", request{Plaintext: plain, Context: place})
	if err != nil {
		return nil, err
	}
	if version(a.Ciphertext) == 0 {
		return nil, errAnswer
	}
	return k.seal(a.Ciphertext), nil
}

func (k *KMS) seal(ciphertext string) []byte {
	return append(append([]byte{wrappedVersion}, k.id[:]...), ciphertext...)
}

// Unwrap decrypts in Vault what Wrap returned for the same c.
func (k *KMS) Unwrap(ctx context.Context, wrapped []byte, c phi.KeyContext) ([]byte, error) {
	ciphertext, err := k.open(ctx, wrapped)
	if err != nil {
		return nil, err
	}
	place := c.Bytes()
	a, err := k.c.ask(ctx, "decrypt", request{Ciphertext: ciphertext, Context: place})
	if err != nil {
		return nil, err
	}
	defer clear(a.Plaintext)
	digest := sha256.Sum256(place)
	if len(a.Plaintext) != plainSize || a.Plaintext[0] != plainVersion ||
		subtle.ConstantTimeCompare(a.Plaintext[1:1+sha256.Size], digest[:]) != 1 {
		return nil, fmt.Errorf("%w: the wrapped key is another one", phi.ErrWrongKey)
	}
	return bytes.Clone(a.Plaintext[1+sha256.Size:]), nil
}

// Rewrap has Vault re-encrypt what Wrap returned under the latest version of the Transit key.
// Where it is under that version already, it returns wrapped as it is.
func (k *KMS) Rewrap(ctx context.Context, wrapped []byte, c phi.KeyContext) ([]byte, error) {
	ciphertext, err := k.open(ctx, wrapped)
	if err != nil {
		return nil, err
	}
	a, err := k.c.ask(ctx, "rewrap", request{Ciphertext: ciphertext, Context: c.Bytes()})
	if err != nil {
		return nil, err
	}
	switch before, after := version(ciphertext), version(a.Ciphertext); {
	case after < before:
		return nil, errAnswer
	case after == before:
		return bytes.Clone(wrapped), nil
	}
	return k.seal(a.Ciphertext), nil
}

// Holds reports whether wrapped names this Transit key.
func (k *KMS) Holds(wrapped []byte) bool {
	return len(wrapped) > headSize && wrapped[0] == wrappedVersion && bytes.Equal(wrapped[1:headSize], k.id[:])
}

// Fingerprint returns eight hexadecimal digits that tell this Transit key from others, derived
// from its name or Options.Label.
func (k *KMS) Fingerprint() string { return hex.EncodeToString(k.id[:4]) }

// open returns the ciphertext of a wrapped key, if it is one of this Transit key.
func (k *KMS) open(ctx context.Context, wrapped []byte) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if !k.Holds(wrapped) {
		return "", fmt.Errorf("%w: it is wrapped under key %s, this is key %s",
			phi.ErrWrongKey, phi.WrapperOf(wrapped), k.Fingerprint())
	}
	ciphertext := string(wrapped[headSize:])
	if version(ciphertext) == 0 {
		return "", fmt.Errorf("%w: the wrapped key is damaged", phi.ErrWrongKey)
	}
	return ciphertext, nil
}

var ciphertextForm = regexp.MustCompile(`^vault:v([1-9][0-9]{0,8}):(.+)$`)

// version returns the version of the Transit key in "vault:v1:…", 0 for anything else: Base64
// that is not canonical, too, so that no changed character passes for the same.
func version(ciphertext string) int {
	parts := ciphertextForm.FindStringSubmatch(ciphertext)
	if len(ciphertext) > maxCiphertext || parts == nil {
		return 0
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(parts[2])
	if err != nil || base64.StdEncoding.EncodeToString(raw) != parts[2] {
		return 0
	}
	v, _ := strconv.Atoi(parts[1]) // at most nine digits
	return v
}
