package rbac

import (
	"context"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/phi"
)

// Filter says which rows of R an actor may list. It is made by Visible from the same rule
// that Check reads, and is good for the request in which it was made. The zero Filter lets
// nothing through.
type Filter[R Resource] struct{ *filter }

// filter is a Filter without its type.
type filter struct {
	s      *subject
	def    *definition
	q      question
	groups []group
	allow  Decision // evidence: the highest role that contributes
	list   listRoles
	urgent bool    // emergency access may add rows
	calm   bool    // there are other scopes, too
	person *filter // of whom a service or an agent acts for; nil where it acts for nobody
}

// listRoles are the roles that contribute rows: all of the tenant's, or some.
type listRoles struct{ everywhere, somewhere roleSet }

// Visible returns the filter for the rows on which the actor in ctx may do a, and records the
// decision in the request's trail (verb Execute: a query). ErrNothing (an ErrDenied) says
// that no row can match, ErrReason that a reason is missing; ErrUndecided that it could not be
// found out or recorded.
func Visible[R Resource](ctx context.Context, z *Authorizer, a Action[R]) (Filter[R], error) {
	f, err := z.visible(ctx, a.def)
	if err != nil {
		return Filter[R]{}, err
	}
	return Filter[R]{f}, nil
}

func (z *Authorizer) visible(ctx context.Context, d *definition) (*filter, error) {
	now := z.now()
	s, err := z.subject(ctx, now)
	if err != nil {
		return nil, err
	}
	f, _ := s.reach(d, now)
	if err := f.licensed(ctx); err != nil {
		return nil, err
	}
	if err := f.emergencies(ctx); err != nil {
		return nil, err
	}
	if f.allow, err = z.conclude(ctx, f.allow, nil); err != nil {
		return nil, err
	}
	return f, nil
}

// reach collects the scopes in which s holds d. A code other than CodeAllowed is a denial.
func (s *subject) reach(d *definition, now time.Time) (*filter, Code) {
	f := &filter{s: s, def: d}
	i := s.begin(d, now.UnixMicro(), &f.allow)
	if f.allow.Code != "" {
		return f, f.allow.Code
	}
	f.q = question{s: s, us: now.UnixMicro(), columns: &d.columns, emergency: s.mayOpen()}
	if s.policy.holders[i]&f.allow.held != 0 {
		for h := range s.held {
			f.add(&s.held[h], i)
		}
	}
	if len(f.groups) == 0 {
		f.allow.Code = CodeNothing
	}
	if len(f.groups) > 1 { // a role of the whole tenant does not stand behind rows that a Forbid takes from it
		f.list.everywhere = 0
	}
	if f.allow.Allowed && s.task != nil {
		s.task.reach(f, now)
	}
	return f, f.allow.Code
}

// licensed denies the list if the actor has not the licence that the action needs, nor whom
// they act for.
func (f *filter) licensed(ctx context.Context) error {
	err := f.s.licensed(ctx, &f.allow, f.q.us)
	if err != nil || f.person == nil || !f.allow.Allowed {
		return err
	}
	if err = f.person.licensed(ctx); !f.person.allow.Allowed {
		f.allow.withdraw(f.person.allow.Code)
	}
	return err
}

// holds reports whether s holds d anywhere.
func (s *subject) holds(d *definition, now time.Time) bool {
	_, code := s.reach(d, now)
	return code == CodeAllowed
}

// add takes the scopes of one grant.
func (f *filter) add(h *held, action int) {
	p := f.s.policy
	r := h.role.rules[action]
	if r == nil || !h.inForce(f.q.us) {
		return
	}
	for i := range r.clauses {
		c := &r.clauses[i]
		if !f.s.on.has(c.choice) || !c.node.reachable(&h.lists) {
			continue
		}
		f.allow.allow(h, c.scope)
		f.calm = f.calm || !c.node.needs(relEmergency)
		f.urgent = f.urgent || p.urgent[action]&h.in != 0
		if c.node.everywhere() {
			f.list.everywhere |= h.in
		}
		f.list.somewhere |= h.in
		f.group(r, &h.lists).add(&c.node, &h.lists)
	}
}

