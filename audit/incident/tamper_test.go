package incident_test

import (
	"context"
	"iter"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/incident"
)

// thief is a store whose database somebody else writes to.
type thief struct {
	incident.Store
	row    func(incident.Row) incident.Row
	lines  func([]incident.Line) []incident.Line
	people func([]incident.Person) []incident.Person
}

func (s *thief) Get(ctx context.Context, t audit.Tenant, id string) (incident.Row, error) {
	r, err := s.Store.Get(ctx, t, id)
	if err == nil && s.row != nil {
		r = s.row(r)
	}
	return r, err
}

func (s *thief) Lines(ctx context.Context, t audit.Tenant, id string, after int64) iter.Seq2[incident.Line, error] {
	return altered(s.Store.Lines(ctx, t, id, after), s.lines)
}

func (s *thief) People(ctx context.Context, t audit.Tenant, id string) iter.Seq2[incident.Person, error] {
	return altered(s.Store.People(ctx, t, id), s.people)
}

func altered[T any](seq iter.Seq2[T, error], f func([]T) []T) iter.Seq2[T, error] {
	if f == nil {
		return seq
	}
	var all []T
	for one := range seq {
		all = append(all, one)
	}
	return func(yield func(T, error) bool) {
		for _, one := range f(all) {
			if !yield(one, nil) {
				return
			}
		}
	}
}

// Whoever writes to the database is found out, and makes no breach smaller unnoticed.
func TestTampering(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	db := &thief{Store: h.store}
	h.store = db
	h.desk = h.another()
	first := h.triaged()
	other := h.triaged()
	c := h.must(h.desk.AddAffected(h.as(ada), first.ID, first.Version, []incident.Affected{{Patient: "pt-1", Region: "NY"}, {Patient: "pt-2", Region: "NY"}}, ""))
	old, err := db.Store.Get(t.Context(), clinic, c.ID)
	require.NoError(t, err)
	theirs, err := db.Store.Get(t.Context(), clinic, other.ID)
	require.NoError(t, err)
	c = h.must(h.desk.Note(h.as(ada), c.ID, c.Version, "A note."))

	read := func() error { _, err := h.desk.Get(h.as(ada), c.ID); return err }
	timeline := func() error { _, err := h.desk.Timeline(h.as(ada), c.ID); return err }
	people := func() error {
		for _, err := range h.desk.Affected(h.as(ada), c.ID) {
			return err
		}
		return nil
	}
	add := func() error {
		_, err := h.desk.AddAffected(h.as(ada), c.ID, c.Version, []incident.Affected{{Patient: "pt-3"}}, "")
		return err
	}
	require.NoError(t, read())
	require.NoError(t, timeline())
	require.NoError(t, people())
	for name, f := range map[string]func(incident.Row) incident.Row{
		"an old body":         func(r incident.Row) incident.Row { r.Body = old.Body; return r },
		"another case's body": func(r incident.Row) incident.Row { r.Body = theirs.Body; return r },
		"a bit":               func(r incident.Row) incident.Row { r.Body[20] ^= 1; return r },
		"not active":          func(r incident.Row) incident.Row { r.Active = false; return r },
		"another case":        func(incident.Row) incident.Row { return theirs },
		"another tenant's":    func(r incident.Row) incident.Row { r.Tenant = "other-clinic"; return r },
	} {
		db.row = f
		require.Error(t, read(), name)
	}
	db.row = func(incident.Row) incident.Row { return old } // a rollback of the whole row
	require.NoError(t, read())
	require.ErrorIs(t, func() error {
		_, err := h.desk.Note(h.as(ada), c.ID, old.Version, "On top of what is not there.")
		return err
	}(), incident.ErrConflict)
	text, err := h.desk.Packet(h.as(ada), c.ID)
	require.NoError(t, err)
	last := h.recorded(incident.ActionNote)
	require.NotContains(t, string(text), last[0].Detail["digest"], "the log's latest digest is another: the auditor sees it")
	db.row = nil

	for name, f := range map[string]func([]incident.Line) []incident.Line{
		"cut":     func(l []incident.Line) []incident.Line { return l[:len(l)-1] },
		"gap":     func(l []incident.Line) []incident.Line { return slices.Delete(l, 1, 2) },
		"renamed": func(l []incident.Line) []incident.Line { l[0].Body, l[1].Body = l[1].Body, l[0].Body; return l },
		"bit":     func(l []incident.Line) []incident.Line { l[1].Body[20] ^= 1; return l },
		"none":    func([]incident.Line) []incident.Line { return nil },
		"twice":   func(l []incident.Line) []incident.Line { return slices.Insert(l, 1, l[0]) },
	} {
		db.lines = f
		require.Error(t, timeline(), name)
	}
	db.lines = nil
	for name, f := range map[string]func([]incident.Person) []incident.Person{
		"fewer":   func(l []incident.Person) []incident.Person { return l[:1] },
		"none":    func([]incident.Person) []incident.Person { return nil },
		"twice":   func(l []incident.Person) []incident.Person { return append(l, l[0]) },
		"thrice":  func(l []incident.Person) []incident.Person { return append(l, l[0], l[0]) },
		"renamed": func(l []incident.Person) []incident.Person { l[0].Body, l[1].Body = l[1].Body, l[0].Body; return l },
		"bit":     func(l []incident.Person) []incident.Person { l[0].Body[20] ^= 1; return l },
		"key": func(l []incident.Person) []incident.Person {
			l[0].Key = append(slices.Clone(l[0].Key[:31]), 9)
			return l
		},
		"short": func(l []incident.Person) []incident.Person { l[0].Key = nil; return l },
	} {
		db.people = f
		require.Error(t, people(), name)
		require.Error(t, add(), name)
	}
	db.people = nil
	require.NoError(t, people())
	require.Equal(t, c.Version, h.read(c.ID).Version)
}

