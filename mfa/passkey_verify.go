package mfa

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// AskPasskey asks the browser to prove one of the person's passkeys or, for "", one of whoever it
// is. Options are for the browser, also for its autofill; state is for VerifyPasskey, within five
// minutes: keep it on the server, bound to the browser, and use it once. ErrNotEnrolled if the
// person has none, ErrPasskeyDisabled if all they have are disabled, ErrNoPasskeys.
func (f *Factors) AskPasskey(ctx context.Context, t audit.Tenant, person audit.ActorID) (options, state []byte, err error) {
	if f.o.WebAuthn == nil {
		return nil, nil, ErrNoPasskeys
	}
	var allow []PublicKey
	if person != "" {
		if allow, err = f.allowed(ctx, t, person); err != nil {
			return nil, nil, err
		}
	}
	options, inner, err := f.o.WebAuthn.Request(allow)
	if err != nil {
		return nil, nil, unavailable("asking for a passkey", err)
	}
	state, err = ceremony{Kind: ceremonyAsk, Tenant: t, Person: person, State: inner}.encode()
	if err != nil {
		return nil, nil, err
	}
	return options, state, nil
}

// allowed returns the keys that can be asked for. It is never none: that would ask for anybody's.
func (f *Factors) allowed(ctx context.Context, t audit.Tenant, person audit.ActorID) ([]PublicKey, error) {
	was, err := f.read(ctx, t, person)
	if err != nil {
		return nil, err
	}
	rows, err := f.keys(ctx, was)
	if err != nil {
		return nil, err
	}
	keys, disabled, err := f.live(ctx, rows)
	switch {
	case err != nil:
		return nil, err
	case len(keys) > 0:
		return keys, nil
	case disabled > 0:
		return nil, ErrPasskeyDisabled
	}
	return nil, ErrNotEnrolled
}

// PasskeyOwner returns whose passkey a response names, with nothing proven; "" if nobody's.
func (f *Factors) PasskeyOwner(ctx context.Context, t audit.Tenant, response []byte) (audit.ActorID, error) {
	if f.o.WebAuthn == nil {
		return "", ErrNoPasskeys
	}
	row, _, err := f.claimed(ctx, t, "", "", response)
	if errors.Is(err, errWrong) {
		return "", nil
	}
	return row.Person, err
}

// claimed returns the row of the passkey that a response names, with nothing proven; errWrong, and
// the code of why, if there is none or it is not this person's. Person "" is anybody. Where nobody
// was asked for by name, the response has to name the owner's handle.
func (f *Factors) claimed(ctx context.Context, t audit.Tenant, person, asked audit.ActorID, response []byte) (PasskeyRow, string, error) {
	id, handle, err := f.o.WebAuthn.Claimed(response)
	if errors.Is(err, ErrPasskey) {
		return PasskeyRow{}, codeRefused, errWrong
	}
	if err != nil {
		return PasskeyRow{}, "", unavailable("reading a response", err)
	}
	row, err := f.store.FindPasskey(ctx, t, keyHash(id))
	if errors.Is(err, ErrNotFound) {
		return PasskeyRow{}, codeUnknown, errWrong
	}
	if err != nil {
		return PasskeyRow{}, "", unavailable("finding a passkey", err)
	}
	if person != "" && row.Person != person || asked == "" && !bytes.Equal(row.Handle, handle) {
		return PasskeyRow{}, codeUnknown, errWrong
	}
	c, err := f.read(ctx, t, row.Person)
	if err != nil {
		return PasskeyRow{}, "", err
	}
	if c.Passkeys == 0 || !row.of(c) {
		return PasskeyRow{}, codeUnknown, errWrong
	}
	return row, "", nil
}

