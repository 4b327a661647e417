package review_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/review"
)

// month is a house with 40 clinicians, five of whom work at the desk, four at night, over seven weeks, of
// which the last four are reviewed. Ten of them do something that they may not.
type month struct {
	*house
	r       *rand.Rand
	planted map[audit.ActorID][]review.Name // what of it has to be found, any of these
}

const (
	clinicians = 40
	weeks      = 7
)

func clinician(i int) audit.ActorID { return audit.ActorID(fmt.Sprintf("c-%02d", i)) }

// someone is a patient by a number, with an identifier that has no order.
func someone(n int) audit.Patient {
	return audit.Patient(fmt.Sprintf("p-%08x", uint32(n+1)*2654435761))
}

// panel is how many patients a clinician cares for; the desk has to do with all of them.
const panel, everybody = 60, clinicians * 60

// Ties answers for the month: who cares for whom, and a few relatives, colleagues and figures.
func (m *month) relate() {
	for i := range clinicians {
		for k := range panel {
			m.ties.of[review.Pair{Person: clinician(i), Patient: someone(i*panel + k)}] = review.Tie{Care: true}
			// One in a hundred is a relative by name, and in care: no reason to ask.
			if k == 7 && i%2 == 0 {
				m.ties.of[review.Pair{Person: clinician(i), Patient: someone(i*panel + k)}] = review.Tie{Care: true, Surname: true}
			}
		}
		if desk(i) {
			for n := range everybody {
				m.ties.of[review.Pair{Person: clinician(i), Patient: someone(n)}] = review.Tie{Care: true}
			}
		}
	}
	m.ties.of[review.Pair{Person: clinician(10), Patient: someone(3)}] = review.Tie{Self: true}
	m.ties.of[review.Pair{Person: clinician(11), Patient: someone(4)}] = review.Tie{Surname: true}
	m.ties.of[review.Pair{Person: clinician(12), Patient: someone(5)}] = review.Tie{Worker: true}
	m.ties.of[review.Pair{Person: clinician(13), Patient: someone(6)}] = review.Tie{VIP: true}
	// A relative whom somebody sees for a colleague once: nobody can tell, so it is asked about.
	m.ties.of[review.Pair{Person: clinician(31), Patient: someone(2)}] = review.Tie{Surname: true}
}

func desk(i int) bool  { return i < 5 }
func night(i int) bool { return i >= 36 }

// visit is somebody's look at a patient at a time of day.
type visit struct {
	at time.Duration
	do func()
}

// aday is an ordinary day, which differs from person to person and from day to day.
func (m *month) aday(date time.Time, extra ...visit) {
	all := slices.Clone(extra)
	weekend := date.Weekday() == time.Saturday || date.Weekday() == time.Sunday
	for i := range clinicians {
		who, n, from, hours := clinician(i), 6+m.r.IntN(10), 8, 9
		switch {
		case night(i):
			if m.r.IntN(2) == 0 {
				continue
			}
			from, hours, n = 22, 2, 4+m.r.IntN(6)
		case weekend:
			continue
		case m.r.IntN(9) == 0: // a day off
			continue
		case desk(i):
			n = 40 + m.r.IntN(25)
		case m.r.IntN(15) == 0: // a long day
			n *= 2
		}
		for range n {
			p := i*panel + m.r.IntN(panel)
			if desk(i) {
				p = m.r.IntN(everybody)
			} else if m.r.IntN(40) == 0 {
				p = m.r.IntN(everybody) // a colleague's, for once
			}
			at := time.Duration(from)*time.Hour + time.Duration(m.r.Int64N(int64(hours)*int64(time.Hour)))
			all = append(all, visit{at: at, do: func() { m.looks(who, someone(p)) }})
			if m.r.IntN(30) == 0 {
				all = append(all, visit{at: at + time.Second, do: func() { m.refused(staff(who)) }})
			}
		}
		all = append(all, visit{at: time.Duration(from) * time.Hour, do: func() { m.looks(who, m.list(i)...) }})
	}
	slices.SortFunc(all, func(a, b visit) int { return int(a.at - b.at) })
	for _, v := range all {
		m.at = date.Add(v.at)
		v.do()
	}
	m.tick()
}

