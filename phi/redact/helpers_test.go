package redact_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func parse(t *testing.T, line string) (m map[string]any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(line), &m))
	return m
}
