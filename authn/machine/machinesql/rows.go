package machinesql

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn/machine"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

const principalColumns = `p.tenant, p.id, p.version, p.kind, p.name, p.owner, p.on_behalf_of, p.scopes, p.state, p.expires, p.created, p.created_by, p.used`

const (
	fromBoth = ` FROM machine_principal p LEFT JOIN machine_key k ON k.tenant = p.tenant AND k.principal = p.id`
	// one statement is one snapshot: a principal is never read with the keys of another moment
	selectBoth = `SELECT ` + principalColumns + `, COALESCE(k.id, ''), COALESCE(k.created, 0), COALESCE(k.created_by, ''),
		COALESCE(k.expires, 0), COALESCE(k.revoked, 0), COALESCE(k.used, 0)` + fromBoth
	inOrder         = ` ORDER BY p.id, k.created, k.id`
	selectPrincipal = selectBoth + ` WHERE p.tenant = ? AND p.id = ?` + inOrder
	selectPage      = selectBoth + ` WHERE p.tenant = ? AND p.id IN
		(SELECT q.id FROM machine_principal q WHERE q.tenant = ? AND q.id > ? ORDER BY q.id LIMIT ?)` + inOrder
)

// page is how many principals one query of List reads.
const page = 100

// List implements machine.Principals. It reads page by page and holds no connection while it
// yields.
func (s *Store) List(ctx context.Context, t audit.Tenant, after audit.ActorID) iter.Seq2[machine.Principal, error] {
	return func(yield func(machine.Principal, error) bool) {
		for {
			found, err := s.principals(ctx, selectPage, string(t), string(t), string(after), page)
			if err != nil {
				yield(machine.Principal{}, fmt.Errorf("machinesql: listing principals: %w", err))
				return
			}
			for _, p := range found {
				if !yield(p, nil) {
					return
				}
				after = p.ID
			}
			if len(found) < page {
				return
			}
		}
	}
}

// principals reads principals with their keys.
func (s *Store) principals(ctx context.Context, query string, args ...any) ([]machine.Principal, error) {
	rows, err := s.db.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []machine.Principal
	for rows.Next() {
		var p principalRow
		var k keyRow
		if err := rows.Scan(append(p.dest(), &k.k.ID, &k.created, &k.k.CreatedBy, &k.expires, &k.revoked, &k.used)...); err != nil {
			return nil, err
		}
		if n := len(out); n == 0 || out[n-1].ID != p.p.ID {
			out = append(out, p.principal())
		}
		if last := &out[len(out)-1]; k.k.ID != "" {
			last.Keys = append(last.Keys, k.key())
		}
	}
	return out, rows.Err()
}

// principalRow receives what principalColumns names.
type principalRow struct {
	p                      machine.Principal
	scopes                 string
	expires, created, used int64
}

func (r *principalRow) dest() []any {
	return []any{
		&r.p.Tenant, &r.p.ID, &r.p.Version, &r.p.Kind, &r.p.Name, &r.p.Owner, &r.p.OnBehalfOf, &r.scopes, &r.p.State,
		&r.expires, &r.created, &r.p.CreatedBy, &r.used,
	}
}

func (r *principalRow) principal() machine.Principal {
	p := r.p
	p.Scopes = split(r.scopes)
	p.Expires, p.Created, p.Used = sqlkit.Time(r.expires), sqlkit.Time(r.created), sqlkit.Time(r.used)
	return p
}

// keyRow receives a key's columns.
type keyRow struct {
	k                               machine.Key
	created, expires, revoked, used int64
}

func (r *keyRow) key() machine.Key {
	k := r.k
	k.Created, k.Expires = sqlkit.Time(r.created), sqlkit.Time(r.expires)
	k.Revoked, k.Used = sqlkit.Time(r.revoked), sqlkit.Time(r.used)
	return k
}

// joined writes scopes, which have no spaces (RFC 6749, section 3.3), into one column.
func joined(scopes []audit.Action) string {
	words := make([]string, len(scopes))
	for i, s := range scopes {
		words[i] = string(s)
	}
	return strings.Join(words, " ")
}

func split(s string) []audit.Action {
	var out []audit.Action
	for word := range strings.FieldsSeq(s) {
		out = append(out, audit.Action(word))
	}
	return out
}
