package tlog

import (
	"context"
	"errors"
	"fmt"
)

// catchUp follows the root log to what was committed last, here or on another server, and checks
// every step: the checkpoint's signature, that its hash is the one over the entries, and, the
// first time, that it continues what the sinks have.
func (l *Log) catchUp(ctx context.Context) error {
	latest, err := l.store.Latest(ctx)
	if err != nil {
		return unavailable("reading the checkpoint", err)
	}
	sunk, err := l.readSinks(ctx)
	if err != nil {
		return err
	}
	to := Checkpoint{Root: Hash((&side{}).root())}
	if latest.Size != 0 || latest.Note != nil {
		if to, err = OpenCheckpoint(latest.Note, l.signer.VerifierKey()); err != nil || to.Size != latest.Size {
			return fmt.Errorf("%w: the stored checkpoint is not signed with this key", ErrRewritten)
		}
	}
	switch {
	case to.Size < l.root.size:
		return ErrRolledBack
	case to.Size == l.root.size && to.Root != l.hash:
		return ErrRewritten
	case to.Size > l.root.size || sunk != nil:
		if err := l.follow(ctx, to, latest.Note, sunk); err != nil {
			return err
		}
	}
	if sunk != nil {
		l.sunk = make([]int64, len(sunk))
		for i, c := range sunk {
			l.sunk[i] = c.Size
		}
	}
	return nil
}

// readSinks returns what each sink kept last, once; nil afterwards.
func (l *Log) readSinks(ctx context.Context) ([]Checkpoint, error) {
	if l.sunk != nil || len(l.o.Sinks) == 0 {
		return nil, nil
	}
	out := make([]Checkpoint, len(l.o.Sinks))
	for i, sink := range l.o.Sinks {
		last, err := sink.Last(ctx)
		if err != nil {
			return nil, unavailable("asking a sink for its checkpoint", err)
		}
		if last == nil {
			continue
		}
		if out[i], err = OpenCheckpoint(last, l.signer.VerifierKey()); err != nil {
			return nil, fmt.Errorf("%w: a sink holds one of another log or key", ErrCheckpoint)
		}
	}
	return out, nil
}

// follow reads the entries up to a checkpoint and adopts them if all of it fits.
func (l *Log) follow(ctx context.Context, to Checkpoint, note []byte, sunk []Checkpoint) error {
	next := l.root.clone()
	var heads []Head
	if err := fits(next, sunk); err != nil {
		return err
	}
	for h, err := range l.store.Heads(ctx, next.size) {
		if err != nil {
			return unavailable("reading the root log", err)
		}
		if next.size == to.Size {
			break // committed meanwhile
		}
		if h.N != next.size {
			return ErrRewritten
		}
		next.push(h.leaf(), nil)
		heads = append(heads, h)
		if err := fits(next, sunk); err != nil {
			return err
		}
	}
	if next.size != to.Size || Hash(next.root()) != to.Root {
		return ErrRewritten
	}
	for _, c := range sunk {
		if c.Size > next.size {
			return ErrRolledBack
		}
	}
	l.adopt(next, note, heads)
	return nil
}

// fits compares the root log with the checkpoints of just its size.
func fits(s *side, sunk []Checkpoint) error {
	for _, c := range sunk {
		if c.Origin != "" && c.Size == s.size && c.Root != Hash(s.root()) {
			return ErrRewritten
		}
	}
	return nil
}

// publish gives the checkpoint to the sinks that have not got it.
func (l *Log) publish(ctx context.Context) error {
	var bad error
	for i, sink := range l.o.Sinks {
		if l.note == nil || l.sunk == nil || l.sunk[i] >= l.root.size {
			continue
		}
		if err := sink.Put(ctx, append([]byte(nil), l.note...)); err != nil {
			bad = errors.Join(bad, fmt.Errorf("%w: %w", ErrSink, err))
			continue
		}
		l.sunk[i] = l.root.size
	}
	return bad
}
