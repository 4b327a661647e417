package machine_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/authn/machine"
)

func TestACredentialReadsAsItWasWritten(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, prefix := range []string{"wk", "harbor", "t", "tt", "x0"} {
		for _, token := range []bool{false, true} {
			text, id, hash := machine.NewKeyText(prefix, token)
			gotID, gotToken, gotHash, ok := machine.ParseText(prefix, text.Reveal())
			require.True(t, ok)
			require.Equal(t, id, gotID)
			require.Equal(t, token, gotToken)
			require.Equal(t, hash, gotHash)
			require.False(t, seen[text.Reveal()])
			seen[text.Reveal()] = true
			require.Regexp(t, "^"+machine.Pattern(prefix)+"$", text.Reveal())
		}
	}
}

// A secret scanner finds keys in what people commit, and the documented pattern is what it says.
func TestPattern(t *testing.T) {
	t.Parallel()
	require.Equal(t, `\bwkt?_[0-9a-f]{24}_[0-9a-f]{64}_[0-9a-f]{8}\b`, machine.Pattern("wk"))
	key, _, _ := machine.NewKeyText("wk", false)
	token, _, _ := machine.NewKeyText("wk", true)
	scan := regexp.MustCompile(machine.Pattern("wk"))
	text := fmt.Sprintf("export CLINIC_KEY=%q # prod\ncurl -H 'Authorization: Bearer %s'\nhttps://x.example.com/?k=%s&n=1", key.Reveal(), token.Reveal(), key.Reveal())
	require.Equal(t, []string{key.Reveal(), token.Reveal(), key.Reveal()}, scan.FindAllString(text, -1))
	require.Empty(t, scan.FindAllString("wk_short wkt_0123 "+strings.Repeat("ab", 60), -1))
}

// Any byte that is changed, lost, added or moved makes it no credential.
func TestAnyChangedByteIsRefused(t *testing.T) {
	t.Parallel()
	for _, token := range []bool{false, true} {
		secret, _, _ := machine.NewKeyText("wk", token)
		text := secret.Reveal()
		for i := range len(text) {
			for _, c := range []byte{0, ' ', '_', '-', '0', '1', '9', 'a', 'f', 'A', 'F', 'g', 't', 'w', 0x80, 0xff} {
				if c != text[i] {
					refuse(t, text[:i]+string(c)+text[i+1:])
				}
			}
			refuse(t, text[:i]+text[i+1:])
			refuse(t, text[:i]+"0"+text[i:])
			if i > 0 && text[i] != text[i-1] {
				refuse(t, text[:i-1]+text[i:i+1]+text[i-1:i]+text[i+1:])
			}
		}
		for _, s := range []string{"", "wk", "wk_", " " + text, text + " ", text + "\n", strings.ToUpper(text), text + text, "\"" + text + "\""} {
			refuse(t, s)
		}
		_, _, _, ok := machine.ParseText("other", text)
		require.False(t, ok, "of another product")
	}
}

func refuse(t testing.TB, s string) {
	t.Helper()
	_, _, _, ok := machine.ParseText("wk", s)
	require.False(t, ok, "%q", s)
}

func FuzzCredential(f *testing.F) {
	for _, token := range []bool{false, true} {
		s, _, _ := machine.NewKeyText("wk", token)
		f.Add(s.Reveal(), 3, byte('x'))
	}
	f.Add("wk_0_0_0", 0, byte(0))
	whole := regexp.MustCompile("^" + machine.Pattern("wk") + "$")
	f.Fuzz(func(t *testing.T, s string, at int, c byte) {
		id, token, hash, ok := machine.ParseText("wk", s)
		if !ok {
			require.Empty(t, id)
			return
		}
		require.Regexp(t, whole, s)
		require.Equal(t, strings.HasPrefix(s, "wkt_"), token)
		again, _, sum, ok := machine.ParseText("wk", s)
		require.True(t, ok)
		require.Equal(t, id, again)
		require.Equal(t, hash, sum)
		if at >= 0 && at < len(s) && s[at] != c {
			refuse(t, s[:at]+string([]byte{c})+s[at+1:])
		}
	})
}

// A key that was made prints nowhere by accident.
func TestAKeyDoesNotPrint(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	p, key := h.make(h.service())
	text := key.Reveal()
	secret := text[len("wk_")+25:]
	encoded, err := json.Marshal(map[string]any{"key": key, "p": p})
	require.NoError(t, err)
	for _, s := range []string{fmt.Sprint(key), fmt.Sprintf("%v %+v %#v %s %q", key, p, p, key, key), string(encoded), fmt.Sprintf("%+v", h.rec.Events())} {
		require.NotContains(t, s, secret)
		require.NotContains(t, s, secret[:16])
	}
	require.Nil(t, p.Keys[0].Hash)
}
