package export

import (
	"errors"
	"fmt"
)

// What callers can act on. No error holds a tenant, an identifier or a value.
var (
	// ErrRequest: what was asked for cannot be exported.
	ErrRequest = errors.New("export: not a request that can be served")
	// ErrManifest: not a manifest that was signed with this key.
	ErrManifest = errors.New("export: not a manifest of this exporter")
	// ErrContent: the export is not what its manifest says.
	ErrContent = errors.New("export: the content is not what was signed")
	// ErrWrite: the writer failed. It wraps the cause.
	ErrWrite = errors.New("export: writing")
	// ErrUnavailable: the log, the recorder or the signer failed. It wraps the cause.
	ErrUnavailable = errors.New("export: unavailable")
)

func unavailable(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, what, err)
}
