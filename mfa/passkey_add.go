package mfa

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// The ceremonies.
const (
	ceremonyAdd = "add"
	ceremonyAsk = "ask"
)

// ceremony is the state of one: the protocol's own, and what it was begun for, so that one cannot
// be ended as another or by somebody else.
type ceremony struct {
	Kind   string
	Tenant audit.Tenant
	Person audit.ActorID
	Era    string // see Credential.era; empty for asking
	State  []byte // the protocol's
}

func (c ceremony) encode() ([]byte, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, errors.New("mfa: encoding a ceremony")
	}
	return text, nil
}

// resume returns the ceremony if it is one of this kind, begun for the person or, with "", for
// anybody; errWrong otherwise.
func resume(kind string, t audit.Tenant, person audit.ActorID, state []byte) (ceremony, error) {
	var c ceremony
	if json.Unmarshal(state, &c) != nil || c.Kind != kind || c.Tenant != t || c.Person != person && c.Person != "" {
		return ceremony{}, errWrong
	}
	return c, nil
}

// era names the factors that a person has, "" for none: a registration adds nothing once they are
// not those with which it began, after a reset above all.
func (c Credential) era(rows []PasskeyRow) string {
	if !c.enrolled() {
		return ""
	}
	h := sha256.New()
	_, _ = fmt.Fprintln(h, c.Confirmed.UnixMicro(), c.Texted.UnixMicro(), hex.EncodeToString(c.Handle)) // never fails (hash.Hash)
	for _, row := range rows {
		_, _ = fmt.Fprintln(h, row.ID, row.Disabled.UnixMicro())
	}
	return hex.EncodeToString(h.Sum(nil))
}

// BeginPasskey begins to make a passkey. Account is what the device shows the person, an e-mail
// address for instance. Options are for the browser, state is for AddPasskey, within five minutes:
// keep it on the server, bound to the browser, and use it once.
//
// The first factor can be added in guided set-up. Beside another only the person themselves adds
// one, signed in and having proven a second factor just now: ErrEnrolled for everybody else,
// ErrUnproven where that is too long ago. ErrTooMany, ErrName if account is unusable, ErrNoPasskeys.
func (f *Factors) BeginPasskey(ctx context.Context, t audit.Tenant, person audit.ActorID, account string) (options, state []byte, err error) {
	account = strings.TrimSpace(account)
	if f.o.WebAuthn == nil {
		return nil, nil, ErrNoPasskeys
	}
	if !usableName(account) {
		return nil, nil, ErrName
	}
	was, err := f.read(ctx, t, person)
	if err != nil {
		return nil, nil, err
	}
	rows, err := f.room(ctx, was, f.now())
	if err != nil {
		return nil, nil, err
	}
	has, _, err := f.live(ctx, rows)
	if err != nil {
		return nil, nil, err
	}
	options, inner, err := f.o.WebAuthn.Create(PasskeyOwner{Handle: handleOf(was), Account: account, Has: has})
	if err != nil {
		return nil, nil, unavailable("beginning a passkey", err)
	}
	state, err = ceremony{ceremonyAdd, t, person, was.era(rows), inner}.encode()
	if err == nil {
		err = f.notePasskey(ctx, Ref{t, person, ""}, ActionBegun, audit.Success, "")
	}
	if err != nil {
		return nil, nil, err
	}
	return options, state, nil
}

// handleOf returns the person's user handle, a new one if they have none.
func handleOf(c Credential) []byte {
	if c.enrolled() && len(c.Handle) > 0 {
		return c.Handle
	}
	handle := make([]byte, handleBytes)
	rand.Read(handle) // never fails (crypto/rand)
	return handle
}

// room returns the passkeys there are, if another can be added to them.
func (f *Factors) room(ctx context.Context, was Credential, now time.Time) ([]PasskeyRow, error) {
	if err := f.admit(ctx, was, now); err != nil {
		return nil, err
	}
	rows, err := f.keys(ctx, was)
	if err == nil && len(rows) >= MaxPasskeys {
		err = ErrTooMany
	}
	return rows, err
}

