package auditsql

import "github.com/wardkit/wardkit/audit"

// pack shortens canonical bytes for storing. The first byte is the version of the packing.
func pack(body []byte) []byte {
	return append([]byte{0}, body...)
}

// unpack is the inverse of pack; it reports false for what pack never wrote.
func unpack(packed []byte) ([]byte, bool) {
	if len(packed) == 0 || packed[0] != 0 || len(packed) > 1+audit.MaxBody {
		return nil, false
	}
	return packed[1:], true
}
