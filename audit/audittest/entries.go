package audittest

import (
	"fmt"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

const (
	clinic    audit.Tenant = "clinic-17"
	neighbour audit.Tenant = "clinic-18"
)

// start is when the first entry of the suite was recorded.
func start() time.Time { return time.Date(2026, 11, 21, 18, 0, 0, 0, time.UTC) }

// at returns the start and so many minutes.
func at(minutes int) time.Time { return start().Add(time.Duration(minutes) * time.Minute) }

// id returns the n-th ID. Its first digits are scattered, so that the order of IDs is no
// order of anything else; its last ones tell n.
func id(n int) string { return fmt.Sprintf("%08x-0000-7000-8000-%012x", uint32(n)*2654435761, n) }

// entry returns the n-th entry of a rule, n minutes after the start, with changes. What a
// rule does not name differs between no two entries but for ID and time.
func entry(n int, change ...func(*audit.Event)) audit.Entry {
	e := audit.Event{
		ID:       id(n),
		Tenant:   clinic,
		Recorded: at(n),
		Action:   "patient.read",
		Verb:     audit.Read,
		Actor:    audit.Actor{ID: "u-1", Kind: audit.KindStaff},
		Patients: []audit.Patient{"p-1"},
		Objects:  []audit.Object{{Type: "note", ID: "n-1"}},
	}
	for _, f := range change {
		f(&e)
	}
	e.Actor.Tenant = e.Tenant
	return newEntry(e)
}

// newEntry is an entry as a Log makes it.
func newEntry(e audit.Event) audit.Entry {
	body, err := audit.Encode(e)
	if err != nil {
		panic(err) // a mistake in this suite
	}
	out := audit.Entry{
		Index: -1, Tenant: e.Tenant, ID: e.ID, Recorded: e.Recorded,
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

// of puts an event into a tenant.
func of(t audit.Tenant) func(*audit.Event) { return func(e *audit.Event) { e.Tenant = t } }

// other is an event of the n-th ID that says something else.
func other(n int) audit.Entry {
	return entry(n, func(e *audit.Event) { e.Action = "patient.export" })
}

// mixed returns n entries that differ in everything a filter looks at, of two tenants, with
// times that go back now and then. The same n gives the same entries.
func mixed(n int) []audit.Entry {
	outcomes := [...]audit.Outcome{audit.Success, audit.Success, audit.MinorFailure, audit.Failure, audit.MajorFailure}
	return entries(n, func(i int, e *audit.Event) {
		if i%7 == 3 {
			e.Tenant = neighbour
		}
		e.Recorded = at(i - i%5*i%11)
		e.Actor.ID = audit.ActorID(fmt.Sprint("u-", i%3))
		e.Action = audit.Action(fmt.Sprint("note.a", i*i%5))
		if e.Outcome = outcomes[i/3%5]; e.Outcome != audit.Success {
			e.Code = "code"
		}
		for k := range i % 4 {
			e.Patients = append(e.Patients, audit.Patient(fmt.Sprint("p-", i%2, k)))
			e.Objects = append(e.Objects, audit.Object{Type: fmt.Sprint("t-", k), ID: fmt.Sprint("n-", (i+k)%3)})
		}
	})
}

// filters returns conditions of every kind for the entries of mixed, alone and together.
func filters() []audit.Filter {
	two := []audit.ActorID{"u-2", "u-0"}
	return []audit.Filter{
		{},
		{From: at(10)},
		{To: at(40)},
		{From: at(10), To: at(40)},
		{Actors: two},
		{Actions: []audit.Action{"note.a1", "note.a4"}},
		{Outcomes: []audit.Outcome{audit.Failure, audit.MinorFailure}},
		{Patient: "p-1"},
		{Patient: "p-11"},
		{ObjectType: "t-1"},
		{ObjectType: "note", ObjectID: "n-1"},
		{ObjectType: "t-2", ObjectID: "n-0"},
		{ObjectType: "t-0", ObjectID: "n-2"},
		{Actors: two, From: at(5), To: at(50)},
		{Actors: two, Actions: []audit.Action{"note.a0", "note.a4"}},
		{Patient: "p-00", Outcomes: []audit.Outcome{audit.Success}},
		{Patient: "p-10", ObjectType: "t-0", To: at(45)},
		{Actors: two, Patient: "p-01", ObjectType: "t-1", Outcomes: []audit.Outcome{audit.Success, audit.Failure}},
		{Patient: "nobody"},
		{ObjectType: "nothing"},
	}
}
