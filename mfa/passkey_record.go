package mfa

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

const maxKeyID = 1023 // bytes of a credential ID (WebAuthn Level 3, section 6.5.1)

// keyRecord is what describes a passkey beside its row, as JSON, sealed: nobody with the database
// alone can read it, change it, move it to somebody else or add a key of their own.
type keyRecord struct {
	ID         []byte
	Key        []byte
	Transports []string `json:",omitempty"`
	Model      [16]byte
	Eligible   bool // BE
	Attested   bool
	Label      string
	Disabled   bool // with the row's time: to undo it takes more than that column
}

func (r keyRecord) usable() bool {
	return len(r.ID) > 0 && len(r.ID) <= maxKeyID && len(r.Key) > 0 && usableLabel(r.Label)
}

func encodeRecord(r keyRecord) ([]byte, error) {
	text, err := json.Marshal(r)
	if err != nil || !r.usable() {
		return nil, errors.New("mfa: encoding a passkey")
	}
	return text, nil
}

func decodeRecord(text []byte) (keyRecord, error) {
	var r keyRecord
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil || d.More() || !r.usable() {
		return keyRecord{}, errors.New("mfa: a stored passkey is not readable") // no text of the record
	}
	return r, nil
}

// passkeyPlace is what a record is bound to. Only the person's id, which comes last, may hold a
// slash.
func passkeyPlace(row PasskeyRow) phi.At {
	return phi.At{Tenant: row.Tenant, Field: "mfa.passkey", Row: row.ID + "/" + hex.EncodeToString(row.Handle) + "/" + string(row.Person)}
}

func (f *Factors) seal(ctx context.Context, row PasskeyRow, r keyRecord) ([]byte, error) {
	text, err := encodeRecord(r)
	if err != nil {
		return nil, unavailable("sealing a passkey", err)
	}
	sealed, err := f.vault.Seal(ctx, passkeyPlace(row), text)
	if err != nil {
		return nil, unavailable("sealing a passkey", err)
	}
	return sealed, nil
}

// open returns the record of a row. Unless the key store or the KMS was merely out of reach, one
// that does not open is recorded: the row was altered, or moved here from somewhere else.
func (f *Factors) open(ctx context.Context, row PasskeyRow) (keyRecord, error) {
	r, err := f.unseal(ctx, row)
	if err == nil {
		return r, nil
	}
	cause := unavailable("opening a passkey", err)
	if errors.Is(err, phi.ErrUnavailable) {
		return keyRecord{}, cause
	}
	return keyRecord{}, errors.Join(cause, f.notePasskey(ctx, row.ref(), ActionFailed, audit.MajorFailure, "unreadable"))
}

func (f *Factors) unseal(ctx context.Context, row PasskeyRow) (keyRecord, error) {
	text, err := f.vault.Unseal(ctx, passkeyPlace(row), phi.Sealed(row.Sealed))
	if err != nil {
		return keyRecord{}, err
	}
	r, err := decodeRecord(text)
	if err != nil {
		return keyRecord{}, err
	}
	if subtle.ConstantTimeCompare(keyHash(r.ID), row.Hash) != 1 {
		return keyRecord{}, errors.New("mfa: a passkey is stored under another's hash")
	}
	return r, nil
}

// keyHash is what a credential ID is found by.
func keyHash(id []byte) []byte {
	h := sha256.Sum256(id)
	return h[:]
}

func (p PasskeyRow) ref() Ref { return Ref{p.Tenant, p.Person, p.ID} }

// public returns what the protocol checks responses with.
func (p PasskeyRow) public(r keyRecord) PublicKey {
	return PublicKey{
		ID: r.ID, Handle: p.Handle, Key: r.Key, Transports: r.Transports, Model: r.Model, Count: p.Count,
		BackupEligible: r.Eligible, BackedUp: p.BackedUp, Attested: r.Attested,
	}
}

// proof is what a passkey proves of its owner. A key that can be copied reaches AAL2 whatever
// vouches for it (NIST SP 800-63B-4, section 3.1.7), one that cannot AAL3 where its maker does.
func (p PasskeyRow) proof(r keyRecord) audit.Actor {
	a := audit.Actor{Tenant: p.Tenant, ID: p.Person, Session: p.ID, Methods: []string{"hwk", "user"}, Assurance: audit.AAL2, PhishingResistant: true}
	switch {
	case r.Eligible || p.BackedUp:
		a.Methods[0] = "swk"
	case r.Attested:
		a.Assurance = audit.AAL3
	}
	return a
}