// live returns the keys of those that are not disabled, and how many are.
func (f *Factors) live(ctx context.Context, rows []PasskeyRow) (keys []PublicKey, disabled int, err error) {
	for _, row := range rows {
		if !row.Disabled.IsZero() {
			disabled++
			continue
		}
		r, err := f.open(ctx, row)
		if err != nil {
			return nil, 0, err
		}
		keys = append(keys, row.public(r))
	}
	return keys, disabled, nil
}

// AddPasskey ends what BeginPasskey began. The label is the owner's name for the passkey, at most
// MaxLabel printable characters, else ErrName; for "" it makes one up. It returns what making the
// passkey proved: the person's tenant and ID with Methods, Assurance and PhishingResistant. Without
// an ID the response was not accepted, for instance because the person's factors changed since
// BeginPasskey. The person is told (NIST SP 800-63B-4, section 4.6). Errors like BeginPasskey.
func (f *Factors) AddPasskey(ctx context.Context, t audit.Tenant, person audit.ActorID, state, response []byte, label string) (proof audit.Actor, err error) {
	label = strings.TrimSpace(label)
	if f.o.WebAuthn == nil {
		return audit.Actor{}, ErrNoPasskeys
	}
	if label != "" && !usableLabel(label) {
		return audit.Actor{}, ErrName
	}
	begun, err := resume(ceremonyAdd, t, person, state)
	if err != nil || begun.Person != person {
		return f.refuse(ctx, Ref{t, person, ""}, codeCeremony)
	}
	key, err := f.o.WebAuthn.Created(begun.State, response)
	switch {
	case errors.Is(err, ErrPasskey):
		return f.refuse(ctx, Ref{t, person, ""}, codeRefused)
	case err != nil:
		return audit.Actor{}, unavailable("checking a passkey", err)
	}
	code := ""
	err = f.change(ctx, t, person, func(was Credential, now time.Time) (c Change, err error) {
		c, proof, code, err = f.adding(ctx, was, begun, key, label, now)
		return c, err
	})
	if errors.Is(err, errWrong) {
		return f.refuse(ctx, Ref{t, person, ""}, code)
	}
	if err != nil {
		return audit.Actor{}, err
	}
	return proof, nil
}

// adding decides about a new passkey. With errWrong comes the code of why not.
func (f *Factors) adding(ctx context.Context, was Credential, begun ceremony, key PublicKey, label string, now time.Time) (_ Change, proof audit.Actor, code string, err error) {
	rows, err := f.room(ctx, was, now)
	if err != nil {
		return Change{}, proof, "", err
	}
	if was.era(rows) != begun.Era || was.enrolled() && len(was.Handle) > 0 && !bytes.Equal(was.Handle, key.Handle) {
		return Change{}, proof, codeCeremony, errWrong
	}
	switch _, err := f.store.FindPasskey(ctx, begun.Tenant, keyHash(key.ID)); {
	case err == nil:
		return Change{}, proof, codeTaken, errWrong // section 7.1, step 26: of whomever
	case !errors.Is(err, ErrNotFound):
		return Change{}, proof, "", unavailable("finding a passkey", err)
	}
	if label == "" {
		label = fmt.Sprint("Passkey ", len(rows)+1)
	}
	r := keyRecord{
		ID: key.ID, Key: key.Key, Transports: key.Transports, Model: key.Model,
		Eligible: key.BackupEligible, Attested: key.Attested, Label: label,
	}
	row := PasskeyRow{
		Tenant: begun.Tenant, Person: begun.Person, ID: audit.NewID(now), Hash: keyHash(key.ID), Handle: key.Handle,
		Count: key.Count, BackedUp: key.BackedUp, Created: now,
	}
	put := was
	if put.ID == "" {
		put = Credential{Tenant: begun.Tenant, Person: begun.Person}.withoutApp(now)
	}
	put.Passkeys, put.Handle = len(rows)+1, key.Handle
	c, err := f.rewrite(ctx, put, row, r, now, ActionPasskeyAdded, audit.MessageAudit, audit.MessageNotice)
	return c, row.proof(r), "", err
}

// refuse records that a response proved nothing, and proves nothing.
func (f *Factors) refuse(ctx context.Context, r Ref, code string) (audit.Actor, error) {
	return audit.Actor{}, f.notePasskey(ctx, r, ActionFailed, audit.Failure, code)
}
