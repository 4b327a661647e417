package mfa

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	secretSize = 20  // bytes, the output of SHA-1 (RFC 4226, section 4, R6)
	maxName    = 128 // bytes of an issuer or account name
	keyMark    = "[one-time code key]"
)

var base32Plain = base32.StdEncoding.WithPadding(base32.NoPadding)

// Key is a time-based one-time code key (RFC 6238): HMAC-SHA-1, six digits, 30 seconds, 20
// random bytes; no other kind can be made. Begin hands it to the person as an otpauth URI and
// as text to type; ParseURI reads that back, for a test or a demonstration that stands in for
// the phone. A Key prints as "[one-time code key]".
type Key struct {
	issuer  string
	account string
	secret  []byte
}

// newKey makes a key for account at issuer.
func newKey(issuer, account string) (Key, error) {
	k := Key{issuer: issuer, account: strings.TrimSpace(account), secret: make([]byte, secretSize)}
	if !usableIssuer(k.issuer) || !usableName(k.account) {
		return Key{}, ErrName
	}
	rand.Read(k.secret) // never fails (crypto/rand)
	return k, nil
}

// ParseURI reads an otpauth URI as Begin makes it, byte for byte in that form. Any other
// (another algorithm, number of digits, period or length of the key, further parameters)
// is ErrURI.
func ParseURI(uri string) (Key, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return Key{}, ErrURI
	}
	q := u.Query()
	_, account, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), ":")
	secret, err := base32Plain.DecodeString(q.Get("secret"))
	k := Key{issuer: q.Get("issuer"), account: account, secret: secret}
	if err != nil || len(secret) != secretSize || !usableIssuer(k.issuer) || !usableName(account) || k.URI() != uri {
		return Key{}, ErrURI
	}
	return k, nil
}

// Issuer returns the name of the service, as the authenticator app shows it.
func (k Key) Issuer() string { return k.issuer }

// Account returns the name of the account, as the authenticator app shows it.
func (k Key) Account() string { return k.account }

// URI returns the key as an otpauth URI, for a QR code. The format is that of Google
// Authenticator: it forbids colons in the issuer part of the label, so the label has the
// issuer without them while the issuer parameter, which apps prefer, has it whole.
func (k Key) URI() string {
	return "otpauth://totp/" + escape(labelPrefix(k.issuer)) + ":" + escape(k.account) +
		"?secret=" + base32Plain.EncodeToString(k.secret) + "&issuer=" + escape(k.issuer) +
		"&algorithm=SHA1&digits=6&period=30"
}

// Manual returns the key for typing: base32 (RFC 4648) in eight groups of four characters.
func (k Key) Manual() string {
	s := base32Plain.EncodeToString(k.secret)
	var groups []string
	for len(s) > 4 {
		groups, s = append(groups, s[:4]), s[4:]
	}
	return strings.Join(append(groups, s), " ")
}

// Code returns the six digits that an authenticator app shows at a given time. In FIPS
// 140-only mode it is ErrFIPS; the zero Key has no code, ErrURI.
func (k Key) Code(at time.Time) (string, error) {
	if len(k.secret) != secretSize {
		return "", ErrURI
	}
	return codeAt(k.secret, stepOf(at))
}

// String returns "[one-time code key]".
func (k Key) String() string { return keyMark }

// GoString returns "[one-time code key]".
func (k Key) GoString() string { return keyMark }

// Format writes "[one-time code key]" for every verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(keyMark)) }

// LogValue returns "[one-time code key]".
func (k Key) LogValue() slog.Value { return slog.StringValue(keyMark) }

// MarshalJSON returns "[one-time code key]" as a JSON string.
func (k Key) MarshalJSON() ([]byte, error) { return json.Marshal(keyMark) }

// MarshalText returns "[one-time code key]".
func (k Key) MarshalText() ([]byte, error) { return []byte(keyMark), nil }

// usableName reports whether s can stand in an authenticator app: text, trimmed, printable.
func usableName(s string) bool {
	if s == "" || len(s) > maxName || !utf8.ValidString(s) || strings.TrimSpace(s) != s {
		return false
	}
	return !strings.ContainsFunc(s, unicode.IsControl)
}

func usableIssuer(s string) bool { return usableName(s) && labelPrefix(s) != "" }

// labelPrefix is the issuer as it may stand before the label's colon.
func labelPrefix(issuer string) string {
	return strings.TrimSpace(strings.ReplaceAll(issuer, ":", ""))
}

// escape percent-encodes everything but letters, digits and "-._~", the space as %20: some
// apps take "+" literally.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
