package sessionsql

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/session"
)

// The columns of a session, in the order of values.
const columns = `id, tenant, person, kind, on_behalf_of, organization, auth_time, methods, assurance,
	phishing_resistant, origin, device, created, last_seen, idle_ends, ends, ended, reason,
	version, superseded, since, locked, fresh`

// readable are the same columns in the order of parse: those of one type beside each other, which
// is faster to write.
const (
	readable = `id, tenant, person, kind, on_behalf_of, organization, methods, origin, device, reason, fresh,
	auth_time, created, since, last_seen, idle_ends, ends, ended, locked, version, superseded,
	assurance, phishing_resistant`
	texts   = 11
	numbers = 12
)

// A row is read as one text, its fields apart by a character that none of them has: with a column
// for each PostgreSQL and this process need half as much processor time again.
const (
	separator = "\x1f"
	field     = "%s" + separator
	fields    = field + field + field + field + field + field + field + field + field + field + field +
		field + field + field + field + field + field + field + field + field + field + field + "%s"
	row = "format('" + fields + "', " + readable + ")"
)

// values are the columns of a new session.
func values(k session.Key, v *session.Session) []any {
	return []any{
		k.Hash[:],
		v.ID, string(v.Tenant), string(v.Person), string(v.Kind), string(v.OnBehalfOf), v.Organization,
		sqlkit.Micros(v.AuthTime), strings.Join(v.Methods, " "), int64(v.Assurance), number(v.PhishingResistant),
		address(v.Origin), v.Device, sqlkit.Micros(v.Created), sqlkit.Micros(v.LastSeen),
		sqlkit.Micros(v.IdleEnds), sqlkit.Micros(v.Ends), sqlkit.Micros(v.Ended), v.Reason,
		v.Version, int64(0), sqlkit.Micros(v.Since), sqlkit.Micros(v.Locked), fresh(v.Fresh),
	}
}

// unreadable are what would end a field where it does not end: the separator, and what ends a text
// in SQLite's format. Package session lets neither through.
const unreadable = separator + "\x00"

var errUnreadable = errors.New("sessionsql: a control character in a session")

// check refuses a session that could not be read as it is.
func check(v *session.Session) error {
	for _, s := range append([]string{
		v.ID, string(v.Tenant), string(v.Person), string(v.Kind), string(v.OnBehalfOf), v.Organization, v.Device, v.Reason, v.Origin.Zone(),
	}, v.Methods...) {
		if strings.ContainsAny(s, unreadable) {
			return errUnreadable
		}
	}
	for _, f := range v.Fresh {
		if strings.ContainsAny(f.Area, unreadable) {
			return errUnreadable
		}
	}
	return nil
}

var errDamaged = errors.New("sessionsql: a row is damaged")

// parse reads a row. It refuses one that nobody here wrote, rather than guess what it means; with
// a separator inside of a field it has too many of them. The session shares the memory of s.
func parse(s string) (v session.Session, err error) {
	if strings.Count(s, separator) != texts+numbers-1 {
		return session.Session{}, errDamaged
	}
	var t [texts]string
	for i := range t {
		t[i], s, _ = strings.Cut(s, separator)
	}
	var n [numbers]int64
	for i := range n {
		var digits string
		digits, s, _ = strings.Cut(s, separator)
		if n[i], err = strconv.ParseInt(digits, 10, 64); err != nil {
			return session.Session{}, errDamaged
		}
	}
	v = session.Session{
		ID: t[0], Tenant: audit.Tenant(t[1]), Person: audit.ActorID(t[2]), Kind: audit.Kind(t[3]),
		OnBehalfOf: audit.ActorID(t[4]), Organization: t[5], Device: t[8], Reason: t[9],
		AuthTime: sqlkit.Time(n[0]), Created: sqlkit.Time(n[1]), Since: sqlkit.Time(n[2]), LastSeen: sqlkit.Time(n[3]),
		IdleEnds: sqlkit.Time(n[4]), Ends: sqlkit.Time(n[5]), Ended: sqlkit.Time(n[6]), Locked: sqlkit.Time(n[7]),
		Version: n[8], Superseded: n[9] != 0, Assurance: audit.Assurance(n[10]), PhishingResistant: n[11] != 0,
	}
	if n[10] < int64(audit.AAL1) || n[10] > int64(audit.AAL3) || !v.Kind.Valid() || v.Version < 1 {
		return session.Session{}, errDamaged
	}
	if v.Since.IsZero() { // written by release 0.2
		v.Since = v.Created
	}
	if t[6] != "" {
		v.Methods = strings.Split(t[6], " ")
	}
	if t[7] != "" {
		if v.Origin, err = netip.ParseAddr(t[7]); err != nil {
			return session.Session{}, errDamaged
		}
	}
	var ok bool
	if v.Fresh, ok = parseFresh(t[10]); !ok {
		return session.Session{}, errDamaged
	}
	return v, nil
}

func address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// fresh writes areas as "settings=1772357415123457 export=…".
func fresh(all []session.Fresh) string {
	var b strings.Builder
	for i, f := range all {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(f.Area)
		b.WriteByte('=')
		b.WriteString(strconv.FormatInt(sqlkit.Micros(f.Until), 10))
	}
	return b.String()
}

// parseFresh is the inverse of fresh.
func parseFresh(s string) (all []session.Fresh, ok bool) {
	if s == "" {
		return nil, true
	}
	for entry := range strings.SplitSeq(s, " ") {
		area, until, _ := strings.Cut(entry, "=")
		us, err := strconv.ParseInt(until, 10, 64)
		if err != nil || area == "" {
			return nil, false
		}
		all = append(all, session.Fresh{Area: area, Until: sqlkit.Time(us)})
	}
	return all, true
}
