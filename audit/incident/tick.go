package incident

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/wardkit/wardkit/audit"
)

// Reminder says that something of a case is due. It holds no text of the case.
type Reminder struct {
	ID      string // the same for the same reminder; whoever delivers drops a repeat
	Tenant  audit.Tenant
	Case    string
	Number  int64
	Owner   audit.ActorID   // empty: nobody owns it yet
	About   []audit.ActorID // who must not get the reminder
	Name    string          // of the deadline, or Unowned
	Last    Day             // the deadline's last day; 0 for Unowned
	Overdue bool
}

// Unowned is the name of the reminder that a case has no owner.
const Unowned = "unowned"

// reminders are the days before a deadline on which somebody is reminded, beside the day after it.
func reminders() []Day { return []Day{30, 14, 7, 3, 1, 0} }

// stage is how urgent a deadline is, "" while nobody is reminded.
func (d *Deadline) stage(today Day) string {
	if d.Done != 0 {
		return ""
	}
	if d.Overdue(today) {
		return "overdue" + strconv.Itoa(int(today-d.Last-1)/7) // and again each week
	}
	stage := ""
	for _, days := range reminders() {
		if d.Last-today <= days {
			stage = strconv.Itoa(int(days))
		}
	}
	return stage
}

// Item is a case with what it owes.
type Item struct {
	Case      Case
	Deadlines []Deadline // the earliest first
	Today     Day        // in the tenant's zone
}

// Next returns the earliest deadline that is not met; false if there is none.
func (i *Item) Next() (Deadline, bool) {
	for _, d := range i.Deadlines {
		if d.Done == 0 {
			return d, true
		}
	}
	return Deadline{}, false
}

// Due returns the open cases of the tenant of the member of staff in ctx, those whose next deadline
// comes first at the beginning. It leaves out those of which the person is a subject.
func (d *Desk) Due(ctx context.Context) ([]Item, error) {
	by, err := staff(ctx, false)
	if err != nil {
		return nil, err
	}
	law, err := d.law(ctx, by.Tenant)
	if err != nil {
		return nil, err
	}
	today := DayOf(d.now(), law.Zone)
	var out []Item
	for c, err := range d.List(ctx, true, Newest) {
		if err != nil {
			return nil, err
		}
		out = append(out, Item{c, law.Deadlines(&c), today})
	}
	last := func(i Item) Day {
		if next, ok := i.Next(); ok {
			return next.Last
		}
		return Date(9999, 12, 31)
	}
	slices.SortStableFunc(out, func(a, b Item) int {
		return cmp.Or(cmp.Compare(last(a), last(b)), cmp.Compare(a.Case.Number, b.Case.Number))
	})
	return out, nil
}

// Item returns a case with what it owes.
func (d *Desk) Item(ctx context.Context, id string) (Item, error) {
	c, err := d.Get(ctx, id)
	if err != nil {
		return Item{}, err
	}
	law, err := d.law(ctx, c.Tenant)
	if err != nil {
		return Item{}, err
	}
	return Item{c, law.Deadlines(&c), DayOf(d.now(), law.Zone)}, nil
}

// Tick gives the reminders of a tenant that are due and not yet given, and places or releases the
// legal holds that are not as they should be. Call it at least once a day for each tenant; any number
// of servers may at once. A reminder is given at least once, and again after an error. What fails for
// one case keeps no other from its turn.
func (d *Desk) Tick(ctx context.Context, t audit.Tenant) error {
	law, err := d.law(ctx, t)
	if err != nil {
		return err
	}
	var all []Case
	for c, err := range d.list(ctx, t, true, Newest) {
		if err != nil {
			return err // what cannot be read is not passed over in silence
		}
		all = append(all, c)
	}
	var failed []error
	for _, c := range all {
		if c.Held != c.State.Open() {
			var err error
			if c, err = d.hold(ctx, c); err != nil {
				failed = append(failed, err)
				continue
			}
		}
		if err := d.remind(ctx, c, &law); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// remind gives what is due of one case and marks it.
func (d *Desk) remind(ctx context.Context, c Case, law *Law) error {
	var given []string
	for _, r := range d.owing(&c, law) {
		if slices.Contains(c.Reminded, r.ID) {
			continue
		}
		if err := d.p.Notices.Remind(ctx, r); err != nil {
			return unavailable("reminding", err)
		}
		given = append(given, r.ID)
	}
	if len(given) == 0 {
		return nil
	}
	o := op{action: ActionRemind, by: audit.System(c.Tenant, "incident"), detail: strconv.Itoa(len(given)), quiet: true}
	_, err := d.alter(ctx, c, c.Version, o, func(c *Case, o *op) error {
		o.codes = map[string]string{"reminders": strconv.Itoa(len(given))}
		c.Reminded = append(keep(c.Reminded), given...)
		return nil
	})
	if errors.Is(err, ErrConflict) {
		return nil // somebody works on it; the next Tick gives the same IDs again
	}
	return err
}

// keep bounds what a case remembers of its reminders; the oldest are long past.
func keep(ids []string) []string { return ids[max(0, len(ids)-200):] }

// owing returns the reminders that a case is at.
func (d *Desk) owing(c *Case, law *Law) []Reminder {
	if !c.State.Open() {
		return nil
	}
	now := d.now()
	base := Reminder{Tenant: c.Tenant, Case: c.ID, Number: c.Number, Owner: c.Owner, About: slices.Clone(c.About)}
	var out []Reminder
	if c.Owner == "" && now.Sub(c.Opened) >= d.o.Unowned {
		r := base
		r.ID, r.Name = c.ID+"/"+Unowned, Unowned
		out = append(out, r)
	}
	today := DayOf(now, law.Zone)
	for _, dl := range law.Deadlines(c) {
		if stage := dl.stage(today); stage != "" {
			r := base
			r.ID = c.ID + "/" + dl.Name + "/" + dl.Last.String() + "/" + stage
			r.Name, r.Last, r.Overdue = dl.Name, dl.Last, dl.Overdue(today)
			out = append(out, r)
		}
	}
	return out
}

// hold places the legal hold of an open case, or releases that of one that is over.
func (d *Desk) hold(ctx context.Context, c Case) (Case, error) {
	open := c.State.Open()
	do := d.p.Holds.Release
	if open {
		do = d.p.Holds.Place
	}
	system := audit.System(c.Tenant, "incident")
	if err := do(audit.WithActor(ctx, system), c.Tenant, c.holdID()); err != nil {
		return Case{}, unavailable("placing a hold", err)
	}
	o := op{action: ActionHold, by: system, may: States(), codes: map[string]string{"held": strconv.FormatBool(open)}}
	return d.alter(ctx, c, c.Version, o, func(c *Case, o *op) error {
		c.Held, o.detail = open, strconv.FormatBool(open)
		return nil
	})
}

// holdID names the hold, 64 bytes at most; a case that was opened again has another one.
func (c *Case) holdID() string {
	id := "incident:" + c.ID
	if c.Round > 0 {
		id += "/" + strconv.Itoa(c.Round)
	}
	return id
}

// settleHold tries hold at once; where that fails, Tick does it later.
func (d *Desk) settleHold(ctx context.Context, c Case) Case {
	if c.Held == c.State.Open() {
		return c
	}
	held, err := d.hold(ctx, c)
	if err != nil {
		d.o.Logger.ErrorContext(ctx, "incident: the legal hold of a case is not as it should be; Tick tries again")
		return c
	}
	return held
}
