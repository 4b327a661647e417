package audittest

import (
	"context"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
)

func filterRules() []rule {
	return []rule{
		{Name: "filter-period", Clause: "Filter: From ≤ Recorded < To.", Run: filterPeriod},
		{Name: "filter-actors", Clause: "Filter: any of the actors.", Run: filterActors},
		{Name: "filter-actions", Clause: "Filter: any of the actions.", Run: filterActions},
		{Name: "filter-outcomes", Clause: "Filter: any of the outcomes.", Run: filterOutcomes},
		{Name: "filter-patient", Clause: "Filter: every patient of an event finds it.", Run: filterPatient},
		{Name: "filter-type", Clause: "Filter: every object's type finds an event, once.", Run: filterType},
		{Name: "filter-object", Clause: "Filter: type and ID are of the same object.", Run: filterObject},
		{Name: "filter-all", Clause: "Filter: all that is set must match.", Run: filterAll},
		{Name: "filter-exact", Clause: "Filter: text matches exactly: case, spaces, wildcards, any Unicode.", Run: filterExact},
	}
}

// finds appends the list and compares what f finds with what it should find.
func finds(ctx context.Context, s audit.Store, list []audit.Entry, filters ...audit.Filter) error {
	if err := add(ctx, s, list...); err != nil {
		return err
	}
	for i, f := range filters {
		f.Tenant = clinic
		got, err := ids(ctx, s, f, audit.Newest, len(list)+1)
		if err != nil {
			return err
		}
		if err := same(got, newestFirst(list, f.Matches)); err != nil {
			return fmt.Errorf("filter %d: %w", i, err)
		}
	}
	return nil
}

func filterPeriod(ctx context.Context, s audit.Store) error {
	at := func(n int) time.Time { return start().Add(time.Duration(n) * time.Minute) }
	return finds(ctx, s, entries(6),
		audit.Filter{From: at(2)}, audit.Filter{To: at(4)}, audit.Filter{From: at(2), To: at(4)},
		audit.Filter{From: at(2), To: at(2)}, audit.Filter{From: at(2).Add(time.Microsecond)})
}

func filterActors(ctx context.Context, s audit.Store) error {
	actors := []audit.ActorID{"u-1", "u-2", "u-3"}
	list := entries(9, func(i int, e *audit.Event) { e.Actor.ID = actors[i%3] })
	list = append(list, entry(9, func(e *audit.Event) { e.Actor = audit.Anonymous(clinic, e.Actor.Origin) }))
	return finds(ctx, s, list,
		audit.Filter{Actors: actors[1:]}, audit.Filter{Actors: []audit.ActorID{"u-3", "u-1", "u-3"}},
		audit.Filter{Actors: []audit.ActorID{"nobody"}})
}

func filterActions(ctx context.Context, s audit.Store) error {
	actions := []audit.Action{"note.read", "note.write", "note.sign"}
	list := entries(9, func(i int, e *audit.Event) { e.Action = actions[i%3] })
	return finds(ctx, s, list,
		audit.Filter{Actions: actions[1:]}, audit.Filter{Actions: []audit.Action{"note.sign", "note.read", "note.sign"}},
		audit.Filter{Actions: []audit.Action{"note.erase"}})
}

func filterOutcomes(ctx context.Context, s audit.Store) error {
	outcomes := []audit.Outcome{audit.Success, audit.MinorFailure, audit.Failure, audit.MajorFailure}
	list := entries(8, func(i int, e *audit.Event) { e.Outcome, e.Code = outcomes[i%4], "code" })
	return finds(ctx, s, list,
		audit.Filter{Outcomes: outcomes[2:]}, audit.Filter{Outcomes: []audit.Outcome{audit.Failure, audit.Success}})
}

func filterPatient(ctx context.Context, s audit.Store) error {
	list := entries(6, func(i int, e *audit.Event) {
		e.Patients = []audit.Patient{audit.Patient(fmt.Sprintf("p-%d", i%2)), "p-7", audit.Patient(fmt.Sprintf("q-%d", i))}
	})
	list = append(list, entry(6, func(e *audit.Event) { e.Patients = nil }))
	return finds(ctx, s, list,
		audit.Filter{Patient: "p-1"}, audit.Filter{Patient: "p-7"}, audit.Filter{Patient: "q-3"}, audit.Filter{Patient: "p"})
}

