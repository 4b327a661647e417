package phi

import (
	"context"
	"errors"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Errors of rotations.
var (
	// ErrRotating: another rotation of the same keys is not finished. Finish it first.
	ErrRotating = errors.New("phi: another rotation is not finished")
	// ErrNoRotation: there is no rotation of this id.
	ErrNoRotation = errors.New("phi: no such rotation")
	// ErrRotationMoved: the rotation is not where the caller left it: another process works on
	// it, or it is finished.
	ErrRotationMoved = errors.New("phi: the rotation has moved on")
	// ErrStuck: keys could not be re-wrapped, because they or the keys above them are damaged or
	// lost, or rows could not be indexed anew; the cause is wrapped. All others are done; the rotation stays unfinished.
	ErrStuck = errors.New("phi: rotation cannot finish")
)

// RotationKind says what is rotated.
type RotationKind string

// The kinds of rotation.
const (
	// RotateKEK wraps the roots of all tenants, and last the canary, under the current key of
	// the KMS. Nothing that is sealed changes.
	RotateKEK RotationKind = "kek"
	// RotateRoot gives a tenant a new data root and wraps its patients' keys under it. Values
	// that belong to no patient are readable under the old root until they are sealed anew.
	RotateRoot RotationKind = "root"
	// RotatePatients is RotateRoot that also gives every patient a new key. What is sealed under
	// the old ones is readable until it is sealed anew.
	RotatePatients RotationKind = "patients"
	// RotateIndex gives a tenant a new index root, and all rows terms under it, see
	// RotatorOptions.Terms.
	RotateIndex RotationKind = "index"
	// RotateRows is a walk over the host's own rows, see Rotator.Sweep.
	RotateRows RotationKind = "rows"
)

// RotationPhase says which index roots are in use while one replaces another. All servers
// follow within Options.CacheTTL; those of two phases that follow each other find each other's
// rows and duplicates.
//
//	           writes     finds by
//	prepare    old        old
//	dual       old, new   old, new
//	retire     new        new
type RotationPhase string

// The phases of RotateIndex, in their order.
const (
	PhasePrepare RotationPhase = "prepare" // the new root is made
	PhaseDual    RotationPhase = "dual"    // rows that were written before are given terms under it
	PhaseRetire  RotationPhase = "retire"  // terms under the old one are removed
)

// Rotation says how far a rotation has come. It is kept in the KeyStore, so that it survives
// the process; what it says is progress only: what is left to do is read off the keys.
type Rotation struct {
	ID        string // UUIDv7
	Namespace string
	Tenant    audit.Tenant // empty for RotateKEK
	Kind      RotationKind
	Name      string        // of a sweep
	Target    uint32        // epoch of the new data root or index root
	Phase     RotationPhase // of RotateIndex
	Cursor    string        // how far a sweep has come; empty at the beginning
	Done      int           // keys or rows
	Failed    int           // keys or rows that could not be done in this run
	Total     int           // as counted when it began; 0 for unknown
	Started   time.Time
	Updated   time.Time
	Finished  time.Time // zero while it is not
	Version   int64     // for compare-and-set, from 1
}

// Lane names what only one unfinished rotation of a namespace and tenant may work on.
func (r Rotation) Lane() string {
	switch r.Kind {
	case RotateRoot, RotatePatients:
		return "data"
	case RotateRows:
		return "rows/" + r.Name
	}
	return string(r.Kind)
}

// RotationStore keeps how far rotations have come.
type RotationStore interface {
	// BeginRotation stores r, whose Version is 1, durably. Already there, or another unfinished
	// rotation of the same Namespace, Tenant and Lane: ErrRotating, and nothing changes. Twice
	// at once: exactly one succeeds. Cancelled half-way: all or nothing.
	BeginRotation(ctx context.Context, r Rotation) error
	// AdvanceRotation replaces, durably, the stored rotation of the same ID by r, with
	// r.Version+1, if the stored one has r.Version and is not finished. Otherwise, or where it
	// is not there: ErrRotationMoved, and nothing changes. Only Phase, Cursor, Done, Failed,
	// Total, Updated and Finished change. Twice at once: exactly one succeeds. Cancelled half-way: all
	// or nothing.
	AdvanceRotation(ctx context.Context, r Rotation) error
	// Rotation returns one. Not there, or of another namespace: ErrNoRotation.
	Rotation(ctx context.Context, namespace, id string) (Rotation, error)
	// Rotations returns those that q selects, in descending order of their ids, the latest
	// first, q.Limit at most. None: an empty list.
	Rotations(ctx context.Context, q RotationQuery) ([]Rotation, error)
}

// RotationQuery selects rotations of a namespace.
type RotationQuery struct {
	Namespace  string
	Tenant     *audit.Tenant // any where nil
	Kind       RotationKind  // any where empty
	Unfinished bool          // only those
	Before     string        // only ids below this one, any where empty
	Limit      int           // at least 1
}
