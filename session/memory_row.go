package session

import (
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// memoryRow is a session as Memory keeps it, with few pointers and in two of the processor's cache
// lines: among a million of them a look-up waits for memory, not for the processor. Times are
// microseconds since 1970.
type memoryRow struct {
	hash          [32]byte
	id            string
	person        audit.ActorID
	manner        *manner
	rest          *rest // nil while there is none
	created, auth int64
	seen, idle    int64
	ends          int64
	place         uint32 // in its shard; among those that were removed, of the next of them plus 1
}

// manner is what the sessions of many people have in common. It is never written to.
type manner struct {
	key     mannerKey
	methods []string
	count   int // rows that share it, see manners
}

type mannerKey struct {
	tenant       audit.Tenant
	kind         audit.Kind
	onBehalfOf   audit.ActorID
	organization string
	methods      string
	assurance    audit.Assurance
	resistant    bool
	origin       netip.Addr
	device       string
}

// rest is what few sessions have. fresh is never written to.
type rest struct {
	fresh         []Fresh
	reason        string
	locked, ended int64 // never while it is not
	since         int64 // without a rest: created
	version       int64 // without a rest: 1
	superseded    bool
}

// manners are those in use.
type manners struct {
	mu  sync.Mutex
	all map[mannerKey]*manner
}

// of returns the manner of s, for one more row.
func (m *manners) of(s *Session) *manner {
	var b strings.Builder
	for _, method := range s.Methods {
		b.WriteString(strconv.Itoa(len(method)))
		b.WriteByte(':')
		b.WriteString(method)
	}
	k := mannerKey{
		s.Tenant, s.Kind, s.OnBehalfOf, s.Organization, b.String(),
		s.Assurance, s.PhishingResistant, s.Origin, s.Device,
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	have := m.all[k]
	if have == nil {
		have = &manner{key: k, methods: append([]string(nil), s.Methods...)}
		m.all[k] = have
	}
	have.count++
	return have
}

// leave says that a row is gone.
func (m *manners) leave(one *manner) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if one.count--; one.count == 0 {
		delete(m.all, one.key)
	}
}

func newMemoryRow(hash [32]byte, s *Session, person audit.ActorID, how *manner) memoryRow {
	r := memoryRow{
		hash: hash, id: s.ID, person: person, manner: how, created: s.Created.UnixMicro(), auth: s.AuthTime.UnixMicro(),
		seen: s.LastSeen.UnixMicro(), idle: s.IdleEnds.UnixMicro(), ends: s.Ends.UnixMicro(),
	}
	all := rest{
		append([]Fresh(nil), s.Fresh...), s.Reason, s.Locked.UnixMicro(), s.Ended.UnixMicro(),
		s.Since.UnixMicro(), s.Version, s.Superseded,
	}
	if plain := r.plain(); len(all.fresh) > 0 || all.reason != "" || all.locked != never || all.ended != never ||
		all.since != plain.since || all.version != plain.version || all.superseded {
		r.rest = &all
	}
	return r
}

// plain is the rest of a row that has none.
func (r *memoryRow) plain() rest {
	return rest{locked: never, ended: never, since: r.created, version: 1}
}

// some is the rest, to be written to. The person is locked, and the shard.
func (r *memoryRow) some() *rest {
	if r.rest == nil {
		plain := r.plain()
		r.rest = &plain
	}
	return r.rest
}

// never is the zero time.
const never = -62135596800000000

func micro(n int64) time.Time { return time.UnixMicro(n).UTC() }

// session writes the row into s, which is empty.
func (r *memoryRow) session(s *Session) {
	k := &r.manner.key
	s.ID, s.Tenant, s.Person, s.Kind = r.id, k.tenant, r.person, k.kind
	s.OnBehalfOf, s.Organization = k.onBehalfOf, k.organization
	s.AuthTime, s.Methods, s.Assurance, s.PhishingResistant = micro(r.auth), r.manner.methods, k.assurance, k.resistant
	s.Origin, s.Device = k.origin, k.device
	s.Created, s.LastSeen = micro(r.created), micro(r.seen)
	s.IdleEnds, s.Ends = micro(r.idle), micro(r.ends)
	s.Since, s.Version = s.Created, 1
	if all := r.rest; all != nil {
		s.Fresh, s.Reason = all.fresh, all.reason
		s.Since, s.Version, s.Superseded = micro(all.since), all.version, all.superseded
		if all.locked != never {
			s.Locked = micro(all.locked)
		}
		if all.ended != never {
			s.Ended = micro(all.ended)
		}
	}
}

func (r *memoryRow) hasEnded() bool   { return r.rest != nil && r.rest.ended != never }
func (r *memoryRow) superseded() bool { return r.rest != nil && r.rest.superseded }

func (r *memoryRow) version() int64 {
	if r.rest == nil {
		return 1
	}
	return r.rest.version
}

func (r *memoryRow) live(at int64) bool { return !r.hasEnded() && at < r.idle && at < r.ends }

// listed reports whether the row may be live and belongs to a session's token, as far as can be
// seen without its lock.
func (r *memoryRow) listed(at int64) bool { return !r.hasEnded() && at < r.ends && !r.superseded() }

// over is when the row ceased to be live, if it is not live now.
func (r *memoryRow) over() int64 {
	if r.hasEnded() {
		return r.rest.ended
	}
	return min(r.idle, r.ends)
}

// end ends a row that has not ended.
func (r *memoryRow) end(at int64, reason string) bool {
	if r.hasEnded() {
		return false
	}
	all := r.some()
	all.ended, all.reason = at, reason
	return true
}

// lock locks a row that has not ended and is not locked.
func (r *memoryRow) lock(at int64) bool {
	if r.hasEnded() || r.rest != nil && r.rest.locked != never {
		return false
	}
	all := r.some()
	all.locked = at
	all.version++
	return true
}
