package recert

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// Parts are what Campaigns works with. Reviewers, Usage, Triggers, Directory
// and StepUps may be nil.
type Parts struct {
	Store      Store
	Recorder   audit.Recorder
	Population Population
	Policy     func() string    // digest of the policy in force
	Effects    map[Kind]Effects // by kind; a kind of the population without one is refused by Start
	OnlyOne    OnlyOne
	Notices    Notices
	Reviewers  Reviewers // required where a Spec has a Rule
	Usage      Usage     // nil: items do not say when they were used
	Triggers   Triggers  // required for Watch
	Directory  Directory // who is there, and which roles; nil: Population, if it is one; otherwise nobody asks
	StepUps    StepUps   // nil: who signs must have proven who they are within Options.Fresh
}

// StepUps says whether somebody has to prove again who they are; session.Manager is one, see
// rbac.StepUps.
type StepUps interface {
	// StepUp reports whether the actor in ctx owes a fresh proof for doing action to object. An error
	// means that it could not be found out: nobody signs.
	StepUp(ctx context.Context, action audit.Action, object audit.Object, within time.Duration) (owed bool, err error)
}

// Options are the settings of Campaigns; nil means all defaults.
type Options struct {
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// Fresh is how long ago somebody may have proven who they are who signs off, 1 minute to 1 hour.
	// Default: 5 minutes.
	Fresh time.Duration
	// Window is how far back the log is searched for use, 30 to 400 days. Default: 90.
	Window time.Duration
	// Every is how often Run looks, 1 second to 24 hours. Default: 15 minutes.
	Every time.Duration
}

// Campaigns starts reviews, takes decisions and carries them out. It keeps nothing between calls and
// is safe for concurrent use, on several servers too.
type Campaigns struct {
	p     Parts
	store Store
	rec   audit.Recorder
	o     Options

	mu      sync.Mutex
	running int
	failed  error
}

const day = 24 * time.Hour

// New returns Campaigns. A missing part and an option out of range are errors.
func New(p Parts, o *Options) (*Campaigns, error) {
	r := &Campaigns{p: p, store: p.Store, rec: p.Recorder}
	if o != nil {
		r.o = *o
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	if r.o.Now == nil {
		r.o.Now = time.Now
	}
	if d, ok := p.Population.(Directory); ok && p.Directory == nil {
		r.p.Directory = d
	}
	return r, errors.Join(
		within("Fresh", &r.o.Fresh, 5*time.Minute, time.Minute, time.Hour),
		within("Window", &r.o.Window, 90*day, 30*day, 400*day),
		within("Every", &r.o.Every, 15*time.Minute, time.Second, day),
	)
}

// check names what is missing.
func (p *Parts) check() error {
	var missing []string
	for _, part := range []struct {
		missing bool
		name    string
	}{
		{p.Store == nil, "Store"},
		{p.Recorder == nil, "Recorder"},
		{p.Population == nil, "Population"},
		{p.Policy == nil, "Policy"},
		{len(p.Effects) == 0, "Effects"},
		{p.OnlyOne == nil, "OnlyOne"},
		{p.Notices == nil, "Notices"},
	} {
		if part.missing {
			missing = append(missing, part.name)
		}
	}
	for _, e := range p.Effects {
		if e == nil {
			missing = append(missing, "an Effects")
		}
	}
	if len(missing) > 0 {
		return errors.New("recert: Parts lacks " + strings.Join(missing, ", "))
	}
	return nil
}

// within gives an option its default, or says that it cannot be used.
func within(name string, d *time.Duration, usual, low, high time.Duration) error {
	if *d == 0 {
		*d = usual
	}
	if *d < low || *d > high {
		return errors.New("recert: Options." + name + " is out of range")
	}
	return nil
}

func (r *Campaigns) now() time.Time { return moment(r.o.Now()) }

func moment(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

// person returns who decides: a member of the tenant's own staff, with a second factor, with rights of
// their own. A program, somebody's delegate, an operator of the platform or an emergency grant is not.
func person(ctx context.Context) (audit.Actor, error) {
	a, ok := audit.ActorFrom(ctx)
	visitor := rbac.IsVisitor(a.ID) || a.Organization != "" && a.Organization != string(a.Tenant)
	if !ok || a.Kind != audit.KindStaff || a.ID == "" || a.Tenant == "" || a.OnBehalfOf != "" || a.Emergency != "" ||
		visitor || a.Assurance < audit.AAL2 {
		return audit.Actor{}, ErrActor
	}
	return a, nil
}

// itself is who does what nobody decided.
const itself audit.ActorID = "system:recert"

// system returns a context in which this package acts itself.
func system(ctx context.Context, t audit.Tenant) context.Context {
	return audit.WithActor(ctx, audit.System(t, "recert"))
}
