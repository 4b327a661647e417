package main

import (
	"maps"
	"slices"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn/machine"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
)

// What can be done about programs: API keys and AI agents. Making one, or a key for it, asks for a
// fresh proof; ending one never does, because a leaked key does not wait.
var (
	machineRead   = rbac.Define[rbac.InTenant]("program.read", rbac.Columns{}, rbac.Verb(audit.Read), rbac.InCategory(rbac.Settings))
	machineManage = rbac.Define[rbac.InTenant]("program.manage", rbac.Columns{}, rbac.Verb(audit.Update), rbac.StepUp(freshly), rbac.InCategory(rbac.Settings))
	machineStop   = rbac.Define[rbac.InTenant]("program.stop", rbac.Columns{}, rbac.Verb(audit.Update), rbac.InCategory(rbac.Settings))
)

func machineActions() []rbac.AnyAction {
	return []rbac.AnyAction{machineRead, machineManage, machineStop}
}

// offered are the scopes that this clinic's API has something for.
func offered() []rbac.AnyAction { return []rbac.AnyAction{patientRead, noteRead, claimRead} }

// programActions are what the role of a kind of programs has something for: an agent helps with the
// chart, a service with the books.
func programActions(k audit.Kind) []rbac.AnyAction {
	if k == audit.KindAgent {
		return []rbac.AnyAction{patientRead, noteRead}
	}
	return []rbac.AnyAction{patientRead, claimRead}
}

// withPrograms adds the roles of programs. They are wide, because what a program may do is never
// more than its scopes, and an agent's never more than what the person it acts for may do: an agent
// of a therapist reaches the therapist's patients and nobody else's.
func withPrograms(roles []rbac.Role) []rbac.Role {
	desk := map[phi.Class]phi.Level{phi.ClassName: phi.Full, phi.ClassDate: phi.Full, phi.ClassMRN: phi.Full}
	chart := maps.Clone(desk)
	chart[phi.ClassClinical] = phi.Full
	role := func(k audit.Kind, label string, rank int, sight map[phi.Class]phi.Level) rbac.Role {
		return rbac.Role{
			Name: roleOf(k), Label: label, Rank: rank, Kind: k, Sight: sight,
			Allow: []rbac.Allow{rbac.In(rbac.Tenant, programActions(k)...)},
		}
	}
	return append(roles, role(audit.KindAgent, "AI agent", 6, chart), role(audit.KindService, "Program", 4, desk))
}

// roleOf is the role of programs of a kind.
func roleOf(k audit.Kind) rbac.RoleName {
	if k == audit.KindAgent {
		return rbac.AIAgent
	}
	return rbac.ServiceAccount
}

// possibleFor reports whether the role of a kind has something for every scope.
func possibleFor(k audit.Kind, scopes []audit.Action) bool {
	return !slices.ContainsFunc(scopes, func(s audit.Action) bool {
		return !slices.ContainsFunc(programActions(k), func(a rbac.AnyAction) bool { return a.Name() == s })
	})
}

// machineWords are the clinic's words for what becomes of programs.
func machineWords() []option {
	return []option{
		{"program.read", "Look at API keys and agents"},
		{"program.manage", "Ask to make or change an API key or agent"},
		{"program.stop", "Ask to stop an API key or agent"},
		{string(machine.ActionCreate), "Make a program or agent"},
		{string(machine.ActionChange), "Change a program or agent"},
		{string(machine.ActionSuspend), "Suspend a program or agent"},
		{string(machine.ActionResume), "Let a program or agent in again"},
		{string(machine.ActionRemove), "Remove a program or agent"},
		{string(machine.ActionIssue), "Make a further API key"},
		{string(machine.ActionRotate), "Replace an API key"},
		{string(machine.ActionRevoke), "Revoke an API key"},
		{string(machine.ActionToken), "Get an access token"},
		{string(machine.ActionEnter), "Turn a program away"},
	}
}
