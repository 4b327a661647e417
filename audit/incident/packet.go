package incident

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Packet is all that is known of a case, for an auditor: with it, and with the events in the log, a
// tenant meets its burden of proof (45 CFR 164.414(b)). It names no affected patient.
type Packet struct {
	Made      time.Time      `json:"made"`
	By        audit.ActorID  `json:"by"`
	Number    int64          `json:"number"`
	Case      Case           `json:"case"`
	Digest    string         `json:"digest"` // of the case, the same as in its latest event
	Deadlines []Deadline     `json:"deadlines"`
	Timeline  []Moment       `json:"timeline"`
	Evidence  []CheckedLink  `json:"evidence"`
	Missing   []MissingEvent `json:"missing,omitempty"` // lines of the timeline without their event
	KeepUntil time.Time      `json:"keep_until,omitzero"`
}

// CheckedLink is a piece of evidence and what became of it.
type CheckedLink struct {
	Link
	State LinkState `json:"check"`
}

// MissingEvent is an event of the timeline that is not in the audit log as it should be.
type MissingEvent struct {
	Event string    `json:"event"`
	State LinkState `json:"check"`
}

// keepYears is how long the documentation is kept after the case is over (45 CFR 164.530(j)(2)).
const keepYears = 6

// Packet records that the evidence of a case is handed out, and returns it as JSON. The timeline and
// every piece of evidence in the audit log are checked anew; what does not fit is in the packet and
// not an error. ErrDamaged if the timeline itself was altered.
func (d *Desk) Packet(ctx context.Context, id string) ([]byte, error) {
	by, err := staff(ctx, true)
	if err != nil {
		return nil, err
	}
	c, err := d.get(ctx, by, id)
	if err != nil {
		return nil, err
	}
	p, err := d.packet(ctx, by, &c)
	if err != nil {
		return nil, err
	}
	if err := d.record(ctx, audit.NewID(p.Made), c, op{action: ActionPacket, by: by}, p.Digest, audit.Success, ""); err != nil {
		return nil, err
	}
	return json.MarshalIndent(p, "", "\t")
}

func (d *Desk) packet(ctx context.Context, by audit.Actor, c *Case) (*Packet, error) {
	law, err := d.law(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	body, err := encode(c)
	if err != nil {
		return nil, unavailable("encoding", err)
	}
	p := &Packet{
		Made: d.now(), By: by.ID, Number: c.Number, Case: *c, Digest: hex.EncodeToString(digestOf(body)),
		Deadlines: law.Deadlines(c), Evidence: []CheckedLink{},
	}
	if !c.Closed.IsZero() {
		p.KeepUntil = c.Closed.AddDate(keepYears, 0, 0)
	}
	if p.Timeline, err = d.timeline(ctx, c); err != nil {
		return nil, err
	}
	for _, l := range c.Links {
		s, err := d.check(ctx, c.Tenant, l)
		if err != nil {
			return nil, err
		}
		p.Evidence = append(p.Evidence, CheckedLink{l, s})
	}
	for _, m := range p.Timeline {
		s, err := d.eventOf(ctx, c, m)
		if err != nil {
			return nil, err
		}
		if s != LinkWhole {
			p.Missing = append(p.Missing, MissingEvent{m.Event, s})
		}
	}
	return p, nil
}

// eventOf looks for the event of a line of the timeline.
func (d *Desk) eventOf(ctx context.Context, c *Case, m Moment) (LinkState, error) {
	e, lost, err := d.entry(ctx, c.Tenant, m.Event)
	switch {
	case err != nil || lost != "":
		return lost, err
	case e.Action != m.Action || e.Actor != m.By || audit.Leaf(e.Body) != e.Leaf:
		return LinkAltered, nil
	}
	return LinkWhole, nil
}
