package tail

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"sync"

	"github.com/wardkit/wardkit/audit/export"
)

// Lines is a Sink that writes each batch with an encoder of lines (fhir.AuditEvents, ocsf.Events,
// export.JSONLines) in one Write. A writer with a method Sync, such as *os.File, is synchronised
// before the batch counts as sent. After a Write that failed half-way, and in a file that an earlier
// process may have left so, the next one begins with a line break: the torn line is the only one
// that a reader cannot parse; its events come again. Where the file cannot be read that leaves an empty line
// at each start.
//
// The writer is not interrupted when the context ends: one that can hang forever belongs behind a
// deadline of its own (SetWriteDeadline).
type Lines struct {
	W       io.Writer
	Encoder export.Encoder // nil is export.JSONLines

	mu    sync.Mutex
	begun bool
	torn  bool
	room  []byte
}

var _ Sink = (*Lines)(nil)

// Send implements Sink.
func (l *Lines) Send(ctx context.Context, b Batch) error {
	if l.W == nil {
		return errors.New("tail: no writer")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	encoder := l.Encoder
	if encoder == nil {
		encoder = export.JSONLines{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.begun {
		l.begun, l.torn = true, halfLine(l.W)
	}
	out := l.room[:0]
	if l.torn {
		out = append(out, '\n')
	}
	var err error
	for i := range b.Entries {
		if out, err = encoder.Append(out, &b.Entries[i]); err != nil {
			return err
		}
	}
	if cap(out) <= 4<<20 {
		l.room = out
	}
	n, err := l.W.Write(out)
	if err == nil && n < len(out) {
		err = io.ErrShortWrite
	}
	if l.torn = err != nil && (n > 0 || l.torn); err != nil {
		return err
	}
	if s, ok := l.W.(interface{ Sync() error }); ok {
		return s.Sync()
	}
	return nil
}

// halfLine reports whether a file may end within a line.
func halfLine(w io.Writer) bool {
	file, ok := w.(interface{ Stat() (fs.FileInfo, error) })
	if !ok {
		return false
	}
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return false
	}
	var last [1]byte
	if r, ok := w.(io.ReaderAt); ok {
		if n, _ := r.ReadAt(last[:], info.Size()-1); n == 1 {
			return last[0] != '\n'
		}
	}
	return true
}
