package tlog

import (
	"fmt"
	"strconv"

	merkle "golang.org/x/mod/sumdb/tlog"
)

// text is the entry of the root log: what is hashed into it. The form never changes.
func (h Head) text() []byte {
	return fmt.Appendf(nil, "wardkit tree head v1\n%s\n%d\n%s\n%d\n", strconv.QuoteToASCII(string(h.Tenant)), h.Size, h.Root, h.At.UnixMicro())
}

// leaf is the entry's leaf hash in the root log.
func (h Head) leaf() merkle.Hash { return merkle.RecordHash(h.text()) }
