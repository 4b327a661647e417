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

// The columns of a session, in the order of row.dest and of values.
const columns = `id, tenant, person, kind, on_behalf_of, organization, auth_time, methods, assurance,
	phishing_resistant, origin, device, created, last_seen, idle_ends, ends, ended, reason,
	version, superseded, since, locked, fresh`

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

var errDamaged = errors.New("sessionsql: a row is damaged")

// row is a session as its columns hold it: database/sql takes several times as long for a type of
// one's own as for a string.
type row struct {
	v                                                                   session.Session
	tenant, person, kind, onBehalfOf, methods, origin, fresh            string
	assurance, resistant, superseded                                    int64
	authTime, created, since, lastSeen, idleEnds, ends, locked, endedAt int64
}

func (r *row) dest() []any {
	v := &r.v
	return []any{
		&v.ID, &r.tenant, &r.person, &r.kind, &r.onBehalfOf, &v.Organization, &r.authTime, &r.methods,
		&r.assurance, &r.resistant, &r.origin, &v.Device, &r.created, &r.lastSeen, &r.idleEnds, &r.ends,
		&r.endedAt, &v.Reason, &v.Version, &r.superseded, &r.since, &r.locked, &r.fresh,
	}
}

// session refuses a row that nobody here wrote, rather than guess what it means.
func (r *row) session() (session.Session, error) {
	v := r.v
	v.Tenant, v.Person, v.Kind, v.OnBehalfOf = audit.Tenant(r.tenant), audit.ActorID(r.person), audit.Kind(r.kind), audit.ActorID(r.onBehalfOf)
	if r.assurance < int64(audit.AAL1) || r.assurance > int64(audit.AAL3) || !v.Kind.Valid() || v.Version < 1 {
		return session.Session{}, errDamaged
	}
	if r.origin != "" {
		a, err := netip.ParseAddr(r.origin)
		if err != nil {
			return session.Session{}, errDamaged
		}
		v.Origin = a
	}
	var ok bool
	if v.Fresh, ok = parseFresh(r.fresh); !ok {
		return session.Session{}, errDamaged
	}
	if r.methods != "" {
		v.Methods = strings.Split(r.methods, " ")
	}
	v.Assurance, v.PhishingResistant = audit.Assurance(r.assurance), r.resistant != 0
	v.Superseded, v.Locked, v.Since = r.superseded != 0, sqlkit.Time(r.locked), sqlkit.Time(r.since)
	if r.since == 0 { // written by release 0.2
		v.Since = sqlkit.Time(r.created)
	}
	v.AuthTime, v.Created, v.LastSeen = sqlkit.Time(r.authTime), sqlkit.Time(r.created), sqlkit.Time(r.lastSeen)
	v.IdleEnds, v.Ends, v.Ended = sqlkit.Time(r.idleEnds), sqlkit.Time(r.ends), sqlkit.Time(r.endedAt)
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
