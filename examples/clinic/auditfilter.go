package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// auditFilter is what the audit is asked, as the page's address carries it: codes and opaque
// identifiers, never a name, a number or an address.
type auditFilter struct {
	Who, Period, From, To, Action, Outcome, Patient, Type, ID, Sort, Order string
}

// The periods that are not a span before now.
const (
	allTime = "all"
	byDates = "dates"
)

// lastOf is the span of a period's choice.
func lastOf(choice string) (last time.Duration, known bool) {
	switch choice {
	case "24h":
		return audit.Last24h, true
	case "7d":
		return audit.Last7d, true
	case "30d":
		return audit.Last30d, true
	case "90d":
		return audit.Last90d, true
	}
	return 0, choice == allTime
}

func periods() []option {
	return []option{
		{"24h", "Last 24 hours"},
		{"7d", "Last 7 days"},
		{"30d", "Last 30 days"},
		{"90d", "Last 90 days"},
		{allTime, "Everything kept"},
	}
}

// newAuditFilter reads a form. Dates that are typed in count instead of the period; a period
// that is chosen while the form shows dates counts instead of them.
func newAuditFilter(form url.Values) auditFilter {
	f := auditFilter{
		Who: form.Get("who"), Period: form.Get("period"), From: form.Get("from"), To: form.Get("to"),
		Action: form.Get("action"), Outcome: form.Get("outcome"), Patient: form.Get("patient"),
		Type: form.Get("type"), ID: strings.TrimSpace(form.Get("id")), Sort: form.Get("sort"), Order: form.Get("order"),
	}
	dates := f.From != "" || f.To != ""
	if _, known := lastOf(f.Period); dates && (!known || !form.Has("dated")) {
		f.Period = byDates
	} else if !known {
		f.Period = "24h"
	}
	if f.Period != byDates {
		f.From, f.To = "", ""
	}
	if f.From != "" && f.To != "" && f.From > f.To {
		f.From, f.To = f.To, f.From
	}
	if f.Type == "" {
		f.Type = typeOf(f.ID)
	}
	if _, ok := sortOf(f.Sort); !ok {
		f.Sort, f.Order = "", ""
	}
	return f
}

// typeOf tells the type of a record from its number.
func typeOf(id string) string {
	switch {
	case strings.HasPrefix(id, "p-"):
		return "patient"
	case strings.HasPrefix(id, "c-"):
		return "claim"
	}
	return ""
}

// values are the filter as a form holds it, without what is empty.
func (f auditFilter) values() url.Values {
	v := url.Values{}
	for name, value := range map[string]string{
		"who": f.Who, "period": f.Period, "from": f.From, "to": f.To, "action": f.Action, "outcome": f.Outcome,
		"patient": f.Patient, "type": f.Type, "id": f.ID, "sort": f.Sort, "order": f.Order,
	} {
		if value != "" {
			v.Set(name, value)
		}
	}
	return v
}

// href is the address of the audit page with this filter.
func (f auditFilter) href() string { return "/audit?" + f.values().Encode() }

// auditPageSize is how many events a page of the audit shows.
const auditPageSize = 100

// query is the filter as the log reads it. An errInput says in words for people what is wrong.
func (f auditFilter) query(zone *time.Location, cursor string) (audit.Query, error) {
	key, _ := sortOf(f.Sort)
	q := audit.Query{
		Tenant: tenant, Patient: audit.Patient(f.Patient), ResourceType: f.Type, ResourceID: f.ID,
		Sort: audit.Sort{By: key, Ascending: f.ascending()}, Limit: auditPageSize, Cursor: cursor,
	}
	if f.ID != "" && f.Type == "" {
		return q, fmt.Errorf("%w: choose what kind of record the number belongs to", errInput)
	}
	if f.Who != "" {
		q.Actors = []audit.ActorID{audit.ActorID(f.Who)}
	}
	if f.Action != "" {
		q.Actions = []audit.Action{audit.Action(f.Action)}
	}
	switch f.Outcome {
	case "ok":
		q.Outcomes = []audit.Outcome{audit.Success}
	case "no":
		q.Outcomes = []audit.Outcome{audit.MinorFailure, audit.Failure, audit.MajorFailure}
	}
	var err error
	q.Last, _ = lastOf(f.Period)
	q.Period, err = f.span(zone)
	return q, err
}

// span is the time from the first day's beginning to the last day's end, where the clinic is.
func (f auditFilter) span(zone *time.Location) (p audit.Period, err error) {
	first, err1 := day(f.From, zone)
	last, err2 := day(f.To, zone)
	if errors.Join(err1, err2) != nil {
		return p, fmt.Errorf("%w: a date is written like 2026-11-30", errInput)
	}
	if p.Start = first; !last.IsZero() {
		p.End = last.AddDate(0, 0, 1)
	}
	return p, nil
}

// day is the beginning of a day, the zero time for an empty one.
func day(text string, zone *time.Location) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return time.ParseInLocation(time.DateOnly, text, zone)
}

// sortChoice is what the events can be sorted by. Key is empty for the log's own order.
type sortChoice struct {
	ID, Name string
	by       audit.SortKey
}

func sortChoices() []sortChoice {
	return []sortChoice{
		{"", "Newest first", audit.ByOrder},
		{"time", "Time", audit.ByTime},
		{"who", "Person", audit.ByActor},
		{"what", "Action", audit.ByAction},
		{"patient", "Patient", audit.ByPatient},
		{"record", "Record", audit.ByResource},
		{"category", "Kind of data", audit.ByCategory},
		{"outcome", "Outcome", audit.ByOutcome},
		{"verb", "Reading or changing", audit.ByVerb},
		{"device", "Device", audit.ByDevice},
		{"app", "Software", audit.ByClient},
		{"place", "Place", audit.ByLocation},
	}
}

func sortOf(id string) (audit.SortKey, bool) {
	for _, s := range sortChoices() {
		if s.ID == id {
			return s.by, true
		}
	}
	return audit.ByOrder, false
}

// ascending says which end comes first: for times the newest, for everything else the first
// letter, unless the order is named.
func (f auditFilter) ascending() bool {
	switch f.Order {
	case "asc":
		return f.Sort != ""
	case "desc":
		return false
	}
	return f.Sort != "" && f.Sort != "time"
}

// column is the head of a column that the table can be sorted by.
type column struct{ Name, Href, Aria string }

// columns are the heads of the audit's table: following one sorts by it, following it again
// turns the order round.
func (f auditFilter) columns(place string) []column {
	heads := []option{
		{"time", "Time (" + place + ")"}, {"who", "Who"}, {"what", "What"}, {"patient", "About"}, {"category", "Seen"}, {"outcome", "Outcome"},
	}
	all := make([]column, len(heads))
	for i, h := range heads {
		next := f
		next.Sort, next.Order = h.ID, ""
		all[i] = column{Name: h.Name}
		if f.Sort == h.ID || f.Sort == "" && h.ID == "time" {
			all[i].Aria, next.Order = "descending", "asc"
			if f.ascending() {
				all[i].Aria, next.Order = "ascending", "desc"
			}
		}
		all[i].Href = next.href()
	}
	return all
}
