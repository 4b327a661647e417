package phi

import (
	"os"
	"sync"
	"time"
)

// WithSync gives a journal another way to have the disk write.
func (f *ShredFile) WithSync(sync func(*os.File) error) { f.sync = sync }

// For the tests with outside vectors.

// DeriveXAES returns the AES-256-GCM key that XAES-256-GCM derives from key and the first half
// of the nonce.
func DeriveXAES(key, salt []byte) []byte {
	sub := make([]byte, keySize)
	newXAES(key).derive(sub, salt)
	return sub
}

// OpenXAES opens nonce ‖ ciphertext ‖ tag, with a nonce of 24 bytes.
func OpenXAES(key, sealed, aad []byte) ([]byte, error) {
	return newXAES(key).aead(sealed[:saltSize]).Open(nil, nil, sealed[saltSize:], aad)
}

// SealXAES returns nonce ‖ ciphertext ‖ tag for a salt.
func SealXAES(key, salt, plaintext, aad []byte) []byte {
	return newXAES(key).aead(salt).Seal(append([]byte{}, salt...), nil, plaintext, aad)
}

// KidOf returns the id of a key.
func KidOf(key []byte) KeyID { return kidOf(key) }

// DecodeKeyFile reads the text of a key file.
func DecodeKeyFile(text []byte) ([]byte, error) { return decodeKeyFile(text) }

// EncodeKeyFile returns the line of a key file.
func EncodeKeyFile(key []byte) string { return encodeKeyFile(key) }

// ExcerptOf returns the excerpt of s as a value of class c.
func ExcerptOf(c Class, s string) string { return c.partial(s) }

// MaskOf returns the mask of class c.
func MaskOf(c Class) string { return c.mask() }

// Overhead is how many bytes a sealed value adds to its padded plaintext.
const Overhead = overhead

// Cache is the cache of unwrapped keys.
type Cache struct{ c *cache[string, int] }

// NewCache returns a Cache of size.
func NewCache(size int) Cache { return Cache{newCache[string, int](size)} }

// Get returns the value of k at now.
func (c Cache) Get(k string, now time.Time) (int, bool) { return c.c.get(k, now) }

// Put keeps v until it expires.
func (c Cache) Put(k string, v int, expires time.Time) { c.c.put(k, v, expires) }

// Forget drops k.
func (c Cache) Forget(k string) { c.c.forget(k) }

// Leftovers seals and opens values with one scratchpad, gives it back, and returns all memory that
// plaintext was in.
func Leftovers(plains ...string) (arrays [][]byte) {
	m, l, p := &scratch{}, &lock{aead: newGCM(randomKey())}, &place{all: make([]byte, saltAt), split: saltAt}
	l.head[0], l.head[1] = suiteXAES, flagPadded
	note := func() {
		if n := len(arrays); n == 0 || &arrays[n-1][0] != &m.plain[:1][0] {
			arrays = append(arrays, m.plain[:cap(m.plain)])
		}
	}
	for _, plain := range plains {
		s := appendSealed(nil, m, l, p, "field", plain)
		note()
		if got, err := l.open(m, p, "field", s); err != nil || string(got) != plain {
			return nil
		}
		note()
	}
	m.done(new(sync.Pool))
	return arrays
}
