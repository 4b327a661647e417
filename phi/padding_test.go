package phi_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi"
)

// What another implementation that holds the keys could write: any amount of padding opens, a
// value without its end mark does not.
func TestForeignPadding(t *testing.T) {
	t.Parallel()
	kms := newLeakyKMS()
	v := openVault(t, kms, phi.NewMemoryKeys(), nil)
	at := phi.At{Tenant: clinic, Field: "staff.phone", Row: "r-1"}
	s, err := v.Seal(t.Context(), at, []byte("x"))
	require.NoError(t, err)
	key := expand(t, kms.keys[phi.PurposeData], "phi/v1/field/staff.phone", 32)
	for padded, want := range map[string]string{
		"555-0123\x80" + string(make([]byte, 23)):          "555-0123",
		"555-0123\x80" + string(make([]byte, 87)):          "555-0123",
		"555-0123\x80\x80" + string(make([]byte, 22)):      "555-0123\x80",
		"\x80" + string(make([]byte, 31)):                  "",
		string(make([]byte, 32)):                           "refused",
		"555-0123" + string(make([]byte, 24)):              "refused",
		"555-0123\x80" + string(make([]byte, 22)) + "\x01": "refused",
	} {
		aad := string(s[:18]) + lp("app", "clinic-1", "staff.phone", "", "r-1", "")
		forged := append(phi.Sealed{}, s[:18]...)
		forged = append(forged, phi.SealXAES(key, s[18:30], []byte(padded), []byte(aad))...)
		got, err := v.Unseal(t.Context(), at, forged)
		if want == "refused" {
			require.ErrorIs(t, err, phi.ErrAltered)
			require.Nil(t, got)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
}

// A value whose flags say that it is not padded opens as it is.
func TestForeignUnpadded(t *testing.T) {
	t.Parallel()
	kms := newLeakyKMS()
	v := openVault(t, kms, phi.NewMemoryKeys(), nil)
	at := phi.At{Tenant: clinic, Field: "staff.phone", Row: "r-1"}
	s, err := v.Seal(t.Context(), at, []byte("x"))
	require.NoError(t, err)
	key := expand(t, kms.keys[phi.PurposeData], "phi/v1/field/staff.phone", 32)
	for _, plain := range []string{"", "555-0123", "a\x80\x00"} {
		forged := append(phi.Sealed{1, 0}, s[2:18]...)
		aad := string(forged) + lp("app", "clinic-1", "staff.phone", "", "r-1", "")
		forged = append(forged, phi.SealXAES(key, s[18:30], []byte(plain), []byte(aad))...)
		got, err := v.Unseal(t.Context(), at, forged)
		require.NoError(t, err)
		require.Equal(t, plain, string(got))
	}
}
