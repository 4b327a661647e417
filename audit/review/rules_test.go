package review_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/review"
)

// TestVolume: many records on one day, against what is usual for the person, and only with history.
func TestVolume(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.works("ada", 6, 12)
	h.works("new", 4, 12)
	for i := range 39 {
		h.at = h.at.Add(3 * time.Minute)
		h.looks("ada", patient("ada", i%12))
		h.looks("new", patient("new", i%12))
	}
	require.Empty(t, h.found(review.Volume), "below the limit")
	h.at = h.at.Add(3 * time.Minute)
	id := h.looks("ada", patient("ada", 0))
	h.looks("new", patient("new", 0))
	f := h.one(review.Volume)
	require.Equal(t, audit.ActorID("ada"), f.Actor)
	require.Equal(t, []int{40, 12, 6}, []int{f.Count, f.Usual, f.Days})
	require.Equal(t, "Patients' records were opened or changed 40 times in one day; usual for this person: 12 a day (6 days of the last 30).", f.Explanation())
	require.Contains(t, f.Events, id)
	require.Equal(t, h.at, f.To)
	require.True(t, f.From.Before(f.To))
}

// TestVolumeOfABusyPerson: who usually does much is no finding for doing it.
func TestVolumeOfABusyPerson(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.works("desk", 6, 60)
	for i := range 179 {
		h.at = h.at.Add(time.Minute)
		h.looks("desk", patient("desk", i%60))
	}
	require.Empty(t, h.found(review.Volume))
	h.looks("desk", patient("desk", 1))
	require.Equal(t, 60, h.one(review.Volume).Usual)
}

// TestManyPatients: different patients within an hour, whichever hour that is.
func TestManyPatients(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.works("ada", 6, 6)
	h.at = h.at.Add(50 * time.Minute) // across two hours of the clock
	for i := range 38 {
		h.at = h.at.Add(time.Minute)
		h.looks("ada", patient("ada", i))
		h.looks("ada", patient("ada", i)) // the same again is no other patient
		if i == 18 {
			require.Empty(t, h.found(review.ManyPatients))
		}
	}
	f := h.one(review.ManyPatients)
	require.Equal(t, "38 different patients in one hour; usual for this person: 6 at the busiest time of a day (6 days of the last 30).", f.Explanation())
	require.Equal(t, 38, f.Times, "each further look was added to the first")
	require.Len(t, f.Events, review.MaxEvents)
	require.Equal(t, 7, f.Left)
}

// TestManyPatientsOfNobodyKnown: without history the limit alone counts.
func TestManyPatientsOfNobodyKnown(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for i := range 20 {
		h.at = h.at.Add(time.Minute)
		h.looks("new", patient("new", i))
	}
	f := h.one(review.ManyPatients)
	require.Zero(t, f.Days)
	require.Contains(t, f.Explanation(), "what is usual for this person is not known yet")
}

// TestOneRecordAnHourForEver: a window forgets.
func TestOneRecordAnHourForEver(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for i := range 300 {
		h.at = h.at.Add(4 * time.Minute)
		h.looks("ada", patient("ada", i))
	}
	require.Empty(t, h.found(review.ManyPatients))
}

// TestFirstContact: patients whom a person never had to do with and does not care for.
func TestFirstContact(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.works("ada", 15, 6)
	for i := range 5 {
		h.at = h.at.Add(20 * time.Minute)
		h.looks("ada", patient("ada", 100+i)) // new, and in care
		if i < 4 {
			h.looks("ada", patient("bob", i))
			h.looks("ada", patient("bob", i)) // seen before now
		}
	}
	require.Empty(t, h.found(review.FirstContact))
	id := h.looks("ada", patient("bob", 4))
	f := h.one(review.FirstContact)
	require.Equal(t, 5, f.Count)
	require.Contains(t, f.Events, id)
	require.Contains(t, f.Explanation(), "5 patients in one day whom this person never had to do with and does not care for; usual for this person: 0 new ones a day")
}

