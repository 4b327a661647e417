package purge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// State is how far a plan is.
type State string

// The states. A plan is Proposed, Approved, Recorded and Destroyed, in this order, or ends before it
// is Recorded.
const (
	Proposed  State = "proposed"  // one person wants it
	Approved  State = "approved"  // a second one agreed; nothing is destroyed
	Recorded  State = "recorded"  // a signed tree covers the purge's event: bodies go now
	Destroyed State = "destroyed" // they are gone
	Withdrawn State = "withdrawn" // somebody gave it up
	Expired   State = "expired"   // nobody agreed in time
	Stopped   State = "stopped"   // a hold, a longer period, or another purge came in between
)

// Plan is a set of events that one person proposes to destroy.
type Plan struct {
	Tenant  audit.Tenant `json:"tenant"`
	ID      string       `json:"id"`
	Version int64        `json:"version"`
	State   State        `json:"state"`

	Spans  []audit.Span `json:"spans"`  // places in the tenant's order
	Count  int64        `json:"count"`  // events in them
	Oldest time.Time    `json:"oldest"` // Recorded of the first and of the latest of them
	Newest time.Time    `json:"newest"`
	Months int          `json:"months"` // how long each of them was kept at least
	Export [32]byte     `json:"export"` // SHA-256 of the signed manifest of the bundle

	Proposed   time.Time     `json:"proposed"`
	ProposedBy audit.ActorID `json:"proposed_by"`
	Expires    time.Time     `json:"expires"` // it has to begin before
	Event      string        `json:"event"`   // ID of the event that will say it is carried out
	Approved   time.Time     `json:"approved,omitzero"`
	ApprovedBy audit.ActorID `json:"approved_by,omitempty"`
	Ended      time.Time     `json:"ended,omitzero"`
	EndedBy    audit.ActorID `json:"ended_by,omitempty"` // of a Withdrawn one
	Kept       int64         `json:"kept,omitempty"`     // events in Spans that a hold saved while it was carried out
}

// Open reports whether the plan is neither carried out nor given up.
func (p *Plan) Open() bool {
	return p.State == Proposed || p.State == Approved || p.State == Recorded
}

// purge is what the log says when the plan is carried out.
func (p *Plan) purge() audit.Purge {
	return audit.Purge{
		ID: p.ID, Spans: p.Spans, Newest: p.Newest, Months: p.Months, Export: p.Export,
		By: [2]audit.ActorID{p.ProposedBy, p.ApprovedBy},
	}
}

// digest is what two people agree to: everything that the proposal says.
func (p *Plan) digest() (string, error) {
	text, err := json.Marshal(struct {
		Title          string
		Tenant         audit.Tenant
		ID             string
		Spans          []audit.Span
		Count          int64
		Oldest, Newest time.Time
		Months         int
		Export         [32]byte
		By             audit.ActorID
		Expires        time.Time
	}{"wardkit purge v1", p.Tenant, p.ID, p.Spans, p.Count, p.Oldest.UTC(), p.Newest.UTC(), p.Months, p.Export, p.ProposedBy, p.Expires.UTC()})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// The actions that Propose, Approve and Withdraw record. Names never change.
const (
	ActionProposed  audit.Action = "purge.proposed"
	ActionApproved  audit.Action = "purge.approved"
	ActionWithdrawn audit.Action = "purge.withdrawn"
)

// event is what the log keeps of a decision about the plan.
func (p *Plan) event(a audit.Action, why string) (audit.Event, error) {
	sum, err := p.digest()
	if err != nil {
		return audit.Event{}, unavailable("summing up a plan", err)
	}
	return audit.Event{
		Tenant: p.Tenant, Action: a, Verb: audit.Execute, Why: audit.NewPrivate(why), Detail: map[string]string{"plan": sum},
		Objects: []audit.Object{{Type: audit.PurgeObject, ID: p.ID}},
	}, nil
}

// Plan returns one plan. ErrNotFound, ErrUnavailable.
func (k *Keeper) Plan(ctx context.Context, t audit.Tenant, id string) (Plan, error) {
	p, err := k.store.Plan(ctx, t, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return Plan{}, ErrNotFound
	case err != nil:
		return Plan{}, unavailable("reading a plan", err)
	case p.Tenant != t || p.ID != id:
		return Plan{}, unavailable("reading a plan", errors.New("another one"))
	}
	return p, nil
}

// Plans returns a tenant's plans, the latest first.
func (k *Keeper) Plans(ctx context.Context, t audit.Tenant) ([]Plan, error) {
	var out []Plan
	for p, err := range k.store.Plans(ctx, t) {
		if err != nil {
			return nil, unavailable("reading plans", err)
		}
		if p.Tenant != t {
			return nil, unavailable("reading plans", errors.New("another tenant's"))
		}
		out = append(out, p)
	}
	return out, nil
}