func filterType(ctx context.Context, s audit.Store) error {
	list := entries(6, func(i int, e *audit.Event) {
		e.Objects = []audit.Object{{Type: "note", ID: "n-1"}, {Type: "note", ID: "n-2"}, {Type: "bill"}}
		e.Objects = e.Objects[i%3 : 3 : 3]
	})
	list = append(list, entry(6, func(e *audit.Event) { e.Objects = nil }))
	return finds(ctx, s, list, audit.Filter{ObjectType: "note"}, audit.Filter{ObjectType: "bill"}, audit.Filter{ObjectType: "not"})
}

func filterObject(ctx context.Context, s audit.Store) error {
	list := []audit.Entry{
		entry(0, func(e *audit.Event) { e.Objects = []audit.Object{{Type: "note", ID: "1"}, {Type: "bill", ID: "2"}} }),
		entry(1, func(e *audit.Event) { e.Objects = []audit.Object{{Type: "note", ID: "2"}, {Type: "bill", ID: "1"}} }),
		entry(2, func(e *audit.Event) { e.Objects = []audit.Object{{Type: "note"}} }),
	}
	return finds(ctx, s, list,
		audit.Filter{ObjectType: "note", ObjectID: "1"}, audit.Filter{ObjectType: "note", ObjectID: "2"},
		audit.Filter{ObjectType: "bill", ObjectID: "1"}, audit.Filter{ObjectType: "note", ObjectID: "3"})
}

// filterAll tries every combination of seven conditions on every combination of values.
func filterAll(ctx context.Context, s audit.Store) error {
	bit := func(i, n int) bool { return i>>n&1 == 1 }
	list := entries(64, func(i int, e *audit.Event) {
		if bit(i, 0) {
			e.Actor.ID = "u-2"
		}
		if bit(i, 1) {
			e.Action = "note.read"
		}
		if bit(i, 2) {
			e.Outcome, e.Code = audit.Failure, "denied"
		}
		if bit(i, 3) {
			e.Patients = []audit.Patient{"p-2"}
		}
		if bit(i, 4) {
			e.Objects[0].Type = "bill"
		}
		if bit(i, 5) {
			e.Objects[0].ID = "n-2"
		}
	})
	var filters []audit.Filter
	for i := range 128 {
		var f audit.Filter
		if bit(i, 0) {
			f.Actors = []audit.ActorID{"u-2"}
		}
		if bit(i, 1) {
			f.Actions = []audit.Action{"note.read"}
		}
		if bit(i, 2) {
			f.Outcomes = []audit.Outcome{audit.Failure}
		}
		if bit(i, 3) {
			f.Patient = "p-2"
		}
		if bit(i, 4) {
			f.ObjectType = "bill"
			if bit(i, 5) {
				f.ObjectID = "n-2"
			}
		}
		if bit(i, 6) {
			f.From = start().Add(31*time.Minute + 30*time.Second)
		}
		filters = append(filters, f)
	}
	return finds(ctx, s, list, filters...)
}

func filterExact(ctx context.Context, s audit.Store) error {
	texts := []string{
		"x", "X", " x", "x ", "x%", "x_", "%", "_", "'", "''", `"`, `\`, `\\`, "x';--", "?", "$1", "{}",
		"é", "e\u0301", "\ufeffx", "\u202ex", "\U0001f469\u200d\u2695\ufe0f", "\uffff", "\U0010ffff", "NULL", "0", "00",
	}
	list := entries(len(texts), func(i int, e *audit.Event) {
		e.Patients = []audit.Patient{audit.Patient(texts[i])}
		e.Objects = []audit.Object{{Type: texts[i], ID: texts[i]}}
		e.Actor.ID = audit.ActorID(texts[i])
	})
	var filters []audit.Filter
	for _, t := range texts {
		filters = append(filters,
			audit.Filter{Patient: audit.Patient(t)}, audit.Filter{ObjectType: t, ObjectID: t},
			audit.Filter{Actors: []audit.ActorID{audit.ActorID(t)}})
	}
	return finds(ctx, s, list, filters...)
}
