package emergency_test

import (
	"context"
	"fmt"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/rbac/emergency"
)

// chart is the host's patient.
type chart struct {
	id     string
	tenant audit.Tenant
	labels rbac.Labels
}

// RBAC says what rbac has to know of a patient.
func (c chart) RBAC() rbac.Attrs {
	return rbac.Attrs{ID: c.id, Tenant: c.tenant, Patient: audit.Patient(c.id), Labels: c.labels}
}

// proven is a host whose people have just proven who they are; session.Manager asks them.
type proven struct{}

func (proven) StepUp(context.Context, audit.Action, audit.Object, time.Duration) (bool, error) {
	return false, nil
}

// officer is where the privacy officer looks; a host has an outbox or a list.
type officer struct{}

func (officer) Tell(_ context.Context, n emergency.Notice) error {
	fmt.Println("to the privacy officer:", n.Kind, "by", n.Grant.Person, "for", n.Grant.Reason)
	return nil
}

func Example() {
	at := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	now := func() time.Time { return at }
	log, _ := audit.New(audit.NewMemory(), audit.DropOpenings{}, &audit.Options{Now: now})
	store := emergency.NewMemory() // emergencysql.Postgres(db)

	cols := rbac.Columns{ID: "id", Tenant: "tenant", Patient: "id", Labels: "labels"}
	open := rbac.Define[chart]("chart.open", cols, rbac.StepUp(5*time.Minute))
	read := rbac.Define[chart]("chart.read", cols, rbac.Verb(audit.Read), rbac.PHI())
	policy, err := rbac.Compile(rbac.Rules{
		Actions:   []rbac.AnyAction{open, read},
		Relations: rbac.Relations{Own: rbac.NewMemoryRelation(), Emergency: store.Relation()},
		Roles: []rbac.Role{{Name: "therapist", Label: "Therapist", Rank: 1, Allow: []rbac.Allow{
			rbac.In(rbac.Own, read), rbac.In(rbac.Emergency, read), rbac.In(rbac.Tenant, open),
		}}},
		Forbid: []rbac.Forbid{{Name: "psychotherapy", Labels: rbac.LabelPsychotherapy}}, // no emergency lifts it
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	z, _ := rbac.New(policy, rbac.NewMemory(), log, &rbac.Options{Now: now, StepUps: proven{}})
	_, _ = z.Grant(audit.WithActor(context.Background(), audit.System("clinic", "setup")), rbac.Grant{Person: "ana", Role: "therapist"})
	desk, err := emergency.New(emergency.Parts[chart]{
		Store: store, Recorder: log, Authorizer: z, Notices: officer{}, Action: open, Reads: []rbac.Action[chart]{read},
	}, &emergency.Options{Now: now})
	if err != nil {
		fmt.Println(err)
		return
	}

	request := func(who audit.ActorID) context.Context { // the session's handler and audithttp.Hold do this
		a := audit.Actor{ID: who, Kind: audit.KindStaff, Tenant: "clinic", Assurance: audit.AAL2}
		ctx, _ := audit.WithTrail(audit.WithActor(context.Background(), a), log, audit.Event{})
		return ctx
	}
	bruno := chart{"bruno", "clinic", 0}
	ctx := request("ana")
	granted, _ := rbac.Authorize(ctx, z, open, bruno) // a guarded route has it
	grant, err := desk.Open(ctx, granted, emergency.Request{Reason: "emergency_treatment", Words: "Collapsed in the waiting room.", For: time.Hour})
	fmt.Println("opened until", grant.Until.Format("15:04"), err)

	d, _ := rbac.Check(request("ana"), z, read, bruno)
	fmt.Println(d.Allowed, d.Scope, d.Emergency == grant.ID)
	d, _ = rbac.Check(request("ana"), z, read, chart{"bruno", "clinic", rbac.LabelPsychotherapy})
	fmt.Println(d.Allowed, d.Code)

	at = at.Add(time.Hour) // nobody has to do anything
	d, _ = rbac.Check(request("ana"), z, read, bruno)
	fmt.Println(d.Allowed)
	_, err = desk.Review(request("ana"), grant.ID, grant.Version, emergency.Justified, "It was me.")
	fmt.Println(err)
	grant, err = desk.Review(request("otto"), grant.ID, grant.Version, emergency.Justified, "Confirmed by the front desk.")
	fmt.Println(grant.Verdict, err)
	// Output:
	// to the privacy officer: opened by ana for emergency_treatment
	// opened until 10:00 <nil>
	// true emergency true
	// false forbidden
	// false
	// emergency: one's own
	// justified <nil>
}
