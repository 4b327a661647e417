package fhir_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// What BALP 1.1.4 demands, written out from its profiles (IHE ITI, IHE.BasicAudit.*). A Coding is
// "system|code".

const (
	balp = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
	dcm  = "http://dicom.nema.org/resources/ontology/DCM|"
	hl7  = "http://terminology.hl7.org/CodeSystem/"
	rest = "http://hl7.org/fhir/restful-interaction|"
	xreq = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType|XrequestId"
)

type coding struct{ System, Code, Display string }

func (c coding) String() string { return c.System + "|" + c.Code }

type concept struct {
	Coding []coding
	Text   string
}

type element struct {
	Extension []struct{ URL, ValueCode, ValueBase64Binary string }
}

type reference struct {
	element
	Type       string
	Identifier struct {
		Type  concept
		Value string
	}
}

type agent struct {
	Type         concept
	Who          *reference
	Requestor    *bool
	Name         string
	Role         []concept
	PurposeOfUse []concept
	Media        any
	Network      *struct {
		Address string
		Absent  *element `json:"_address"`
		Type    string
	}
}

type entity struct {
	What          *reference
	Type, Role    coding
	Lifecycle     any
	SecurityLabel []coding
	Query         string
	QueryAbsent   *element `json:"_query"`
	Detail        []struct{ Type, ValueString, ValueBase64Binary string }
}

type auditEvent struct {
	ResourceType, ID string
	Meta             struct{ Profile []string }
	Extension        []struct {
		URL       string
		Extension []struct{ URL, ValueString, ValueBase64Binary string }
	}
	Type              coding
	Subtype           []coding
	Action            string
	Recorded          string
	Outcome           string
	OutcomeDesc       string
	PurposeOfEvent    []concept
	Agent             []agent
	Source            struct{ Observer *reference }
	Entity            []entity
	ModifierExtension any
}

// profile is what one BALP profile fixes.
type profile struct {
	kind, action   string
	subtypes       []string // exactly one of them
	client, server string
	users          []string // one of them, if there is one
}

func profiles() map[string]profile {
	source, destination := dcm+"110153", dcm+"110152"
	authors := []string{hl7 + "v3-ParticipationType|AUT", hl7 + "v3-ParticipationType|INF", hl7 + "v3-ParticipationType|CST"}
	recipient := []string{hl7 + "v3-ParticipationType|IRCP"}
	p := func(action, client, server string, users []string, subtypes ...string) profile {
		return profile{kind: hl7 + "audit-event-type|rest", action: action, subtypes: subtypes, client: client, server: server, users: users}
	}
	return map[string]profile{
		"Create": p("C", source, destination, authors, rest+"create"),
		"Read":   p("R", destination, source, recipient, rest+"read", rest+"vread"),
		"Update": p("U", source, destination, authors, rest+"update", rest+"patch"),
		"Delete": p("D", dcm+"110150", hl7+"provenance-participant-type|custodian", authors, rest+"delete"),
		"Query":  p("E", source, destination, recipient, rest+"search", rest+"search-type", rest+"search-system"),
	}
}

// parse reads a line.
func parse(line string) (auditEvent, error) {
	var a auditEvent
	err := json.Unmarshal([]byte(line), &a)
	return a, err
}

// check returns what is wrong with a line: the cardinalities of FHIR R4, and the constraints of the
// profile that it claims.
func check(a *auditEvent) error {
	problems := []error{basic(a)}
	for _, claimed := range a.Meta.Profile {
		name, ok := strings.CutPrefix(claimed, balp)
		if !ok {
			problems = append(problems, fmt.Errorf("an unknown profile %s", claimed))
			continue
		}
		if name == "PrivacyDisclosure.Source" {
			problems = append(problems, disclosure(a))
			continue
		}
		bare, patient := strings.CutPrefix(name, "Patient")
		p, ok := profiles()[bare]
		if !ok {
			problems = append(problems, fmt.Errorf("an unknown profile %s", name))
		}
		problems = append(problems, p.check(a, bare == "Query", patient))
	}
	return errors.Join(problems...)
}

func want(ok bool, what string) error {
	if ok {
		return nil
	}
	return errors.New(what)
}

func basic(a *auditEvent) error {
	problems := []error{
		want(a.ResourceType == "AuditEvent" && a.Type.Code != "" && a.Recorded != "" && len(a.Agent) > 0 && a.Source.Observer != nil, "AuditEvent: a required element is missing"),
		want(slices.Contains([]string{"0", "4", "8", "12"}, a.Outcome), "outcome is required by BALP and a code"),
		want(len(a.ID) > 0 && len(a.ID) <= 64, "id"), want(len(a.Meta.Profile) <= 1, "more than one profile"),
	}
	requestors := 0
	for _, g := range a.Agent {
		problems = append(problems, want(g.Requestor != nil, "agent.requestor 1..1"))
		if g.Requestor != nil && *g.Requestor {
			requestors++
		}
	}
	return errors.Join(append(problems, want(requestors == 1, "one agent is the requestor"))...)
}

