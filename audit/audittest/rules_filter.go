package audittest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
)

func filterRules() []rule {
	return []rule{
		{Name: "filter-tenant", Clause: "Filter: selects entries of one tenant", Run: filterTenant},
		{Name: "filter-empty", Clause: "Filter: An empty field does not restrict", Run: filterEmpty},
		{Name: "filter-lists", Clause: "Filter: a list matches any of its values", Run: filterLists},
		{Name: "filter-all", Clause: "Filter: All that is set must match", Run: filterAll},
		{Name: "filter-fields", Clause: "Filter: each its own part of the entry", Run: filterFields},
		{Name: "filter-bytes", Clause: "Filter: text byte for byte", Run: filterBytes},
		{Name: "filter-period", Clause: "Filter: From ≤ Recorded < To", Run: filterPeriod},
		{Name: "filter-late", Clause: "Filter: Recorded need not follow Index", Run: filterLate},
		{Name: "filter-patient", Clause: "Filter: one of the entry's patients", Run: filterPatient},
		{Name: "filter-type", Clause: "Filter: of one of the entry's objects", Run: filterType},
		{Name: "filter-object", Clause: "Filter: only together with ObjectType, of the same object", Run: filterObject},
	}
}

// finds appends and places the list and compares what each filter finds with what it should.
func finds(ctx context.Context, s audit.Store, list []audit.Entry, filters ...audit.Filter) error {
	if err := put(ctx, s, list...); err != nil {
		return err
	}
	return selects(ctx, s, list, filters...)
}

// selects compares what filters find in a placed list, the highest first.
func selects(ctx context.Context, s audit.Store, list []audit.Entry, filters ...audit.Filter) error {
	known, err := page(ctx, s, audit.Filter{}, audit.Newest, len(list)+1)
	if err != nil {
		return err
	}
	index := map[string]int64{}
	for _, e := range known {
		index[e.ID] = e.Index
	}
	for _, f := range filters {
		f.Tenant = clinic
		got, err := page(ctx, s, f, audit.Newest, len(list)+1)
		if err != nil {
			return err
		}
		want := slices.DeleteFunc(slices.Clone(list), func(e audit.Entry) bool { return !f.Matches(&e) })
		slices.SortFunc(want, func(a, b audit.Entry) int { return int(index[b.ID] - index[a.ID]) })
		if err := equal(ids(got), ids(want)); err != nil {
			return fmt.Errorf("%s: %w", nameOf(&f), err)
		}
	}
	return nil
}

// nameOf says what a filter restricts, for a failure's message.
func nameOf(f *audit.Filter) string {
	var parts []string
	for _, part := range []struct {
		name string
		set  bool
	}{
		{"From", !f.From.IsZero()},
		{"To", !f.To.IsZero()},
		{"Actors", len(f.Actors) > 0},
		{"Actions", len(f.Actions) > 0},
		{"Outcomes", len(f.Outcomes) > 0},
		{"Patient", f.Patient != ""},
		{"ObjectType", f.ObjectType != ""},
		{"ObjectID", f.ObjectID != ""},
	} {
		if part.set {
			parts = append(parts, part.name)
		}
	}
	if len(parts) == 0 {
		return "filter by the tenant alone"
	}
	return "filter by " + strings.Join(parts, ", ")
}

// filterTenant gives many tenants events that differ in nothing else.
func filterTenant(ctx context.Context, s audit.Store) error {
	var list []audit.Entry
	for i, t := range tenants() {
		list = append(list, entry(2*i, of(t)), entry(2*i+1, of(t)))
	}
	if err := put(ctx, s, list...); err != nil {
		return err
	}
	for i, t := range tenants() {
		for _, f := range []audit.Filter{
			{},
			{Patient: "p-1"},
			{ObjectType: "note"},
			{ObjectType: "note", ObjectID: "n-1"},
			{Actors: []audit.ActorID{"u-1"}},
			{Actions: []audit.Action{"patient.read"}},
			{Outcomes: []audit.Outcome{audit.Success}},
			{From: at(-1)},
		} {
			f.Tenant = t
			got, err := page(ctx, s, f, audit.Newest, 99)
			if err != nil {
				return err
			}
			if err := same(ids(got), ids(list[2*i:2*i+2])); err != nil {
				return fmt.Errorf("%s: another tenant's event was listed, or one is missing: %w", nameOf(&f), err)
			}
		}
	}
	return nil
}

// filterEmpty asks with empty, not only nil, lists.
func filterEmpty(ctx context.Context, s audit.Store) error {
	list := slices.DeleteFunc(mixed(24), func(e audit.Entry) bool { return e.Tenant != clinic })
	list = append(list, entry(99, func(e *audit.Event) { e.Patients, e.Objects = nil, nil }))
	return finds(ctx, s, list, audit.Filter{},
		audit.Filter{Actors: []audit.ActorID{}, Actions: []audit.Action{}, Outcomes: []audit.Outcome{}})
}

