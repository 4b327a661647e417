package tail

import (
	"errors"
	"fmt"
)

// What callers can act on. No error holds a tenant, an identifier or a value; causes stay reachable
// with errors.Is and errors.As.
var (
	// ErrRolledBack: the feed has sent what the log does not hold any more, or holds otherwise.
	ErrRolledBack = errors.New("tail: the log is behind what was sent, or another one")
	// ErrGap: an event is missing or damaged, and it was not purged.
	ErrGap = errors.New("tail: an event is missing or damaged")
	// ErrSink: the sink failed. It wraps the cause.
	ErrSink = errors.New("tail: sending")
	// ErrCursors: the store of cursors failed. It wraps the cause.
	ErrCursors = errors.New("tail: cursors")
	// ErrSource: the log could not be read. It wraps the cause.
	ErrSource = errors.New("tail: reading events")
	// ErrConflict: the stored cursor has another version.
	ErrConflict = errors.New("tail: another cursor is stored")
	// ErrRunning: Run runs already in this process.
	ErrRunning = errors.New("tail: running already")
	// ErrReset: not a place where a feed could go on.
	ErrReset = errors.New("tail: no such place")
)

// wrapped is a sentinel with a cause whose text, which may quote values, is not printed.
type wrapped struct{ sentinel, cause error }

func (w *wrapped) Error() string   { return w.sentinel.Error() }
func (w *wrapped) Unwrap() []error { return []error{w.sentinel, w.cause} }

func because(sentinel, cause error) error { return &wrapped{sentinel, cause} }

// errPanic is the cause where a sink panicked.
func errPanic(v any) error { return fmt.Errorf("tail: panic of a %T", v) }
