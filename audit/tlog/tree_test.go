package tlog_test

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tlog"
)

// TestReferenceVectors: the leaves and roots that the Certificate Transparency projects test
// their implementations of RFC 6962, section 2.1 with.
func TestReferenceVectors(t *testing.T) {
	t.Parallel()
	leaves := []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"}
	roots := []string{
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
	s := &tlog.Side{}
	for i, root := range roots {
		got := s.Root()
		require.Equal(t, root, hex.EncodeToString(got[:]), "%d leaves", i)
		if i < len(leaves) {
			leaf, err := hex.DecodeString(leaves[i])
			require.NoError(t, err)
			s.Push(audit.Leaf(leaf))
		}
	}
}

// TestRootAgreesWithTheReference compares roots with golang.org/x/mod/sumdb/tlog's at every size
// around the borders of tiles.
func TestRootAgreesWithTheReference(t *testing.T) {
	t.Parallel()
	var stored []merkle.Hash
	reader := merkle.HashReaderFunc(func(indexes []int64) ([]merkle.Hash, error) {
		out := make([]merkle.Hash, len(indexes))
		for i, at := range indexes {
			out[i] = stored[at]
		}
		return out, nil
	})
	s := &tlog.Side{}
	for n := range int64(66_100) {
		leaf := merkle.RecordHash([]byte{byte(n), byte(n >> 8), byte(n >> 16)})
		more, err := merkle.StoredHashesForRecordHash(n, leaf, reader)
		require.NoError(t, err)
		stored = append(stored, more...)
		s.Push(leaf)
		if size := n + 1; size < 600 || size%256 < 2 || size%1009 == 0 || size > 65_530 && size < 65_800 {
			want, err := merkle.TreeHash(size, reader)
			require.NoError(t, err)
			require.Equal(t, tlog.Hash(want), s.Root(), "%d leaves", size)
		}
	}
}

// TestCloneGoesOnByItself: what is added to one is not in the other.
func TestCloneGoesOnByItself(t *testing.T) {
	t.Parallel()
	s := &tlog.Side{}
	for n := range 300 {
		s.Push([32]byte{byte(n)})
	}
	before := s.Root()
	c := s.Clone()
	for range 300 {
		c.Push([32]byte{9})
	}
	require.Equal(t, before, s.Root())
	require.NotEqual(t, before, c.Root())
}
