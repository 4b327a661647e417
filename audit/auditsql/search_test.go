package auditsql_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/internal/enginetest"
)

// FuzzPosting compares what a search keeps of a block with all that the block has.
func FuzzPosting(f *testing.F) {
	var pairs []auditsql.Pair
	for i := range int64(300) {
		pairs = append(pairs, auditsql.MakePair(1+i/100, 1<<40+3*i))
	}
	block := auditsql.Blocks(pairs, 3800)[0]
	f.Add(block, int64(2), int64(1<<40), int64(2<<40), uint8(5))
	f.Add(block, int64(1), int64(1<<40+90), int64(1<<40+200), uint8(51))
	f.Add(block[:50], int64(1), int64(0), int64(1<<62), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, key, from, below int64, keep uint8) {
		all, more, older, ok := auditsql.Posting(data, key, from, below, 0)
		some, someMore, someOlder, someOK := auditsql.Posting(data, key, from, below, int(keep))
		require.Equal(t, ok, someOK)
		if !ok {
			return
		}
		require.Equal(t, older, someOlder)
		require.GreaterOrEqual(t, len(some), min(len(all), int(keep)))
		require.Equal(t, all[len(all)-len(some):], some)
		require.Equal(t, more || len(some) < len(all), someMore)
		if keep > 0 {
			require.LessOrEqual(t, len(some), 2*int(keep))
		}
		for i, p := range all {
			require.True(t, from <= p && p < below)
			require.True(t, i == 0 || all[i-1] < p || !ascends(data))
		}
	})
}

// ascends reports whether a block is whole: a section of a key may come twice in a forged one.
func ascends(data []byte) bool {
	_, ok := auditsql.Pairs(data)
	return ok
}

// TestCandidates compares searches for a key with a plain one, within all kinds of bounds and
// whether or not there is something above them, which is only said to be quicker.
func TestCandidates(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		for _, block := range []int{64, 3800} {
			s := over(t, open(t))
			s.Shape(block, 3, 2)
			r := rand.New(rand.NewPCG(uint64(block), 4))
			m := model{}
			for n := 0; n < 900; {
				var batch []audit.Entry
				for range 1 + r.IntN(60) {
					batch = append(batch, random(t, r, n))
					n++
				}
				for _, e := range batch {
					m[e.Tenant] = append(m[e.Tenant], e)
				}
				require.NoError(t, s.Append(t.Context(), batch))
				drain(t, s)
			}
			var no int64
			require.NoError(t, s.Kit().Get(t.Context(), []any{&no}, `SELECT no FROM audit_tenant WHERE tenant = 'clinic-0'`))
			have := m["clinic-0"]
			for range less(300) {
				from, below := r.IntN(len(have)), r.IntN(len(have)+1)
				if r.IntN(2) == 0 {
					from, below = 0, len(have)
				}
				limit := 1 + r.IntN(80)
				want := []int64{}
				for i := below - 1; i >= from && len(want) <= limit; i-- {
					if (&audit.Filter{Tenant: "clinic-0", ObjectType: "t-1"}).Matches(&have[i]) {
						want = append(want, no<<40+int64(i))
					}
				}
				for _, newest := range []bool{false, true} {
					got, done, err := s.Candidates(t.Context(), auditsql.KeyOfType("clinic-0", "t-1"), no, int64(from), int64(below), limit, newest)
					require.NoError(t, err)
					require.LessOrEqual(t, len(got), limit)
					require.True(t, done || len(got) > 0, "no step forward")
					if done {
						require.Len(t, want, len(got))
					}
					require.Equal(t, want[:len(got)], append([]int64{}, got...))
				}
			}
		}
	})
}
