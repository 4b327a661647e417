package purge

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/export"
	"github.com/wardkit/wardkit/audit/tlog"
)

// Source is the log whose entries grow old; audit.Memory and auditsql.Store are some.
type Source interface {
	tlog.Source
	audit.Purger
}

// Records knows how long a patient's record is kept, where the audit has to live as long: ASTM
// E2147-18, section 4.1, asks for ten years, and for two years after the patient came of age.
type Records interface {
	// Until returns the day before which nothing about a patient may be destroyed, whatever the
	// tenant's period. Not known: a day far away. An error ends what was asked for.
	Until(ctx context.Context, t audit.Tenant, p audit.Patient) (time.Time, error)
}

// Options are what New can be told. The zero value is safe.
type Options struct {
	// Wait is how long a shorter period, and the release of a hold, wait until they count: 1 day to
	// a year; 30 days.
	Wait time.Duration
	// Expiry is how long a plan may wait for a second person, 1 day to a year; 30 days.
	Expiry time.Duration
	// Most is how many events one plan names, 1 to 1,000,000; 200,000. More take several plans.
	Most int
	// Records is asked about the patients of each event. Nil: the tenant's period is all there is.
	Records Records
	// Every is how often Run looks, 1 second to 1 hour; 1 minute.
	Every time.Duration
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Parts are what a Keeper works with; all are required.
type Parts struct {
	Source   Source
	Trees    *tlog.Log
	Exporter *export.Exporter
	Recorder audit.Recorder
	Bundles  Bundles
	Store    Store
}

// Keeper decides what of a log may be destroyed, and destroys it. It is safe for concurrent use, on
// several servers too.
type Keeper struct {
	src     Source
	trees   *tlog.Log
	x       *export.Exporter
	rec     audit.Recorder
	bundles Bundles
	store   Store
	o       Options

	mu      sync.Mutex
	running int
	failed  error
}

// New returns a Keeper. Its error names every part that is missing and every value that cannot be
// used.
func New(p Parts, o *Options) (*Keeper, error) {
	var problems []error
	if p.Source == nil || p.Trees == nil || p.Exporter == nil || p.Recorder == nil || p.Bundles == nil || p.Store == nil {
		problems = append(problems, errors.New("a part is missing"))
	}
	k := &Keeper{src: p.Source, trees: p.Trees, x: p.Exporter, rec: p.Recorder, bundles: p.Bundles, store: p.Store}
	if o != nil {
		k.o = *o
	}
	problems = append(problems,
		between("Wait", &k.o.Wait, 30*day, day, 366*day),
		between("Expiry", &k.o.Expiry, 30*day, day, 366*day),
		between("Every", &k.o.Every, time.Minute, time.Second, time.Hour),
		between("Most", &k.o.Most, 200_000, 1, 1_000_000))
	if k.o.Now == nil {
		k.o.Now = time.Now
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("purge: %w", err)
	}
	return k, nil
}

const day = 24 * time.Hour

// between gives an option its default, or says that it cannot be used.
func between[N int | time.Duration](name string, n *N, usual, low, high N) error {
	if *n == 0 {
		*n = usual
	}
	if *n < low || *n > high {
		return fmt.Errorf("the option %s is out of range", name)
	}
	return nil
}

func (k *Keeper) now() time.Time { return k.o.Now().UTC().Truncate(time.Microsecond) }

// person returns who decides. Whose rights are borrowed cannot be a second person, nor can a
// program.
func person(ctx context.Context, t audit.Tenant) (audit.Actor, error) {
	a, ok := audit.ActorFrom(ctx)
	if !ok || a.Kind != audit.KindStaff || a.ID == "" || a.Tenant != t || t == "" || a.OnBehalfOf != "" || a.Emergency != "" {
		return audit.Actor{}, ErrPerson
	}
	return a, nil
}

// record makes an event durable before what it says happens.
func (k *Keeper) record(ctx context.Context, e audit.Event) error {
	if err := k.rec.Record(ctx, e); err != nil {
		return unavailable("recording", err)
	}
	return nil
}

// Codes of an event that says that what the one before it said did not happen, or may not have.
const (
	CodeNotApplied  = "not_applied"
	CodeUnconfirmed = "unconfirmed"
)

// apply records a change and then makes it. If it is not made the log says so too.
func (k *Keeper) apply(ctx context.Context, e audit.Event, what string, put func() error) error {
	if err := k.record(ctx, e); err != nil {
		return err
	}
	err := k.put(what, put())
	if err == nil {
		return nil
	}
	e.Outcome, e.Code = audit.Failure, CodeUnconfirmed
	if errors.Is(err, ErrConflict) || errors.Is(err, ErrOpen) {
		e.Code = CodeNotApplied
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(err, k.record(ctx, e))
}

// put makes of what a store answered what callers can act on.
func (k *Keeper) put(what string, err error) error {
	if err == nil || errors.Is(err, ErrConflict) || errors.Is(err, ErrOpen) {
		return err
	}
	return unavailable(what, err)
}

// sumOf is the hash that a manifest is known by.
func sumOf(manifest []byte) [32]byte { return sha256.Sum256(manifest) }
