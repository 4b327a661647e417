package incident

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Limits counts tries; a store of authn.Windows is one.
type Limits interface {
	// Hit adds one to the key's count in the window that is open at now, opens one of the given
	// length where none is, and returns the count with this hit and when the window ends.
	Hit(ctx context.Context, t audit.Tenant, key string, length time.Duration, now time.Time) (count int, ends time.Time, err error)
}

// Events reads the audit log, for evidence; audit's stores are one.
type Events interface {
	// Get returns the entry with this ID; audit.ErrNotFound without, audit.ErrPurged if its body
	// was destroyed.
	Get(ctx context.Context, t audit.Tenant, id string) (audit.Entry, error)
}

// Holds keeps a tenant's records from being destroyed while a case is open. The actor in ctx is
// audit.System(t, "incident"). A host whose holds are released by people only lets Release do nothing.
type Holds interface {
	// Place places the legal hold of this ID; it is there already: no error.
	Place(ctx context.Context, t audit.Tenant, id string) error
	// Release ends it; it is not there: no error.
	Release(ctx context.Context, t audit.Tenant, id string) error
}

// Notices tells people of the host that something is due.
type Notices interface {
	// Remind hands over one reminder, at least once: whoever delivers drops a repeated ID. The
	// subjects of the case must not get it.
	Remind(ctx context.Context, r Reminder) error
}

// Parts is what a Desk is built from. Every field is required.
type Parts struct {
	Store    Store
	Sealer   audit.Sealer // phi.NewSealer(vault); audit.DropOpenings keeps no case
	Recorder audit.Recorder
	Events   Events
	Limits   Limits
	Holds    Holds // NoHolds, where nothing is ever destroyed
	Notices  Notices
	Law      func(ctx context.Context, t audit.Tenant) (Law, error) // what the tenant is held to
}

// NoHolds is a Holds for hosts that destroy nothing.
type NoHolds struct{}

// Place does nothing.
func (NoHolds) Place(context.Context, audit.Tenant, string) error { return nil }

// Release does nothing.
func (NoHolds) Release(context.Context, audit.Tenant, string) error { return nil }

// Options changes a Desk's defaults. The zero value is safe.
type Options struct {
	// MaxReports is how many reports one person makes in an hour. Default 10.
	MaxReports int
	// Unowned is how long a case may wait for an owner before somebody is reminded. Default 24 hours.
	Unowned time.Duration
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Logger hears of holds that could not be placed at once. Default: nobody.
	Logger *slog.Logger
}

// Desk is where incidents are reported and worked on. It is safe for concurrent use.
type Desk struct {
	p Parts
	o Options
}

// New returns a Desk. A missing part and an option out of range are errors.
func New(p Parts, o *Options) (*Desk, error) {
	d := &Desk{p: p}
	if o != nil {
		d.o = *o
	}
	var missing []string
	for _, part := range []struct {
		missing bool
		name    string
	}{
		{p.Store == nil, "Store"},
		{p.Sealer == nil, "Sealer"},
		{p.Recorder == nil, "Recorder"},
		{p.Events == nil, "Events"},
		{p.Limits == nil, "Limits"},
		{p.Holds == nil, "Holds"},
		{p.Notices == nil, "Notices"},
		{p.Law == nil, "Law"},
	} {
		if part.missing {
			missing = append(missing, part.name)
		}
	}
	if len(missing) > 0 {
		return nil, errors.New("incident: Parts lacks " + strings.Join(missing, ", "))
	}
	if d.o.MaxReports < 0 || d.o.Unowned < 0 {
		return nil, errors.New("incident: Options: MaxReports and Unowned must be positive")
	}
	if d.o.MaxReports == 0 {
		d.o.MaxReports = 10
	}
	if d.o.Unowned == 0 {
		d.o.Unowned = 24 * time.Hour
	}
	if d.o.Now == nil {
		d.o.Now = time.Now
	}
	if d.o.Logger == nil {
		d.o.Logger = slog.New(slog.DiscardHandler)
	}
	return d, nil
}

func (d *Desk) now() time.Time { return d.o.Now().UTC().Truncate(time.Microsecond) }

// law asks what the tenant is held to.
func (d *Desk) law(ctx context.Context, t audit.Tenant) (Law, error) {
	l, err := d.p.Law(ctx, t)
	if err == nil {
		err = l.Validate()
	}
	if err != nil {
		return Law{}, unavailable("asking for the law", err)
	}
	return l, nil
}

// person returns who is signed in: a person of a tenant.
func person(ctx context.Context) (audit.Actor, error) {
	a, ok := audit.ActorFrom(ctx)
	if !ok || a.ID == "" || a.Tenant == "" || a.Kind != audit.KindStaff && a.Kind != audit.KindPatient && a.Kind != audit.KindProxy {
		return audit.Actor{}, ErrNoActor
	}
	return a, nil
}

// staff returns the member of staff who is signed in, or who changes something with AAL2.
func staff(ctx context.Context, changes bool) (audit.Actor, error) {
	a, err := person(ctx)
	switch {
	case err != nil:
		return audit.Actor{}, err
	case a.Kind != audit.KindStaff:
		return audit.Actor{}, ErrNoActor
	case changes && a.Assurance < audit.AAL2:
		return audit.Actor{}, ErrAssurance
	}
	return a, nil
}
