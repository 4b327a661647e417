package fhir

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Codes of entities.
const (
	typePerson = "1"
	typeSystem = "2"
	typeOther  = "4"

	rolePatient  = "1"
	roleResource = "4"
	roleSecurity = "13"
	roleQuery    = "24"
)

// entities writes what the event is about. Profiles have exactly one entity of type system object:
// the query or, otherwise, the first object, or the patient where there is none. Further objects are
// of type other.
func (r *resource) entities() {
	r.List("entity")
	if r.e.Correlation.Request != "" {
		r.Raw(`{"type":{"system":"`, balpEntities, `","code":"XrequestId"},"what":{"identifier":{`)
		r.Str("value", r.e.Correlation.Request)
		r.B = append(r.B, "}}}"...)
	}
	for _, p := range r.patients {
		r.person(p, typePerson, rolePatient)
		r.End()
	}
	first := typeSystem
	if r.shape.query {
		r.Object()
		r.entityCodes(typeSystem, roleQuery)
		r.absent("_query", r.e.Search.Commitment())
		r.End()
		first = typeOther
	}
	if len(r.objects) == 0 && len(r.patients) > 0 && !r.shape.query {
		r.person(r.patients[0], typeSystem, roleResource)
		r.End()
	}
	for i := range r.objects {
		r.object(&r.objects[i], first)
		first = typeOther
	}
	r.context()
	r.EndList()
}

// person begins an entity that is a patient.
func (r *resource) person(p audit.Patient, kind, role string) {
	r.Raw(`{"what":{"type":"Patient","identifier":{`)
	r.Str("value", string(p))
	r.B = append(r.B, "}}"...)
	r.entityCodes(kind, role)
}

func (r *resource) entityCodes(kind, role string) {
	r.Raw(`"type":{"system":"`, entityTypes, `","code":"`, kind, `"},"role":{"system":"`, objectRoles, `","code":"`, role, `"}`)
}

func (r *resource) object(o *audit.Object, kind string) {
	r.Raw(`{"what":{"identifier":{"type":{`)
	r.Str("text", o.Type)
	r.End()
	r.Str("value", o.ID)
	r.B = append(r.B, "}}"...)
	r.entityCodes(kind, roleResource)
	if len(o.Labels) > 0 {
		r.List("securityLabel")
		for _, l := range o.Labels {
			r.label(l)
		}
		r.EndList()
	}
	d := details{w: r}
	d.text("version", o.Version)
	d.text("category", o.Category)
	d.text("origin", o.Origin)
	for _, f := range o.Fields {
		d.text("field", f)
	}
	d.end()
	r.End()
}

// context is an entity of its own for what FHIR has no element for.
func (r *resource) context() {
	e := r.e
	at := len(r.B)
	r.Object()
	r.entityCodes(typeOther, roleSecurity)
	d := details{w: r}
	if r.shape.verb != e.Verb {
		d.text("verb", string(e.Verb))
	}
	d.actor(e)
	if !r.shape.query {
		d.bytes("search_commitment", e.Search.Commitment())
	}
	d.text("rule", e.Decision.Rule)
	d.text("scope", e.Decision.Scope)
	d.text("grant", e.Decision.Grant)
	d.text("policy", e.Decision.Policy)
	d.text("mask", e.Decision.Mask)
	d.text("trace", e.Correlation.Trace)
	d.text("server_version", e.Server.Version)
	if e.Clock.Known {
		d.text("clock_synced", strconv.FormatBool(e.Clock.Synced))
		d.text("clock_error_us", strconv.FormatInt(e.Clock.ErrMicros, 10))
	}
	if e.Disclosure != nil {
		d.disclosure(e.Disclosure)
	}
	for _, c := range e.Changes {
		d.text("changed", c.Field)
		d.bytes("changed_before", c.Before)
		d.bytes("changed_after", c.After)
	}
	if len(e.Detail) > 0 {
		for _, k := range slices.Sorted(maps.Keys(e.Detail)) {
			d.text("detail."+k, e.Detail[k])
		}
	}
	if !d.begun {
		r.B = r.B[:at]
		return
	}
	d.end()
	r.End()
}

// details writes AuditEvent.entity.detail, which begins with the first of them.
type details struct {
	w     *resource
	begun bool
}

func (d *details) begin(name string) {
	if !d.begun {
		d.begun = true
		d.w.List("detail")
	}
	d.w.Raw(`{"type":"`, name, `"`)
}

func (d *details) text(name, value string) {
	if value != "" {
		d.begin(name)
		d.w.Str("valueString", value)
		d.w.End()
	}
}

func (d *details) bytes(name string, value []byte) {
	if len(value) > 0 {
		d.begin(name)
		d.w.Bytes("valueBase64Binary", value)
		d.w.End()
	}
}

func (d *details) time(name string, t time.Time) {
	if !t.IsZero() {
		d.begin(name)
		d.w.Time("valueString", t)
		d.w.End()
	}
}

func (d *details) end() {
	if d.begun {
		d.w.EndList()
	}
}

func (d *details) actor(e *audit.Event) {
	a := &e.Actor
	d.text("actor_kind", string(a.Kind))
	if a.Tenant != e.Tenant {
		d.text("actor_tenant", string(a.Tenant))
	}
	d.text("on_behalf_of", string(a.OnBehalfOf))
	d.text("organization", a.Organization)
	d.text("session", a.Session)
	d.time("authenticated", a.AuthTime)
	for _, m := range a.Methods {
		d.text("method", m)
	}
	if a.Assurance != audit.AAL0 {
		d.text("assurance", strconv.Itoa(int(a.Assurance)))
	}
	if a.PhishingResistant {
		d.text("phishing_resistant", "true")
	}
	d.text("emergency", a.Emergency)
}

func (d *details) disclosure(x *audit.Disclosure) {
	d.text("disclosed", x.Description)
	d.text("disclosure_authority", x.Authority)
	d.text("disclosure_frequency", x.Frequency)
	if x.Count != 0 {
		d.text("disclosure_count", strconv.Itoa(x.Count))
	}
	d.time("disclosure_last", x.Last)
	d.bytes("disclosure_address_commitment", x.Address.Commitment())
}