// group returns the group that the scopes of a rule belong to.
func (f *filter) group(r *rule, l *lists) *group {
	for i := range f.groups {
		if f.groups[i].sameBars(r, l) {
			return &f.groups[i]
		}
	}
	f.groups = append(f.groups, group{bars: r.bars, lists: l})
	return &f.groups[len(f.groups)-1]
}

// SQL returns the filter as a condition for a WHERE clause, in parentheses, and its
// arguments. alias is the table's name or alias in the statement, "" for none. firstArg is
// the number of the first placeholder on Postgres, from 1, and is not used with dialects that
// write ?. The tenant is always part of the condition, and every value is an argument.
//
// The zero Filter, an unknown dialect and an alias that is no identifier yield a condition
// that no row meets.
func (f Filter[R]) SQL(d Dialect, alias string, firstArg int) (string, []any) {
	if f.filter == nil || !validTarget(d, alias, firstArg) {
		return never, nil
	}
	return f.filter.sql(d, alias, firstArg)
}

func validTarget(d Dialect, alias string, firstArg int) bool {
	return (d == SQLite || d == Postgres && firstArg > 0 || d == PostgresQ) && (alias == "" || isIdentifier(alias))
}

func (f *filter) sql(d Dialect, alias string, firstArg int) (string, []any) {
	own, values := f.rows(d, alias, firstArg)
	if f.person == nil {
		return own, values
	}
	theirs, more := f.person.rows(d, alias, firstArg+len(values))
	return "(" + own + " AND " + theirs + ")", append(values, more...)
}

// rows is sql without regard to whom the actor acts for.
func (f *filter) rows(d Dialect, alias string, firstArg int) (string, []any) {
	prefix := ""
	if alias != "" {
		prefix = alias + "."
	}
	if f.q.columns.Tenant == "" { // a tenant-level action has no rows
		return never, nil
	}
	args := &Args{dialect: d, next: firstArg, values: make([]any, 0, 8)}
	tenant := args.Add(string(f.s.tenant))
	tenant = prefix + f.q.columns.Tenant + " = " + tenant
	if f.q.columns.labelled() != "" {
		tenant += " AND " + withoutLabels(&f.q, unknownLabels, args, prefix)
	}
	if len(f.groups) == 1 && f.groups[0].everything() && len(f.groups[0].bars) == 0 {
		return "(" + tenant + ")", args.values
	}
	conditions := make([]string, 0, 4)
	for i := range f.groups {
		conditions = append(conditions, f.groups[i].sql(&f.q, args, prefix))
	}
	return "(" + tenant + " AND " + either(conditions) + ")", args.values
}

// Match reports whether the filter lets r through: the same rule for what does not come out
// of a query, such as search hits or messages. An error wraps ErrUndecided and means no.
func (f Filter[R]) Match(ctx context.Context, r R) (bool, error) {
	if f.filter == nil {
		return false, nil
	}
	a := r.RBAC()
	return f.filter.match(ctx, &a)
}

func (f *filter) match(ctx context.Context, a *Attrs) (bool, error) {
	if a.Tenant == "" || a.Tenant != f.s.tenant || !valid(a.Labels) {
		return false, nil
	}
	q := f.q
	for i := range f.groups {
		ok, err := f.groups[i].match(ctx, &q, a)
		if err != nil {
			return false, fmt.Errorf("%w: asking a relation: %w", ErrUndecided, err)
		}
		if ok {
			if f.person != nil {
				return f.person.match(ctx, a)
			}
			return true, nil
		}
	}
	return false, nil
}

// Sight returns how much of each class the list may show. It holds for every row: where rows
// are there because of different roles, the narrowest.
func (f Filter[R]) Sight() phi.Sight {
	if f.filter == nil {
		return phi.Sight{}
	}
	return f.filter.sight()
}

func (f *filter) sight() phi.Sight {
	m := f.s.masks
	if f.person != nil {
		theirs := f.person.list
		return reveal(narrowest(m.listLevels(f.list.everywhere, f.list.somewhere), m.listLevels(theirs.everywhere, theirs.somewhere)), f.def)
	}
	return m.listSight(f.list.everywhere, f.list.somewhere, f.def)
}

// Context returns ctx with the list's sight: what phi reveals under it is added to the
// recorded decision. HandleList does it for its handlers.
func (f Filter[R]) Context(ctx context.Context) context.Context {
	return phi.WithSight(ctx, f.Sight())
}
