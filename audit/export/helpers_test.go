package export_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/wardkit/wardkit/audit/export"
)

// sign signs any text with the exporter's key.
func sign(t testing.TB, text string) []byte {
	t.Helper()
	vkey, err := note.NewEd25519VerifierKey("clinic.example.com/export", []byte(key("export"))[32:])
	require.NoError(t, err)
	name := strings.Join(strings.Split(vkey, "+")[:2], "+")
	s, err := note.NewSigner("PRIVATE+KEY+" + name + "+" + base64.StdEncoding.EncodeToString(append([]byte{1}, key("export").Seed()...)))
	require.NoError(t, err)
	signed, err := note.Sign(&note.Note{Text: text}, s)
	require.NoError(t, err)
	return signed
}

func resign(t testing.TB, m *export.Manifest) []byte {
	t.Helper()
	text, err := json.Marshal(m)
	require.NoError(t, err)
	return sign(t, "wardkit export v1\n"+string(text)+"\n")
}

// sums makes a manifest's sums those of a file, as a liar would.
func sums(m *export.Manifest, file []byte) {
	m.Bytes, m.SHA256 = int64(len(file)), sha256.Sum256(file)
	m.Count = int64(bytes.Count(file, []byte("\n")))
}
