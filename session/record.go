package session

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wardkit/wardkit/audit"
)

// The bounds of what a session keeps of its actor, in bytes of UTF-8.
const (
	maxName    = 256
	maxMethods = 16
	maxMethod  = 32
	maxDevice  = 128
	maxReason  = 64
)

// begin makes the session of a new sign-in.
func (m *Manager) begin(ctx context.Context, a audit.Actor, now time.Time) (Session, error) {
	if err := checkActor(a); err != nil {
		return Session{}, err
	}
	s := Session{
		ID: audit.NewID(now), Tenant: a.Tenant, Person: a.ID, Kind: a.Kind,
		OnBehalfOf: a.OnBehalfOf, Organization: a.Organization,
		AuthTime: a.AuthTime.UTC().Round(0).Truncate(time.Microsecond), Methods: a.Methods,
		Assurance: a.Assurance, PhishingResistant: a.PhishingResistant,
		Device: device(ctx, a), Created: now, LastSeen: now,
	}
	if a.AuthTime.IsZero() || s.AuthTime.After(now) {
		s.AuthTime = now
	}
	if s.Kind != audit.KindPatient && s.Kind != audit.KindProxy {
		s.Origin = origin(ctx, a)
	}
	l, err := m.limits(ctx, s)
	if err != nil {
		return Session{}, err
	}
	l = l.at(s.Assurance)
	s.Ends = now.Add(l.Absolute)
	s.IdleEnds = now.Add(l.Idle)
	return s.Clone(), nil
}

// checkActor refuses an actor that cannot have a session.
func checkActor(a audit.Actor) error {
	switch {
	case !name(string(a.ID)), a.ID == "":
		return fmt.Errorf("%w: its id", ErrActor)
	case !name(string(a.Tenant)), a.Tenant == "":
		return fmt.Errorf("%w: its tenant", ErrActor)
	case !a.Kind.Valid(), a.Kind == audit.KindAnonymous, a.Kind == audit.KindSystem:
		return fmt.Errorf("%w: its kind", ErrActor)
	case a.Assurance < audit.AAL1, a.Assurance > audit.AAL3:
		return fmt.Errorf("%w: its assurance", ErrActor)
	case !name(string(a.OnBehalfOf)), !name(a.Organization):
		return fmt.Errorf("%w: whom it stands for", ErrActor)
	case !methods(a.Methods):
		return fmt.Errorf("%w: its methods", ErrActor)
	}
	return nil
}

// name reports whether s can be kept as an identifier by every store and every event.
func name(s string) bool {
	return len(s) <= maxName && utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
}

// methods reports whether all are codes such as RFC 8176 registers: no spaces in them.
func methods(all []string) bool {
	for _, s := range all {
		if !code(s, maxMethod) {
			return false
		}
	}
	return len(all) <= maxMethods
}

// code reports whether s is 1 to limit ASCII lower-case letters, digits, dots, dashes and
// underscores.
func code(s string, limit int) bool {
	for _, b := range []byte(s) {
		switch {
		case 'a' <= b && b <= 'z', '0' <= b && b <= '9', b == '.', b == '-', b == '_':
		default:
			return false
		}
	}
	return s != "" && len(s) <= limit
}

// reasonCode keeps free text out of rows and events, without letting that stop an end.
func reasonCode(s string) string {
	if !code(s, maxReason) {
		return ReasonOther
	}
	return s
}

// origin is where the sign-in came from: what a says, or else what Handler found.
func origin(ctx context.Context, a audit.Actor) netip.Addr {
	if !a.Origin.IsValid() {
		if outer, ok := audit.ActorFrom(ctx); ok {
			return outer.Origin
		}
	}
	return a.Origin
}

// device is the label to keep, printable and short.
func device(ctx context.Context, a audit.Actor) string {
	label := a.Device
	if label == "" {
		if outer, ok := audit.ActorFrom(ctx); ok {
			label = outer.Device
		}
	}
	label = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, label)
	for len(label) > maxDevice {
		_, size := utf8.DecodeLastRuneInString(label)
		label = label[:len(label)-size]
	}
	return label
}

func isPerson(k audit.Kind) bool {
	return k == audit.KindStaff || k == audit.KindPatient || k == audit.KindProxy
}

