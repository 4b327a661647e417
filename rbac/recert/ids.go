package recert

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// idOf returns a UUIDv7 (RFC 9562, section 5.7) of which the time is at and the rest follows from the
// parts: what two servers do at once has one ID.
func idOf(at time.Time, parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(p))))
		h.Write([]byte(p))
	}
	sum := h.Sum(nil)
	b := binary.BigEndian.AppendUint64(nil, uint64(at.UnixMilli())<<16)
	b = append(b[:6], sum[:10]...)
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	s := hex.EncodeToString(b)
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// isID reports whether s can be an identifier: what an event can hold.
func isID[T ~string](s T) bool { return s != "" && audit.FitID(string(s)) == string(s) }

// isCode reports whether s is a code: at most 64 lower-case letters, digits and underscores.
func isCode(s string) bool {
	for _, b := range []byte(s) {
		if (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}
