package purge

import (
	"context"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tlog"
)

// judge says of each event whether it may be destroyed now.
type judge struct {
	k      *Keeper
	tenant audit.Tenant
	now    time.Time
	months int
	holds  holdIndex
	ages   *tlog.Ages                  // since when a signed tree covers each event
	until  map[audit.Patient]time.Time // what Records said
}

// holdIndex finds the holds in force that are about an event.
type holdIndex struct {
	all      bool
	patients map[audit.Patient]bool
	actors   map[audit.ActorID]bool
	objects  map[audit.Ref]bool // an ID that is empty means all of the type
}

// judge reads what counts now.
func (k *Keeper) judge(ctx context.Context, t audit.Tenant) (*judge, error) {
	if _, err := k.trees.Integrate(ctx); err != nil { // a process that has just begun knows of no tree yet
		return nil, treeError(err)
	}
	ages, err := k.trees.Ages(ctx, t)
	if err != nil {
		return nil, treeError(err)
	}
	j := &judge{k: k, tenant: t, ages: ages}
	return j, j.reload(ctx)
}

// reload reads the period and the holds again.
func (j *judge) reload(ctx context.Context) error {
	s, err := j.k.Settings(ctx, j.tenant)
	if err != nil {
		return err
	}
	j.now, j.until = j.k.now(), map[audit.Patient]time.Time{}
	j.months = s.Effective(j.now)
	all, err := j.k.Holds(ctx, j.tenant)
	if err != nil {
		return err
	}
	in := holdIndex{patients: map[audit.Patient]bool{}, actors: map[audit.ActorID]bool{}, objects: map[audit.Ref]bool{}}
	for _, h := range all {
		switch {
		case !h.InForce(j.now):
		case h.Patient != "":
			in.patients[h.Patient] = true
		case h.Actor != "":
			in.actors[h.Actor] = true
		case h.ObjectType != "":
			in.objects[audit.Ref{Type: h.ObjectType, ID: h.ObjectID}] = true
		default:
			in.all = true
		}
	}
	j.holds = in
	return nil
}

func (in *holdIndex) cover(e *audit.Event) bool {
	if in.all || in.actors[e.Actor.ID] || e.Actor.OnBehalfOf != "" && in.actors[e.Actor.OnBehalfOf] {
		return true
	}
	for _, p := range e.Patients {
		if in.patients[p] {
			return true
		}
	}
	for _, o := range e.Objects {
		if in.objects[audit.Ref{Type: o.Type}] || in.objects[audit.Ref{Type: o.Type, ID: o.ID}] {
			return true
		}
	}
	return false
}

// verdict is why an event is kept, or that it is not.
type verdict uint8

const (
	mayGo verdict = iota
	young         // not old enough
	held          // a legal hold, or a patient's record that is kept
	proof         // it is about a purge: what is missing is proven with it
)

// event judges one entry. What it says of itself has to be what its bytes say: tlog.ErrAltered.
func (j *judge) event(ctx context.Context, entry *audit.Entry) (verdict, error) {
	e, err := audit.Decode(entry.Body)
	if err != nil || e.Tenant != j.tenant || e.ID != entry.ID || !e.Recorded.Equal(entry.Recorded) || audit.Leaf(entry.Body) != entry.Leaf {
		return proof, tlog.ErrAltered
	}
	if e.Action == audit.ActionPurgeExecuted {
		return proof, nil
	}
	for _, o := range e.Objects {
		if o.Type == audit.PurgeObject {
			return proof, nil
		}
	}
	if !j.old(&e, entry.Index, j.months) {
		return young, nil
	}
	if j.holds.cover(&e) {
		return held, nil
	}
	for _, p := range e.Patients {
		until, err := j.record(ctx, p)
		if err != nil {
			return held, err
		}
		if j.now.Before(until) {
			return held, nil
		}
	}
	return mayGo, nil
}

// old reports whether an event was kept for so many months: by its own time, and by that of the
// checkpoint that was the first to cover it, which nobody can write in later.
func (j *judge) old(e *audit.Event, index int64, months int) bool {
	since, ok := j.ages.Since(index + 1)
	return ok && !j.now.Before(e.Recorded.AddDate(0, months, 0)) && !j.now.Before(since.AddDate(0, months, 0))
}

// record asks until when a patient's record is kept.
func (j *judge) record(ctx context.Context, p audit.Patient) (time.Time, error) {
	if j.k.o.Records == nil {
		return time.Time{}, nil
	}
	until, ok := j.until[p]
	if !ok {
		var err error
		if until, err = j.k.o.Records.Until(ctx, j.tenant, p); err != nil {
			return time.Time{}, unavailable("asking how long a record is kept", err)
		}
		j.until[p] = until
	}
	return until, nil
}

// readError says what became of reading events.
func readError(err error) error {
	if isDamaged(err) {
		return tlog.ErrAltered
	}
	return unavailable("reading events", err)
}
