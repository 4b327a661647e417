package vaulttransit

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/wardkit/wardkit/phi"
)

// maxAnswer is far more than an answer has.
const maxAnswer = 64 << 10

// errAnswer: whatever answered is not Vault's Transit engine, or a newer one.
var errAnswer = fmt.Errorf("%w: vaulttransit: not an answer of Vault's Transit engine", phi.ErrUnavailable)

func read(text []byte) (answer, error) {
	var whole struct {
		Data *answer `json:"data"`
	}
	if len(text) > maxAnswer || json.Unmarshal(text, &whole) != nil || whole.Data == nil {
		return answer{}, errAnswer
	}
	return *whole.Data, nil
}

// refused says what a status other than 200 means (Vault API documentation, "HTTP status
// codes"). A 400 to decrypt or rewrap is about the wrapped key, if it is Vault that says so.
func refused(op string, status int, text []byte) error {
	why := fmt.Sprintf("vaulttransit: Vault answered %d to %s", status, op)
	switch status {
	case http.StatusBadRequest:
		switch {
		case !isVault(text):
			return fmt.Errorf("%w: %s", errAnswer, why)
		case op != "encrypt":
			return fmt.Errorf("%w: %s: the Transit key, or its version, is gone, or the wrapped key is another one", phi.ErrWrongKey, why)
		}
		return fmt.Errorf("%w: %s", phi.ErrDenied, why)
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed:
		return fmt.Errorf("%w: %s", phi.ErrDenied, why)
	case http.StatusTooManyRequests:
		return fmt.Errorf("%w: %s", phi.ErrThrottled, why)
	}
	return fmt.Errorf("%w: %s", phi.ErrUnavailable, why)
}

// isVault reports whether text is an error in Vault's form.
func isVault(text []byte) bool {
	var e struct {
		Errors []string `json:"errors"`
	}
	return json.Unmarshal(text, &e) == nil && e.Errors != nil
}

// retryAfter reads the header of RFC 9110, section 10.2.3: seconds or a date.
func retryAfter(resp *http.Response) time.Duration {
	h := resp.Header.Get("Retry-After")
	if s, err := strconv.Atoi(h); err == nil {
		return time.Duration(min(max(s, 0), 1<<20)) * time.Second
	}
	if at, err := http.ParseTime(h); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}

// unreachable classifies a request without an answer. A certificate that does not fit is
// nothing that waiting mends.
func unreachable(ctx context.Context, err error) error {
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		return quietly(phi.ErrDenied, "Vault's certificate is not one to trust", err)
	}
	text := "Vault did not answer"
	var network *net.OpError
	if errors.As(err, &network) {
		text += ": " + network.Error()
	}
	return quietly(phi.ErrUnavailable, text, failure(ctx, err))
}

// failure returns the end of the caller's context, if that is why, and otherwise err without
// any context's end in it: the time of one request was over, not the caller's.
func failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// quiet is an error whose cause is reachable and not printed: it could hold an address, a name
// or a token.
type quiet struct {
	text        string
	kind, cause error
}

func quietly(kind error, text string, cause error) error { return &quiet{text, kind, cause} }

func (q *quiet) Error() string { return q.kind.Error() + ": vaulttransit: " + q.text }

func (q *quiet) Unwrap() []error {
	if q.cause == nil {
		return []error{q.kind}
	}
	return []error{q.kind, q.cause}
}
