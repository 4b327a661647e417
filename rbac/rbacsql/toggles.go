package rbacsql

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/rbac"
)

var _ rbac.ToggleStore = (*Store)(nil)

const (
	getToggles   = `SELECT version, choices, masks FROM rbac_toggles WHERE tenant = ?`
	firstToggles = `INSERT INTO rbac_toggles (tenant, version, choices, masks) VALUES (?, 1, ?, ?) ON CONFLICT DO NOTHING`
	nextToggles  = `UPDATE rbac_toggles SET version = version + 1, choices = ?, masks = ? WHERE tenant = ? AND version = ?`
)

// choice is an rbac.Choice as it is stored.
type choice struct {
	Role   rbac.RoleName `json:"role"`
	Action audit.Action  `json:"action"`
	On     bool          `json:"on"`
}

// Toggles implements rbac.ToggleStore: one indexed read.
func (s *Store) Toggles(ctx context.Context, t audit.Tenant) (rbac.Toggles, error) {
	var out rbac.Toggles
	var text, masks string
	err := s.db.Get(ctx, []any{&out.Version, &text, &masks}, getToggles, string(t))
	if errors.Is(err, sql.ErrNoRows) {
		return rbac.Toggles{}, nil
	}
	if err != nil {
		return rbac.Toggles{}, fmt.Errorf("rbacsql: reading a tenant's toggles: %w", err)
	}
	var choices []choice
	if json.Unmarshal([]byte(text), &choices) != nil || json.Unmarshal([]byte(masks), &out.Masks) != nil {
		return rbac.Toggles{}, errors.New("rbacsql: reading a tenant's toggles: what was chosen cannot be read")
	}
	if len(out.Masks) == 0 {
		out.Masks = nil
	}
	for _, c := range choices {
		out.Choices = append(out.Choices, rbac.Choice(c))
	}
	return out, nil
}

// SaveToggles implements rbac.ToggleStore.
func (s *Store) SaveToggles(ctx context.Context, t audit.Tenant, next rbac.Toggles) error {
	choices := make([]choice, len(next.Choices))
	for i, c := range next.Choices {
		choices[i] = choice(c)
	}
	text, err := json.Marshal(choices)
	if err != nil {
		return fmt.Errorf("rbacsql: saving a tenant's toggles: %w", err)
	}
	masks, err := json.Marshal(next.Masks)
	if err != nil {
		return fmt.Errorf("rbacsql: saving a tenant's toggles: %w", err)
	}
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if next.Version == 0 {
			return one(rbac.ErrConflict)(tx.Exec(ctx, firstToggles, string(t), string(text), string(masks)))
		}
		return one(rbac.ErrConflict)(tx.Exec(ctx, nextToggles, string(text), string(masks), string(t), next.Version))
	})
	if err != nil && !errors.Is(err, rbac.ErrConflict) {
		return fmt.Errorf("rbacsql: saving a tenant's toggles: %w", err)
	}
	return err
}
