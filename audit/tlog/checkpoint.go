package tlog

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/wardkit/wardkit/audit/internal/signed"
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
func OpenCheckpoint(data []byte, verifierKey string) (Checkpoint, error) {
	if len(data) > maxNote {
		return Checkpoint{}, ErrCheckpoint
	}
	text, name, err := signed.Open(data, verifierKey)
	if err != nil {
		return Checkpoint{}, ErrCheckpoint
	}
	c, ok := parseCheckpoint(text)
	if !ok || c.Origin != name {
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

// sign returns the signed note of a checkpoint.
func sign(s *signed.Signer, c Checkpoint) (Signed, error) {
	n, err := s.Note(c.text())
	if err != nil {
		return Signed{}, unavailable("signing a checkpoint", err)
	}
	return Signed{c.Size, n}, nil
}
