package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/wardkit/wardkit/internal/bench/turns"
	"github.com/wardkit/wardkit/mfa"
	"github.com/wardkit/wardkit/mfa/passkey"
)

const (
	rpID   = "clinic.example"
	origin = "https://app.clinic.example"
)

// row is one algorithm: the bare signature, this package, go-webauthn.
type row struct{ bare, ours, theirs *turns.Case }

// signer is a key of one algorithm.
type signer struct {
	name   string
	cose   []byte
	sign   func(message []byte) ([]byte, error)
	verify func(message, signature []byte) bool
}

func allRows() ([]row, error) {
	signers, err := allSigners()
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, s := range signers {
		r, err := s.row()
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func allSigners() ([]signer, error) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	point, err := ec.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	edPublic, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	digest := func(m []byte) []byte { sum := sha256.Sum256(m); return sum[:] }
	return []signer{
		{
			"ES256",
			slices.Concat([]byte{0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32}, point[1:33], []byte{0x22, 0x58, 32}, point[33:]),
			func(m []byte) ([]byte, error) { return ecdsa.SignASN1(rand.Reader, ec, digest(m)) },
			func(m, s []byte) bool { return ecdsa.VerifyASN1(&ec.PublicKey, digest(m), s) },
		},
		{
			"Ed25519",
			slices.Concat([]byte{0xa4, 1, 1, 3, 0x27, 0x20, 6, 0x21, 0x58, 32}, edPublic),
			func(m []byte) ([]byte, error) { return ed25519.Sign(ed, m), nil },
			func(m, s []byte) bool { return ed25519.Verify(edPublic, m, s) },
		},
		{
			"RS256, 2048 bits",
			slices.Concat([]byte{0xa4, 1, 3, 3, 0x39, 1, 0, 0x20, 0x59, 1, 0}, rs.N.Bytes(), []byte{0x21, 0x43, 1, 0, 1}),
			func(m []byte) ([]byte, error) { return rsa.SignPKCS1v15(nil, rs, crypto.SHA256, digest(m)) },
			func(m, s []byte) bool { return rsa.VerifyPKCS1v15(&rs.PublicKey, crypto.SHA256, digest(m), s) == nil },
		},
	}, nil
}

// row makes one sign-in with the key, and the three ways to check it.
func (s signer) row() (row, error) {
	key := mfa.PublicKey{ID: bytes.Repeat([]byte{7}, 32), Handle: bytes.Repeat([]byte{9}, 64), Key: s.cose, Count: 4}
	ours, err := passkey.New(passkey.RelyingParty{ID: rpID, Name: "Example Clinic", Origins: []string{origin}}, &passkey.Options{Now: func() time.Time { return time.Unix(0, 0) }})
	if err != nil {
		return row{}, err
	}
	options, state, err := ours.Request([]mfa.PublicKey{key})
	if err != nil {
		return row{}, err
	}
	var o struct{ Challenge string }
	if err := json.Unmarshal(options, &o); err != nil {
		return row{}, err
	}
	client := []byte(`{"type":"webauthn.get","challenge":"` + o.Challenge + `","origin":"` + origin + `","crossOrigin":false}`)
	rp, sum := sha256.Sum256([]byte(rpID)), sha256.Sum256(client)
	auth := append(rp[:], 0x05, 0, 0, 0, 5)
	message := slices.Concat(auth, sum[:])
	signature, err := s.sign(message)
	if err != nil {
		return row{}, err
	}
	response := response(key, client, auth, signature)
	theirs, err := peer(key, o.Challenge, response)
	if err != nil {
		return row{}, err
	}
	return row{
		bare: &turns.Case{Name: s.name + ", bare signature", Run: func() error {
			if !s.verify(message, signature) {
				return errors.New("a bad signature")
			}
			return nil
		}},
		ours: &turns.Case{Name: s.name + ", wardkit", Run: func() error {
			used, err := ours.Asserted(state, response, key)
			if err == nil && used.Count != 5 {
				err = errors.New("another counter")
			}
			return err
		}},
		theirs: &turns.Case{Name: s.name + ", go-webauthn", Run: theirs},
	}, nil
}

// response is what Chromium's toJSON returns.
func response(key mfa.PublicKey, client, auth, signature []byte) []byte {
	b64 := base64.RawURLEncoding.EncodeToString
	return []byte(`{"authenticatorAttachment":"platform","clientExtensionResults":{},"id":"` + b64(key.ID) + `","rawId":"` + b64(key.ID) +
		`","response":{"authenticatorData":"` + b64(auth) + `","clientDataJSON":"` + b64(client) + `","signature":"` + b64(signature) +
		`","userHandle":"` + b64(key.Handle) + `"},"type":"public-key"}`)
}

// user is go-webauthn's.
type user struct {
	id          []byte
	credentials []webauthn.Credential
}

func (u *user) WebAuthnID() []byte                         { return u.id }
func (u *user) WebAuthnName() string                       { return "dr.lin@example.com" }
func (u *user) WebAuthnDisplayName() string                { return "dr.lin@example.com" }
func (u *user) WebAuthnCredentials() []webauthn.Credential { return u.credentials }

// peer is go-webauthn as its FinishLogin uses it.
func peer(key mfa.PublicKey, challenge string, response []byte) (func() error, error) {
	w, err := webauthn.New(&webauthn.Config{RPID: rpID, RPDisplayName: "Example Clinic", RPOrigins: []string{origin}})
	if err != nil {
		return nil, err
	}
	u := &user{key.Handle, []webauthn.Credential{{
		ID: key.ID, PublicKey: key.Key, Authenticator: webauthn.Authenticator{SignCount: key.Count},
	}}}
	session := webauthn.SessionData{
		Challenge: challenge, RelyingPartyID: rpID, UserID: key.Handle, AllowedCredentialIDs: [][]byte{key.ID},
		Expires: time.Now().Add(24 * time.Hour), UserVerification: protocol.VerificationRequired,
	}
	return func() error {
		parsed, err := protocol.ParseCredentialRequestResponseBytes(response)
		if err != nil {
			return err
		}
		c, err := w.ValidateLogin(u, session, parsed)
		if err == nil && (c.Authenticator.SignCount != 5 || c.Authenticator.CloneWarning) {
			err = errors.New("another counter")
		}
		return err
	}, nil
}
