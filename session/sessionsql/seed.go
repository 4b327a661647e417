package sessionsql

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
)

// Seed returns 32 random bytes that are the same to everybody who asks, for good. A store
// that keeps sessions elsewhere places people's keys by it; the first call writes it down.
func (s *Store) Seed(ctx context.Context) (seed [32]byte, err error) {
	rand.Read(seed[:]) // never fails (crypto/rand)
	if _, err := s.db.Exec(ctx, `INSERT INTO session_seed (id, seed) VALUES (1, ?) ON CONFLICT DO NOTHING`, seed[:]); err != nil {
		return [32]byte{}, fmt.Errorf("sessionsql: writing the seed: %w", err)
	}
	var kept []byte
	if err := s.db.Get(ctx, []any{&kept}, `SELECT seed FROM session_seed WHERE id = 1`); err != nil {
		return [32]byte{}, fmt.Errorf("sessionsql: reading the seed: %w", err)
	}
	if len(kept) != len(seed) {
		return [32]byte{}, errors.New("sessionsql: reading the seed: it is not 32 bytes")
	}
	return [32]byte(kept), nil
}
