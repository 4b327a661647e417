package interop_test

import (
	"bytes"
	"image/png"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/phi"
)

// A QR code reader (ZXing, ported to Go) reads from our picture what went into it, and the key
// in it is one that mfa accepts.
func TestAReaderReadsTheQRCode(t *testing.T) {
	t.Parallel()
	vault, err := phi.Open(t.Context(), "interop", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil)
	require.NoError(t, err)
	for _, issuer := range []string{"Example Clinic", "Smith & Sons: Therapy", "Praxis Dr. Müller", "クリニック"} {
		factors, err := mfa.New(mfa.NewMemory(), vault, audit.Discard{}, issuer, nil)
		require.NoError(t, err)
		for range 20 { // a new key each time
			uri, _, err := factors.Begin(t.Context(), "clinic", "p-lin", "dr.lin@example.com")
			require.NoError(t, err)
			picture, err := mfa.PNG(uri)
			require.NoError(t, err)
			require.Equal(t, uri, scan(t, picture))
		}
	}
}

// scan reads a picture that holds nothing but the code. Without that hint the reader looks for
// the code's corners as in a photograph, and now and then misplaces one.
func scan(t *testing.T, picture []byte) string {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(picture))
	require.NoError(t, err)
	bitmap, err := gozxing.NewBinaryBitmapFromImage(img)
	require.NoError(t, err)
	result, err := qrcode.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_PURE_BARCODE: true})
	require.NoError(t, err)
	return result.GetText()
}
