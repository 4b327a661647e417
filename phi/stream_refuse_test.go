package phi_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi"
)

// requireRefused checks that a stream that is not the one of plain ends with want, and that
// what was released before is the beginning of plain: whole chunks that were authenticated.
func requireRefused(t testing.TB, v *phi.Vault, plain, sealed []byte, want error, what any) {
	t.Helper()
	got, err := openStream(t, v, place(), sealed)
	require.ErrorIs(t, err, want, what)
	require.NotErrorIs(t, err, io.EOF)
	require.True(t, bytes.HasPrefix(plain, got), what)
	require.Zero(t, len(got)%phi.ChunkSize, what)
	if r, err := v.UnsealStream(t.Context(), place(), bytes.NewReader(sealed)); err == nil {
		var copied bytes.Buffer
		n, err := r.WriteTo(&copied)
		require.ErrorIs(t, err, want, what)
		require.EqualValues(t, len(got), n, what)
		require.True(t, bytes.Equal(got, copied.Bytes()), what)
	}
	requireQuiet(t, err)
}

func requireQuiet(t testing.TB, err error) {
	t.Helper()
	for _, word := range []string{"p-1", "r-1", "clinic-", "phone"} {
		require.NotContains(t, err.Error(), word)
	}
}

func TestStreamElsewhere(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	plain := someBytes(100)
	s := sealStream(t, v, place(), plain)
	for _, at := range []phi.At{
		{Tenant: "clinic-2", Field: "patient.phone", Patient: "p-1", Row: "r-1"},
		{Tenant: clinic, Field: "patient.phone", Patient: "p-2", Row: "r-1"},
		{Tenant: clinic, Field: "patient.phone", Row: "r-1"},
	} {
		sealStream(t, v, at, nil) // so that its keys exist
	}
	for name, tc := range map[string]struct {
		change func(*phi.At)
		want   error
	}{
		"other tenant":  {func(a *phi.At) { a.Tenant = "clinic-2" }, phi.ErrForeignTenant},
		"other patient": {func(a *phi.At) { a.Patient = "p-2" }, phi.ErrSwapped},
		"tenant scope":  {func(a *phi.At) { a.Patient = "" }, phi.ErrSwapped},
		"other field":   {func(a *phi.At) { a.Field = "patient.scan" }, phi.ErrAltered},
		"other row":     {func(a *phi.At) { a.Row = "r-2" }, phi.ErrAltered},
		"border":        {func(a *phi.At) { a.Field, a.Row = "patient.phoner", "-1" }, phi.ErrAltered},
		"no row":        {func(a *phi.At) { a.Row = "" }, phi.ErrBinding},
	} {
		at := place()
		tc.change(&at)
		_, err := v.UnsealStream(t.Context(), at, bytes.NewReader(s))
		require.ErrorIs(t, err, tc.want, "%s: refused before anything is read", name)
		requireQuiet(t, err)
	}
	_, err := v.SealStream(t.Context(), phi.At{Tenant: clinic, Field: "f"}, io.Discard)
	require.ErrorIs(t, err, phi.ErrBinding)

	other, err := phi.Open(t.Context(), "other", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil)
	require.NoError(t, err)
	_, err = other.UnsealStream(t.Context(), place(), bytes.NewReader(s))
	require.ErrorIs(t, err, phi.ErrUnknownKey)
}

// A sealed value is no stream, and a stream no sealed value.
func TestStreamIsNoValue(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	value, err := v.Seal(t.Context(), place(), make([]byte, 200))
	require.NoError(t, err)
	_, err = v.UnsealStream(t.Context(), place(), bytes.NewReader(value))
	require.ErrorIs(t, err, phi.ErrUnknownSuite)
	stream := sealStream(t, v, place(), make([]byte, 200))
	_, err = v.Unseal(t.Context(), place(), stream)
	require.ErrorIs(t, err, phi.ErrUnknownSuite)
	_, err = phi.Sealed(stream).Value()
	require.ErrorIs(t, err, phi.ErrUnsealed)

	// The wrapped file key is not a value either, however its first bytes are dressed.
	for _, suite := range []byte{0x01, 0x81} {
		forged := phi.Sealed(bytes.Clone(stream[:90]))
		forged[0] = suite
		_, err = v.Unseal(t.Context(), place(), forged)
		require.Error(t, err)
	}
}

