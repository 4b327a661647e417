package passkey

import "time"

// Guarded is guarded.
func Guarded(call func() (int, error)) (int, error) { return guarded(call) }

// StateOf makes a state with a challenge that somebody else chose: of a registration if there is a
// handle, otherwise of an assertion with one of these IDs.
func StateOf(challenge, handle []byte, until time.Time, ids ...[]byte) []byte {
	s := &state{kind: assertion, challenge: challenge, handle: handle, until: until, ids: ids}
	if handle != nil {
		s.kind = registration
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

// ReadJSON returns the members of an object by name, or why it is refused.
func ReadJSON(data []byte) (map[string]string, error) {
	m, err := readJSON(data)
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, x := range m {
		all[x.name] = string(x.value)
	}
	return all, nil
}
