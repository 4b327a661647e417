package audithttp

import (
	"bufio"
	"net"
	"net/http"
	"time"
)

// Flush is FlushError for handlers that ask for an http.Flusher.
func (w *response) Flush() { _ = w.FlushError() }

// FlushError sends what waits, once it is recorded.
func (w *response) FlushError() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fate != nil {
		return w.fate
	}
	w.begin(http.StatusOK)
	if err := w.send(nil); err != nil {
		return err
	}
	return http.NewResponseController(w.under).Flush()
}

// Hijack hands the connection over, once everything so far is recorded and what waits has
// left. Each later Write on the connection passes the same gate as the response.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fate != nil {
		return nil, nil, w.fate
	}
	if w.major > 1 {
		return nil, nil, http.ErrNotSupported
	}
	control := http.NewResponseController(w.under)
	if err := w.admit(); err != nil {
		return nil, nil, err
	}
	if w.status != 0 { // net/http would lose what it buffered itself
		if err := w.send(nil); err != nil {
			return nil, nil, err
		}
		if err := control.Flush(); err != nil {
			return nil, nil, err
		}
	}
	raw, rw, err := control.Hijack()
	if err != nil {
		return nil, nil, err
	}
	w.sent = true
	w.fate = http.ErrHijacked
	w.release()
	w.hijacked = &conn{raw: raw, response: w}
	return w.hijacked, bufio.NewReadWriter(rw.Reader, bufio.NewWriter(w.hijacked)), nil
}

// SetReadDeadline bounds reading the request, see http.ResponseController.
func (w *response) SetReadDeadline(t time.Time) error {
	return w.adjust(func(c *http.ResponseController) error { return c.SetReadDeadline(t) })
}

// SetWriteDeadline bounds writing the response, see http.ResponseController.
func (w *response) SetWriteDeadline(t time.Time) error {
	return w.adjust(func(c *http.ResponseController) error { return c.SetWriteDeadline(t) })
}

// EnableFullDuplex lets an HTTP/1 handler read while it writes, see http.ResponseController.
func (w *response) EnableFullDuplex() error {
	return w.adjust((*http.ResponseController).EnableFullDuplex)
}

// adjust changes the connection while it is still this request's. It does not wait for a
// write in progress, because a deadline is how one is ended.
func (w *response) adjust(f func(*http.ResponseController) error) error {
	w.life.RLock()
	defer w.life.RUnlock()
	if w.returned {
		return ErrReturned
	}
	return f(http.NewResponseController(w.under))
}
