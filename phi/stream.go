package phi

import (
	"context"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
)

// The sealed stream, version 1: for files. It is final: every later release reads it.
//
//	  0   1   suite       0x81 = chunks of AES-256-GCM under a file key
//	  1   1   flags       bits 0–1 scope (0 tenant, 1 patient), other bits 0
//	  2  16   kid         as in a sealed value
//	 18  12   salt        fresh
//	 30  12   nonce       fresh
//	 42  32   file key    random, encrypted with XAES-256-GCM
//	 74  16   tag         AAD = bytes 0–17 ‖ the place, as in a sealed value
//	 90  32   commitment
//	122       chunks: nonce (12) ‖ ciphertext ‖ tag (16)
//
// Every chunk but the last holds 64 KiB, the last one less, perhaps nothing: where a stream
// ends is never a guess, and one that ends with a full chunk was cut. A chunk's additional data
// are its number from 0 as 8 bytes, big endian, and 1 for the last chunk or 0. The chunks' key and the
// commitment are the halves of HKDF-Expand(file key, "phi/v1/stream" ‖ the place, 64), so that
// a header commits to its key and its place, and a file can be given to another key of the
// same place by sealing 48 bytes anew.
const (
	suiteStream = 0x81

	fileKeyAt    = nonceAt + nonceSize
	commitmentAt = fileKeyAt + keySize + tagSize
	streamHeader = commitmentAt + keySize

	chunkSize   = 64 << 10
	chunkSealed = nonceSize + chunkSize + tagSize

	// maxChunks is how many random nonces SP 800-38D allows under one key; 256 TiB.
	maxChunks = 1 << 32
)

// chunks seals or opens the chunks of one stream, one after the other.
type chunks struct {
	aead cipher.AEAD
	next uint64
	aad  [9]byte
}

// advance returns the additional data of the next chunk.
func (c *chunks) advance(last bool) ([]byte, error) {
	if c.next >= maxChunks {
		return nil, ErrTooLong
	}
	binary.BigEndian.PutUint64(c.aad[:], c.next)
	c.aad[8] = 0
	if last {
		c.aad[8] = 1
	}
	c.next++
	return c.aad[:], nil
}

// fileKeys returns the chunks' AEAD and the commitment that follow from a file key.
func (v *Vault) fileKeys(at At, fileKey []byte) (cipher.AEAD, []byte) {
	var p place
	p.bind(nil, v.namespace, &at)
	where := p.appendAAD(nil, make([]byte, saltAt), at.Field)[saltAt:]
	out := expand(fileKey, "phi/v1/stream"+string(where), 2*keySize)
	return newGCM(out[:keySize]), out[keySize:]
}

// newStream returns the header of a new stream and what seals its chunks.
func (v *Vault) newStream(ctx context.Context, at At) ([]byte, *chunks, error) {
	if err := at.check(); err != nil {
		return nil, nil, err
	}
	var l lock
	if err := v.newLock(ctx, new(scratch), &l, &at); err != nil {
		return nil, nil, err
	}
	l.head[0], l.head[1] = suiteStream, l.head[1]&flagScope
	fileKey := randomKey()
	defer clear(fileKey)
	aead, commitment := v.fileKeys(at, fileKey)
	head := append(make([]byte, 0, streamHeader), l.head[:]...)
	head = l.aead.Seal(head, nil, fileKey, v.streamAAD(at, head))
	return append(head, commitment...), &chunks{aead: aead}, nil
}

// openStream returns what opens the chunks that follow a header.
func (v *Vault) openStream(ctx context.Context, at At, head []byte) (*chunks, error) {
	h, err := parseStream(head)
	if err != nil {
		return nil, err
	}
	x, err := v.keyAt(ctx, at, h)
	if err != nil {
		return nil, err
	}
	var l lock
	l.of(new(scratch), x, head)
	fileKey, err := l.aead.Open(nil, nil, head[nonceAt:commitmentAt], v.streamAAD(at, head))
	if err != nil {
		return nil, ErrAltered
	}
	defer clear(fileKey)
	aead, commitment := v.fileKeys(at, fileKey)
	if subtle.ConstantTimeCompare(commitment, head[commitmentAt:]) != 1 {
		return nil, ErrAltered
	}
	return &chunks{aead: aead}, nil
}

// streamAAD is what the file key is bound to.
func (v *Vault) streamAAD(at At, head []byte) []byte {
	var p place
	p.bind(nil, v.namespace, &at)
	return p.appendAAD(nil, head, at.Field)
}

// parseStream reads the header of a stream.
func parseStream(head []byte) (h header, err error) {
	switch {
	case len(head) > 0 && head[0] != suiteStream:
		return h, ErrUnknownSuite
	case len(head) != streamHeader:
		return h, ErrTruncated
	case head[1]&^flagPatient != 0:
		return h, ErrUnknownSuite
	}
	h.flags = head[1]
	copy(h.kid[:], head[kidAt:saltAt])
	return h, nil
}

// streamError says that reading or writing failed, which is no statement about the data.
func streamError(doing string, err error) error { return fmt.Errorf("phi: %s: %w", doing, err) }