// TestFirstContactTakesHistory: in the first weeks everybody is new.
func TestFirstContactTakesHistory(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for range 12 {
		for i := range 4 {
			h.looks("ada", audit.Patient(fmt.Sprintf("p-%x", (h.n*7919+i)%65537)))
		}
		h.workday()
	}
	for i := range 9 {
		h.looks("ada", patient("bob", i))
	}
	require.Empty(t, h.found(review.FirstContact))
}

// TestOffHours: records opened at night by somebody who works by day; who works at night is known
// for it after three nights.
func TestOffHours(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.works("ada", 6, 6)
	h.at = h.at.Add(14 * time.Hour) // 23:00
	for i := range 5 {
		require.Empty(t, h.found(review.OffHours))
		h.looks("ada", patient("ada", i))
		h.at = h.at.Add(40 * time.Minute) // past midnight
	}
	f := h.one(review.OffHours)
	require.Equal(t, "Patients' records were opened 5 times while the house was closed; that happened on 1 day before (30 days).", f.Explanation())

	night := newHouse(t)
	for d := range 8 {
		night.at = monday.AddDate(0, 0, d).Add(14 * time.Hour)
		for i := range 6 {
			night.at = night.at.Add(time.Minute)
			night.looks("nan", patient("nan", i))
		}
	}
	all := night.found(review.OffHours)
	require.NotEmpty(t, all)
	for _, f := range all {
		require.True(t, f.To.Before(monday.AddDate(0, 0, 4)), "after some nights it is usual")
	}
}

// TestOffHoursAreTheTenants: in its time zone, with its weekends.
func TestOffHoursAreTheTenants(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := review.Standard()
	s.Zone, s.Weekends = "America/Los_Angeles", true
	_, err := h.r.SetSettings(h.as("officer"), clinic, s)
	require.NoError(t, err)
	h.at = time.Date(2026, 5, 9, 4, 59, 0, 0, time.UTC) // 21:59 on Friday in Los Angeles
	for i := range 9 {
		h.looks("ada", patient("ada", i))
	}
	require.Empty(t, h.found(review.OffHours))
	h.at = h.at.Add(2 * time.Minute)
	for i := range 5 {
		h.looks("ada", patient("ada", i))
	}
	h.one(review.OffHours)
	h.at = time.Date(2026, 5, 10, 19, 0, 0, 0, time.UTC) // noon on Sunday there
	for i := range 9 {
		h.looks("bob", patient("bob", i))
	}
	require.Len(t, h.found(review.OffHours), 1, "weekends are like other days there")
}

// TestDenied: refusals in a row, of a person and of nobody known.
func TestDenied(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for range 7 {
		h.refused(staff("ada"))
	}
	h.at = h.at.Add(10 * time.Minute)
	for range 7 {
		h.refused(staff("ada"))
	}
	require.Empty(t, h.found(review.Denied), "seven in ten minutes, twice")
	h.refused(staff("ada"))
	f := h.one(review.Denied)
	require.Equal(t, "8 refusals within 10 minutes; 7 are let pass.", f.Explanation())
	require.Len(t, f.Events, 8)

	nobody := audit.Actor{Kind: audit.KindAnonymous, Tenant: clinic}
	for range 79 {
		h.refused(nobody)
	}
	h.tick()
	require.Len(t, h.found(review.Denied), 1, "people who are not signed in are many")
	h.refused(nobody)
	all := h.found(review.Denied)
	require.Len(t, all, 2)
	require.Empty(t, all[1].Actor)
	require.Equal(t, audit.KindAnonymous, all[1].Kind)
}

// TestMistakesAreNoRefusals: what failed for another reason is not counted.
func TestMistakesAreNoRefusals(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for range 50 {
		h.record(audit.Event{Action: "patient.read", Actor: staff("ada"), Outcome: audit.MinorFailure, Code: "typo"})
	}
	h.tick()
	require.Empty(t, findings(t, h.r))
}

