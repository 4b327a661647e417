package passkey

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"

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
	if v := string(m.value("userHandle")); v != "" && v != "null" && v != `""` {
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
	outer, err := readJSON(data)
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
	inner, err := readObject(outer.value("response"))
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
	m, err := readJSON(client)
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

// transports returns the hints that look like hints, in their order, the first eight.
func (m members) transports() (all []string) {
	var told []string
	if json.Unmarshal(m.value("transports"), &told) != nil {
		return nil
	}
	for _, s := range told {
		if transport.MatchString(s) && !slices.Contains(all, s) && len(all) < maxTransports {
			all = append(all, s)
		}
	}
	return all
}
