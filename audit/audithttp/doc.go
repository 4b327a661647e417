// Package audithttp holds HTTP responses back until what they reveal is on record.
//
// It protects against the response nobody decided about (a handler registered beside the
// guarded routes, a debug page), and against the one that nobody recorded: a failing or slow
// store, a client that hangs up early, a panic, a handler that flushes, streams, hijacks the
// connection or lives on in a goroutine. Each of those ends closed.
//
//	held, err := audithttp.Hold(log, sessions.Handler(mux), nil)
//	if err != nil {
//		return err
//	}
//	server := &http.Server{Addr: addr, Handler: held}
//
// Hold is the outermost handler that writes a body (session.SecurityHeaders and RequireHTTPS,
// which write headers and redirects, stand around it), because whatever wraps it sees bytes that may be withheld
// and whatever it wraps cannot reach around it: its response writer has no Unwrap. Inside,
// audit.Decide says what was allowed or denied, audit.Seen what was revealed, audit.Exempt
// that a response reveals nothing; guards do so for their routes.
//
// A response waits in memory, up to 64 KiB, until its handler returns or flushes. Long ones
// leave in pieces, each after what it reveals is durable, and every 30 seconds only after
// the questions added with audit.OnRecheck were answered again.
//
// The host must still bound requests: http.Server's ReadHeaderTimeout, http.MaxBytesReader.
// A record may take audit.FlushTimeout, so a WriteTimeout below that can cut a response
// whose record is slow. What a handler does beside its response, such as a text message or a
// file, needs an audit.Flush before. Headers that the host sets outside Hold survive a
// withheld response; headers set inside do not.
//
// Until v1 the Go API may change with an entry in the changelog.
package audithttp