// TestSequence: identifiers that are tried one after another, found or refused.
func TestSequence(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		id    func(i int) string
		found int // after how many; 0: never
	}{
		"up":               {func(i int) string { return fmt.Sprintf("p-%d", 997+i) }, 6},
		"down":             {func(i int) string { return fmt.Sprintf("p-%d", 1002-i) }, 6},
		"every second":     {func(i int) string { return fmt.Sprintf("p-%05d", 2*i) }, 6},
		"long numbers":     {func(i int) string { return fmt.Sprintf("900000000000000000%d", 10+i) }, 6},
		"in order":         {func(i int) string { return fmt.Sprintf("%c%d", 'a'+i, (i*7919)%97) }, 12},
		"in reverse order": {func(i int) string { return fmt.Sprintf("%c%d", 'z'-i, (i*7919)%97) }, 12},
		"random":           {func(i int) string { return fmt.Sprintf("%08x", uint32(i+1)*2654435761) }, 0},
		"one again":        {func(int) string { return "p-1" }, 0},
		"two in turn":      {func(i int) string { return fmt.Sprintf("p-%d0", i%2) }, 0},
	} {
		for _, denied := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/denied %t", name, denied), func(t *testing.T) {
				t.Parallel()
				h := newHouse(t)
				for i := range 15 {
					h.at = h.at.Add(30 * time.Second)
					if denied {
						h.refused(staff("ada"), audit.Object{Type: "patient", ID: c.id(i)})
					} else {
						h.looks("ada", audit.Patient(c.id(i)))
					}
					require.Equal(t, c.found > 0 && i+1 >= c.found, len(h.found(review.Sequence)) == 1, "after %d", i+1)
				}
				if c.found > 0 {
					require.Len(t, h.one(review.Sequence).Events, 15)
					require.Contains(t, h.one(review.Sequence).Explanation(), "15 records in a row whose identifiers follow one another, within 10 minutes")
				}
			})
		}
	}
}

// TestSlowSequence: identifiers that are tried slowly are not a burst.
func TestSlowSequence(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for i := range 40 {
		h.at = h.at.Add(3 * time.Minute)
		h.looks("ada", audit.Patient(fmt.Sprintf("p-%d", 100+i)))
	}
	require.Empty(t, h.found(review.Sequence))
}

// TestTies: what only the host knows. Relatives and colleagues in care are somebody's work.
func TestTies(t *testing.T) {
	t.Parallel()
	for rule, tie := range map[review.Name]review.Tie{
		review.OwnRecord:   {Self: true, Surname: true, Worker: true, Care: true},
		review.SameSurname: {Surname: true},
		review.CoWorker:    {Worker: true},
		review.VIP:         {VIP: true},
	} {
		t.Run(string(rule), func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			h.ties.of[review.Pair{Person: "ada", Patient: "p-x"}] = tie
			h.looks("ada", "p-x")
			f := h.one(rule)
			require.Equal(t, 1, f.Count)
			require.NotContains(t, f.Explanation(), "counted")
			require.Len(t, findings(t, h.r), 1, "one reason is enough")

			cared := newHouse(t)
			tie.Care, tie.Self = true, false
			cared.ties.of[review.Pair{Person: "ada", Patient: "p-x"}] = tie
			cared.looks("ada", "p-x")
			cared.tick()
			require.Empty(t, findings(t, cared.r))
		})
	}
}

// TestTiesOfAnAgent: whoever sends a program is asked about.
func TestTiesOfAnAgent(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.ties.of[review.Pair{Person: "ada", Patient: "p-x"}] = review.Tie{Self: true}
	agent := audit.Actor{ID: "agent-1", Kind: audit.KindAgent, Tenant: clinic, OnBehalfOf: "ada"}
	h.record(audit.Event{Action: "patient.read", Actor: agent, Patients: []audit.Patient{"p-x"}})
	f := h.one(review.OwnRecord)
	require.Equal(t, audit.ActorID("agent-1"), f.Actor)
	require.Equal(t, audit.ActorID("ada"), f.For)
	_, err := h.r.Change(h.as("ada"), clinic, f.ID, f.Version, review.Change{To: review.InReview})
	require.ErrorIs(t, err, review.ErrOwn)
}

