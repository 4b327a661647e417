package phi_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi"
)

// The AES-256-GCM vectors of Wycheproof for 96-bit nonces and 128-bit tags, through the AEAD
// that seals values and chunks: what is valid opens, and nothing else does. The file says where
// the vectors come from and under which licence.
func TestWycheproof(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("testdata", "wycheproof_aes_gcm.json"))
	require.NoError(t, err)
	var file struct {
		Tests []struct {
			TcID                                        int
			Comment, Key, IV, AAD, Msg, CT, Tag, Result string
		}
	}
	require.NoError(t, json.Unmarshal(text, &file))
	results := map[string]int{}
	for _, v := range file.Tests {
		sealed := slices.Concat(unhex(t, v.IV), unhex(t, v.CT), unhex(t, v.Tag))
		plain, err := phi.OpenGCM(unhex(t, v.Key), sealed, unhex(t, v.AAD))
		results[v.Result]++
		if v.Result == "valid" {
			require.NoError(t, err, v.TcID)
			require.Equal(t, unhex(t, v.Msg), append([]byte{}, plain...), v.TcID)
			again := phi.SealGCM(unhex(t, v.Key), plain, unhex(t, v.AAD))
			require.Len(t, again, len(sealed))
			back, err := phi.OpenGCM(unhex(t, v.Key), again, unhex(t, v.AAD))
			require.NoError(t, err)
			require.Equal(t, string(plain), string(back))
			continue
		}
		require.Equal(t, "invalid", v.Result, v.TcID)
		require.Error(t, err, "%d %s", v.TcID, v.Comment)
		require.Nil(t, plain)
	}
	require.Equal(t, map[string]int{"valid": 39, "invalid": 27}, results, "all of them ran")
}
