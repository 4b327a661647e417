package phi

import (
	"errors"
	"fmt"
)

// What callers can act on. Every error of this package wraps one of these; none carries a
// value, a key or the identifier of a person or row. Names of fields, which the program's
// author chose, do appear.
var (
	// ErrTampered is the root of everything that says: this is not the value that was sealed
	// here. It is worth an alarm, and no reason to try again.
	ErrTampered = errors.New("phi: sealed value is not the one that was sealed here")
	// ErrAltered: authentication failed. Either bytes were changed, or the value is a genuine
	// one of another field or row of the same patient: the two cannot be told apart.
	ErrAltered = fmt.Errorf("%w: it was altered or belongs to another field or row", ErrTampered)
	// ErrSwapped: the value is sealed under a key of another patient or of another scope, or it
	// is known to belong to another field of the same row.
	ErrSwapped = fmt.Errorf("%w: it belongs elsewhere", ErrTampered)
	// ErrForeignTenant: the value is sealed under a key of another tenant or namespace.
	ErrForeignTenant = fmt.Errorf("%w: it belongs to another tenant", ErrSwapped)
	// ErrTruncated: the value is too short to have been sealed, or its length is impossible.
	ErrTruncated = fmt.Errorf("%w: bytes are missing", ErrTampered)
	// errLastChunk: the last chunk of a stream was altered, or it is the first part of one.
	errLastChunk = fmt.Errorf("%w, or the end of the stream is missing: %w", ErrAltered, ErrTruncated)
	// ErrUnknownSuite: the first bytes name no format that this release can read: not a sealed
	// value, an altered one, or one written by a newer release.
	ErrUnknownSuite = errors.New("phi: unknown format of sealed value")
	// ErrUnknownKey: the key that the value names is not in the key store: lost, erased, or the
	// name was altered.
	ErrUnknownKey = errors.New("phi: the key of the sealed value does not exist")

	// ErrWrongKey: the KMS or key file does not hold the key under which this namespace's keys
	// are wrapped. Nothing was written.
	ErrWrongKey = errors.New("phi: wrong key for the existing data")
	// ErrUnavailable: the KMS or the key store failed; the cause is wrapped. Trying again may
	// succeed, see Retryable.
	ErrUnavailable = errors.New("phi: keys are unavailable")
	// ErrKeyFile: the key file is not one that CreateKeyFile wrote.
	ErrKeyFile = errors.New("phi: not a valid key file")
	// ErrKeyFileMode: somebody other than its owner may read or write the key file.
	ErrKeyFileMode = errors.New("phi: key file is open to others, make it mode 0600")

	// ErrBinding: tenant, field, row or patient is missing, so the value would be bound to
	// nothing.
	ErrBinding   = errors.New("phi: incomplete binding")
	errNoTenant  = fmt.Errorf("%w: the tenant is empty", ErrBinding)
	errNoField   = fmt.Errorf("%w: the field is empty", ErrBinding)
	errNoRow     = fmt.Errorf("%w: the row id is empty", ErrBinding)
	errNoPatient = fmt.Errorf("%w: the patient is empty", ErrBinding)
	// ErrTooLong: the value is longer than MaxValue bytes, or a stream than one key allows.
	ErrTooLong = errors.New("phi: value is too long")
	// ErrUnsealed: a plaintext value was about to be written where only sealed values may go.
	ErrUnsealed = errors.New("phi: refusing to store an unsealed value")
	// ErrMark: the input is the mark that hidden values print as, not a value.
	ErrMark = errors.New("phi: refusing the mark of a hidden value as input")
	// ErrForm: the text is not a date or number of the form that its type has.
	ErrForm = errors.New("phi: value does not have the form of its type")
	// ErrNotLoaded: the row was opened without this field's column.
	ErrNotLoaded = errors.New("phi: column was not loaded")

	// ErrNoSight: the context carries no Sight: nobody decided what may be seen.
	ErrNoSight = errors.New("phi: no sight in context")
	// ErrNotAllowed: the Sight in the context does not reach this far for the value's class.
	ErrNotAllowed = errors.New("phi: not allowed to see this")
	// ErrUnrecorded: the access could not be recorded, so the value is not handed out; the
	// cause is wrapped.
	ErrUnrecorded = errors.New("phi: access could not be recorded")

	// ErrCodec is the root of every error of For: tags, options or types that make no sense.
	ErrCodec = errors.New("phi: invalid codec")
	// ErrNoField: the codec has no field of this name.
	ErrNoField = errors.New("phi: no such field")
	// ErrNoIndex: the field has no index, so it cannot be looked up.
	ErrNoIndex = errors.New("phi: field has no index")
	// ErrNotNormal: the value cannot be brought into the index's normal form.
	ErrNotNormal = errors.New("phi: value has no normal form")
	// ErrStaleTerms: the row's terms were computed before its index was rotated, and are of
	// roots that are no longer enough. Nothing was saved: seal the row again. It happens to a
	// server that stood still for longer than Options.CacheTTL between sealing and saving.
	ErrStaleTerms = errors.New("phi: index terms are of an older epoch")
	// ErrDuplicate is what every *DuplicateError is.
	ErrDuplicate = errors.New("phi: value exists already")
)

// FieldError says which field of an entity an error is about. It unwraps to the reason.
type FieldError struct {
	Field string // "patient.phone"
	Err   error
}

// Error names the field and the rule, never the value.
func (e *FieldError) Error() string { return "phi: field " + e.Field + ": " + e.Err.Error() }

// Unwrap returns the reason.
func (e *FieldError) Unwrap() error { return e.Err }

// DuplicateError says that another row of the tenant holds the same value in a unique field.
// It is an ErrDuplicate.
type DuplicateError struct {
	Field string // name of the index, which is that of the field but for compounds: "email"
}

// Error names the field, never the value.
func (e *DuplicateError) Error() string {
	return "phi: another row has the same value in field " + e.Field
}

// Is reports whether target is ErrDuplicate.
func (e *DuplicateError) Is(target error) bool { return target == ErrDuplicate }

func unavailable(doing string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, doing, err)
}
