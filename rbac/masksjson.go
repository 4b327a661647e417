package rbac

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/wardkit/wardkit/phi"
)

// maxMasks is the length in bytes up to which a table is read.
const maxMasks = 1 << 20

// MarshalJSON returns the table with the names of its levels, roles and classes in order. A row
// that hides everything is kept, as {}; a nil table is {}.
func (m Masks) MarshalJSON() ([]byte, error) {
	out := map[RoleName]map[phi.Class]string{}
	for role, row := range m {
		out[role] = map[phi.Class]string{}
		for class, level := range row {
			if level > phi.Full {
				return nil, errors.New("rbac: writing masks: unknown level")
			}
			if level != phi.Hide {
				out[role][class] = level.String()
			}
		}
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON writes. It refuses everything else, so that no part of a
// text is skipped: names of roles that are none, unknown classes and levels, a role or class that
// is named twice, null, more than 1 MiB. Whether a policy has the roles, and what its
// ceilings are, Validate tells.
func (m *Masks) UnmarshalJSON(text []byte) error {
	read, err := readMasks(text)
	if err != nil {
		return fmt.Errorf("rbac: reading masks: %w", err)
	}
	*m = read
	return nil
}

var errMasks = errors.New("not a table of roles, classes and levels")

func readMasks(text []byte) (Masks, error) {
	if len(text) > maxMasks {
		return nil, errors.New("too long")
	}
	if err := noRepeats(json.NewDecoder(bytes.NewReader(text))); err != nil {
		return nil, errMasks // the cause may quote it
	}
	var rows map[RoleName]map[phi.Class]*string
	if json.Unmarshal(text, &rows) != nil || rows == nil {
		return nil, errMasks
	}
	classes := map[phi.Class]bool{}
	for _, c := range phi.Classes() {
		classes[c] = true
	}
	out := Masks{}
	for role, row := range rows {
		if !isWord(string(role)) || row == nil {
			return nil, errMasks
		}
		out[role] = map[phi.Class]phi.Level{}
		for class, text := range row {
			level, ok := levelNamed(text)
			if !classes[class] || !ok {
				return nil, errMasks
			}
			if level != phi.Hide {
				out[role][class] = level
			}
		}
	}
	return out, nil
}

func levelNamed(text *string) (phi.Level, bool) {
	for l := phi.Hide; l <= phi.Full; l++ {
		if text != nil && *text == l.String() {
			return l, true
		}
	}
	return phi.Hide, false
}
