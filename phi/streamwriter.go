package phi

import (
	"context"
	"errors"
	"io"
)

// StreamWriter seals what is written to it, in chunks of 64 KiB. It uses constant memory. It
// is not for concurrent use.
type StreamWriter struct {
	dst    io.Writer
	chunks *chunks
	plain  []byte // not yet sealed, less than a chunk
	out    []byte
	err    error // of the first failure, or errClosed
}

var errClosed = errors.New("phi: write to a closed stream")

// SealStream returns a writer that encrypts for one place what is written to it, and writes
// that to dst. The stream ends with Close: without it, or after any error, what dst holds is
// refused as truncated by UnsealStream. So where the source of the data fails, do not Close;
// io.Copy into the writer notices that by itself.
//
// A patient's first stream creates the patient's key, see Vault.Seal. Length is not hidden.
func (v *Vault) SealStream(ctx context.Context, at At, dst io.Writer) (*StreamWriter, error) {
	head, c, err := v.newStream(ctx, at)
	if err != nil {
		return nil, err
	}
	w := &StreamWriter{dst: dst, chunks: c}
	if err := w.write(head); err != nil {
		return nil, err
	}
	return w, nil
}

// Write seals p. After an error every further call fails with it.
func (w *StreamWriter) Write(p []byte) (n int, err error) {
	for n < len(p) && w.err == nil {
		if len(w.plain) == 0 && len(p)-n >= chunkSize {
			w.seal(p[n:n+chunkSize], false)
			n += chunkSize
			continue
		}
		w.plain = grow(w.plain, chunkSize)
		k := copy(w.plain[len(w.plain):cap(w.plain)], p[n:])
		w.plain = w.plain[:len(w.plain)+k]
		n += k
		w.flush()
	}
	return n, w.err
}

// ReadFrom seals everything that r yields; io.Copy uses it. Where r fails the stream can no
// longer be completed: Close returns the error too.
func (w *StreamWriter) ReadFrom(r io.Reader) (n int64, err error) {
	for w.err == nil {
		before, end := len(w.plain), false
		w.plain, end, err = readUpTo(chunkSize, r, w.plain)
		n += int64(len(w.plain) - before)
		if err != nil {
			w.fail(streamError("reading what to seal", err))
			break
		}
		w.flush()
		if end {
			break
		}
	}
	return n, w.err
}

// Close seals the last chunk. It does not close dst. Its error says that the stream is not
// complete; a second call returns the same.
func (w *StreamWriter) Close() error {
	if w.err == errClosed {
		return nil
	}
	if w.err == nil {
		w.seal(w.plain, true)
	}
	if w.err != nil {
		return w.err
	}
	w.fail(errClosed)
	return nil
}

// flush seals the buffer if it is full.
func (w *StreamWriter) flush() {
	if len(w.plain) == chunkSize {
		w.seal(w.plain, false)
		w.plain = w.plain[:0]
	}
}

func (w *StreamWriter) seal(plain []byte, last bool) {
	aad, err := w.chunks.advance(last)
	if err != nil {
		w.fail(err)
		return
	}
	w.out = w.chunks.aead.Seal(w.out[:0], nil, plain, aad)
	if err := w.write(w.out); err != nil {
		w.fail(err)
	}
}

func (w *StreamWriter) write(b []byte) error {
	n, err := w.dst.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return streamError("writing a sealed stream", err)
	}
	return nil
}

// fail ends the stream and forgets its plaintext.
func (w *StreamWriter) fail(err error) {
	w.err = err
	clear(w.plain[:cap(w.plain)])
	w.plain = w.plain[:0]
}
