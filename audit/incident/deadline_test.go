package incident_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit/incident"
)

func day(t testing.TB, s string) incident.Day {
	t.Helper()
	d, err := incident.ParseDay(s)
	require.NoError(t, err, s)
	return d
}

// Counted by hand on a calendar: day 0 is the day of discovery (45 CFR 164.404(b)).
func TestSixtyCalendarDays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ discovered, last, why string }{
		{"2026-01-01", "2026-03-02", "31-1 days of January, 28 of February, 2"},
		{"2028-01-01", "2028-03-01", "a leap year: 30 + 29 + 1"},
		{"2027-12-31", "2028-02-29", "31 + 29: the leap day itself"},
		{"2026-12-31", "2027-03-01", "31 + 28 + 1"},
		{"2026-03-02", "2026-05-01", "29 + 30 + 1, over the change to summer time"},
		{"2026-09-02", "2026-11-01", "28 + 31 + 1, the day on which summer time ends"},
		{"2026-07-01", "2026-08-30", "30 + 30"},
		{"2000-01-01", "2000-03-01", "2000 was a leap year"},
		{"2099-12-31", "2100-03-01", "2100 is none: 31 + 28 + 1"},
	} {
		for _, zone := range []string{"America/New_York", "Pacific/Honolulu", "Pacific/Auckland"} {
			loc, err := time.LoadLocation(zone)
			require.NoError(t, err)
			law := incident.Law{Zone: loc}
			got := law.Deadlines(&incident.Case{State: incident.Reported, Discovered: day(t, c.discovered)})
			require.Equal(t, incident.Individuals, got[0].Name)
			require.Equal(t, c.last, got[0].Last.String(), "%s: %s", c.discovered, c.why)
		}
	}
}

// For fewer than 500: 60 days after the end of the calendar year of the discovery (164.408(c)), which
// is 1 March, and 29 February in a leap year.
func TestTheYearsLog(t *testing.T) {
	t.Parallel()
	for discovered, last := range map[string]string{
		"2026-01-01": "2027-03-01", "2026-12-31": "2027-03-01", "2027-01-01": "2028-02-29", "2027-12-31": "2028-02-29",
		"2028-06-15": "2029-03-01", "2099-05-05": "2100-03-01",
	} {
		law := incident.Law{Zone: time.UTC}
		c := incident.Case{State: incident.Triaged, Discovered: day(t, discovered), Estimate: []incident.Count{{Region: "NY", N: 499}}}
		d := named(law.Deadlines(&c))[incident.HHS]
		require.Equal(t, last, d.Last.String(), discovered)
		require.Equal(t, "45 CFR 164.408(c)", d.Citation)
		require.False(t, d.Guess)
	}
}

func named(all []incident.Deadline) map[string]incident.Deadline {
	out := map[string]incident.Deadline{}
	for _, d := range all {
		out[d.Name] = d
	}
	return out
}

func names(all []incident.Deadline) (out []string) {
	for _, d := range all {
		out = append(out, d.Name)
	}
	return out
}

func TestHowMany(t *testing.T) {
	t.Parallel()
	early, late := "2026-05-01", "2027-03-01"
	for _, c := range []struct {
		why              string
		listed, estimate []incident.Count
		hhs              string
		media            bool
	}{
		{"nobody knows", nil, nil, early, true},
		{"499 of one state", []incident.Count{{Region: "NY", N: 499}}, nil, late, false},
		{"500 at once to HHS, but not more than 500 to the media", []incident.Count{{Region: "NY", N: 500}}, nil, early, false},
		{"501", []incident.Count{{Region: "NY", N: 501}}, nil, early, true},
		{"501 of two states", []incident.Count{{Region: "CA", N: 250}, {Region: "NY", N: 251}}, nil, early, false},
		{"the unknown may all live in one state", []incident.Count{{N: 2}, {Region: "NY", N: 499}}, nil, early, true},
		{"an estimate counts", nil, []incident.Count{{Region: "NY", N: 600}}, early, true},
		{"the higher of both", []incident.Count{{Region: "NY", N: 3}}, []incident.Count{{Region: "NY", N: 2}}, late, false},
		{"not their sum", []incident.Count{{Region: "NY", N: 300}}, []incident.Count{{Region: "NY", N: 300}}, late, false},
	} {
		law := incident.Law{Zone: time.UTC}
		d := named(law.Deadlines(&incident.Case{State: incident.Reported, Discovered: day(t, "2026-03-02"), Listed: c.listed, Estimate: c.estimate}))
		require.Equal(t, c.hhs, d[incident.HHS].Last.String(), c.why)
		require.Equal(t, c.media, d[incident.Media].Last != 0, c.why)
		require.Equal(t, early, d[incident.Individuals].Last.String(), c.why)
	}
}

