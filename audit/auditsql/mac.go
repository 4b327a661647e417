package auditsql

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
)

// macs are the keys that authenticate waiting entries; the first makes MACs, all check them.
type macs [][]byte

// newMacs derives the keys from the host's.
func newMacs(keys [][]byte) (macs, error) {
	var out macs
	for _, k := range keys {
		if len(k) < 32 {
			return nil, errors.New("auditsql: a key must have 32 bytes or more")
		}
		out = append(out, hmacOf(k, []byte("wardkit audit waiting entries 1")))
	}
	return out, nil
}

func hmacOf(key, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	return h.Sum(nil)
}

// macData is what a MAC is over: all of an entry but its sealed private values, which are
// bound to the event by themselves and may be erased.
func (it *item) macData() []byte {
	b := make([]byte, 0, 128+len(it.body)+8*len(it.keys))
	b = appendPart(b, "wardkit audit entry 1")
	b = appendPart(b, it.tenant)
	b = appendPart(b, it.id)
	b = binary.BigEndian.AppendUint64(b, uint64(it.recorded))
	b = binary.BigEndian.AppendUint64(b, uint64(it.outcome))
	b = appendPart(b, it.leaf)
	b = appendPart(b, it.body)
	return appendPart(b, keyBytes(it.keys))
}

func (m macs) make(it *item) []byte { return hmacOf(m[0], it.macData()) }

// check reports whether it was written by who has one of the keys.
func (m macs) check(it *item, mac []byte) bool {
	data, good := it.macData(), false
	for _, key := range m {
		good = hmac.Equal(hmacOf(key, data), mac) || good
	}
	return good
}
