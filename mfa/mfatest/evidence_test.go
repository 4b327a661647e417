package mfatest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit/evidence"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/mfa/mfatest"
	"github.com/wardkit/wardkit/phi"
)

// TestControls: what people have is counted, and codes by text message are marked as restricted
// in the packet.
func TestControls(t *testing.T) {
	t.Parallel()
	f := mfatest.NewFake(t, nil)
	var _ evidence.Source = f.Factors
	f.Enrol(t, town, ann)
	f.EnrolPasskey(t, town, "p-bo")
	f.EnrolText(t, town, "p-cy", "+14155550123")
	list, err := f.Controls(t.Context(), town)
	require.NoError(t, err)
	packet := evidence.Collect(t.Context(), town, time.Now(), []evidence.Section{{Name: "Second factors", From: f.Factors}}, nil)
	require.Equal(t, list, packet.Sections[0].Controls)
	require.Equal(t, "people with one: 1, disabled: 0", list[0].Detail)
	require.Equal(t, "people with one: 1", list[1].Detail)
	require.Equal(t, evidence.InForce, list[1].State)
	require.Equal(t, evidence.Partly, list[2].State)
	require.Contains(t, list[2].Warning, "restricted authenticator")
	require.Contains(t, string(packet.Markdown()), "A restricted authenticator")
	require.Equal(t, list[2:], packet.Open())

	list, err = f.Controls(t.Context(), "elsewhere")
	require.NoError(t, err)
	require.Equal(t, "people with one: 0, disabled: 0", list[0].Detail, "another tenant")

	vault, err := phi.Open(t.Context(), "test", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil)
	require.NoError(t, err)
	bare, err := mfa.New(mfa.NewMemory(), vault, f.Events, "Example Clinic", nil)
	require.NoError(t, err)
	list, err = bare.Controls(t.Context(), town)
	require.NoError(t, err)
	require.Equal(t, evidence.NotUsed, list[1].State)
	require.NotEmpty(t, list[1].Warning, "a phishing-resistant option has to be offered")
	require.Equal(t, evidence.NotUsed, list[2].State)
}
