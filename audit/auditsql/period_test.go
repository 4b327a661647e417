package auditsql_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/enginetest"
)

// TestPeriods compares periods with a plain search, for clocks that run well, lag, jump ahead
// for a while, or back for good.
func TestPeriods(t *testing.T) {
	inTurn(t)
	t.Parallel()
	const n = 2600
	for name, clock := range map[string]func(r *rand.Rand, i int) int{
		"steady":      func(_ *rand.Rand, i int) int { return i },
		"two servers": func(r *rand.Rand, i int) int { return i - r.IntN(2)*40 },
		"one ahead":   func(_ *rand.Rand, i int) int { return i + i/1000*(1000-i%1000)/1000*50_000 },
		"set back":    func(_ *rand.Rand, i int) int { return i - i/1300*1500 },
		"random":      func(r *rand.Rand, _ int) int { return r.IntN(n) },
		"standing":    func(*rand.Rand, int) int { return 7 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
				s := over(t, open(t))
				r := rand.New(rand.NewPCG(9, 9))
				m := model{}
				var batch []audit.Entry
				at := func(i int) time.Time { return time.Unix(1_800_000_000+int64(i), 0).UTC() }
				for i := range n {
					e := event("a")
					e.Tenant, e.Actor.Tenant, e.Recorded, e.ID = "clinic-0", "clinic-0", at(clock(r, i)), audit.NewID(at(i))
					batch = append(batch, entryOf(t, e))
				}
				m["clinic-0"] = batch
				require.NoError(t, s.Append(t.Context(), batch))
				drain(t, s)
				for i := range 120 {
					f := audit.Filter{Tenant: "clinic-0", From: at(r.IntN(n+100) - 50)}
					if i < 60 { // where marks end
						f.From = at(256*(i%11) + i/11 - 2)
					}
					f.To = f.From.Add(time.Duration(r.IntN(600)) * time.Second)
					switch i % 4 {
					case 0:
						f.From = time.Time{}
					case 1:
						f.To = time.Time{}
					}
					if i%5 == 0 {
						f.Actors = []audit.ActorID{"u-9"}
					}
					below := audit.Newest
					if i%3 == 0 {
						below = int64(r.IntN(n))
					}
					var got []string
					for e, err := range s.List(t.Context(), f, below, 80) {
						require.NoError(t, err)
						got = append(got, e.ID)
					}
					require.Equal(t, m.list(&f, below, 80), got, "%v to %v below %d", f.From, f.To, below)
				}
			})
		})
	}
}
