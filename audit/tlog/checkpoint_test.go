package tlog_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tlog"
)

// TestCheckpointIsASignedNote: other implementations of C2SP signed notes read it.
func TestCheckpointIsASignedNote(t *testing.T) {
	t.Parallel()
	h := build(t, &house{events: audit.NewMemory(), trees: tlog.NewMemory()}, "key", nil)
	history(t, h, "a")
	v, err := note.NewVerifier(h.log.VerifierKey())
	require.NoError(t, err)
	n, err := note.Open(h.log.Checkpoint(), note.VerifierList(v))
	require.NoError(t, err)
	lines := strings.Split(n.Text, "\n")
	require.Equal(t, []string{origin, "6"}, lines[:2])
	_, err = merkle.ParseHash(lines[2])
	require.NoError(t, err)
	require.Len(t, n.Sigs, 1)
}

// TestOpenCheckpoint: another key, another origin, another text, and further signatures.
func TestOpenCheckpoint(t *testing.T) {
	t.Parallel()
	h := build(t, &house{events: audit.NewMemory(), trees: tlog.NewMemory()}, "key", nil)
	history(t, h, "a")
	good, vkey := h.log.Checkpoint(), h.log.VerifierKey()
	_, err := tlog.OpenCheckpoint(good, vkey)
	require.NoError(t, err)

	skey, _, err := note.GenerateKey(nil2(), "witness.example")
	require.NoError(t, err)
	witness, err := note.NewSigner(skey)
	require.NoError(t, err)
	v, err := note.NewVerifier(vkey)
	require.NoError(t, err)
	n, err := note.Open(good, note.VerifierList(v))
	require.NoError(t, err)
	both, err := note.Sign(n, witness)
	require.NoError(t, err)
	_, err = tlog.OpenCheckpoint(both, vkey)
	require.NoError(t, err, "a witness signed too")
	alone, err := note.Sign(&note.Note{Text: n.Text}, witness)
	require.NoError(t, err)

	for name, bad := range map[string][]byte{
		"nothing":             nil,
		"a witness alone":     alone,
		"no signature":        []byte(n.Text + "\n"),
		"too long":            bytes.Repeat([]byte("a"), 1<<20),
		"another origin":      signed(t, "another.example\n6\n"+strings.Split(n.Text, "\n")[2]+"\n"),
		"negative":            signed(t, origin+"\n-1\n"+strings.Split(n.Text, "\n")[2]+"\n"),
		"zeros before":        signed(t, origin+"\n06\n"+strings.Split(n.Text, "\n")[2]+"\n"),
		"plus":                signed(t, origin+"\n+6\n"+strings.Split(n.Text, "\n")[2]+"\n"),
		"short hash":          signed(t, origin+"\n6\nAAAA\n"),
		"a line more":         signed(t, n.Text+"extension\n"),
		"hash with a line in": signed(t, origin+"\n6\n"+strings.Split(n.Text, "\n")[2][:20]+"\n"+strings.Split(n.Text, "\n")[2][20:]+"\n"),
	} {
		_, err := tlog.OpenCheckpoint(bad, vkey)
		require.ErrorIs(t, err, tlog.ErrCheckpoint, name)
	}
	_, err = tlog.OpenCheckpoint(good, "no key")
	require.ErrorIs(t, err, tlog.ErrCheckpoint)
}

func nil2() *bytes.Reader { return bytes.NewReader(bytes.Repeat([]byte{7}, 64)) }

// signed signs any text with the log's key.
func signed(t testing.TB, text string) []byte {
	t.Helper()
	return signedBy(t, privateKey(t, origin), text)
}

func signedBy(t testing.TB, key, text string) []byte {
	t.Helper()
	s, err := note.NewSigner("PRIVATE+KEY+" + key)
	require.NoError(t, err)
	out, err := note.Sign(&note.Note{Text: text}, s)
	require.NoError(t, err)
	return out
}

// privateKey is the log's key in the form of sumdb/note: name+hash+base64(1 ‖ seed).
func privateKey(t testing.TB, name string) string {
	t.Helper()
	vkey := publicKey(t, name)
	return strings.Join(strings.Split(vkey, "+")[:2], "+") + "+" + base64Of(append([]byte{1}, key("key").Seed()...))
}

func publicKey(t testing.TB, name string) string {
	t.Helper()
	vkey, err := note.NewEd25519VerifierKey(name, key("key").Public().(ed25519Public))
	require.NoError(t, err)
	return vkey
}

// FuzzCheckpoint: nothing but the very bytes that were signed is a checkpoint of this log, but for
// signatures of others.
func FuzzCheckpoint(f *testing.F) {
	// The processes that fuzz must all have signed the same one.
	want := tlog.Checkpoint{Origin: "fuzz.example", Size: 6, Root: tlog.Hash{1, 2, 3}}
	good, vkey := signedBy(f, privateKey(f, want.Origin), fmt.Sprintf("%s\n%d\n%s\n", want.Origin, want.Size, want.Root)), publicKey(f, want.Origin)
	got, err := tlog.OpenCheckpoint(good, vkey)
	require.NoError(f, err)
	require.Equal(f, want, got)
	f.Add(good)
	for i := range good {
		for _, bit := range []byte{1, 2, 4} {
			bad := slices.Clone(good)
			bad[i] ^= bit
			f.Add(bad)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := tlog.OpenCheckpoint(data, vkey)
		if err == nil && got != want {
			t.Fatal("a checkpoint that nobody signed")
		}
		if err == nil && !bytes.HasPrefix(data, good[:len(good)-1]) && !bytes.Contains(data, good[bytes.Index(good, []byte("\n\n"))+2:len(good)-1]) {
			t.Fatal("a checkpoint without its signature")
		}
	})
}

// FuzzHash: text and back, and nothing else is read.
func FuzzHash(f *testing.F) {
	text, err := tlog.Hash{1, 2, 3}.MarshalText()
	require.NoError(f, err)
	f.Add(text)
	f.Add([]byte("AAAA"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var h tlog.Hash
		if h.UnmarshalText(data) != nil {
			return
		}
		back, err := h.MarshalText()
		require.NoError(t, err)
		require.Equal(t, data, back)
	})
}
