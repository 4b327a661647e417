package audit

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"runtime"
	"strconv"
)

// errPanic is the cause of an error where a store panicked.
var errPanic = errors.New("audit: the store panicked")

// guard is a Store whose panics are errors: what a store could not do must not take the whole
// process along, and a panic's own text, which may hold values, is printed nowhere.
type guard struct {
	store  Store
	logger *slog.Logger
}

// try calls f; quiet keeps a panic that is not the store's own.
func (g guard) try(f func() error, quiet func() bool) (err error) {
	whole := false
	defer func() {
		if whole || quiet != nil && quiet() {
			return
		}
		if recover() != nil {
			g.logger.Error("audit: the store panicked", slog.Any("stack", stack()))
			err = errPanic
		}
	}()
	err = f()
	whole = true
	return err
}

// stack names the functions that panicked and their lines. A trace of the runtime would also
// print their arguments.
func stack() (out []string) {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for {
		f, more := frames.Next()
		out = append(out, f.Function+":"+strconv.Itoa(f.Line))
		if !more {
			return out
		}
	}
}

func (g guard) Append(ctx context.Context, entries []Entry) error {
	return g.try(func() error { return g.store.Append(ctx, entries) }, nil)
}

func (g guard) Sequence(ctx context.Context, limit int) (n int, err error) {
	err = g.try(func() (err error) { n, err = g.store.Sequence(ctx, limit); return err }, nil)
	return n, err
}

func (g guard) Backlog(ctx context.Context) (b Backlog, err error) {
	err = g.try(func() (err error) { b, err = g.store.Backlog(ctx); return err }, nil)
	return b, err
}

func (g guard) Get(ctx context.Context, tenant Tenant, id string) (e Entry, err error) {
	err = g.try(func() (err error) { e, err = g.store.Get(ctx, tenant, id); return err }, nil)
	return e, err
}

func (g guard) Count(ctx context.Context, f Filter, limit int) (n int, err error) {
	err = g.try(func() (err error) { n, err = g.store.Count(ctx, f, limit); return err }, nil)
	return n, err
}

func (g guard) Erase(ctx context.Context, tenant Tenant, ids []string) error {
	return g.try(func() error { return g.store.Erase(ctx, tenant, ids) }, nil)
}

func (g guard) List(ctx context.Context, f Filter, below int64, limit int) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		outside := false // in the caller's loop, whose panics are its own
		err := g.try(func() error {
			g.store.List(ctx, f, below, limit)(func(e Entry, err error) bool {
				outside = true
				more := yield(e, err)
				outside = false
				return more
			})
			return nil
		}, func() bool { return outside })
		if err != nil {
			yield(Entry{}, err)
		}
	}
}
