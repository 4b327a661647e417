package auditsql

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/wardkit/wardkit/internal/sqlkit"
)

// ErrWrongKey: the database was set up with another key than those that Postgres was given. A
// server that went on would refuse what the others recorded, and they what it records.
//
// Where the key itself was lost, delete the row of audit_key and call Migrate with a new one;
// what still waits then stays refused.
var ErrWrongKey = errors.New("auditsql: wrong key: the database was set up with another one")

// fingerprints tell the keys apart, and nothing of them.
func fingerprints(keys [][]byte) (out [][]byte) {
	for _, k := range keys {
		out = append(out, hmacOf(k, []byte("wardkit audit key 1"))[:16])
	}
	return out
}

// adoptKey makes the first key the one that the database is set up with. There must be none
// yet, or one of the others that were given, and what was refused is judged again.
func (s *Store) adoptKey(ctx context.Context) error {
	if !s.postgres() {
		return nil
	}
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if err := s.alone(ctx, tx, waitForLock); err != nil {
			return err
		}
		stored, err := s.storedKey(ctx, tx)
		if err != nil {
			return err
		}
		first := s.prints[0]
		switch {
		case stored == nil:
			_, err = tx.Exec(ctx, `INSERT INTO audit_key (fingerprint) VALUES (?)`, first)
		case !bytes.Equal(stored, first):
			_, err = tx.Exec(ctx, `UPDATE audit_key SET fingerprint = ? WHERE fingerprint = ?`, first, stored)
		}
		if err != nil {
			return err
		}
		return s.judgeAgain(ctx, tx)
	})
}

// checkKey is for a database whose tables may be missing.
func (s *Store) checkKey(ctx context.Context) error {
	if !s.postgres() {
		return nil
	}
	there := false
	if err := s.bare.Get(ctx, []any{&there}, `SELECT to_regclass('audit_key') IS NOT NULL`); err != nil || !there {
		return err
	}
	_, err := s.storedKey(ctx, s.bare)
	return err
}

// storedKey returns the fingerprint that the database has, nil if none; ErrWrongKey if it is of
// none of the keys.
func (s *Store) storedKey(ctx context.Context, from runner) ([]byte, error) {
	var stored []byte
	err := scanOne(ctx, from, []any{&stored}, `SELECT fingerprint FROM audit_key`)
	if err != nil || stored == nil {
		return nil, err
	}
	if !slices.ContainsFunc(s.prints, func(p []byte) bool { return bytes.Equal(p, stored) }) {
		return nil, ErrWrongKey
	}
	return stored, nil
}
