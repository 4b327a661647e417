package support

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// operator returns the operator who is signed in to the platform, with AAL2 if strong.
func (d *Desk) operator(ctx context.Context, strong bool) (audit.Actor, error) {
	a, ok := audit.ActorFrom(ctx)
	switch {
	case !ok || a.ID == "" || a.Tenant != d.p.Platform || a.Kind != audit.KindStaff || a.OnBehalfOf != "" || rbac.IsVisitor(a.ID):
		return audit.Actor{}, ErrNoActor
	case strong && a.Assurance < audit.AAL2:
		return audit.Actor{}, ErrAssurance
	}
	return a, nil
}

// tenant returns the member of a tenant's own staff who is signed in, with AAL2 if strong. Visitors, the
// platform's people and who acts for somebody else are none.
func (d *Desk) tenant(ctx context.Context, strong bool) (audit.Actor, error) {
	a, ok := audit.ActorFrom(ctx)
	switch {
	case !ok || a.ID == "" || a.Tenant == "" || a.Kind != audit.KindStaff:
		return audit.Actor{}, ErrNoActor
	case a.Tenant == d.p.Platform, a.Organization == string(d.p.Platform), a.OnBehalfOf != "", rbac.IsVisitor(a.ID):
		return audit.Actor{}, ErrSelf
	case strong && a.Assurance < audit.AAL2:
		return audit.Actor{}, ErrAssurance
	}
	return a, nil
}

// visitor is the operator a as an actor in tenant t.
func (d *Desk) visitor(a audit.Actor, t audit.Tenant) audit.Actor {
	operator := Account{a.Tenant, a.ID}
	a.ID, a.Tenant, a.Organization = Person(operator), t, string(operator.Tenant)
	a.Roles, a.Emergency = nil, ""
	return a
}

// allowed asks the platform about an operator.
func (d *Desk) allowed(ctx context.Context, operator Account, t audit.Tenant) (bool, error) {
	ok, err := d.p.Operators.May(ctx, operator, t)
	if err != nil {
		return false, unavailable("asking for the operator", err)
	}
	return ok, nil
}

// clean trims what somebody typed and refuses what is too long or no text.
func clean(text *string, field string, needed bool) error {
	*text = strings.TrimSpace(*text)
	if len(*text) > MaxText || !utf8.ValidString(*text) || strings.ContainsRune(*text, 0) || needed && *text == "" {
		return wrong(field)
	}
	return nil
}

// isCode reports whether s is a code: a lower-case letter, then letters, digits and underscores.
func isCode(s string) bool {
	for i, c := range s {
		if !(c >= 'a' && c <= 'z' || i > 0 && (c >= '0' && c <= '9' || c == '_')) {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// isTicket reports whether s can be a ticket's reference: no words, so that nobody writes a name there.
func isTicket(s string) bool {
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_./#", c)) {
			return false
		}
	}
	return len(s) <= MaxTicket
}

// isID is what an event can hold as an identifier.
func isID(s string) bool {
	if s == "" || len(s) > audit.MaxID || !utf8.ValidString(s) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError })
}

// system is who closes what is over.
func (d *Desk) system(r *record) audit.Actor { return audit.System(r.Tenant, "support") }