func TestStreamHeader(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	plain := someBytes(50)
	s := sealStream(t, v, place(), plain)
	for i := range phi.StreamHeaderSize * 8 {
		bad := bytes.Clone(s)
		bad[i/8] ^= 1 << (i % 8)
		want := phi.ErrAltered
		switch at := i / 8; {
		case at == 0 || at == 1 && i%8 > 0:
			want = phi.ErrUnknownSuite
		case at == 1:
			want = phi.ErrSwapped
		case at < 18:
			want = phi.ErrUnknownKey
		}
		_, err := v.UnsealStream(t.Context(), place(), bytes.NewReader(bad))
		require.ErrorIs(t, err, want, "bit %d", i)
	}
	for n := range phi.StreamHeaderSize {
		_, err := v.UnsealStream(t.Context(), place(), bytes.NewReader(s[:n]))
		require.ErrorIs(t, err, phi.ErrTruncated, n)
	}
	_, err := v.UnsealStream(t.Context(), place(), strings.NewReader("%PDF-1.7"))
	require.ErrorIs(t, err, phi.ErrUnknownSuite)
}

// Who holds the patient's key, but did not make the stream, cannot put another file key under
// its commitment: a header stands for one key.
func TestStreamCommitment(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	plain := someBytes(50)
	mine, other := sealStream(t, v, place(), plain), sealStream(t, v, place(), plain)
	forged := slices.Concat(other[:90], mine[90:])
	requireRefused(t, v, plain, forged, phi.ErrAltered, "another's commitment")
	forged = slices.Concat(mine[:90], make([]byte, 32), mine[122:])
	requireRefused(t, v, plain, forged, phi.ErrAltered, "none")
}

// Chunks that are exchanged, left out, doubled, cut or taken from elsewhere.
func TestStreamSplices(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	const c, h = phi.ChunkSealed, phi.StreamHeaderSize
	plain := someBytes(3*phi.ChunkSize + 1000)
	s, twin := sealStream(t, v, place(), plain), sealStream(t, v, place(), plain)
	whole := sealStream(t, v, place(), plain[:2*phi.ChunkSize])
	chunk := func(s []byte, i int) []byte { return s[h+i*c : min(len(s), h+(i+1)*c)] }
	head, last := s[:h], chunk(s, 3)
	join := func(parts ...[]byte) []byte { return slices.Concat(append([][]byte{head}, parts...)...) }
	for name, tc := range map[string]struct {
		sealed []byte
		want   error
	}{
		"two exchanged":         {join(chunk(s, 1), chunk(s, 0), chunk(s, 2), last), phi.ErrAltered},
		"one left out":          {join(chunk(s, 0), chunk(s, 2), last), phi.ErrAltered},
		"one doubled":           {join(chunk(s, 0), chunk(s, 0), chunk(s, 1), chunk(s, 2), last), phi.ErrAltered},
		"all but the last":      {join(last), phi.ErrAltered},
		"the last one early":    {join(chunk(s, 0), last), phi.ErrAltered},
		"the last one missing":  {join(chunk(s, 0), chunk(s, 1), chunk(s, 2)), phi.ErrTruncated},
		"only a header":         {join(), phi.ErrTruncated},
		"one chunk":             {join(chunk(s, 0)), phi.ErrTruncated},
		"the last one doubled":  {join(chunk(s, 0), chunk(s, 1), chunk(s, 2), last, last), phi.ErrAltered},
		"more at the end":       {join(chunk(s, 0), chunk(s, 1), chunk(s, 2), last, []byte{0}), phi.ErrAltered},
		"a chunk from a twin":   {join(chunk(s, 0), chunk(twin, 1), chunk(s, 2), last), phi.ErrAltered},
		"a twin's end":          {join(chunk(s, 0), chunk(s, 1), chunk(s, 2), chunk(twin, 3)), phi.ErrAltered},
		"a twin's body":         {join(twin[h:]), phi.ErrAltered},
		"a shorter one's end":   {join(chunk(s, 0), chunk(s, 1), chunk(whole, 2)), phi.ErrAltered},
		"cut in the last":       {s[:len(s)-500], phi.ErrTruncated},
		"cut in the middle":     {s[:h+c+500], phi.ErrTruncated},
		"cut to a tag":          {s[:h+c+28], phi.ErrTruncated},
		"cut to less than that": {s[:h+c+27], phi.ErrTruncated},
		"one byte":              {s[:h+1], phi.ErrTruncated},
	} {
		requireRefused(t, v, plain, tc.sealed, tc.want, name)
		_, err := openStream(t, v, place(), tc.sealed)
		require.ErrorIs(t, err, phi.ErrTampered)
	}
	empty := sealStream(t, v, place(), nil)
	requireRefused(t, v, nil, append(bytes.Clone(empty), empty[h:]...), phi.ErrAltered, "an empty end doubled")
	requireRefused(t, v, nil, empty[:h], phi.ErrTruncated, "an empty one without its end")
	// A stream of whole chunks ends with an empty one: without it, nothing says that it ended.
	requireRefused(t, v, plain[:2*phi.ChunkSize], whole[:len(whole)-28], phi.ErrTruncated, "whole chunks")
}

