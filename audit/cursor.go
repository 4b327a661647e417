package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"slices"
	"strconv"
	"time"
)

// mark is where a page ended. A cursor is from(8) ‖ below(8) ‖ after(8) ‖ mac(16), in unpadded
// base64url; it holds no value of an event. The MAC binds it to the tenant, to everything the
// query filters by and to its sorting.
type mark struct {
	from  time.Time // the resolved start of Query.Last
	below int64     // only events below this Index: behind the last one shown, or the first page's head
	after int64     // Index of the last event shown; only where the page is sorted
}

const (
	cursorData = 3 * 8
	cursorMAC  = 16
)

func (l *Log) cursor(q *Query, m mark) string {
	b := make([]byte, 0, cursorData+cursorMAC)
	for _, n := range []int64{micros(m.from), m.below, m.after} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	b = append(b, l.cursorSum(q, b)...)
	return base64.RawURLEncoding.EncodeToString(b)
}

// openCursor checks q.Cursor and returns what it holds.
func (l *Log) openCursor(q *Query) (mark, error) {
	// The decoder skips line breaks, so the length of the text counts too.
	whole := len(q.Cursor) == base64.RawURLEncoding.EncodedLen(cursorData+cursorMAC)
	b, err := base64.RawURLEncoding.Strict().DecodeString(q.Cursor)
	if err != nil || !whole || len(b) != cursorData+cursorMAC || !hmac.Equal(b[cursorData:], l.cursorSum(q, b[:cursorData])) {
		return mark{}, ErrBadCursor
	}
	at := func(i int) int64 { return int64(binary.BigEndian.Uint64(b[8*i:])) }
	return mark{fromMicros(at(0)), at(1), at(2)}, nil
}

// cursorSum authenticates data for the query's tenant, filter and sorting. Every part is
// preceded by its length, so that no two queries look alike.
func (l *Log) cursorSum(q *Query, data []byte) []byte {
	h := hmac.New(sha256.New, l.o.CursorKey)
	part(h, "wardkit audit cursor 2", string(data), string(q.Tenant))
	number(h, int64(q.Last), micros(q.Period.Start), micros(q.Period.End))
	parts(h, q.Actors)
	parts(h, q.Actions)
	number(h, int64(len(q.Outcomes)))
	for _, o := range slices.Sorted(slices.Values(q.Outcomes)) {
		number(h, int64(o))
	}
	part(h, string(q.Patient), q.ResourceType, q.ResourceID, string(q.Sort.By), strconv.FormatBool(q.Sort.Ascending))
	return h.Sum(nil)[:cursorMAC]
}

func part(h hash.Hash, texts ...string) {
	for _, s := range texts {
		number(h, int64(len(s)))
		h.Write([]byte(s))
	}
}

func parts[S ~string](h hash.Hash, list []S) {
	number(h, int64(len(list)))
	for _, s := range slices.Sorted(slices.Values(list)) {
		part(h, string(s))
	}
}

func number(h hash.Hash, numbers ...int64) {
	for _, n := range numbers {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(n)))
	}
}

// micros is 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
