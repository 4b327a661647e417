package vaulttransit_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/bubble"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/vaulttransit"
)

// script answers one request after the other, in a time that the test controls.
type script struct {
	answers []func(*http.Request) (*http.Response, error)
	times   []time.Time
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.times = append(s.times, time.Now())
	i := min(len(s.times), len(s.answers)) - 1
	return s.answers[i](r)
}

func status(code int, body string, header ...string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		rec := httptest.NewRecorder()
		for i := 0; i < len(header); i += 2 {
			rec.Header().Set(header[i], header[i+1])
		}
		rec.WriteHeader(code)
		rec.WriteString(body)
		return rec.Result(), nil
	}
}

func ok() func(*http.Request) (*http.Response, error) {
	return status(200, `{"data":{"ciphertext":"`+recordedCiphertext+`"}}`)
}

func hang(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func cutOff(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }

const sealed = `{"errors":["Vault is sealed"]}`

func TestRetries(t *testing.T) {
	t.Parallel()
	future := time.Date(2000, 1, 1, 0, 0, 7, 0, time.UTC).Format(http.TimeFormat) // synctest begins at 2000-01-01
	for name, c := range map[string]struct {
		answers  []func(*http.Request) (*http.Response, error)
		o        vaulttransit.Options
		deadline time.Duration
		attempts int
		min, max time.Duration // in all
		want     error
	}{
		"sealed, then not":         {answers: []func(*http.Request) (*http.Response, error){status(503, sealed), ok()}, attempts: 2, min: 50 * time.Millisecond, max: 100 * time.Millisecond},
		"cut off, then not":        {answers: []func(*http.Request) (*http.Response, error){cutOff, cutOff, ok()}, attempts: 3, max: 300 * time.Millisecond},
		"hangs, then not":          {answers: []func(*http.Request) (*http.Response, error){hang, ok()}, attempts: 2, min: 5 * time.Second, max: 5100 * time.Millisecond},
		"sealed for good":          {answers: []func(*http.Request) (*http.Response, error){status(503, sealed)}, attempts: 4, max: time.Second, want: phi.ErrUnavailable},
		"eventual consistency":     {answers: []func(*http.Request) (*http.Response, error){status(412, sealed), ok()}, attempts: 2, max: time.Second},
		"Retry-After":              {answers: []func(*http.Request) (*http.Response, error){status(429, sealed, "Retry-After", "3"), ok()}, attempts: 2, min: 3 * time.Second, max: 3 * time.Second},
		"Retry-After, a date":      {answers: []func(*http.Request) (*http.Response, error){status(503, sealed, "Retry-After", future), ok()}, attempts: 2, min: 7 * time.Second, max: 7 * time.Second},
		"Retry-After, nonsense":    {answers: []func(*http.Request) (*http.Response, error){status(429, sealed, "Retry-After", "soon"), ok()}, attempts: 2, max: time.Second},
		"Retry-After, negative":    {answers: []func(*http.Request) (*http.Response, error){status(429, sealed, "Retry-After", "-5"), ok()}, attempts: 2, max: time.Second},
		"Retry-After, too long":    {answers: []func(*http.Request) (*http.Response, error){status(429, sealed, "Retry-After", "60"), ok()}, attempts: 1, want: phi.ErrThrottled},
		"Retry-After, for ever":    {answers: []func(*http.Request) (*http.Response, error){status(429, sealed, "Retry-After", "99999999999"), ok()}, attempts: 1, want: phi.ErrThrottled},
		"beyond the deadline":      {answers: []func(*http.Request) (*http.Response, error){status(429, sealed, "Retry-After", "3"), ok()}, deadline: 2 * time.Second, attempts: 1, want: phi.ErrThrottled},
		"within the deadline":      {answers: []func(*http.Request) (*http.Response, error){status(429, sealed, "Retry-After", "3"), ok()}, deadline: 4 * time.Second, attempts: 2, min: 3 * time.Second, max: 3 * time.Second},
		"the deadline itself":      {answers: []func(*http.Request) (*http.Response, error){hang}, deadline: 2 * time.Second, attempts: 1, min: 2 * time.Second, max: 2 * time.Second, want: context.DeadlineExceeded},
		"hangs for good":           {answers: []func(*http.Request) (*http.Response, error){hang}, o: vaulttransit.Options{Timeout: time.Second}, attempts: 4, min: 4 * time.Second, max: 5 * time.Second, want: phi.ErrUnavailable},
		"waits are bounded":        {answers: []func(*http.Request) (*http.Response, error){status(429, sealed, "Retry-After", "6")}, attempts: 3, min: 12 * time.Second, max: 12 * time.Second, want: phi.ErrThrottled},
		"denied is final":          {answers: []func(*http.Request) (*http.Response, error){status(403, sealed), ok()}, attempts: 1, want: phi.ErrDenied},
		"a bad request is final":   {answers: []func(*http.Request) (*http.Response, error){status(400, sealed), ok()}, attempts: 1, want: phi.ErrDenied},
		"nonsense is final":        {answers: []func(*http.Request) (*http.Response, error){status(200, `hello`), ok()}, attempts: 1, want: phi.ErrUnavailable},
		"as often as one likes":    {answers: []func(*http.Request) (*http.Response, error){status(500, sealed)}, o: vaulttransit.Options{Attempts: 9}, attempts: 9, max: 15 * time.Second, want: phi.ErrUnavailable},
		"an answer without an end": {answers: []func(*http.Request) (*http.Response, error){status(503, strings.Repeat("x", 1<<20)), ok()}, attempts: 2, max: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				s := &script{answers: c.answers}
				c.o.Transport = s
				k, err := vaulttransit.New("https://vault.internal", "acme-ehr", staticToken, &c.o)
				require.NoError(t, err)
				ctx := t.Context()
				if c.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.deadline)
					defer cancel()
				}
				start := time.Now()
				_, err = k.Wrap(ctx, recordedKey(), place())
				took := time.Since(start)
				require.ErrorIs(t, err, c.want)
				require.Len(t, s.times, c.attempts)
				require.GreaterOrEqual(t, took, c.min)
				require.LessOrEqual(t, took, c.max)
				if err != nil {
					requireQuiet(t, err)
					require.Equal(t, c.want != phi.ErrDenied && c.want != context.DeadlineExceeded, phi.Retryable(err))
				}
			})
		})
	}
}
