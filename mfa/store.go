package mfa

import (
	"context"
	"iter"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Credential is what a store keeps of a person's second factors as a whole: one row per tenant
// and person, there as long as the person has any. It holds the authenticator app and the
// recovery codes, and it counts what has rows of its own, so that this row alone says whether
// somebody has a second factor, and its version orders every change to any of them.
type Credential struct {
	Tenant  audit.Tenant
	Person  audit.ActorID
	ID      string // UUIDv7, new with every enrolment of an app
	Version int64  // counts the writes to this row, from 1
	Secret  []byte // the app's TOTP key, sealed; nil in what List yields

	Step     int64 // last time step a code was accepted for, 0 before the first
	Failures int   // consecutive wrong codes

	Created   time.Time // when the app's key was made, zero: no app; UTC, microseconds, like all times here
	Confirmed time.Time // zero: the app's enrolment is pending, or there is none
	Used      time.Time // last accepted code
	Locked    time.Time // not zero: the app was disabled after too many wrong codes

	Recovery []byte    // the unused recovery codes' hashes, sealed; empty if there are none; nil in what List yields
	Next     []byte    // the key that shall take Secret's place, sealed; empty if there is none; nil in what List yields
	NextMade time.Time // when Next was made

	Passkeys int       // how many passkeys the person has, disabled ones among them
	Handle   []byte    // the user handle of all of them, 64 random bytes; empty before the first; nil in what List yields
	Texted   time.Time // since when the person has a verified number for text messages; zero: none
}

// Ref names what a write expects to find: one enrolment of one person.
type Ref struct {
	Tenant audit.Tenant
	Person audit.ActorID
	ID     string
}

// Ref returns the reference to c.
func (c Credential) Ref() Ref { return Ref{c.Tenant, c.Person, c.ID} }

// PasskeyRow is a passkey as a store keeps it.
type PasskeyRow struct {
	Tenant  audit.Tenant
	Person  audit.ActorID
	ID      string // UUIDv7
	Version int64  // counts the writes to this row, from 1
	Hash    []byte // SHA-256 of the credential ID, once per tenant
	Handle  []byte // the user handle it was made for; one other than the Credential's is dead
	Sealed  []byte // public key, label and what else describes it, bound to the row

	Count    uint32    // the signature counter as last used; 0 for keys that have none
	BackedUp bool      // BS as last used
	Created  time.Time // UTC, microseconds
	Used     time.Time // when it last proved something; zero: never
	Disabled time.Time // not zero: disabled, for ever
}

// PasskeyChange is what becomes of one passkey in a Change.
type PasskeyChange struct {
	ID      string
	Version int64       // the version that was read, 0 to add one
	Put     *PasskeyRow // the new row, of the same ID and Hash; nil removes it
}

// Change is one lifecycle change: the row as it shall be, the passkeys and the number that it
// concerns, and the messages that follow from it, all or nothing.
type Change struct {
	Was      Ref             // tenant and person, and the ID that was read, empty if there was no row
	Version  int64           // the version that was read, 0 if there was no row
	Put      *Credential     // the new row, of the same tenant and person; nil deletes the one there is
	Passkeys []PasskeyChange // of the same tenant and person, each once
	Number   *NumberChange   // of the same tenant and person; nil leaves the number as it is
	Messages []audit.Message // for the outbox
	Due      time.Time       // when the outbox first hands the messages out
}

// Store persists what Factors decides. The shipped ones (NewMemory, mfasql) keep everything in
// one place, because Apply writes it at once.
// Package mfatest holds the contract as a test suite.
//
// Every method is safe for concurrent use and shares no memory with its callers. A call that
// returns an error because it was cancelled has either happened completely or not at all,
// except that a cancelled Claim may have postponed its messages.
type Store interface {
	Credentials
	Passkeys
	Numbers
	Outbox
}

// Credentials keeps one Credential per tenant and person.
type Credentials interface {
	// Get returns the credential. Not there: ErrNotFound.
	Get(ctx context.Context, t audit.Tenant, person audit.ActorID) (Credential, error)

	// Apply carries out c: the row becomes c.Put with the Version c.Version+1 whatever
	// c.Put.Version says, each passkey and the number likewise, and c.Messages enter the outbox.
	// Without c.Put the row is deleted and with it whatever else is kept of this person, named in
	// c or not. Where the row is not the one that c.Was and c.Version name (it is missing, there
	// already, of another enrolment, or was written since), or the number is not as its change
	// expects, or a passkey is not (it is missing, somebody else's, of another hash, was written
	// since, or to be added and there already, by its ID or with its hash, whosever), nothing
	// changes: ErrConflict. Of several at once with the same version one wins.
	Apply(ctx context.Context, c Change) error

	// Advance moves Step forward to step, sets Used to now and Failures to 0, if the row has
	// r's ID, is confirmed, is not locked and its Step is lower. Otherwise, also where there
	// is no row, nothing changes and it reports false. Of several at once with the same step
	// exactly one reports true.
	Advance(ctx context.Context, r Ref, step int64, now time.Time) (bool, error)

	// Fail adds 1 to Failures, if the row has r's ID and is not locked; where that reaches
	// limit it sets Locked to now as well. It returns the count. Where there is no such row or
	// it is locked, nothing changes and the count is 0. No call is lost among several at once.
	Fail(ctx context.Context, r Ref, limit int, now time.Time) (int, error)

	// List yields the tenant's credentials with a Person greater than after, ordered by
	// Person by bytes, without Secret, Recovery, Next and Handle. An error ends it.
	List(ctx context.Context, t audit.Tenant, after audit.ActorID) iter.Seq2[Credential, error]
}

// Passkeys keeps people's passkeys, which Credentials.Apply adds, changes and removes.
type Passkeys interface {
	// Passkeys returns the person's, ordered by ID. Not there: none, and no error.
	Passkeys(ctx context.Context, t audit.Tenant, person audit.ActorID) ([]PasskeyRow, error)

	// FindPasskey returns the tenant's passkey with this hash. Not there: ErrNotFound.
	FindPasskey(ctx context.Context, t audit.Tenant, hash []byte) (PasskeyRow, error)

	// UsePasskey sets Count to count, BackedUp to backedUp and Used to now, if the passkey is the
	// person's, is not disabled and its Count is lower, or both counts are 0. Otherwise, also
	// where there is none, nothing changes and it reports false. Of several at once with the same
	// count exactly one reports true, unless the count is 0.
	UsePasskey(ctx context.Context, r Ref, count uint32, backedUp bool, now time.Time) (bool, error)
}

// Outbox keeps the messages that Apply wrote until they are delivered.
type Outbox interface {
	// Claim returns at most limit messages that are due at now, of all tenants, those that
	// have been due longest, in any order, and makes them due again at until: a claim that
	// nobody settles comes back. Attempts counts this claim. Of several at once each message
	// goes to one.
	Claim(ctx context.Context, now, until time.Time, limit int) ([]audit.Message, error)

	// Done removes a message. Not there: nil.
	Done(ctx context.Context, t audit.Tenant, id string) error
}
