package emergency

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// Parts is what a Desk is built from. Every field is required.
type Parts[R rbac.Resource] struct {
	Store      Store
	Recorder   audit.Recorder   // not audit.Discard: without a record there is no emergency access
	Authorizer *rbac.Authorizer // of a policy whose Relations.Emergency asks Store
	Notices    Notices
	// Action is what the guard of the page decides where people open a patient, on the patient: with a
	// StepUp of at most MaxStepUp, and another Verb than audit.Read. The policy says who may, mostly
	// everybody who treats.
	Action rbac.Action[R]
	// Reads are what an emergency is for: if the person may do all of them anyhow there is none, and
	// if an emergency allows none of them there is none either. For each of them some role of the
	// policy has scope rbac.Emergency.
	Reads []rbac.Action[R]
}

// MaxStepUp is how long ago the proof for an opening may be at most.
const MaxStepUp = 15 * time.Minute

// Options changes a Desk's defaults. The zero value is safe.
type Options struct {
	// Settings returns a tenant's settings; they are validated. Default: Standard for everybody.
	Settings func(ctx context.Context, t audit.Tenant) (Settings, error)
	// TellWithin is how long an opening waits for its notice before Run goes on with it. Default 3
	// seconds; at most 30.
	TellWithin time.Duration
	// Every is how often Run looks. Default a minute; at most an hour.
	Every time.Duration
	// Remind is after which time somebody is reminded again of a review that is overdue. Default 24
	// hours; an hour at least.
	Remind time.Duration
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Logger hears of notices that could not be delivered. Default: nobody.
	Logger *slog.Logger
}

// Desk opens patients to people in an emergency, and sees to what follows. R is the host's patient. It
// is safe for concurrent use, on any number of servers.
type Desk[R rbac.Resource] struct {
	p Parts[R]
	o Options

	mu      sync.Mutex
	running int
	last    error              // what Tick failed with last
	late    map[string]backoff // by grant: what could not be told
}

// New returns a Desk. A missing part, an Action without a StepUp or that reads, one of Reads that the
// policy opens to nobody in an emergency, and an option out of range are errors. That the policy asks
// another store than Parts.Store shows only when somebody opens: ErrRelation.
func New[R rbac.Resource](p Parts[R], o *Options) (*Desk[R], error) {
	d := &Desk[R]{p: p}
	if o != nil {
		d.o = *o
	}
	d.p.Reads = append([]rbac.Action[R](nil), p.Reads...)
	if err := d.parts(); err != nil {
		return nil, err
	}
	return d, d.options()
}

func (d *Desk[R]) parts() error {
	var missing []string
	for _, part := range []struct {
		missing bool
		name    string
	}{
		{d.p.Store == nil, "Store"},
		{d.p.Recorder == nil || d.p.Recorder == audit.Recorder(audit.Discard{}), "Recorder"},
		{d.p.Authorizer == nil, "Authorizer"},
		{d.p.Notices == nil, "Notices"},
		{d.p.Action.Name() == "", "Action"},
		{len(d.p.Reads) == 0, "Reads"},
	} {
		if part.missing {
			missing = append(missing, part.name)
		}
	}
	if len(missing) > 0 {
		return errors.New("emergency: Parts lacks " + strings.Join(missing, ", "))
	}
	if within := d.p.Action.StepUpWithin(); within <= 0 || within > MaxStepUp {
		return errors.New("emergency: Parts.Action needs a StepUp of at most MaxStepUp")
	}
	if d.p.Action.Reads() {
		return errors.New("emergency: Parts.Action reads; opening is something else, and has a verb of its own")
	}
	policy := d.p.Authorizer.Policy()
	for _, a := range d.p.Reads {
		switch {
		case a.Name() == "" || a == d.p.Action:
			return errors.New("emergency: Parts.Reads has an action that reads nothing")
		case !policy.InEmergency(a):
			return errors.New("emergency: Parts.Reads has an action for which no role of the policy has scope Emergency")
		}
	}
	return nil
}

func (d *Desk[R]) options() error {
	if d.o.TellWithin < 0 || d.o.TellWithin > 30*time.Second || d.o.Every < 0 || d.o.Every > time.Hour || d.o.Remind < 0 || d.o.Remind > 0 && d.o.Remind < time.Hour {
		return errors.New("emergency: Options: TellWithin, Every or Remind is out of range")
	}
	if d.o.TellWithin == 0 {
		d.o.TellWithin = 3 * time.Second
	}
	if d.o.Every == 0 {
		d.o.Every = time.Minute
	}
	if d.o.Remind == 0 {
		d.o.Remind = 24 * time.Hour
	}
	if d.o.Settings == nil {
		d.o.Settings = func(context.Context, audit.Tenant) (Settings, error) { return Standard(), nil }
	}
	if d.o.Now == nil {
		d.o.Now = time.Now
	}
	if d.o.Logger == nil {
		d.o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

func (d *Desk[R]) now() time.Time { return d.o.Now().UTC().Truncate(time.Microsecond) }

// settings asks for a tenant's settings.
func (d *Desk[R]) settings(ctx context.Context, t audit.Tenant) (Settings, error) {
	s, err := d.o.Settings(ctx, t)
	if err == nil {
		err = s.Validate()
	}
	if err != nil {
		return Settings{}, unavailable("asking for settings", err)
	}
	return s, nil
}

// person returns the member of staff in ctx, who acts for nobody else and is no visitor of the platform's.
func person(ctx context.Context) (audit.Actor, error) {
	a, ok := audit.ActorFrom(ctx)
	if !ok || a.Kind != audit.KindStaff || a.ID == "" || a.Tenant == "" || a.OnBehalfOf != "" || rbac.IsVisitor(a.ID) {
		return audit.Actor{}, ErrNoActor
	}
	return a, nil
}

// proven is person, with a second factor.
func proven(ctx context.Context) (audit.Actor, error) {
	a, err := person(ctx)
	if err == nil && a.Assurance < audit.AAL2 {
		return audit.Actor{}, ErrAssurance
	}
	return a, err
}
