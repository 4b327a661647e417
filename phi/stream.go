package phi

import (
	"context"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"io"
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
// ends is never a guess, and one that ends with a full chunk was cut. A chunk's additional
// data are its number from 0 as 8 bytes, big endian, and a byte that is 1 for the last chunk.
// The chunks' key and the commitment are the halves of HKDF-Expand(file key, "phi/v1/stream" ‖
// the place, 64): a header commits to its key and its place, and ResealStream can give a file
// to another key without touching its chunks.
const (
	suiteStream = 0x81

	fileKeyAt    = nonceAt + nonceSize
	commitmentAt = fileKeyAt + keySize + tagSize

	chunkSize   = 64 << 10
	chunkSealed = nonceSize + chunkSize + tagSize

	// maxChunks is how many random nonces SP 800-38D allows under one key; 256 TiB.
	maxChunks = 1 << 32
)

// StreamHeaderSize is how many bytes precede the chunks of a sealed stream.
const StreamHeaderSize = commitmentAt + keySize

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
	defer clear(out[:keySize])
	return newGCM(out[:keySize]), out[keySize:]
}

// newStream returns the header of a new stream and what seals its chunks.
func (v *Vault) newStream(ctx context.Context, at At) ([]byte, *chunks, error) {
	fileKey := randomKey()
	defer clear(fileKey)
	head, err := v.wrapFileKey(ctx, at, fileKey)
	if err != nil {
		return nil, nil, err
	}
	aead, commitment := v.fileKeys(at, fileKey)
	return append(head, commitment...), &chunks{aead: aead}, nil
}

// wrapFileKey returns a header without its commitment.
func (v *Vault) wrapFileKey(ctx context.Context, at At, fileKey []byte) ([]byte, error) {
	if err := at.check(); err != nil {
		return nil, err
	}
	var l lock
	if err := v.newLock(ctx, new(scratch), &l, &at); err != nil {
		return nil, err
	}
	l.head[0], l.head[1] = suiteStream, l.head[1]&flagScope
	head := append(make([]byte, 0, StreamHeaderSize), l.head[:]...)
	return l.aead.Seal(head, nil, fileKey, v.streamAAD(at, head)), nil
}

// openStream returns what opens the chunks that follow a header, and the file key.
func (v *Vault) openStream(ctx context.Context, at At, head []byte) (*chunks, []byte, error) {
	if err := at.check(); err != nil {
		return nil, nil, err
	}
	h, err := parseStream(head)
	if err != nil {
		return nil, nil, err
	}
	x, err := v.keyAt(ctx, at, h)
	if err != nil {
		return nil, nil, err
	}
	fileKey, err := x.lock(new(scratch), head).aead.Open(nil, nil, head[nonceAt:commitmentAt], v.streamAAD(at, head))
	if err != nil {
		return nil, nil, ErrAltered
	}
	aead, commitment := v.fileKeys(at, fileKey)
	if subtle.ConstantTimeCompare(commitment, head[commitmentAt:]) != 1 {
		clear(fileKey)
		return nil, nil, ErrAltered
	}
	return &chunks{aead: aead}, fileKey, nil
}

// ResealStream returns the header of a sealed stream, its first StreamHeaderSize bytes, under
// the key that seals its place now: after a rotation it takes the place of the old one, and
// the rest of the file stays as it is. Its errors are those of UnsealStream.
func (v *Vault) ResealStream(ctx context.Context, at At, header []byte) ([]byte, error) {
	_, fileKey, err := v.openStream(ctx, at, header)
	if err != nil {
		return nil, err
	}
	defer clear(fileKey)
	head, err := v.wrapFileKey(ctx, at, fileKey)
	if err != nil {
		return nil, err
	}
	return append(head, header[commitmentAt:]...), nil
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
	case len(head) != StreamHeaderSize:
		return h, ErrTruncated
	case head[1]&^flagPatient != 0:
		return h, ErrUnknownSuite
	}
	h.flags = head[1]
	copy(h.kid[:], head[kidAt:saltAt])
	return h, nil
}

// readUpTo appends to b what r yields, until b has limit bytes or r ends. An
// io.ErrUnexpectedEOF of r itself, which is how the body of a request says that it was cut
// off, is the failure it means to be and no end, as it would be for io.ReadFull.
func readUpTo(limit int, r io.Reader, b []byte) (all []byte, end bool, err error) {
	for idle := 0; len(b) < limit; idle++ {
		b = grow(b, limit)
		n, err := r.Read(b[len(b):min(cap(b), limit)])
		b = b[:len(b)+n]
		switch {
		case err == io.EOF:
			return b, true, nil
		case err != nil:
			return b, false, err
		case n > 0:
			idle = 0
		case idle == 100:
			return b, false, io.ErrNoProgress
		}
	}
	return b, false, nil
}

// grow makes room in b where it has none: a little for a small file, then up to limit.
func grow(b []byte, limit int) []byte {
	if len(b) < cap(b) {
		return b
	}
	size := limit
	if cap(b) == 0 {
		size = min(limit, 4096)
	}
	larger := append(make([]byte, 0, size), b...)
	clear(b)
	return larger
}

// streamError says that reading or writing failed, which is no statement about the data.
func streamError(doing string, err error) error { return fmt.Errorf("phi: %s: %w", doing, err) }
