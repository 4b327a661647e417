package audithttp

import (
	"context"
	"errors"
	"log/slog"
)

// What a handler's Write, Flush or Hijack returns. Neither needs handling: whatever the
// handler does next, nothing more of its response leaves.
var (
	// ErrWithheld: the response was dropped or cut off; an Alarm said why.
	ErrWithheld = errors.New("audithttp: response withheld")
	// ErrReturned: the handler has returned, its response is complete.
	ErrReturned = errors.New("audithttp: the handler has returned")
)

// Why a response was withheld, in Alarm.Reason.
var (
	// ErrUndecided: neither audit.Decide nor audit.Exempt was called. A route is unguarded.
	ErrUndecided = errors.New("audithttp: nobody decided about the request")
	// ErrNotDurable: the events of the request could not be recorded.
	ErrNotDurable = errors.New("audithttp: the request could not be recorded")
	// ErrRechecked: a question added with audit.OnRecheck was answered with an error.
	ErrRechecked = errors.New("audithttp: the right to the response ended")
)

// Alarm says that a response, or the rest of one, was withheld. It holds no path, because
// a path may name a patient.
type Alarm struct {
	Reason  error  // ErrUndecided, ErrNotDurable or ErrRechecked
	Cause   error  // what the recorder or the recheck answered; nil for ErrUndecided
	Request string // X-Request-Id of the response
	Method  string
	Sent    bool // whether a part of the response had left before
}

// raise logs the alarm and tells the host.
func (h *holder) raise(ctx context.Context, a Alarm) {
	logger := h.options.Logger
	if logger == nil {
		logger = slog.Default()
	}
	attrs := []slog.Attr{
		slog.Any("reason", a.Reason),
		slog.String("request", a.Request),
		slog.String("method", a.Method),
		slog.Bool("sent", a.Sent),
	}
	if a.Cause != nil {
		attrs = append(attrs, slog.Any("cause", a.Cause))
	}
	logger.LogAttrs(ctx, slog.LevelError, "audithttp: response withheld", attrs...)
	if h.options.Alarm != nil {
		h.options.Alarm(ctx, a)
	}
}
