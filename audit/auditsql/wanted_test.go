package auditsql_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/internal/enginetest"
)

// TestConditionsTogether compares filters of several conditions with a plain search, over more
// candidates than one step takes: with blocks so small that intersecting is given up, and with
// usual ones.
func TestConditionsTogether(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		for _, block := range []int{64, 3800} {
			s := over(t, open(t))
			s.Shape(block, 3, 4)
			m := model{}
			at := time.Unix(1_800_000_000, 0).UTC()
			for i := range 3000 {
				e := event(audit.Action(fmt.Sprint("note.a", i%3)))
				e.ID, e.Recorded, e.Tenant = audit.NewID(at), at.Add(time.Duration(i)*time.Second), "clinic-0"
				e.Actor.ID, e.Actor.Tenant = audit.ActorID(fmt.Sprint("u-", i%7)), e.Tenant
				e.Patients = []audit.Patient{"p-0", audit.Patient(fmt.Sprint("p-", 1+i%11))}
				e.Objects = []audit.Object{{Type: fmt.Sprint("t-", i%2), ID: fmt.Sprint("o-", i%1000)}}
				if e.Outcome = audit.Success; i < 2960 {
					e.Outcome, e.Code = audit.MinorFailure, "late"
				}
				m[e.Tenant] = append(m[e.Tenant], entryOf(t, e))
			}
			require.NoError(t, s.Append(t.Context(), m["clinic-0"]))
			drain(t, s)
			for name, f := range map[string]audit.Filter{
				"patient of all, rare actor":  {Patient: "p-0", Actors: []audit.ActorID{"u-3"}},
				"patient and actor":           {Patient: "p-4", Actors: []audit.ActorID{"u-1", "u-6", "nobody"}},
				"patient, type and action":    {Patient: "p-0", ObjectType: "t-1", Actions: []audit.Action{"note.a2"}},
				"object and patient":          {ObjectType: "t-0", ObjectID: "o-8", Patient: "p-0"},
				"one alone":                   {Patient: "p-0"},
				"one, then no more of it":     {Patient: "p-0", Outcomes: []audit.Outcome{audit.Success}},
				"never together":              {ObjectType: "t-1", ObjectID: "o-8", Patient: "p-0"},
				"unknown beside a known one":  {Patient: "p-0", Actors: []audit.ActorID{"nobody"}},
				"all, and a period":           {Patient: "p-2", Actors: []audit.ActorID{"u-2"}, Actions: []audit.Action{"note.a1"}, From: at.Add(time.Minute), To: at.Add(2000 * time.Second)},
				"together with a wide reason": {Actors: []audit.ActorID{"u-1"}, ObjectType: "t-0", Outcomes: []audit.Outcome{audit.MinorFailure}},
			} {
				f.Tenant = "clinic-0"
				for _, limit := range []int{1, 51, 5000} {
					requireListed(t, s, m, f, limit, fmt.Sprint(name, ", blocks of ", block))
				}
			}
		}
	})
}

// TestStep: a search reads no more than what is missing as long as it keeps most of what it reads.
func TestStep(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ limit, n, read, kept, want int }{
		{51, 51, 20, 20, 31},
		{51, 51, 50, 50, 1},
		{5000, 1024, 1024, 1024, 1024},
		{51, 51, 51, 26, 25},
		{51, 51, 51, 25, 204}, // few were selected
		{51, 1, 1, 0, 64},
		{51, 51, 0, 0, 204},
		{51, 400, 400, 3, 1024},
	} {
		require.Equal(t, c.want, auditsql.Step(c.limit, c.n, c.read, c.kept), "%+v", c)
	}
}

func requireListed(t testing.TB, s *auditsql.Store, m model, f audit.Filter, limit int, message string) {
	t.Helper()
	var got []string
	for e, err := range s.List(t.Context(), f, audit.Newest, limit) {
		require.NoError(t, err, message)
		got = append(got, e.ID)
	}
	want := m.list(&f, audit.Newest, limit)
	require.Equal(t, want, got, message)
	n, err := s.Count(t.Context(), f, limit)
	require.NoError(t, err, message)
	require.Equal(t, len(want), n, message)
}

// Whoever sets up a program reads about auditsql and the database, not about what is between.
func TestSetupErrors(t *testing.T) {
	t.Parallel()
	_, err := auditsql.SQLite(nil)
	require.EqualError(t, err, "auditsql: nil *sql.DB")
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		e := open(t)
		s := unmigrated(t, e)
		require.NoError(t, e.Pool.Close())
		for _, err := range []error{s.Migrate(t.Context()), s.Check(t.Context())} {
			require.ErrorContains(t, err, "auditsql: ")
			require.NotContains(t, err.Error(), "sqlkit")
		}
	})
}
