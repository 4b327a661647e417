package sessionredis

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/session"
)

// A row is a head that scripts read and change, see scripts/common.lua, and a tail that only
// Go reads: a format byte, times, small numbers, then texts with their lengths as varints.
const (
	format    = 1
	headTimes = 7 * 8
	maxMicros = 1 << 53 // what a number of Lua holds exactly; the year 2255
	maxText   = 1 << 15
)

var errRow = errors.New("a row that cannot be read")

// encode returns the row of a session. It refuses what it could not give back.
func encode(s session.Session) (string, error) {
	if len(s.ID) > maxText || len(s.Reason) > 255 || s.Version < 0 || s.Version >= maxMicros {
		return "", errors.New("a session that cannot be kept")
	}
	b := make([]byte, 0, 320)
	var err error
	at := func(t time.Time) {
		var n uint64
		if n, err = keepError(err, t); err == nil {
			b = binary.BigEndian.AppendUint64(b, n)
		}
	}
	at(s.LastSeen)
	at(s.IdleEnds)
	at(s.Ends)
	at(s.Ended)
	at(s.Locked)
	b = binary.BigEndian.AppendUint64(b, uint64(s.Version))
	at(s.Created)
	b = append(b, '0'+flag(s.Superseded))
	b = binary.BigEndian.AppendUint16(b, uint16(len(s.ID)))
	b = append(b, s.ID...)
	b = append(append(b, byte(len(s.Reason))), s.Reason...)
	b = append(b, format, byte(s.Assurance), flag(s.PhishingResistant), byte(len(s.Methods)), byte(len(s.Fresh)))
	at(s.AuthTime)
	at(s.Since)
	origin, _ := s.Origin.MarshalBinary() // has no error
	for _, text := range []string{
		string(s.Tenant), string(s.Person), string(s.Kind), string(s.OnBehalfOf), s.Organization, s.Device, string(origin),
	} {
		b = appendText(b, text)
	}
	for _, m := range s.Methods {
		b = appendText(b, m)
	}
	for _, f := range s.Fresh {
		b = appendText(b, f.Area)
		at(f.Until)
	}
	if len(s.Methods) > 255 || len(s.Fresh) > 255 || len(b) > maxText {
		return "", errors.New("a session that cannot be kept")
	}
	return string(b), err
}

func keepError(before error, t time.Time) (uint64, error) {
	n, err := micros(t)
	return n, errors.Join(before, err)
}

// micros is t in microseconds since 1970, 0 for the zero time.
func micros(t time.Time) (uint64, error) {
	if t.IsZero() {
		return 0, nil
	}
	n := t.UnixMicro()
	if n <= 0 || n >= maxMicros {
		return 0, errors.New("a time that cannot be kept")
	}
	return uint64(n), nil
}

// packed is a time as scripts take it.
func packed(t time.Time) (string, error) {
	n, err := micros(t)
	return string(binary.BigEndian.AppendUint64(nil, n)), err
}

func flag(is bool) byte {
	if is {
		return 1
	}
	return 0
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decode is the inverse of encode. Its texts share the memory of row.
func decode(row string) (s session.Session, err error) {
	r := reader{rest: row}
	s.LastSeen, s.IdleEnds, s.Ends = r.time(), r.time(), r.time()
	s.Ended, s.Locked, s.Version = r.time(), r.time(), int64(r.number())
	s.Created, s.Superseded = r.time(), r.byte() == '1'
	s.ID = r.take(int(r.byte())<<8 | int(r.byte()))
	s.Reason = r.take(int(r.byte()))
	if r.byte() != format {
		return session.Session{}, errRow
	}
	s.Assurance, s.PhishingResistant = audit.Assurance(r.byte()), r.byte() == 1
	methods, fresh := int(r.byte()), int(r.byte())
	s.AuthTime, s.Since = r.time(), r.time()
	s.Tenant, s.Person, s.Kind = audit.Tenant(r.text()), audit.ActorID(r.text()), audit.Kind(r.text())
	s.OnBehalfOf, s.Organization, s.Device = audit.ActorID(r.text()), r.text(), r.text()
	s.Origin = r.address()
	if r.bad || methods+fresh > len(r.rest) {
		return session.Session{}, errRow
	}
	if methods > 0 {
		s.Methods = make([]string, methods)
	}
	for i := range s.Methods {
		s.Methods[i] = r.text()
	}
	if fresh > 0 {
		s.Fresh = make([]session.Fresh, fresh)
	}
	for i := range s.Fresh {
		s.Fresh[i] = session.Fresh{Area: r.text(), Until: r.time()}
	}
	if r.bad || r.rest != "" {
		return session.Session{}, errRow
	}
	return s, nil
}

// reader takes a row apart; once something is wrong it is bad and yields nothing.
type reader struct {
	rest string
	bad  bool
}

func (r *reader) take(n int) string {
	if r.bad || n < 0 || n > len(r.rest) {
		r.bad = true
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func (r *reader) byte() byte {
	if s := r.take(1); s != "" {
		return s[0]
	}
	return 0
}

func (r *reader) number() (n uint64) {
	for _, c := range []byte(r.take(8)) {
		n = n<<8 | uint64(c)
	}
	if n >= maxMicros {
		r.bad = true
	}
	return n
}

func (r *reader) time() time.Time {
	n := r.number()
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(n)).UTC()
}

func (r *reader) text() string {
	n, shift := 0, 0
	for {
		c := r.byte()
		n |= int(c&0x7f) << shift
		if c < 0x80 {
			return r.take(n)
		}
		if shift += 7; shift > 14 {
			r.bad = true
			return ""
		}
	}
}

func (r *reader) address() (a netip.Addr) {
	if s := r.text(); a.UnmarshalBinary([]byte(s)) != nil {
		r.bad = true
	}
	return a
}

// refused says what was attempted and keeps the cause.
func refused(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("sessionredis: %s: %w", what, err)
}
