package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// The people and things of the workload, in each of its tenants.
const (
	tenants   = 20
	actors    = 50
	patients  = 500
	notes     = 500     // objects that many events name
	documents = 100_000 // objects that few events name
)

// platform records what Log.Run has to say.
const platform audit.Tenant = "platform"

func tenantName(n int) audit.Tenant   { return audit.Tenant(fmt.Sprint("clinic-", n)) }
func actorName(n int) audit.ActorID   { return audit.ActorID(fmt.Sprint("staff-", n)) }
func patientName(n int) audit.Patient { return audit.Patient(fmt.Sprintf("patient-%06d", n)) }
func noteName(n int) string           { return fmt.Sprintf("note-%08d", n) }
func documentName(n int) string       { return fmt.Sprintf("document-%08d", n) }
func usualAction(n int) audit.Action  { return usualActions()[n%len(usualActions())] }
func usualActions() []audit.Action {
	return []audit.Action{"note.read", "note.list", "note.write", "note.print"}
}

func kinds() []string                    { return []string{"note", "plan", "result", "invoice", "message"} }
func kindOf(n int) string                { return kinds()[n%len(kinds())] }
func signIn(now time.Time) (t time.Time) { return now.Truncate(time.Hour) }

const rareAction audit.Action = "note.break_glass" // one event of 10,000

// event returns an event of about 400 bytes, as a guarded route of a clinic records it: the
// actor with the evidence of the sign-in, one patient, one object, the decision.
func event(r *rand.Rand, now time.Time) audit.Event {
	tenant := tenantName(r.IntN(tenants))
	e := audit.Event{
		Tenant: tenant,
		Action: usualAction(r.IntN(100)),
		Verb:   audit.Read,
		Actor: audit.Actor{
			ID: actorName(r.IntN(actors)), Kind: audit.KindStaff, Tenant: tenant,
			AuthTime: signIn(now), Methods: []string{"pwd", "otp"}, Assurance: audit.AAL2,
		},
		Patients:    []audit.Patient{patientName(r.IntN(patients))},
		Objects:     []audit.Object{object(r)},
		Purpose:     "TREAT",
		Decision:    audit.Decision{Rule: "own-patients", Scope: "own"},
		Correlation: audit.Correlation{Request: fmt.Sprintf("%016x", r.Uint64())},
	}
	if r.IntN(10_000) == 0 {
		e.Action = rareAction
	}
	return e
}

func object(r *rand.Rand) audit.Object {
	if r.IntN(10) == 0 {
		return audit.Object{Type: "document", ID: documentName(r.IntN(documents)), Category: "results"}
	}
	n := r.IntN(notes)
	return audit.Object{Type: kindOf(n), ID: noteName(n), Category: "notes"}
}

// crowded is an event that names 50 patients, such as a list that was shown.
func crowded(r *rand.Rand, now time.Time) audit.Event {
	e := event(r, now)
	e.Patients, e.Objects = nil, []audit.Object{{Type: "list", Category: "demographics"}}
	for _, n := range r.Perm(patients)[:50] {
		e.Patients = append(e.Patients, patientName(n))
	}
	return e
}

// source makes one writer's events.
type source func() audit.Event

// sources returns one source for each writer; make is event, crowded or like them.
func sources(n int, makeEvent func(*rand.Rand, time.Time) audit.Event) []source {
	out := make([]source, n)
	for i := range out {
		r := random(uint64(time.Now().UnixNano()) + uint64(i))
		out[i] = func() audit.Event { return makeEvent(r, time.Now()) }
	}
	return out
}

// random repeats itself for the same seed.
func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }
