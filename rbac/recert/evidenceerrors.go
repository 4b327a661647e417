package recert

import (
	"errors"
	"strconv"
)

// ErrBundle: a bundle is not what was handed out: something was changed, left out, added or put
// elsewhere. The error is a *BundleError.
var ErrBundle = errors.New("recert: not the bundle that was handed out")

// BundleError is an ErrBundle that says where. It quotes nothing of the bundle.
type BundleError struct {
	Line int    // the first line that is wrong, from 1; 0 if it is the table, or the audit log that says something else
	Why  string // in a few words
}

// Error says what is wrong, and where.
func (e *BundleError) Error() string {
	if e.Line == 0 {
		return ErrBundle.Error() + ": " + e.Why
	}
	return ErrBundle.Error() + ": line " + strconv.Itoa(e.Line) + ": " + e.Why
}

// Unwrap returns ErrBundle.
func (e *BundleError) Unwrap() error { return ErrBundle }
