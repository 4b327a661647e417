package purge

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/export"
)

// Bundles keeps what is exported before it is destroyed. Folder is one.
type Bundles interface {
	// Create begins the bundle of a plan. What is written to it is nothing until it is committed.
	Create(ctx context.Context, t audit.Tenant, plan string) (Draft, error)
	// Open returns a committed bundle's events, in JSON Lines, and its signed manifest. Not there:
	// ErrBundle.
	Open(ctx context.Context, t audit.Tenant, plan string) (events io.ReadCloser, manifest []byte, err error)
}

// Draft is a bundle that is written.
type Draft interface {
	io.Writer
	// Commit keeps the bundle with its manifest. Nil means that both survive a crash.
	Commit(ctx context.Context, manifest []byte) error
	// Discard forgets it. After Commit it does nothing.
	Discard() error
}

// Bundle returns the export of a plan, for somebody who keeps it elsewhere: its events and its signed
// manifest, which export.Verify takes. The caller closes it, and records that it was served.
// ErrNotFound, ErrBundle, ErrUnavailable.
func (k *Keeper) Bundle(ctx context.Context, t audit.Tenant, id string) (events io.ReadCloser, manifest []byte, err error) {
	p, err := k.Plan(ctx, t, id)
	if err != nil {
		return nil, nil, err
	}
	return k.open(ctx, &p)
}

// open opens the bundle of a plan.
func (k *Keeper) open(ctx context.Context, p *Plan) (io.ReadCloser, []byte, error) {
	events, manifest, err := k.bundles.Open(ctx, p.Tenant, p.ID)
	switch {
	case errors.Is(err, ErrBundle):
		return nil, nil, ErrBundle
	case err != nil:
		return nil, nil, unavailable("opening a bundle", err)
	case sumOf(manifest) != p.Export:
		_ = events.Close() // it is not used
		return nil, nil, ErrBundle
	}
	return events, manifest, nil
}

// unbundle reads a plan's bundle: it is what was signed, and holds each event of the plan.
func (k *Keeper) unbundle(ctx context.Context, p *Plan, leaves [][32]byte) error {
	events, manifest, err := k.open(ctx, p)
	if err != nil {
		return err
	}
	defer events.Close()
	found := &finder{places: p.places(), leaves: leaves, seen: make([]bool, len(leaves))}
	keys := export.Keys{Export: k.x.VerifierKey(), Log: k.trees.VerifierKey()}
	v, err := export.Verify(io.TeeReader(events, found), manifest, keys, nil)
	switch {
	case err != nil && (errors.Is(err, export.ErrContent) || errors.Is(err, export.ErrManifest)):
		return ErrBundle
	case err != nil && ctx.Err() != nil:
		return unavailable("reading a bundle", ctx.Err())
	case err != nil:
		return errors.Join(ErrBundle, err)
	case v.Manifest.Tenant != p.Tenant || v.Manifest.Format != (export.JSONLines{}).Name() || !found.all():
		return ErrBundle
	}
	return ctx.Err()
}

// finder looks for a plan's events among the lines that are written to it.
type finder struct {
	places places
	leaves [][32]byte
	seen   []bool
	rest   []byte
	wrong  bool
	count  int
}

// maxLine is the longest line of a bundle, in bytes: an event has 64 KiB at most.
const maxLine = 1 << 20

// Write takes a part of the bundle.
func (f *finder) Write(b []byte) (int, error) {
	n := len(b)
	for {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			if f.rest = append(f.rest, b...); len(f.rest) > maxLine {
				f.wrong, f.rest = true, nil
			}
			return n, nil
		}
		f.rest = append(f.rest, b[:end]...)
		f.line(f.rest)
		f.rest, b = f.rest[:0], b[end+1:]
	}
}

func (f *finder) line(b []byte) {
	var l struct {
		Index int64           `json:"index"`
		Event json.RawMessage `json:"event"`
	}
	if json.Unmarshal(b, &l) != nil {
		f.wrong = true
		return
	}
	n, ok := f.places.find(l.Index)
	switch {
	case !ok:
	case f.seen[n] || audit.Leaf(l.Event) != f.leaves[n]:
		f.wrong = true
	default:
		f.seen[n] = true
		f.count++
	}
}

func (f *finder) all() bool { return !f.wrong && f.count == len(f.leaves) }

// buffered is a writer in front of a file.
func buffered(w io.Writer) *bufio.Writer { return bufio.NewWriterSize(w, 64<<10) }
