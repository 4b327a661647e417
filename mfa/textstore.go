package mfa

import (
	"context"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Number is a person's telephone number and the code that is on its way to it, as a store keeps
// it: one row per tenant and person. That the person is enrolled with it, the Credential says.
type Number struct {
	Tenant  audit.Tenant
	Person  audit.ActorID
	ID      string // UUIDv7, new with every number that is confirmed
	Version int64  // counts the writes to this row, from 1

	Phone []byte // the confirmed number, sealed; empty if there is none
	Next  []byte // the number to be confirmed, sealed; empty if there is none

	Code    []byte    // what is kept of the live code, sealed; empty if there is none
	CodeID  string    // names it; empty if there is none
	Enrols  bool      // it is for confirming Next, not for Verify
	Sent    time.Time // when it was made; UTC, microseconds, like all times here
	Expires time.Time // when it ends
	Tries   int       // how many times it was tried

	Failures  int // consecutive wrong codes, over all codes
	Created   time.Time
	Confirmed time.Time // zero: Phone is empty
	Used      time.Time // last accepted code
	Locked    time.Time // not zero: disabled after too many wrong codes
}

// Ref returns the reference to n.
func (n Number) Ref() Ref { return Ref{n.Tenant, n.Person, n.ID} }

// NumberChange is one change of a Number: the row as it shall be and the messages that follow.
type NumberChange struct {
	Was      Ref             // tenant and person, and the ID that was read, empty if there was no row
	Version  int64           // the version that was read, 0 if there was no row
	Put      *Number         // the new row, of the same tenant and person; nil deletes the one there is
	Messages []audit.Message // for the outbox; as part of a Change there are none, it has its own
	Due      time.Time       // when the outbox first hands the messages out
}

// Numbers keeps one Number per tenant and person.
type Numbers interface {
	// Number returns the row. Not there: ErrNotFound.
	Number(ctx context.Context, t audit.Tenant, person audit.ActorID) (Number, error)

	// ApplyNumber carries out c as Apply does: the row becomes c.Put with the Version
	// c.Version+1, or is deleted, and c.Messages enter the outbox. Where the row is not the one
	// that c.Was and c.Version name, nothing changes: ErrConflict. Of several at once with the
	// same version one wins.
	ApplyNumber(ctx context.Context, c NumberChange) error

	// TryText adds 1 to Tries and to Failures, before a code is compared, if the row has r's ID
	// and the CodeID code, is not locked, now is before Expires, Tries is below tries and
	// Failures below failures. It returns Failures after that. Otherwise, also where there is
	// no row, nothing changes and it is 0. However many come at once, each is counted and no
	// more than tries are.
	TryText(ctx context.Context, r Ref, code string, tries, failures int, now time.Time) (int, error)

	// BurnText ends the code after a right answer: Code, CodeID and Expires become empty,
	// Failures 0 and Used now, if the row has r's ID and the CodeID code, and is not locked.
	// Otherwise, also where there is no row, nothing changes and it reports false. Of several at
	// once exactly one reports true.
	BurnText(ctx context.Context, r Ref, code string, now time.Time) (bool, error)
}
