package audit

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"
)

// The usual values of Query.Last.
const (
	Last24h = 24 * time.Hour
	Last7d  = 7 * Last24h
	Last30d = 30 * Last24h
	Last90d = 90 * Last24h
)

// The page sizes and the number of alternatives of a Query.
const (
	DefaultLimit = 50
	MaxLimit     = 500
	MaxValues    = 50 // of Actors, Actions and Outcomes each
)

// MaxCount is how far Count counts.
const MaxCount = 10_000

// Query selects events of one tenant, newest first in the order of the log unless Sort says
// otherwise. The log's order is the one in which events became durable; Recorded follows it
// except for as long as a host's transaction was open, or as two servers' clocks differ. Empty
// fields do not restrict; a list matches any of its values; all that is set must match.
type Query struct {
	Tenant Tenant // required

	Last   time.Duration // recorded within this time before now: Last24h, Last7d …
	Period Period        // recorded in [Start, End); zero bounds are open. Not together with Last

	Actors       []ActorID
	Actions      []Action
	Outcomes     []Outcome
	Patient      Patient
	ResourceType string // type of an object
	ResourceID   string // its id; needs ResourceType

	Sort   Sort   // for reports; the zero Sort is the log's own order
	Limit  int    // events on a page, 1 to MaxLimit; 0 is DefaultLimit
	Cursor string // Page.Next of the page before, empty for the first

	nameless bool // a history that names no object
}

// Page is one page of a Query.
type Page struct {
	Events []Stored
	Next   string // the cursor of the next page, empty on the last
}

// Stored is an event as it was read back. Its private values are commitments; Log.Open gives
// the values.
type Stored struct {
	Event
	Index int64    // its place in the tenant's order, dense from 0
	Body  []byte   // the canonical bytes
	Leaf  [32]byte // their leaf hash
}

// Count is how many events a query matches: N, or more than N.
type Count struct {
	N    int
	More bool // there are more than MaxCount
}

// Query returns one page. The first has everything that was recorded before the call. The
// pages of one query are stable: what is recorded meanwhile appears on none of the later
// ones, and Last counts from the first page on.
//
// Whoever serves a query records that: reading the audit is an action like any other, see
// the package comment.
//
// Errors: ErrBadQuery; ErrBadCursor; ErrTooMany; ErrUnavailable; ErrDamaged if the bytes of an
// event on the page are not what was recorded.
func (l *Log) Query(ctx context.Context, q Query) (Page, error) {
	filter, m, err := l.plan(ctx, &q)
	if err != nil {
		return Page{}, err
	}
	if q.Limit == 0 {
		q.Limit = DefaultLimit
	}
	if q.Sort != (Sort{}) {
		return l.sorted(ctx, &q, filter, m)
	}
	var page Page
	var room []byte
	for entry, err := range l.list(ctx, filter, m.below, q.Limit+1) {
		if err != nil {
			return Page{}, err
		}
		if len(page.Events) == q.Limit {
			m.below = page.Events[q.Limit-1].Index
			page.Next = l.cursor(&q, m)
			break
		}
		if page.Events == nil {
			page.Events = make([]Stored, 0, min(q.Limit, DefaultLimit))
		}
		page.Events = append(page.Events, Stored{})
		if err := entry.stored(q.Tenant, &room, &page.Events[len(page.Events)-1]); err != nil {
			return Page{}, err
		}
	}
	return page, nil
}

// Count counts what q matches, as far as MaxCount. Limit and Sort are checked and make no difference; with a
// Cursor, Last counts from the first page on. It reads no event, so it notices no damage.
//
// Errors: ErrBadQuery; ErrBadCursor; ErrUnavailable.
func (l *Log) Count(ctx context.Context, q Query) (Count, error) {
	filter, _, err := l.plan(ctx, &q)
	if err != nil {
		return Count{}, err
	}
	n, err := l.store.Count(ctx, filter, MaxCount+1)
	if err != nil {
		return Count{}, because(ErrUnavailable, err)
	}
	return Count{min(n, MaxCount), n > MaxCount}, nil
}

// list yields what the store lists. A store that fails, or that answers out of order, ends it
// with an error.
func (l *Log) list(ctx context.Context, f Filter, below int64, limit int) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for entry, err := range l.store.List(ctx, f, below, limit) {
			switch {
			case err != nil:
				yield(Entry{}, because(ErrUnavailable, err))
				return
			case entry.Index < 0 || entry.Index >= below:
				yield(Entry{}, ErrDamaged)
				return
			}
			below = entry.Index
			if !yield(entry, nil) {
				return
			}
		}
	}
}

// orderBatch is how many entries get their place at a time.
const orderBatch = 4096

// settleOrder gives everything that is durable its place, so that it can be found.
func (l *Log) settleOrder(ctx context.Context) error {
	for {
		n, err := l.store.Sequence(ctx, orderBatch)
		if err != nil {
			return because(ErrUnavailable, err)
		}
		if n < orderBatch {
			return nil
		}
	}
}