// VerifyPasskey checks the response to AskPasskey for the same person or for "". With a person it
// is theirs or not accepted, with "" it is whose it is, after AskPasskey for "" only. It returns what
// was proven: the person's tenant and ID, as Session the passkey's ID, with Methods (RFC 8176: "swk"
// for a passkey that can be copied to other devices, "hwk" for one that cannot, and "user", because
// the device verified who uses it), Assurance and PhishingResistant. Without an ID the response was not
// accepted, and of responses with the same signature counter above 0 one is, whatever comes at the
// same time on however many servers.
//
// A counter that did not grow means that there is a second copy of a key that cannot be copied:
// the passkey is disabled at once and for ever, the person's sessions end and they are told.
// ErrPasskeyDisabled then, and for every right response to it later; ErrNoPasskeys.
func (f *Factors) VerifyPasskey(ctx context.Context, t audit.Tenant, person audit.ActorID, state, response []byte) (proof audit.Actor, err error) {
	if f.o.WebAuthn == nil {
		return audit.Actor{}, ErrNoPasskeys
	}
	begun, err := resume(ceremonyAsk, t, person, state)
	if err != nil {
		return f.refuse(ctx, Ref{t, person, ""}, codeCeremony)
	}
	row, code, err := f.claimed(ctx, t, person, begun.Person, response)
	if errors.Is(err, errWrong) {
		return f.refuse(ctx, Ref{t, person, ""}, code)
	}
	if err != nil {
		return audit.Actor{}, err
	}
	r, err := f.open(ctx, row)
	if err != nil {
		return audit.Actor{}, err
	}
	said, err := f.o.WebAuthn.Asserted(begun.State, response, row.public(r))
	switch {
	case errors.Is(err, ErrPasskey):
		return f.refuse(ctx, row.ref(), codeRefused)
	case err != nil:
		return audit.Actor{}, unavailable("checking a passkey", err)
	case r.Disabled || !row.Disabled.IsZero():
		return f.barred(ctx, row, codeDisabled)
	case said.Cloned:
		return f.cloned(ctx, row)
	}
	return f.accept(ctx, row, r, said)
}

// accept notes the use of a passkey and returns what it proves.
func (f *Factors) accept(ctx context.Context, row PasskeyRow, r keyRecord, said Assertion) (audit.Actor, error) {
	ok, err := f.store.UsePasskey(ctx, row.ref(), said.Count, said.BackedUp, f.now())
	if err != nil {
		return audit.Actor{}, unavailable("using a passkey", err)
	}
	if !ok {
		return f.overtakenKey(ctx, row)
	}
	if err := f.notePasskey(ctx, row.ref(), ActionVerified, audit.Success, ""); err != nil {
		return audit.Actor{}, err
	}
	row.BackedUp = said.BackedUp
	return row.proof(r), nil
}

// overtakenKey says why a use found the row no longer as it was read: it was disabled, ended, or
// used with this counter or a higher one. The last is no sign of a copy, only of two at once.
func (f *Factors) overtakenKey(ctx context.Context, row PasskeyRow) (audit.Actor, error) {
	have, err := f.store.FindPasskey(ctx, row.Tenant, row.Hash)
	switch {
	case errors.Is(err, ErrNotFound):
		return f.refuse(ctx, row.ref(), codeUnknown)
	case err != nil:
		return audit.Actor{}, unavailable("finding a passkey", err)
	case !have.Disabled.IsZero():
		return f.barred(ctx, row, codeDisabled)
	}
	return audit.Actor{}, f.notePasskey(ctx, row.ref(), ActionReplayed, audit.Failure, "used_before")
}

// barred records that a disabled passkey was tried. It never proves anything.
func (f *Factors) barred(ctx context.Context, row PasskeyRow, code string) (audit.Actor, error) {
	if err := f.notePasskey(ctx, row.ref(), ActionFailed, audit.Failure, code); err != nil {
		return audit.Actor{}, err
	}
	return audit.Actor{}, ErrPasskeyDisabled
}

// cloned disables a passkey of which there is a second copy. Nothing may come before: whoever
// holds the copy has been somebody else all along.
func (f *Factors) cloned(ctx context.Context, row PasskeyRow) (audit.Actor, error) {
	err := f.change(ctx, row.Tenant, row.Person, func(was Credential, now time.Time) (Change, error) {
		have, _, err := f.one(ctx, was, row.ID)
		if err != nil {
			return Change{}, err
		}
		if !have.Disabled.IsZero() {
			return Change{}, ErrPasskeyDisabled
		}
		r, err := f.open(ctx, have)
		if err != nil {
			return Change{}, err
		}
		have.Disabled, r.Disabled = now, true
		return f.rewrite(ctx, was, have, r, now, ActionPasskeyCloned, audit.MessageRevoke, audit.MessageAudit, audit.MessageNotice)
	})
	switch {
	case errors.Is(err, ErrNotFound): // removed meanwhile
		return f.refuse(ctx, row.ref(), codeCloned)
	case err != nil && !errors.Is(err, ErrPending) && !errors.Is(err, ErrPasskeyDisabled):
		return audit.Actor{}, err
	}
	return f.barred(ctx, row, codeCloned)
}
