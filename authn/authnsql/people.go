package authnsql

import (
	"context"
	"database/sql"
	"errors"
	"iter"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/phi"
)

const personColumns = `p.id, p.kind, p.state, p.version, p.term, p.sealed, p.created, p.changed, p.signed_in, p.banner`

const accountColumns = personColumns + `,
	COALESCE(w.hash, ''), COALESCE(w.due, 0), COALESCE(w.changed, 0), COALESCE(w.used, 0), COALESCE(w.failures, 0), COALESCE(w.not_before, 0),
	COALESCE(f.used, 0), COALESCE(f.failures, 0), COALESCE(f.not_before, 0)`

const accountTables = ` FROM authn_person p
	LEFT JOIN authn_credential w ON w.tenant = p.tenant AND w.person = p.id AND w.family = 'password'
	LEFT JOIN authn_credential f ON f.tenant = p.tenant AND f.person = p.id AND f.family = 'second'`

const (
	selectAccount = `SELECT ` + accountColumns + accountTables + ` WHERE p.tenant = ? AND p.id = ?`
	selectByTerm  = `SELECT ` + accountColumns + accountTables + ` WHERE p.tenant = ? AND p.term = ?`
	selectPeople  = `SELECT ` + personColumns + ` FROM authn_person p WHERE p.tenant = ? AND p.id > ? ORDER BY p.id LIMIT 200`
	selectLink    = `SELECT tenant, person, purpose, created, expires, used FROM authn_link WHERE hash = ?`
)

// personRow receives a person's columns.
type personRow struct {
	p                          authn.Person
	sealed                     []byte
	created, changed, signedIn int64
}

func (r *personRow) dest() []any {
	return []any{&r.p.ID, &r.p.Kind, &r.p.State, &r.p.Version, &r.p.Term, &r.sealed, &r.created, &r.changed, &r.signedIn, &r.p.Banner}
}

func (r *personRow) person(t audit.Tenant) authn.Person {
	p := r.p
	p.Tenant = t
	p.Sealed = phi.Sealed(r.sealed)
	p.Created, p.Changed, p.SignedIn = timeOf(r.created), timeOf(r.changed), timeOf(r.signedIn)
	return p
}

// credentialRow receives a credential's columns.
type credentialRow struct {
	c                        authn.Credential
	due                      int
	changed, used, notBefore int64
}

func (r *credentialRow) dest() []any {
	return []any{&r.c.Hash, &r.due, &r.changed, &r.used, &r.c.Failures, &r.notBefore}
}

func (r *credentialRow) credential() authn.Credential {
	c := r.c
	c.Due = r.due != 0
	c.Changed, c.Used, c.NotBefore = timeOf(r.changed), timeOf(r.used), timeOf(r.notBefore)
	return c
}

// Account implements authn.People.
func (s *Store) Account(ctx context.Context, t audit.Tenant, id audit.ActorID) (authn.Account, error) {
	return s.account(ctx, t, selectAccount, string(t), string(id))
}

// Find implements authn.People.
func (s *Store) Find(ctx context.Context, t audit.Tenant, term []byte) (authn.Account, error) {
	return s.account(ctx, t, selectByTerm, string(t), term)
}

func (s *Store) account(ctx context.Context, t audit.Tenant, query string, args ...any) (authn.Account, error) {
	var p personRow
	var w, f credentialRow
	dest := append(p.dest(), w.dest()...)
	dest = append(dest, &f.used, &f.c.Failures, &f.notBefore)
	err := s.db.Get(ctx, dest, query, args...)
	if errors.Is(err, sql.ErrNoRows) {
		return authn.Account{}, authn.ErrNotFound
	}
	if err != nil {
		return authn.Account{}, err
	}
	return authn.Account{Person: p.person(t), Password: w.credential(), Second: f.credential()}, nil
}

// People implements authn.People. It reads pages, so that no statement stays open while the
// caller works.
func (s *Store) People(ctx context.Context, t audit.Tenant, after audit.ActorID) iter.Seq2[authn.Person, error] {
	return func(yield func(authn.Person, error) bool) {
		for {
			page, err := s.page(ctx, t, after)
			if err != nil {
				yield(authn.Person{}, err)
				return
			}
			if len(page) == 0 {
				return
			}
			for _, p := range page {
				if !yield(p, nil) {
					return
				}
			}
			after = page[len(page)-1].ID
		}
	}
}

func (s *Store) page(ctx context.Context, t audit.Tenant, after audit.ActorID) ([]authn.Person, error) {
	rows, err := s.db.Query(ctx, selectPeople, string(t), string(after))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var page []authn.Person
	for rows.Next() {
		var r personRow
		if err := rows.Scan(r.dest()...); err != nil {
			return nil, err
		}
		page = append(page, r.person(t))
	}
	return page, rows.Err()
}

// Link implements authn.People.
func (s *Store) Link(ctx context.Context, hash []byte) (authn.Link, error) {
	l := authn.Link{Hash: hash}
	var created, expires, used int64
	err := s.db.Get(ctx, []any{&l.Tenant, &l.Person, &l.Purpose, &created, &expires, &used}, selectLink, hash)
	if errors.Is(err, sql.ErrNoRows) {
		return authn.Link{}, authn.ErrLinkUnknown
	}
	if err != nil {
		return authn.Link{}, err
	}
	l.Created, l.Expires, l.Used = timeOf(created), timeOf(expires), timeOf(used)
	return l, nil
}