func TestStreamEveryByteCounts(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	plain := someBytes(phi.ChunkSize + 40)
	s := sealStream(t, v, place(), plain)
	for i := phi.StreamHeaderSize; i < len(s); i++ {
		if i > 200 && i < phi.ChunkSealed && i%4099 != 0 {
			continue // inside the first chunk some bytes stand for all
		}
		s[i] ^= 0x40
		requireRefused(t, v, plain, s, phi.ErrAltered, i)
		s[i] ^= 0x40
	}
	for _, n := range []int{1, 2, 27, 28, 40, 67, 68, 69, 1000, phi.ChunkSize, len(s) - phi.StreamHeaderSize} {
		requireRefused(t, v, plain, s[:len(s)-n], phi.ErrTruncated, n)
	}
}

// A stream that was not closed, or whose source or target failed, is never taken for whole.
func TestStreamIncomplete(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	plain := someBytes(2*phi.ChunkSize + 10)
	cut := errors.New("connection reset")

	var b bytes.Buffer
	w, err := v.SealStream(t.Context(), place(), &b)
	require.NoError(t, err)
	_, err = w.Write(plain)
	require.NoError(t, err)
	requireRefused(t, v, plain, b.Bytes(), phi.ErrTruncated, "not closed")

	for _, failure := range []error{cut, io.ErrUnexpectedEOF} { // the second is what a request's body says
		b.Reset()
		w, err = v.SealStream(t.Context(), place(), &b)
		require.NoError(t, err)
		_, err = io.Copy(w, io.MultiReader(bytes.NewReader(plain), iotest.ErrReader(failure)))
		require.ErrorIs(t, err, failure)
		require.ErrorIs(t, w.Close(), failure)
		requireRefused(t, v, plain, b.Bytes(), phi.ErrTruncated, "the source failed")
		require.ErrorIs(t, w.Close(), failure)
		_, err = w.Write([]byte("more"))
		require.ErrorIs(t, err, failure)
		requireRefused(t, v, plain, b.Bytes(), phi.ErrTruncated, "the source failed")
	}
	w, err = v.SealStream(t.Context(), place(), &b)
	require.NoError(t, err)
	_, err = w.ReadFrom(stuck{})
	require.ErrorIs(t, err, io.ErrNoProgress)
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

// brittle fails from the n-th write on, or writes only half of it.
type brittle struct {
	bytes.Buffer
	n     int
	short bool
	err   error
}

func (b *brittle) Write(p []byte) (int, error) {
	if b.n--; b.n >= 0 {
		return b.Buffer.Write(p)
	}
	if b.short {
		return b.Buffer.Write(p[:len(p)/2])
	}
	return 0, b.err
}

func TestStreamTargetFails(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	plain := someBytes(3*phi.ChunkSize + 10)
	full := errors.New("disk full")
	for _, short := range []bool{false, true} {
		want := full
		if short {
			want = io.ErrShortWrite
		}
		for n := range 5 { // the header, three chunks, the last one
			b := &brittle{n: n, short: short, err: full}
			w, err := v.SealStream(t.Context(), place(), b)
			if err != nil {
				require.Zero(t, n)
				require.ErrorIs(t, err, want)
				continue
			}
			_, writeErr := w.Write(plain)
			require.Equal(t, n < 4, writeErr != nil)
			if n < 4 {
				b.n = 100 // it works again, but there is a gap
			}
			require.ErrorIs(t, w.Close(), want, "the last chance to notice")
			require.ErrorIs(t, w.Close(), want)
			_, err = w.Write(plain)
			require.ErrorIs(t, err, want, "nothing follows a gap")
			requireRefused(t, v, plain, b.Bytes(), phi.ErrTruncated, n)
		}
	}
	w, err := v.SealStream(t.Context(), place(), io.Discard)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, w.Close())
	_, err = w.Write([]byte("late"))
	require.Error(t, err)
	_, err = w.ReadFrom(strings.NewReader("late"))
	require.Error(t, err)
}

