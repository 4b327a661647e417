package review

import (
	"fmt"
	"slices"
	"time"
)

// Name is a rule's. It never changes its meaning.
type Name string

// The rules. Each counts something for one actor and says what it counted.
const (
	Volume       Name = "volume"         // a patient's record opened or changed on one day, against what is usual for the actor
	ManyPatients Name = "many_patients"  // different patients in Window, against the actor's usual busiest Window of a day
	FirstContact Name = "first_contact"  // patients whom the actor never had to do with and does not care for
	OffHours     Name = "off_hours"      // a record opened while the tenant is closed, by somebody who is not usually there then
	Denied       Name = "denied"         // refusals
	Sequence     Name = "sequence"       // records whose identifiers follow one another: one next to the other, or twice as many in order
	SameSurname  Name = "same_surname"   // patients who have the actor's surname and are not in care
	OwnRecord    Name = "own_record"     // the actor's own record
	CoWorker     Name = "co_worker"      // patients who are colleagues and not in care
	VIP          Name = "vip"            // patients whom the host marks as of public interest and who are not in care
	Listing      Name = "listing"        // patients in lists, those that are shown again included
	Export       Name = "export"         // exports of the log or of data (audit.ActionExportCreated)
	Woken        Name = "woken"          // an account that comes back after days on which others worked
	AuditReading Name = "audit_browsing" // looks at the audit log
)

// The findings about the review itself, which cannot be switched off.
const (
	Unasked    Name = "unasked"    // how people and patients stand to each other could not be found out
	Unreadable Name = "unreadable" // events that are not what was recorded
	Crowd      Name = "crowd"      // more than MaxActors actors: later ones are watched together
)

// Names returns the rules that Settings hold, in the order of a page.
func Names() []Name {
	return []Name{
		Volume, ManyPatients, FirstContact, OffHours, Denied, Sequence, SameSurname, OwnRecord, CoWorker, VIP,
		Listing, Export, Woken, AuditReading,
	}
}

// Rule is one rule as a tenant has set it.
type Rule struct {
	Name   Name          `json:"name"`
	Off    bool          `json:"off,omitempty"`
	Limit  int           `json:"limit,omitempty"`  // from so many on it is a finding
	Times  int           `json:"times,omitempty"`  // and from so many times what is usual on
	Window time.Duration `json:"window,omitempty"` // in which is counted
	Days   int           `json:"days,omitempty"`   // how much history it takes; for OffHours: on how many days it may have been so; for Woken: of silence
}

// Settings are a tenant's rules. They are in force at the next tick on every server.
type Settings struct {
	Version int64  `json:"-"` // of what is stored, 0 where nothing is
	Rules   []Rule `json:"rules"`

	// Zone is the tenant's time zone, a name of the IANA database. A day and the hours are its.
	Zone string `json:"zone"`
	// OpenFrom and OpenTo are the hours between which the tenant is open, 0 to 24. OpenTo is above
	// OpenFrom; Weekends says that Saturdays and Sundays are like other days.
	OpenFrom int  `json:"open_from"`
	OpenTo   int  `json:"open_to"`
	Weekends bool `json:"weekends,omitempty"`
	// ListFrom: an event about so many patients shows a list; none of them was looked at. 2 to 200.
	ListFrom int `json:"list_from"`
	// Repeat: within this time of the last one, what a rule counts for an actor adds to the finding
	// there is, until somebody has reviewed it. An hour to 30 days.
	Repeat time.Duration `json:"repeat"`
}

const day = 24 * time.Hour

// Standard returns the settings of a tenant that has made none: opening hours 6 to 22, weekends
// closed, UTC. Its numbers are those of the simulation in docs/design/audit.md.
func Standard() Settings {
	return Settings{
		Rules: []Rule{
			{Name: Volume, Limit: 40, Times: 3, Days: 5},
			{Name: ManyPatients, Limit: 20, Times: 2, Window: time.Hour, Days: 5},
			{Name: FirstContact, Limit: 5, Times: 3, Window: day, Days: 14},
			{Name: OffHours, Limit: 5, Window: 12 * time.Hour, Days: 2},
			{Name: Denied, Limit: 8, Window: 10 * time.Minute},
			{Name: Sequence, Limit: 6, Window: 10 * time.Minute},
			{Name: SameSurname, Limit: 1, Window: day},
			{Name: OwnRecord, Limit: 1, Window: day},
			{Name: CoWorker, Limit: 1, Window: day},
			{Name: VIP, Limit: 1, Window: day},
			{Name: Listing, Limit: 1000, Window: day},
			{Name: Export, Limit: 1, Window: day},
			{Name: Woken, Days: 30},
			{Name: AuditReading, Limit: 60, Window: time.Hour},
		},
		Zone: "UTC", OpenFrom: 6, OpenTo: 22, ListFrom: 8, Repeat: day,
	}
}

