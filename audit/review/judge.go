package review

import (
	"strings"

	"github.com/wardkit/wardkit/audit"
)

// crowdOfNobodies is how many times as much whoever is not signed in may be refused: they are many.
const crowdOfNobodies = 10

// counted counts in a window and reports from the rule's limit on.
func (f *fold) counted(e *now, st *state, r Rule, n int, key uint32) {
	if r.Off {
		return
	}
	marks := within(st.Marks[r.Name], f.mark(e, n, key), r.Window, maxMarks)
	if c := sum(marks); c >= r.Limit {
		marks = f.windowed(e, st, hit{rule: r, count: c, marks: marks, about: st != f.actors[itself]})
	}
	st.keep(r.Name, marks)
}

// windowed reports what is in a window and returns what stays in it: all of it, or, where somebody
// has reviewed what there was, the event itself alone, which may be enough for a new finding.
func (f *fold) windowed(e *now, st *state, h hit) []mark {
	if !f.report(e, st, h) {
		return h.marks
	}
	h.marks = h.marks[len(h.marks)-1:]
	if h.count = sum(h.marks); h.count >= h.rule.Limit {
		f.report(e, st, h)
	}
	return h.marks
}

func (s *state) keep(n Name, marks []mark) {
	if len(marks) == 0 {
		delete(s.Marks, n)
		return
	}
	s.Marks[n] = marks
}

// woken looks at who comes back after a long time.
func (f *fold) woken(e *now) {
	r := f.settings.Rule(Woken)
	away := int(f.house.Clock.Day-e.st.Seen) - 1 // days of others between
	if r.Off || e.Actor.Kind != audit.KindStaff || away < r.Days || e.st == f.actors[others] {
		return
	}
	f.report(e, e.st, hit{rule: Rule{Name: Woken, Limit: r.Days}, count: away, marks: []mark{f.mark(e, 1, 0)}, about: true})
}

func (f *fold) denied(e *now) {
	r := f.settings.Rule(Denied)
	if e.st == f.actors[anonymous] || e.st == f.actors[others] {
		r.Limit *= crowdOfNobodies
	}
	f.counted(e, e.st, r, 1, 0)
}

// target is what an event that names one record names: a patient, or another object.
func target(e *audit.Event) (run int, id string) {
	switch {
	case len(e.Patients) == 1:
		return 0, string(e.Patients[0])
	case len(e.Patients) > 1 || len(e.Objects) != 1 || e.Objects[0].ID == "":
		return 0, ""
	case e.Objects[0].Type == "patient":
		return 0, e.Objects[0].ID
	case e.Outcome == audit.Failure || e.Verb == audit.Read:
		return 1, e.Objects[0].Type + "/" + e.Objects[0].ID
	}
	return 0, ""
}

// sequence looks for identifiers that somebody tries one after another, whether or not it succeeds.
func (f *fold) sequence(e *now) {
	r := f.settings.Rule(Sequence)
	i, id := target(e.Event)
	if r.Off || id == "" || strings.HasPrefix(string(e.Action), "audit.") {
		return
	}
	run := &e.st.Runs[i]
	run.follow(id, f.mark(e, 1, 0), r.Window)
	c := run.Next
	if c < r.Limit {
		if c = run.Along; c < 2*r.Limit {
			return
		}
	}
	if f.report(e, e.st, hit{rule: r, count: c, marks: run.Marks, about: true}) {
		run.restart()
	}
}

// data looks at what was done: reading the log, exporting, lists and records of patients.
func (f *fold) data(e *now) {
	switch e.Action {
	case audit.ActionRead, audit.ActionOpen:
		f.counted(e, e.st, f.settings.Rule(AuditReading), 1, 0)
		return // the patients in it were not looked at for their own sake
	case audit.ActionExportCreated:
		f.counted(e, e.st, f.settings.Rule(Export), 1, 0)
		return
	}
	switch n := len(e.Patients); {
	case n == 0:
	case n >= f.settings.ListFrom:
		f.counted(e, e.st, f.settings.Rule(Listing), n, 0)
	default:
		f.records(e)
	}
}

// records looks at patients whose records were opened or changed.
func (f *fold) records(e *now) {
	today := f.house.Clock.Day
	d := e.st.today(today)
	d.N++
	f.volume(e, d)
	f.hours(e, d)
	for _, p := range e.Patients {
		f.manyPatients(e, d, keyOf(p))
		if who := person(&e.Actor); who != "" {
			f.relation(e, d, who, p)
		}
	}
}

