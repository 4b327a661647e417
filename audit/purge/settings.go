package purge

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// DefaultMonths is how long events are kept where nothing is set: seven years.
const DefaultMonths = 84

// maxMonths is a hundred years.
const maxMonths = 1200

// Settings is how long a tenant keeps its events.
type Settings struct {
	Tenant  audit.Tenant  `json:"tenant"`
	Version int64         `json:"version"`
	Months  int           `json:"months"`        // audit.Floor to 1200
	Before  int           `json:"before"`        // counts until From; 0 for none
	From    time.Time     `json:"from,omitzero"` // when a lower Months begins to count
	Changed time.Time     `json:"changed"`       // UTC, microseconds
	By      audit.ActorID `json:"by"`            // who changed it
}

// Validate says whether the period can be set: ErrFloor below audit.Floor months, ErrSettings for
// more than a hundred years.
func (s Settings) Validate() error {
	switch {
	case s.Months < audit.Floor:
		return ErrFloor
	case s.Months > maxMonths || s.Before < 0 || s.Before > maxMonths:
		return ErrSettings
	}
	return nil
}

// Effective is how many months an event has to be kept as of now: what is set, or what was before if
// it was lowered and that does not count yet, and audit.Floor whatever is stored.
func (s Settings) Effective(now time.Time) int {
	months := s.Months
	if now.Before(s.From) {
		months = max(months, s.Before)
	}
	return max(months, audit.Floor)
}

// Settings returns what a tenant has set, or the default.
func (k *Keeper) Settings(ctx context.Context, t audit.Tenant) (Settings, error) {
	s, err := k.store.Settings(ctx, t)
	switch {
	case errors.Is(err, ErrNotFound):
		return Settings{Tenant: t, Months: DefaultMonths}, nil
	case err != nil:
		return Settings{}, unavailable("reading a period", err)
	case s.Tenant != t:
		return Settings{}, unavailable("reading a period", errors.New("another tenant's"))
	}
	return s, nil
}

// Change sets how many months a tenant keeps its events. The version is that of the Settings that
// the person in ctx has seen; why goes into the audit as a private value. Longer counts at once,
// shorter after Options.Wait: nobody lowers the period, purges, and raises it again unseen.
//
// Errors: ErrFloor, ErrSettings, ErrPerson, ErrConflict, ErrUnavailable.
func (k *Keeper) Change(ctx context.Context, t audit.Tenant, months int, version int64, why string) (Settings, error) {
	who, err := person(ctx, t)
	if err != nil {
		return Settings{}, err
	}
	was, err := k.Settings(ctx, t)
	if err != nil {
		return Settings{}, err
	}
	now := k.now()
	next := Settings{Tenant: t, Version: was.Version, Months: months, Changed: now, By: who.ID}
	if before := was.Effective(now); months < before {
		next.Before, next.From = before, now.Add(k.o.Wait)
	}
	if err := next.Validate(); err != nil {
		return Settings{}, err
	}
	if was.Version != version {
		return Settings{}, ErrConflict
	}
	detail := map[string]string{"before": strconv.Itoa(was.Months), "after": strconv.Itoa(months)}
	if !next.From.IsZero() {
		detail["from"] = next.From.Format(time.RFC3339Nano)
	}
	err = k.apply(ctx, audit.Event{
		Tenant: t, Action: audit.ActionRetentionChanged, Verb: audit.Update, Why: audit.NewPrivate(why), Detail: detail,
		Objects: []audit.Object{{Type: "audit_retention"}},
	}, "changing a period", func() error { return k.store.PutSettings(ctx, next) })
	if err != nil {
		return Settings{}, err
	}
	next.Version++
	return next, nil
}
