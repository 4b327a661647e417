package tail

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strconv"
	"sync"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/export"
)

// Syslog is a Sink that sends each event as a message of RFC 5424 with the framing of RFC 6587,
// section 3.4.1 (octet counting), as syslog over TLS has it (RFC 5425). Facility is 13, log audit; the
// message is what the encoder writes of the event: DICOM and IHE ATNA take fhir.AuditEvents, a
// SIEM ocsf.Events.
//
// Syslog has no answers: that the connection took the bytes is all a sender learns, and what was on its
// way when a connection broke may be lost. Who needs every event lets the receiver look for gaps in
// the events' index, or takes a Sink with a protocol that confirms.
type Syslog struct {
	// Dial opens a connection; with crypto/tls, because events name patients.
	Dial    func(ctx context.Context) (net.Conn, error)
	Encoder export.Encoder // one that writes lines; nil is export.JSONLines
	Host    string         // HOSTNAME, printable ASCII without spaces; "" is "-"
	App     string         // APP-NAME, likewise; "" is "wardkit"

	mu   sync.Mutex
	conn net.Conn
}

var _ Sink = (*Syslog)(nil)

// Send implements Sink.
func (s *Syslog) Send(ctx context.Context, b Batch) error {
	if s.Dial == nil {
		return errors.New("tail: no way to dial")
	}
	out, err := s.messages(b)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		if s.conn, err = s.Dial(ctx); err != nil {
			s.conn = nil
			return err
		}
	}
	deadline, _ := ctx.Deadline() // none is none
	err = s.conn.SetWriteDeadline(deadline)
	if err == nil {
		_, err = s.conn.Write(out)
	}
	if err != nil {
		_ = s.conn.Close() // half a message may be in it
		s.conn = nil
	}
	return err
}

// Close closes the connection.
func (s *Syslog) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return nil
	}
	err := s.conn.Close()
	s.conn = nil
	return err
}

func (s *Syslog) messages(b Batch) (out []byte, err error) {
	encoder := s.Encoder
	if encoder == nil {
		encoder = export.JSONLines{}
	}
	var lines []byte
	for i := range b.Entries {
		e := &b.Entries[i]
		if lines, err = encoder.Append(lines[:0], e); err != nil {
			return nil, err
		}
		for line := range bytes.Lines(lines) { // an event may be several
			m := append(s.header(e), bytes.TrimRight(line, "\r\n")...)
			out = strconv.AppendInt(out, int64(len(m)), 10)
			out = append(append(out, ' '), m...)
		}
	}
	return out, nil
}

// header is PRI VERSION TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA (RFC 5424, section 6).
func (s *Syslog) header(e *audit.Entry) []byte {
	severity := 6 // informational
	switch e.Outcome {
	case audit.MinorFailure:
		severity = 5 // notice
	case audit.Failure:
		severity = 4 // warning
	case audit.MajorFailure:
		severity = 3 // error
	}
	out := append(strconv.AppendInt([]byte{'<'}, int64(13*8+severity), 10), ">1 "...)
	out = append(e.Recorded.UTC().AppendFormat(out, "2006-01-02T15:04:05.000000Z07:00"), ' ')
	out = append(append(out, field(s.Host, 255, "-")...), ' ')
	out = append(append(out, field(s.App, 48, "wardkit")...), " - "...)
	return append(append(out, field(string(e.Action), 32, "-")...), " - "...)
}

// field keeps a header's field inside of RFC 5424: printable ASCII without spaces.
func field(text string, limit int, none string) string {
	if text == "" {
		return none
	}
	b := []byte(text[:min(len(text), limit)])
	for i := range b {
		if b[i] <= ' ' || b[i] > '~' {
			b[i] = '_'
		}
	}
	return string(b)
}
