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
}

const rowColumns = `e.place, e.recorded, e.outcome, e.id, e.leaf, e.body`

func (r *row) dest() []any {
	return []any{&r.place, &r.recorded, &r.outcome, &r.id, &r.leaf, &r.body}
}

// entry checks the row as far as a store does, and returns what it says. The leaf and the
// rest are checked by whoever decodes the event.
func (r *row) entry(tenant audit.Tenant) (audit.Entry, facts, error) {
	body, ok := unpack(r.body, packContext{string(tenant), r.id, r.recorded})
	if !ok || len(r.id) != 16 || len(r.leaf) != 32 || r.outcome < 0 || r.outcome > 255 {
		return audit.Entry{}, facts{}, audit.ErrDamaged
	}
	f, ok := factsOf(body)
	if !ok {
		return audit.Entry{}, facts{}, audit.ErrDamaged
	}
	return audit.Entry{
		Index: indexOf(r.place), Tenant: tenant, ID: idText(r.id), Recorded: sqlkit.Time(r.recorded),
		Actor: audit.ActorID(f.actor), Action: audit.Action(f.action), Outcome: audit.Outcome(r.outcome),
		Body: body, Leaf: [32]byte(r.leaf),
	}, f, nil
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
func idText(key []byte) string {
	h := hex.EncodeToString(key)
	return h[0:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:32]
}
