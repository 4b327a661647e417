package mfa_test

import (
	"encoding/base32"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/mfa"
)

// rfcSecret is the key of the test vectors of RFC 4226, appendix D, and RFC 6238, appendix B.
const rfcSecret = "12345678901234567890"

func rfcKey(t testing.TB) mfa.Key {
	t.Helper()
	return keyOf(t, []byte(rfcSecret))
}

func keyOf(t testing.TB, secret []byte) mfa.Key {
	t.Helper()
	key, err := mfa.ParseURI("otpauth://totp/Example:lin?secret=" + base32.StdEncoding.EncodeToString(secret) +
		"&issuer=Example&algorithm=SHA1&digits=6&period=30")
	require.NoError(t, err)
	return key
}

func TestRFC4226Vectors(t *testing.T) {
	t.Parallel()
	codes := strings.Fields("755224 287082 359152 969429 338314 254676 287922 162583 399871 520489")
	for counter, want := range codes {
		code, err := rfcKey(t).Code(time.Unix(int64(counter)*30, 0))
		require.NoError(t, err)
		require.Equal(t, want, code, "counter %d", counter)
	}
}

func TestRFC6238Vectors(t *testing.T) {
	t.Parallel()
	eight := map[int64]string{ // SHA-1 rows; six digits are the last six of eight
		59: "94287082", 1111111109: "07081804", 1111111111: "14050471",
		1234567890: "89005924", 2000000000: "69279037", 20000000000: "65353130",
	}
	for unix, want := range eight {
		code, err := rfcKey(t).Code(time.Unix(unix, 0))
		require.NoError(t, err)
		require.Equal(t, want[2:], code, "time %d", unix)
	}
}

func TestOathtoolAgrees(t *testing.T) {
	t.Parallel()
	tool, err := exec.LookPath("oathtool")
	if err != nil {
		enginetest.Missing(t, "oathtool is not on PATH")
	}
	w := newWorld(t, mfa.NewMemory(), nil)
	key := w.begin(t, lin)
	for i := range 20 {
		at := start.Add(time.Duration(i) * 12345 * time.Second)
		out, err := exec.CommandContext(t.Context(), tool, "--totp", "--base32", "--now",
			at.Format("2006-01-02 15:04:05 UTC"), strings.ReplaceAll(key.Manual(), " ", "")).Output()
		require.NoError(t, err)
		code, err := key.Code(at)
		require.NoError(t, err)
		require.Equal(t, strings.TrimSpace(string(out)), code)
	}
}

// Two steps can share their digits: one in a million pairs. Accepting such a code uses up the
// later step, or the same digits would pass again half a minute later.
func TestACollisionOfStepsIsOneCode(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]int64{{59061240, 59061241}, {58261606, 58261608}} {
		t.Run(fmt.Sprint(pair[1]-pair[0], " apart"), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, mfa.NewMemory(), nil)
			w.plant(t, lin, []byte(rfcSecret))
			w.clock.now = time.Unix(pair[0]*30+15, 0)
			if pair[1]-pair[0] == 2 {
				w.next() // the window has both
			}
			code, err := rfcKey(t).Code(time.Unix(pair[0]*30, 0))
			require.NoError(t, err)
			same, err := rfcKey(t).Code(time.Unix(pair[1]*30, 0))
			require.NoError(t, err)
			require.Equal(t, code, same)

			w.passes(t, lin, code)
			require.Equal(t, pair[1], w.row(t, lin).Step)
			for range 4 {
				w.refuses(t, lin, code)
				w.next()
			}
		})
	}
}
