package export

import "github.com/wardkit/wardkit/audit/tlog"

// ParsePurged is parsePurged.
func ParsePurged(line []byte) (int64, []tlog.Hash, bool) { return parsePurged(line) }
