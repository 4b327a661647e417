package audit_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
)

func claims(t *testing.T) audit.Workflow {
	t.Helper()
	w, err := audit.NewWorkflow("claim",
		audit.Step{Action: "claim.submitted", Verb: audit.Create, Needs: []string{"payer"}, Patient: true},
		audit.Step{Action: "claim.denied", Verb: audit.Update, Needs: []string{"payer", "code"}, May: []string{"line"}},
		audit.Step{Action: "claim.closed", Verb: audit.Update},
	)
	require.NoError(t, err)
	return w
}

func TestWorkflowRefusesIncompleteEvents(t *testing.T) {
	t.Parallel()
	w := claims(t)
	for name, test := range map[string]struct {
		action         audit.Action
		id             string
		patient        audit.Patient
		detail         map[string]string
		missing, wrong []string
	}{
		"complete":         {action: "claim.submitted", id: "c", patient: "p", detail: map[string]string{"payer": "x"}},
		"with an extra":    {action: "claim.denied", id: "c", detail: map[string]string{"payer": "x", "code": "y", "line": "3"}},
		"nothing needed":   {action: "claim.closed", id: "c"},
		"nothing at all":   {wrong: []string{"action"}},
		"undeclared":       {action: "claim.paid", id: "c", wrong: []string{"action"}},
		"system's":         {action: audit.ActionErase, id: "c", wrong: []string{"action"}},
		"everything":       {action: "claim.submitted", missing: []string{"objects.id", "patients", "detail.payer"}},
		"two details":      {action: "claim.denied", id: "c", missing: []string{"detail.payer", "detail.code"}},
		"empty detail":     {action: "claim.denied", id: "c", detail: map[string]string{"payer": "x", "code": ""}, missing: []string{"detail.code"}},
		"undeclared extra": {action: "claim.closed", id: "c", detail: map[string]string{"Jane Roe": "x"}, wrong: []string{"detail"}},
	} {
		e, err := w.Event(test.action, test.id, test.patient, test.detail)
		if test.missing == nil && test.wrong == nil {
			require.NoError(t, err, name)
			e.Actor = staff
			e.Tenant = staff.Tenant
			require.NoError(t, e.Validate(), name)
			continue
		}
		var invalid *audit.InvalidError
		require.ErrorAs(t, err, &invalid, name)
		require.Equal(t, test.missing, invalid.Missing, name)
		require.Equal(t, test.wrong, invalid.Wrong, name)
		require.NotContains(t, err.Error(), "Roe")
		require.Zero(t, e.Action, "no event beside an error")
	}
}

func TestWorkflowCannotDeclare(t *testing.T) {
	t.Parallel()
	good := audit.Step{Action: "claim.denied", Verb: audit.Update}
	many := audit.Step{Action: "a", Verb: audit.Update}
	for i := range audit.MaxList + 1 {
		many.Needs = append(many.Needs, strings.Repeat("k", i+1))
	}
	for name, steps := range map[string][]audit.Step{
		"no step":              {},
		"no action":            {{Verb: audit.Update}},
		"no verb":              {{Action: "a"}},
		"unknown verb":         {{Action: "a", Verb: "X"}},
		"no code":              {{Action: "claim denied", Verb: audit.Update}},
		"twice":                {good, good},
		"the log's own":        {{Action: audit.ActionErase, Verb: audit.Delete}},
		"a detail no code":     {{Action: "a", Verb: audit.Update, Needs: []string{"the payer"}}},
		"a detail twice":       {{Action: "a", Verb: audit.Update, Needs: []string{"k"}, May: []string{"k"}}},
		"more than fits":       {many},
		"one good and one not": {good, {}},
	} {
		_, err := audit.NewWorkflow("claim", steps...)
		require.Error(t, err, name)
	}
	for _, object := range []string{"", "a\nb", strings.Repeat("x", audit.MaxName+1)} {
		_, err := audit.NewWorkflow(object, good)
		require.Error(t, err)
	}
	for _, a := range audit.SystemActions() {
		_, err := audit.NewWorkflow("claim", audit.Step{Action: a.Action, Verb: a.Verb})
		require.Error(t, err, "no host speaks for the log")
	}
}

// TestWorkflowIsAValue: nobody changes it afterwards.
func TestWorkflowIsAValue(t *testing.T) {
	t.Parallel()
	needs := []string{"code"}
	w, err := audit.NewWorkflow("claim", audit.Step{Action: "claim.denied", Verb: audit.Update, Needs: needs})
	require.NoError(t, err)
	needs[0] = "other"
	w.Steps()[0].Needs[0] = "other"
	w.Steps()[0].Action = "other"
	detail := map[string]string{"code": "x"}
	e, err := w.Event("claim.denied", "c", "", detail)
	require.NoError(t, err)
	detail["code"] = "y"
	require.Equal(t, map[string]string{"code": "x"}, e.Detail)

	_, err = audit.Workflow{}.Event("claim.denied", "c", "", detail)
	require.ErrorIs(t, err, audit.ErrInvalid)
	log := newLog(t, audit.NewMemory(), nil)
	for _, q := range []audit.Query{w.History(staff.Tenant, ""), audit.Workflow{}.History(staff.Tenant, "c"), w.History("", "c")} {
		_, err = log.Query(t.Context(), q)
		require.ErrorIs(t, err, audit.ErrBadQuery, "no object's history is not everybody's")
	}
}

// What happens to a claim, declared once; its history is a query.
func ExampleWorkflow() {
	claims, err := audit.NewWorkflow("claim",
		audit.Step{Action: "claim.submitted", Verb: audit.Create, Needs: []string{"payer"}, Patient: true},
		audit.Step{Action: "claim.denied", Verb: audit.Update, Needs: []string{"payer", "code"}},
		audit.Step{Action: "claim.appealed", Verb: audit.Update, Needs: []string{"level"}, May: []string{"letter"}},
	)
	if err != nil {
		panic(err)
	}
	log, _ := audit.New(audit.NewMemory(), audit.DropOpenings{}, &audit.Options{Now: at})
	ctx := audit.WithActor(context.Background(), therapist)
	record := func(action audit.Action, detail map[string]string) error {
		e, err := claims.Event(action, "c-17", "p-1", detail)
		if err != nil {
			return err
		}
		return log.Record(ctx, e)
	}
	fmt.Println(record("claim.submitted", map[string]string{"payer": "acme"}))
	fmt.Println(record("claim.denied", map[string]string{"payer": "acme"}))
	fmt.Println(record("claim.denied", map[string]string{"payer": "acme", "code": "CO-50"}))
	fmt.Println(record("claim.appealed", map[string]string{"level": "1"}))
	fmt.Println(record("claim.paid", nil))

	page, err := log.Query(ctx, claims.History("clinic-17", "c-17"))
	for _, e := range slices.Backward(page.Events) {
		fmt.Println(e.Index, e.Actor.ID, e.Action, e.Detail, err)
	}
	// Output:
	// <nil>
	// audit: invalid event: missing detail.code
	// <nil>
	// <nil>
	// audit: invalid event: not recordable action
	// 0 u-9 claim.submitted map[payer:acme] <nil>
	// 1 u-9 claim.denied map[code:CO-50 payer:acme] <nil>
	// 2 u-9 claim.appealed map[level:1] <nil>
}
