package session

import (
	"context"
	"fmt"
	"net/netip"
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

// begin makes the session of a new sign-in, and says how many of them may be at once.
func (m *Manager) begin(ctx context.Context, a audit.Actor, now time.Time) (s Session, limit int, err error) {
	if err := checkActor(a); err != nil {
		return Session{}, 0, err
	}
	p, err := m.policy(ctx, a.Tenant)
	if err != nil {
		return Session{}, 0, err
	}
	l, err := limits(p, a.Kind)
	if err != nil {
		return Session{}, 0, err
	}
	l = l.at(a.Assurance)
	s = Session{
		ID: audit.NewID(now), Tenant: a.Tenant, Person: a.ID, Kind: a.Kind,
		OnBehalfOf: a.OnBehalfOf, Organization: a.Organization,
		AuthTime: a.AuthTime.UTC().Round(0).Truncate(time.Microsecond), Methods: a.Methods,
		Assurance: a.Assurance, PhishingResistant: a.PhishingResistant,
		Device: device(ctx, a), Created: now, Since: now, LastSeen: now,
		IdleEnds: now.Add(l.Idle), Ends: now.Add(l.Absolute), Version: 1,
	}
	if a.AuthTime.IsZero() || s.AuthTime.After(now) {
		s.AuthTime = now
	}
	if s.Kind != audit.KindPatient && s.Kind != audit.KindProxy {
		s.Origin = origin(ctx, a)
	}
	return s.Clone(), l.Sessions, nil
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
