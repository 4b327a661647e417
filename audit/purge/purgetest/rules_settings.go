package purgetest

import (
	"context"
	"fmt"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/purge"
)

func settingsRules() []rule {
	return []rule{
		{Name: "settings-missing", Clause: "Settings of a tenant that has set nothing is ErrNotFound.", Run: settingsMissing},
		{Name: "settings-round-trip", Clause: "Settings returns what PutSettings stored, with the next version.", Run: settingsRoundTrip},
		{Name: "settings-versions", Clause: "PutSettings with another version than the stored one changes nothing: ErrConflict.", Run: settingsVersions},
		{Name: "settings-once", Clause: "Of several PutSettings with the same version one succeeds.", Run: settingsOnce},
		{Name: "settings-tenant", Clause: "What one tenant sets counts for no other.", Run: settingsTenant},
		{Name: "settings-cancelled", Clause: "With a context that has ended Settings fails, and PutSettings fails and changes nothing.", Run: settingsCancelled},
	}
}

func settingsMissing(ctx context.Context, s purge.Store) error {
	_, err := s.Settings(ctx, clinic)
	return want("settings of nobody", err, purge.ErrNotFound)
}

// keeps expects a tenant's settings.
func keeps(ctx context.Context, s purge.Store, expected purge.Settings) error {
	have, err := s.Settings(ctx, expected.Tenant)
	if err != nil {
		return fmt.Errorf("reading settings: %w", err)
	}
	if have != expected {
		return fmt.Errorf("settings are %+v, want %+v", have, expected)
	}
	return nil
}

// set stores settings that are not there.
func set(ctx context.Context, s purge.Store, t audit.Tenant) (purge.Settings, error) {
	p := period(t)
	if err := s.PutSettings(ctx, p); err != nil {
		return p, fmt.Errorf("storing settings: %w", err)
	}
	p.Version = 1
	return p, nil
}

func settingsRoundTrip(ctx context.Context, s purge.Store) error {
	p, err := set(ctx, s, clinic)
	if err := first(err, keeps(ctx, s, p)); err != nil {
		return err
	}
	p.Months, p.Before, p.From, p.Changed, p.By = 84, 0, at(44), at(9), "p-lin"
	if err := s.PutSettings(ctx, p); err != nil {
		return fmt.Errorf("changing settings: %w", err)
	}
	p.Version = 2
	return keeps(ctx, s, p)
}

func settingsVersions(ctx context.Context, s purge.Store) error {
	early := period(clinic)
	early.Version = 1
	if err := want("a change of what is not there", s.PutSettings(ctx, early), purge.ErrConflict); err != nil {
		return err
	}
	p, err := set(ctx, s, clinic)
	if err != nil {
		return err
	}
	for _, version := range []int64{0, 2} {
		stale := p
		stale.Version, stale.Months = version, 999
		if err := want("another version", s.PutSettings(ctx, stale), purge.ErrConflict); err != nil {
			return err
		}
	}
	return keeps(ctx, s, p)
}

func settingsOnce(ctx context.Context, s purge.Store) error {
	for version := range int64(2) {
		err := oneOf("changes", purge.ErrConflict, func(i int) error {
			p := period("race")
			p.Version, p.Months = version, 100+i
			return s.PutSettings(ctx, p)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func settingsTenant(ctx context.Context, s purge.Store) error {
	p, err := set(ctx, s, clinic)
	if err != nil {
		return err
	}
	_, err = s.Settings(ctx, other)
	if err := want("another tenant's settings", err, purge.ErrNotFound); err != nil {
		return err
	}
	q := period(other)
	q.Months = 72
	if err := s.PutSettings(ctx, q); err != nil {
		return fmt.Errorf("storing another tenant's settings: %w", err)
	}
	q.Version = 1
	return first(keeps(ctx, s, p), keeps(ctx, s, q))
}

func settingsCancelled(ctx context.Context, s purge.Store) error {
	p, err := set(ctx, s, clinic)
	if err != nil {
		return err
	}
	next := p
	next.Months = 72
	_, err = s.Settings(over(ctx), clinic)
	return first(fails("Settings", err), fails("PutSettings", s.PutSettings(over(ctx), next)), keeps(ctx, s, p))
}
