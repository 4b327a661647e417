package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"slices"
	"time"
)

// A cursor is from(8) ‖ index(8) ‖ mac(16), in unpadded base64url. The MAC binds it to the
// tenant and to everything the query filters by.
const (
	cursorData = 8 + 8
	cursorMAC  = 16
)

func (l *Log) cursor(q *Query, from time.Time, below int64) string {
	b := make([]byte, 0, cursorData+cursorMAC)
	b = binary.BigEndian.AppendUint64(b, uint64(micros(from)))
	b = binary.BigEndian.AppendUint64(b, uint64(below))
	b = append(b, l.cursorSum(q, b)...)
	return base64.RawURLEncoding.EncodeToString(b)
}

// openCursor checks q.Cursor and returns what it holds.
func (l *Log) openCursor(q *Query) (from time.Time, below int64, err error) {
	// The decoder skips line breaks, so the length of the text counts too.
	whole := len(q.Cursor) == base64.RawURLEncoding.EncodedLen(cursorData+cursorMAC)
	b, err := base64.RawURLEncoding.Strict().DecodeString(q.Cursor)
	if err != nil || !whole || len(b) != cursorData+cursorMAC || !hmac.Equal(b[cursorData:], l.cursorSum(q, b[:cursorData])) {
		return time.Time{}, 0, ErrBadCursor
	}
	return fromMicros(int64(binary.BigEndian.Uint64(b))), int64(binary.BigEndian.Uint64(b[8:])), nil
}

// cursorSum authenticates data for the query's tenant and filter. Every part is preceded by
// its length, so that no two queries look alike.
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
	part(h, string(q.Patient), q.ResourceType, q.ResourceID)
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
