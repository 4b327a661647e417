package purge

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/wardkit/wardkit/audit"
)

// Folder keeps bundles in a folder, two files for each: "….jsonl" and "….manifest", readable for
// their owner only. Several servers have to share it. The files name patients by their opaque
// identifiers: put the folder on a volume that is encrypted and backed up.
type Folder struct{ path string }

var _ Bundles = (*Folder)(nil)

// NewFolder returns Bundles in the folder at path, which the first bundle creates (mode 0700).
func NewFolder(path string) *Folder { return &Folder{path} }

// Path returns where the folder is.
func (f *Folder) Path() string { return f.path }

// name returns the path of a bundle without an ending. A tenant's name may be no file's name.
func (f *Folder) name(t audit.Tenant, plan string) (string, error) {
	if plan == "" || len(plan) > 64 || strings.Trim(plan, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return "", ErrBundle
	}
	sum := sha256.Sum256([]byte(t))
	return filepath.Join(f.path, hex.EncodeToString(sum[:8])+"-"+plan), nil
}

const (
	eventsEnd   = ".jsonl"
	manifestEnd = ".manifest"
	draftEnd    = ".draft"
)

// Create implements Bundles.
func (f *Folder) Create(ctx context.Context, t audit.Tenant, plan string) (Draft, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	name, err := f.name(t, plan)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(f.path, 0o700); err != nil {
		return nil, pathless(err)
	}
	file, err := os.OpenFile(name+draftEnd, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, pathless(err)
	}
	return &draft{folder: f.path, name: name, file: file, w: buffered(file)}, nil
}

type draft struct {
	folder, name string
	file         *os.File
	w            *bufio.Writer
	done         bool
}

// Write implements io.Writer.
func (d *draft) Write(b []byte) (int, error) {
	n, err := d.w.Write(b)
	return n, pathless(err)
}

// Commit implements Draft: the manifest is there before the events are under their name.
func (d *draft) Commit(ctx context.Context, manifest []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := errors.Join(d.w.Flush(), d.file.Sync())
	if err = errors.Join(err, d.file.Close()); err != nil {
		return pathless(err)
	}
	if err := written(d.name+manifestEnd, manifest); err != nil {
		return pathless(err)
	}
	if err := os.Rename(d.name+draftEnd, d.name+eventsEnd); err != nil {
		return pathless(err)
	}
	d.done = true
	return pathless(synced(d.folder))
}

// written writes a file that must not be there, down to the disk.
func written(path string, data []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Sync(), file.Close())
}

// synced makes new names in a folder survive a crash, where the system can.
func synced(folder string) error {
	dir, err := os.Open(folder)
	if err != nil {
		return err
	}
	_ = dir.Sync() // not every system can
	return dir.Close()
}

// Discard implements Draft.
func (d *draft) Discard() error {
	if d.done {
		return nil
	}
	d.done = true
	_ = d.file.Close() // it is removed
	return pathless(os.Remove(d.name + draftEnd))
}

// Open implements Bundles.
func (f *Folder) Open(ctx context.Context, t audit.Tenant, plan string) (io.ReadCloser, []byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	name, err := f.name(t, plan)
	if err != nil {
		return nil, nil, err
	}
	manifest, err := os.ReadFile(name + manifestEnd)
	if err != nil {
		return nil, nil, missing(err)
	}
	events, err := os.Open(name + eventsEnd)
	if err != nil {
		return nil, nil, missing(err)
	}
	return events, manifest, nil
}

func missing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return ErrBundle
	}
	return pathless(err)
}

// pathless is a system's error without the path in it, which names a tenant's plan.
func pathless(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	var l *os.LinkError
	if errors.As(err, &l) {
		return l.Err
	}
	return err
}