func TestWhoIsHeldToWhat(t *testing.T) {
	t.Parallel()
	c := incident.Case{State: incident.Reported, Discovered: day(t, "2026-03-02"), Estimate: []incident.Count{{Region: "CA", N: 20}}}
	law := incident.Law{Zone: time.UTC, Associate: true}
	require.Equal(t, []string{incident.CoveredEntity}, names(law.Deadlines(&c)))
	require.Equal(t, "2026-05-01", law.Deadlines(&c)[0].Last.String())

	law = incident.Law{Zone: time.UTC, Extra: []incident.Rule{
		{Name: "california", Days: 15, Region: "CA", Citation: "a state's law"},
		{Name: "texas", Days: 30, Region: "TX"},
		{Name: "contract", Days: 5, Over: 20},
		{Name: "insurer", Days: 10, Over: 19},
	}}
	require.NoError(t, law.Validate())
	require.Equal(t, []string{"insurer", "california", incident.Individuals, incident.HHS}, names(law.Deadlines(&c)), "the earliest first")
	require.Equal(t, "2026-03-17", law.Deadlines(&c)[1].Last.String())
	c.Estimate = nil
	require.Equal(t, "contract", law.Deadlines(&c)[0].Name, "who does not know owes everything")

	for _, bad := range []incident.Law{
		{},
		{Zone: time.UTC, Extra: []incident.Rule{{Name: incident.HHS, Days: 3}}},
		{Zone: time.UTC, Extra: []incident.Rule{{Name: "a", Days: 3}, {Name: "a", Days: 4}}},
		{Zone: time.UTC, Extra: []incident.Rule{{Name: "a"}}},
		{Zone: time.UTC, Extra: []incident.Rule{{Name: "a", Days: 366}}},
		{Zone: time.UTC, Extra: []incident.Rule{{Name: "a b", Days: 3}}},
		{Zone: time.UTC, Extra: []incident.Rule{{Name: "a", Days: 3, Over: -1}}},
	} {
		require.Error(t, bad.Validate(), "%+v", bad)
	}
}

// A delay holds what would be due before, and moves nothing further (164.412).
func TestADelay(t *testing.T) {
	t.Parallel()
	law := incident.Law{Zone: time.UTC}
	c := incident.Case{State: incident.Reported, Discovered: day(t, "2026-03-02"), Estimate: []incident.Count{{Region: "NY", N: 5}}}
	c.Delay = &incident.Delay{Said: day(t, "2026-04-20"), Until: day(t, "2026-05-20")}
	d := named(law.Deadlines(&c))
	require.Equal(t, "2026-05-20", d[incident.Individuals].Last.String())
	require.True(t, d[incident.Individuals].Delayed)
	require.Equal(t, "2027-03-01", d[incident.HHS].Last.String())
	require.False(t, d[incident.HHS].Delayed)
	c.Delay.Until = day(t, "2026-04-30")
	require.Equal(t, "2026-05-01", named(law.Deadlines(&c))[incident.Individuals].Last.String(), "days during a delay count")
}

// The days are the tenant's: at the same moment it is another day elsewhere.
func TestDaysAreTheTenants(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 2, 4, 30, 0, 0, time.UTC) // Sunday evening in New York, Monday in Auckland
	auckland, err := time.LoadLocation("Pacific/Auckland")
	require.NoError(t, err)
	require.Equal(t, "2026-03-01", incident.DayOf(at, newYork()).String())
	require.Equal(t, "2026-03-02", incident.DayOf(at, time.UTC).String())
	require.Equal(t, "2026-03-02", incident.DayOf(at, auckland).String())
	require.Equal(t, "2026-03-02T05:00:00Z", day(t, "2026-03-01").End(newYork()).UTC().Format(time.RFC3339))
	require.Equal(t, 23*time.Hour, day(t, "2026-03-08").End(newYork()).Sub(day(t, "2026-03-07").End(newYork())), "a day of 23 hours is a day")

	h := newHouse(t)
	h.now = at
	c := h.report()
	require.Equal(t, "2026-03-01", c.Discovered.String())
	dl := incident.Deadline{Last: c.Discovered + 60}
	require.False(t, dl.Overdue(c.Discovered+60))
	require.True(t, dl.Overdue(c.Discovered+61))
	dl.Done = 1
	require.False(t, dl.Overdue(c.Discovered+61))
}

func TestParseDay(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "2026-2-3", "2026-02-29", "1969-12-31", "1970-01-01", "10000-01-01", "2026-02-03T00:00:00Z", " 2026-02-03", "0000-00-00", "-001-01-01"} {
		_, err := incident.ParseDay(bad)
		require.Error(t, err, bad)
	}
	require.Equal(t, "2028-02-29", incident.Date(2028, 2, 29).String())
	require.Equal(t, 2028, incident.Date(2028, 2, 29).Year())
	require.Empty(t, incident.Day(0).String())
}
