package audit

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"math"
	"slices"
	"time"
)

// Subject is whose report is asked for, and for which time.
type Subject struct {
	Tenant  Tenant
	Patient Patient
	Period  Period // [Start, End); a zero Start is six years before the end, a zero End is now
}

// lookBack is how far a patient may look back (45 CFR 164.528(a)(1)), years.
const lookBack = 6

// Accounting is the accounting of disclosures that a patient may ask for (45 CFR 164.528).
type Accounting struct {
	Subject
	Disclosures []Disclosed // by First
}

// Disclosed is one disclosure, or a series of them to one recipient for one purpose.
type Disclosed struct {
	First, Last time.Time // of the series; equal for a single disclosure (164.528(b)(2)(i), (b)(3)(iii))
	Count       int       // how many (164.528(b)(3)(ii))
	Frequency   string    // as it was recorded
	Recipient   string    // 164.528(b)(2)(ii)
	Address     string    // where it is known
	Description string    // brief description of the information
	Purpose     string    // Event.Purpose
	Authority   string    // for example "164.512(b)"
	Events      []string  // IDs
	// Erased says that the recipient was erased from the log, or never kept: the accounting is
	// incomplete here, and the host's own files must say who it was.
	Erased bool
}

// Disclosures returns the accounting of what was disclosed about a patient: every event that names
// the patient, carries a Disclosure and did not fail. Several to one recipient with one purpose,
// authority and description are one series. Which disclosures have to be accounted for the host
// decides when it records one; those for treatment, payment and operations, to the patient, or
// with an authorization need not be (164.528(a)(1)).
//
// Suspended, if it is not nil, says of an event whether a health oversight or law enforcement agency
// has suspended the patient's right to be told of it (164.528(a)(2)); such events are left out
// without a trace. Its error ends the report.
//
// Recipients are opened, which is a disclosure of its own: whoever serves the accounting records
// that, with ActionOpen. Errors: ErrBadQuery, ErrUnavailable, ErrSealing, ErrDamaged.
func (l *Log) Disclosures(ctx context.Context, s Subject, suspended func(context.Context, Event) (bool, error)) (Accounting, error) {
	asked := s.Period.End
	s, err := l.subject(s)
	if err != nil {
		return Accounting{}, err
	}
	type key struct{ recipient, address, description, purpose, authority string }
	series := map[key]*Disclosed{}
	var all []*Disclosed
	for e, err := range l.about(ctx, s, asked) {
		if err != nil {
			return Accounting{}, err
		}
		if e.Disclosure == nil {
			continue
		}
		if suspended != nil {
			hidden, err := suspended(ctx, e.Event)
			if err != nil {
				return Accounting{}, because(ErrUnavailable, err)
			}
			if hidden {
				continue
			}
		}
		d, err := l.disclosed(ctx, s.Tenant, e.ID)
		if errors.Is(err, ErrPurged) { // since it was listed
			continue
		}
		if err != nil {
			return Accounting{}, err
		}
		if d.Last.Before(s.Period.Start) { // entered late
			continue
		}
		k := key{d.Recipient, d.Address, d.Description, d.Purpose, d.Authority}
		if was := series[k]; was != nil && !d.Erased {
			was.join(d)
			continue
		}
		series[k] = &d
		all = append(all, &d)
	}
	out := Accounting{Subject: s}
	for _, d := range all {
		out.Disclosures = append(out.Disclosures, *d)
	}
	slices.SortStableFunc(out.Disclosures, func(a, b Disclosed) int { return a.First.Compare(b.First) })
	return out, nil
}

// disclosed reads one disclosure with its private values.
func (l *Log) disclosed(ctx context.Context, t Tenant, id string) (Disclosed, error) {
	e, err := l.Open(ctx, t, id)
	if err != nil {
		return Disclosed{}, err
	}
	in := e.Disclosure
	at := e.Recorded
	if !e.Occurred.Start.IsZero() {
		at = e.Occurred.Start
	}
	d := Disclosed{
		First: at, Last: at, Count: max(in.Count, 1), Frequency: in.Frequency,
		Description: in.Description, Purpose: e.Purpose, Authority: in.Authority, Events: []string{id},
	}
	if in.Last.After(d.Last) {
		d.Last = in.Last
	}
	recipient, ok := in.Recipient.Reveal()
	d.Recipient, d.Erased = recipient, !ok
	d.Address, _ = in.Address.Reveal()
	return d, nil
}

// join adds a further disclosure to a series.
func (d *Disclosed) join(more Disclosed) {
	if more.First.Before(d.First) {
		d.First, d.Frequency = more.First, cmp.Or(more.Frequency, d.Frequency)
	}
	if more.Last.After(d.Last) {
		d.Last = more.Last
	}
	d.Frequency = cmp.Or(d.Frequency, more.Frequency)
	d.Count += more.Count
	d.Events = append(d.Events, more.Events...)
	slices.Sort(d.Events)
}

