package audithttp

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// finish ends a response whose handler returned. The trail comes first: what is seen from
// here on waits for its own record, what was seen before is recorded below, whether or not a
// byte of it leaves.
func (w *response) finish() {
	w.leave()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fate == nil {
		w.end()
	} else {
		w.record()
	}
	w.close()
	switch {
	case w.withheld == nil || w.hijacked != nil:
	case w.sent:
		panic(http.ErrAbortHandler)
	default:
		w.replace()
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

// record makes durable what is pending although no more bytes leave. A failure that was told
// before is not told again.
func (w *response) record() {
	if err := w.trail.Flush(w.ctx); err != nil && w.withheld != ErrNotDurable {
		w.alarm(ErrNotDurable, err)
	}
}

// replace answers with a bare status and the header as at entry.
func (w *response) replace() {
	header := w.under.Header()
	header.Set("Content-Length", "0")
	if w.withheld == ErrUndecided {
		w.under.WriteHeader(http.StatusInternalServerError)
		return
	}
	header.Set("Retry-After", strconv.Itoa(int(RetryAfter/time.Second)))
	w.under.WriteHeader(http.StatusServiceUnavailable)
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
