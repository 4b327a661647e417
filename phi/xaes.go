package phi

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"sync/atomic"
)

const (
	keySize   = 32
	saltSize  = 12
	nonceSize = 12
	tagSize   = 16
)

// xaes is XAES-256-GCM (c2sp.org/XAES-256-GCM): AES-256-GCM under a key derived from the
// first half of a 192-bit nonce, so that random nonces never run out: 2^80 messages under one
// key at a collision risk of 2^-32.
//
// It is built on cipher.NewGCMWithRandomNonce, whose output nonce ‖ ciphertext ‖ tag,
// preceded by the salt, is exactly what C2SP specifies, and which is the one AES-GCM that
// GODEBUG=fips140=only admits.
type xaes struct {
	block cipher.Block
	k1    [16]byte
	last  atomic.Pointer[lock] // under which something was opened last
}

// newXAES prepares a 32-byte key.
func newXAES(key []byte) *xaes {
	x := &xaes{block: newBlock(key)}
	x.block.Encrypt(x.k1[:], x.k1[:])
	msb := byte(0)
	for i := len(x.k1) - 1; i >= 0; i-- {
		msb, x.k1[i] = x.k1[i]>>7, x.k1[i]<<1|msb
	}
	x.k1[15] ^= msb * 0x87
	return x
}

// aead returns the AEAD for one 12-byte salt. Its Seal draws the other half of the nonce.
func (x *xaes) aead(salt []byte) cipher.AEAD { return x.aeadVia(new([keySize]byte), salt) }

// aeadVia is aead with the memory that the derived key passes through.
func (x *xaes) aeadVia(sub *[keySize]byte, salt []byte) cipher.AEAD {
	x.derive(sub[:], salt)
	defer clear(sub[:])
	return newGCM(sub[:])
}

// newGCM returns AES-256-GCM that draws its nonces and writes them in front.
func newGCM(key []byte) cipher.AEAD {
	gcm, err := cipher.NewGCMWithRandomNonce(newBlock(key))
	if err != nil {
		panic("phi: AES-GCM: " + err.Error()) // only for a block that is not AES
	}
	return gcm
}

// derive is NIST SP 800-108r1 with CMAC: two blocks, each of a single-block message.
func (x *xaes) derive(sub, salt []byte) {
	for i := range 2 {
		m := sub[16*i : 16*i+16]
		copy(m, []byte{0, byte(i + 1), 'X', 0})
		copy(m[4:], salt[:saltSize])
		subtle.XORBytes(m, m, x.k1[:])
		x.block.Encrypt(m, m)
	}
}

func newBlock(key []byte) cipher.Block {
	if len(key) != keySize {
		panic("phi: AES key is not 32 bytes")
	}
	b, err := aes.NewCipher(key)
	if err != nil {
		panic("phi: AES: " + err.Error()) // only for a wrong key size
	}
	return b
}

// randomKey returns 32 random bytes.
func randomKey() []byte {
	key := make([]byte, keySize)
	rand.Read(key) // never fails (crypto/rand)
	return key
}