// end ends one session and records it. It ends first: a log that is down must not keep a
// session alive.
func (m *Manager) end(ctx context.Context, t audit.Tenant, person audit.ActorID, id, reason string) error {
	reason = reasonCode(reason)
	n, err := m.revoke(ctx, Selection{Tenant: t, Person: person, ID: id}, reason)
	if err != nil {
		return err
	}
	e := audit.Event{
		Tenant: t, Action: "session.end", Verb: audit.Execute, Actor: m.acting(ctx, t),
		Objects: []audit.Object{{Type: "session", ID: id}, {Type: "person", ID: string(person)}},
		Detail:  map[string]string{"reason": reason},
	}
	if n == 0 {
		e.Outcome, e.Code = audit.MinorFailure, "not_found"
	}
	if err := m.record(ctx, e); err != nil {
		return err
	}
	if n == 0 {
		return ErrNotFound
	}
	return nil
}

// endMany ends several sessions with one write and records it as one event.
func (m *Manager) endMany(ctx context.Context, which Selection, reason string) error {
	if a, ok := audit.ActorFrom(ctx); ok && a.Kind != audit.KindAnonymous && a.Tenant != which.Tenant {
		return m.deny(ctx, a, which.Tenant, "session.end_all")
	}
	if which.Tenant == "" || which.Person == "" || !name(string(which.Tenant)) || !name(string(which.Person)) {
		return ErrNotFound
	}
	reason = reasonCode(reason)
	n, err := m.revoke(ctx, which, reason)
	if err != nil {
		return err
	}
	e := audit.Event{
		Tenant: which.Tenant, Action: "session.end_all", Verb: audit.Execute, Actor: m.acting(ctx, which.Tenant),
		Objects: []audit.Object{{Type: "person", ID: string(which.Person)}},
		Detail:  map[string]string{"reason": reason, "ended": strconv.Itoa(n)},
	}
	if which.Except != "" {
		e.Detail["kept"] = which.Except
	}
	return m.record(ctx, e)
}

// undo ends a session whose token will not be handed out, because of err.
func (m *Manager) undo(ctx context.Context, s Session, err error) error {
	which := Selection{Tenant: s.Tenant, Person: s.Person, ID: s.ID}
	if _, e := m.revoke(ctx, which, ReasonUnrecorded); e != nil {
		m.opt.Logger.WarnContext(ctx, "session: a session that was never handed out is still open")
		return errors.Join(err, e)
	}
	return err
}

// deny records that the actor reached into tenant t, in the log of the actor's own tenant.
func (m *Manager) deny(ctx context.Context, a audit.Actor, t audit.Tenant, action audit.Action) error {
	code := "other_tenant"
	if a.Kind == "" || a.Tenant == "" {
		a, code = audit.Anonymous(t, a.Origin), "not_signed_in"
	}
	err := m.record(ctx, audit.Event{
		Tenant: a.Tenant, Action: action, Verb: audit.Execute, Actor: a,
		Outcome: audit.Failure, Code: code,
	})
	return errors.Join(ErrDenied, err)
}

// acting is who is to be named in an event about tenant t: the actor in ctx, or else this
// package on the host's behalf.
func (m *Manager) acting(ctx context.Context, t audit.Tenant) audit.Actor {
	a, ok := audit.ActorFrom(ctx)
	switch {
	case !ok:
		return audit.System(t, "session")
	case a.Kind == audit.KindAnonymous && a.Tenant == "":
		a.Tenant = t
	}
	return a
}

func (m *Manager) record(ctx context.Context, e audit.Event) error {
	if e.ID == "" {
		e.ID = audit.NewID(m.clock.now())
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.opt.Timeout)
	defer cancel()
	if err := m.rec.Record(ctx, e); err != nil {
		return fmt.Errorf("%w: %w", ErrUnrecorded, err)
	}
	return nil
}

func startEvent(s Session, from netip.Addr) audit.Event {
	return audit.Event{
		Tenant: s.Tenant, Action: "session.start", Verb: audit.Execute, Actor: s.Actor(from),
		Objects: []audit.Object{{Type: "session", ID: s.ID}},
	}
}
