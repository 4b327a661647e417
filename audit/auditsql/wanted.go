package auditsql

import (
	"cmp"
	"context"
	"slices"

	"github.com/wardkit/wardkit/audit"
)

// wanted is a filter as a search uses it.
type wanted struct {
	filter     *audit.Filter
	conditions []condition // those that entries are found by, what selects the fewest in general first
	wide       bool        // the others select so much that intersecting costs more than it saves
	left       int         // how many entries are missing
	read, kept int         // how many were read in this step, and how many of them were selected
	piece      int         // how many are read next
	bodiless   []int64     // places whose entries were just read and have no body
	gone       []span      // purged, the next ones as far as they are known, descending
}

func newWanted(f *audit.Filter, limit int) *wanted {
	return &wanted{filter: f, conditions: conditionsOf(f), left: limit, piece: min(max(limit, minPiece), maxChunk)}
}

// alive is the highest place that is not known to be purged, from one on downwards.
func (w *wanted) alive(place int64) int64 {
	at, _ := slices.BinarySearchFunc(w.gone, place, func(p span, place int64) int { return cmp.Compare(place, p.from) })
	if at < len(w.gone) && w.gone[at].has(place) {
		return w.gone[at].from - 1
	}
	return place
}

// drop drops descending places that are known to be purged.
func (w *wanted) drop(places []int64) []int64 {
	if len(w.gone) == 0 {
		return places
	}
	return slices.DeleteFunc(places, func(p int64) bool { return w.alive(p) != p })
}

// minPiece is how many entries are read at least, if there are as many.
const minPiece = 64

// condition is a part of a filter: an entry has one of the keys. Without keys every entry is
// found.
type condition struct {
	keys []int64
	only audit.Filter // the condition alone
}

func conditionsOf(f *audit.Filter) (out []condition) {
	tenant := string(f.Tenant)
	if f.ObjectID != "" {
		only := audit.Filter{Tenant: f.Tenant, ObjectType: f.ObjectType, ObjectID: f.ObjectID}
		out = append(out, condition{[]int64{keyOf(byObject, tenant, f.ObjectType, f.ObjectID)}, only})
	}
	if f.Patient != "" {
		only := audit.Filter{Tenant: f.Tenant, Patient: f.Patient}
		out = append(out, condition{[]int64{keyOf(byPatient, tenant, string(f.Patient))}, only})
	}
	if len(f.Actors) > 0 {
		out = append(out, condition{keysOfValues(byActor, tenant, f.Actors), audit.Filter{Tenant: f.Tenant, Actors: f.Actors}})
	}
	if f.ObjectType != "" && f.ObjectID == "" {
		only := audit.Filter{Tenant: f.Tenant, ObjectType: f.ObjectType}
		out = append(out, condition{[]int64{keyOf(byType, tenant, f.ObjectType)}, only})
	}
	if len(f.Actions) > 0 {
		out = append(out, condition{keysOfValues(byAction, tenant, f.Actions), audit.Filter{Tenant: f.Tenant, Actions: f.Actions}})
	}
	return out
}

func keysOfValues[T ~string](d dimension, tenant string, values []T) []int64 {
	keys := make([]int64, len(values))
	for i, v := range values {
		keys[i] = keyOf(d, tenant, string(v))
	}
	return each(keys)
}

// lead is the condition that is searched for.
func (w *wanted) lead() *condition {
	if len(w.conditions) == 0 {
		return &condition{}
	}
	return &w.conditions[0]
}

// start is how many candidates the first step looks for: what is asked for, or as many as
// there may be where others decide which of them are read.
func (w *wanted) start(limit int) int {
	if len(w.conditions) > 1 {
		return maxChunk
	}
	return min(max(limit, 1), maxChunk)
}

// step is how many candidates the next step looks for, after one that looked for n: as many as are
// missing, where most of what it read was selected, and more and more where it was not.
func (w *wanted) step(n int) int {
	most := 2*w.kept > w.read
	w.left, w.read, w.kept = w.left-w.kept, 0, 0
	if most && w.left > 0 && len(w.conditions) < 2 {
		return min(w.left, maxChunk)
	}
	return min(max(4*n, minPiece), maxChunk)
}

