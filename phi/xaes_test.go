package phi_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha3"
	"encoding/hex"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

// The two vectors of c2sp.org/XAES-256-GCM; they differ in whether the doubling of L carries.
func TestXAESVectors(t *testing.T) {
	t.Parallel()
	const nonce = "ABCDEFGHIJKLMNOPQRSTUVWX"
	for name, v := range map[string]struct{ key, sub, aad, ciphertext string }{
		"msb 0": {
			strings.Repeat("01", 32),
			"c8612c9ed53fe43e8e005b828a1631a0bbcb6ab2f46514ec4f439fcfd0fa969b",
			"",
			"ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271",
		},
		"msb 1": {
			strings.Repeat("03", 32),
			"e9c621d4cdd9b11b00a6427ad7e559aeedd66b3857646677748f8ca796cb3fd8",
			"c2sp.org/XAES-256-GCM",
			"986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d",
		},
	} {
		key := unhex(t, v.key)
		require.Equal(t, v.sub, hex.EncodeToString(phi.DeriveXAES(key, []byte(nonce[:12]))), name)
		sealed := append([]byte(nonce), unhex(t, v.ciphertext)...)
		plain, err := phi.OpenXAES(key, sealed, []byte(v.aad))
		require.NoError(t, err, name)
		require.Equal(t, "XAES-256-GCM", string(plain), name)
		_, err = phi.OpenXAES(key, sealed, []byte(v.aad+"x"))
		require.Error(t, err, name)
	}
}

// The accumulated randomized test of c2sp.org/XAES-256-GCM, 10,000 iterations. Our own Seal
// draws its nonce, so the ciphertext is made with the standard library under the key that we
// derive, and opened with ours.
func TestXAESAccumulated(t *testing.T) {
	t.Parallel()
	rng, sum := sha3.NewSHAKE128(), sha3.NewSHAKE128()
	read := func(n int) []byte {
		b := make([]byte, n)
		rng.Read(b)
		return b
	}
	for range 10_000 {
		key, nonce := read(32), read(24)
		plain := read(int(read(1)[0]))
		aad := read(int(read(1)[0]))
		block, err := aes.NewCipher(phi.DeriveXAES(key, nonce[:12]))
		require.NoError(t, err)
		gcm, err := cipher.NewGCM(block)
		require.NoError(t, err)
		sealed := gcm.Seal(nil, nonce[12:], plain, aad)
		sum.Write(sealed)
		got, err := phi.OpenXAES(key, append(nonce, sealed...), aad)
		require.NoError(t, err)
		require.Equal(t, string(plain), string(got))
	}
	digest := make([]byte, 32)
	sum.Read(digest)
	require.Equal(t, "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939", hex.EncodeToString(digest))
}

// What we seal, the standard library opens under the derived key.
func TestXAESSealIsStandard(t *testing.T) {
	t.Parallel()
	key, salt := []byte(strings.Repeat("k", 32)), []byte("twelve bytes")
	sealed := phi.SealXAES(key, salt, []byte("Jane Doe"), []byte("aad"))
	block, err := aes.NewCipher(phi.DeriveXAES(key, salt))
	require.NoError(t, err)
	gcm, err := cipher.NewGCM(block)
	require.NoError(t, err)
	plain, err := gcm.Open(nil, sealed[12:24], sealed[24:], []byte("aad"))
	require.NoError(t, err)
	require.Equal(t, "Jane Doe", string(plain))
}

// Everything works where Go admits FIPS 140-3 approved algorithms only: the test runs others
// of this package again in such a process.
func TestFIPSOnly(t *testing.T) {
	t.Parallel()
	const run = "^(TestXAESVectors|TestWycheproof|TestSealUnseal|TestCodecRoundTrip|TestTermVectors|TestKeyFile|TestGolden|TestGoldenStreams|TestHierarchy|TestStreamRoundTrip|TestStreamByHand|TestStreamSplices|TestResealStream|TestKindsRoundTrip)$"
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run="+run, "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for name := range strings.SplitSeq(strings.Trim(run, "^()$"), "|") {
		require.Contains(t, string(out), "--- PASS: "+name+" ", "did not run")
	}
	cmd = exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFIPSIsOn$", "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only", "PHI_TEST_FIPS=1")
	out, err = cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: TestFIPSIsOn ")
}

// In the process that TestFIPSOnly starts, plain AES-GCM is refused: the mode is really on.
func TestFIPSIsOn(t *testing.T) {
	t.Parallel()
	block, err := aes.NewCipher(make([]byte, 32))
	require.NoError(t, err)
	_, err = cipher.NewGCM(block)
	require.Equal(t, os.Getenv("PHI_TEST_FIPS") != "", err != nil)
}