// Views is the report of who looked at or worked with a patient's record, for the patient.
type Views struct {
	Subject
	Viewers []Viewer // by Last, the latest first
}

// Viewer is one actor, for one person it acted for.
type Viewer struct {
	Actor        ActorID
	Kind         Kind
	OnBehalfOf   ActorID
	Organization string
	Roles        []string // all of these: sorted, each once
	Purposes     []string
	Categories   []string // data categories, or types of objects that have none
	Actions      []Action
	Emergency    bool // at least once with an emergency grant
	Times        int  // events
	First, Last  time.Time
}

// Viewers returns who had access to a patient's record, in one call for the page "who viewed my
// record": every event that names the patient and did not fail, grouped by actor. It holds no
// names and opens nothing private; the host knows the names, and whether the law wants those of its
// staff left out. What the patient did is among it, with KindPatient.
//
// Whoever serves it records that, with ActionRead. Errors: ErrBadQuery, ErrUnavailable, ErrDamaged.
func (l *Log) Viewers(ctx context.Context, s Subject) (Views, error) {
	asked := s.Period.End
	s, err := l.subject(s)
	if err != nil {
		return Views{}, err
	}
	type key struct {
		actor, behalf ActorID
		kind          Kind
		organization  string
	}
	viewers := map[key]*Viewer{}
	for e, err := range l.about(ctx, s, asked) {
		if err != nil {
			return Views{}, err
		}
		k := key{e.Actor.ID, e.Actor.OnBehalfOf, e.Actor.Kind, e.Actor.Organization}
		v := viewers[k]
		if v == nil {
			v = &Viewer{Actor: k.actor, OnBehalfOf: k.behalf, Kind: k.kind, Organization: k.organization, First: e.Recorded, Last: e.Recorded}
			viewers[k] = v
		}
		v.add(&e.Event)
	}
	out := Views{Subject: s}
	for _, v := range viewers {
		out.Viewers = append(out.Viewers, *v)
	}
	slices.SortFunc(out.Viewers, func(a, b Viewer) int {
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Actor, b.Actor), cmp.Compare(a.OnBehalfOf, b.OnBehalfOf),
			cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Organization, b.Organization))
	})
	return out, nil
}

// add counts one event. Of one that names several patients the objects may be somebody else's,
// so what they are is left out.
func (v *Viewer) add(e *Event) {
	v.Times++
	v.Emergency = v.Emergency || e.Actor.Emergency != ""
	if e.Recorded.Before(v.First) {
		v.First = e.Recorded
	}
	if e.Recorded.After(v.Last) {
		v.Last = e.Recorded
	}
	for _, r := range e.Actor.Roles {
		insert(&v.Roles, r)
	}
	insert(&v.Purposes, e.Purpose)
	insert(&v.Actions, e.Action)
	if len(e.Patients) > 1 {
		return
	}
	for _, o := range e.Objects {
		insert(&v.Categories, cmp.Or(o.Category, o.Type))
	}
}

// insert adds s to a sorted list unless it is empty or there.
func insert[T ~string](list *[]T, s T) {
	if at, found := slices.BinarySearch(*list, s); !found && s != "" {
		*list = slices.Insert(*list, at, s)
	}
}

// subject checks and completes what is asked.
func (l *Log) subject(s Subject) (Subject, error) {
	switch {
	case s.Patient == "":
		return s, hint(ErrBadQuery, "no patient")
	case s.Period.End.IsZero():
		s.Period.End = l.o.Now().UTC()
	}
	if s.Period.Start.IsZero() {
		s.Period.Start = s.Period.End.AddDate(-lookBack, 0, 0)
	}
	return s, nil
}

// about yields every event that names the patient and did not fail, the newest first. What
// is recorded at the very end is among it unless the end was asked for.
func (l *Log) about(ctx context.Context, s Subject, end time.Time) iter.Seq2[*Stored, error] {
	return func(yield func(*Stored, error) bool) {
		q := Query{Tenant: s.Tenant, Patient: s.Patient, Outcomes: []Outcome{Success, MinorFailure}}
		q.Period = Period{s.Period.Start, end}
		f, m, err := l.plan(ctx, &q)
		if err != nil {
			yield(nil, err)
			return
		}
		var room []byte
		for entry, err := range l.list(ctx, f, m.below, math.MaxInt) {
			if err != nil {
				yield(nil, err)
				return
			}
			var e Stored
			if err := entry.stored(s.Tenant, &room, &e); err != nil {
				yield(nil, err)
				return
			}
			if !yield(&e, nil) {
				return
			}
		}
	}
}