func filterLists(ctx context.Context, s audit.Store) error {
	actors := []audit.ActorID{"u-1", "u-2", "u-3"}
	actions := []audit.Action{"note.read", "note.write", "note.sign"}
	outcomes := []audit.Outcome{audit.Success, audit.MinorFailure, audit.Failure, audit.MajorFailure}
	list := entries(36, func(i int, e *audit.Event) {
		e.Actor.ID, e.Action, e.Outcome, e.Code = actors[i%3], actions[i/3%3], outcomes[i/9], "code"
	})
	many := make([]audit.ActorID, 64)
	for i := range many {
		many[i] = audit.ActorID(fmt.Sprint("u-", i))
	}
	return finds(ctx, s, list,
		audit.Filter{Actors: actors[1:]}, audit.Filter{Actors: []audit.ActorID{"u-3", "u-1", "u-3"}},
		audit.Filter{Actors: []audit.ActorID{"nobody"}}, audit.Filter{Actors: many[2:]},
		audit.Filter{Actions: actions[1:]}, audit.Filter{Actions: []audit.Action{"note.sign", "note.read", "note.sign"}},
		audit.Filter{Actions: []audit.Action{"note.erase"}},
		audit.Filter{Outcomes: outcomes[2:]}, audit.Filter{Outcomes: []audit.Outcome{audit.Failure, audit.Success}},
		audit.Filter{Actors: actors[:2], Actions: actions[1:], Outcomes: outcomes[1:3]})
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
			e.Patients = []audit.Patient{"p-0", "p-2"}
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
			f.From = at(31).Add(30 * time.Second)
		}
		filters = append(filters, f)
	}
	return finds(ctx, s, list, filters...)
}

// filterFields puts one text into every part of an event in turn.
func filterFields(ctx context.Context, s audit.Store) error {
	list := []audit.Entry{
		entry(0, func(e *audit.Event) { e.Actor.ID = "x" }),
		entry(1, func(e *audit.Event) { e.Action = "x" }),
		entry(2, func(e *audit.Event) { e.Patients = []audit.Patient{"x"} }),
		entry(3, func(e *audit.Event) { e.Objects = []audit.Object{{Type: "x", ID: "n-1"}} }),
		entry(4, func(e *audit.Event) { e.Objects = []audit.Object{{Type: "note", ID: "x"}} }),
		entry(5, func(e *audit.Event) { e.Objects = []audit.Object{{Type: "x", ID: "x"}} }),
		entry(6, func(e *audit.Event) { e.Outcome, e.Code = audit.Failure, "x" }),
		entry(7, func(e *audit.Event) { e.Objects = []audit.Object{{Type: "note", ID: "/x"}} }),
		entry(8, func(e *audit.Event) { e.Objects = []audit.Object{{Type: "note/", ID: "x"}} }),
		entry(9, func(e *audit.Event) { e.Patients, e.Actor.OnBehalfOf = []audit.Patient{"u-1"}, "x" }),
	}
	return finds(ctx, s, list,
		audit.Filter{Actors: []audit.ActorID{"x"}}, audit.Filter{Actions: []audit.Action{"x"}}, audit.Filter{Patient: "x"},
		audit.Filter{ObjectType: "x"}, audit.Filter{ObjectType: "x", ObjectID: "x"}, audit.Filter{ObjectType: "note", ObjectID: "x"},
		audit.Filter{ObjectType: "note/", ObjectID: "x"}, audit.Filter{ObjectType: "note", ObjectID: "/x"}, audit.Filter{Patient: "u-1"})
}

