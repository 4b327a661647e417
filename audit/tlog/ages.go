package tlog

import (
	"context"
	"sort"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Ages says how long the events of one tenant have been in the log. It counts from the first
// head that covers an event, because when that was signed nobody can change later; what an event
// says about its own time, whoever owns the database can write. Times are whole hours, to
// the disadvantage of a purge, so that years of heads are little to keep.
type Ages struct {
	tenant audit.Tenant
	marks  []mark
}

// mark stands for heads in a row that were signed in the same hour.
type mark struct {
	size     int64 // of the last of them
	since    int64 // hours since 1970: what they are the first to cover is no older
	recorded int64 // hours since 1970: nor is it younger
}

// clock follows the times that the root log's entries say. An entry was signed after each before
// it, so where a clock went back it is taken for as late as the latest of them.
type clock struct {
	latest int64 // microseconds since 1970
	behind bool
	steps  []step
}

// step is where a clock went back: from the n-th entry on none is earlier than at.
type step struct{ n, at int64 }

func (c *clock) add(h Head) {
	at := h.At.UnixMicro()
	switch {
	case at >= c.latest:
		c.latest, c.behind = at, false
	case !c.behind:
		c.steps, c.behind = append(c.steps, step{h.N, c.latest}), true
	}
}

// of returns the time that counts for an entry which was added.
func (c *clock) of(h Head) int64 {
	at := h.At.UnixMicro()
	if i := sort.Search(len(c.steps), func(i int) bool { return c.steps[i].n > h.N }); i > 0 {
		return max(at, c.steps[i-1].at)
	}
	return at
}

const hour = int64(time.Hour / time.Microsecond)

// add adds the tenant's next head; since is the time that counts for it.
func (a *Ages) add(h Head, since int64) {
	m := mark{h.Size, since / hour, h.At.UnixMicro() / hour}
	if n := len(a.marks); n > 0 && a.marks[n-1].since == m.since && a.marks[n-1].recorded == m.recorded {
		a.marks[n-1].size = m.size
		return
	}
	a.marks = append(a.marks, m)
}

// first returns the mark of the head that was the first of at least a size.
func (a *Ages) first(size int64) (mark, bool) {
	i := sort.Search(len(a.marks), func(i int) bool { return a.marks[i].size >= size })
	if i == len(a.marks) || size < 1 {
		return mark{}, false
	}
	return a.marks[i], true
}

// Since returns the time from which the age of the events with an index below a number counts, at
// most two hours after the first head that covers all of them was signed. False: no head does.
func (a *Ages) Since(below int64) (time.Time, bool) {
	m, ok := a.first(below)
	return time.UnixMicro((m.since + 2) * hour).UTC(), ok
}

// Allows returns what an event of audit.ActionPurgeExecuted at an index says, if bodies may be
// missing because of it: it is one (audit.PurgeOf), of this tenant, a head covers it, and so it was
// with everything that it names for as long as it says, 72 months at least: when it was recorded,
// when the head that covers it was signed, and now, by the clock of whoever asks.
//
// That these are the event's bytes at this index of the tree is for the caller to check. Errors:
// audit.ErrPurge; ErrUncovered if no head covers it yet; ErrYoung.
func (a *Ages) Allows(e audit.Event, index int64, now time.Time) (audit.Purge, error) {
	p, err := audit.PurgeOf(e, index)
	switch {
	case err != nil:
		return audit.Purge{}, err
	case e.Tenant != a.tenant:
		return audit.Purge{}, audit.ErrPurge
	}
	return p, a.allows(purgeEvent{p, e.Recorded, index}, now)
}

func (a *Ages) allows(p purgeEvent, now time.Time) error {
	covered, ok := a.first(p.index + 1)
	if !ok {
		return ErrUncovered
	}
	since, ok := a.Since(p.Spans[len(p.Spans)-1].To)
	if !ok {
		return ErrUncovered
	}
	old := since.AddDate(0, p.Months, 0)
	if p.Months < audit.Floor || p.recorded.Before(old) || now.Before(old) || time.UnixMicro((covered.recorded+1)*hour).Before(old) {
		return ErrYoung
	}
	return nil
}

// Ages reads the whole root log, which has to be the one that this Log signed or followed last, and
// returns the ages of a tenant's events. Errors are those of Integrate.
func (l *Log) Ages(ctx context.Context, t audit.Tenant) (*Ages, error) {
	_, root, _ := l.covered(t)
	a, c, s := &Ages{tenant: t}, &clock{}, &side{}
	for h, err := range l.store.Heads(ctx, 0) {
		if err != nil {
			return nil, unavailable("reading the root log", err)
		}
		if s.size == root.Size {
			break
		}
		if h.N != s.size {
			return nil, ErrRewritten
		}
		s.push(h.leaf(), nil)
		if c.add(h); h.Tenant == t {
			a.add(h, c.latest)
		}
	}
	if s.size != root.Size || Hash(s.root()) != root.Root {
		return nil, ErrRewritten
	}
	return a, nil
}
