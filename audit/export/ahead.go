package export

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/internal/spans"
	"github.com/wardkit/wardkit/audit/tlog"
)

// chunk is how many places are read at a time, and purgedAhead for how many the store is asked at
// once which are purged.
const (
	chunk       = 1024
	purgedAhead = 1 << 16
)

// piece is what the store says of the places from to to-1, or why it says nothing.
type piece struct {
	from, to int64
	gone     []audit.Span
	leaves   [][32]byte // from the first that is gone on
	list     []audit.Entry
	err      error
}

// ahead yields the pieces of a range; the next one is read while the last one is written. Nothing is
// read any more when the loop over it has ended.
func (x *Exporter) ahead(ctx context.Context, t audit.Tenant, from, to int64) iter.Seq[piece] {
	return func(yield func(piece) bool) {
		ctx, stop := context.WithCancel(ctx)
		pieces := make(chan piece, 1)
		go func() {
			defer close(pieces)
			r := &reader{src: x.src, tenant: t}
			for at := from; at < to && ctx.Err() == nil; at += chunk {
				p := r.piece(ctx, at, min(at+chunk, to))
				select {
				case pieces <- p:
				case <-ctx.Done():
				}
				if p.err != nil {
					return
				}
			}
		}()
		defer func() {
			stop()
			for range pieces { // until the reader has ended
			}
		}()
		next := from
		for p := range pieces {
			next = p.to
			if !yield(p) {
				return
			}
		}
		if next < to { // the context has ended
			yield(piece{err: unavailable("reading events", ctx.Err())})
		}
	}
}

// reader reads pieces in their order.
type reader struct {
	src    tlog.Source
	tenant audit.Tenant
	ahead  []audit.Span // what the store says is purged of the places below end
	end    int64
}

// piece reads one. A source that panics is one that cannot be read: the caller's own panic would
// find nobody to catch it here.
func (r *reader) piece(ctx context.Context, from, to int64) (p piece) {
	p = piece{from: from, to: to}
	defer func() {
		if v := recover(); v != nil {
			p.err = unavailable("reading events", fmt.Errorf("the source panicked: %T", v))
		}
	}()
	if p.gone, p.list, p.err = r.read(ctx, from, to); p.err == nil && len(p.gone) > 0 {
		p.leaves, p.err = r.leaves(ctx, p.gone[0].From, p.gone[len(p.gone)-1].To)
	}
	return p
}

// read reads the events from from to to-1 and which of them are purged. What is purged while it reads is
// found out by reading once more.
func (r *reader) read(ctx context.Context, from, to int64) (gone []audit.Span, list []audit.Entry, err error) {
	for again := false; ; again = true {
		if gone, err = r.gone(ctx, from, to, again); err != nil {
			return nil, nil, err
		}
		kept, below := to-from-spans.Count(gone), to
		if n := len(gone); n > 0 && gone[n-1].To == to {
			below = gone[n-1].From
		}
		if kept == 0 {
			return gone, nil, nil
		}
		list = make([]audit.Entry, 0, kept)
		for e, err := range r.src.List(ctx, audit.Filter{Tenant: r.tenant}, below, int(kept)) {
			if err != nil {
				return nil, nil, readError(err)
			}
			list = append(list, e)
		}
		slices.Reverse(list)
		if int64(len(list)) == kept && list[0].Index >= from {
			return gone, list, nil
		}
		if again {
			return nil, nil, tlog.ErrMissing
		}
	}
}

// gone returns which places the store says are purged.
func (r *reader) gone(ctx context.Context, from, to int64, again bool) ([]audit.Span, error) {
	if again || to > r.end {
		end := max(to, from+purgedAhead)
		list, err := r.src.Purged(ctx, r.tenant, from, end)
		if err == nil && !spans.Are(list, from, end) {
			err = errors.New("what it says to be purged is no list of spans")
		}
		if err != nil {
			return nil, unavailable("asking what is purged", err)
		}
		r.ahead, r.end = list, end
	}
	return spans.Clip(r.ahead, from, to), nil
}

func (r *reader) leaves(ctx context.Context, from, to int64) ([][32]byte, error) {
	leaves, err := r.src.Leaves(ctx, r.tenant, from, to)
	switch {
	case errors.Is(err, audit.ErrDamaged), err == nil && int64(len(leaves)) != to-from:
		return nil, tlog.ErrMissing
	case err != nil:
		return nil, unavailable("reading leaf hashes", err)
	}
	return leaves, nil
}
