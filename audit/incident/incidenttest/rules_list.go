package incidenttest

import (
	"context"
	"fmt"
	"slices"

	"github.com/wardkit/wardkit/audit/incident"
)

func listRules() []rule {
	return []rule{
		{Name: "list-order", Clause: "List yields every case of the tenant, the highest number first.", Run: listOrder},
		{Name: "list-below", Clause: "List yields only numbers lower than below.", Run: listBelow},
		{Name: "list-active", Clause: "With active, List yields only those that are.", Run: listActive},
		{Name: "list-tenant", Clause: "List yields no case of another tenant.", Run: listTenant},
		{Name: "list-break", Clause: "Breaking off a list is allowed, and the store goes on working.", Run: listBreak},
	}
}

// three creates three cases, the second of which is not active.
func three(ctx context.Context, s incident.Store) (rows []incident.Row, err error) {
	for n := 1; n <= 3; n++ {
		r := row(clinic, 7-n)
		r.Active = n != 2
		if r, err = put(ctx, s, r); err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func listOrder(ctx context.Context, s incident.Store) error {
	rows, err := three(ctx, s)
	if err != nil {
		return err
	}
	return lists("all cases", s.List(ctx, clinic, false, incident.Newest), rows[2], rows[1], rows[0])
}

func listBelow(ctx context.Context, s incident.Store) error {
	rows, err := three(ctx, s)
	if err != nil {
		return err
	}
	return first(
		lists("below 3", s.List(ctx, clinic, false, 3), rows[1], rows[0]),
		lists("below 1", s.List(ctx, clinic, false, 1)),
		lists("active below 3", s.List(ctx, clinic, true, 3), rows[0]),
	)
}

func listActive(ctx context.Context, s incident.Store) error {
	rows, err := three(ctx, s)
	if err != nil {
		return err
	}
	if err := lists("active", s.List(ctx, clinic, true, incident.Newest), rows[2], rows[0]); err != nil {
		return err
	}
	rows[0].Active = false
	rows[0], err = update(ctx, s, rows[0], incident.Change{})
	if err := first(err, lists("active", s.List(ctx, clinic, true, incident.Newest), rows[2])); err != nil {
		return err
	}
	rows[1].Active = true
	rows[1], err = update(ctx, s, rows[1], incident.Change{})
	return first(err, lists("active", s.List(ctx, clinic, true, incident.Newest), rows[2], rows[1]))
}

func listTenant(ctx context.Context, s incident.Store) error {
	mine, err := put(ctx, s, row(clinic, 1))
	if err != nil {
		return err
	}
	theirs, err := put(ctx, s, row(other, 2))
	return first(err,
		lists("cases", s.List(ctx, clinic, false, incident.Newest), mine),
		lists("active cases", s.List(ctx, clinic, true, incident.Newest), mine),
		lists("their cases", s.List(ctx, other, true, incident.Newest), theirs))
}

func listBreak(ctx context.Context, s incident.Store) error {
	rows, err := three(ctx, s)
	if err != nil {
		return err
	}
	for range 20 {
		for r, err := range s.List(ctx, clinic, false, incident.Newest) {
			if err != nil {
				return err
			}
			if r.Number != 3 {
				return fmt.Errorf("the first is number %d", r.Number)
			}
			break
		}
	}
	rows[0], err = update(ctx, s, rows[0], incident.Change{})
	return first(err, expect(ctx, s, rows[0]))
}

func partRules() []rule {
	return []rule{
		{Name: "lines-order", Clause: "Lines yields a case's timeline in order of Seq, however long.", Run: linesOrder},
		{Name: "lines-after", Clause: "Lines yields only what comes after.", Run: linesAfter},
		{Name: "lines-apart", Clause: "Lines yields no line of another case or tenant.", Run: linesApart},
		{Name: "line-once", Clause: "A Seq that is there is ErrConflict, and nothing of the change is kept.", Run: lineOnce},
		{Name: "people-order", Clause: "People yields all who are affected, in order of Key by bytes.", Run: peopleOrder},
		{Name: "people-apart", Clause: "People yields nobody of another case or tenant.", Run: peopleApart},
		{Name: "person-replaced", Clause: "Who is there already gets the new Body.", Run: personReplaced},
		{Name: "person-dropped", Clause: "Drop removes by Key before Add, and what is not there is no error.", Run: personDropped},
		{Name: "people-refused", Clause: "A refused change adds and removes nobody.", Run: peopleRefused},
	}
}

func linesOrder(ctx context.Context, s incident.Store) error {
	var want []incident.Line
	r := row(clinic, 1)
	for n := int64(1); n <= 410; n++ {
		want = append(want, incident.Line{Seq: n, Body: []byte(fmt.Sprint("line ", n))})
	}
	mixed := slices.Clone(want[:400])
	slices.Reverse(mixed)
	r, err := put(ctx, s, r, mixed...)
	if err != nil {
		return err
	}
	_, err = update(ctx, s, r, incident.Change{Lines: want[400:]})
	return first(err, lists("the timeline", s.Lines(ctx, clinic, r.ID, 0), want...))
}

func linesAfter(ctx context.Context, s incident.Store) error {
	a, b := incident.Line{Seq: 1, Body: []byte("a")}, incident.Line{Seq: 2, Body: []byte("b")}
	r, err := put(ctx, s, row(clinic, 1), a, b)
	return first(err, lists("after 1", s.Lines(ctx, clinic, r.ID, 1), b), lists("after 2", s.Lines(ctx, clinic, r.ID, 2)))
}

func linesApart(ctx context.Context, s incident.Store) error {
	a, b, c := incident.Line{Seq: 1, Body: []byte("a")}, incident.Line{Seq: 1, Body: []byte("b")}, incident.Line{Seq: 1, Body: []byte("c")}
	_, e1 := put(ctx, s, row(clinic, 1), a)
	_, e2 := put(ctx, s, row(clinic, 2), b)
	_, e3 := put(ctx, s, row(other, 1), c)
	return first(e1, e2, e3,
		lists("one", s.Lines(ctx, clinic, id(1), 0), a),
		lists("two", s.Lines(ctx, clinic, id(2), 0), b),
		lists("other", s.Lines(ctx, other, id(1), 0), c),
		lists("none", s.Lines(ctx, other, id(2), 0)))
}

func lineOnce(ctx context.Context, s incident.Store) error {
	a := incident.Line{Seq: 1, Body: []byte("a")}
	r, err := put(ctx, s, row(clinic, 5), a)
	if err != nil {
		return err
	}
	next := r
	next.Body = []byte("never")
	_, err = s.Apply(ctx, incident.Change{
		Put: next, Expect: 1, Add: []incident.Person{person(1, "p")},
		Lines: []incident.Line{{Seq: 2, Body: []byte("b")}, {Seq: 1, Body: []byte("forged")}},
	})
	return first(want("a line again", err, incident.ErrConflict), expect(ctx, s, r),
		lists("the timeline", s.Lines(ctx, clinic, r.ID, 0), a), lists("people", s.People(ctx, clinic, r.ID)))
}

func peopleOrder(ctx context.Context, s incident.Store) error {
	r, err := put(ctx, s, row(clinic, 1))
	if err != nil {
		return err
	}
	a, b, c := person(0, "a"), person(0x7f, "b"), person(0xff, "c")
	r, err = update(ctx, s, r, incident.Change{Add: []incident.Person{c, a}})
	if err != nil {
		return err
	}
	_, err = update(ctx, s, r, incident.Change{Add: []incident.Person{b}})
	return first(err, lists("people", s.People(ctx, clinic, r.ID), a, b, c))
}

func peopleApart(ctx context.Context, s incident.Store) error {
	p, q := person(1, "p"), person(1, "q")
	r1, e1 := put(ctx, s, row(clinic, 1))
	r2, e2 := put(ctx, s, row(clinic, 2))
	r3, e3 := put(ctx, s, row(other, 1))
	if err := first(e1, e2, e3); err != nil {
		return err
	}
	_, e1 = update(ctx, s, r1, incident.Change{Add: []incident.Person{p}})
	_, e3 = update(ctx, s, r3, incident.Change{Add: []incident.Person{q}})
	return first(e1, e3, lists("one", s.People(ctx, clinic, r1.ID), p), lists("two", s.People(ctx, clinic, r2.ID)),
		lists("other", s.People(ctx, other, r3.ID), q))
}

func personReplaced(ctx context.Context, s incident.Store) error {
	r, err := put(ctx, s, row(clinic, 1))
	if err != nil {
		return err
	}
	if r, err = update(ctx, s, r, incident.Change{Add: []incident.Person{person(1, "was"), person(2, "stays")}}); err != nil {
		return err
	}
	_, err = update(ctx, s, r, incident.Change{Add: []incident.Person{person(1, "is")}})
	return first(err, lists("people", s.People(ctx, clinic, r.ID), person(1, "is"), person(2, "stays")))
}

func personDropped(ctx context.Context, s incident.Store) error {
	r, err := put(ctx, s, row(clinic, 1))
	if err != nil {
		return err
	}
	if r, err = update(ctx, s, r, incident.Change{Add: []incident.Person{person(1, "a"), person(2, "b"), person(3, "c")}}); err != nil {
		return err
	}
	_, err = update(ctx, s, r, incident.Change{
		Drop: [][]byte{person(1, "").Key, person(3, "").Key, person(9, "").Key}, Add: []incident.Person{person(3, "again")},
	})
	return first(err, lists("people", s.People(ctx, clinic, r.ID), person(2, "b"), person(3, "again")))
}

func peopleRefused(ctx context.Context, s incident.Store) error {
	r, err := put(ctx, s, row(clinic, 6))
	if err != nil {
		return err
	}
	p := person(1, "p")
	if r, err = update(ctx, s, r, incident.Change{Add: []incident.Person{p}}); err != nil {
		return err
	}
	_, err = s.Apply(ctx, incident.Change{Put: r, Expect: 9, Drop: [][]byte{p.Key}, Add: []incident.Person{person(2, "q")}})
	return first(want("another version", err, incident.ErrConflict), lists("people", s.People(ctx, clinic, r.ID), p))
}
