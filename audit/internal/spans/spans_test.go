package spans_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/internal/spans"
)

// spansOf are the runs of ones among 64 bits.
func spansOf(bits uint64) (out []audit.Span) {
	for i := int64(0); i < 64; i++ {
		if bits>>i&1 == 0 {
			continue
		}
		if n := len(out); n > 0 && out[n-1].To == i {
			out[n-1].To++
			continue
		}
		out = append(out, audit.Span{From: i, To: i + 1})
	}
	return out
}

func bitsOf(list []audit.Span) (bits uint64) {
	for _, s := range list {
		for i := s.From; i < s.To; i++ {
			bits |= 1 << i
		}
	}
	return bits
}

// FuzzSpans: lists of spans are sets of places.
func FuzzSpans(f *testing.F) {
	f.Add(uint64(0b1101110), uint64(0b0111000), uint8(2), uint8(5))
	f.Add(^uint64(0), uint64(1)<<63, uint8(0), uint8(63))
	f.Add(uint64(0), uint64(5), uint8(63), uint8(64))
	f.Fuzz(func(t *testing.T, a, b uint64, from, to uint8) {
		x, y := spansOf(a), spansOf(b)
		require.True(t, spans.Are(x, 0, 64))
		require.Equal(t, spansOf(a|b), spans.Union(append(spansOf(b), x...)))
		require.Equal(t, spansOf(a&^b), spans.Without(x, y))
		low := a & (1<<32 - 1)
		require.Equal(t, x, spans.Join(spansOf(low), spansOf(a&^low)))
		require.Equal(t, a&b != 0, spans.Meet(x, y))
		require.Equal(t, spansOf(a), x, "what was given stays as it was")
		from, to = from%64, to%65
		var mask uint64
		for i := from; i < to; i++ {
			mask |= 1 << i
		}
		if from < to {
			require.Equal(t, spansOf(a&mask), spans.Clip(x, int64(from), int64(to)))
			require.Equal(t, a&^mask == 0, spans.Are(x, int64(from), int64(to)))
		}
		require.Equal(t, a, bitsOf(x))
		n := int64(0)
		for i := range 64 {
			n += int64(a >> i & 1)
		}
		require.Equal(t, n, spans.Count(x))
	})
}

func TestNoSpans(t *testing.T) {
	t.Parallel()
	for _, bad := range [][]audit.Span{{{From: 3, To: 3}}, {{From: 3, To: 2}}, {{From: -1, To: 2}}, {{From: 1, To: 11}}, {{From: 1, To: 3}, {From: 3, To: 4}}, {{From: 5, To: 6}, {From: 1, To: 2}}, {{From: 1, To: 5}, {From: 4, To: 7}}} {
		require.False(t, spans.Are(bad, 0, 10), bad)
	}
}
