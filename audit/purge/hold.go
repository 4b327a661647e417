package purge

import (
	"context"
	"errors"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wardkit/wardkit/audit"
)

// Hold is a legal hold: what it covers is kept, however old it is. Exactly one of All, Patient,
// Actor and ObjectType is set.
type Hold struct {
	Tenant  audit.Tenant `json:"tenant"`
	ID      string       `json:"id"`
	Version int64        `json:"version"`

	All        bool          `json:"all,omitempty"`         // everything of the tenant
	Patient    audit.Patient `json:"patient,omitempty"`     // events about this patient
	Actor      audit.ActorID `json:"actor,omitempty"`       // events of this actor, or on its behalf
	ObjectType string        `json:"object_type,omitempty"` // events about objects of this type
	ObjectID   string        `json:"object_id,omitempty"`   // only together with ObjectType: about this one

	Matter     string        `json:"matter"` // the host's reference, "2026-014", 1 to 64 bytes; no person's name
	Placed     time.Time     `json:"placed"` // UTC, microseconds
	By         audit.ActorID `json:"by"`
	Released   time.Time     `json:"released,omitzero"`
	ReleasedBy audit.ActorID `json:"released_by,omitempty"`
	Ends       time.Time     `json:"ends,omitzero"` // from when the release counts
}

// maxMatter is the longest Matter and the longest ID, in bytes.
const maxMatter = 64

// Validate says whether the hold says what it holds. ErrHold.
func (h *Hold) Validate() error {
	set := 0
	for _, is := range []bool{h.All, h.Patient != "", h.Actor != "", h.ObjectType != ""} {
		if is {
			set++
		}
	}
	if set != 1 || h.ObjectID != "" && h.ObjectType == "" || !line(h.Matter, maxMatter) || !line(h.ID, maxMatter) || h.Tenant == "" {
		return ErrHold
	}
	for _, s := range []string{string(h.Patient), string(h.Actor), h.ObjectID} {
		if s != "" && !line(s, audit.MaxID) {
			return ErrHold
		}
	}
	if h.ObjectType != "" && !line(h.ObjectType, audit.MaxName) {
		return ErrHold
	}
	return nil
}

// line reports whether s is a short text on one line.
func line(s string, limit int) bool {
	if s == "" || len(s) > limit || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// InForce reports whether the hold counts at a time. A release counts from Ends on.
func (h *Hold) InForce(now time.Time) bool {
	return h.Released.IsZero() || now.Before(h.Ends)
}

// Covers reports whether the hold is about an event.
func (h *Hold) Covers(e *audit.Event) bool {
	switch {
	case h.Patient != "":
		for _, p := range e.Patients {
			if p == h.Patient {
				return true
			}
		}
		return false
	case h.Actor != "":
		return e.Actor.ID == h.Actor || e.Actor.OnBehalfOf == h.Actor
	case h.ObjectType != "":
		for _, o := range e.Objects {
			if o.Type == h.ObjectType && (h.ObjectID == "" || o.ID == h.ObjectID) {
				return true
			}
		}
		return false
	}
	return true // everything, and whatever a store makes of a hold that it damaged
}

// Holds returns a tenant's holds, the latest first, released ones too.
func (k *Keeper) Holds(ctx context.Context, t audit.Tenant) ([]Hold, error) {
	var out []Hold
	for h, err := range k.store.Holds(ctx, t) {
		if err != nil {
			return nil, unavailable("reading holds", err)
		}
		if h.Tenant != t {
			return nil, unavailable("reading holds", errors.New("another tenant's"))
		}
		out = append(out, h)
	}
	return out, nil
}

// Place places a hold of the person in ctx, or of the host's own job (audit.KindSystem), for keeping
// more harms nobody: h says its tenant, matter and what it covers. From when Place has returned nil, no
// part of a purge begins that would destroy what it covers; a part is at most 500 events. Why goes
// into the audit as a private value.
//
// The ID is made, unless h has one, of 1 to 64 bytes, for a host that may ask twice: ErrConflict if
// there is such a hold, in force or released.
//
// Errors: ErrHold, ErrPerson, ErrConflict, ErrUnavailable.
func (k *Keeper) Place(ctx context.Context, h Hold, why string) (Hold, error) {
	who, ok := audit.ActorFrom(ctx)
	if !ok || who.Kind != audit.KindSystem || who.Tenant != h.Tenant {
		var err error
		if who, err = person(ctx, h.Tenant); err != nil {
			return Hold{}, err
		}
	}
	now := k.now()
	if h.ID == "" {
		h.ID = audit.NewID(now)
	}
	h.Version, h.Placed, h.By = 0, now, who.ID
	h.Released, h.ReleasedBy, h.Ends = time.Time{}, "", time.Time{}
	if err := h.Validate(); err != nil {
		return Hold{}, err
	}
	err := k.apply(ctx, h.event(audit.ActionHoldPlaced, audit.Create, why), "placing a hold", func() error { return k.store.PutHold(ctx, h) })
	if err != nil {
		return Hold{}, err
	}
	h.Version++
	return h, nil
}

// Release ends a hold. It takes somebody else than who placed it, and counts after Options.Wait: a
// hold that is released by mistake can be placed again before anything is lost.
//
// Errors: ErrNotFound, ErrPerson, ErrSamePerson, ErrConflict if it is released, ErrUnavailable.
func (k *Keeper) Release(ctx context.Context, t audit.Tenant, id, why string) (Hold, error) {
	who, err := person(ctx, t)
	if err != nil {
		return Hold{}, err
	}
	all, err := k.Holds(ctx, t)
	if err != nil {
		return Hold{}, err
	}
	for _, h := range all {
		switch {
		case h.ID != id:
			continue
		case !h.Released.IsZero():
			return Hold{}, ErrConflict
		case h.By == who.ID:
			return Hold{}, ErrSamePerson
		}
		now := k.now()
		h.Released, h.ReleasedBy, h.Ends = now, who.ID, now.Add(k.o.Wait)
		err := k.apply(ctx, h.event(audit.ActionHoldReleased, audit.Delete, why), "releasing a hold", func() error { return k.store.PutHold(ctx, h) })
		if err != nil {
			return Hold{}, err
		}
		h.Version++
		return h, nil
	}
	return Hold{}, ErrNotFound
}

// event is what the log keeps of a hold.
func (h *Hold) event(a audit.Action, v audit.Verb, why string) audit.Event {
	detail := map[string]string{"matter": h.Matter}
	set := func(key, value string) {
		if value != "" {
			detail[key] = value
		}
	}
	set("actor", string(h.Actor))
	set("object_type", h.ObjectType)
	set("object_id", h.ObjectID)
	if h.All {
		detail["all"] = "yes"
	}
	if !h.Ends.IsZero() {
		detail["ends"] = h.Ends.Format(time.RFC3339Nano)
	}
	e := audit.Event{
		Tenant: h.Tenant, Action: a, Verb: v, Why: audit.NewPrivate(why), Detail: detail,
		Objects: []audit.Object{{Type: "legal_hold", ID: h.ID}},
	}
	if h.Patient != "" {
		e.Patients = []audit.Patient{h.Patient}
	}
	return e
}
