package auditsql

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/wardkit/wardkit/audit"
)

// dimension is what a key is of.
type dimension byte

// The dimensions. They are stored inside keys and never change.
const (
	byActor   dimension = 'a'
	byAction  dimension = 'v'
	byPatient dimension = 'p'
	byObject  dimension = 'o' // type and ID
	byType    dimension = 't'
)

// keyOf is what entries with these values are found by: the first 8 bytes of
// SHA-256(dimension ‖ tenant ‖ values), each preceded by its length. Two values may share a
// key; whoever reads compares the values themselves.
func keyOf(d dimension, tenant string, values ...string) int64 {
	b := make([]byte, 0, 256)
	b = appendPart(append(b, byte(d)), tenant)
	for _, v := range values {
		b = appendPart(b, v)
	}
	sum := sha256.Sum256(b)
	return int64(binary.BigEndian.Uint64(sum[:8]))
}

func appendPart[T string | []byte](b []byte, part T) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
	return append(b, part...)
}

// keysOf returns all keys of an entry, each once.
func keysOf(e *audit.Entry) []int64 {
	tenant := string(e.Tenant)
	keys := make([]int64, 2, 2+len(e.Patients)+2*len(e.Objects))
	keys[0] = keyOf(byActor, tenant, string(e.Actor))
	keys[1] = keyOf(byAction, tenant, string(e.Action))
	for _, p := range e.Patients {
		keys = append(keys, keyOf(byPatient, tenant, string(p)))
	}
	types := map[string]bool{}
	for _, r := range e.Objects {
		if !types[r.Type] {
			types[r.Type] = true
			keys = append(keys, keyOf(byType, tenant, r.Type))
		}
		if r.ID != "" {
			keys = append(keys, keyOf(byObject, tenant, r.Type, r.ID))
		}
	}
	return each(keys)
}

// each drops repeats and keeps the order.
func each(keys []int64) []int64 {
	out := keys[:0]
	seen := make(map[int64]bool, len(keys))
	for _, k := range keys {
		if !seen[k] {
			seen[k] = true
			out = append(out, k)
		}
	}
	return out
}

func keyBytes(keys []int64) []byte {
	b := make([]byte, 0, 8*len(keys))
	for _, k := range keys {
		b = binary.BigEndian.AppendUint64(b, uint64(k))
	}
	return b
}

// parseKeys is the inverse of keyBytes.
func parseKeys(b []byte) ([]int64, bool) {
	keys := make([]int64, len(b)/8)
	for i := range keys {
		keys[i] = int64(binary.BigEndian.Uint64(b[8*i:]))
	}
	return keys, len(b)%8 == 0
}
