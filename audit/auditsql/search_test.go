package auditsql_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
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

// TestCandidates compares searches for a key with a plain one, within all kinds of bounds, and
// those for first pages, in all kinds of periods.
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
				check := func(got []int64, done bool, err error) {
					t.Helper()
					require.NoError(t, err)
					require.LessOrEqual(t, len(got), limit)
					require.True(t, done || len(got) > 0, "no step forward")
					if done {
						require.Len(t, want, len(got))
					}
					require.Equal(t, want[:len(got)], append([]int64{}, got...))
				}
				got, done, err := s.Candidates(t.Context(), auditsql.KeyOfType("clinic-0", "t-1"), no, int64(from), int64(below), limit)
				check(got, done, err)
				if s.Kit().Dialect() == sqlkit.Postgres {
					f := audit.Filter{Tenant: "clinic-0", ObjectType: "t-1"}
					want = firstPlaces(have, &f, no, limit)
					got, done, known, err := s.First(t.Context(), f, auditsql.KeyOfType("clinic-0", "t-1"), limit)
					require.True(t, known)
					check(got, done, err)
					require.Len(t, got, min(len(want), limit), "a second search would be needed")
				}
			}
		}
	})
}

// firstPlaces are those of the newest entries that a filter selects, one more than asked for.
func firstPlaces(have []audit.Entry, f *audit.Filter, no int64, limit int) []int64 {
	places := []int64{}
	for i := len(have) - 1; i >= 0 && len(places) <= limit; i-- {
		if f.Matches(&have[i]) {
			places = append(places, no<<40+int64(i))
		}
	}
	return places
}

// TestFirstPages compares first pages of all sizes with a plain search, where keys fill many blocks
// and where they share one, and periods begin anywhere.
func TestFirstPages(t *testing.T) {
	inTurn(t)
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		for _, block := range []int{64, 300, 3800} {
			s := over(t, open(t))
			s.Shape(block, 3, 2)
			r := rand.New(rand.NewPCG(uint64(block), 5))
			m := model{}
			for n := 0; n < 1500; n += 60 {
				var batch []audit.Entry
				for i := range 60 {
					batch = append(batch, random(t, r, n+i))
				}
				for _, e := range batch {
					m[e.Tenant] = append(m[e.Tenant], e)
				}
				require.NoError(t, s.Append(t.Context(), batch))
				drain(t, s)
			}
			for range less(300) {
				f := randomFilter(r)
				if f.To = (time.Time{}); r.IntN(2) == 0 {
					f.From = time.Time{}
				}
				limit := 1 + r.IntN(400)
				var got []string
				for e, err := range s.List(t.Context(), f, audit.Newest, limit) {
					require.NoError(t, err)
					got = append(got, e.ID)
				}
				require.Equal(t, m.list(&f, audit.Newest, limit), got)
			}
		}
	})
}

// TestOtherBytes: the bytes of a key that are inside of something else are not taken for the key.
func TestOtherBytes(t *testing.T) {
	t.Parallel()
	const place = 1<<40 + 100
	paced := func(key int64, steps ...int64) (pairs []auditsql.Pair) {
		at := int64(place)
		for _, step := range append([]int64{0}, steps...) {
			at += step
			pairs = append(pairs, auditsql.MakePair(key, at))
		}
		return pairs
	}
	const key, around, spelt = 0x11_22_33_44_55_66_77_01, 0x01_11_22_33_44_55_66_77, 0x01_02_03_04_05_06_07_08
	steps := paced(0x00_00_ff_00_ff_00_ff_00, 1, 2, 3, 4, 5, 6, 7, 8, 5) // which spell the key, and a count
	for name, test := range map[string]struct {
		key   int64
		pairs []auditsql.Pair
		want  []int64
		known bool
	}{
		"in a key":                {key: key, pairs: paced(around)},
		"in a key before it":      {key: key, pairs: append(paced(around), auditsql.MakePair(key, place-2), auditsql.MakePair(key, place-1)), want: []int64{place - 1, place - 2}},
		"in steps":                {key: spelt, pairs: append(steps, auditsql.MakePair(0x01_01_82_80_80_80_80_20, place))},
		"in steps before it":      {key: spelt, pairs: append(slices.Clone(steps), auditsql.MakePair(spelt, place)), want: []int64{place}},
		"nowhere else, first":     {key: key, pairs: paced(key, 3), want: []int64{place + 3, place}, known: true},
		"nowhere else, not first": {key: key, pairs: append(paced(around+1, 2), paced(key, 3)...), want: []int64{place + 3, place}, known: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
				s := over(t, open(t))
				if s.Kit().Dialect() != sqlkit.Postgres {
					return // SQLite returns whole blocks
				}
				exec := func(query string, args ...any) {
					_, err := s.Kit().Exec(t.Context(), query, args...)
					require.NoError(t, err)
				}
				exec(`INSERT INTO audit_tenant (no, tenant, given, size, latest, late, low, high) VALUES (1, 'clinic-0', 600, 600, 9, 0, 9, 9)`)
				exec(`INSERT INTO audit_run (no, level, state) VALUES (1, 0, 1)`)
				data := auditsql.Blocks(test.pairs, 3800)
				require.Len(t, data, 1)
				first := test.pairs[0]
				exec(`INSERT INTO audit_block (run, key, place, data) VALUES (1, ?, ?, ?)`, first.Key(), first.Place(), data[0])
				for _, limit := range []int{3, 50} {
					got, done, known, err := s.First(t.Context(), audit.Filter{Tenant: "clinic-0"}, test.key, limit)
					require.NoError(t, err)
					require.Equal(t, test.known, known)
					if known {
						require.True(t, done)
						require.Equal(t, test.want, got)
					}
					got, _, err = s.Candidates(t.Context(), test.key, 1, 0, 600, limit)
					require.NoError(t, err)
					require.Equal(t, test.want, append([]int64(nil), got...))
				}
			})
		})
	}
}
