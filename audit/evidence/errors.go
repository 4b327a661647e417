package evidence

import (
	"errors"
	"fmt"
)

// Errors of attestations. No text holds an identifier or what somebody wrote.
var (
	// ErrAttestation: an attestation without ID, words, author or a date of expiry after its own, or
	// one that is out of bounds.
	ErrAttestation = errors.New("evidence: not an attestation that can be kept")
	// ErrNotAPerson: nobody of staff is signed in, or the actor acts for somebody else. People attest
	// for themselves.
	ErrNotAPerson = errors.New("evidence: only a person attests, and for themselves")
	// ErrNotFound: there is no such attestation, or it was withdrawn.
	ErrNotFound = errors.New("evidence: no such attestation")
	// ErrConflict: it was changed meanwhile.
	ErrConflict = errors.New("evidence: changed meanwhile")
	// ErrUnavailable: the store or the audit log did not answer, or could not record. Nothing has
	// happened, unless it is ErrUnconfirmed.
	ErrUnavailable = errors.New("evidence: unavailable")
	// ErrUnconfirmed: it is not known whether the change took effect. A second event says so.
	ErrUnconfirmed = fmt.Errorf("%w: the change is not confirmed", ErrUnavailable)
)

// unavailable wraps a part's failure; its words are the part's and hold no data by its contract.
func unavailable(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, what, err)
}
