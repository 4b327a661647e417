package rbac

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// The codes of events about changes that were recorded and then not made.
const (
	codeNotApplied  = "not_applied"
	codeUnconfirmed = "unconfirmed"
)

// record writes down what is about to be done, once: a change that is tried again is the
// same change.
func (c *change) record(ctx context.Context) error {
	if c.recorded {
		return nil
	}
	if err := c.z.rec.Record(ctx, c.events(ctx, audit.Success, "", "")...); err != nil {
		return fmt.Errorf("%w: recording: %w", ErrUndecided, err)
	}
	c.recorded = true
	return nil
}

// conclude makes what happened and what is on record agree.
func (c *change) conclude(ctx context.Context, err error) error {
	var denial *Denial
	var refusal *Refusal
	switch {
	case err == nil:
		return nil
	case c.recorded:
		return c.undone(context.WithoutCancel(ctx), err)
	case errors.As(err, &denial):
		return c.deny(ctx, err, denial.Decision.Code, "")
	case errors.As(err, &refusal):
		return c.deny(ctx, err, refusal.Code, refusal.Rule)
	case errors.Is(err, ErrUndecided), errors.Is(err, ErrNoGrant):
		return err
	}
	return fmt.Errorf("rbac: changing grants: %w", err)
}

// deny records that somebody tried what a rule forbids.
func (c *change) deny(ctx context.Context, err error, code Code, rule string) error {
	if rerr := c.z.rec.Record(ctx, c.events(ctx, audit.Failure, string(code), rule)...); rerr != nil {
		return fmt.Errorf("%w: recording: %w", ErrUndecided, rerr)
	}
	return err
}

// undone records that a recorded change was not made, unless it turns out that it was: a
// store may fail after it has written.
func (c *change) undone(ctx context.Context, err error) error {
	code := codeNotApplied
	if !definite(err) {
		switch made, aerr := c.made(ctx); {
		case aerr != nil:
			code = codeUnconfirmed
		case made:
			return nil
		}
	}
	if rerr := c.z.rec.Record(ctx, c.events(ctx, audit.MajorFailure, code, "")...); rerr != nil {
		err = errors.Join(err, rerr)
	}
	return fmt.Errorf("rbac: changing grants: %w", err)
}

// definite reports whether err says for certain that nothing was written.
func definite(err error) bool {
	return errors.Is(err, ErrConflict) || errors.Is(err, ErrGrantExists) || errors.Is(err, ErrNoGrant) ||
		errors.Is(err, ErrRefused) || errors.Is(err, ErrDenied)
}

// made asks the store whether the change was made after all.
func (c *change) made(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, confirmWithin)
	defer cancel()
	there := func(g Grant) (bool, error) {
		grants, err := c.z.store.Grants(ctx, g.Tenant, g.Person)
		return slices.ContainsFunc(grants, func(h Grant) bool { return h.ID == g.ID }), err
	}
	for _, g := range c.add {
		if ok, err := there(g); err != nil || !ok {
			return false, err
		}
	}
	for _, g := range c.end {
		if ok, err := there(g); err != nil || ok {
			return false, err
		}
	}
	return true, nil
}

// confirmWithin is how long a failed change is asked about.
const confirmWithin = 2 * time.Second

// events are the evidence of the change, one for each grant and each revocation.
func (c *change) events(ctx context.Context, o audit.Outcome, code, rule string) []audit.Event {
	var out []audit.Event
	for _, g := range c.add {
		out = append(out, c.event(ctx, ActionGrant, g, o, code, rule))
	}
	for i, ref := range c.revoke {
		g := Grant{ID: ref.ID, Tenant: c.actor.Tenant, Person: ref.Person}
		if i < len(c.end) {
			g = c.end[i]
		}
		out = append(out, c.event(ctx, ActionRevoke, g, o, code, rule))
	}
	return out
}

// event is the evidence of one grant. Its codes are identifiers; what the person typed is
// private.
func (c *change) event(ctx context.Context, action audit.Action, g Grant, o audit.Outcome, code, rule string) audit.Event {
	e := audit.Event{
		Tenant: g.Tenant, Action: action, Verb: audit.Update, Outcome: o, Code: code,
		Actor: c.actor,
		Objects: []audit.Object{
			{Type: "grant", ID: g.ID, Category: string(Users)},
			{Type: "person", ID: string(g.Person)},
		},
		Why:      audit.NewPrivate(reasonFrom(ctx)),
		Decision: audit.Decision{Policy: c.p.digest},
		Detail:   map[string]string{},
	}
	note := func(key, value string) {
		if value != "" {
			e.Detail[key] = value
		}
	}
	note("role", string(g.Role))
	note("why", g.Why)
	note("source", string(g.Source))
	note("rule", rule)
	if g.By != c.actor.ID && action == ActionGrant {
		note("by", string(g.By))
	}
	note("from", stamp(g.From))
	note("until", stamp(g.Until))
	for _, id := range g.Practices {
		e.Objects = append(e.Objects, audit.Object{Type: "practice", ID: string(id)})
	}
	for _, id := range g.Locations {
		e.Objects = append(e.Objects, audit.Object{Type: "location", ID: string(id)})
	}
	for _, id := range g.Queues {
		e.Objects = append(e.Objects, audit.Object{Type: "queue", ID: string(id)})
	}
	return e
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}
