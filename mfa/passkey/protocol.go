package passkey

import (
	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
)

// algorithms are what platforms, security keys and Windows Hello make, in order of preference.
func algorithms() []protocol.CredentialParameter {
	return []protocol.CredentialParameter{
		{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgES256},
		{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgEdDSA},
		{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgRS256},
	}
}

// What go-webauthn is told, each once for both ceremonies. Its comparison of origins comes after
// the strict one; a frame inside another site is refused, so there are no top origins.
const (
	allowCrossOrigin    = false
	requireVerification = true
	requirePresence     = true
	topOrigins          = protocol.TopOriginExplicitVerificationMode
)

// made is what a registration says of a new key.
type made struct {
	key   []byte // COSE_Key
	model [16]byte
	count uint32
	flags protocol.AuthenticatorFlags
}

// used is what an assertion says of a key's use.
type used struct {
	count uint32
	flags protocol.AuthenticatorFlags
}

// verifyRegistration takes the steps of WebAuthn Level 3, section 7.1, that are left.
func (v *Verifier) verifyRegistration(s *state, r *response) (made, error) {
	return guarded(func() (made, error) {
		p, err := protocol.CredentialCreationResponse{
			PublicKeyCredential: credential(r),
			AttestationResponse: protocol.AuthenticatorAttestationResponse{
				AuthenticatorResponse: protocol.AuthenticatorResponse{ClientDataJSON: r.client},
				AttestationObject:     r.attestation,
			},
		}.Parse()
		if err != nil {
			return made{}, refused("not a registration")
		}
		object := &p.Response.AttestationObject
		if !unattested(object) {
			return made{}, refused("an attestation that was not asked for")
		}
		if _, err := p.Verify(encode(s.challenge), v.rp.ID, v.rp.Origins, nil, nil, topOrigins, allowCrossOrigin,
			requireVerification, requirePresence, nil, algorithms(), protocol.AttestationPolicy{}, protocol.SignaturePolicy{}); err != nil {
			return made{}, refused("go-webauthn refuses the registration")
		}
		data := &object.AuthData
		if !usable(data.AttData.CredentialPublicKey) {
			return made{}, refused("an unusable public key")
		}
		m := made{key: data.AttData.CredentialPublicKey, count: data.Counter, flags: data.Flags}
		copy(m.model[:], data.AttData.AAGUID)
		return m, nil
	})
}

// verifyAssertion takes the steps of WebAuthn Level 3, section 7.2, that are left.
func (v *Verifier) verifyAssertion(s *state, r *response, key []byte) (used, error) {
	return guarded(func() (used, error) {
		p, err := protocol.CredentialAssertionResponse{
			PublicKeyCredential: credential(r),
			AssertionResponse: protocol.AuthenticatorAssertionResponse{
				AuthenticatorResponse: protocol.AuthenticatorResponse{ClientDataJSON: r.client},
				AuthenticatorData:     r.authData,
				Signature:             r.signature,
				UserHandle:            r.handle,
			},
		}.Parse()
		if err != nil {
			return used{}, refused("not an assertion")
		}
		if p.Verify(encode(s.challenge), v.rp.ID, "", v.rp.Origins, nil, nil, topOrigins, allowCrossOrigin,
			requireVerification, requirePresence, key, protocol.SignaturePolicy{}) != nil {
			return used{}, refused("go-webauthn refuses the assertion")
		}
		data := &p.Response.AuthenticatorData
		return used{data.Counter, data.Flags}, nil
	})
}

func credential(r *response) protocol.PublicKeyCredential {
	return protocol.PublicKeyCredential{
		Credential: protocol.Credential{ID: encode(r.id), Type: string(protocol.PublicKeyCredentialType)},
		RawID:      r.id,
	}
}

// unattested reports whether the statement is one that comes where none was asked for: none, or the
// new key's own signature. The other formats bring certificates, TPM structures and tokens to parse.
func unattested(o *protocol.AttestationObject) bool {
	switch protocol.AttestationFormat(o.Format) {
	case protocol.AttestationFormatNone:
		return true
	case protocol.AttestationFormatPacked:
		_, certified := o.AttStatement["x5c"]
		_, anonymous := o.AttStatement["ecdaaKeyId"]
		return !certified && !anonymous
	default:
		return false
	}
}

// usable reports whether assertions with this key can be verified, which a registration without
// attestation does not show, and whether that is neither weak nor slow.
func usable(key []byte) bool {
	parsed, err := webauthncose.ParsePublicKey(key)
	if err != nil {
		return false
	}
	k, ok := parsed.(webauthncose.RSAPublicKeyData)
	if !ok {
		return true
	}
	e, err := webauthncose.ParseRSAPublicKeyDataExponent(&k)
	bits := 8 * len(k.Modulus)
	return err == nil && e == 65537 && bits >= 2048 && bits <= 4096 && k.Modulus[0] != 0 && k.Modulus[len(k.Modulus)-1]&1 == 1
}

// guarded turns a panic in go-webauthn or below, where every byte is the sender's, into a refusal.
func guarded[T any](call func() (T, error)) (out T, err error) {
	defer func() {
		if recover() != nil {
			var none T
			out, err = none, refused("go-webauthn panicked")
		}
	}()
	return call()
}
