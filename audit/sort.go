package audit

import (
	"cmp"
	"container/heap"
	"context"
	"slices"
)

// MaxSorted is how many events a sorted Query may match. Each of its pages reads all of them.
const MaxSorted = 100_000

// Sort is the order of a report. Where two events are equal, the log's order decides.
type Sort struct {
	By        SortKey
	Ascending bool // from the smallest; otherwise from the largest
}

// SortKey is an element of 45 CFR 170.210(e) that reports can be sorted by, as 45 CFR
// 170.315(d)(3) asks. Text is compared byte by byte. An event without the element comes first
// when ascending; one with several patients or objects counts by the first. The client's
// address is no key: an event holds only a commitment to it.
type SortKey string

// The keys.
const (
	ByOrder    SortKey = ""         // the log's own order
	ByTime     SortKey = "time"     // Recorded
	ByPatient  SortKey = "patient"  // whose data
	ByActor    SortKey = "actor"    // who
	ByAction   SortKey = "action"   // what was done
	ByVerb     SortKey = "verb"     // what kind of doing: create, read, update, delete, execute
	ByResource SortKey = "resource" // the data: type, then id of the object
	ByCategory SortKey = "category" // the category of the data
	ByOutcome  SortKey = "outcome"  // Success first
	ByClient   SortKey = "client"   // the software
	ByDevice   SortKey = "device"   // the device
	ByLocation SortKey = "location" // the client's location
)

// SortKeys returns all keys, ByOrder first.
func SortKeys() []SortKey {
	return []SortKey{
		ByOrder, ByTime, ByPatient, ByActor, ByAction, ByVerb,
		ByResource, ByCategory, ByOutcome, ByClient, ByDevice, ByLocation,
	}
}

// sortChunk is how many entries a sorted page reads at a time.
const sortChunk = 1000

// sorted returns one page of a sorted query. It reads all matches once and keeps no more than
// the page, so a report of any length needs the memory of a page.
func (l *Log) sorted(ctx context.Context, q *Query, f Filter, m mark) (Page, error) {
	best := selection{sort: q.Sort, room: q.Limit + 1}
	if m.after >= 0 {
		if err := l.behind(ctx, q, m.after, &best); err != nil {
			return Page{}, err
		}
	}
	head, err := l.scan(ctx, f, m.below, &best)
	if err != nil {
		return Page{}, err
	}
	rows := best.sorted()
	var page Page
	if len(rows) > q.Limit {
		rows = rows[:q.Limit]
		page.Next = l.cursor(q, mark{m.from, head, rows[q.Limit-1].entry.Index})
	}
	if len(rows) == 0 {
		return page, nil
	}
	var room []byte
	page.Events = make([]Stored, len(rows))
	for i := range rows {
		if err := rows[i].entry.stored(q.Tenant, &room, &page.Events[i]); err != nil {
			return Page{}, err
		}
	}
	return page, nil
}

// behind makes the selection begin after the event that the page before ended with.
func (l *Log) behind(ctx context.Context, q *Query, after int64, s *selection) error {
	for entry, err := range l.list(ctx, Filter{Tenant: q.Tenant}, after+1, 1) {
		if err != nil {
			return err
		}
		if entry.Index != after {
			break
		}
		p, err := s.rank(&entry)
		s.after = &p
		return err
	}
	return ErrBadCursor // the event is gone
}

// scan offers every match below the bound to the selection, and returns the bound above the
// newest of them.
func (l *Log) scan(ctx context.Context, f Filter, below int64, s *selection) (head int64, err error) {
	head = below
	for total, n := 0, sortChunk; n == sortChunk; {
		n = 0
		for entry, err := range l.list(ctx, f, below, sortChunk) {
			if err != nil {
				return 0, err
			}
			if total == 0 {
				head = entry.Index + 1
			}
			if total++; total > MaxSorted {
				return 0, ErrTooMany
			}
			below = entry.Index
			n++
			if err := s.offer(&entry); err != nil {
				return 0, err
			}
		}
	}
	return head, nil
}

// place is what an entry is sorted by.
type place struct {
	num        int64
	text, more string
	index      int64
}

// ranked is an entry with its place.
type ranked struct {
	place
	entry Entry
}

// selection keeps the first room entries of the order that come after a given one. As a heap
// its root is the last of them, the one that makes way.
type selection struct {
	sort  Sort
	room  int
	after *place
	rows  []*ranked
}

// rank checks an entry's bytes and finds its place.
func (s *selection) rank(e *Entry) (place, error) {
	if Leaf(e.Body) != e.Leaf {
		return place{}, ErrDamaged
	}
	p := place{index: e.Index}
	switch s.sort.By {
	case ByTime:
		p.num = e.Recorded.UnixMicro()
	case ByActor:
		p.text = string(e.Actor)
	case ByAction:
		p.text = string(e.Action)
	case ByOutcome:
		p.num = int64(e.Outcome)
	case ByVerb:
		p.text = peek(e.Body, "act", "c")
	case ByPatient:
		p.text = peek(e.Body, "pat", "")
	case ByResource:
		p.text, p.more = peek(e.Body, "obj", "", "t"), peek(e.Body, "obj", "", "id")
	case ByCategory:
		p.text = peek(e.Body, "obj", "", "cat")
	case ByClient:
		p.text = peek(e.Body, "cli", "app")
	case ByDevice:
		p.text = peek(e.Body, "cli", "dev")
	case ByLocation:
		p.text = peek(e.Body, "cli", "loc")
	}
	return p, nil
}

// compare orders places as pages show them; no two are equal.
func (s *selection) compare(a, b *place) int {
	c := cmp.Or(
		cmp.Compare(a.num, b.num), cmp.Compare(a.text, b.text), cmp.Compare(a.more, b.more),
		cmp.Compare(a.index, b.index))
	if s.sort.Ascending {
		return c
	}
	return -c
}

// offer adds an entry unless it belongs onto another page.
func (s *selection) offer(e *Entry) error {
	p, err := s.rank(e)
	switch {
	case err != nil:
		return err
	case s.after != nil && s.compare(&p, s.after) <= 0:
	case len(s.rows) < s.room:
		heap.Push(s, &ranked{p, *e})
	case s.compare(&p, &s.rows[0].place) < 0:
		s.rows[0] = &ranked{p, *e}
		heap.Fix(s, 0)
	}
	return nil
}

// sorted returns what was selected, in order.
func (s *selection) sorted() []*ranked {
	slices.SortFunc(s.rows, func(a, b *ranked) int { return s.compare(&a.place, &b.place) })
	return s.rows
}

// Len, Less, Swap, Push and Pop make it a heap.
func (s *selection) Len() int           { return len(s.rows) }
func (s *selection) Less(i, j int) bool { return s.compare(&s.rows[i].place, &s.rows[j].place) > 0 }
func (s *selection) Swap(i, j int)      { s.rows[i], s.rows[j] = s.rows[j], s.rows[i] }
func (s *selection) Push(r any)         { s.rows = append(s.rows, r.(*ranked)) }
func (s *selection) Pop() any           { panic("audit: nothing is taken from a selection") }
