package session

import (
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// memoryRow is a session as Memory keeps it, small and with few pointers: among a million of
// them a look-up waits for memory, not for the processor. Times are microseconds since 1970.
type memoryRow struct {
	hash                 [32]byte
	id                   string
	person               audit.ActorID
	manner               *manner
	rest                 *rest // nil while there is none
	created, auth, since int64
	seen, idle, ends     int64
	locked, ended        int64 // never while it is not
	version              int64
	next                 ref // the next row of the same person, or free place of the shard
	superseded           bool
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

// rest is what few sessions have. It is never written to.
type rest struct {
	fresh  []Fresh
	reason string
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
		hash: hash, id: s.ID, person: person, manner: how,
		seen: s.LastSeen.UnixMicro(), idle: s.IdleEnds.UnixMicro(), ends: s.Ends.UnixMicro(), ended: s.Ended.UnixMicro(),
		locked: s.Locked.UnixMicro(), auth: s.AuthTime.UnixMicro(), since: s.Since.UnixMicro(), created: s.Created.UnixMicro(),
		version: s.Version, superseded: s.Superseded,
	}
	if len(s.Fresh) > 0 || s.Reason != "" {
		r.rest = &rest{append([]Fresh(nil), s.Fresh...), s.Reason}
	}
	return r
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
	s.Created, s.Since, s.LastSeen = micro(r.created), micro(r.since), micro(r.seen)
	s.IdleEnds, s.Ends = micro(r.idle), micro(r.ends)
	s.Version, s.Superseded = r.version, r.superseded
	if r.locked != never {
		s.Locked = micro(r.locked)
	}
	if r.ended != never {
		s.Ended = micro(r.ended)
	}
	if r.rest != nil {
		s.Fresh, s.Reason = r.rest.fresh, r.rest.reason
	}
}

func (r *memoryRow) live(at int64) bool { return r.ended == never && at < r.idle && at < r.ends }

// over is when the row ceased to be live, if it is not live now.
func (r *memoryRow) over() int64 {
	if r.ended != never {
		return r.ended
	}
	return min(r.idle, r.ends)
}

// end ends a row that has not ended.
func (r *memoryRow) end(at int64, reason string) bool {
	if r.ended != never {
		return false
	}
	r.ended = at
	if r.rest == nil {
		r.rest = &rest{nil, reason}
	} else {
		r.rest = &rest{r.rest.fresh, reason}
	}
	return true
}
