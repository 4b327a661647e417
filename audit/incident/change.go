package incident

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Actions of this package's events. Objects[0] is the case (type "incident", with the version it
// gets); texts are private values, and Detail has codes and the digest of the case as it is then.
const (
	ActionReport   audit.Action = "incident.report"   // a person reported something
	ActionOpen     audit.Action = "incident.open"     // a finding became a case
	ActionTriage   audit.Action = "incident.triage"   // what it is, who owns it, whom it is about
	ActionAssign   audit.Action = "incident.assign"   // another owner
	ActionStart    audit.Action = "incident.start"    // the investigation began
	ActionNote     audit.Action = "incident.note"     // a line was added
	ActionLink     audit.Action = "incident.link"     // evidence was added
	ActionDiscover audit.Action = "incident.discover" // the day of discovery moved earlier
	ActionAffected audit.Action = "incident.affected" // who, or how many, are affected
	ActionAssess   audit.Action = "incident.assess"   // an assessment was written
	ActionSign     audit.Action = "incident.sign"     // somebody else agreed with it, or declined
	ActionNotice   audit.Action = "incident.notice"   // somebody was told
	ActionDelay    audit.Action = "incident.delay"    // law enforcement asked to wait
	ActionDismiss  audit.Action = "incident.dismiss"  // it was no incident
	ActionClose    audit.Action = "incident.close"    // it is over
	ActionReopen   audit.Action = "incident.reopen"   // it is not over
	ActionHold     audit.Action = "incident.hold"     // its legal hold was placed or released
	ActionRemind   audit.Action = "incident.remind"   // somebody was reminded
	ActionPacket   audit.Action = "incident.packet"   // its evidence was handed out
)

// Codes of the events that follow one whose change did not happen.
const (
	CodeNotApplied  = "not_applied"
	CodeUnconfirmed = "unconfirmed" // the store did not tell what became of it
)

// ObjectIncident is the type of the object of this package's events.
const ObjectIncident = "incident"

// confirmWithin is how long the store is asked what became of a write that failed.
const confirmWithin = 5 * time.Second

// Moment is one line of a case's timeline.
type Moment struct {
	Seq    int64         `json:"seq"`
	At     time.Time     `json:"at"`
	By     audit.ActorID `json:"by"`
	Action audit.Action  `json:"action"`
	State  State         `json:"state"`            // afterwards
	Event  string        `json:"event"`            // of the audit log
	Text   string        `json:"text,omitempty"`   // what somebody typed
	Detail string        `json:"detail,omitempty"` // a code: the owner, the link, the deadline …
}

// op is one change of one case: who makes it and what is recorded of it.
type op struct {
	action audit.Action
	by     audit.Actor
	may    []State // in which it is possible; nil: every open one
	text   string
	detail string
	codes  map[string]string // of the event, beside state, version and digest
	add    []Person
	drop   [][]byte
	told   *audit.Disclosure
	whom   []audit.Patient
	quiet  bool // no line in the timeline
}

// edit makes a change of a case that was read with this version.
func (d *Desk) edit(ctx context.Context, id string, version int64, o op, edit func(*Case, *op) error) (Case, error) {
	c, err := d.get(ctx, o.by, id)
	if err != nil {
		return Case{}, err
	}
	return d.alter(ctx, c, version, o, edit)
}

// alter makes a change of a case that is there.
func (d *Desk) alter(ctx context.Context, c Case, version int64, o op, edit func(*Case, *op) error) (Case, error) {
	if c.Version != version {
		return Case{}, ErrConflict
	}
	if o.may == nil && !c.State.Open() || o.may != nil && !slices.Contains(o.may, c.State) {
		return Case{}, ErrState
	}
	next := c.clone()
	if err := edit(&next, &o); err != nil {
		return Case{}, err
	}
	return d.write(ctx, next, c.Version, o)
}