// TestTiesThatCannotBeAsked is a finding, and the next look is asked about again.
func TestTiesThatCannotBeAsked(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]func(*ties){
		"error": func(s *ties) { s.fails = errors.New("words of a host") },
		"panic": func(s *ties) { s.panic = true },
		"short": func(s *ties) { s.short = true },
		"unknown": func(s *ties) {
			s.of[review.Pair{Person: "ada", Patient: "p-x"}] = review.Tie{Unknown: true, Self: true}
			s.of[review.Pair{Person: "ada", Patient: "p-y"}] = review.Tie{Unknown: true, VIP: true}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			broken(h.ties)
			h.looks("ada", "p-x")
			h.looks("ada", "p-y")
			f := h.one(review.Unasked)
			require.Equal(t, 2, f.Count)
			require.Empty(t, f.Actor, "it is about the review, and anybody may look into it")
			require.Contains(t, f.Explanation(), "could not be asked, for 2 looks")
			require.Len(t, findings(t, h.r), 1)
			h.ties.fails, h.ties.panic, h.ties.short = nil, false, false
			h.ties.of[review.Pair{Person: "ada", Patient: "p-x"}] = review.Tie{Self: true}
			h.looks("ada", "p-x")
			h.one(review.OwnRecord)
		})
	}
}

// TestListingAndRecords: a page of a list is no look at everybody on it, but pages add up.
func TestListingAndRecords(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var page []audit.Patient
	for i := range 100 {
		page = append(page, patient("bob", i))
	}
	for range 9 {
		h.at = h.at.Add(time.Minute)
		h.looks("ada", page...)
	}
	h.tick()
	require.Empty(t, findings(t, h.r))
	require.Zero(t, h.ties.asked)
	h.looks("ada", page...)
	require.Equal(t, "Lists showed 1000 patients in one day, those shown again counted again; 999 are let pass.", h.one(review.Listing).Explanation())
	require.Len(t, findings(t, h.r), 1)
}

func TestExport(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.record(audit.Event{Action: audit.ActionExportCreated, Verb: audit.Execute, Actor: staff("ada")})
	require.Equal(t, "1 export within one day.", h.one(review.Export).Explanation())
}

// TestWoken: an account that comes back after days on which others worked, whether to read or to
// sign in.
func TestWoken(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	patient := audit.Event{Action: "authn.sign_in", Verb: audit.Execute, Actor: audit.Actor{ID: "portal", Kind: audit.KindPatient, Tenant: clinic}}
	h.record(patient)
	h.works("ada", 1, 1)
	h.works("bob", 29, 1)
	h.record(audit.Event{Action: "authn.sign_in", Verb: audit.Execute, Actor: staff("ada")})
	require.Empty(t, h.found(review.Woken), "29 days")
	h.workday()
	h.works("bob", 30, 1)
	h.record(audit.Event{Action: "authn.sign_in", Verb: audit.Execute, Actor: staff("ada")})
	h.record(patient) // who comes when ill
	f := h.one(review.Woken)
	require.Equal(t, audit.ActorID("ada"), f.Actor)
	require.Equal(t, "This account came back after 30 days on which others worked.", f.Explanation())
	h.record(audit.Event{Action: "authn.sign_in", Verb: audit.Execute, Actor: staff("ada")})
	require.Len(t, h.found(review.Woken), 1, "once")
}

// TestAfterTheHolidays: when nobody works, nobody is away.
func TestAfterTheHolidays(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.works("ada", 3, 3)
	h.at = h.at.AddDate(0, 3, 0)
	h.works("ada", 1, 3)
	h.works("bob", 1, 3)
	h.tick()
	require.Empty(t, findings(t, h.r))
}

// TestAuditReading: who browses the log, and that patients in it are no patients looked at.
func TestAuditReading(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for i := range 60 {
		h.at = h.at.Add(30 * time.Second)
		require.Empty(t, findings(t, h.r))
		h.record(audit.Event{Action: audit.ActionOpen, Actor: staff("officer"), Patients: []audit.Patient{patient("bob", i)}})
		h.tick()
	}
	require.Equal(t, "The audit log was looked at 60 times within one hour; 59 are let pass.", h.one(review.AuditReading).Explanation())
	require.Len(t, findings(t, h.r), 1)
}

