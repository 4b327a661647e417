package audithttp

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
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
	// RetryAfter is what the Retry-After field of a 503 says, in whole seconds.
	RetryAfter = 5 * time.Second
)

// Options of Hold. The zero value is safe.
type Options struct {
	// Client is the software and place the requests come from, the same for every
	// request; its address is in Actor.Origin. Default: unknown.
	Client audit.Client
	// Server is this process. Default: unknown.
	Server audit.Server
	// Alarm is told of every response that was withheld, by the goroutine that returned or
	// wrote. It must not block. Default: none.
	Alarm func(context.Context, Alarm)
	// Logger gets one error line for every Alarm. Default: slog.Default().
	Logger *slog.Logger
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Hold returns next wrapped so that no byte of a response leaves before everything that was
// decided and seen for it is durable in rec. It is the outermost handler that writes a body
// and the only one that wraps the response. It returns an error if rec or next is nil.
//
// A response that nobody decided about is replaced by a bare 500, one that cannot be recorded
// by a bare 503 with Retry-After, both with the headers as they were before next ran; a
// response that has begun is aborted with http.ErrAbortHandler. HEAD is recorded like GET. A
// panic of next drops what waits and goes on. Informational responses (1xx) are withheld.
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
	buffers sync.Pool // of *[]byte, cleared
}

// ServeHTTP runs the request. A panic passes through it, never stopped, so that its trace
// shows where it began; that is why the end of a response is deferred.
func (h *holder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	res, cancel := h.open(w, r)
	defer cancel(nil)
	defer res.drop()
	h.next.ServeHTTP(res, r.WithContext(res.ctx))
	res.finish()
}

// open prepares the response to r. Cancelling its context ends a handler that streams into
// a response that was cut off.
func (h *holder) open(w http.ResponseWriter, r *http.Request) (*response, context.CancelCauseFunc) {
	now := h.options.Now()
	id := requestID(r.Header, now)
	w.Header().Set(requestIDField, id)
	res := &response{
		holder:  h,
		under:   w,
		request: id,
		method:  r.Method,
		major:   r.ProtoMajor,
		length:  -1,
		checked: now,
		header:  w.Header().Clone(),
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	res.ctx, res.trail = audit.WithTrail(ctx, h.rec, audit.Event{
		Client:      h.options.Client,
		Server:      h.options.Server,
		Correlation: audit.Correlation{Request: id, Trace: traceID(r.Header)},
	})
	res.cancel = cancel
	return res, cancel
}
