package auditsql

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

// item is an entry as the tables keep it.
type item struct {
	tenant   string
	id       []byte // 16 bytes
	recorded int64
	outcome  int64
	leaf     []byte
	plain    []byte // canonical bytes
	body     []byte // packed
	sealed   []byte
	keys     []int64 // what it is found by, each once
}

// items prepares the entries of one call in their order, each once.
func items(entries []audit.Entry) ([]item, error) {
	type name struct {
		tenant audit.Tenant
		id     string
	}
	list := make([]item, 0, len(entries))
	seen := make(map[name]int, len(entries))
	for i := range entries {
		e := &entries[i]
		if at, ok := seen[name{e.Tenant, e.ID}]; ok {
			if !bytes.Equal(list[at].plain, e.Body) {
				return nil, audit.ErrConflict
			}
			continue
		}
		seen[name{e.Tenant, e.ID}] = len(list)
		id, ok := idBytes(e.ID)
		if !ok {
			return nil, errors.New("auditsql: an ID is not a UUID")
		}
		list = append(list, newItem(e, id))
	}
	return list, nil
}

func newItem(e *audit.Entry, id []byte) item {
	at := sqlkit.Micros(e.Recorded)
	return item{
		tenant: string(e.Tenant), id: id, recorded: at, outcome: int64(e.Outcome),
		leaf: e.Leaf[:], plain: e.Body, body: pack(e.Body, packContext{string(e.Tenant), id, at}), sealed: e.Openings, keys: keysOf(e),
	}
}

// compareItems orders by tenant and ID.
func compareItems(a, b *item) int {
	return cmp.Or(bytes.Compare(a.id, b.id), cmp.Compare(a.tenant, b.tenant))
}

// tenantsOf lists the tenants of the items, each once, sorted.
func tenantsOf(list []item) []string {
	var out []string
	last := ""
	for i := range list {
		if t := list[i].tenant; i == 0 || t != last {
			out = append(out, t)
			last = t
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// row is what the tables hold of an entry, as it is read back.
type row struct {
	place, recorded, outcome int64
	id, leaf, body, sealed   []byte
	foreign                  bool // it waits, and this log did not write it
	purged                   bool
}

// says reports whether it is of an event with these canonical bytes; of one that was purged the
// leaf knows.
func (r *row) says(tenant string, body []byte) bool {
	if r.purged {
		leaf := audit.Leaf(body)
		return bytes.Equal(r.leaf, leaf[:])
	}
	return samePacked(r, tenant, body)
}

const rowColumns = `e.place, e.recorded, e.outcome, e.id, e.leaf, e.body`

func (r *row) dest() []any {
	return []any{&r.place, &r.recorded, &r.outcome, &r.id, &r.leaf, &r.body}
}

// room is what reading rows one after the other reuses.
type room struct {
	text  []byte
	facts facts // of the row that was read last
}

// entry checks the row as far as a store does, and returns what it says, in memory of its own.
// The leaf and the rest are checked by whoever decodes the event.
func (r *row) entry(tenant audit.Tenant, room *room) (audit.Entry, error) {
	text, ok := unpack(room.text, r.body, packContext{string(tenant), r.id, r.recorded})
	room.text = text
	if !ok || len(r.id) != 16 || len(r.leaf) != 32 || r.outcome < 0 || r.outcome > 255 || !room.facts.read(text) {
		return audit.Entry{}, audit.ErrDamaged
	}
	return audit.Entry{
		Index: indexOf(r.place), Tenant: tenant, ID: idText(r.id), Recorded: sqlkit.Time(r.recorded),
		Actor: audit.ActorID(room.facts.actor), Action: audit.Action(room.facts.action), Outcome: audit.Outcome(r.outcome),
		Body: bytes.Clone(text), Leaf: [32]byte(r.leaf),
	}, nil
}

// idBytes returns the 16 bytes of a UUID; it reports false for anything else.
func idBytes(id string) ([]byte, bool) {
	if len(id) != 36 || id[8] != '-' || id[13] != '-' || id[18] != '-' || id[23] != '-' {
		return nil, false
	}
	digits := id[0:8] + id[9:13] + id[14:18] + id[19:23] + id[24:36]
	key, err := hex.DecodeString(digits)
	return key, err == nil && strings.ToLower(digits) == digits
}

// idText is the inverse of idBytes.
func idText(key []byte) string { return string(appendID(make([]byte, 0, 36), key)) }

func appendID(out, key []byte) []byte {
	out = hex.AppendEncode(out, key[:4])
	for _, part := range [][]byte{key[4:6], key[6:8], key[8:10], key[10:16]} {
		out = hex.AppendEncode(append(out, '-'), part)
	}
	return out
}
