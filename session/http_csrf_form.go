package session

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
)

// peekForm is how much of a body is looked at for the first field, in bytes: a boundary of
// 70, the headers of one part and the value.
const peekForm = 1 << 10

// presentedCSRF returns the identifier that a request carries, "" if none or two headers.
func presentedCSRF(r *http.Request) string {
	if lines := r.Header[CSRFHeader]; len(lines) != 0 {
		if len(lines) != 1 {
			return ""
		}
		return lines[0]
	}
	kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || r.Body == nil {
		return ""
	}
	switch kind {
	case "application/x-www-form-urlencoded":
		return firstPair(peek(r, len(CSRFField)+1+csrfChars+1))
	case "multipart/form-data":
		return firstPart(peek(r, peekForm), parameters["boundary"])
	}
	return ""
}

// peek returns up to n bytes of the body and leaves it as it was. An error of the body comes
// again when the handler reads as far.
func peek(r *http.Request, n int) []byte {
	b := make([]byte, n)
	n, err := io.ReadFull(r.Body, b)
	b = b[:n]
	rest := io.Reader(r.Body)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		rest = failed{err}
	}
	r.Body = &peeked{io.MultiReader(bytes.NewReader(b), rest), r.Body}
	return b
}

// peeked is a body of which something was read already.
type peeked struct {
	io.Reader
	io.Closer
}

type failed struct{ err error }

func (f failed) Read([]byte) (int, error) { return 0, f.err }

// firstPair reads the value of the first field of an encoded form. An identifier has no
// character that browsers escape (WHATWG URL, section 5.2).
func firstPair(b []byte) string {
	value, ok := strings.CutPrefix(string(b), CSRFField+"=")
	if !ok {
		return ""
	}
	value, _, _ = strings.Cut(value, "&")
	return value
}

// firstPart reads the value of the first part of a multipart form (RFC 7578). A part that
// does not end within b has no value, and neither has a file.
func firstPart(b []byte, boundary string) string {
	if boundary == "" {
		return ""
	}
	part, err := multipart.NewReader(bytes.NewReader(b), boundary).NextPart()
	if err != nil || part.FormName() != CSRFField || part.FileName() != "" {
		return ""
	}
	value, err := io.ReadAll(part)
	if err != nil {
		return ""
	}
	return string(value)
}
