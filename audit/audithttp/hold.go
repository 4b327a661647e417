package audithttp

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// The limits of a held response.
const (
	// BufferSize is how many bytes of a response wait for its record: 64 KiB.
	BufferSize = 64 << 10
	// RecheckEvery is how long a response may go on before its session and grant are
	// questioned again.
	RecheckEvery = 30 * time.Second
	// RetryAfter is the value of the Retry-After field of a 503, in whole seconds.
	RetryAfter = 5 * time.Second
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

// Options of Hold. The zero value is safe.
type Options struct {
	// Client is the software and place the requests come from, the same for every
	// request; its address is in Actor.Origin. Default: unknown.
	Client audit.Client
	// Server is this process. Default: unknown.
	Server audit.Server
	// Alarm is told of every response that was withheld, in the request's goroutine or
	// the one that wrote. It must not block. Default: none.
	Alarm func(context.Context, Alarm)
	// Logger gets one error line for every Alarm. Default: slog.Default().
	Logger *slog.Logger
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Alarm says that a response, or the rest of one, was withheld. It holds no path, because
// a path may name a patient.
type Alarm struct {
	Reason  error  // ErrUndecided, ErrNotDurable or ErrRechecked
	Cause   error  // what the recorder or the recheck answered; nil for ErrUndecided
	Request string // X-Request-Id of the response
	Method  string
	Sent    bool // whether a part of the response had left before
}

// Hold returns next wrapped so that no byte of a response leaves before everything that was
// decided and seen for it is durable in rec. It is the outermost handler and the only one
// that wraps the response. It returns an error if rec or next is nil.
//
// A response of nobody's decision is replaced by a bare 500, one that cannot be recorded by a
// bare 503 with Retry-After, both with the headers as they were before next ran; a response
// that has begun is aborted with http.ErrAbortHandler. HEAD is recorded like GET. A panic of
// next drops what waits and goes on. Informational responses (1xx) are withheld.
func Hold(rec audit.Recorder, next http.Handler, o *Options) (http.Handler, error) {
	if rec == nil {
		return nil, errors.New("audithttp: nil audit.Recorder")
	}
	if next == nil {
		return nil, errors.New("audithttp: nil http.Handler")
	}
	h := &holder{rec: rec, next: next}
	if o != nil {
		h.options = *o
	}
	if h.options.Now == nil {
		h.options.Now = time.Now
	}
	return h, nil
}

// holder is the handler that Hold returns.
type holder struct {
	rec     audit.Recorder
	next    http.Handler
	options Options
}

// ServeHTTP refuses every request until the wrapper below it is complete.
func (h *holder) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusServiceUnavailable)
}