func (p *profile) check(a *auditEvent, query, patient bool) error {
	problems := []error{
		want(a.Type.String() == p.kind, "type"), want(a.Action == p.action, "action"), want(a.Outcome == "0", "outcome"),
		want(count(a.Subtype, func(c coding) bool { return slices.Contains(p.subtypes, c.String()) }) == 1, "subtype 1..1"),
		p.agents(a), transaction(a),
	}
	system := entities(a, "2")
	problems = append(problems, want(len(system) == 1, "entity of type 2: 1..1"))
	for _, e := range system {
		if query {
			problems = append(problems, want(e.Role.String() == hl7+"object-role|24" && e.What == nil && e.Lifecycle == nil && e.Detail == nil && e.Query == "" && e.QueryAbsent != nil, "entity[query]"))
		} else {
			problems = append(problems, want(slices.Contains([]string{"3", "4", "20"}, e.Role.Code) && e.What != nil, "entity[data]"))
		}
	}
	people := entities(a, "1")
	if !patient {
		return errors.Join(append(problems, want(len(people) == 0, "a patient in a profile without"))...)
	}
	return errors.Join(append(problems, thePatient(people))...)
}

func (p *profile) agents(a *auditEvent) error {
	problems := []error{want(p.client != p.server, "client and server look alike")}
	for _, kind := range []string{p.client, p.server} {
		found := agents(a, kind)
		problems = append(problems, want(len(found) == 1, "agent "+kind+" 1..1"))
		for _, g := range found {
			problems = append(problems, want(g.Who != nil && g.Network != nil && g.Media == nil, "who, network, media of "+kind))
		}
	}
	users := 0
	for _, kind := range p.users {
		for _, g := range agents(a, kind) {
			users++
			problems = append(problems, want(g.Who != nil && *g.Requestor && g.Network == nil && g.Media == nil, "agent[user]"))
		}
	}
	return errors.Join(append(problems, want(users <= 1 && len(a.Agent) <= 3, "agent[user] 0..1"))...)
}

func disclosure(a *auditEvent) error {
	problems := []error{
		want(a.Type.String() == dcm+"110106" && a.Action == "R" && a.ModifierExtension == nil, "an export"),
		want(count(a.Subtype, func(c coding) bool { return c.String() == hl7+"iso-21089-lifecycle|disclose" }) >= 1, "subtype disclose"),
		want(len(a.Entity) >= 2, "entity 2..*"), thePatient(entities(a, "1")),
	}
	for _, kind := range []string{dcm + "110153", dcm + "110152"} {
		found := agents(a, kind)
		problems = append(problems, want(len(found) == 1 && found[0].Who != nil && found[0].Network != nil, "agent "+kind))
	}
	source := agents(a, dcm+"110153")
	return errors.Join(append(problems, want(len(source) == 1 && fmt.Sprint(*source[0].Who) == fmt.Sprint(*a.Source.Observer), "val-audit-source"))...)
}

func thePatient(people []entity) error {
	if len(people) != 1 || people[0].What == nil {
		return errors.New("entity[patient] 1..1")
	}
	return want(people[0].Role.String() == hl7+"object-role|1" && people[0].What.Type == "Patient" && people[0].What.Identifier.Value != "", "entity[patient]")
}

func transaction(a *auditEvent) error {
	n := 0
	for _, e := range a.Entity {
		if e.Type.String() == xreq {
			n++
			if e.What == nil || e.What.Identifier.Value == "" {
				return errors.New("entity[transaction]")
			}
		}
	}
	return want(n <= 1, "entity[transaction] 0..1")
}

func agents(a *auditEvent, kind string) (found []agent) {
	for _, g := range a.Agent {
		if len(g.Type.Coding) == 1 && g.Type.Coding[0].String() == kind {
			found = append(found, g)
		}
	}
	return found
}

func entities(a *auditEvent, code string) (found []entity) {
	for _, e := range a.Entity {
		if e.Type.String() == hl7+"audit-entity-type|"+code {
			found = append(found, e)
		}
	}
	return found
}

func count[T any](list []T, f func(T) bool) (n int) {
	for _, x := range list {
		if f(x) {
			n++
		}
	}
	return n
}
