package phi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// MemoryShreds is a ShredJournal in memory: for tests and examples.
type MemoryShreds struct {
	mu   sync.RWMutex
	list []Shredded
	has  map[KeySlot]bool
}

// NewMemoryShreds returns an empty journal.
func NewMemoryShreds() *MemoryShreds { return &MemoryShreds{has: map[KeySlot]bool{}} }

func (e *Shredded) slot() KeySlot {
	return KeySlot{Namespace: e.Namespace, Tenant: e.Tenant, Purpose: PurposePatient, Patient: e.Patient}
}

// Append implements ShredJournal.
func (m *MemoryShreds) Append(ctx context.Context, e Shredded) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(e)
	return nil
}

func (m *MemoryShreds) add(e Shredded) {
	if !m.has[e.slot()] {
		m.has[e.slot()] = true
		m.list = append(m.list, e)
	}
}

// Has implements ShredJournal.
func (m *MemoryShreds) Has(ctx context.Context, namespace string, t audit.Tenant, p audit.Patient) (bool, error) {
	e := Shredded{Namespace: namespace, Tenant: t, Patient: p}
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.has[e.slot()], ctx.Err()
}

// List implements ShredJournal.
func (m *MemoryShreds) List(ctx context.Context, namespace string) iter.Seq2[Shredded, error] {
	return func(yield func(Shredded, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(Shredded{}, err)
			return
		}
		m.mu.RLock()
		list := slices.Clone(m.list)
		m.mu.RUnlock()
		for _, e := range list {
			if e.Namespace == namespace && !yield(e, nil) {
				return
			}
		}
	}
}

// ShredFile is a ShredJournal in a file, a line of JSON for each entry. It belongs on a disk that is
// never put back with the database, and into a backup of its own. Several processes of one machine may use it; for
// several machines take a database.
type ShredFile struct {
	path string
	mu   sync.Mutex
	read int64 // bytes that are in seen
	seen *MemoryShreds
	sync func(*os.File) error
}

// OpenShredFile opens the journal, and creates it where there is none. Damaged: ErrJournal.
func OpenShredFile(path string) (*ShredFile, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, errors.New("phi: the journal of shreds cannot be opened")
	}
	if err := errors.Join(file.Sync(), file.Close(), syncDir(filepath.Dir(path))); err != nil {
		return nil, errors.New("phi: the journal of shreds cannot be written")
	}
	f := &ShredFile{path: path, seen: NewMemoryShreds(), sync: (*os.File).Sync}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.catchUp(); err != nil {
		return nil, err
	}
	return f, nil
}

type shredLine struct {
	Version   int           `json:"v"`
	Namespace string        `json:"namespace"`
	Tenant    audit.Tenant  `json:"tenant"`
	Patient   audit.Patient `json:"patient"`
	At        time.Time     `json:"at"`
}

// torn ends a line that a crash cut off; its Append never returned.
const torn = "!\n"

// maxShredFile bounds what is read of the file at once, in bytes.
const maxShredFile = 1 << 30

// catchUp reads what is new in the file, and returns what a crash left behind its last line. The caller
// holds mu.
func (f *ShredFile) catchUp() (rest []byte, err error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, ErrJournal
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || info.Size() < f.read {
		return nil, ErrJournal
	}
	if info.Size() == f.read {
		return nil, nil
	}
	data, err := io.ReadAll(io.NewSectionReader(file, f.read, min(info.Size()-f.read, maxShredFile)))
	if err != nil {
		return nil, ErrJournal
	}
	for {
		line, after, whole := bytes.Cut(data, []byte("\n"))
		if !whole {
			return data, nil
		}
		if err := f.line(line); err != nil {
			return nil, err
		}
		f.read += int64(len(line)) + 1
		data = after
	}
}

func (f *ShredFile) line(line []byte) error {
	if len(line) > 0 && line[len(line)-1] == torn[0] {
		return nil
	}
	var l shredLine
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil || d.More() || l.Version != 1 || l.Namespace == "" || l.Tenant == "" || l.Patient == "" {
		return ErrJournal
	}
	f.seen.mu.Lock()
	defer f.seen.mu.Unlock()
	f.seen.add(Shredded{l.Namespace, l.Tenant, l.Patient, l.At})
	return nil
}

// Append implements ShredJournal. It returns when the disk has the line.
func (f *ShredFile) Append(ctx context.Context, e Shredded) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	rest, err := f.catchUp()
	if err != nil {
		return err
	}
	if f.seen.has[e.slot()] { // maybe by an Append whose line the disk does not have yet
		return f.write(nil)
	}
	line, err := json.Marshal(shredLine{1, e.Namespace, e.Tenant, e.Patient, e.At.UTC()})
	if err != nil {
		return fmt.Errorf("phi: writing the journal of shreds: %w", err)
	}
	line = append(line, '\n')
	if len(rest) > 0 {
		line = append([]byte(torn), line...)
	}
	if err := f.write(line); err != nil {
		return err
	}
	_, err = f.catchUp()
	return err
}

// write returns when the disk has a line, and all before it.
func (f *ShredFile) write(line []byte) error {
	file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return ErrJournal
	}
	_, err = file.Write(line)
	if err := errors.Join(err, f.sync(file), file.Close()); err != nil {
		return errors.New("phi: the journal of shreds cannot be written")
	}
	return nil
}

// Has implements ShredJournal.
func (f *ShredFile) Has(ctx context.Context, namespace string, t audit.Tenant, p audit.Patient) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.catchUp(); err != nil {
		return false, err
	}
	return f.seen.Has(ctx, namespace, t, p)
}

// List implements ShredJournal.
func (f *ShredFile) List(ctx context.Context, namespace string) iter.Seq2[Shredded, error] {
	return func(yield func(Shredded, error) bool) {
		f.mu.Lock()
		_, err := f.catchUp()
		f.mu.Unlock()
		if err != nil {
			yield(Shredded{}, err)
			return
		}
		f.seen.List(ctx, namespace)(yield)
	}
}
