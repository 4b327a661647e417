package audit_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/audittest"
)

// at is a clock for examples.
func at() time.Time { return time.Date(2026, 11, 21, 18, 33, 27, 0, time.UTC) }

var therapist = audit.Actor{
	ID: "u-9", Kind: audit.KindStaff, Tenant: "clinic-17",
	Session: "s-1", Methods: []string{"pwd", "otp"}, Assurance: audit.AAL2,
	Origin: netip.MustParseAddr("192.0.2.7"),
}

// A log over a store. Package phi has a Sealer that keeps private values; here they are given
// up by name.
func Example() {
	ctx := context.Background()
	log, err := audit.New(audit.NewMemory(), audit.DropOpenings{}, &audit.Options{Now: at})
	if err != nil {
		panic(err)
	}
	err = log.Record(ctx, audit.Event{
		Action: "patient.read", Verb: audit.Read, Actor: therapist,
		Patients: []audit.Patient{"p-1"},
		Purpose:  "TREAT",
	})
	fmt.Println("durable:", err == nil)

	page, err := log.Query(ctx, audit.Query{
		Tenant: "clinic-17", Last: audit.Last24h, Actors: []audit.ActorID{"u-9"},
	})
	for _, e := range page.Events {
		fmt.Println(e.Recorded.Format(time.RFC3339), e.Actor.ID, e.Action, e.Patients, err)
	}
	// Output:
	// durable: true
	// 2026-11-21T18:33:27Z u-9 patient.read [p-1] <nil>
}

// A job collects what it sees in a trail of its own. Web applications get one from
// audithttp.Hold.
func ExampleWithTrail() {
	rec := audittest.NewRecorder()
	ctx := audit.WithActor(context.Background(), audit.System("clinic-17", "reminders"))
	ctx, trail := audit.WithTrail(ctx, rec, audit.Event{})

	fmt.Println(audit.Seen(ctx, "p-1", audit.Object{}))
	_ = audit.Decide(ctx, audit.Event{Action: "reminder.send", Verb: audit.Execute})
	_ = audit.Seen(ctx, "p-1", audit.Object{Type: "patient", ID: "p-1", Fields: []string{"phone"}})
	_ = audit.Seen(ctx, "p-1", audit.Object{Type: "patient", ID: "p-1", Fields: []string{"name"}})
	if trail.Flush(ctx) == nil {
		fmt.Println("the reminder may be sent")
	}
	e := rec.Events()[0]
	fmt.Println(e.Actor.ID, e.Action, e.Patients, e.Objects[0].Fields)
	// Output:
	// audit: seen before decided
	// the reminder may be sent
	// system:reminders reminder.send [p-1] [name phone]
}

// Private values are not part of an event; they are sealed beside it.
func ExampleLog_Open() {
	ctx := context.Background()
	var sealer audit.Sealer = plainSealer{} // phi.NewSealer(vault) in a host
	log, _ := audit.New(audit.NewMemory(), sealer, &audit.Options{Now: at})
	id := audit.NewID(at())
	_ = log.Record(ctx, audit.Event{
		ID: id, Action: "record.reveal", Verb: audit.Read, Actor: therapist,
		Why: audit.NewPrivate("patient called from a new number"),
	})
	page, _ := log.Query(ctx, audit.Query{Tenant: "clinic-17"})
	_, known := page.Events[0].Why.Reveal()
	fmt.Println(page.Events[0].Why, known, len(page.Events[0].Why.Commitment()))

	e, _ := log.Open(ctx, "clinic-17", id)
	why, _ := e.Why.Reveal()
	fmt.Println(why, e.Actor.Origin)
	// Output:
	// [private] false 32
	// patient called from a new number 192.0.2.7
}

// Validate says everything that is missing at once, and never a value.
func ExampleEvent_Validate() {
	e := audit.Event{Tenant: "clinic-17", Action: "patient.read", Outcome: audit.Failure, Correlation: audit.Correlation{Request: "a\nb"}}
	err := e.Validate()
	fmt.Println(err)
	fmt.Println(errors.Is(err, audit.ErrInvalid))
	// Output:
	// audit: invalid event: missing verb, code, actor.kind, actor.id; not recordable correlation.request
	// true
}