// write records a change and then makes it.
func (d *Desk) write(ctx context.Context, next Case, expect int64, o op) (Case, error) {
	now := d.now()
	event := audit.NewID(now)
	next.Version = expect + 1
	ch := Change{Expect: expect, Add: o.add, Drop: o.drop}
	if !o.quiet {
		line, err := d.line(ctx, &next, Moment{At: now, By: o.by.ID, Action: o.action, State: next.State, Event: event, Text: o.text, Detail: o.detail})
		if err != nil {
			return Case{}, err
		}
		ch.Lines = []Line{line}
	}
	body, err := encode(&next)
	if err != nil {
		return Case{}, unavailable("encoding", err)
	}
	sealed, err := d.seal(ctx, next.Tenant, caseLabel(next.ID), body)
	if err != nil {
		return Case{}, err
	}
	ch.Put = Row{Tenant: next.Tenant, ID: next.ID, Active: next.active(), Body: sealed}
	digest := hex.EncodeToString(digestOf(body))
	if err := d.record(ctx, event, next, o, digest, audit.Success, ""); err != nil {
		return Case{}, d.undone(ctx, next, o, digest, CodeNotApplied, err)
	}
	next.Number, err = d.p.Store.Apply(ctx, ch)
	if err != nil {
		return d.settle(ctx, next, o, digest, err)
	}
	return next, nil
}

func digestOf(body []byte) []byte {
	sum := sha256.Sum256(body)
	return sum[:]
}

// line appends to the timeline.
func (d *Desk) line(ctx context.Context, c *Case, m Moment) (Line, error) {
	s := &c.seals
	s.Lines++
	m.Seq = s.Lines
	plain, err := json.Marshal(m)
	if err != nil {
		return Line{}, unavailable("encoding", err)
	}
	s.Chain = s.chain(m.Seq, plain)
	sealed, err := d.seal(ctx, c.Tenant, lineLabel(c.ID, m.Seq), plain)
	return Line{Seq: m.Seq, Body: sealed}, err
}

// record makes durable what is about to be done, or that it was not.
func (d *Desk) record(ctx context.Context, id string, c Case, o op, digest string, outcome audit.Outcome, code string) error {
	detail := map[string]string{"state": string(c.State), "digest": digest}
	for k, v := range o.codes {
		detail[k] = v
	}
	verb := audit.Update
	if c.Version == 1 {
		verb = audit.Create
	}
	err := d.p.Recorder.Record(ctx, audit.Event{
		ID: id, Tenant: c.Tenant, Action: o.action, Verb: verb, Outcome: outcome, Code: code, Actor: o.by,
		Objects:  []audit.Object{{Type: ObjectIncident, ID: c.ID, Version: strconv.FormatInt(c.Version, 10)}},
		Patients: o.whom, Disclosure: o.told, Detail: detail, Why: audit.NewPrivate(o.text),
	})
	if err != nil {
		return unavailable("recording", err)
	}
	return nil
}

// settle finds out what became of a write that failed: no error if it was done after all.
func (d *Desk) settle(ctx context.Context, next Case, o op, digest string, err error) (Case, error) {
	if errors.Is(err, ErrConflict) {
		return Case{}, d.undone(ctx, next, o, digest, CodeNotApplied, ErrConflict)
	}
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmWithin)
	defer cancel()
	code := CodeUnconfirmed
	switch now, rerr := d.read(asking, next.Tenant, next.ID); {
	case rerr == nil && now.Version == next.Version && now.seals == next.seals && same(&now, &next):
		return now, nil
	case rerr == nil && now.Version <= next.Version, errors.Is(rerr, ErrNotFound) && next.Version == 1:
		code = CodeNotApplied // a later version may have gone on from ours
	}
	return Case{}, d.undone(ctx, next, o, digest, code, unavailable("writing", err))
}

// same compares two cases, numbers apart.
func same(a, b *Case) bool {
	x, errX := encode(a)
	y, errY := encode(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// undone records that what was recorded did not happen, as far as is known, and returns why. It
// discloses nothing, so it is no disclosure.
func (d *Desk) undone(ctx context.Context, c Case, o op, digest, code string, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmWithin)
	defer cancel()
	o.told, o.whom = nil, nil
	return errors.Join(why, d.record(ctx, audit.NewID(d.now()), c, o, digest, audit.MajorFailure, code))
}
