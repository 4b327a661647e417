// Package texts hands mfa's text messages to a carrier that takes JSON over HTTPS, for copying: the
// words, the last line by which browsers offer the code on the right pages only, and what must not
// happen to a message.
package texts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/wardkit/wardkit/mfa"
)

// Carrier is an mfa.TextSender.
type Carrier struct {
	Client *http.Client // with a timeout; it follows no redirects, which would take the code elsewhere
	URL    string       // of the carrier's API, https
	Key    string       // its bearer token, from where the host keeps secrets
	Clinic string       // the sender's name in the text
	Domain string       // of the sign-in pages, as configured: "clinic.example.com"
}

var _ mfa.TextSender = Carrier{}

// errCarrier says nothing about the message: what a carrier or net/http says may quote it.
var errCarrier = errors.New("texts: the carrier did not take the message")

// Send hands over one message and does not try again: mfa lets the person ask for another.
func (c Carrier) Send(ctx context.Context, m mfa.TextMessage) error {
	body, err := json.Marshal(map[string]string{"to": m.Number.Reveal(), "text": c.Words(m.Code)})
	if err != nil {
		return errCarrier
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, bytes.NewReader(body))
	if err != nil {
		return errCarrier
	}
	r.Header.Set("Authorization", "Bearer "+c.Key)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", m.ID)
	answer, err := c.Client.Do(r)
	if err != nil {
		return errCarrier
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<16)) // so that the connection is used again
	if answer.StatusCode/100 != 2 {
		return errCarrier
	}
	return nil
}

// Words is the text: who sends it, what nobody should do with it, and the domain-bound last line.
// It names no patient and no reason, because a locked screen shows it.
func (c Carrier) Words(code mfa.TextCode) string {
	return c.Clinic + ": your code to sign in. We never ask for it by phone or mail.\n\n" + code.Line(c.Domain)
}
