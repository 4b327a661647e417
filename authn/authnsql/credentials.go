package authnsql

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/internal/sqlkit"
)

const (
	selectCredential = `SELECT hash, due, changed, used, failures, not_before FROM authn_credential
		WHERE tenant = ? AND person = ? AND family = ?`

	// charge counts the try and sets the delay in one statement: of two at once the second
	// sees what the first wrote. The delay is 0 while free, then base doubled with each
	// failure, max from the one on where doubling would pass it.
	charge = `INSERT INTO authn_credential (tenant, person, family, hash, due, changed, used, failures, not_before, charged)
		VALUES (?, ?, ?, '', 0, 0, 0, 1, ?, ?)
		ON CONFLICT (tenant, person, family) DO UPDATE SET
			failures = authn_credential.failures + 1,
			charged = excluded.charged,
			not_before = excluded.charged + CASE
				WHEN authn_credential.failures + 1 <= CAST(? AS INTEGER) THEN 0
				WHEN authn_credential.failures + 1 >= CAST(? AS INTEGER) THEN CAST(? AS BIGINT)
				ELSE CAST(? AS BIGINT) * (CAST(1 AS BIGINT) << (authn_credential.failures - CAST(? AS INTEGER))) END
		WHERE authn_credential.failures < CAST(? AS INTEGER) AND authn_credential.not_before <= excluded.charged
		RETURNING hash, due, changed, used, failures, not_before`

	// chargeOrRead is charge for PostgreSQL, which says in the same round trip why a try is refused.
	chargeOrRead = `WITH tried AS (` + charge + `)
		SELECT 1, hash, due, changed, used, failures, not_before FROM tried
		UNION ALL SELECT 0, hash, due, changed, used, failures, not_before FROM authn_credential
			WHERE tenant = ? AND person = ? AND family = ? AND NOT EXISTS (SELECT 1 FROM tried)`

	clearFailures = `UPDATE authn_credential SET failures = 0, not_before = 0, used = ?
		WHERE tenant = ? AND person = ? AND family = ?`
	rehash   = `UPDATE authn_credential SET hash = ? WHERE tenant = ? AND person = ? AND family = 'password' AND hash = ?`
	signedIn = `UPDATE authn_person SET signed_in = ?,
		banner = CASE WHEN CAST(? AS TEXT) = '' THEN banner ELSE ? END WHERE tenant = ? AND id = ? AND signed_in <= ?`
)

// Credential implements authn.Credentials.
func (s *Store) Credential(ctx context.Context, t audit.Tenant, subject audit.ActorID, f authn.Family) (authn.Credential, error) {
	var r credentialRow
	err := s.db.Get(ctx, r.dest(), selectCredential, string(t), string(subject), string(f))
	if errors.Is(err, sql.ErrNoRows) {
		return authn.Credential{}, nil
	}
	if err != nil {
		return authn.Credential{}, err
	}
	return r.credential(), nil
}

// Charge implements authn.Credentials.
func (s *Store) Charge(ctx context.Context, t audit.Tenant, subject audit.ActorID, f authn.Family, l authn.Limits, now time.Time) (authn.Credential, bool, error) {
	var r credentialRow
	allowed := 1
	query, dest := charge, r.dest()
	args := []any{
		string(t), string(subject), string(f), micros(now.Add(l.Delay(1))), micros(now),
		l.Free, capped(l), l.Max.Microseconds(), l.Base.Microseconds(), l.Free, l.Disable,
	}
	if s.db.Dialect() == sqlkit.Postgres {
		query, dest = chargeOrRead, append([]any{&allowed}, dest...)
		args = append(args, string(t), string(subject), string(f))
	}
	err := s.db.Get(ctx, dest, query, args...)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return authn.Credential{}, false, err
	}
	if c := r.credential(); err == nil && (allowed == 1 || c.Failures >= l.Disable || now.Before(c.NotBefore)) {
		return c, allowed == 1, nil
	}
	// Refused: SQLite says no more, and PostgreSQL has shown the row as it was before another try
	// that this one had to wait for.
	c, err := s.Credential(ctx, t, subject, f)
	return c, false, err
}

// capped is the first failure whose delay is the longest one.
func capped(l authn.Limits) int {
	n := l.Free + 1
	for l.Delay(n) < l.Max {
		n++
	}
	return n
}

// Clear implements authn.Credentials.
func (s *Store) Clear(ctx context.Context, t audit.Tenant, subject audit.ActorID, f authn.Family, now time.Time) error {
	_, err := s.db.Exec(ctx, clearFailures, micros(now), string(t), string(subject), string(f))
	return err
}

// Rehash implements authn.Credentials.
func (s *Store) Rehash(ctx context.Context, t audit.Tenant, person audit.ActorID, old, new string) error {
	_, err := s.db.Exec(ctx, rehash, new, string(t), string(person), old)
	return err
}

// SignedIn implements authn.Credentials.
func (s *Store) SignedIn(ctx context.Context, t audit.Tenant, person audit.ActorID, banner string, now time.Time) error {
	_, err := s.db.Exec(ctx, signedIn, micros(now), banner, banner, string(t), string(person), micros(now))
	return err
}
