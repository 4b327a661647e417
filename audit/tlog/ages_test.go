package tlog_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tlog"
)

func at(year int) time.Time { return time.Date(year, 3, 1, 12, 30, 0, 0, time.UTC) }

// headAt is an entry of the root log.
func headAt(n, size int64, when time.Time) tlog.Head {
	return tlog.Head{N: n, Tenant: clinic, Size: size, At: when}
}

// TestAges: the first head that covers events says how old they are, up to two hours less.
func TestAges(t *testing.T) {
	t.Parallel()
	a := tlog.AgesOf(clinic, headAt(0, 10, at(2018)), tlog.Head{N: 1, Tenant: other, Size: 99, At: at(2019)}, headAt(2, 20, at(2020)))
	for below, want := range map[int64]time.Time{1: at(2018), 10: at(2018), 11: at(2020), 20: at(2020)} {
		since, ok := a.Since(below)
		require.True(t, ok)
		require.Equal(t, want.Truncate(time.Hour).Add(2*time.Hour), since)
	}
	for _, below := range []int64{0, -1, 21} {
		_, ok := a.Since(below)
		require.False(t, ok)
	}
}

// TestClocksThatGoBack: a head is no older than the heads before it, of whatever tenant.
func TestClocksThatGoBack(t *testing.T) {
	t.Parallel()
	heads := []tlog.Head{
		headAt(0, 10, at(2020)),
		{N: 1, Tenant: other, Size: 5, At: at(2022)},
		headAt(2, 20, at(2010)), headAt(3, 30, at(2021)),
		headAt(4, 40, at(2023)), headAt(5, 50, at(2012)), headAt(6, 60, at(2024)),
	}
	a := tlog.AgesOf(clinic, heads...)
	for below, year := range map[int64]int{10: 2020, 20: 2022, 30: 2022, 40: 2023, 50: 2023, 60: 2024} {
		since, ok := a.Since(below)
		require.True(t, ok)
		require.Equal(t, at(year).Truncate(time.Hour).Add(2*time.Hour), since, below)
	}
}

// TestAllows: each of the times has to be late enough, and each of the others right.
func TestAllows(t *testing.T) {
	t.Parallel()
	since := at(2018).Truncate(time.Hour).Add(2 * time.Hour)
	due := since.AddDate(6, 0, 0)
	for name, c := range map[string]struct {
		recorded, covered, now time.Time
		change                 func(*audit.Purge)
		tenant                 audit.Tenant
		index                  int64
		ahead                  bool // a server's clock had been
		want                   error
	}{
		"on the day":              {recorded: due, covered: due, now: due},
		"recorded too early":      {recorded: due.Add(-1), covered: due, now: due, want: tlog.ErrYoung},
		"covered too early":       {recorded: due, covered: due.Add(-time.Hour - 1), now: due, want: tlog.ErrYoung},
		"behind a clock ahead":    {recorded: due, covered: due.AddDate(-1, 0, 0), now: due, ahead: true, want: tlog.ErrYoung},
		"in the future":           {recorded: due, covered: due, now: due.Add(-1), want: tlog.ErrYoung},
		"longer kept than that":   {recorded: due, covered: due, now: due, change: func(p *audit.Purge) { p.Months = 73 }, want: tlog.ErrYoung},
		"as long as it says":      {recorded: due.AddDate(0, 1, 0), covered: due.AddDate(0, 1, 0), now: due.AddDate(1, 0, 0), change: func(p *audit.Purge) { p.Months = 73 }},
		"one event that is young": {recorded: due, covered: due, now: due, change: func(p *audit.Purge) { p.Spans[1].To = 101 }, want: tlog.ErrYoung},
		"not covered yet":         {recorded: due, covered: due, now: due, index: 200, want: tlog.ErrUncovered},
		"of another tenant":       {recorded: due, covered: due, now: due, tenant: other, want: audit.ErrPurge},
		"one person":              {recorded: due, covered: due, now: due, change: func(p *audit.Purge) { p.By[1] = p.By[0] }, want: audit.ErrPurge},
		"not before it":           {recorded: due, covered: due, now: due, index: 99, want: audit.ErrPurge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.tenant == "" {
				c.tenant = clinic
			}
			if c.index == 0 {
				c.index = 150
			}
			e := purging(t, c.tenant, c.recorded, c.change, audit.Span{From: 0, To: 10}, audit.Span{From: 20, To: 100})
			heads := []tlog.Head{headAt(0, 100, at(2018)), headAt(1, 110, at(2018).Add(time.Hour))}
			if c.ahead {
				heads = append(heads, headAt(2, 120, at(2031)))
			}
			a := tlog.AgesOf(clinic, append(heads, headAt(3, 190, c.covered))...)
			p, err := a.Allows(e, c.index, c.now)
			require.ErrorIs(t, err, c.want)
			if c.want == nil {
				require.NotEmpty(t, p.Spans)
			}
		})
	}
}

// TestAgesOfALog: the root log that ages are read from is the one that was signed.
func TestAgesOfALog(t *testing.T) {
	t.Parallel()
	h, l := liarHouse(t)
	a, err := h.log.Ages(bg, clinic)
	require.NoError(t, err)
	since, ok := a.Since(600)
	require.True(t, ok)
	require.Equal(t, noon.Add(2*time.Hour), since)
	_, ok = a.Since(601)
	require.False(t, ok)
	for _, lie := range []func(tlog.Head) (tlog.Head, bool){
		edit(2, func(h *tlog.Head) { h.At = h.At.AddDate(-7, 0, 0) }),
		edit(2, func(h *tlog.Head) { h.N = 9 }),
		func(h tlog.Head) (tlog.Head, bool) { return h, h.N < 5 },
	} {
		l.heads = lie
		_, err = h.log.Ages(bg, clinic)
		require.ErrorIs(t, err, tlog.ErrRewritten)
	}
	f := &faulty{events: audit.NewMemory(), Store: tlog.NewMemory()}
	broken := build(t, &house{events: f, trees: f}, "key", nil)
	history(t, broken, "a")
	f.n, f.calls = 1, 0
	_, err = broken.log.Ages(bg, clinic)
	require.ErrorIs(t, err, tlog.ErrUnavailable)
}
