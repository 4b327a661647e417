package audit

import "context"

// Recorder is what other packages take. Record returning nil always means that every
// event is durable; on any error the caller must not go on with what it wanted to do.
// Events that carry an ID may be recorded again after an error without being doubled.
type Recorder interface {
	Record(ctx context.Context, events ...Event) error
}

// Discard is a Recorder that keeps nothing. It exists so that a test or a tool has to
// name what it gives up; constructors refuse a nil Recorder.
type Discard struct{}

// Record drops the events and returns nil.
func (Discard) Record(context.Context, ...Event) error { return nil }
