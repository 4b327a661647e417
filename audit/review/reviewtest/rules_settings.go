package reviewtest

import (
	"context"
	"errors"

	"github.com/wardkit/wardkit/audit/review"
)

func settingsRules() []rule {
	return []rule{
		{Name: "settings_empty", Clause: "Settings returns the zero Settings where nothing was stored.", Run: settingsEmpty},
		{Name: "settings_kept", Clause: "Settings returns what was stored last for the tenant, every field of it.", Run: settingsKept},
		{Name: "settings_condition", Clause: "SaveSettings stores nothing where another version than the one before is stored: ErrConflict.", Run: settingsCondition},
		{Name: "settings_race", Clause: "Of several SaveSettings of one version at once one succeeds.", Run: settingsRace},
		{Name: "settings_cancelled", Clause: "Settings and SaveSettings: cancelled is an error.", Run: settingsCancelled},
	}
}

// settings are some of a version.
func settings(version int64) review.Settings {
	s := review.Standard().Set(review.Rule{Name: review.VIP, Off: true, Limit: int(version), Window: 90})
	s.Version, s.Zone, s.OpenFrom, s.Weekends = version, "America/New_York", int(version), true
	return s
}

func settingsEmpty(ctx context.Context, s review.Store) error {
	got, err := s.Settings(ctx, "nobody")
	if err != nil {
		return err
	}
	return same("an empty store's settings", got, review.Settings{})
}

func settingsKept(ctx context.Context, s review.Store) error {
	if err := errors.Join(s.SaveSettings(ctx, clinic, settings(1)), s.SaveSettings(ctx, clinic, settings(2)), s.SaveSettings(ctx, other, settings(1))); err != nil {
		return err
	}
	ours, err := s.Settings(ctx, clinic)
	if err != nil {
		return err
	}
	theirs, err := s.Settings(ctx, other)
	if err != nil {
		return err
	}
	return errors.Join(same("our settings", ours, settings(2)), same("their settings", theirs, settings(1)))
}

func settingsCondition(ctx context.Context, s review.Store) error {
	if err := conflicts("a second version where there is none", s.SaveSettings(ctx, clinic, settings(2))); err != nil {
		return err
	}
	if err := errors.Join(s.SaveSettings(ctx, clinic, settings(1)), s.SaveSettings(ctx, clinic, settings(2))); err != nil {
		return err
	}
	for _, version := range []int64{1, 2, 4} {
		if err := conflicts("settings of a wrong version", s.SaveSettings(ctx, clinic, settings(version))); err != nil {
			return err
		}
	}
	got, err := s.Settings(ctx, clinic)
	if err != nil {
		return err
	}
	return same("the settings", got, settings(2))
}

func settingsRace(ctx context.Context, s review.Store) error {
	for version := int64(1); version < 5; version++ {
		next := settings(version)
		next.ListFrom = 99
		if err := raced(func() error { return s.SaveSettings(ctx, clinic, next) }); err != nil {
			return err
		}
	}
	return nil
}

func settingsCancelled(ctx context.Context, s review.Store) error {
	if s.SaveSettings(gone(ctx), clinic, settings(1)) == nil {
		return errors.New("settings were stored, which was cancelled")
	}
	if _, err := s.Settings(gone(ctx), clinic); err == nil {
		return errors.New("settings were read, which was cancelled")
	}
	return nil
}
