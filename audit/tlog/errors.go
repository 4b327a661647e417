package tlog

import (
	"errors"
	"fmt"
)

// What callers can act on. No error holds a tenant, an identifier or a value.
var (
	// ErrTampered: what is stored is not what was signed. The others that wrap it say how.
	ErrTampered = errors.New("tlog: the log is not what was signed")
	// ErrRolledBack: there is less than a checkpoint that was seen before says, as in a database
	// that was put back to a backup.
	ErrRolledBack = fmt.Errorf("%w: it is shorter than it was", ErrTampered)
	// ErrRewritten: what a checkpoint that was seen before says does not lead to what is there.
	ErrRewritten = fmt.Errorf("%w: its history is another one", ErrTampered)
	// ErrMissing: events are gone that a signed tree covers.
	ErrMissing = fmt.Errorf("%w: events are missing", ErrTampered)
	// ErrAltered: events or hashes are not those that a signed tree covers.
	ErrAltered = fmt.Errorf("%w: events were changed", ErrTampered)
	// ErrUncoveredPurge: events have no bytes any more, and no purge in the log that two people agreed
	// to, and that came late enough, covers them.
	ErrUncoveredPurge = fmt.Errorf("%w: events were destroyed that no purge covers", ErrTampered)
	// ErrYoung: a purge names events that were not covered by signed heads for as long as it says.
	ErrYoung = errors.New("tlog: not covered for as long as they have to be kept")
	// ErrCheckpoint: not a checkpoint that was signed with this key for this origin.
	ErrCheckpoint = errors.New("tlog: not a checkpoint of this log")
	// ErrProof: a proof does not prove what it should.
	ErrProof = errors.New("tlog: the proof does not hold")
	// ErrUncovered: the event has no place in a signed tree yet, see Log.Integrate, or there is
	// no such event.
	ErrUncovered = errors.New("tlog: no signed tree covers this event")
	// ErrUnavailable: the source, the store or the signer failed. It wraps the cause.
	ErrUnavailable = errors.New("tlog: unavailable")
	// ErrSink: a checkpoint is signed and stored, but a sink did not take it yet.
	ErrSink = errors.New("tlog: a sink did not take the checkpoint")
	// ErrNotRunning: nobody calls Run, so nothing new is covered.
	ErrNotRunning = errors.New("tlog: Run is not running")
)

// ErrConflict is what a Store answers: somebody else has committed meanwhile.
var ErrConflict = errors.New("tlog: another commit came first")

func unavailable(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, what, err)
}
