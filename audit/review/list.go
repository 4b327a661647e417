package review

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/wardkit/wardkit/audit"
)

// The page sizes of a Query.
const (
	DefaultLimit = 50
	MaxLimit     = 500
)

// Query asks for findings of one tenant, the latest first. Empty fields do not restrict.
type Query struct {
	States []State
	Rule   Name
	Actor  audit.ActorID
	Limit  int    // findings on a page, 1 to MaxLimit; 0 is DefaultLimit
	Cursor string // Page.Next of the page before, empty for the first
}

// Page is one page of a Query.
type Page struct {
	Findings []Finding
	Next     string // the cursor of the next page, empty on the last
}

// Findings returns one page. Who serves it records that. Errors: ErrQuery, ErrUnavailable.
func (r *Reviewer) Findings(ctx context.Context, t audit.Tenant, q Query) (Page, error) {
	below, err := q.validate(t)
	if err != nil {
		return Page{}, err
	}
	var p Page
	f := Filter{Tenant: t, States: q.States, Rule: q.Rule, Actor: q.Actor, Below: below, Limit: q.Limit + 1}
	for one, err := range r.store.List(ctx, f) {
		if err != nil {
			return Page{}, unavailable("listing findings", err)
		}
		if len(p.Findings) == q.Limit {
			m := p.Findings[q.Limit-1].Mark()
			p.Next = strconv.FormatInt(m.Index, 10) + "." + m.ID
			break
		}
		p.Findings = append(p.Findings, one)
	}
	return p, nil
}

func (q *Query) validate(t audit.Tenant) (Mark, error) {
	if q.Limit == 0 {
		q.Limit = DefaultLimit
	}
	known := func(s State) bool { return slices.Contains(States(), s) }
	switch {
	case t == "":
		return Mark{}, wrong(ErrQuery, "no tenant")
	case q.Limit < 1 || q.Limit > MaxLimit:
		return Mark{}, wrong(ErrQuery, "limit out of range")
	case slices.ContainsFunc(q.States, func(s State) bool { return !known(s) }):
		return Mark{}, wrong(ErrQuery, "no such state")
	case len(q.States) > len(States()):
		return Mark{}, wrong(ErrQuery, "too many states")
	case q.Rule != "" && !slices.Contains(append(Names(), Unasked, Unreadable, Crowd), q.Rule):
		return Mark{}, wrong(ErrQuery, "no such rule")
	case q.Cursor == "":
		return Mark{}, nil
	}
	index, id, ok := strings.Cut(q.Cursor, ".")
	n, err := strconv.ParseInt(index, 10, 64)
	if !ok || err != nil || n < 0 || len(id) != 36 || !printable(id) {
		return Mark{}, wrong(ErrQuery, "not a cursor")
	}
	return Mark{n, id}, nil
}

// Finding returns one finding. Who serves it records that. Errors: ErrNotFound, ErrUnavailable.
func (r *Reviewer) Finding(ctx context.Context, t audit.Tenant, id string) (Finding, error) {
	f, err := r.store.Finding(ctx, t, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return Finding{}, ErrNotFound
	case err != nil:
		return Finding{}, unavailable("reading a finding", err)
	case f.Tenant != t || f.ID != id:
		return Finding{}, unavailable("reading a finding", errors.New("the store answered with another one"))
	}
	return f, nil
}

// Count returns how many findings the tenant has in each state. ErrUnavailable.
func (r *Reviewer) Count(ctx context.Context, t audit.Tenant) (map[State]int, error) {
	n, err := r.store.Count(ctx, t)
	if err != nil {
		return nil, unavailable("counting findings", err)
	}
	return n, nil
}
