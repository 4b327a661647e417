package recert

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// A bundle is a text of lines, each {"chain":"…","record":{…}} and a line break. The chain of a line is
// SHA-256 over the chain before it, 32 bytes, and the bytes of the record; that of the first line is over
// the hash of chainSeed. So a line that is changed, left out, put elsewhere or added changes every chain
// after it, and the last line, of kind "end", says how many there are.
const (
	chainSeed   = "wardkit recert evidence v1\n"
	chainOpen   = `{"chain":"`
	chainRecord = `","record":`
	chainClose  = "}\n"
	chainHex    = 2 * sha256.Size

	// maxRecord is the longest line of a bundle, in bytes.
	maxRecord = 1 << 20
)

// chainWriter writes lines and keeps the chain.
type chainWriter struct {
	out  bytes.Buffer
	last [sha256.Size]byte
	n    int
}

func newChain() *chainWriter { return &chainWriter{last: sha256.Sum256([]byte(chainSeed))} }

// add writes a record.
func (c *chainWriter) add(record any) error {
	body, err := encodeRecord(record)
	if err != nil {
		return err
	}
	c.last = link(c.last, body)
	c.n++
	c.out.WriteString(chainOpen + hex.EncodeToString(c.last[:]) + chainRecord)
	c.out.Write(body)
	c.out.WriteString(chainClose)
	return nil
}

// digest is the chain so far, as lower-case hexadecimal digits.
func (c *chainWriter) digest() string { return hex.EncodeToString(c.last[:]) }

func link(before [sha256.Size]byte, record []byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write(before[:])
	h.Write(record)
	return [sha256.Size]byte(h.Sum(nil))
}

// encodeRecord returns the bytes of a record, the same for the same record, without a line break.
func encodeRecord(record any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(record); err != nil {
		return nil, fmt.Errorf("recert: encoding evidence: %w", err)
	}
	body := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if len(body) > maxRecord-len(chainOpen)-chainHex-len(chainRecord)-len(chainClose) {
		return nil, errors.New("recert: encoding evidence: a record is too long")
	}
	return body, nil
}

// chainReader reads lines and checks the chain.
type chainReader struct {
	in   *bufio.Reader
	last [sha256.Size]byte
	n    int
}

func readChain(r io.Reader) *chainReader {
	return &chainReader{in: bufio.NewReaderSize(r, maxRecord), last: sha256.Sum256([]byte(chainSeed))}
}

// next returns the bytes of the next record, which hold until the call after it; io.EOF after the last
// one. Whatever the writer would not have written there is ErrBundle.
func (c *chainReader) next() ([]byte, error) {
	line, err := c.in.ReadSlice('\n')
	switch {
	case errors.Is(err, io.EOF) && len(line) == 0:
		return nil, io.EOF
	case errors.Is(err, io.EOF), errors.Is(err, bufio.ErrBufferFull):
		return nil, c.wrong("a line that does not end")
	case err != nil:
		return nil, fmt.Errorf("recert: reading a bundle: %w", err)
	}
	rest, ok := bytes.CutPrefix(line, []byte(chainOpen))
	if !ok || len(rest) < chainHex {
		return nil, c.wrong("no line of a bundle")
	}
	chain := rest[:chainHex]
	body, before := bytes.CutPrefix(rest[chainHex:], []byte(chainRecord))
	body, after := bytes.CutSuffix(body, []byte(chainClose))
	if !before || !after {
		return nil, c.wrong("no line of a bundle")
	}
	next := link(c.last, body)
	if hex.EncodeToString(next[:]) != string(chain) {
		return nil, c.wrong("changed, left out or put elsewhere")
	}
	c.last = next
	c.n++
	return body, nil
}

// wrong is ErrBundle with the line at which the bundle is not what was written.
func (c *chainReader) wrong(why string) error { return &BundleError{Line: c.n + 1, Why: why} }

// digest is the chain of what was read, as lower-case hexadecimal digits.
func (c *chainReader) digest() string { return hex.EncodeToString(c.last[:]) }