// daily reports what is counted by days; what was reviewed on a day is done with for that day.
func (f *fold) daily(e *now, h hit) {
	st, today := e.st, f.house.Clock.Day
	h.about = true
	if st.Last[h.rule.Name].Done == today {
		return
	}
	if f.report(e, st, h) {
		st.keep(h.rule.Name, nil)
	}
}

func (f *fold) volume(e *now, d *counts) {
	r := f.settings.Rule(Volume)
	if r.Off {
		return
	}
	// Marks are those of the day: nothing else ever leaves.
	marks := e.st.Marks[Volume]
	if d.N == 1 {
		marks = nil
	}
	marks = append(marks, f.mark(e, 1, 0))
	marks = marks[max(0, len(marks)-maxShown):]
	e.st.keep(Volume, marks)
	usual, days := e.st.usual(d.Day, func(c *counts) int { return c.N })
	if days >= r.Days && d.N >= r.Limit && d.N >= r.Times*max(usual, 1) {
		f.daily(e, hit{rule: r, count: d.N, usual: usual, days: days, marks: marks})
	}
}

// hours looks at work while the house is closed, by those who usually do none.
func (f *fold) hours(e *now, d *counts) {
	r := f.settings.Rule(OffHours)
	if r.Off || e.Actor.Kind != audit.KindStaff || !f.settings.closed(e.Recorded.In(f.zone)) {
		return
	}
	d.Off++
	nights := 0
	for i := range e.st.Days {
		if o := &e.st.Days[i]; o.Day < d.Day && o.Off > 0 {
			nights++
		}
	}
	marks := within(e.st.Marks[OffHours], f.mark(e, 1, 0), r.Window, maxMarks)
	if c := sum(marks); c >= r.Limit && nights <= r.Days {
		marks = f.windowed(e, e.st, hit{rule: r, count: c, usual: nights, days: len(e.st.Days), marks: marks, about: true})
	}
	e.st.keep(OffHours, marks)
}

func (f *fold) manyPatients(e *now, d *counts, key uint32) {
	r := f.settings.Rule(ManyPatients)
	if r.Off {
		return
	}
	marks := within(e.st.Marks[ManyPatients], f.mark(e, 1, key), r.Window, maxMarks)
	c := sum(marks)
	d.Peak = max(d.Peak, c)
	usual, days := e.st.usual(d.Day, func(c *counts) int { return c.Peak })
	if c >= r.Limit && (days < r.Days || c >= r.Times*usual) {
		marks = f.windowed(e, e.st, hit{rule: r, count: c, usual: usual, days: days, marks: marks, about: true})
	}
	e.st.keep(ManyPatients, marks)
}

// relation looks at how the person stands to the patient: the host is asked once a day.
func (f *fold) relation(e *now, d *counts, who audit.ActorID, p audit.Patient) {
	key, today := keyOf(p), uint16(f.house.Clock.Day)
	asked, before := e.st.meet(key)
	if before && asked == today {
		return
	}
	tie, ok := f.ties[Pair{who, p}]
	if f.asks && !ok {
		st := f.state(itself)
		f.counted(e, st, Rule{Name: Unasked, Limit: 1, Window: day}, 1, 0)
		return // the next look at this patient is asked about again
	}
	e.st.know(key, today)
	for _, t := range []struct {
		rule Name
		yes  bool
	}{{OwnRecord, tie.Self}, {SameSurname, tie.Surname && !tie.Care}, {CoWorker, tie.Worker && !tie.Care}, {VIP, tie.VIP && !tie.Care}} {
		if t.yes && (t.rule == OwnRecord || !tie.Self) {
			f.counted(e, e.st, f.settings.Rule(t.rule), 1, key)
		}
	}
	if !before && !tie.Care {
		f.firstContact(e, d, key)
	}
}

func (f *fold) firstContact(e *now, d *counts, key uint32) {
	r := f.settings.Rule(FirstContact)
	if r.Off {
		return
	}
	d.New++
	marks := within(e.st.Marks[FirstContact], f.mark(e, 1, key), r.Window, maxMarks)
	c := sum(marks)
	usual, days := e.st.usual(d.Day, func(c *counts) int { return c.New })
	if f.house.Clock.Day-e.st.Since >= int64(r.Days) && c >= r.Limit && c >= r.Times*usual {
		marks = f.windowed(e, e.st, hit{rule: r, count: c, usual: usual, days: days, marks: marks, about: true})
	}
	e.st.keep(FirstContact, marks)
}
