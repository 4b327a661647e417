package audittest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
)

func entryRules() []rule {
	return []rule{
		{Name: "entry-ids", Clause: "Entry: UUID in its 36-character lower-case form", Run: entryIDs},
		{Name: "entry-times", Clause: "Entry: UTC, microseconds", Run: entryTimes},
		{Name: "entry-anonymous", Clause: "Entry: empty for the anonymous actor", Run: entryAnonymous},
		{Name: "entry-bodies", Clause: "Entry: canonical bytes, at most MaxBody", Run: entryBodies},
		{Name: "entry-openings", Clause: "Entry: sealed private values; nil if there are none", Run: entryOpenings},
	}
}

// entryIDs are those of every version and the extremes of 16 bytes.
func entryIDs(ctx context.Context, s audit.Store) error {
	var list []audit.Entry
	for i, id := range []string{
		"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
		"80000000-0000-4000-8000-000000000000", "7fffffff-ffff-7fff-bfff-ffffffffffff", audit.NewID(start()),
	} {
		list = append(list, entry(i, func(e *audit.Event) { e.ID = id }))
	}
	if err := put(ctx, s, list...); err != nil {
		return err
	}
	for _, e := range list {
		got, err := s.Get(ctx, clinic, e.ID)
		if err != nil {
			return err
		}
		if got.ID != e.ID || !bytes.Equal(got.Body, e.Body) {
			return errors.New("an ID came back changed, or with another event")
		}
	}
	return holds(ctx, s, clinic, list)
}

func entryTimes(ctx context.Context, s audit.Store) error {
	for i, at := range []time.Time{
		start().Add(123456 * time.Microsecond),
		time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC),
		time.Date(1969, 12, 31, 23, 59, 59, 999999000, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC),
	} {
		e := entry(i, func(e *audit.Event) { e.Recorded = at })
		if err := add(ctx, s, e); err != nil {
			return err
		}
		got, err := get(ctx, s, e)
		if err != nil {
			return err
		}
		if !got.Recorded.Equal(at) {
			return errors.New("the time came back changed")
		}
		if _, offset := got.Recorded.Zone(); offset != 0 {
			return errors.New("the time came back in a zone other than UTC")
		}
	}
	return nil
}

func entryAnonymous(ctx context.Context, s audit.Store) error {
	list := []audit.Entry{
		entry(0),
		entry(1, func(e *audit.Event) { e.Actor = audit.Anonymous(clinic, e.Actor.Origin) }),
		entry(2, func(e *audit.Event) { e.Actor = audit.System(clinic, "retention") }),
	}
	return finds(ctx, s, list,
		audit.Filter{Actors: []audit.ActorID{""}}, audit.Filter{Actors: []audit.ActorID{"u-1"}},
		audit.Filter{Actors: []audit.ActorID{"", "system:retention"}})
}

// entryBodies come back byte for byte: the longest that a Log writes, the shortest, and text
// that a store's encoding or compression might stumble over.
func entryBodies(ctx context.Context, s audit.Store) error {
	texts := []string{
		strings.Repeat("\U0010ffff", audit.MaxText/4), strings.Repeat(`"\`, audit.MaxText/2), `{"act":{"c":"x","v":"R"}}`,
		`,"obj":[{"id":"`, "\u2028\u2029\ufeff\ufffd", "% _ ' ; -- \u00a0", "é e\u0301",
	}
	list := entries(len(texts)+2, func(i int, e *audit.Event) {
		switch {
		case i < len(texts):
			e.Detail = map[string]string{"text": texts[i]}
		case i == len(texts):
			e.Patients, e.Objects = nil, nil
		default:
			long(e)
		}
	})
	for _, e := range list {
		if err := put(ctx, s, e); err != nil {
			return err
		}
		got, err := s.Get(ctx, clinic, e.ID)
		if err != nil {
			return err
		}
		if !bytes.Equal(got.Body, e.Body) || got.Leaf != e.Leaf {
			return fmt.Errorf("a body of %d bytes came back as other bytes or with another leaf", len(e.Body))
		}
	}
	listed, err := all(ctx, s, clinic)
	if err != nil {
		return err
	}
	for _, e := range listed {
		if audit.Leaf(e.Body) != e.Leaf {
			return errors.New("a listed body does not match its leaf")
		}
	}
	return holds(ctx, s, clinic, list)
}

// long fills an event up to MaxBody, first with objects of one size, then with a text.
func long(e *audit.Event) {
	size := func() int { return len(newEntry(*e).Body) }
	e.Objects, e.Detail = nil, map[string]string{"pad": ""}
	var sizes [2]int
	for i := range sizes {
		e.Objects = append(e.Objects, bulky(i))
		sizes[i] = size()
	}
	step := sizes[1] - sizes[0]
	for i := range (audit.MaxBody - sizes[1]) / step {
		e.Objects = append(e.Objects, bulky(2+i))
	}
	e.Detail["pad"] = strings.Repeat("y", audit.MaxBody-size())
}

func bulky(i int) audit.Object {
	return audit.Object{Type: "note", ID: fmt.Sprintf("n-%04d-%s", i, strings.Repeat("x", 240))}
}

func entryOpenings(ctx context.Context, s audit.Store) error {
	none, large := entry(0), entry(1)
	none.Openings, large.Openings = nil, bytes.Repeat([]byte{0, 0xff, '\'', '\n'}, 8_000)
	if err := put(ctx, s, none, large); err != nil {
		return err
	}
	for _, e := range []audit.Entry{none, large} {
		got, err := openings(ctx, s, e)
		if err != nil {
			return err
		}
		if !bytes.Equal(got, e.Openings) {
			return fmt.Errorf("%d bytes of openings came back as %d", len(e.Openings), len(got))
		}
	}
	return nil
}
