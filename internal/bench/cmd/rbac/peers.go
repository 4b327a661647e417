package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"
	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/wardkit/wardkit/internal/bench/turns"
)

// The model of casbin's documentation for roles in domains, with the cheapest comparison first
// and the relation as a Go function, which is faster than its own second role graph.
const casbinModel = `
[request_definition]
r = sub, dom, act, obj
[policy_definition]
p = role, scope, act
[role_definition]
g = _, _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.act == p.act && g(r.sub, p.role, r.dom) && (p.scope == "practice" || care(r.sub, r.obj))
`

func casbins(_ context.Context, c *clinic) (*turns.Case, error) {
	m, err := model.NewModelFromString(casbinModel)
	if err != nil {
		return nil, err
	}
	e, err := casbin.NewEnforcer(m)
	if err != nil {
		return nil, err
	}
	e.AddFunction("care", func(args ...any) (any, error) {
		return c.inCare.Has(context.Background(), "", actorID(args[0]), patientID(args[1]), never)
	})
	for _, role := range roles() {
		scope := "practice"
		if own(role) {
			scope = "own"
		}
		for _, action := range c.perms[role] {
			if _, err := e.AddPolicy(role, scope, action); err != nil {
				return nil, err
			}
		}
	}
	var rules [][]string
	for _, u := range c.users {
		for _, p := range u.practices {
			rules = append(rules, []string{u.id, u.role, practiceName(p)})
		}
	}
	if _, err := e.AddGroupingPolicies(rules); err != nil {
		return nil, err
	}
	var requests [inRow][]any
	ready := func(first int) error {
		for i, r := range c.page(first) {
			q := c.asked[first+i]
			requests[i] = []any{c.users[q.user].id, r.practice, c.actions[q.action], r.id}
		}
		return nil
	}
	return visited("casbin v2", c.answers, ready, func(i int) (bool, error) { return e.Enforce(requests[i]...) }), nil
}

func cedars(_ context.Context, c *clinic) (*turns.Case, error) {
	policies := cedar.NewPolicySet()
	for _, role := range roles() {
		actions := make([]string, 0, len(c.perms[role]))
		for _, a := range c.perms[role] {
			actions = append(actions, fmt.Sprintf("Action::%q", a))
		}
		where := "principal.practices.contains(context.practice)"
		if own(role) {
			where = "principal.patients.contains(context.patient)"
		}
		var p cedar.Policy
		text := fmt.Sprintf("permit (principal, action in [%s], resource) when { principal.role == %q && %s };", strings.Join(actions, ", "), role, where)
		if err := p.UnmarshalCedar([]byte(text)); err != nil {
			return nil, err
		}
		policies.Add(cedar.PolicyID(role), &p)
	}
	entities := types.EntityMap{}
	for i, u := range c.users {
		var places, patients []types.Value
		for _, p := range u.practices {
			places = append(places, types.String(practiceName(p)))
		}
		for _, p := range c.cares[i] {
			patients = append(patients, types.String(strings.Clone(c.patient[p].id)))
		}
		id := types.NewEntityUID("User", types.String(u.id))
		entities[id] = types.Entity{UID: id, Attributes: types.NewRecord(types.RecordMap{
			"role": types.String(u.role), "practices": types.NewSet(places...), "patients": types.NewSet(patients...),
		})}
	}
	var requests [inRow]cedar.Request
	ready := func(first int) error {
		for i, r := range c.page(first) {
			q := c.asked[first+i]
			requests[i] = cedar.Request{
				Principal: types.NewEntityUID("User", types.String(c.users[q.user].id)),
				Action:    types.NewEntityUID("Action", types.String(c.actions[q.action])),
				Resource:  types.NewEntityUID("Record", types.String(r.id)),
				Context:   types.NewRecord(types.RecordMap{"practice": types.String(r.practice), "patient": types.String(r.id)}),
			}
		}
		return nil
	}
	return visited("cedar-go", c.answers, ready, func(i int) (bool, error) {
		decision, _ := cedar.Authorize(policies, entities, requests[i])
		return bool(decision), nil
	}), nil
}

const opaModule = `package clinic
import rego.v1
default allow := false
user := data.users[input.user]
scope := data.perms[user.role][input.action]
allow if { scope == "practice"; user.practices[input.practice] }
allow if { scope == "own"; user.patients[input.patient] }
`

func opas(ctx context.Context, c *clinic) (*turns.Case, error) {
	perms := map[string]any{}
	for _, role := range roles() {
		scopes := map[string]any{}
		for _, action := range c.perms[role] {
			scopes[action] = "practice"
			if own(role) {
				scopes[action] = "own"
			}
		}
		perms[role] = scopes
	}
	users := map[string]any{}
	for i, u := range c.users {
		places := map[string]any{}
		for _, p := range u.practices {
			places[practiceName(p)] = true
		}
		users[u.id] = map[string]any{"role": c.users[i].role, "practices": places, "patients": map[string]any{}}
	}
	for pair := range c.care {
		users[c.users[pair[0]].id].(map[string]any)["patients"].(map[string]any)[c.patient[pair[1]].id] = true
	}
	text, err := json.Marshal(map[string]any{"perms": perms, "users": users})
	if err != nil {
		return nil, err
	}
	var data map[string]any
	if err := json.Unmarshal(text, &data); err != nil {
		return nil, err
	}
	query, err := rego.New(rego.Query("data.clinic.allow"), rego.Module("clinic.rego", opaModule), rego.Store(inmem.NewFromObject(data))).PrepareForEval(ctx)
	if err != nil {
		return nil, err
	}
	var inputs [inRow]map[string]any
	ready := func(first int) error {
		for i, r := range c.page(first) {
			q := c.asked[first+i]
			inputs[i] = map[string]any{"user": c.users[q.user].id, "action": c.actions[q.action], "practice": r.practice, "patient": r.id}
		}
		return nil
	}
	return visited("OPA", c.answers, ready, func(i int) (bool, error) {
		rs, err := query.Eval(ctx, rego.EvalInput(inputs[i]))
		return rs.Allowed(), err
	}), nil
}
