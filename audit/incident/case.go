package incident

import (
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// State is where a case stands.
type State string

// The states. Closed and Dismissed can be opened again, to Investigating.
const (
	Reported      State = "reported"      // it came in, nobody has looked at it
	Triaged       State = "triaged"       // somebody has said what it is and who owns it
	Investigating State = "investigating" // the facts are being found out
	Assessed      State = "assessed"      // two people agree whether it is a breach
	Notifying     State = "notifying"     // it is a breach, and people are being told
	Closed        State = "closed"        // nothing is owed any more
	Dismissed     State = "dismissed"     // no protected health information was involved: no incident
)

// States returns all of them in the order of a case's life.
func States() []State {
	return []State{Reported, Triaged, Investigating, Assessed, Notifying, Closed, Dismissed}
}

// Open reports whether somebody still has to work on a case in this state.
func (s State) Open() bool { return s != Closed && s != Dismissed }

// Involved is whether protected health information was involved.
type Involved string

// The answers. Only No, said by one person and confirmed by another, allows to dismiss a case.
const (
	Unknown Involved = ""
	Yes     Involved = "yes"
	No      Involved = "no"
)

// Limits of a case. Texts are measured in bytes of UTF-8.
const (
	MaxText   = 4000   // of a report, a note, a reason
	MaxCode   = 64     // of a kind, a region, a way of telling
	MaxAbout  = 50     // subjects
	MaxLinks  = 500    // pieces of evidence
	MaxNotice = 500    // notices
	MaxDrafts = 50     // assessments
	MaxPeople = 200000 // affected patients that are listed; more are an estimate
	MaxBatch  = 10000  // affected patients in one call
	MaxCounts = 100    // regions
)

// Case is one incident: a suspected or known breach or security incident
// (45 CFR 164.304, 164.308(a)(6)).
type Case struct {
	Tenant  audit.Tenant `json:"tenant"`
	ID      string       `json:"id"`
	Number  int64        `json:"-"` // in its tenant, from 1
	Version int64        `json:"version"`
	State   State        `json:"state"`

	Kind   string        `json:"kind"` // a code of the host's: "wrong_recipient", "lost_device" …
	PHI    Involved      `json:"phi"`
	Part2  bool          `json:"part2"` // substance use disorder records are among it (42 CFR 2.16)
	Source Source        `json:"source"`
	Text   string        `json:"text"` // what was reported
	Owner  audit.ActorID `json:"owner"`
	// About are the subjects of the case: they cannot see it, own it, work on it or sign it off.
	About []audit.ActorID `json:"about,omitempty"`
	// Triaged is who said last what it is.
	Triaged audit.ActorID `json:"triaged"`

	Opened time.Time `json:"opened"`
	// Discovered is the first day on which it was known to anybody but who did it, or would have
	// been by reasonable diligence (45 CFR 164.404(a)(2)). Every deadline counts from it.
	Discovered Day       `json:"discovered"`
	Closed     time.Time `json:"closed,omitzero"`

	Links       []Link       `json:"links,omitempty"`
	Listed      []Count      `json:"listed,omitempty"`   // affected patients in the list
	Estimate    []Count      `json:"estimate,omitempty"` // affected people, as somebody estimates
	Assessments []Assessment `json:"assessments,omitempty"`
	Notices     []Notice     `json:"notices,omitempty"`
	Delay       *Delay       `json:"delay,omitempty"`
	Held        bool         `json:"held"`               // a legal hold is in place
	Round       int          `json:"round,omitempty"`    // how often it was opened again
	Reminded    []string     `json:"reminded,omitempty"` // IDs of reminders that were given

	seals seals
}

// Source is where a case came from.
type Source struct {
	By      audit.ActorID `json:"by"` // the reporter, or who made a case of the finding
	Kind    audit.Kind    `json:"kind"`
	Finding string        `json:"finding,omitempty"` // the finding's ID, empty for a report
}

// Count is how many of the people affected reside in a region, a State or jurisdiction such as "NY".
// An empty Region is for those of whom it is not known.
type Count struct {
	Region string `json:"region"`
	N      int    `json:"n"`
}

// Is reports whether somebody is a subject of the case.
func (c *Case) Is(id audit.ActorID) bool { return slices.Contains(c.About, id) }

// Latest returns the latest assessment, nil if there is none.
func (c *Case) Latest() *Assessment {
	if len(c.Assessments) == 0 {
		return nil
	}
	return &c.Assessments[len(c.Assessments)-1]
}

// Presumed reports whether the case counts as a breach: it does until two people have agreed that it
// is none (45 CFR 164.402(2)), or that it involves no protected health information at all.
func (c *Case) Presumed() bool {
	if c.State == Dismissed {
		return false
	}
	a := c.Latest()
	settled := c.State == Assessed || c.State == Notifying || c.State == Closed
	return !settled || a == nil || a.Signed == "" || a.Conclusion == Breach
}

// Affected returns how many people are affected, and the most that can be residents of one region:
// the higher of list and estimate, those without a region counted to every one. 0: not known.
func (c *Case) Affected() (total, region int) {
	sum := func(list []Count) (n int) {
		for _, one := range list {
			n += one.N
		}
		return n
	}
	n := func(r string) int { return max(countOf(c.Listed, r), countOf(c.Estimate, r)) }
	region = n("")
	for _, one := range slices.Concat(c.Listed, c.Estimate) {
		if one.Region != "" {
			region = max(region, n(one.Region)+n(""))
		}
	}
	return max(sum(c.Listed), sum(c.Estimate)), region
}

func countOf(list []Count, region string) (n int) {
	for _, one := range list {
		if one.Region == region {
			n += one.N
		}
	}
	return n
}

// active reports whether reminders or holds still look at the case.
func (c *Case) active() bool { return c.State.Open() || c.Held }

// clone returns a copy that shares no memory.
func (c *Case) clone() Case {
	next := *c
	next.About, next.Links = slices.Clone(c.About), slices.Clone(c.Links)
	next.Listed, next.Estimate = slices.Clone(c.Listed), slices.Clone(c.Estimate)
	next.Assessments, next.Notices = slices.Clone(c.Assessments), slices.Clone(c.Notices)
	next.Reminded = slices.Clone(c.Reminded)
	if c.Delay != nil {
		d := *c.Delay
		next.Delay = &d
	}
	return next
}
