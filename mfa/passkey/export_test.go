package passkey

import "time"

// Guarded is guarded.
func Guarded(call func() (int, error)) (int, error) { return guarded(call) }

// StateOf makes a state with a challenge that somebody else chose.
func StateOf(create bool, challenge, handle []byte, until time.Time) []byte {
	s := &state{kind: assertion, challenge: challenge, until: until}
	if create {
		s.kind, s.handle = registration, handle
	}
	return s.encode()
}

// Recoded is what a state reads as, or nothing.
func Recoded(data []byte) ([]byte, bool) {
	s, ok := decodeState(data)
	if !ok {
		return nil, false
	}
	return s.encode(), true
}
