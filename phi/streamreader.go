package phi

import (
	"context"
	"io"
)

// StreamReader opens a sealed stream. Nothing leaves it before the chunk that it is in is
// authenticated. It uses constant memory. It is not for concurrent use.
type StreamReader struct {
	src    io.Reader
	chunks *chunks
	in     []byte // a sealed chunk
	buf    []byte // for a plain one
	plain  []byte // what of it was not yet read
	err    error
}

// UnsealStream returns a reader of what was sealed for the same place with SealStream. It
// reads the header, and checks it, before it returns; its errors are those of Vault.Unseal.
//
// The chunks are checked as they are read: whoever needs to know that a file is whole has to
// read to io.EOF. Any other end is an error: ErrAltered where a chunk was changed or exchanged,
// ErrTruncated where the stream stops too early, and both of them where the last chunk does
// not open, which has either reason; all are ErrTampered. Where src fails its error is
// wrapped, and nothing is said about the data.
func (v *Vault) UnsealStream(ctx context.Context, at At, src io.Reader) (*StreamReader, error) {
	head, _, err := readUpTo(StreamHeaderSize, src, nil)
	if err != nil {
		return nil, streamError("reading a sealed stream", err)
	}
	c, fileKey, err := v.openStream(ctx, at, head)
	if err != nil {
		return nil, err
	}
	clear(fileKey)
	return &StreamReader{src: src, chunks: c}, nil
}

// Read returns plaintext of an authenticated chunk, io.EOF after the whole stream.
func (r *StreamReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(r.plain) == 0 {
		if r.err != nil {
			return 0, r.end()
		}
		r.fill()
	}
	n := copy(p, r.plain)
	r.plain = r.plain[n:]
	return n, nil
}

// WriteTo writes the plaintext of the whole stream to w, chunk by chunk; io.Copy uses it.
func (r *StreamReader) WriteTo(w io.Writer) (n int64, err error) {
	for {
		if len(r.plain) > 0 {
			k, err := w.Write(r.plain)
			if err == nil && k < len(r.plain) {
				err = io.ErrShortWrite
			}
			n += int64(k)
			r.plain = r.plain[k:]
			if err != nil {
				return n, err
			}
			continue
		}
		if r.err == nil {
			r.fill()
			continue
		}
		if err := r.end(); err != io.EOF {
			return n, err
		}
		return n, nil
	}
}

// fill opens the next chunk, or sets the error with which the stream ends.
func (r *StreamReader) fill() {
	in, _, err := readUpTo(chunkSealed, r.src, r.in[:0])
	r.in = in
	if err != nil {
		r.err = streamError("reading a sealed stream", err)
		return
	}
	if len(in) < nonceSize+tagSize {
		r.err = ErrTruncated
		return
	}
	last := len(in) < chunkSealed
	aad, err := r.chunks.advance(last)
	if err != nil {
		r.err = err
		return
	}
	plain, err := r.chunks.aead.Open(r.buf[:0], nil, in, aad)
	switch {
	case err != nil && last:
		r.err = errLastChunk
	case err != nil:
		r.err = ErrAltered
	default:
		r.buf, r.plain = plain, plain
		if last {
			r.err = io.EOF
		}
	}
}

// end forgets the plaintext and returns the error with which the stream ended.
func (r *StreamReader) end() error {
	clear(r.buf[:cap(r.buf)])
	return r.err
}
