package tlog

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// FileSink keeps checkpoints in a file that is only ever appended to, one after the other in
// clear text, each behind a line of four equals signs. Put the file where the database's owner
// cannot write: another machine, a volume that allows appending only (chattr +a). Several
// processes may append to one file.
type FileSink struct {
	mu   sync.Mutex
	path string
}

var _ Sink = (*FileSink)(nil)

// NewFileSink returns a sink in the file at path, which the first Put creates (mode 0600).
func NewFileSink(path string) *FileSink { return &FileSink{path: path} }

// begin is before each checkpoint. What was cut short by a crash has no effect on the next one.
const begin = "\n====\n"

// maxTail is how much of the file's end Last looks at.
const maxTail = 4 * maxNote

// Put implements Sink. It writes with one call and waits until the disk has it.
func (s *FileSink) Put(ctx context.Context, signed []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(signed) > maxNote || bytes.Contains(signed, []byte(begin)) {
		return errors.New("tlog: too long for a checkpoint, or none")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := os.OpenFile(s.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return hidden("opening", err)
	}
	_, err = f.Write(append([]byte(begin), signed...))
	err = errors.Join(err, f.Sync(), f.Close(), syncFolder(s.path))
	if err != nil {
		return hidden("writing", err)
	}
	return nil
}

// Last implements Sink. Behind the last whole checkpoint there may be one that a crash cut short;
// it is skipped.
func (s *FileSink) Last(ctx context.Context) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := os.Open(s.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, hidden("opening", err)
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, hidden("reading", err)
	}
	tail := make([]byte, min(size, maxTail))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil {
		return nil, hidden("reading", err)
	}
	for k := 1; k < len(begin); k++ { // what a crash left of the next one's first line
		if bytes.HasSuffix(tail, []byte("\n"+begin[:k])) {
			tail = tail[:len(tail)-k]
			break
		}
	}
	for len(tail) > 0 {
		at := bytes.LastIndex(tail, []byte(begin))
		if at < 0 {
			return nil, errors.New("tlog: the file ends without a checkpoint")
		}
		if entry := tail[at+len(begin):]; whole(entry) {
			return entry, nil
		}
		tail = tail[:at]
	}
	return nil, nil
}

// whole reports whether a note has its signature and the end of its line.
func whole(entry []byte) bool {
	_, signatures, found := bytes.Cut(entry, []byte("\n\n"))
	return found && len(signatures) > 0 && bytes.HasSuffix(signatures, []byte("\n"))
}

// syncFolder makes a new file's name durable, where the system can.
func syncFolder(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	_ = d.Sync() // Windows cannot
	return d.Close()
}

// hidden leaves the path out of an error.
func hidden(doing string, err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return errors.Join(errors.New("tlog: "+doing+" the file of checkpoints"), err)
}
