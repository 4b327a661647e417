package incident

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Notice is that somebody was told.
type Notice struct {
	For   string        `json:"for"` // the deadline's name
	On    Day           `json:"on"`  // when
	How   string        `json:"how"` // a code: "mail", "website", "portal" …
	Count int           `json:"count"`
	All   bool          `json:"all"` // everybody whom the deadline is about has been told now
	By    audit.ActorID `json:"by"`
	At    time.Time     `json:"at"` // when it was written down
}

// Told is what a notice said, where it disclosed protected health information of patients to
// somebody else than themselves (45 CFR 164.528).
type Told struct {
	Recipient string // who; required
	Address   string
	What      string // brief description, 512 bytes at most; required
	Authority string // for example "164.512(b)"
	Patients  []audit.Patient
}

// Notify writes down that somebody was told, whatever the state of the case: urgent news does not wait
// for an assessment (45 CFR 164.404(d)(3)). With told, the event is a disclosure in the accounting of
// each of its patients. For is the name of a deadline that the tenant's law knows.
func (d *Desk) Notify(ctx context.Context, id string, version int64, n Notice, told *Told, text string) (Case, error) {
	o := op{action: ActionNotice, text: text, detail: n.For}
	return d.work(ctx, id, version, o, func(c *Case, o *op) error {
		law, err := d.law(ctx, c.Tenant)
		if err != nil {
			return err
		}
		if err := n.check(c, &law, DayOf(d.now(), law.Zone)); err != nil {
			return err
		}
		n.By, n.At = o.by.ID, d.now()
		o.codes = map[string]string{"for": n.For, "on": n.On.String(), "how": n.How, "count": strconv.Itoa(n.Count), "all": strconv.FormatBool(n.All)}
		if c.Delay != nil && n.On >= c.Delay.Said && n.On <= c.Delay.Until {
			o.codes["during_delay"] = "true"
		}
		if told != nil {
			if told.Recipient == "" || told.What == "" || len(told.Patients) == 0 || len(told.Patients) > audit.MaxPatients {
				return wrong("told")
			}
			o.whom = told.Patients
			o.told = &audit.Disclosure{
				Recipient: audit.NewPrivate(told.Recipient), Address: audit.NewPrivate(told.Address),
				Description: told.What, Authority: told.Authority,
			}
		}
		if len(c.Notices) >= MaxNotice {
			return ErrFull
		}
		c.Notices = append(c.Notices, n)
		if c.State == Assessed && c.Presumed() {
			c.State = Notifying
		}
		return nil
	})
}

func (n *Notice) check(c *Case, law *Law, today Day) error {
	names := []string{Individuals, Media, HHS, CoveredEntity}
	for _, r := range law.Extra {
		names = append(names, r.Name)
	}
	switch {
	case !slices.Contains(names, n.For):
		return wrong("for")
	case n.On < c.Discovered || n.On > today:
		return wrong("on")
	case !isCode(n.How):
		return wrong("how")
	case n.Count < 0:
		return wrong("count")
	}
	return nil
}

// SetDelay writes down what a law enforcement official said (45 CFR 164.412), with who it was, in text.
// It replaces the delay before: a written statement the oral one, and one that ends today the delay.
func (d *Desk) SetDelay(ctx context.Context, id string, version int64, delay Delay, text string) (Case, error) {
	o := op{action: ActionDelay, text: text, detail: delay.Until.String()}
	return d.work(ctx, id, version, o, func(c *Case, o *op) error {
		law, err := d.law(ctx, c.Tenant)
		if err != nil {
			return err
		}
		if err := delay.check(DayOf(d.now(), law.Zone)); err != nil {
			return err
		}
		c.Delay = &delay
		o.codes = map[string]string{"said": delay.Said.String(), "until": delay.Until.String(), "written": strconv.FormatBool(delay.Written)}
		return nil
	})
}
