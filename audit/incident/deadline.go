package incident

import (
	"cmp"
	"errors"
	"slices"
	"time"
)

// Names of the deadlines of the law. A host's own have other names.
const (
	Individuals   = "individuals"    // 45 CFR 164.404
	Media         = "media"          // 164.406
	HHS           = "hhs"            // 164.408
	CoveredEntity = "covered_entity" // 164.410
)

// Law is what a tenant is held to.
type Law struct {
	Zone      *time.Location // the tenant's, in which days are counted; required
	Associate bool           // a business associate: it tells the covered entity, who tells all others
	Extra     []Rule         // of states and contracts, mostly shorter
}

// Rule is a deadline of a state's law or of a contract.
type Rule struct {
	Name     string // a code, none of the above; it never changes its meaning
	Days     int    // calendar days after discovery, 1 to 365
	Over     int    // owed if more than so many people are affected; 0: always
	Region   string // owed for residents of this region only; empty: everywhere
	Citation string
}

// Validate says what is wrong with the law.
func (l *Law) Validate() error {
	if l.Zone == nil {
		return errors.New("incident: Law.Zone is missing")
	}
	seen := []string{Individuals, Media, HHS, CoveredEntity}
	for _, r := range l.Extra {
		if !isCode(r.Name) || slices.Contains(seen, r.Name) || r.Days < 1 || r.Days > 365 || r.Over < 0 {
			return errors.New("incident: Law.Extra: a rule needs a name of its own and 1 to 365 days")
		}
		seen = append(seen, r.Name)
	}
	return nil
}

// Deadline is the last day on which somebody has to have been told. All of it is "without
// unreasonable delay": the last day is the worst that is allowed, not the plan.
type Deadline struct {
	Name     string `json:"name"`
	Last     Day    `json:"last"`              // the last day, in the tenant's zone
	Delayed  bool   `json:"delayed,omitempty"` // a law-enforcement delay is why it is so late
	Guess    bool   `json:"guess,omitempty"`   // nobody has said how many people are affected
	Done     Day    `json:"done,omitempty"`    // when everybody whom it is about had been told; 0: not yet
	Citation string `json:"citation"`
}

// Overdue reports whether the deadline has passed by a day without everybody having been told.
func (d *Deadline) Overdue(today Day) bool { return d.Done == 0 && today > d.Last }

// Limits of 45 CFR 164.404 to 164.412.
const (
	lawDays  = 60  // calendar days after discovery
	lawMany  = 500 // at HHS: so many or more; for the media: more than so many residents
	oralDays = 30  // that an oral statement of law enforcement holds at most
)

// Deadlines returns what a case owes while it counts as a breach, the earliest first. While nobody
// has said how many people are affected, it owes what 500 would.
//
// A law-enforcement delay moves to its own last day what would have been due before, and nothing
// else: the days during a delay count.
func (l *Law) Deadlines(c *Case) []Deadline {
	if !c.Presumed() {
		return nil
	}
	last := c.Discovered + lawDays
	total, region := c.Affected()
	guess := total == 0
	var out []Deadline
	add := func(name string, day Day, guess bool, citation string) {
		d := Deadline{Name: name, Last: day, Guess: guess, Done: c.told(name), Citation: citation}
		if c.Delay != nil && c.Delay.Until > d.Last {
			d.Last, d.Delayed = c.Delay.Until, true
		}
		out = append(out, d)
	}
	if l.Associate {
		add(CoveredEntity, last, false, "45 CFR 164.410(b)")
	} else {
		add(Individuals, last, false, "45 CFR 164.404(b)")
		if guess || total >= lawMany {
			add(HHS, last, guess, "45 CFR 164.408(b)")
		} else {
			add(HHS, Date(c.Discovered.Year(), time.December, 31)+lawDays, false, "45 CFR 164.408(c)")
		}
		if guess || region > lawMany {
			add(Media, last, guess, "45 CFR 164.406(b)")
		}
	}
	for _, r := range l.Extra {
		if n := c.residents(r.Region); guess || n > r.Over {
			add(r.Name, c.Discovered+Day(r.Days), guess, r.Citation)
		}
	}
	slices.SortStableFunc(out, func(a, b Deadline) int { return cmp.Compare(a.Last, b.Last) })
	return out
}

// residents is how many of the people affected may reside in a region.
func (c *Case) residents(region string) int {
	if region == "" {
		total, _ := c.Affected()
		return total
	}
	n := func(r string) int { return max(countOf(c.Listed, r), countOf(c.Estimate, r)) }
	return n(region) + n("")
}

// told returns the day on which everybody whom a deadline is about had been told.
func (c *Case) told(name string) Day {
	for _, n := range c.Notices {
		if n.For == name && n.All {
			return n.On
		}
	}
	return 0
}

// Delay is what a law enforcement official said: a notice would impede a criminal investigation or
// damage national security (45 CFR 164.412). Who said it is a line of the timeline.
type Delay struct {
	Said    Day  `json:"said"`
	Written bool `json:"written"` // (a); an oral statement (b) holds for 30 days at most
	Until   Day  `json:"until"`   // the last day of the delay
}

func (d *Delay) check(today Day) error {
	switch {
	case d.Said <= 0 || d.Said > today:
		return wrong("said")
	case d.Until < d.Said, d.Until > d.Said+5*366, !d.Written && d.Until > d.Said+oralDays:
		return wrong("until")
	}
	return nil
}