// Evidence that was exchanged, destroyed or lost says so.
func TestEvidenceIsChecked(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	require.NoError(t, h.log.Record(h.as(tess), audit.Event{Action: "patient.read", Verb: audit.Read}))
	shown := h.recorded("patient.read")[0]
	c := h.triaged()
	h.must(h.desk.Link(h.as(ada), c.ID, c.Version, incident.LinkEvent, shown.ID, nil, ""))
	for want, get := range map[string]func(audit.Entry) (audit.Entry, error){
		`"check": "altered"`: func(e audit.Entry) (audit.Entry, error) { e.Body = []byte("{}"); return e, nil },
		`"check": "purged"`:  func(audit.Entry) (audit.Entry, error) { return audit.Entry{}, audit.ErrPurged },
		`"check": "missing"`: func(audit.Entry) (audit.Entry, error) { return audit.Entry{}, audit.ErrNotFound },
	} {
		parts := h.parts()
		parts.Events = another{h, get}
		d, err := incident.New(parts, &incident.Options{Now: h.Now})
		require.NoError(t, err)
		text, err := d.Packet(h.as(ada), c.ID)
		require.NoError(t, err)
		require.Contains(t, string(text), want)
		require.Contains(t, string(text), `"missing": [`, "and the case's own events are looked for, too")
	}
}

type another struct {
	h   *house
	get func(audit.Entry) (audit.Entry, error)
}

func (a another) Get(ctx context.Context, t audit.Tenant, id string) (audit.Entry, error) {
	e, err := a.h.events.Get(ctx, t, id)
	if err != nil {
		return e, err
	}
	return a.get(e)
}

// A sealer that keeps nothing makes no cases: nobody could read them.
func TestASealerThatKeepsNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	parts := h.parts()
	parts.Sealer = audit.DropOpenings{}
	d, err := incident.New(parts, &incident.Options{Now: h.Now})
	require.NoError(t, err)
	_, err = d.Report(h.asPatient(), incident.Report{Kind: "other", Text: words})
	require.ErrorIs(t, err, incident.ErrUnavailable)
}