// TestWhoIsNotWatched: the host's own jobs go through everything.
func TestWhoIsNotWatched(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for i := range 100 {
		h.record(audit.Event{Action: "patient.read", Actor: audit.System(clinic, "rotation"), Patients: []audit.Patient{patient("bob", i)}})
		h.record(audit.Event{Action: "x", Actor: audit.System(clinic, "rotation"), Outcome: audit.Failure, Code: "no"})
	}
	h.tick()
	require.Empty(t, findings(t, h.r))
}

// TestEveryRuleCanBeSwitchedOff, and off it finds nothing.
func TestEveryRuleCanBeSwitchedOff(t *testing.T) {
	t.Parallel()
	all := func(with func(review.Settings) review.Settings) map[review.Name]int {
		h := newHouse(t)
		s, err := h.r.SetSettings(h.as("officer"), clinic, with(review.Standard()))
		require.NoError(t, err)
		require.Equal(t, int64(1), s.Version)
		h.everything()
		h.tick()
		n := map[review.Name]int{}
		for _, f := range findings(t, h.r) {
			n[f.Rule]++
		}
		return n
	}
	on := all(func(s review.Settings) review.Settings { return s })
	for _, name := range review.Names() {
		require.NotZero(t, on[name], name)
		off := all(func(s review.Settings) review.Settings {
			r := s.Rule(name)
			r.Off = true
			return s.Set(r)
		})
		require.Zero(t, off[name], name)
		require.Len(t, off, len(on)-1, name)
	}
}

// everything has something happen for every rule.
func (h *house) everything() {
	h.ties.of[review.Pair{Person: "eve", Patient: "p-self"}] = review.Tie{Self: true}
	h.ties.of[review.Pair{Person: "eve", Patient: "p-aunt"}] = review.Tie{Surname: true}
	h.ties.of[review.Pair{Person: "eve", Patient: "p-bob"}] = review.Tie{Worker: true}
	h.ties.of[review.Pair{Person: "eve", Patient: "p-star"}] = review.Tie{VIP: true}
	h.works("zed", 1, 1)
	h.works("ada", 32, 5)
	h.looks("zed", patient("zed", 1))
	for _, p := range []audit.Patient{"p-self", "p-aunt", "p-bob", "p-star"} {
		h.looks("eve", p)
	}
	var page []audit.Patient
	for i := range 250 {
		page = append(page, patient("bob", i))
	}
	for i := range 60 {
		h.at = h.at.Add(30 * time.Second)
		h.looks("ada", patient("bob", i))
		h.refused(staff("eve"), audit.Object{Type: "patient", ID: fmt.Sprintf("q-%d", i)})
		h.record(audit.Event{Action: audit.ActionRead, Actor: staff("eve")})
	}
	for range 4 {
		h.looks("eve", page...)
	}
	h.record(audit.Event{Action: audit.ActionExportCreated, Verb: audit.Execute, Actor: staff("eve")})
	h.at = h.at.Add(14 * time.Hour)
	for i := range 5 {
		h.looks("ada", patient("ada", i))
	}
}

// TestTiesOncePerDay: the host is asked once a day for a pair, and an event is named once.
func TestTiesOncePerDay(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, p := range []audit.Patient{"p-x", "p-y"} {
		h.ties.of[review.Pair{Person: "ada", Patient: p}] = review.Tie{VIP: true}
	}
	h.looks("ada", "p-x", "p-y")
	h.looks("ada", "p-x")
	h.looks("ada", "p-y")
	f := h.one(review.VIP)
	require.Equal(t, []int{2, 2, 1}, []int{f.Count, f.Times, len(f.Events)})
	h.workday()
	h.looks("ada", "p-x")
	f = h.one(review.VIP)
	require.Equal(t, []int{2, 3, 2}, []int{f.Count, f.Times, len(f.Events)})
}
