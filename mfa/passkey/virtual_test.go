package passkey_test

import (
	"testing"

	"github.com/descope/virtualwebauthn"
	"github.com/stretchr/testify/require"
)

func TestVirtual(t *testing.T) {
	t.Parallel()
	require.NotEmpty(t, virtualwebauthn.NewAuthenticator().Aaguid)
}