// The canonical bytes are what is hashed, stored and exported.
func ExampleEncode() {
	body, err := audit.Encode(audit.Event{
		ID: "0193a5c0-7c4f-7abc-8def-0123456789ab", Recorded: at(), Tenant: "clinic-17",
		Action: "patient.read", Verb: audit.Read,
		Actor:    audit.Actor{ID: "u-9", Kind: audit.KindStaff, Tenant: "clinic-17"},
		Patients: []audit.Patient{"p-1"},
	})
	fmt.Println(string(body), err)
	fmt.Printf("%x\n", audit.Leaf(body))
	_, err = audit.Decode(append(body, ' '))
	fmt.Println(err)
	// Output:
	// {"act":{"c":"R","v":"patient.read"},"id":"0193a5c0-7c4f-7abc-8def-0123456789ab","out":{"c":0},"pat":["p-1"],"rec":"2026-11-21T18:33:27.000000Z","ten":"clinic-17","v":1,"who":{"id":"u-9","k":"staff"}} <nil>
	// 32594c8d86ed3cb8b49316b7b83794d65f34a2d9df0bd2ffd1c0f5971397246a
	// audit: a stored event is damaged
}

// Reading the log is itself recorded, by whoever serves it.
func ExampleLog_Query() {
	log, _ := audit.New(audit.NewMemory(), audit.DropOpenings{}, &audit.Options{Now: at})
	ctx := audit.WithActor(context.Background(), audit.Actor{ID: "u-1", Kind: audit.KindStaff, Tenant: "clinic-17"})
	_ = log.Record(ctx, audit.Event{Action: "patient.read", Verb: audit.Read, Actor: therapist, Patients: []audit.Patient{"p-1"}})

	serve := func(q audit.Query) (audit.Page, error) {
		ctx, trail := audit.WithTrail(ctx, log, audit.Event{})
		if err := audit.Decide(ctx, audit.Event{Action: audit.ActionRead, Verb: audit.Execute}); err != nil {
			return audit.Page{}, err
		}
		page, err := log.Query(ctx, q)
		if err != nil {
			return audit.Page{}, err
		}
		if err := audit.Seen(ctx, q.Patient, audit.Object{Type: "audit_event"}); err != nil {
			return audit.Page{}, err
		}
		return page, trail.Flush(ctx)
	}
	q := audit.Query{Tenant: "clinic-17", Patient: "p-1"}
	for range 2 {
		page, err := serve(q)
		for _, e := range page.Events {
			fmt.Println(e.Actor.ID, e.Action, err)
		}
	}
	// Unordered output:
	// u-9 patient.read <nil>
	// u-1 audit.read <nil>
	// u-9 patient.read <nil>
}

// A recorder for a host's unit tests fails on demand.
func ExampleRecorder() {
	rec := audittest.NewRecorder()
	rec.FailWith(errors.New("disk full"))
	ctx := audit.WithActor(context.Background(), therapist)
	ctx, trail := audit.WithTrail(ctx, rec, audit.Event{})
	_ = audit.Decide(ctx, audit.Event{Action: "note.write", Verb: audit.Create})
	fmt.Println(trail.Flush(ctx), rec.Len())
	rec.FailWith(nil)
	fmt.Println(trail.Flush(ctx), rec.Len())
	// Output:
	// disk full 0
	// <nil> 1
}

// What a patient may ask for, in one call each: the accounting of disclosures (45 CFR 164.528),
// and who worked with the record.
func ExampleLog_Disclosures() {
	ctx := context.Background()
	log, err := audit.New(audit.NewMemory(), sealer{}, &audit.Options{Now: at})
	if err != nil {
		panic(err)
	}
	err = log.Record(ctx, audit.Event{
		Action: "record.disclose", Verb: audit.Read, Actor: therapist, Patients: []audit.Patient{"p-1"}, Purpose: "PUBHLTH",
		Disclosure: &audit.Disclosure{
			Recipient: audit.NewPrivate("County Health Department"), Description: "a positive test", Authority: "164.512(b)",
		},
	})
	if err != nil {
		panic(err)
	}
	about := audit.Subject{Tenant: "clinic-17", Patient: "p-1"}
	accounting, err := log.Disclosures(ctx, about, nil)
	for _, d := range accounting.Disclosures {
		fmt.Println(d.First.Format(time.DateOnly), d.Recipient, "|", d.Description, "|", d.Authority, err)
	}
	views, err := log.Viewers(ctx, about)
	for _, v := range views.Viewers {
		fmt.Println(v.Actor, v.Actions, v.Times, err)
	}
	// Output:
	// 2026-11-21 County Health Department | a positive test | 164.512(b) <nil>
	// u-9 [record.disclose] 1 <nil>
}

// sealer stands for the one of package phi.
type sealer struct{}

func (sealer) Seal(_ context.Context, _ audit.Tenant, _ string, plain []byte) ([]byte, error) {
	return plain, nil
}

func (sealer) Unseal(_ context.Context, _ audit.Tenant, _ string, sealed []byte) ([]byte, error) {
	return sealed, nil
}
