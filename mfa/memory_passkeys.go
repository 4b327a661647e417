package mfa

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// passkeysFit reports whether the passkeys are as a change expects them.
func (m *Memory) passkeysFit(c Change) bool {
	for _, p := range c.Passkeys {
		have, ok := m.passkeys[rowKey{c.Was.Tenant, p.ID}]
		switch {
		case p.Version == 0 && (ok || p.Put == nil || m.hashed(c.Was.Tenant, p.Put.Hash) != ""):
			return false
		case p.Version != 0 && (!ok || have.Person != c.Was.Person || have.Version != p.Version):
			return false
		case p.Put != nil && p.Version != 0 && m.hashed(c.Was.Tenant, p.Put.Hash) != p.ID:
			return false
		}
	}
	return true
}

// hashed returns the ID of the tenant's passkey with this hash, "" if there is none.
func (m *Memory) hashed(t audit.Tenant, hash []byte) string {
	for key, p := range m.passkeys {
		if key.tenant == t && bytes.Equal(p.Hash, hash) {
			return key.id
		}
	}
	return ""
}

func (m *Memory) putPasskeys(c Change) {
	for _, p := range c.Passkeys {
		key := rowKey{c.Was.Tenant, p.ID}
		if p.Put == nil {
			delete(m.passkeys, key)
			continue
		}
		row := detachedPasskey(*p.Put)
		row.Tenant, row.Person, row.ID, row.Version = c.Was.Tenant, c.Was.Person, p.ID, p.Version+1
		m.passkeys[key] = row
	}
	if c.Put != nil {
		return
	}
	for key, p := range m.passkeys {
		if key.tenant == c.Was.Tenant && p.Person == c.Was.Person {
			delete(m.passkeys, key)
		}
	}
}

// detachedPasskey returns a copy of p that shares no memory with it.
func detachedPasskey(p PasskeyRow) PasskeyRow {
	p.Hash, p.Handle, p.Sealed = slices.Clone(p.Hash), slices.Clone(p.Handle), slices.Clone(p.Sealed)
	return p
}

// Passkeys implements Store.
func (m *Memory) Passkeys(ctx context.Context, t audit.Tenant, person audit.ActorID) ([]PasskeyRow, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var rows []PasskeyRow
	for key, p := range m.passkeys {
		if key.tenant == t && p.Person == person {
			rows = append(rows, detachedPasskey(p))
		}
	}
	slices.SortFunc(rows, func(a, b PasskeyRow) int { return cmp.Compare(a.ID, b.ID) })
	return rows, nil
}

// FindPasskey implements Store.
func (m *Memory) FindPasskey(ctx context.Context, t audit.Tenant, hash []byte) (PasskeyRow, error) {
	if err := ctx.Err(); err != nil {
		return PasskeyRow{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	id := m.hashed(t, hash)
	if id == "" {
		return PasskeyRow{}, ErrNotFound
	}
	return detachedPasskey(m.passkeys[rowKey{t, id}]), nil
}

// UsePasskey implements Store.
func (m *Memory) UsePasskey(ctx context.Context, r Ref, count uint32, backedUp bool, now time.Time) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.passkeys[rowKey{r.Tenant, r.ID}]
	if !ok || p.Person != r.Person || !p.Disabled.IsZero() || p.Count >= count && (p.Count|count) != 0 {
		return false, nil
	}
	p.Count, p.BackedUp, p.Used = count, backedUp, now
	p.Version++
	m.passkeys[rowKey{r.Tenant, r.ID}] = p
	return true, nil
}
