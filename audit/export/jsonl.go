package export

import (
	"bytes"
	"encoding/base64"
	"strconv"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tlog"
)

// JSONLines writes one event on a line, {"index":12,"event":{…}}, whose event are the canonical
// bytes as they were hashed. So the lines prove themselves: Verify needs no database. Where events
// were purged, a line has the leaf hashes (base64) of as many places as there are in a row, 1,024 at
// most: {"index":12,"leaves":["…","…"]}.
type JSONLines struct{}

var _ PurgedEncoder = JSONLines{}

// Name implements Encoder.
func (JSONLines) Name() string { return "jsonl" }

// Begin implements Encoder.
func (JSONLines) Begin(dst []byte) []byte { return dst }

const (
	lineIndex = `{"index":`
	lineEvent = `,"event":`
	lineEnd   = "}\n"

	lineLeaves    = `,"leaves":["`
	lineLeavesEnd = "\"]}\n"
	lineNextLeaf  = `","`
	leafText      = 44 // length of a hash in base64
)

// Append implements Encoder.
func (JSONLines) Append(dst []byte, e *audit.Entry) ([]byte, error) {
	dst = strconv.AppendInt(append(dst, lineIndex...), e.Index, 10)
	dst = append(append(dst, lineEvent...), e.Body...)
	return append(dst, lineEnd...), nil
}

// AppendPurged implements PurgedEncoder.
func (JSONLines) AppendPurged(dst []byte, from int64, leaves [][32]byte) []byte {
	dst = strconv.AppendInt(append(dst, lineIndex...), from, 10)
	for i, leaf := range leaves {
		if i == 0 {
			dst = append(dst, lineLeaves...)
		} else {
			dst = append(dst, lineNextLeaf...)
		}
		dst = base64.StdEncoding.AppendEncode(dst, leaf[:])
	}
	return append(dst, lineLeavesEnd...)
}

// parsePurged returns the index and the leaf hashes of a line that has them. It reads exactly what
// AppendPurged writes.
func parsePurged(line []byte) (from int64, leaves []tlog.Hash, ok bool) {
	from, rest, ok := parseIndex(line)
	if !ok {
		return 0, nil, false
	}
	if rest, ok = bytes.CutPrefix(rest, []byte(lineLeaves)); !ok {
		return 0, nil, false
	}
	if rest, ok = bytes.CutSuffix(rest, []byte(lineLeavesEnd)); !ok {
		return 0, nil, false
	}
	for len(leaves) < chunk && len(rest) >= leafText {
		var h tlog.Hash
		if h.UnmarshalText(rest[:leafText]) != nil {
			return 0, nil, false
		}
		leaves = append(leaves, h)
		if rest = rest[leafText:]; len(rest) == 0 {
			return from, leaves, true
		}
		if rest, ok = bytes.CutPrefix(rest, []byte(lineNextLeaf)); !ok {
			return 0, nil, false
		}
	}
	return 0, nil, false
}

// parseLine returns the index and the canonical bytes of a line, with the byte before them, which
// the leaf hash needs room for. It reads exactly what Append writes.
func parseLine(line []byte) (index int64, roomAndBody []byte, ok bool) {
	index, rest, ok := parseIndex(line)
	if !ok {
		return 0, nil, false
	}
	rest, ok = bytes.CutPrefix(rest, []byte(lineEvent[:len(lineEvent)-1]))
	if !ok || len(rest) < 2 || rest[0] != lineEvent[len(lineEvent)-1] {
		return 0, nil, false
	}
	body, ok := bytes.CutSuffix(rest, []byte(lineEnd))
	return index, body, ok && len(body) > 1
}

// parseIndex returns the index at the beginning of a line, and what follows.
func parseIndex(line []byte) (index int64, rest []byte, ok bool) {
	rest, ok = bytes.CutPrefix(line, []byte(lineIndex))
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
	return index, rest[n:], true
}
