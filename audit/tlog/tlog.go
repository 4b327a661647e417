package tlog

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/internal/signed"
)

// Options are what New can be told. The zero value is safe.
type Options struct {
	// Sinks keep checkpoints where whoever can change the database cannot: at least one of them
	// on another machine, or append-only. What they kept last is compared with the database at
	// the start, so that a database put back to a backup is noticed.
	Sinks []Sink
	// Every is how often Run covers what is new, 1 second to 1 hour; 10 seconds. What somebody
	// changes in the database before it is covered is not noticed.
	Every time.Duration
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Sink keeps checkpoints outside the database. FileSink is one.
type Sink interface {
	// Put keeps a signed checkpoint. Nil means durable.
	Put(ctx context.Context, signed []byte) error
	// Last returns the one that was put last, nil if there is none.
	Last(ctx context.Context) ([]byte, error)
}

// Log builds the trees over a log of events and signs what they are. It is safe for concurrent
// use; several servers may run it over one database.
type Log struct {
	src    Source
	store  Store
	signer *signed.Signer
	o      Options

	mu    sync.Mutex // held while integrating
	root  *side      // the root log as far as it was checked
	hash  Hash       // its root
	note  []byte     // the checkpoint over it
	heads map[audit.Tenant]Head
	sunk  []int64 // sizes that the sinks have

	state state
}

// state is what Health reports.
type state struct {
	mu      sync.Mutex
	running int
	err     error
}

// New returns a Log over src that keeps its trees in store. The origin names this log for ever,
// for example "clinic.example.com/audit"; key signs checkpoints: an Ed25519 key from the host's
// secrets or a KMS, never from the database. Its error names every part that is missing and every
// value that cannot be used.
func New(src Source, store Store, origin string, key crypto.Signer, o *Options) (*Log, error) {
	var problems []error
	if src == nil || store == nil {
		problems = append(problems, errors.New("no source or no store"))
	}
	s, err := signed.New(origin, key)
	if err != nil {
		problems = append(problems, err)
	}
	l := &Log{src: src, store: store, signer: s, root: &side{}, heads: map[audit.Tenant]Head{}}
	if o != nil {
		l.o = *o
	}
	if l.o.Every == 0 {
		l.o.Every = 10 * time.Second
	}
	if l.o.Every < time.Second || l.o.Every > time.Hour {
		problems = append(problems, errors.New("Options.Every must be 1 second to 1 hour"))
	}
	for _, sink := range l.o.Sinks {
		if sink == nil {
			problems = append(problems, errors.New("Options.Sinks holds nil"))
		}
	}
	if l.o.Now == nil {
		l.o.Now = time.Now
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("tlog: %w", err)
	}
	l.hash = Hash(l.root.root())
	return l, nil
}

// VerifierKey returns what checkpoints and proofs are checked with, "origin+hash+key" in the form
// of C2SP signed notes. It is no secret; give it to whoever shall be able to check.
func (l *Log) VerifierKey() string { return l.signer.VerifierKey() }

// Checkpoint returns the signed checkpoint that Integrate made or found last, nil before.
func (l *Log) Checkpoint() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]byte(nil), l.note...)
}

// Run calls Integrate every Options.Every until ctx ends, and returns ctx's error. Several servers
// may run it at once.
func (l *Log) Run(ctx context.Context) error {
	l.state.count(1)
	defer l.state.count(-1)
	tick := time.NewTicker(l.o.Every)
	defer tick.Stop()
	for {
		_, _ = l.Integrate(ctx) // Health tells
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Health returns what Integrate failed with last, nil if it succeeded, or ErrNotRunning. An error
// that is ErrTampered is an alarm: call people, and do not try to repair the database.
func (l *Log) Health(context.Context) error {
	l.state.mu.Lock()
	defer l.state.mu.Unlock()
	if l.state.err == nil && l.state.running == 0 {
		return ErrNotRunning
	}
	return l.state.err
}

func (s *state) count(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running += n
}

func (s *state) set(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}
