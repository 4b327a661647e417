package phi_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi"
)

// someBytes returns n bytes, the same for the same n.
func someBytes(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b)
	return b
}

func sealStream(t testing.TB, v *phi.Vault, at phi.At, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := v.SealStream(t.Context(), at, &b)
	require.NoError(t, err)
	_, err = w.Write(plain)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func openStream(t testing.TB, v *phi.Vault, at phi.At, sealed []byte) ([]byte, error) {
	t.Helper()
	r, err := v.UnsealStream(t.Context(), at, bytes.NewReader(sealed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// sizes are around the borders of chunks.
func sizes() []int {
	const c = phi.ChunkSize
	return []int{0, 1, 31, c - 1, c, c + 1, 2*c - 1, 2 * c, 3*c + 5}
}

func TestStreamRoundTrip(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	tenantScope := place()
	tenantScope.Patient = ""
	for _, at := range []phi.At{place(), tenantScope} {
		for _, n := range sizes() {
			plain := someBytes(n)
			sealed := sealStream(t, v, at, plain)
			require.Len(t, sealed, phi.StreamHeaderSize+n+28*(n/phi.ChunkSize+1))
			got, err := openStream(t, v, at, sealed)
			require.NoError(t, err, n)
			require.True(t, bytes.Equal(plain, got), n)
		}
	}
}

// However the bytes come and go, they are the same bytes.
func TestStreamShapes(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	type plainReader struct{ io.Reader } // hides WriteTo
	type plainWriter struct{ io.Writer } // hides ReadFrom
	for _, n := range sizes() {
		plain := someBytes(n)
		for name, write := range map[string]func(w *phi.StreamWriter) error{
			"pieces": func(w *phi.StreamWriter) error {
				for rest, k := plain, 1; len(rest) > 0; k = k*7%100_000 + 1 {
					k = min(k, len(rest))
					if m, err := w.Write(rest[:k]); err != nil || m != k {
						return errors.Join(err, io.ErrShortWrite)
					}
					rest = rest[k:]
				}
				return nil
			},
			"copy": func(w *phi.StreamWriter) error { _, err := io.Copy(w, plainReader{bytes.NewReader(plain)}); return err },
			"copy writes": func(w *phi.StreamWriter) error {
				_, err := io.Copy(plainWriter{w}, plainReader{bytes.NewReader(plain)})
				return err
			},
			"half reads": func(w *phi.StreamWriter) error {
				_, err := io.Copy(w, iotest.HalfReader(bytes.NewReader(plain)))
				return err
			},
			"data and EOF": func(w *phi.StreamWriter) error {
				k, err := w.ReadFrom(iotest.DataErrReader(bytes.NewReader(plain)))
				require.EqualValues(t, n, k)
				return err
			},
			"write, then copy": func(w *phi.StreamWriter) error {
				_, err := w.Write(plain[:n/3])
				require.NoError(t, err)
				_, err = w.ReadFrom(bytes.NewReader(plain[n/3:]))
				return err
			},
		} {
			var b bytes.Buffer
			w, err := v.SealStream(t.Context(), place(), &b)
			require.NoError(t, err)
			require.NoError(t, write(w), name)
			require.NoError(t, w.Close())
			r, err := v.UnsealStream(t.Context(), place(), iotest.HalfReader(&b))
			require.NoError(t, err)
			var got bytes.Buffer
			k, err := io.Copy(&got, r)
			require.NoError(t, err)
			require.EqualValues(t, n, k)
			require.True(t, bytes.Equal(plain, got.Bytes()), "%s, %d bytes", name, n)
		}
	}
	plain := someBytes(phi.ChunkSize + 100)
	r, err := v.UnsealStream(t.Context(), place(), bytes.NewReader(sealStream(t, v, place(), plain)))
	require.NoError(t, err)
	require.NoError(t, iotest.TestReader(r, plain))
}

// The documented format, computed by hand.
func TestStreamByHand(t *testing.T) {
	t.Parallel()
	kms := newLeakyKMS()
	v := openVault(t, kms, phi.NewMemoryKeys(), nil)
	at := phi.At{Tenant: clinic, Field: "file.scan", Row: "r-1"}
	plain := someBytes(phi.ChunkSize + 100)
	s := sealStream(t, v, at, plain)
	root := kms.keys[phi.PurposeData]
	where := lp("app", "clinic-1", "file.scan", "", "r-1", "")
	require.Equal(t, []byte{0x81, 0}, s[:2])
	require.Equal(t, expand(t, root, "phi/v1/kid", 16), s[2:18])
	fileKey, err := phi.OpenXAES(expand(t, root, "phi/v1/field/file.scan", 32), s[18:90], []byte(string(s[:18])+where))
	require.NoError(t, err)
	keys := expand(t, fileKey, "phi/v1/stream"+where, 64)
	require.Equal(t, keys[32:], s[90:122])
	first, last := s[122:122+65536+28], s[122+65536+28:]
	require.Equal(t, plain[:65536], openGCM(t, keys[:32], first, string(binary.BigEndian.AppendUint64(nil, 0))+"\x00"))
	require.Equal(t, plain[65536:], openGCM(t, keys[:32], last, string(binary.BigEndian.AppendUint64(nil, 1))+"\x01"))

	at.Patient = "p-1"
	require.Equal(t, []byte{0x81, 1}, sealStream(t, v, at, nil)[:2])
}

// Nothing of a stream repeats in another of the same bytes and place.
func TestStreamsDiffer(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	a, b := sealStream(t, v, place(), make([]byte, 100)), sealStream(t, v, place(), make([]byte, 100))
	require.Equal(t, a[:18], b[:18])
	for i := 18; i+8 <= len(a); i++ {
		require.NotEqual(t, a[i:i+8], b[i:i+8])
	}
}

// A rotation gives a file to the current key without touching its chunks.
func TestResealStream(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	plain := someBytes(phi.ChunkSize + 3)
	s := sealStream(t, v, place(), plain)
	head, err := v.ResealStream(t.Context(), place(), s[:phi.StreamHeaderSize])
	require.NoError(t, err)
	require.Len(t, head, phi.StreamHeaderSize)
	require.NotEqual(t, s[18:90], head[18:90])
	got, err := openStream(t, v, place(), append(head, s[phi.StreamHeaderSize:]...))
	require.NoError(t, err)
	require.True(t, bytes.Equal(plain, got))

	elsewhere := place()
	elsewhere.Row = "r-2"
	_, err = v.ResealStream(t.Context(), elsewhere, s[:phi.StreamHeaderSize])
	require.ErrorIs(t, err, phi.ErrAltered)
	_, err = v.ResealStream(t.Context(), place(), s[:phi.StreamHeaderSize+1])
	require.ErrorIs(t, err, phi.ErrTruncated)
	s[phi.StreamHeaderSize-1] ^= 1
	_, err = v.ResealStream(t.Context(), place(), s[:phi.StreamHeaderSize])
	require.ErrorIs(t, err, phi.ErrAltered, "the commitment is checked before it is carried on")
}

// repeated yields n bytes without holding them.
type repeated struct{ n int }

func (r *repeated) Read(p []byte) (int, error) {
	if r.n == 0 {
		return 0, io.EOF
	}
	k := min(len(p), r.n)
	r.n -= k
	return k, nil
}

// 50 MB go through in less than 1 MiB of memory, counting all that is ever allocated.
func TestStreamMemory(t *testing.T) {
	v := newVault(t)
	_ = sealStream(t, v, place(), nil) // the keys exist
	allocated := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.TotalAlloc
	}
	before := allocated()
	pipe, sink := io.Pipe()
	w, err := v.SealStream(t.Context(), place(), io.Discard)
	require.NoError(t, err)
	_, err = io.Copy(w, &repeated{50 << 20})
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.Less(t, allocated()-before, uint64(1<<20), "sealing")

	before = allocated()
	errs := make(chan error, 1)
	go func() {
		w, err := v.SealStream(t.Context(), place(), sink)
		if err == nil {
			_, err = io.Copy(w, &repeated{50 << 20})
			err = errors.Join(err, w.Close(), sink.Close())
		}
		errs <- err
	}()
	r, err := v.UnsealStream(t.Context(), place(), pipe)
	require.NoError(t, err)
	n, err := io.Copy(io.Discard, r)
	require.NoError(t, err)
	require.NoError(t, <-errs)
	require.EqualValues(t, 50<<20, n)
	require.Less(t, allocated()-before, uint64(1<<20), "sealing and opening")
}

// A chunk costs no allocation.
func TestStreamAllocations(t *testing.T) {
	v := newVault(t)
	w, err := v.SealStream(t.Context(), place(), io.Discard)
	require.NoError(t, err)
	chunk := make([]byte, phi.ChunkSize)
	require.Zero(t, testing.AllocsPerRun(20, func() { _, _ = w.Write(chunk) }))
	r, err := v.UnsealStream(t.Context(), place(), bytes.NewReader(sealStream(t, v, place(), make([]byte, 50*phi.ChunkSize))))
	require.NoError(t, err)
	require.Zero(t, testing.AllocsPerRun(20, func() { _, _ = io.ReadFull(r, chunk) }))
}
