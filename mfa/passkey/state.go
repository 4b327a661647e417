package passkey

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"
)

// The kinds of ceremonies: the state of one never answers another.
const (
	registration byte = 'c'
	assertion    byte = 'g'

	stateVersion byte = 1
)

// state is what a ceremony's second call needs from its first.
type state struct {
	kind      byte
	until     time.Time // in microseconds
	challenge []byte
	handle    []byte   // registrations: of the owner
	ids       [][]byte // registrations: excluded; assertions: allowed, none for any
}

// encode lays the state out as version, kind, until (8 bytes), challenge (32 bytes), then the handle
// and each ID behind its length (2 bytes). Numbers are big-endian.
func (s *state) encode() []byte {
	out := append(make([]byte, 0, 128), stateVersion, s.kind)
	out = binary.BigEndian.AppendUint64(out, uint64(s.until.UnixMicro())) //nolint:gosec // back and forth
	out = append(out, s.challenge...)
	for _, p := range append([][]byte{s.handle}, s.ids...) {
		out = binary.BigEndian.AppendUint16(out, uint16(len(p))) //nolint:gosec // at most 1023
		out = append(out, p...)
	}
	return out
}

// decodeState reads what encode made, and nothing else. The result keeps parts of data.
func decodeState(data []byte) (*state, bool) {
	const fixed = 2 + 8 + challengeSize
	if len(data) < fixed || data[0] != stateVersion {
		return nil, false
	}
	s := &state{
		kind:      data[1],
		until:     time.UnixMicro(int64(binary.BigEndian.Uint64(data[2:]))).UTC(), //nolint:gosec // back and forth
		challenge: data[10:fixed:fixed],
	}
	var parts [][]byte
	for rest := data[fixed:]; len(rest) > 0; {
		if len(rest) < 2 {
			return nil, false
		}
		n := int(binary.BigEndian.Uint16(rest))
		if n > len(rest)-2 || n > maxIDSize || len(parts) > MaxKeys {
			return nil, false
		}
		parts = append(parts, rest[2:2+n:2+n])
		rest = rest[2+n:]
	}
	if len(parts) == 0 || slices.ContainsFunc(parts[1:], func(id []byte) bool { return len(id) == 0 }) {
		return nil, false
	}
	s.handle, s.ids = parts[0], parts[1:]
	switch {
	case s.kind == registration && len(s.handle) == handleSize,
		s.kind == assertion && len(s.handle) == 0:
		return s, true
	}
	return nil, false
}

// names reports whether the state lists the credential ID.
func (s *state) names(id []byte) bool {
	return slices.ContainsFunc(s.ids, func(have []byte) bool { return bytes.Equal(have, id) })
}

// resume reads the state of a ceremony of this kind that has not expired.
func (v *Verifier) resume(data []byte, kind byte) (*state, error) {
	s, ok := decodeState(data)
	switch {
	case !ok:
		return nil, refused("unreadable state")
	case s.kind != kind:
		return nil, refused("the state of another kind of ceremony")
	case !v.now().Before(s.until):
		return nil, refused("expired")
	}
	return s, nil
}