const (
	insertPerson = `INSERT INTO authn_person (tenant, id, kind, state, version, term, sealed, created, changed, signed_in)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT DO NOTHING`
	updatePerson = `UPDATE authn_person SET kind = ?, state = ?, version = ?, term = ?, sealed = ?, created = ?, changed = ?
		WHERE tenant = ? AND id = ? AND version = ?`
	upsertPassword = `INSERT INTO authn_credential (tenant, person, family, hash, due, changed, used, failures, not_before, charged)
		VALUES (?, ?, 'password', ?, ?, ?, ?, ?, ?, 0)
		ON CONFLICT (tenant, person, family) DO UPDATE SET hash = excluded.hash, due = excluded.due,
			changed = excluded.changed, used = excluded.used, failures = excluded.failures, not_before = excluded.not_before`
	resetKnown  = `UPDATE authn_credential SET failures = 0, not_before = 0 WHERE tenant = ? AND person = ? AND family = 'password/known'`
	resetSecond = `UPDATE authn_credential SET failures = 0, not_before = 0 WHERE tenant = ? AND person = ? AND family IN ('second', 'second/known')`
	consumeLink = `UPDATE authn_link SET used = ? WHERE hash = ? AND tenant = ? AND person = ? AND used = 0 AND expires > ?`
	voidLinks   = `UPDATE authn_link SET used = ? WHERE tenant = ? AND person = ? AND used = 0 AND expires > ?`
	insertLink  = `INSERT INTO authn_link (hash, tenant, person, purpose, created, expires, used) VALUES (?, ?, ?, ?, ?, ?, ?)`
	insertNote  = `INSERT INTO authn_outbox (tenant, id, kind, person, topic, body, created, attempts, due) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
)

// Apply implements authn.People.
func (s *Store) Apply(ctx context.Context, c authn.Change) error {
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if c.Person.Kind != "" {
			if err := applyPerson(ctx, tx, c); err != nil {
				return err
			}
		}
		return applyRest(ctx, tx, c)
	})
}

func applyPerson(ctx context.Context, tx *sqlkit.Tx, c authn.Change) error {
	if err := writePerson(ctx, tx, c); err != nil {
		return err
	}
	t, id, now := string(c.Person.Tenant), string(c.Person.ID), micros(c.Now)
	if c.Consume != nil {
		if err := consume(ctx, tx, c); err != nil {
			return err
		}
	}
	if w := c.Password; w != nil {
		_, err := tx.Exec(ctx, upsertPassword, t, id, w.Hash, flag(w.Due), micros(w.Changed), micros(w.Used), w.Failures, micros(w.NotBefore))
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, resetKnown, t, id); err != nil {
			return err
		}
	}
	if c.Second {
		if _, err := tx.Exec(ctx, resetSecond, t, id); err != nil {
			return err
		}
	}
	if c.Forget {
		if _, err := tx.Exec(ctx, forgetDevices, t, id); err != nil {
			return err
		}
	}
	if c.Void {
		if _, err := tx.Exec(ctx, voidLinks, now, t, id, now); err != nil {
			return err
		}
	}
	return nil
}

// writePerson inserts or updates the row and finds out what stood in the way.
func writePerson(ctx context.Context, tx *sqlkit.Tx, c authn.Change) error {
	p := c.Person
	if c.Expect == 0 {
		n, err := tx.Exec(ctx, insertPerson, string(p.Tenant), string(p.ID), string(p.Kind), string(p.State), p.Version,
			bytesOrNull(p.Term), bytesOrNull(p.Sealed), micros(p.Created), micros(p.Changed))
		if err == nil && n == 0 {
			return authn.ErrExists
		}
		return err
	}
	n, err := tx.Exec(ctx, updatePerson, string(p.Kind), string(p.State), p.Version, bytesOrNull(p.Term), bytesOrNull(p.Sealed),
		micros(p.Created), micros(p.Changed), string(p.Tenant), string(p.ID), c.Expect)
	switch {
	case sqlkit.IsUnique(err):
		return authn.ErrExists
	case err == nil && n == 0:
		return authn.ErrConflict
	}
	return err
}

// consume uses a link up, or says why it cannot be.
func consume(ctx context.Context, tx *sqlkit.Tx, c authn.Change) error {
	t, id, now := string(c.Person.Tenant), string(c.Person.ID), micros(c.Now)
	n, err := tx.Exec(ctx, consumeLink, now, c.Consume, t, id, now)
	if err != nil || n == 1 {
		return err
	}
	var used int64
	err = tx.Row(ctx, `SELECT used FROM authn_link WHERE hash = ? AND tenant = ? AND person = ?`, c.Consume, t, id).Scan(&used)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return authn.ErrLinkUnknown
	case err != nil:
		return err
	case used != 0:
		return authn.ErrLinkUsed
	}
	return authn.ErrLinkExpired
}

// applyRest adds links and messages.
func applyRest(ctx context.Context, tx *sqlkit.Tx, c authn.Change) error {
	for _, l := range c.Links {
		_, err := tx.Exec(ctx, insertLink, l.Hash, string(l.Tenant), string(l.Person), string(l.Purpose),
			micros(l.Created), micros(l.Expires), micros(l.Used))
		if err != nil {
			return err
		}
	}
	for _, m := range c.Messages {
		_, err := tx.Exec(ctx, insertNote, string(m.Tenant), m.ID, string(m.Kind), string(m.Person), m.Topic, m.Body,
			micros(m.Created), m.Attempts, micros(c.Due))
		if err != nil {
			return err
		}
	}
	return nil
}
