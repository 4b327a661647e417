package support

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

// Bounds that no option widens.
const (
	MaxLength = 12 * time.Hour     // of an access
	MaxWait   = 7 * 24 * time.Hour // of a request for its answer
	MaxText   = 1000               // bytes of a reason
	MaxTicket = 64                 // bytes of a ticket's reference
)

// Operators tells what the platform knows of its own people. An error means that it could not be found
// out: nothing is opened then, and what stands is closed to the request that asked.
type Operators interface {
	// May reports whether the operator may be let into tenant t now: employed, not suspended, with a role that
	// supports customers, and t is one of them. It is asked with every request that an operator makes inside,
	// and nothing it answers from may outlive the call. OperatorRoles is one.
	May(ctx context.Context, operator Account, t audit.Tenant) (bool, error)
	// Ours reports whether other, an account of a tenant, is known to be of one of the platform's own people: of the
	// operator, or of a colleague. Such a person approves nothing.
	Ours(ctx context.Context, operator, other Account) (bool, error)
}

// Notices tells people of the tenant, and the operator, what happens.
type Notices interface {
	// Tell hands over one notice, at least once: whoever delivers drops a repeated ID.
	Tell(ctx context.Context, n Notice) error
}

// Parts is what a Desk is built from. Every field is required.
type Parts struct {
	Store      Store
	Grants     rbac.Store       // the Authorizer's own: no access comes of an approval whose grant is not found there
	Authorizer *rbac.Authorizer // makes and revokes the grants, and holds who approves to their rights
	Recorder   audit.Recorder
	Sealer     audit.Sealer // phi.NewSealer(vault); not audit.DropOpenings, which keeps nothing
	StepUps    rbac.StepUps
	Operators  Operators
	Notices    Notices
	Platform   audit.Tenant    // the operators' own
	Roles      []rbac.RoleName // that operators may ask for
}

// Options changes a Desk's defaults. The zero value is safe.
type Options struct {
	// Longest is the longest time for which anybody is let in. Default 8 hours, at most MaxLength.
	Longest time.Duration
	// Usual is how long it is where a request does not say. Default 2 hours, at most Longest.
	Usual time.Duration
	// Wait is how long a request waits for its answer. Default 24 hours, at most MaxWait.
	Wait time.Duration
	// Remind is how long it waits before the tenant is reminded. Default 4 hours.
	Remind time.Duration
	// Fresh is how old the proof of who approves may be. Default 5 minutes, at most 15.
	Fresh time.Duration
	// MaxRequests is how often one operator asks one tenant within 24 hours. Default 10.
	MaxRequests int
	// Never are actions that no support role may have, beside those that none has anyway: opening emergency
	// access, answering requests for support, deciding in a recertification. They are the host's, so New cannot know
	// them: without Never a role that has one passes. The Desk of rbac/emergency, this one and rbac/recert refuse visitors by their
	// ids all the same, but pages would offer what is then refused.
	Never []rbac.AnyAction
	// InsecureWritesPHI lets support roles change health information.
	InsecureWritesPHI bool
	// Every is how often Run looks. Default one minute.
	Every time.Duration
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Logger hears of what could not be settled or told at once. Default: nobody.
	Logger *slog.Logger
}

// Desk is where support accesses are asked for, answered and used. It is safe for concurrent use, on any
// number of servers.
type Desk struct {
	p Parts
	o Options

	mu      sync.Mutex
	running int
	failed  error
}

// New returns a Desk. A missing part, an option out of range and a role that is no support role are
// errors; the text names the role and the action, constants of the program.
func New(p Parts, o *Options) (*Desk, error) {
	d := &Desk{p: p}
	if o != nil {
		d.o = *o
	}
	if err := d.p.check(); err != nil {
		return nil, err
	}
	if err := d.o.complete(); err != nil {
		return nil, err
	}
	var wrong []error
	for _, role := range p.Roles {
		wrong = append(wrong, d.fit(role))
	}
	return d, errors.Join(wrong...)
}

func (p *Parts) check() error {
	var missing []string
	for _, part := range []struct {
		missing bool
		name    string
	}{
		{p.Store == nil, "Store"},
		{p.Grants == nil, "Grants"},
		{p.Authorizer == nil, "Authorizer"},
		{p.Recorder == nil, "Recorder"},
		{p.Sealer == nil, "Sealer"},
		{p.StepUps == nil, "StepUps"},
		{p.Operators == nil, "Operators"},
		{p.Notices == nil, "Notices"},
		{p.Platform == "", "Platform"},
		{len(p.Roles) == 0, "Roles"},
	} {
		if part.missing {
			missing = append(missing, part.name)
		}
	}
	if len(missing) > 0 {
		return errors.New("support: Parts lacks " + strings.Join(missing, ", "))
	}
	switch p.Sealer.(type) {
	case audit.DropOpenings, *audit.DropOpenings:
		return errors.New("support: Parts.Sealer keeps nothing, so no access could be kept")
	}
	return nil
}

// complete fills in the defaults and refuses what is out of range.
func (o *Options) complete() error {
	if o.Longest == 0 {
		o.Longest = 8 * time.Hour
	}
	for _, d := range []struct {
		value     *time.Duration
		usual, at time.Duration
		name      string
	}{
		{&o.Longest, o.Longest, MaxLength, "Longest"},
		{&o.Usual, min(2*time.Hour, o.Longest), o.Longest, "Usual"},
		{&o.Wait, 24 * time.Hour, MaxWait, "Wait"},
		{&o.Remind, 4 * time.Hour, MaxWait, "Remind"},
		{&o.Fresh, 5 * time.Minute, 15 * time.Minute, "Fresh"},
		{&o.Every, time.Minute, time.Hour, "Every"},
	} {
		if *d.value == 0 {
			*d.value = d.usual
		}
		if *d.value < time.Second || *d.value > d.at {
			return errors.New("support: Options: " + d.name + " is out of range")
		}
	}
	if o.MaxRequests == 0 {
		o.MaxRequests = 10
	}
	if o.MaxRequests < 0 {
		return errors.New("support: Options: MaxRequests is out of range")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

func (d *Desk) now() time.Time { return d.o.Now().UTC().Truncate(time.Microsecond) }
