package recert

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// tell gives the notices of a campaign that are due and were not given, and reports its exceptions.
// Only people are told for whom something waits.
func (r *Campaigns) tell(ctx context.Context, t audit.Tenant, campaign string, now time.Time, rep *Report) error {
	c, err := r.campaign(ctx, t, campaign)
	if err != nil {
		return ignoreSigned(err)
	}
	items, err := r.items(ctx, &c, ItemFilter{})
	if err != nil {
		return err
	}
	for n := range items {
		if i := &items[n]; i.Exception != "" {
			rep.Exceptions = append(rep.Exceptions, Ref{Tenant: t, Campaign: c.ID, Seq: i.Seq, Exception: i.Exception})
		}
	}
	given := map[string]string{}
	for _, m := range notices(&c, items, now) {
		key := string(m.notice.What) + "/" + string(m.notice.To)
		if c.Told[key] >= m.stage {
			continue
		}
		m.notice.ID = c.ID + "/" + key + "/" + m.stage
		if err := r.p.Notices.Notify(ctx, m.notice); err != nil {
			return unavailable("telling somebody", err)
		}
		given[key] = m.stage
	}
	if len(given) == 0 {
		return nil
	}
	next := c.clone()
	if next.Told == nil {
		next.Told = map[string]string{}
	}
	maps.Copy(next.Told, given)
	e := c.event(ActionNotice, audit.Update, r.now())
	note(&e, "notices", strconv.Itoa(len(given)))
	// Somebody else may have changed the campaign: the next Tick gives the same IDs again.
	return ignoreConflict(r.commit(ctx, prepare(next, nil, nil), []audit.Event{e}))
}

// message is a notice at a stage; stages of one notice to one person are compared as texts.
type message struct {
	notice Notice
	stage  string
}

// notices are all that a campaign is at.
func notices(c *Campaign, items []Item, now time.Time) []message {
	waiting, late, overdue := map[audit.ActorID]int{}, map[audit.ActorID]int{}, 0
	for n := range items {
		i := &items[n]
		if i.State != ItemOpen && i.State != ItemSuspended {
			continue
		}
		waiting[i.Reviewer]++
		if !now.Before(i.Due) {
			late[i.Reviewer]++
			overdue++
		}
	}
	delete(waiting, "") // an exception
	today := now.Format(time.DateOnly)
	var out []message
	add := func(to audit.ActorID, what What, open int, stage string) {
		if open > 0 && stage != "" {
			out = append(out, message{Notice{Tenant: c.Tenant, Campaign: c.ID, Name: c.Spec.Name, To: to, What: what, Open: open, Due: c.Due}, stage})
		}
	}
	for _, who := range slices.Sorted(maps.Keys(waiting)) {
		add(who, NoticeAssigned, waiting[who], "1")
		add(who, NoticeReminder, waiting[who]-late[who], reminder(c.Due.Sub(now)))
		if who != c.Spec.Owner {
			add(who, NoticeOverdue, late[who], today)
		}
	}
	add(c.Spec.Owner, NoticeOverdue, overdue, today)
	add(c.Spec.Owner, NoticeSuspended, c.Counts.Suspended, today)
	add(c.Spec.Owner, NoticeException, c.Counts.Exception, today)
	if c.Counts.Open+c.Counts.Pending+c.Counts.Suspended == 0 {
		add(c.Spec.Owner, NoticeSign, 1, "1")
	}
	return out
}

// reminder returns how near the due date is, as a stage: 7, 3 and 1 days before.
func reminder(left time.Duration) string {
	switch {
	case left <= 0 || left > 7*day:
		return ""
	case left > 3*day:
		return "1"
	case left > day:
		return "2"
	}
	return "3"
}
