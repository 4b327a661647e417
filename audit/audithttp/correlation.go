package audithttp

import (
	"net/http"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
)

const (
	requestIDField = "X-Request-Id"
	traceField     = "Traceparent"
)

// requestID returns the request's own id if it sent exactly one and it is well-formed, else
// a new one. The caller chooses it, so it correlates and proves nothing.
func requestID(h http.Header, now time.Time) string {
	if ids := h[requestIDField]; len(ids) == 1 && wellFormedID(ids[0]) {
		return ids[0]
	}
	return audit.NewID(now)
}

// wellFormedID accepts 8 to 64 letters, digits, dots, underscores and hyphens that begin
// with a letter or digit: what common proxies send, and nothing that a log, a header or a
// spreadsheet would take for more than a word.
func wellFormedID(s string) bool {
	if len(s) < 8 || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case i > 0 && (c == '.' || c == '_' || c == '-'):
		default:
			return false
		}
	}
	return true
}

// traceID returns the 32 hex digits of the trace id of a valid traceparent field, else ""
// (W3C Trace Context, section 3.2).
func traceID(h http.Header) string {
	if len(h[traceField]) != 1 {
		return ""
	}
	s := h[traceField][0]
	const size = 2 + 1 + 32 + 1 + 16 + 1 + 2
	if len(s) < size || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return ""
	}
	version, trace, parent, flags := s[:2], s[3:35], s[36:52], s[53:55]
	if !lowerHex(version) || !lowerHex(trace) || !lowerHex(parent) || !lowerHex(flags) || version == "ff" {
		return ""
	}
	if version == "00" && len(s) != size || len(s) > size && s[size] != '-' {
		return ""
	}
	if strings.Trim(trace, "0") == "" || strings.Trim(parent, "0") == "" {
		return ""
	}
	return trace
}

func lowerHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