// Open returns one event with its private values: the client's address, the typed reason,
// the search, the recipient of a disclosure. Values that were erased or never kept stay
// commitments. Opening is a disclosure of its own; whoever serves it records that.
//
// Errors: ErrNotFound, also for an event of another tenant; ErrPurged; ErrUnavailable; ErrSealing;
// ErrDamaged.
func (l *Log) Open(ctx context.Context, tenant Tenant, id string) (Event, error) {
	if tenant == "" || !isUUID(id) {
		return Event{}, ErrNotFound
	}
	entry, err := l.store.Get(ctx, tenant, id)
	switch {
	case errors.Is(err, ErrPurged):
		return Event{}, ErrPurged
	case errors.Is(err, ErrNotFound):
		return Event{}, ErrNotFound
	case err != nil:
		return Event{}, because(ErrUnavailable, err)
	}
	var e Stored
	if err := entry.stored(tenant, new([]byte), &e); err != nil {
		return Event{}, err
	}
	if e.ID != id {
		return Event{}, ErrDamaged
	}
	openings, err := l.unseal(ctx, &entry)
	if err != nil {
		return Event{}, err
	}
	if err := e.open(openings); err != nil {
		return Event{}, err
	}
	return e.Event, nil
}

// stored reads the event back into the zero out and compares it with its leaf and with what it was
// found by. room is for what is written again, kept from one to the next.
func (e *Entry) stored(tenant Tenant, room *[]byte, out *Stored) error {
	if Leaf(e.Body) != e.Leaf {
		return ErrDamaged
	}
	if err := decode(e.Body, room, &out.Event); err != nil {
		return err
	}
	if out.Tenant != tenant || out.ID != e.ID || !out.Recorded.Equal(e.Recorded) ||
		out.Actor.ID != e.Actor || out.Action != e.Action || out.Outcome != e.Outcome {
		return ErrDamaged
	}
	out.Index, out.Body, out.Leaf = e.Index, e.Body, e.Leaf
	return nil
}

func (q *Query) validate() error {
	switch {
	case q.Tenant == "":
		return hint(ErrBadQuery, "no tenant")
	case q.nameless:
		return hint(ErrBadQuery, "history of an object without an id")
	case q.Last < 0:
		return hint(ErrBadQuery, "negative period")
	case q.Last != 0 && q.Period != (Period{}):
		return hint(ErrBadQuery, "two periods")
	case !q.Period.End.IsZero() && q.Period.End.Before(q.Period.Start):
		return hint(ErrBadQuery, "period ends before it starts")
	case q.ResourceID != "" && q.ResourceType == "":
		return hint(ErrBadQuery, "resource id without its type")
	case q.Limit < 0 || q.Limit > MaxLimit:
		return hint(ErrBadQuery, "limit out of range")
	case !slices.Contains(SortKeys(), q.Sort.By):
		return hint(ErrBadQuery, "unknown sort key")
	case max(len(q.Actors), len(q.Actions), len(q.Outcomes)) > MaxValues:
		return hint(ErrBadQuery, "too many alternatives")
	case !q.clean():
		return hint(ErrBadQuery, "malformed text")
	}
	return nil
}

// clean reports whether all texts could occur in an event.
func (q *Query) clean() bool {
	texts := []string{string(q.Tenant), string(q.Patient), q.ResourceType, q.ResourceID}
	for _, a := range q.Actors {
		texts = append(texts, string(a))
	}
	for _, a := range q.Actions {
		texts = append(texts, string(a))
	}
	return !slices.ContainsFunc(texts, func(s string) bool { return !clean(s, MaxID) })
}

// plan turns the query into what a store is asked, and says where its page begins. Before a
// first page everything that is durable gets its place; later pages lie below it.
func (l *Log) plan(ctx context.Context, q *Query) (Filter, mark, error) {
	if err := q.validate(); err != nil {
		return Filter{}, mark{}, err
	}
	m := mark{below: Newest, after: -1}
	if q.Last != 0 {
		m.from = ceil(l.o.Now().Add(-q.Last))
	}
	var err error
	if q.Cursor == "" {
		err = l.settleOrder(ctx)
	} else {
		m, err = l.openCursor(q)
	}
	f := Filter{
		Tenant: q.Tenant,
		From:   ceil(q.Period.Start), To: ceil(q.Period.End),
		Actors: q.Actors, Actions: q.Actions, Outcomes: q.Outcomes,
		Patient: q.Patient, ObjectType: q.ResourceType, ObjectID: q.ResourceID,
	}
	if q.Last != 0 {
		f.From = m.from
	}
	return f, m, err
}

// ceil rounds up to the microseconds of Recorded, so that the bounds of a period keep their
// meaning.
func ceil(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Add(time.Microsecond - 1).Truncate(time.Microsecond)
}
