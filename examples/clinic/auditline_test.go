package main

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
)

func stored(id string, action audit.Action, change func(e *audit.Event)) audit.Stored {
	e := audit.Event{
		ID: id, Action: action, Patients: []audit.Patient{"p-1"},
		Actor:       audit.Actor{ID: "u-1", Session: "s-1"},
		Correlation: audit.Correlation{Request: "r-1"},
	}
	if change != nil {
		change(&e)
	}
	return audit.Stored{Event: e}
}

// shape is the ids of the lines, each with those that were folded into it.
func shape(lines []line) (all [][]string) {
	for _, l := range lines {
		var ids []string
		for _, e := range l.all() {
			ids = append(ids, e.ID)
		}
		all = append(all, ids)
	}
	return all
}

// What belongs to one click is one line, and no line swallows what somebody else did, or did
// to somebody else: the request's id is chosen by whoever sends it.
func TestFold(t *testing.T) {
	t.Parallel()
	continues := func(id string) func(*audit.Event) {
		return func(e *audit.Event) { e.Detail = map[string]string{"continues": id} }
	}
	decision, done := noteWrite.Name(), actionNoteSaved
	for name, row := range map[string]struct {
		events []audit.Stored
		want   [][]string
	}{
		"nothing":        {nil, nil},
		"decision_alone": {[]audit.Stored{stored("a", decision, nil)}, [][]string{{"a"}}},
		"what_was_shown": {
			[]audit.Stored{stored("b", "patient.reveal_ssn", continues("a")), stored("a", "patient.reveal_ssn", nil)},
			[][]string{{"a", "b"}},
		},
		"its_beginning_is_on_another_page": {[]audit.Stored{stored("b", "patient.reveal_ssn", continues("a"))}, [][]string{{"b"}}},
		"allowed_and_done":                 {[]audit.Stored{stored("b", done, nil), stored("a", decision, nil)}, [][]string{{"b", "a"}}},
		"allowed_done_and_shown": {
			[]audit.Stored{stored("c", decision, continues("a")), stored("b", done, nil), stored("a", decision, nil)},
			[][]string{{"b", "c", "a"}},
		},
		"two_requests": {
			[]audit.Stored{stored("b", done, nil), stored("a", decision, func(e *audit.Event) { e.Correlation.Request = "r-2" })},
			[][]string{{"b"}, {"a"}},
		},
		"no_request": {
			[]audit.Stored{
				stored("b", done, func(e *audit.Event) { e.Correlation.Request = "" }),
				stored("a", decision, func(e *audit.Event) { e.Correlation.Request = "" }),
			},
			[][]string{{"b"}, {"a"}},
		},
		"two_people": {
			[]audit.Stored{stored("b", done, nil), stored("a", decision, func(e *audit.Event) { e.Actor.ID = "u-2" })},
			[][]string{{"b"}, {"a"}},
		},
		"two_sessions": {
			[]audit.Stored{stored("b", done, nil), stored("a", decision, func(e *audit.Event) { e.Actor.Session = "s-2" })},
			[][]string{{"b"}, {"a"}},
		},
		"two_patients": {
			[]audit.Stored{stored("b", done, nil), stored("a", decision, func(e *audit.Event) { e.Patients = []audit.Patient{"p-2"} })},
			[][]string{{"b"}, {"a"}},
		},
		"refused": {
			[]audit.Stored{stored("b", done, nil), stored("a", decision, func(e *audit.Event) { e.Outcome = audit.Failure })},
			[][]string{{"b"}, {"a"}},
		},
		"reads_are_never_folded": {
			[]audit.Stored{stored("c", "patient.read", nil), stored("b", "note.read", nil), stored("a", "patient.read", nil)},
			[][]string{{"c"}, {"b"}, {"a"}},
		},
		"each_other": {
			[]audit.Stored{stored("b", done, continues("a")), stored("a", done, continues("b"))},
			[][]string{{"b"}, {"a"}},
		},
	} {
		require.Equal(t, row.want, shape(fold(row.events)), name)
		n := 0
		for _, l := range fold(row.events) {
			n += len(l.all())
		}
		require.Equal(t, len(row.events), n, "%s: every event is on a line", name)
	}
}

func TestAuditFilterPeriods(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("America/New_York")
	require.NoError(t, err)
	for query, want := range map[string]struct {
		last     time.Duration
		from, to string
	}{
		"":                                      {audit.Last24h, "", ""},
		"period=never":                          {audit.Last24h, "", ""},
		"period=7d":                             {audit.Last7d, "", ""},
		"period=all":                            {0, "", ""},
		"period=dates":                          {audit.Last24h, "", ""},
		"period=24h&from=2026-11-01":            {0, "2026-11-01T04:00:00Z", ""},
		"period=24h&to=2026-11-01":              {0, "", "2026-11-02T05:00:00Z"}, // the day on which the clocks go back has 25 hours
		"period=dates&dated=1&from=2026-03-08":  {0, "2026-03-08T05:00:00Z", ""},
		"period=30d&dated=1&from=2026-03-08":    {audit.Last30d, "", ""},
		"from=2026-03-09&to=2026-03-08":         {0, "2026-03-08T05:00:00Z", "2026-03-10T04:00:00Z"},
		"period=all&from=2026-03-08&dated=true": {0, "", ""},
	} {
		form, err := url.ParseQuery(query)
		require.NoError(t, err)
		q, err := newAuditFilter(form).query(zone, "")
		require.NoError(t, err, query)
		require.Equal(t, want.last, q.Last, query)
		for at, text := range map[time.Time]string{q.Period.Start: want.from, q.Period.End: want.to} {
			if text == "" {
				require.True(t, at.IsZero(), query)
				continue
			}
			require.Equal(t, text, at.UTC().Format(time.RFC3339), query)
		}
	}
}

// The address of a filter leads to the same filter.
func TestAuditFilterAddress(t *testing.T) {
	t.Parallel()
	for _, query := range []string{
		"", "period=7d&who=u-1&sort=who&order=desc", "period=all&type=note&id=p-1&patient=p-1&outcome=no&action=note.read",
		"from=2026-03-08&to=2026-03-09", "sort=nothing&order=asc", "id=c-1",
	} {
		form, err := url.ParseQuery(query)
		require.NoError(t, err)
		f := newAuditFilter(form)
		u, err := url.Parse(f.href())
		require.NoError(t, err)
		require.Equal(t, f, newAuditFilter(u.Query()), query)
	}
}

func TestThousands(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 10_000: "10,000", 1_234_567: "1,234,567", 1_000_007: "1,000,007"} {
		require.Equal(t, want, thousands(n))
	}
	require.Equal(t, "More than 10,000 events", countText(audit.Count{N: audit.MaxCount, More: true}))
	require.Equal(t, "1 event", countText(audit.Count{N: 1}))
}
