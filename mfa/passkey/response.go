package passkey

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/wardkit/wardkit/mfa"
)

const maxTransports = 8

var transport = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// response is a PublicKeyCredential as its toJSON returns it. Members that nothing is decided by
// (clientExtensionResults, authenticatorAttachment, what a browser adds) are not read.
type response struct {
	id, client []byte

	attestation []byte // registrations only
	transports  []string

	authData, signature, handle []byte // assertions only; handle nil if there is none
}

func readRegistration(data []byte) (*response, error) {
	r, m, err := readCredential(data)
	if err != nil {
		return nil, err
	}
	if r.attestation, err = m.bytes("attestationObject"); err != nil {
		return nil, err
	}
	r.transports = m.transports()
	return r, nil
}

func readAssertion(data []byte) (*response, error) {
	r, m, err := readCredential(data)
	if err != nil {
		return nil, err
	}
	if r.authData, err = m.bytes("authenticatorData"); err != nil {
		return nil, err
	}
	if r.signature, err = m.bytes("signature"); err != nil {
		return nil, err
	}
	if v, ok := m["userHandle"]; ok && string(v) != "null" && string(v) != `""` {
		if r.handle, err = m.bytes("userHandle"); err != nil {
			return nil, err
		}
		if len(r.handle) > handleSize {
			return nil, refused("a user handle that is too long")
		}
	}
	return r, nil
}

// readCredential reads what both kinds of responses have, and returns the members of "response".
func readCredential(data []byte) (*response, members, error) {
	if len(data) > MaxResponse {
		return nil, nil, refused("too large")
	}
	outer, err := readObject(data)
	if err != nil {
		return nil, nil, err
	}
	r := new(response)
	if r.id, err = outer.bytes("rawId"); err != nil {
		return nil, nil, err
	}
	id, err := outer.bytes("id")
	if err != nil {
		return nil, nil, err
	}
	kind, err := outer.text("type")
	switch {
	case err != nil:
		return nil, nil, err
	case !bytes.Equal(id, r.id) || len(id) > maxIDSize:
		return nil, nil, refused("no usable credential ID")
	case kind != "public-key":
		return nil, nil, refused("another type of credential")
	}
	inner, err := readObject(outer["response"])
	if err != nil {
		return nil, nil, err
	}
	if r.client, err = inner.bytes("clientDataJSON"); err != nil {
		return nil, nil, err
	}
	return r, inner, nil
}

// checkOwner compares what an assertion claims with the state and with the key it led to.
func checkOwner(s *state, r *response, key mfa.PublicKey) error {
	switch {
	case !bytes.Equal(r.id, key.ID):
		return refused("another passkey")
	case len(s.ids) > 0 && !s.names(r.id):
		return refused("a passkey that was not asked for")
	case r.handle != nil && !bytes.Equal(r.handle, key.Handle):
		return refused("another user handle")
	case r.handle == nil && len(s.ids) == 0:
		return refused("no user handle, and nobody was asked for") // section 7.2, step 6
	}
	return nil
}

// checkOrigin compares the origin byte for byte, where go-webauthn compares scheme and host.
func (v *Verifier) checkOrigin(client []byte) error {
	m, err := readObject(client)
	if err != nil {
		return err
	}
	origin, err := m.text("origin")
	if err != nil {
		return err
	}
	if !slices.Contains(v.rp.Origins, origin) {
		return refused("another origin")
	}
	return nil
}

// members are those of a JSON object, by their exact names.
type members map[string]json.RawMessage

// readObject reads one JSON object and refuses what two readers could read differently: a name
// twice, also in other case (encoding/json takes the last and does not mind the case), bytes that
// are not UTF-8, anything behind the object.
func readObject(data []byte) (members, error) {
	if !utf8.Valid(data) {
		return nil, refused("not UTF-8")
	}
	m, seen := make(members, 8), make(map[string]bool, 8)
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, refused("not a JSON object")
	}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, refused("not JSON")
		}
		if folded := strings.ToLower(name); seen[folded] {
			return nil, refused("a JSON name twice")
		} else {
			seen[folded] = true
		}
		var v json.RawMessage
		if d.Decode(&v) != nil {
			return nil, refused("not JSON")
		}
		m[name] = v
	}
	if _, err := d.Token(); err != nil {
		return nil, refused("not JSON")
	}
	if rest := data[d.InputOffset():]; len(bytes.TrimLeft(rest, " \t\r\n")) > 0 {
		return nil, refused("something behind the JSON object")
	}
	return m, nil
}

// text returns a member that is a string.
func (m members) text(name string) (string, error) {
	var s string
	if v := m[name]; len(v) == 0 || v[0] != '"' || json.Unmarshal(v, &s) != nil {
		return "", refused("no " + name)
	}
	return s, nil
}

// bytes returns a member that is base64url of something.
func (m members) bytes(name string) ([]byte, error) {
	s, err := m.text(name)
	if err != nil {
		return nil, err
	}
	raw, err := decode(s)
	if err != nil {
		return nil, err
	}
	if len(raw) == 0 {
		return nil, refused("no " + name)
	}
	return raw, nil
}

// transports returns the hints that look like hints, in their order, the first eight.
func (m members) transports() (all []string) {
	var told []string
	if v, ok := m["transports"]; !ok || json.Unmarshal(v, &told) != nil {
		return nil
	}
	for _, s := range told {
		if transport.MatchString(s) && !slices.Contains(all, s) && len(all) < maxTransports {
			all = append(all, s)
		}
	}
	return all
}