// filterBytes tries texts that a collation, a pattern, a statement or a short hash could take
// for each other.
func filterBytes(ctx context.Context, s audit.Store) error {
	texts := []string{
		"x", "X", " x", "x ", "x  ", "xx", "x%", "x_", "%", "_", "*", "x*", "'", "''", `"`, `\`, `\\`, "x';--", "?", "$1", "{}", "null", "NULL",
		"é", "e\u0301", "É", "ß", "ss", "SS", "\ufeffx", "x\u200b", "\u202ex", "x\u00a0", "\U0001f469\u200d\u2695\ufe0f", "\uffff", "\U0010ffff",
		"0", "00", "0x", "1", "1.0", "01", "true", "ı", "i", "I", "İ", "Å", "\u212b", "ﬁ", "fi",
		strings.Repeat("l", audit.MaxName-1) + "a", strings.Repeat("l", audit.MaxName-1) + "b",
	}
	list := entries(len(texts), func(i int, e *audit.Event) {
		e.Patients = []audit.Patient{audit.Patient(texts[i])}
		e.Objects = []audit.Object{{Type: texts[i], ID: texts[i]}}
		e.Actor.ID = audit.ActorID(texts[i])
	})
	var filters []audit.Filter
	for _, t := range texts {
		filters = append(filters,
			audit.Filter{Patient: audit.Patient(t)}, audit.Filter{ObjectType: t}, audit.Filter{ObjectType: t, ObjectID: t},
			audit.Filter{Actors: []audit.ActorID{audit.ActorID(t)}})
	}
	return finds(ctx, s, list, filters...)
}

func filterPeriod(ctx context.Context, s audit.Store) error {
	return finds(ctx, s, entries(6),
		audit.Filter{From: at(2)}, audit.Filter{To: at(4)}, audit.Filter{From: at(2), To: at(4)},
		audit.Filter{From: at(2), To: at(2)}, audit.Filter{From: at(4), To: at(2)}, audit.Filter{From: at(2).Add(time.Microsecond)},
		audit.Filter{To: at(4).Add(time.Microsecond)}, audit.Filter{From: at(-9)}, audit.Filter{To: at(-9)}, audit.Filter{From: at(99)}, audit.Filter{To: at(99)})
}

// filterLate places times that stand still, step back for a while, jump into the future and
// return from there, as several servers and transactions of hosts produce them; then later
// ones, so that what a store derived from the earlier ones is out of date.
func filterLate(ctx context.Context, s audit.Store) error {
	const n, step = 1080, 360
	list := entries(n, func(i int, e *audit.Event) {
		minute := i / 4
		switch {
		case i%97 == 50:
			minute -= 60 // late by an hour
		case i == 700:
			minute += 10_000 // a clock that was wrong for one event
		case i > 400 && i < 440:
			minute = 120 - i // backwards
		case i == 900:
			minute = -20_000
		}
		e.Recorded = at(minute)
	})
	for from := 0; from < n; from += step {
		upto := list[:from+step]
		if err := put(ctx, s, upto[from:]...); err != nil {
			return err
		}
		if from == 0 {
			continue
		}
		var filters []audit.Filter
		for _, m := range []int{-20_000, -320, -290, 0, 40, 64, 128, 190, 230, 10_175} {
			from, to := at(m).Add(-30*time.Second), at(m).Add(30*time.Second)
			filters = append(filters, audit.Filter{From: from}, audit.Filter{To: to},
				audit.Filter{From: from.Add(-time.Hour), To: to, Patient: "p-1"})
		}
		if err := selects(ctx, s, upto, filters...); err != nil {
			return fmt.Errorf("of %d entries: %w", len(upto), err)
		}
	}
	return nil
}

// filterPatient has events that name fifty patients, in an order that differs.
func filterPatient(ctx context.Context, s audit.Store) error {
	const many = 50
	list := entries(8, func(i int, e *audit.Event) {
		e.Patients = []audit.Patient{audit.Patient(fmt.Sprintf("p-%d", i%2))}
		for k := range many - 1 {
			e.Patients = append(e.Patients, audit.Patient(fmt.Sprintf("q-%d", (k*7+i*5)%60)))
		}
		if i%3 == 1 {
			slices.Reverse(e.Patients)
		}
	})
	list = append(list, entry(8, func(e *audit.Event) { e.Patients = nil }))
	filters := []audit.Filter{{Patient: "p-1"}, {Patient: "p-0"}, {Patient: "p"}, {Patient: "p-1", Actors: []audit.ActorID{"u-1"}, To: at(4)}}
	for k := range 60 {
		filters = append(filters, audit.Filter{Patient: audit.Patient(fmt.Sprintf("q-%d", k))})
	}
	return finds(ctx, s, list, filters...)
}

// filterType has events with fifty objects, several of one type.
func filterType(ctx context.Context, s audit.Store) error {
	list := entries(6, func(i int, e *audit.Event) {
		e.Objects = []audit.Object{{Type: "note", ID: "n-1"}, {Type: "note", ID: "n-2"}, {Type: "bill"}}[i%3 : 3]
		for k := range 50 - len(e.Objects) {
			e.Objects = append(e.Objects, audit.Object{Type: fmt.Sprintf("t-%d", k%9), ID: fmt.Sprint(k + i)})
		}
		if i%2 == 1 {
			slices.Reverse(e.Objects)
		}
	})
	list = append(list, entry(6, func(e *audit.Event) { e.Objects = nil }))
	return finds(ctx, s, list, audit.Filter{ObjectType: "note"}, audit.Filter{ObjectType: "bill"}, audit.Filter{ObjectType: "not"},
		audit.Filter{ObjectType: "t-0"}, audit.Filter{ObjectType: "t-8"}, audit.Filter{ObjectType: "t-4", To: at(3)})
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