// Rule returns the rule of this name; one that is not there is off.
func (s Settings) Rule(name Name) Rule {
	if i := slices.IndexFunc(s.Rules, func(r Rule) bool { return r.Name == name }); i >= 0 {
		return s.Rules[i]
	}
	return Rule{Name: name, Off: true}
}

// Set returns s with the rule in place of the one of its name.
func (s Settings) Set(r Rule) Settings {
	s.Rules = slices.Clone(s.Rules)
	if i := slices.IndexFunc(s.Rules, func(o Rule) bool { return o.Name == r.Name }); i >= 0 {
		s.Rules[i] = r
		return s
	}
	s.Rules = append(s.Rules, r)
	return s
}

// bound is what a rule can work with; zero: it does not use the value.
type bound struct {
	limit, times, days int
	window             time.Duration
}

func bounds(n Name) (bound, bool) {
	switch n {
	case Volume:
		return bound{limit: 10_000, times: 100, days: 28}, true
	case ManyPatients:
		return bound{limit: 100, times: 100, days: 28, window: day}, true
	case FirstContact:
		return bound{limit: 100, times: 100, days: 365, window: day}, true
	case OffHours:
		return bound{limit: 1000, days: 28, window: day}, true
	case Denied, AuditReading:
		return bound{limit: 1000, window: day}, true
	case Sequence:
		return bound{limit: 50, window: day}, true
	case SameSurname, OwnRecord, CoWorker, VIP, Export:
		return bound{limit: 100, window: 7 * day}, true
	case Listing:
		return bound{limit: 1_000_000, window: 7 * day}, true
	case Woken:
		return bound{days: 365}, true
	}
	return bound{}, false
}

// Validate says what no rule could work with. ErrSettings.
func (s Settings) Validate() error {
	if _, err := s.zone(); err != nil {
		return err
	}
	switch {
	case s.OpenFrom < 0 || s.OpenTo > 24 || s.OpenFrom >= s.OpenTo:
		return wrong(ErrSettings, "opening hours are from 0 to 24, the end after the beginning")
	case s.ListFrom < 2 || s.ListFrom > 200:
		return wrong(ErrSettings, "ListFrom must be 2 to 200 patients")
	case s.Repeat < time.Hour || s.Repeat > 30*day:
		return wrong(ErrSettings, "Repeat must be an hour to 30 days")
	case len(s.Rules) != len(Names()):
		return wrong(ErrSettings, "every rule is there once; switch one off with Off")
	}
	seen := map[Name]bool{}
	for _, r := range s.Rules {
		if seen[r.Name] {
			return wrong(ErrSettings, "a rule is there twice")
		}
		seen[r.Name] = true
		if err := r.validate(); err != nil {
			return err
		}
	}
	return nil
}

func (r *Rule) validate() error {
	b, ok := bounds(r.Name)
	if !ok {
		return wrong(ErrSettings, "a rule that there is not")
	}
	for _, v := range []struct {
		what      string
		got, most int
	}{{"Limit", r.Limit, b.limit}, {"Times", r.Times, b.times}, {"Days", r.Days, b.days}} {
		if low := min(1, v.most); v.got < low || v.got > v.most {
			return wrong(ErrSettings, "%s of %s must be %d to %d", v.what, r.Name, low, v.most)
		}
	}
	if r.Window < 0 || r.Window > b.window || b.window > 0 && r.Window < time.Minute {
		return wrong(ErrSettings, "Window of %s must be a minute to %s, or nothing where it counts days", r.Name, b.window)
	}
	return nil
}

func (s *Settings) zone() (*time.Location, error) {
	if s.Zone == "" || s.Zone == "Local" {
		return nil, wrong(ErrSettings, "a time zone is missing")
	}
	z, err := time.LoadLocation(s.Zone)
	if err != nil {
		return nil, wrong(ErrSettings, "the time zone is not known")
	}
	return z, nil
}

// closed reports whether the tenant is closed at a time.
func (s *Settings) closed(t time.Time) bool {
	weekend := t.Weekday() == time.Saturday || t.Weekday() == time.Sunday
	return t.Hour() < s.OpenFrom || t.Hour() >= s.OpenTo || weekend && !s.Weekends
}

// text writes a rule as a detail of an event.
func (r Rule) text() string {
	on := "on"
	if r.Off {
		on = "off"
	}
	return fmt.Sprintf("%s limit=%d times=%d window=%s days=%d", on, r.Limit, r.Times, r.Window, r.Days)
}
