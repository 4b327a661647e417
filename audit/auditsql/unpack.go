package auditsql

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// unpack is the inverse of pack, into the room of a slice; it reports false for what pack never
// wrote, or wrote for another row.
func unpack(room, packed []byte, c packContext) ([]byte, bool) {
	out := room[:0]
	switch {
	case len(packed) == 0 || len(c.id) != 16:
		return out, false
	case packed[0] == packedRaw:
		return append(out, packed[1:]...), len(packed) <= 1+audit.MaxBody
	case packed[0] != packedTable:
		return out, false
	}
	out = slices.Grow(out, 3*len(packed)+128)
	for packed = packed[1:]; len(packed) > 0 && len(out) <= audit.MaxBody; {
		n := 1
		if b := packed[0]; plain(b) {
			out = append(out, b)
		} else if out, n = expand(out, packed, &c); n == 0 {
			return out, false
		}
		packed = packed[n:]
	}
	return out, len(out) <= audit.MaxBody
}

// expand appends what the first token stands for and returns its size, 0 for none.
func expand(out, packed []byte, c *packContext) ([]byte, int) {
	token, rest := packed[0], packed[1:]
	switch {
	case token == tokenID:
		return appendID(out, c.id), 1
	case token == tokenRecorded:
		return c.appendTime(out), 1
	case token == tokenTenant:
		return c.appendTenant(out), 1
	case token == tokenUUID && len(rest) >= 16:
		return appendID(out, rest[:16]), 17
	case token == tokenHash && len(rest) >= 32:
		return base64.StdEncoding.AppendEncode(out, rest[:32]), 33
	case token == tokenTime && len(rest) >= 8:
		t := time.UnixMicro(int64(binary.BigEndian.Uint64(rest))).UTC()
		return t.AppendFormat(out, timeLayout), 9
	case token == tokenHex && len(rest) > 0 && len(rest) > int(rest[0]):
		n := 1 + int(rest[0]) // as an int: a forged length of 255 has no room in a byte
		return hex.AppendEncode(out, rest[1:n]), 1 + n
	case token >= tokenFirst && token < tokenMore:
		return append(out, fragments[token-tokenFirst]...), 1
	case token == tokenMore && len(rest) > 0 && int(rest[0]) < len(fragments):
		return append(out, fragments[rest[0]]...), 2
	}
	return out, 0
}

// samePacked reports whether a row's body is a given one.
func samePacked(r *row, tenant string, body []byte) bool {
	have, ok := unpack(nil, r.body, packContext{tenant, r.id, r.recorded})
	return ok && bytes.Equal(have, body)
}
