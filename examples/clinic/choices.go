package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strconv"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// actionChose is recorded with a change of what the policy leaves to the clinic.
const actionChose audit.Action = "choices.saved"

// choices keeps what the clinic has chosen among the permissions that the policy leaves to it:
// who may delete what, and how much roles see. They are read with each request, so they hold from the next one on,
// on every server.
type choices struct{ *books }

// Toggles returns the clinic's choices, none at first.
func (s *choices) Toggles(ctx context.Context, t audit.Tenant) (rbac.Toggles, error) {
	var text, masks string
	var chosen rbac.Toggles
	err := s.db.pool.QueryRowContext(ctx, s.db.q(`SELECT version, choices, masks FROM clinic_choice WHERE tenant = ?`), string(t)).Scan(&chosen.Version, &text, &masks)
	if errors.Is(err, sql.ErrNoRows) {
		return rbac.Toggles{}, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &chosen.Choices)
	}
	if err == nil {
		err = json.Unmarshal([]byte(masks), &chosen.Masks)
	}
	if err != nil {
		return rbac.Toggles{}, err
	}
	return chosen, nil
}

// save puts choices in the place of those that were read, with their event. It refuses with
// errChanged if somebody else saved meanwhile.
func (s *choices) save(ctx context.Context, was, is rbac.Toggles) error {
	text, err := json.Marshal(is.Choices)
	if err != nil {
		return err
	}
	e := audit.Event{
		Tenant: tenant, Action: actionChose, Verb: audit.Update,
		Objects: []audit.Object{{Type: "choices", ID: "deleting", Version: strconv.FormatInt(was.Version+1, 10), Category: string(rbac.Settings)}},
		Detail:  map[string]string{},
	}
	for _, c := range is.Choices {
		if c.On != chosenOn(was, c) {
			e.Detail[string(c.Role)+"."+string(c.Action)] = onOff(c.On)
		}
	}
	return s.change(ctx, e, func(tx *sql.Tx) error {
		if was.Version == 0 {
			return touched(tx.ExecContext(ctx, s.db.q(`INSERT INTO clinic_choice (tenant, version, choices) VALUES (?, 1, ?)
				ON CONFLICT (tenant) DO NOTHING`), string(tenant), string(text)))
		}
		return touched(tx.ExecContext(ctx, s.db.q(`UPDATE clinic_choice SET version = version + 1, choices = ? WHERE tenant = ? AND version = ?`),
			string(text), string(tenant), was.Version))
	})
}

// chosenOn is how a permission stands; what nobody chose is off, because deleting is an opt-in.
func chosenOn(t rbac.Toggles, c rbac.Choice) bool {
	return slices.ContainsFunc(t.Choices, func(have rbac.Choice) bool { return have.Role == c.Role && have.Action == c.Action && have.On })
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
