package sqlkit

import (
	"strconv"
	"strings"
	"time"
)

// Rebind replaces each ? by $1, $2 … on PostgreSQL. Statements hold no other question mark.
func (d *DB) Rebind(query string) string {
	if d.dialect == SQLite || !strings.Contains(query, "?") {
		return query
	}
	if s, ok := d.rebound.load(query); ok {
		return s
	}
	b := make([]byte, 0, len(query)+16)
	n := int64(0)
	for i := range len(query) {
		if query[i] != '?' {
			b = append(b, query[i])
			continue
		}
		n++
		b = strconv.AppendInt(append(b, '$'), n, 10)
	}
	s := string(b)
	d.rebound.store(query, s)
	return s
}

// List returns "(?, ?, …)" with n placeholders, for IN. A list of none is "(NULL)", which
// neither IN nor NOT IN ever finds anything in.
func List(n int) string {
	if n < 1 {
		return "(NULL)"
	}
	return "(" + strings.Repeat("?, ", n-1) + "?)"
}

// Micros converts a time to what is stored: microseconds since 1970 UTC, 0 for the zero time.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Time is the inverse of Micros.
func Time(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
