package passkeytest

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
)

// The flags of authenticator data (WebAuthn Level 3, section 6.1).
const (
	UP = 1 << 0 // user present
	UV = 1 << 2 // user verified
	BE = 1 << 3 // backup eligible
	BS = 1 << 4 // backed up
	AT = 1 << 6 // attested credential data included
	ED = 1 << 7 // extension data included
)

// Claims is what a response says.
type Claims struct {
	Type        string // webauthn.create or webauthn.get
	Challenge   string // base64url, as in the options
	Origin      string
	CrossOrigin bool
	TopOrigin   string

	RPID  string
	Flags byte
	Count uint32
	Model [16]byte // AAGUID; registrations only
	ID    []byte
	Key   []byte // COSE_Key; registrations only

	Handle []byte // assertions only; nil: none

	// ClientData and AuthData, if set, are used instead of what the fields above make.
	ClientData, AuthData []byte
}

// Bytes returns the client data (JSON) and the authenticator data as they go into the response.
func (c *Claims) Bytes() (clientData, authData []byte) {
	clientData, authData = c.ClientData, c.AuthData
	if clientData == nil {
		clientData, _ = json.Marshal(struct {
			Type        string `json:"type"`
			Challenge   string `json:"challenge"`
			Origin      string `json:"origin"`
			CrossOrigin bool   `json:"crossOrigin"`
			TopOrigin   string `json:"topOrigin,omitempty"`
		}{c.Type, c.Challenge, c.Origin, c.CrossOrigin, c.TopOrigin})
	}
	if authData == nil {
		rp := sha256.Sum256([]byte(c.RPID))
		authData = append(rp[:], c.Flags)
		authData = binary.BigEndian.AppendUint32(authData, c.Count)
		if c.Flags&AT != 0 {
			authData = append(authData, c.Model[:]...)
			authData = binary.BigEndian.AppendUint16(authData, uint16(len(c.ID)))
			authData = append(authData, c.ID...)
			authData = append(authData, c.Key...)
		}
	}
	return clientData, authData
}

type response struct {
	ClientData        string   `json:"clientDataJSON"`
	AuthenticatorData string   `json:"authenticatorData"`
	AttestationObject string   `json:"attestationObject,omitempty"`
	Transports        []string `json:"transports,omitempty"`
	Signature         string   `json:"signature,omitempty"`
	UserHandle        string   `json:"userHandle,omitempty"`
}

func (c *Claims) registration() []byte {
	client, auth := c.Bytes()
	return c.credential(response{
		ClientData: encode(client), AuthenticatorData: encode(auth),
		AttestationObject: encode(attestation(auth)), Transports: []string{"hybrid", "internal"},
	})
}

func (c *Claims) assertion(private *ecdsa.PrivateKey) ([]byte, error) {
	client, auth := c.Bytes()
	signature, err := sign(private, auth, client)
	if err != nil {
		return nil, err
	}
	return c.credential(response{
		ClientData: encode(client), AuthenticatorData: encode(auth),
		Signature: encode(signature), UserHandle: encode(c.Handle),
	}), nil
}

func (c *Claims) credential(r response) []byte {
	out, _ := json.Marshal(struct {
		ID         string         `json:"id"`
		RawID      string         `json:"rawId"`
		Type       string         `json:"type"`
		Response   response       `json:"response"`
		Attachment string         `json:"authenticatorAttachment"`
		Extensions map[string]any `json:"clientExtensionResults"`
	}{encode(c.ID), encode(c.ID), "public-key", r, "platform", map[string]any{}})
	return out
}

func encode(p []byte) string { return base64.RawURLEncoding.EncodeToString(p) }
