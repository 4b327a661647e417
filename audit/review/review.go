package review

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// What the review records. Settings that were changed are an audit.ActionPolicyChanged.
const (
	ActionOpened  audit.Action = "audit.finding.opened"  // a rule found something; the event's ID is the finding's
	ActionChanged audit.Action = "audit.finding.changed" // somebody went on with a finding, or was not let
)

// FindingObject is the type of the object that events about a finding name.
const FindingObject = "audit_finding"

// Options are what New can be told. The zero value is safe.
type Options struct {
	// Ties knows how people and patients stand to each other. Without it OwnRecord, SameSurname,
	// CoWorker and VIP find nothing, FirstContact counts patients in care too, and Controls says so.
	Ties Ties
	// Standard are the settings of tenants that made none; Standard().
	Standard *Settings
	// AskTimeout is how long Ties may take for one call, up to a minute; 10 seconds.
	AskTimeout time.Duration
	// Every is how often Run looks for what is new, 1 second to 1 hour; 30 seconds.
	Every time.Duration
	// Past is how far back events make findings when a tenant is reviewed for the first time, up to
	// ten years; 30 days. What is older tells what is usual.
	Past time.Duration
	// Batch is how many events one commit covers at most, 1 to 4096; 512.
	Batch int
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
	// Logger hears of failures, without values. Nil: silent.
	Logger *slog.Logger
}

// Reviewer looks through each tenant's log as it grows, with rules that say what they counted, and
// keeps what people made of the findings. It is safe for concurrent use; several servers may run
// it over one database.
type Reviewer struct {
	src    Source
	store  Store
	rec    audit.Recorder
	sealer audit.Sealer
	o      Options

	mu      sync.Mutex
	running int
	err     error
}

// New returns a Reviewer of the log src that keeps what it finds in store. It records to rec, as a
// rule the same log, and seals what people write with sealer, as a rule the log's;
// audit.DropOpenings keeps the words in no place. Its error names every part that is missing and
// every value that cannot be used.
func New(src Source, store Store, rec audit.Recorder, sealer audit.Sealer, o *Options) (*Reviewer, error) {
	r := &Reviewer{src: src, store: store, rec: rec, sealer: sealer}
	if o != nil {
		r.o = *o
	}
	var problems []error
	if src == nil || store == nil || rec == nil || sealer == nil {
		problems = append(problems, errors.New("no source, store, recorder or sealer"))
	}
	for _, d := range []struct {
		what               string
		value              *time.Duration
		least, most, usual time.Duration
	}{
		{"AskTimeout", &r.o.AskTimeout, time.Millisecond, time.Minute, 10 * time.Second},
		{"Every", &r.o.Every, time.Second, time.Hour, 30 * time.Second},
		{"Past", &r.o.Past, time.Second, 3660 * day, 30 * day},
	} {
		if *d.value == 0 {
			*d.value = d.usual
		}
		if *d.value < d.least || *d.value > d.most {
			problems = append(problems, fmt.Errorf("the option %s must be %s to %s", d.what, d.least, d.most))
		}
	}
	if r.o.Batch == 0 {
		r.o.Batch = 512
	}
	if r.o.Batch < 1 || r.o.Batch > 4096 {
		problems = append(problems, errors.New("Options.Batch must be 1 to 4096 events"))
	}
	if r.o.Standard == nil {
		standard := Standard()
		r.o.Standard = &standard
	}
	if err := r.o.Standard.Validate(); err != nil || r.o.Standard.Version != 0 {
		problems = append(problems, errors.Join(errors.New("Options.Standard cannot be used"), err))
	}
	if r.o.Now == nil {
		r.o.Now = time.Now
	}
	if r.o.Logger == nil {
		r.o.Logger = slog.New(slog.DiscardHandler)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("review: new reviewer: %w", err)
	}
	return r, nil
}

// Run calls Tick every Options.Every until ctx ends, and returns ctx's error. Several servers may
// run it at once.
func (r *Reviewer) Run(ctx context.Context) error {
	r.count(1)
	defer r.count(-1)
	tick := time.NewTicker(r.o.Every)
	defer tick.Stop()
	for {
		if err := r.Tick(ctx); err != nil && ctx.Err() == nil {
			r.o.Logger.WarnContext(ctx, "review: not everything was reviewed")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Health returns what Tick failed with last, nil if it succeeded, or ErrNotRunning.
func (r *Reviewer) Health(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil && r.running == 0 {
		return ErrNotRunning
	}
	return r.err
}

func (r *Reviewer) count(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running += n
}

func (r *Reviewer) set(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}
