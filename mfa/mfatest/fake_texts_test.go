package mfatest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/mfa/mfatest"
)

func TestFakeTexts(t *testing.T) {
	t.Parallel()
	f := mfatest.NewFake(t, nil)
	f.EnrolText(t, "clinic", "p-lin", "+14155550123")
	_, err := f.SendText(t.Context(), "clinic", "p-lin")
	require.NoError(t, err)
	require.Len(t, f.Texts(), 2)
	methods, err := f.VerifyText(t.Context(), "clinic", "p-lin", f.TextCode(t, "clinic", "p-lin"))
	require.NoError(t, err)
	require.Equal(t, []string{"sms"}, methods)
	methods, err = f.VerifyText(t.Context(), "clinic", "p-lin", f.TextCode(t, "clinic", "p-lin"))
	require.NoError(t, err)
	require.Nil(t, methods)
}
