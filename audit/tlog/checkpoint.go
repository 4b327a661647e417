package tlog

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Hash is a SHA-256 hash; as text it is base64.
type Hash [32]byte

// String returns the hash in base64.
func (h Hash) String() string { return base64.StdEncoding.EncodeToString(h[:]) }

// MarshalText returns the hash in base64.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what MarshalText wrote, and nothing else.
func (h *Hash) UnmarshalText(text []byte) error {
	b, err := base64.StdEncoding.Strict().DecodeString(string(text))
	if err != nil || len(b) != len(h) || len(text) != base64.StdEncoding.EncodedLen(len(h)) {
		return errors.New("tlog: not a hash")
	}
	*h = Hash(b)
	return nil
}

// Checkpoint says what the root log was, and with it everything that any tenant's tree covered,
// in three lines that fit on a card (C2SP tlog-checkpoint). Whoever keeps one outside the
// database can prove later that nothing before it was changed.
type Checkpoint struct {
	Origin string // which log
	Size   int64  // entries of the root log
	Root   Hash   // over them
}

// text is the checkpoint's body, which is what is signed.
func (c Checkpoint) text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, c.Root)
}

// maxNote bounds what is read as a checkpoint, in bytes.
const maxNote = 16 << 10

// OpenCheckpoint reads a signed checkpoint. The verifier key is what Log.VerifierKey returned,
// "origin+hash+key" in the form of C2SP signed notes; the checkpoint has to be signed with it
// and to name its origin. Further signatures, of witnesses for example, do not matter. Anything
// else: ErrCheckpoint.
func OpenCheckpoint(signed []byte, verifierKey string) (Checkpoint, error) {
	v, err := note.NewVerifier(verifierKey)
	if err != nil || len(signed) > maxNote {
		return Checkpoint{}, ErrCheckpoint
	}
	n, err := note.Open(signed, note.VerifierList(v))
	if err != nil {
		return Checkpoint{}, ErrCheckpoint
	}
	for _, s := range n.Sigs { // one form of a signature, not four
		if _, err := base64.StdEncoding.Strict().DecodeString(s.Base64); err != nil {
			return Checkpoint{}, ErrCheckpoint
		}
	}
	c, ok := parseCheckpoint(n.Text)
	if !ok || c.Origin != v.Name() {
		return Checkpoint{}, ErrCheckpoint
	}
	return c, nil
}

// parseCheckpoint reads exactly what text writes; lines that extend a checkpoint are none of
// ours.
func parseCheckpoint(text string) (c Checkpoint, ok bool) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return c, false
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || c.Root.UnmarshalText([]byte(lines[2])) != nil {
		return c, false
	}
	c.Origin, c.Size = lines[0], size
	return c, c.text() == text
}

// signer signs checkpoints with a host's key, which may be in a KMS.
type signer struct {
	key      crypto.Signer
	verifier note.Verifier
	text     string // of the verifier key
}

var errKey = errors.New("the key must be an Ed25519 key")

func newSigner(origin string, key crypto.Signer) (*signer, error) {
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
		return nil, errors.New("the origin must be a name such as clinic.example.com/audit, without spaces and plus signs")
	}
	return &signer{key, v, text}, nil
}

// Name implements note.Signer.
func (s *signer) Name() string { return s.verifier.Name() }

// KeyHash implements note.Signer.
func (s *signer) KeyHash() uint32 { return s.verifier.KeyHash() }

// Sign implements note.Signer.
func (s *signer) Sign(msg []byte) ([]byte, error) {
	sig, err := s.key.Sign(rand.Reader, msg, crypto.Hash(0))
	if err != nil {
		return nil, err
	}
	if !s.verifier.Verify(msg, sig) {
		return nil, errors.New("the signer's signature does not fit its key")
	}
	return sig, nil
}

// sign returns the signed note of a checkpoint.
func (s *signer) sign(c Checkpoint) (Signed, error) {
	n, err := note.Sign(&note.Note{Text: c.text()}, s)
	if err != nil {
		return Signed{}, unavailable("signing a checkpoint", err)
	}
	return Signed{c.Size, n}, nil
}
