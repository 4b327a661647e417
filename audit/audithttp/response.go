package audithttp

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// response is the only http.ResponseWriter a handler gets to see. It embeds nothing and has
// no Unwrap: every method that lets bytes out is written here, so none goes around it.
type response struct {
	holder  *holder
	under   http.ResponseWriter
	ctx     context.Context
	cancel  context.CancelCauseFunc
	trail   *audit.Trail
	request string
	method  string
	major   int // of the HTTP version

	mu       sync.Mutex
	header   http.Header // the handler's
	fixed    http.Header // as it was when the status was chosen
	status   int         // 0 until the handler chose one
	length   int64       // Content-Length as the handler declared it, -1 if it did not
	written  int64       // bytes the handler wrote
	buffer   *[]byte     // what waits; nil while nothing does
	sent     bool        // whether the header has left
	checked  time.Time   // of the last recheck
	fate     error       // why nothing more is accepted from the handler, nil while it is
	withheld error       // why the response was withheld, nil if it was not
	hijacked *conn
	done     bool

	life     sync.RWMutex // held while the connection is adjusted; never while bytes leave
	returned bool
}

// Header returns the handler's own map; it reaches the client as it is when the status is
// chosen. After the handler returned it is a map that nobody reads.
func (w *response) Header() http.Header {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done {
		return http.Header{}
	}
	return w.header
}

// WriteHeader chooses the status. Informational responses are withheld: they would leave
// before the decision. An impossible code panics, as net/http's does.
func (w *response) WriteHeader(code int) {
	if code < 100 || code > 999 {
		panic(fmt.Sprintf("audithttp: invalid status code %d", code))
	}
	if code < 200 && code != http.StatusSwitchingProtocols {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fate == nil {
		w.begin(code)
	}
}

// Write lets p wait, or makes the record durable and sends what waited and p.
func (w *response) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.accept(len(p)); err != nil || len(p) == 0 {
		return 0, err
	}
	if w.fits(len(p)) {
		*w.buffer = append(*w.buffer, p...)
		return len(p), nil
	}
	if err := w.send(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// WriteString is Write.
func (w *response) WriteString(s string) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.accept(len(s)); err != nil || len(s) == 0 {
		return 0, err
	}
	if w.fits(len(s)) {
		*w.buffer = append(*w.buffer, s...)
		return len(s), nil
	}
	if err := w.send([]byte(s)); err != nil {
		return 0, err
	}
	return len(s), nil
}

// accept answers a write of n bytes as net/http would, so that a handler behaves below Hold
// as it does without.
func (w *response) accept(n int) error {
	if w.fate != nil {
		return w.fate
	}
	w.begin(http.StatusOK)
	if n == 0 {
		return nil
	}
	if w.status < 200 || w.status == http.StatusNoContent || w.status == http.StatusNotModified {
		return http.ErrBodyNotAllowed
	}
	w.written += int64(n)
	if w.length >= 0 && w.written > w.length {
		return http.ErrContentLength
	}
	return nil
}

// fits reports whether n more bytes may wait, and sees to the buffer.
func (w *response) fits(n int) bool {
	if w.buffer == nil {
		w.buffer = w.holder.borrow()
	}
	return len(*w.buffer)+n <= BufferSize
}

// begin fixes status and header, once. The response below keeps its own header, as at entry,
// until bytes leave.
func (w *response) begin(code int) {
	if w.status != 0 {
		return
	}
	w.status = code
	w.fixed = w.header.Clone()
	if n, err := strconv.ParseInt(w.header.Get("Content-Length"), 10, 64); err == nil && n >= 0 {
		w.length = n
	}
}

// borrow takes an empty buffer from the pool.
func (h *holder) borrow() *[]byte {
	if b, ok := h.buffers.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, 0, 4<<10)
	return &b
}

// release gives the buffer back without what was in it.
func (w *response) release() {
	if w.buffer == nil {
		return
	}
	clear(*w.buffer)
	*w.buffer = (*w.buffer)[:0]
	w.holder.buffers.Put(w.buffer)
	w.buffer = nil
}
