package phi

import (
	"errors"
	"fmt"
	"slices"
)

// Errors of stages.
var (
	// ErrStage: there is no such stage, or it does not follow from the one before.
	ErrStage = errors.New("phi: invalid stage")
	// ErrNotSealed: the row has a value in its clear column and none in its sealed one, which
	// is where this stage reads. It is not taken from the clear one: the back-fill is not done.
	ErrNotSealed = errors.New("phi: value was not sealed yet")
)

// Stage says what the two columns of a field may hold while a host moves from a clear column
// to a sealed one. The host declares it, in its configuration or code; nothing is guessed from
// what a column looks like, and there is no fallback from the sealed column to the clear one.
//
//	          reads    writes
//	plain     clear    clear
//	dual      clear    both
//	cutover   sealed   both
//	sealed    sealed   sealed, and NULL into clear
//
// Servers of two stages that follow each other may run at once, so a host goes through them
// with rolling restarts. When all are dual, a sweep (Rotator.Sweep) seals the rows that were
// written before, overwriting what is sealed already, because a plain server may have changed
// the clear column since. When all are sealed, a sweep sets the clear columns to NULL; then
// they are dropped.
type Stage string

// The stages, in their order.
const (
	StagePlain   Stage = "plain"
	StageDual    Stage = "dual"
	StageCutover Stage = "cutover"
	StageSealed  Stage = "sealed"
)

// Stages returns all of them in their order.
func Stages() []Stage { return []Stage{StagePlain, StageDual, StageCutover, StageSealed} }

// Validate returns ErrStage where s is none of the stages. The zero Stage is none.
func (s Stage) Validate() error {
	if !slices.Contains(Stages(), s) {
		return fmt.Errorf("%w: no such stage", ErrStage)
	}
	return nil
}

// Follow returns ErrStage unless s is previous, or one step before or after it: servers of the
// two may then run at once.
func (s Stage) Follow(previous Stage) error {
	if err := errors.Join(s.Validate(), previous.Validate()); err != nil {
		return err
	}
	d := slices.Index(Stages(), s) - slices.Index(Stages(), previous)
	if d < -1 || d > 1 {
		return fmt.Errorf("%w: %s does not follow %s", ErrStage, s, previous)
	}
	return nil
}

// ReadsClear reports whether the clear column is what counts.
func (s Stage) ReadsClear() bool { return s == StagePlain || s == StageDual }

// WritesClear reports whether a value is written to the clear column. Where it is not, the
// column is set to NULL.
func (s Stage) WritesClear() bool { return s.ReadsClear() || s == StageCutover }

// WritesSealed reports whether a value is sealed. Where it is not, the sealed column is set to
// NULL, so that none is left behind that no longer fits.
func (s Stage) WritesSealed() bool { return s == StageDual || s == StageCutover || s == StageSealed }

// Pick returns the value of a row in this stage: clear or sealed. Both are Text, Date or
// Number, the clear one made with NewText and the like, the sealed one opened by a Codec; the
// zero value is NULL. It returns ErrNotSealed where the sealed column counts and only the
// clear one has a value, and ErrStage for a stage that is none.
func Pick[T interface{ IsZero() bool }](s Stage, clear, sealed T) (value T, err error) {
	if err := s.Validate(); err != nil {
		return value, err
	}
	if s.ReadsClear() {
		return clear, nil
	}
	if sealed.IsZero() && !clear.IsZero() {
		return value, ErrNotSealed
	}
	return sealed, nil
}