// A source that cannot be read says nothing about the data, and stays that way.
func TestStreamSourceFails(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	plain := someBytes(2*phi.ChunkSize + 10)
	s := sealStream(t, v, place(), plain)
	for _, failure := range []error{errors.New("connection reset"), io.ErrUnexpectedEOF} {
		for _, n := range []int{0, 50, phi.StreamHeaderSize, phi.StreamHeaderSize + 100, phi.StreamHeaderSize + phi.ChunkSealed, len(s) - 1, len(s)} {
			r, err := v.UnsealStream(t.Context(), place(), io.MultiReader(bytes.NewReader(s[:n]), iotest.ErrReader(failure)))
			var got []byte
			if err == nil {
				got, err = io.ReadAll(r)
				_, again := r.Read(make([]byte, 1))
				require.Equal(t, err, again)
			}
			require.ErrorIs(t, err, failure)
			require.NotErrorIs(t, err, phi.ErrTampered)
			require.True(t, bytes.HasPrefix(plain, got) && len(got) < len(plain))
		}
	}
	r, err := v.UnsealStream(t.Context(), place(), bytes.NewReader(s))
	require.NoError(t, err)
	_, err = r.WriteTo(&brittle{n: 1, err: io.ErrClosedPipe})
	require.ErrorIs(t, err, io.ErrClosedPipe)
	r, err = v.UnsealStream(t.Context(), place(), bytes.NewReader(s))
	require.NoError(t, err)
	_, err = r.WriteTo(&brittle{n: 1, short: true})
	require.ErrorIs(t, err, io.ErrShortWrite)
	n, err := r.Read(nil)
	require.Zero(t, n)
	require.NoError(t, err)
}

// One key seals 2^32 chunks and no more.
func TestStreamLength(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	var b bytes.Buffer
	w, err := v.SealStream(t.Context(), place(), &b)
	require.NoError(t, err)
	w.SkipTo(1<<32 - 1)
	_, err = w.Write(make([]byte, phi.ChunkSize))
	require.NoError(t, err)
	require.ErrorIs(t, w.Close(), phi.ErrTooLong)
	r, err := v.UnsealStream(t.Context(), place(), &b)
	require.NoError(t, err)
	r.SkipTo(1 << 32)
	_, err = r.Read(make([]byte, 1))
	require.ErrorIs(t, err, phi.ErrTooLong)
}

func TestStreamWithoutKeys(t *testing.T) {
	t.Parallel()
	keys, down := newSpyKeys(), errors.New("down")
	v := openVault(t, phi.NewMemoryKMS(), keys, nil)
	keys.failAt, keys.err = 1, down
	b := &bytes.Buffer{}
	_, err := v.SealStream(t.Context(), place(), b)
	require.ErrorIs(t, err, phi.ErrUnavailable)
	require.ErrorIs(t, err, down)
	require.Zero(t, b.Len(), "nothing is written")
}

// Any byte that changes, any that goes and any that comes, is an error, and what was released
// until then is the beginning of the file.
func FuzzStream(f *testing.F) {
	v := newVault(f)
	plain := someBytes(phi.ChunkSize + 300)
	s := sealStream(f, v, place(), plain)
	f.Add(0, byte(1), 0, 0)
	f.Add(200, byte(0x80), 0, 5)
	f.Add(len(s)-1, byte(0), 1, -1)
	f.Add(130, byte(0), phi.ChunkSealed, 0)
	f.Fuzz(func(t *testing.T, at int, flip byte, drop, grow int) {
		at = ((at % len(s)) + len(s)) % len(s)
		drop = min(max(drop, 0), len(s)-at)
		bad := slices.Concat(s[:at], s[at+drop:])
		if len(bad) > 0 {
			bad[at%len(bad)] ^= flip
		}
		if grow > 0 {
			bad = append(bad, make([]byte, grow%1000)...)
		}
		got, err := openStream(t, v, place(), bad)
		require.Equal(t, !bytes.Equal(s, bad), err != nil)
		if err != nil {
			require.True(t, bytes.HasPrefix(plain, got) && len(got)%phi.ChunkSize == 0)
			require.True(t, errors.Is(err, phi.ErrTampered) || errors.Is(err, phi.ErrUnknownSuite) || errors.Is(err, phi.ErrUnknownKey))
		}
	})
}

func FuzzStreamAnything(f *testing.F) {
	v := newVault(f)
	f.Add([]byte{})
	f.Add(append([]byte{0x81, 1}, make([]byte, 200)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := openStream(t, v, place(), b)
		require.Error(t, err)
		require.Empty(t, got)
	})
}
