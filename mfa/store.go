package mfa

import (
	"context"
	"iter"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Credential is a person's authenticator as a store keeps it: one row per tenant and person.
type Credential struct {
	Tenant  audit.Tenant
	Person  audit.ActorID
	ID      string // UUIDv7, new with every enrolment
	Version int64  // counts the writes to this row, from 1
	Secret  []byte // the TOTP key, sealed; nil in what List yields

	Step     int64 // last time step a code was accepted for, 0 before the first
	Failures int   // consecutive wrong codes

	Created   time.Time // UTC, microseconds, like all times here
	Confirmed time.Time // zero: enrolment is pending
	Used      time.Time // last accepted code
	Locked    time.Time // not zero: disabled after too many wrong codes

	Recovery []byte    // the unused recovery codes' hashes, sealed; empty if there are none; nil in what List yields
	Next     []byte    // the key that shall take Secret's place, sealed; empty if there is none; nil in what List yields
	NextMade time.Time // when Next was made
}

// Ref names what a write expects to find: one enrolment of one person.
type Ref struct {
	Tenant audit.Tenant
	Person audit.ActorID
	ID     string
}

// Ref returns the reference to c.
func (c Credential) Ref() Ref { return Ref{c.Tenant, c.Person, c.ID} }

// Change is one lifecycle change: the row as it shall be and the messages that follow from
// it, all or nothing.
type Change struct {
	Was      Ref             // tenant and person, and the ID that was read, empty if there was no row
	Version  int64           // the version that was read, 0 if there was no row
	Put      *Credential     // the new row, of the same tenant and person; nil deletes the one there is
	Messages []audit.Message // for the outbox
	Due      time.Time       // when the outbox first hands the messages out
}

// Store persists what Factors decides. The shipped ones (NewMemory, mfasql) keep
// credentials and outbox in one place, because Apply writes both at once.
// Package mfatest holds the contract as a test suite.
//
// Every method is safe for concurrent use and shares no memory with its callers. A call that
// returns an error because it was cancelled has either happened completely or not at all,
// except that a cancelled Claim may have postponed its messages.
type Store interface {
	Credentials
	Outbox
}

// Credentials keeps one Credential per tenant and person.
type Credentials interface {
	// Get returns the credential. Not there: ErrNotFound.
	Get(ctx context.Context, t audit.Tenant, person audit.ActorID) (Credential, error)

	// Apply carries out c: the row becomes c.Put with the Version c.Version+1 whatever
	// c.Put.Version says, or is deleted, and c.Messages enter the outbox. Where the row is not
	// the one that c.Was and c.Version name (it is missing, there already, of another
	// enrolment, or was written since), nothing changes: ErrConflict. Of several at once with
	// the same version one wins.
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
	// Person by bytes, without Secret, Recovery and Next. An error ends it.
	List(ctx context.Context, t audit.Tenant, after audit.ActorID) iter.Seq2[Credential, error]
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
