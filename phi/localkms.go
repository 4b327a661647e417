package phi

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
)

// localKMS wraps keys under a key-encryption key in this process:
//
//	0x01 ‖ kid of the key-encryption key (16) ‖ salt (12) ‖ nonce (12) ‖ ciphertext ‖ tag (16)
//
// with the bytes before the salt and the key's context authenticated.
type localKMS struct {
	id  KeyID
	kek *xaes
}

const localVersion = 0x01

func newLocalKMS(key []byte) localKMS { return localKMS{kidOf(key), newXAES(key)} }

// Wrap encrypts key, bound to c.
func (l localKMS) Wrap(ctx context.Context, key []byte, c KeyContext) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	out := append([]byte{localVersion}, l.id[:]...)
	aad := append(out[:len(out):len(out)], c.Bytes()...)
	salt := make([]byte, saltSize)
	rand.Read(salt) // never fails (crypto/rand)
	out = append(out, salt...)
	return l.kek.aead(salt).Seal(out, nil, key, aad), nil
}

// Unwrap decrypts what Wrap returned for the same c.
func (l localKMS) Unwrap(ctx context.Context, wrapped []byte, c KeyContext) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	const head = 1 + kidSize
	if len(wrapped) < head+saltSize+nonceSize+tagSize || wrapped[0] != localVersion {
		return nil, fmt.Errorf("%w: the wrapped key is damaged or of another KMS", ErrWrongKey)
	}
	if !l.Holds(wrapped) {
		return nil, fmt.Errorf("%w: it is wrapped under key %s, this is key %s",
			ErrWrongKey, WrapperOf(wrapped), l.Fingerprint())
	}
	aad := append(wrapped[:head:head], c.Bytes()...)
	salt, body := wrapped[head:head+saltSize], wrapped[head+saltSize:]
	key, err := l.kek.aead(salt).Open(nil, nil, body, aad)
	if err != nil {
		return nil, fmt.Errorf("%w: the wrapped key was altered or is another one", ErrWrongKey)
	}
	return key, nil
}

// Rewrap returns wrapped as it is, if it is what Wrap returned for the same c: there is one
// key-encryption key only. A Ring changes it.
func (l localKMS) Rewrap(ctx context.Context, wrapped []byte, c KeyContext) ([]byte, error) {
	key, err := l.Unwrap(ctx, wrapped, c)
	if err != nil {
		return nil, err
	}
	clear(key)
	return bytes.Clone(wrapped), nil
}

// Holds reports whether wrapped names this key-encryption key.
func (l localKMS) Holds(wrapped []byte) bool {
	return len(wrapped) > kidSize && wrapped[0] == localVersion && KeyID(wrapped[1:1+kidSize]) == l.id
}

// Fingerprint returns eight hexadecimal digits that tell this key-encryption key from
// others. They reveal nothing about it.
func (l localKMS) Fingerprint() string { return hex.EncodeToString(l.id[:4]) }

// MemoryKMS is a KMS whose key lives and dies with the process: for tests and examples.
// Whatever is sealed under it is lost at exit.
type MemoryKMS struct{ localKMS }

// NewMemoryKMS returns a KMS with a random key.
func NewMemoryKMS() *MemoryKMS { return &MemoryKMS{newLocalKMS(randomKey())} }
