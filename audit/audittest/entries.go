package audittest

import (
	"fmt"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

const clinic audit.Tenant = "clinic-17"

// start is when the first entry of the suite was recorded.
func start() time.Time { return time.Date(2026, 11, 21, 18, 0, 0, 0, time.UTC) }

// entry returns the n-th entry of a rule, n minutes after the start, with changes. What a
// rule does not name differs between no two entries but for ID and time.
func entry(n int, change ...func(*audit.Event)) audit.Entry {
	e := audit.Event{
		ID:       fmt.Sprintf("01900000-0000-7000-8000-%012x", n),
		Tenant:   clinic,
		Recorded: start().Add(time.Duration(n) * time.Minute),
		Action:   "patient.read",
		Verb:     audit.Read,
		Actor:    audit.Actor{ID: "u-1", Kind: audit.KindStaff, Tenant: clinic},
		Patients: []audit.Patient{"p-1"},
		Objects:  []audit.Object{{Type: "note", ID: "n-1"}},
	}
	for _, f := range change {
		f(&e)
	}
	return newEntry(e)
}

// newEntry is an entry as a Log makes it.
func newEntry(e audit.Event) audit.Entry {
	body, err := audit.Encode(e)
	if err != nil {
		panic(err) // a mistake in this suite
	}
	out := audit.Entry{
		Tenant: e.Tenant, ID: e.ID, Recorded: e.Recorded,
		Actor: e.Actor.ID, Action: e.Action, Outcome: e.Outcome,
		Patients: slices.Clone(e.Patients),
		Body:     body, Leaf: audit.Leaf(body), Openings: []byte("sealed " + e.ID),
	}
	for _, o := range e.Objects {
		out.Objects = append(out.Objects, audit.Ref{Type: o.Type, ID: o.ID})
	}
	return out
}

func entries(n int, change ...func(i int, e *audit.Event)) []audit.Entry {
	out := make([]audit.Entry, n)
	for i := range out {
		out[i] = entry(i, func(e *audit.Event) {
			for _, f := range change {
				f(i, e)
			}
		})
	}
	return out
}

// newestFirst returns the IDs of the entries that keep selects, in the order of List.
func newestFirst(list []audit.Entry, keep func(e *audit.Entry) bool) []string {
	var out []string
	for i := len(list) - 1; i >= 0; i-- {
		if keep == nil || keep(&list[i]) {
			out = append(out, list[i].ID)
		}
	}
	return out
}
