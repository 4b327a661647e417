package export

import (
	"bytes"
	"strconv"

	"github.com/wardkit/wardkit/audit"
)

// JSONLines writes one event on a line, {"index":12,"event":{…}}, whose event are the canonical
// bytes as they were hashed. So the lines prove themselves: Verify needs no database.
type JSONLines struct{}

var _ Encoder = JSONLines{}

// Name implements Encoder.
func (JSONLines) Name() string { return "jsonl" }

// Begin implements Encoder.
func (JSONLines) Begin(dst []byte) []byte { return dst }

const (
	lineIndex = `{"index":`
	lineEvent = `,"event":`
	lineEnd   = "}\n"
)

// Append implements Encoder.
func (JSONLines) Append(dst []byte, e *audit.Entry) ([]byte, error) {
	dst = strconv.AppendInt(append(dst, lineIndex...), e.Index, 10)
	dst = append(append(dst, lineEvent...), e.Body...)
	return append(dst, lineEnd...), nil
}

// parseLine returns the index and the canonical bytes of a line, with the byte before them, which
// the leaf hash needs room for. It reads exactly what Append writes.
func parseLine(line []byte) (index int64, roomAndBody []byte, ok bool) {
	rest, ok := bytes.CutPrefix(line, []byte(lineIndex))
	if !ok {
		return 0, nil, false
	}
	n := 0
	for n < len(rest) && '0' <= rest[n] && rest[n] <= '9' {
		if index > (1<<62)/10 {
			return 0, nil, false
		}
		index = 10*index + int64(rest[n]-'0')
		n++
	}
	if n == 0 || n > 1 && rest[0] == '0' {
		return 0, nil, false
	}
	rest, ok = bytes.CutPrefix(rest[n:], []byte(lineEvent[:len(lineEvent)-1]))
	if !ok || len(rest) < 2 || rest[0] != lineEvent[len(lineEvent)-1] {
		return 0, nil, false
	}
	body, ok := bytes.CutSuffix(rest, []byte(lineEnd))
	return index, body, ok && len(body) > 1
}
