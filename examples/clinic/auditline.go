package main

import (
	"slices"

	"github.com/wardkit/wardkit/audit"
)

// line is what one line of a page says: an event, and further events of the same deed that
// are on the page. One click can take two or three events: that it was allowed, which is
// durable before anything happens; what was done, in the transaction that did it; and what
// was shown. Nothing is left out of a line: it links to each of its events.
type line struct {
	audit.Stored
	also []audit.Stored
}

// partOf is the action whose events belong to the same click as an event of this one: what
// had to be allowed for it, or what its page shows besides.
func partOf(action audit.Action) audit.Action {
	switch action {
	case actionRegistered:
		return registerSubmit.Name()
	case actionNoteSaved:
		return noteWrite.Name()
	case claimSubmitted:
		return claimSubmit.Name()
	case claimDenied, claimAppealed, claimPaid:
		return claimChange.Name()
	case claimRead.Name():
		return claimHistory.Name()
	case actionCheckStarted:
		return proofCheck.Name()
	case audit.ActionExportCreated:
		return exportMake.Name()
	}
	return ""
}

// isDone reports whether events of an action say that something was done, rather than that it
// was allowed.
func isDone(action audit.Action) bool {
	return partOf(action) != "" && action != claimRead.Name() || action == actionCheckEnded
}

// click is what the events of one click have in common. The request's id can be chosen by
// whoever sends it, so it never stands alone.
type click struct {
	actor            audit.ActorID
	session, request string
	action           audit.Action
	patient          audit.Patient
}

func clickOf(e *audit.Stored, action audit.Action) click {
	c := click{e.Actor.ID, e.Actor.Session, e.Correlation.Request, action, ""}
	if len(e.Patients) > 0 && action != registerSubmit.Name() { // who is not registered yet has no id
		c.patient = e.Patients[0]
	}
	return c
}

// fold puts the events of a page that belong together into lines, in the order of the page.
func fold(events []audit.Stored) []line {
	firsts := make(map[string]int, len(events)) // by id
	wholes := map[click]int{}
	for i := range events {
		e := &events[i]
		if e.Detail["continues"] != "" {
			continue
		}
		firsts[e.ID] = i
		if part := partOf(e.Action); part != "" && e.Outcome == audit.Success && e.Correlation.Request != "" {
			wholes[clickOf(e, part)] = i
		}
	}
	root := func(i int) int {
		if first, ok := firsts[events[i].Detail["continues"]]; ok {
			i = first
		}
		e := &events[i]
		if whole, ok := wholes[clickOf(e, e.Action)]; ok && e.Outcome == audit.Success {
			return whole
		}
		return i
	}
	var lines []line
	place := map[int]int{}
	for i := range events {
		if root(i) == i {
			place[i] = len(lines)
			lines = append(lines, line{Stored: events[i]})
		}
	}
	for i := range events {
		if r := root(i); r != i {
			l := &lines[place[r]]
			l.also = append(l.also, events[i])
		}
	}
	return lines
}

// all are the events of a line, the one that it is called after first.
func (l *line) all() []audit.Stored { return append([]audit.Stored{l.Stored}, l.also...) }

// fields are what was shown, categories what kind of data it was.
func (l *line) fields() (fields, categories []string) {
	for _, e := range l.all() {
		for _, o := range e.Objects {
			fields = append(fields, o.Fields...)
			if o.Category != "" {
				categories = append(categories, o.Category)
			}
		}
	}
	return fields, categories
}

// patients are whom a line is about, each once.
func (l *line) patients() (all []audit.Patient) {
	for _, e := range l.all() {
		for _, p := range e.Patients {
			if !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	return all
}