// list is a page of somebody's patients.
func (m *month) list(i int) (page []audit.Patient) {
	for k := range 30 {
		page = append(page, someone(i*panel+k))
	}
	return page
}

// plant returns what the ten do on one of the last days.
func (m *month) plant(d int) (all []visit) {
	add := func(i int, at time.Duration, every time.Duration, n int, found []review.Name, do func(k int)) {
		m.planted[clinician(i)] = found
		for k := range n {
			all = append(all, visit{at: at + time.Duration(k)*every, do: func() { do(k) }})
		}
	}
	see := func(i int, n func(k int) int) func(int) { return func(k int) { m.looks(clinician(i), someone(n(k))) } }
	switch d {
	case 1:
		add(10, 11*time.Hour, time.Minute, 1, []review.Name{review.OwnRecord}, see(10, func(int) int { return 3 }))
		add(11, 12*time.Hour, time.Minute, 2, []review.Name{review.SameSurname}, see(11, func(int) int { return 4 }))
		add(12, 13*time.Hour, time.Minute, 1, []review.Name{review.CoWorker}, see(12, func(int) int { return 5 }))
	case 2:
		add(13, 13*time.Hour, time.Minute, 1, []review.Name{review.VIP}, see(13, func(int) int { return 6 }))
		add(14, 14*time.Hour, 40*time.Second, 60, []review.Name{review.ManyPatients, review.Volume}, see(14, func(k int) int { return 14*panel + k }))
	case 3:
		add(15, 9*time.Hour, 40*time.Minute, 9, []review.Name{review.FirstContact}, see(15, func(k int) int { return 1000 + 37*k }))
		add(16, 23*time.Hour, 5*time.Minute, 7, []review.Name{review.OffHours}, see(16, func(k int) int { return 16*panel + k }))
	case 4:
		add(17, 15*time.Hour, 20*time.Second, 12, []review.Name{review.Denied}, func(int) { m.refused(staff(clinician(17))) })
		add(18, 10*time.Hour, 20*time.Second, 9, []review.Name{review.Sequence}, func(k int) {
			m.refused(staff(clinician(18)), audit.Object{Type: "patient", ID: fmt.Sprintf("1%04d", 400+k)})
		})
	case 5:
		add(19, 10*time.Hour, 20*time.Second, 40, []review.Name{review.Listing}, func(int) { m.looks(clinician(19), m.list(m.r.IntN(clinicians))...) })
	}
	return all
}

// TestAMonthOfAClinic: all of ten who snoop are found, each by a rule that is about what they did, and
// of the findings that the other thirty cause there are few: recall 10 of 10, precision at least a half,
// over four weeks of 40 people.
func TestAMonthOfAClinic(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			m := &month{newHouse(t), rand.New(rand.NewPCG(seed, 2)), map[audit.ActorID][]review.Name{}}
			m.relate()
			start := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
			var before []review.Finding
			for d := range weeks * 7 {
				if d == (weeks-4)*7 {
					before = findings(t, m.house.r)
				}
				m.aday(start.AddDate(0, 0, d), m.plant(d-weeks*7+14)...)
			}
			all := findings(t, m.house.r)[len(before):]
			right, caught := 0, map[audit.ActorID]bool{}
			for _, f := range all {
				_, snoops := m.planted[f.Actor]
				if snoops {
					right++
				} else {
					t.Log("false:", f.Actor, f.Explanation())
				}
				if slices.Contains(m.planted[f.Actor], f.Rule) {
					caught[f.Actor] = true
				}
			}
			t.Logf("events %d, findings in the first weeks %d, then %d, of which right %d; caught %d of %d",
				m.n, len(before), len(all), right, len(caught), len(m.planted))
			require.Len(t, m.planted, 10)
			require.Len(t, caught, 10, "recall")
			require.GreaterOrEqual(t, 2*right, len(all), "precision")
			require.LessOrEqual(t, len(before), 12, "the first weeks of a tenant")
		})
	}
}
