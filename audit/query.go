package audit

import (
	"context"
	"errors"
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

// Query selects events of one tenant, newest first in the order of the log. That is the order
// in which they became durable; Recorded follows it except for as long as a host's transaction
// was open, or as two servers' clocks differ. Empty fields do not restrict; a list
// matches any of its values; all that is set must match.
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

	Limit  int    // events on a page, 1 to MaxLimit; 0 is DefaultLimit
	Cursor string // Page.Next of the page before, empty for the first
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

// Query returns one page, with everything that was recorded before the call. The pages of one
// query are stable: what is recorded meanwhile is newer than the first page and appears on
// none of the others, and Last counts from the first page on.
//
// Whoever serves a query records that: reading the audit is an action like any other, see
// the package comment.
//
// Errors: ErrBadQuery; ErrBadCursor; ErrUnavailable; ErrDamaged if the bytes of an event on
// the page are not what was recorded.
func (l *Log) Query(ctx context.Context, q Query) (Page, error) {
	if err := q.validate(); err != nil {
		return Page{}, err
	}
	filter, below, err := l.plan(&q)
	if err != nil {
		return Page{}, err
	}
	if err := l.settleOrder(ctx); err != nil {
		return Page{}, err
	}
	limit := q.Limit
	if limit == 0 {
		limit = DefaultLimit
	}
	var page Page
	for entry, err := range l.store.List(ctx, filter, below, limit+1) {
		if err != nil {
			return Page{}, because(ErrUnavailable, err)
		}
		if len(page.Events) == limit {
			page.Next = l.cursor(&q, filter.From, page.Events[limit-1].Index)
			break
		}
		e, err := entry.decode(q.Tenant)
		if err != nil {
			return Page{}, err
		}
		page.Events = append(page.Events, Stored{e, entry.Index, entry.Body, entry.Leaf})
	}
	return page, nil
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
// Errors: ErrNotFound, also for an event of another tenant; ErrUnavailable; ErrSealing;
// ErrDamaged.
func (l *Log) Open(ctx context.Context, tenant Tenant, id string) (Event, error) {
	if tenant == "" || !isUUID(id) {
		return Event{}, ErrNotFound
	}
	entry, err := l.store.Get(ctx, tenant, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return Event{}, ErrNotFound
	case err != nil:
		return Event{}, because(ErrUnavailable, err)
	}
	e, err := entry.decode(tenant)
	if err != nil {
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
	return e, nil
}

// decode reads the event back and compares it with its leaf and with what it was found by.
func (e *Entry) decode(tenant Tenant) (Event, error) {
	if Leaf(e.Body) != e.Leaf {
		return Event{}, ErrDamaged
	}
	out, err := Decode(e.Body)
	if err != nil {
		return Event{}, err
	}
	if out.Tenant != tenant || out.ID != e.ID || !out.Recorded.Equal(e.Recorded) ||
		out.Actor.ID != e.Actor || out.Action != e.Action || out.Outcome != e.Outcome {
		return Event{}, ErrDamaged
	}
	return out, nil
}

func (q *Query) validate() error {
	switch {
	case q.Tenant == "":
		return hint(ErrBadQuery, "no tenant")
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

// plan turns the query into what a store is asked.
func (l *Log) plan(q *Query) (Filter, int64, error) {
	f := Filter{
		Tenant: q.Tenant,
		From:   ceil(q.Period.Start), To: ceil(q.Period.End),
		Actors: q.Actors, Actions: q.Actions, Outcomes: q.Outcomes,
		Patient: q.Patient, ObjectType: q.ResourceType, ObjectID: q.ResourceID,
	}
	if q.Cursor != "" {
		from, below, err := l.openCursor(q)
		if q.Last != 0 {
			f.From = from
		}
		return f, below, err
	}
	if q.Last != 0 {
		f.From = ceil(l.o.Now().Add(-q.Last))
	}
	return f, Newest, nil
}

// ceil rounds up to the microseconds of Recorded, so that the bounds of a period keep their
// meaning.
func ceil(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Add(time.Microsecond - 1).Truncate(time.Microsecond)
}
