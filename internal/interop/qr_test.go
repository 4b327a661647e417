package interop_test

import (
	"bytes"
	"context"
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
		uri, _, err := factors.Begin(context.Background(), "clinic", "p-lin", "dr.lin@example.com")
		require.NoError(t, err)
		picture, err := mfa.PNG(uri)
		require.NoError(t, err)
		require.Equal(t, uri, scan(t, picture))
	}
}

func scan(t *testing.T, picture []byte) string {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(picture))
	require.NoError(t, err)
	bitmap, err := gozxing.NewBinaryBitmapFromImage(img)
	require.NoError(t, err)
	result, err := qrcode.NewQRCodeReader().Decode(bitmap, nil)
	require.NoError(t, err)
	return result.GetText()
}
