package export

import (
	"bufio"
	"fmt"
	"io"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tlog"
)

// output writes lines and counts them.
type output struct {
	w            *bufio.Writer
	encoder      Encoder
	line         []byte
	count, bytes int64
	purged       int64
	begun        bool
}

func newOutput(w io.Writer, e Encoder) *output {
	return &output{w: bufio.NewWriterSize(w, block), encoder: e}
}

func (o *output) add(e *audit.Entry) error {
	if err := o.begin(); err != nil {
		return err
	}
	line, err := o.encoder.Append(o.line[:0], e)
	if err != nil {
		return tlog.ErrAltered
	}
	o.line = line
	o.count++
	return o.write(line)
}

// addPurged adds places without events.
func (o *output) addPurged(from int64, leaves [][32]byte) error {
	o.purged += int64(len(leaves))
	e, ok := o.encoder.(PurgedEncoder)
	if !ok {
		return nil
	}
	if err := o.begin(); err != nil {
		return err
	}
	o.line = e.AppendPurged(o.line[:0], from, leaves)
	return o.write(o.line)
}

// begin writes what is before the first event, once.
func (o *output) begin() error {
	if o.begun {
		return nil
	}
	o.begun = true
	return o.write(o.encoder.Begin(nil))
}

func (o *output) write(b []byte) error {
	o.bytes += int64(len(b))
	if _, err := o.w.Write(b); err != nil {
		return fmt.Errorf("%w: %w", ErrWrite, err)
	}
	return nil
}

func (o *output) flush() error {
	if err := o.begin(); err != nil {
		return err
	}
	if err := o.w.Flush(); err != nil {
		return fmt.Errorf("%w: %w", ErrWrite, err)
	}
	return nil
}
