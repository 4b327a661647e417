package machine

import (
	"context"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
)

// newKey makes a key; nothing but the text has its secret.
func (m *Manager) newKey(by audit.ActorID, now, expires time.Time) (authn.Secret, Key) {
	text, c := newCredential(m.o.Prefix, markKey)
	return text, Key{ID: c.id, Hash: c.hash[:], Created: now, CreatedBy: by, Expires: expires}
}

// Issue makes a further key, for another server of the same program, that lives until expires, at
// most as long as its principal; a zero time means as long. It is shown this once. With
// Options.MaxKeys live ones already: ErrKeys.
func (m *Manager) Issue(ctx context.Context, id audit.ActorID, expires time.Time) (Key, authn.Secret, error) {
	return m.issue(ctx, id, ActionIssue, func(p *Principal, k *Key, now time.Time) error {
		if !expires.IsZero() {
			k.Expires = micros(expires)
		}
		if !now.Before(k.Expires) {
			return bad(BadExpiry)
		}
		if k.Expires.After(p.Expires) {
			return bad(BadKeyOrder)
		}
		if p.live(now) >= m.o.MaxKeys {
			return ErrKeys
		}
		return nil
	})
}

// Rotate makes a new key that lives as long as the principal, and has every other one end after
// overlap, at most Options.MaxOverlap; zero ends them at once. The new key is shown this once.
// Where MaxKeys live already, rotating with an overlap is ErrKeys: revoke one first.
func (m *Manager) Rotate(ctx context.Context, id audit.ActorID, overlap time.Duration) (Key, authn.Secret, error) {
	if overlap < 0 || overlap > m.o.MaxOverlap {
		return Key{}, authn.Secret{}, bad(BadOverlap)
	}
	return m.issue(ctx, id, ActionRotate, func(p *Principal, _ *Key, now time.Time) error {
		shorten(p.Keys, now.Add(overlap))
		if p.live(now) >= m.o.MaxKeys {
			return ErrKeys
		}
		return nil
	})
}

// issue adds a key to an active principal.
func (m *Manager) issue(ctx context.Context, id audit.ActorID, a audit.Action, edit func(*Principal, *Key, time.Time) error) (Key, authn.Secret, error) {
	by, err := granter(ctx)
	if err != nil {
		return Key{}, authn.Secret{}, err
	}
	now := m.now()
	text, k := m.newKey(by.ID, now, time.Time{})
	_, err = m.edit(ctx, id, change{action: a, by: by, key: k.ID, grants: true}, func(p *Principal) error {
		if p.State != Active {
			return ErrState
		}
		k.Expires = p.Expires
		if err := edit(p, &k, now); err != nil {
			return err
		}
		p.Keys = append(p.Keys, k)
		return nil
	})
	if err != nil {
		return Key{}, authn.Secret{}, err
	}
	k.Hash = nil
	return k, text, nil
}

// Revoke ends a key, and the access tokens made for it, with the next request on every server.
// Revoked already: no error. No such key: ErrNotFound.
func (m *Manager) Revoke(ctx context.Context, id audit.ActorID, key, why string) error {
	now := m.now()
	return m.end(ctx, id, change{action: ActionRevoke, key: key, why: why}, func(p *Principal) error {
		for i := range p.Keys {
			if p.Keys[i].ID == key {
				revoke(&p.Keys[i], now)
				return nil
			}
		}
		return ErrNotFound
	})
}