// explains reports whether the search could lead to the event: it has one of the values or,
// which hardly ever happens, another value with the same key. If not, somebody changed the
// tables.
func (c *condition) explains(f *facts, e *audit.Entry) bool {
	if len(c.keys) == 0 || f.match(&c.only, e) {
		return true
	}
	found := f.entry(e.Tenant)
	return slices.ContainsFunc(keysOf(&found), func(k int64) bool { return slices.Contains(c.keys, k) })
}

// narrow drops candidates that one of the other conditions does not find. What it leaves is
// still compared with the filter, so it may leave too much: where the others have many blocks
// in the range of the candidates, reading the candidates is cheaper.
func (s *Store) narrow(ctx context.Context, w *wanted, places []int64) ([]int64, error) {
	if len(w.conditions) < 2 || len(places) == 0 || w.wide {
		return places, nil
	}
	others := w.conditions[1:]
	var keys []int64
	for _, c := range others {
		keys = append(keys, c.keys...)
	}
	r := reach{from: places[len(places)-1], below: places[0] + 1}
	limit := len(keys)*16 + len(places)/2
	by := make([]uint8, len(places)) // a bit for each of the others
	var found posting
	query, args := s.narrowQuery(keys, r, limit)
	n, err := s.blocks(ctx, func(_, key int64, data []byte) error {
		found.key = key
		if !found.read(data, r) {
			return audit.ErrDamaged
		}
		for i := range others {
			if slices.Contains(others[i].keys, key) {
				tick(by, 1<<i, places, found.places)
			}
		}
		return nil
	}, query, args...)
	if err != nil {
		return nil, err
	}
	if n >= limit {
		w.wide = true
		return places, nil
	}
	out := places[:0]
	for i, p := range places {
		if by[i] == 1<<len(others)-1 {
			out = append(out, p)
		}
	}
	return out, nil
}

// tick sets a bit for those of the descending places that are among the ascending found ones.
func tick(by []uint8, bit uint8, places, found []int64) {
	if len(found) == 0 {
		return
	}
	at, ok := placeAmong(places, found[0])
	if !ok {
		at--
	}
	for _, p := range found {
		for at >= 0 && places[at] < p {
			at--
		}
		if at < 0 {
			return
		}
		if places[at] == p {
			by[at] |= bit
		}
	}
}

// The search for all blocks of each run that may have pairs of a key in a range: those that
// begin with one in it, and the last one before.
const (
	narrowSQLite = `SELECT r.no, k.key, b.data FROM audit_run r CROSS JOIN `
	narrowBegin  = ` CROSS JOIN audit_block b WHERE r.state = 1 AND b.run = r.no AND b.key = k.key AND b.place > ? AND b.place < ?
		UNION ALL SELECT r.no, k.key, (SELECT b.data FROM audit_block b WHERE b.run = r.no AND (b.key, b.place) <= (k.key, ?)
			ORDER BY b.key DESC, b.place DESC LIMIT 1) FROM audit_run r CROSS JOIN `
	narrowEnd      = ` WHERE r.state = 1 LIMIT ?`
	narrowPostgres = `SELECT r.no, k.key, b.data
		FROM audit_run r CROSS JOIN unnest($3::bigint[]) AS k (key) CROSS JOIN LATERAL (
			(SELECT data FROM audit_block WHERE run = r.no AND key = k.key AND place > $1 AND place < $2)
			UNION ALL (SELECT data FROM audit_block WHERE run = r.no AND (key, place) <= (k.key, $1) ORDER BY key DESC, place DESC LIMIT 1)) AS b
		WHERE r.state = 1 AND position(int8send(k.key) IN b.data) > 0 LIMIT $4`
)

func (s *Store) narrowQuery(keys []int64, r reach, limit int) (string, []any) {
	if s.postgres() {
		return narrowPostgres, []any{r.from, r.below, keyList(keys), limit}
	}
	list, values := keyRows(keys)
	args := append(slices.Clone(values), r.from, r.below, r.from)
	return narrowSQLite + list + narrowBegin + list + narrowEnd, append(append(args, values...), limit)
}
