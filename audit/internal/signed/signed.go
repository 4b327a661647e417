// Package signed signs and opens C2SP signed notes with a host's Ed25519 key, which may be in a
// KMS.
package signed

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"

	"golang.org/x/mod/sumdb/note"
)

// Signer signs notes.
type Signer struct {
	key      crypto.Signer
	verifier note.Verifier
	text     string
}

var (
	errKey  = errors.New("the key must be an Ed25519 key")
	errName = errors.New("the origin must be a name such as clinic.example.com/audit, without spaces and plus signs")
	// ErrNote: not a note that this key signed.
	ErrNote = errors.New("not a note signed with this key")
)

// New returns a Signer. The origin is the key's name.
func New(origin string, key crypto.Signer) (*Signer, error) {
	if key == nil {
		return nil, errKey
	}
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, errKey
	}
	text, err := note.NewEd25519VerifierKey(origin, public)
	if err != nil {
		return nil, errKey
	}
	v, err := note.NewVerifier(text)
	if err != nil {
		return nil, errName
	}
	return &Signer{key, v, text}, nil
}

// VerifierKey returns what notes are opened with.
func (s *Signer) VerifierKey() string { return s.text }

// Name implements note.Signer.
func (s *Signer) Name() string { return s.verifier.Name() }

// KeyHash implements note.Signer.
func (s *Signer) KeyHash() uint32 { return s.verifier.KeyHash() }

// Sign implements note.Signer.
func (s *Signer) Sign(msg []byte) ([]byte, error) {
	sig, err := s.key.Sign(rand.Reader, msg, crypto.Hash(0))
	if err == nil && !s.verifier.Verify(msg, sig) {
		err = errors.New("the signer's signature does not fit its key")
	}
	return sig, err
}

// Note returns the signed note of a text, which ends with a line break.
func (s *Signer) Note(text string) ([]byte, error) { return note.Sign(&note.Note{Text: text}, s) }

// Open returns the text of a note and the name of the key. The note has to be signed with this
// key; further signatures, of witnesses for example, do not matter.
func Open(data []byte, verifierKey string) (text, name string, err error) {
	v, err := note.NewVerifier(verifierKey)
	if err != nil {
		return "", "", ErrNote
	}
	n, err := note.Open(data, note.VerifierList(v))
	if err != nil {
		return "", "", ErrNote
	}
	for _, s := range n.Sigs { // one form of a signature, not four
		if _, err := base64.StdEncoding.Strict().DecodeString(s.Base64); err != nil {
			return "", "", ErrNote
		}
	}
	return n.Text, v.Name(), nil
}
