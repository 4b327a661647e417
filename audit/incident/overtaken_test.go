package incident_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/incident"
)

// overtaken is a store on which somebody else is faster, and which then does not say so.
type overtaken struct {
	incident.Store
	before func()
	err    error // errBroken where it is nil
}

func (s *overtaken) Apply(ctx context.Context, c incident.Change) (int64, error) {
	if f := s.before; f != nil {
		s.before = nil
		f()
		return 0, cmp.Or(s.err, errBroken)
	}
	return s.Store.Apply(ctx, c)
}

// A version as high as ours is not ours: somebody else's change is no success of the one that failed.
func TestSomebodyElsesChangeIsNotOurs(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	good := h.store
	c := h.triaged()
	db := &overtaken{Store: good}
	h.store = db
	h.desk = h.another()
	db.before = func() { h.must(h.desk.Assign(h.as(ben), c.ID, c.Version, ben, "")) }
	_, err := h.desk.Assign(h.as(ada), c.ID, c.Version, tess, "")
	require.ErrorIs(t, err, incident.ErrUnavailable)
	require.Equal(t, ben, h.read(c.ID).Owner)
	e := h.recorded(incident.ActionAssign)
	require.Len(t, e, 3)
	require.Equal(t, audit.MajorFailure, e[2].Outcome)
	require.Equal(t, string(tess), e[2].Detail["owner"])
}

// Somebody who works on a case while it is reminded of costs nothing: the next Tick gives the same ID.
func TestAReminderThatWasOvertaken(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.triaged()
	db := &overtaken{Store: h.store, err: incident.ErrConflict}
	h.store = db
	h.desk = h.another()
	h.pass(59 * 24 * time.Hour)
	db.before = func() { h.must(h.desk.Note(h.as(ada), c.ID, c.Version, "A note.")) }
	first := h.tick()
	require.Len(t, first, 3)
	require.Equal(t, first, h.tick())
	require.Empty(t, h.tick())
}

// A case that is opened again while its hold could not be released keeps that one, and lets go of it later.
func TestAHoldThatWasNotReleased(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.assessed(incident.Secured)
	h.holds = errBroken
	c = h.must(h.desk.Close(h.as(ada), c.ID, c.Version, ""))
	h.holds = nil
	c = h.must(h.desk.Reopen(h.as(ada), c.ID, c.Version, "Again."))
	c = h.must(h.desk.Triage(h.as(ada), c.ID, c.Version, incident.Triage{Kind: "question", PHI: incident.No, Owner: ada}))
	h.must(h.desk.Dismiss(h.as(ben), c.ID, c.Version, "Nothing."))
	require.False(t, h.keeps(c.ID))
}

// What the log does not hold whole is no evidence, and an event of something else is none of the case's.
func TestEventsThatAreNotWhole(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.triaged()
	mine := h.recorded(incident.ActionTriage)[0]
	for name, get := range map[string]func(audit.Entry) (audit.Entry, error){
		"body":   func(e audit.Entry) (audit.Entry, error) { e.Body = []byte("{}"); return e, nil },
		"tenant": func(e audit.Entry) (audit.Entry, error) { e.Tenant = "other-clinic"; return e, nil },
	} {
		parts := h.parts()
		parts.Events = another{h, get}
		d, err := incident.New(parts, &incident.Options{Now: h.Now})
		require.NoError(t, err)
		_, err = d.Link(h.as(ada), c.ID, c.Version, incident.LinkEvent, mine.ID, nil, "")
		require.ErrorIs(t, err, incident.ErrDamaged, name)
	}
	parts := h.parts()
	parts.Events = another{h, func(e audit.Entry) (audit.Entry, error) { e.Action = "patient.read"; return e, nil }}
	d, err := incident.New(parts, &incident.Options{Now: h.Now})
	require.NoError(t, err)
	text, err := d.Packet(h.as(ada), c.ID)
	require.NoError(t, err)
	require.Contains(t, string(text), `"missing": [`)
}

// Even whoever can seal changes no line unnoticed: the case knows the hash of them all.
func TestALineThatWasSealedAnew(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	db := &thief{Store: h.store}
	h.store = db
	h.desk = h.another()
	c := h.triaged()
	c = h.must(h.desk.Note(h.as(ada), c.ID, c.Version, "Nobody opened it."))
	seal := newSealer(t, &wire{})
	db.lines = func(l []incident.Line) []incident.Line {
		last := &l[len(l)-1]
		label := fmt.Sprintf("incident.line/%s/%d", c.ID, last.Seq)
		plain, err := seal.Unseal(t.Context(), clinic, label, last.Body)
		require.NoError(t, err)
		last.Body, err = seal.Seal(t.Context(), clinic, label, bytes.Replace(plain, []byte("Nobody"), []byte("Somebody"), 1))
		require.NoError(t, err)
		return l
	}
	_, err := h.desk.Timeline(h.as(ada), c.ID)
	require.ErrorIs(t, err, incident.ErrDamaged)
	_, err = h.desk.Packet(h.as(ada), c.ID)
	require.ErrorIs(t, err, incident.ErrDamaged)
}
