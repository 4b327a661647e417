package audithttp

import (
	"context"
	"maps"

	"github.com/wardkit/wardkit/audit"
)

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
	w.withheld = reason
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
