package audithttp

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
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
	bare     int         // status that replaces a withheld response
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

// admit is the gate: it returns nil if everything that was decided and seen is durable, and
// otherwise withholds the response.
func (w *response) admit() error {
	if !w.trail.Decided() {
		return w.withhold(ErrUndecided, nil)
	}
	if err := w.recheck(); err != nil {
		_ = w.trail.Flush(w.ctx) // what the recheck decided; nothing leaves either way
		return w.withhold(ErrRechecked, err)
	}
	if err := w.trail.Flush(w.ctx); err != nil {
		return w.withhold(ErrNotDurable, err)
	}
	return nil
}

// recheck questions the right to a long response. Like a flush it outlives the request's
// context, which ends when the handler returns although a hijacked connection goes on.
func (w *response) recheck() error {
	now := w.holder.options.Now()
	if now.Sub(w.checked) < RecheckEvery {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), audit.FlushTimeout)
	defer cancel()
	if err := w.trail.Recheck(ctx); err != nil {
		return err
	}
	w.checked = now
	return nil
}

// withhold drops what waits and accepts no more.
func (w *response) withhold(reason, cause error) error {
	w.fate = ErrWithheld
	w.bare = http.StatusServiceUnavailable
	if reason == ErrUndecided {
		w.bare = http.StatusInternalServerError
	}
	w.release()
	w.cancel(ErrWithheld)
	w.alarm(reason, cause)
	return w.fate
}

func (w *response) alarm(reason, cause error) {
	w.holder.raise(w.ctx, Alarm{Reason: reason, Cause: cause, Request: w.request, Method: w.method, Sent: w.sent})
}

// send lets the header, what waited and p leave.
func (w *response) send(p []byte) error {
	if err := w.admit(); err != nil {
		return err
	}
	if !w.sent {
		w.sent = true
		header := w.under.Header()
		clear(header)
		maps.Copy(header, w.fixed)
		w.under.WriteHeader(w.status)
	}
	if w.buffer != nil {
		waited := *w.buffer
		if err := w.write(waited); err != nil {
			return err
		}
		clear(waited)
		*w.buffer = waited[:0]
	}
	return w.write(p)
}

// write passes p on. An error of the connection is final.
func (w *response) write(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	_, err := w.under.Write(p)
	if err != nil {
		w.fate = err
		w.release()
	}
	return err
}

// finish ends a response whose handler returned. The trail comes first: what is seen from
// here on waits for its own record, what was seen before is recorded below.
func (w *response) finish() {
	w.leave()
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.hijacked != nil:
		w.record()
	case w.fate == nil:
		w.end()
	case w.fate != ErrWithheld: // the connection broke
		w.record()
	}
	bare := w.bare
	w.close()
	switch {
	case bare != 0 && w.sent:
		panic(http.ErrAbortHandler)
	case bare != 0:
		w.replaceBy(bare)
	}
}

// end sends the whole response or the rest of it, and the trailers.
func (w *response) end() {
	w.begin(http.StatusOK)
	w.declareLength()
	if w.send(nil) == nil {
		w.sendTrailers()
	}
}

// record makes durable what is pending although no byte leaves anymore.
func (w *response) record() {
	if err := w.trail.Flush(w.ctx); err != nil {
		w.alarm(ErrNotDurable, err)
	}
}

// replaceBy answers with the status, the header as at entry and nothing else.
func (w *response) replaceBy(status int) {
	header := w.under.Header()
	header.Set("Content-Length", "0")
	if status == http.StatusServiceUnavailable {
		header.Set("Retry-After", strconv.Itoa(int(RetryAfter/time.Second)))
	}
	w.under.WriteHeader(status)
}

// drop ends a response whose handler panicked: what happened is recorded, what waits is not
// sent, and the panic goes on to the server, which closes the connection.
func (w *response) drop() {
	w.leave()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done {
		return
	}
	w.close()
	w.record()
}

// leave marks the handler as returned.
func (w *response) leave() {
	w.trail.Return()
	w.life.Lock()
	defer w.life.Unlock()
	w.returned = true
}

// close refuses whatever a goroutine of the handler still tries.
func (w *response) close() {
	w.done = true
	w.fate = ErrReturned
	w.release()
}

// declareLength tells the length of a response that waited as a whole; net/http does the
// same for small ones only.
func (w *response) declareLength() {
	if w.sent || w.length >= 0 || w.buffer == nil || w.header.Get("Transfer-Encoding") != "" || w.hasTrailers() {
		return
	}
	w.fixed.Set("Content-Length", strconv.Itoa(len(*w.buffer)))
}

func (w *response) hasTrailers() bool {
	if w.fixed.Get("Trailer") != "" {
		return true
	}
	for name := range w.header {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			return true
		}
	}
	return false
}

// sendTrailers copies the trailers, which net/http reads when the handler has returned.
func (w *response) sendTrailers() {
	header := w.under.Header()
	for _, list := range w.fixed["Trailer"] {
		for name := range strings.SplitSeq(list, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			if v, ok := w.header[name]; ok {
				header[name] = v
			}
		}
	}
	for name, v := range w.header {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			header[name] = v
		}
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
