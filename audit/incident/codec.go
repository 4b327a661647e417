package incident

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/wardkit/wardkit/audit"
)

// seals is what of a case proves the rest: its timeline is a chain, its list of people a sum, and
// the salt makes the digests in the audit log say nothing about their texts.
type seals struct {
	Salt  [32]byte
	Lines int64
	Chain [32]byte
	Sum   [32]byte // XOR over the people of people.tag
}

// stored is the form that is sealed. Version 1 is final.
type stored struct {
	V     int   `json:"v"`
	Case  Case  `json:"case"`
	Salt  hash  `json:"salt"`
	Lines int64 `json:"lines"`
	Chain hash  `json:"chain"`
	Sum   hash  `json:"sum"`
}

// hash is 32 bytes, in text as hexadecimal digits.
type hash [32]byte

// MarshalText writes lower-case hexadecimal digits.
func (h hash) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h[:])), nil }

// UnmarshalText reads what MarshalText wrote.
func (h *hash) UnmarshalText(text []byte) error {
	if len(text) != 2*len(h) || strings.ToLower(string(text)) != string(text) {
		return ErrDamaged
	}
	if _, err := hex.Decode(h[:], text); err != nil {
		return ErrDamaged
	}
	return nil
}

func newSeals() (s seals) {
	_, _ = rand.Read(s.Salt[:]) // never fails
	return s
}

// encode returns the bytes of a case, the same for the same case.
func encode(c *Case) ([]byte, error) {
	s := c.seals
	return json.Marshal(stored{1, *c, s.Salt, s.Lines, s.Chain, s.Sum})
}

// decode is the inverse of encode. Bytes that encode would not have written are ErrDamaged.
func decode(body []byte) (Case, error) {
	var s stored
	if err := strict(body, &s); err != nil || s.V != 1 {
		return Case{}, ErrDamaged
	}
	c := s.Case
	c.seals = seals{s.Salt, s.Lines, s.Chain, s.Sum}
	if again, err := encode(&c); err != nil || !bytes.Equal(again, body) {
		return Case{}, ErrDamaged
	}
	return c, nil
}

// strict decodes one JSON value without unknown fields.
func strict(body []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return ErrDamaged
	}
	return nil
}

// chain is the hash of a timeline with one more line.
func (s *seals) chain(seq int64, line []byte) [32]byte {
	h := sha256.New()
	h.Write(s.Chain[:])
	h.Write([]byte(strconv.FormatInt(seq, 10) + ":"))
	h.Write(line)
	return [32]byte(h.Sum(nil))
}

// key is what a patient is found by in the list of one case.
func (s *seals) key(p audit.Patient) []byte { return s.mac("key", string(p)) }

// tag is a patient's part of the sum, which nobody computes who has the database only.
func (s *seals) tag(a Affected) [32]byte { return [32]byte(s.mac("tag", string(a.Patient), a.Region)) }

func (s *seals) mac(parts ...string) []byte {
	h := hmac.New(sha256.New, s.Salt[:])
	for _, p := range parts {
		h.Write([]byte(strconv.Itoa(len(p)) + ":" + p))
	}
	return h.Sum(nil)
}

// toggle adds a patient to the sum, or takes it out again.
func (s *seals) toggle(a Affected) {
	for i, b := range s.tag(a) {
		s.Sum[i] ^= b
	}
}

// The labels under which things are sealed; they are bound to the tenant and to the case.
func caseLabel(id string) string { return "audit.incident/" + id }

func lineLabel(id string, seq int64) string {
	return "incident.line/" + id + "/" + strconv.FormatInt(seq, 10)
}

func personLabel(key []byte) string {
	return "incident.person/" + hex.EncodeToString(key[:min(16, len(key))])
}

// seal refuses a sealer that keeps nothing: a case that cannot be read is none.
func (d *Desk) seal(ctx context.Context, t audit.Tenant, label string, plain []byte) ([]byte, error) {
	sealed, err := d.p.Sealer.Seal(ctx, t, label, plain)
	if err == nil && len(sealed) == 0 {
		err = errors.New("the sealer keeps nothing")
	}
	if err != nil {
		return nil, unavailable("sealing", err)
	}
	return sealed, nil
}

func (d *Desk) unseal(ctx context.Context, t audit.Tenant, label string, sealed []byte) ([]byte, error) {
	plain, err := d.p.Sealer.Unseal(ctx, t, label, sealed)
	if err != nil {
		return nil, unavailable("unsealing", err)
	}
	return plain, nil
}

// open reads a row.
func (d *Desk) open(ctx context.Context, r Row) (Case, error) {
	plain, err := d.unseal(ctx, r.Tenant, caseLabel(r.ID), r.Body)
	if err != nil {
		return Case{}, err
	}
	c, err := decode(plain)
	if err != nil {
		return Case{}, err
	}
	if c.Tenant != r.Tenant || c.ID != r.ID || c.Version != r.Version || c.active() != r.Active {
		return Case{}, ErrDamaged
	}
	c.Number = r.Number
	return c, nil
}

// clean trims a text and refuses what is too long, empty where it is required, or no plain text.
func clean(s *string, field string, required bool) error {
	*s = strings.TrimSpace(strings.ReplaceAll(*s, "\r\n", "\n"))
	bad := func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f }
	if required && *s == "" || len(*s) > MaxText || !utf8.ValidString(*s) || strings.IndexFunc(*s, bad) >= 0 {
		return wrong(field)
	}
	return nil
}

// isCode reports whether s is a code: ASCII letters, digits, dots, dashes and underscores.
func isCode(s string) bool {
	return s != "" && len(s) <= MaxCode && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == ""
}

// isID reports whether s can be an identifier in an event.
func isID(s string) bool { return s != "" && audit.FitID(s) == s }
