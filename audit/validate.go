package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of one event. Text is measured in bytes of UTF-8. Their purpose is that no field a
// stranger can reach grows without bound; MaxBody is the largest entry that a C2SP tlog-tiles
// log can hold.
const (
	MaxBody     = 65535 // canonical bytes
	MaxID       = 256   // identifiers: tenant, actor, patient, object, session, grant …
	MaxName     = 128   // names and codes: types, fields, labels, roles, methods
	MaxText     = 512   // short texts: device, location, descriptions, values of Detail
	MaxPrivate  = 4096  // a private value
	MaxPatients = 256
	MaxObjects  = 256
	MaxFields   = 128 // of one object
	MaxList     = 64  // labels, roles, methods, changes, details
)

// Validate reports everything that keeps the event from being recorded, as an *InvalidError.
// An empty ID and Recorded are fine, Log sets them. Required are the tenant, the action, the
// verb, the actor's kind, the actor's ID unless it is anonymous, the code of an outcome that
// is not a success, and the type of each object.
func (e *Event) Validate() error {
	var c checker
	e.check(&c)
	return c.err()
}

func (e *Event) check(c *checker) {
	e.checkHead(c)
	e.checkActor(c)
	e.checkSubjects(c)
	e.checkContext(c)
}

func (e *Event) checkHead(c *checker) {
	if e.ID != "" && !isUUID(e.ID) {
		c.wrong("id")
	}
	c.required("tenant", string(e.Tenant), MaxID)
	c.required("action", string(e.Action), MaxName)
	if e.Action != "" && !isCode(string(e.Action)) {
		c.wrong("action")
	}
	c.required("verb", string(e.Verb), 1)
	if e.Verb != "" && !slices.Contains([]Verb{Create, Read, Update, Delete, Execute}, e.Verb) {
		c.wrong("verb")
	}
	switch e.Outcome {
	case Success:
		c.text("code", e.Code, MaxName)
	case MinorFailure, Failure, MajorFailure:
		c.required("code", e.Code, MaxName)
	default:
		c.wrong("outcome")
	}
	c.time("recorded", e.Recorded)
	c.time("occurred", e.Occurred.Start)
	c.time("occurred", e.Occurred.End)
	if end := e.Occurred.End; !end.IsZero() && (e.Occurred.Start.IsZero() || end.Before(e.Occurred.Start)) {
		c.wrong("occurred")
	}
	if e.Clock.ErrMicros < 0 || e.Clock.ErrMicros > maxInt || !e.Clock.Known && e.Clock != (Clock{}) {
		c.wrong("clock")
	}
}

func (e *Event) checkActor(c *checker) {
	a := &e.Actor
	switch {
	case a.Kind == "":
		c.missing("actor.kind")
	case !a.Kind.Valid():
		c.wrong("actor.kind")
	}
	if a.Kind == KindAnonymous {
		c.text("actor.id", string(a.ID), MaxID)
	} else {
		c.required("actor.id", string(a.ID), MaxID)
	}
	c.text("actor.tenant", string(a.Tenant), MaxID)
	c.text("actor.on_behalf_of", string(a.OnBehalfOf), MaxID)
	c.text("actor.session", a.Session, MaxID)
	c.text("actor.device", a.Device, MaxText)
	c.text("actor.emergency", a.Emergency, MaxID)
	c.text("actor.organization", a.Organization, MaxID)
	c.list("actor.methods", a.Methods, MaxList, MaxName)
	c.list("actor.roles", a.Roles, MaxList, MaxName)
	c.time("actor.auth_time", a.AuthTime)
	if a.Assurance > AAL3 {
		c.wrong("actor.assurance")
	}
}

func (e *Event) checkSubjects(c *checker) {
	if len(e.Patients) > MaxPatients {
		c.wrong("patients")
	}
	for _, p := range e.Patients {
		c.required("patients", string(p), MaxID)
	}
	if len(e.Objects) > MaxObjects {
		c.wrong("objects")
	}
	for i := range e.Objects {
		c.object(&e.Objects[i])
	}
	if len(e.Changes) > MaxList {
		c.wrong("changes")
	}
	for _, ch := range e.Changes {
		c.required("changes.field", ch.Field, MaxName)
		if len(ch.Before) > 64 || len(ch.After) > 64 {
			c.wrong("changes")
		}
	}
}

func (e *Event) checkContext(c *checker) {
	c.text("client.app", e.Client.App, MaxText)
	c.text("client.location", e.Client.Location, MaxText)
	c.text("server.id", e.Server.ID, MaxID)
	c.text("server.site", e.Server.Site, MaxID)
	c.text("server.version", e.Server.Version, MaxID)
	c.text("purpose", e.Purpose, MaxName)
	c.text("correlation.request", e.Correlation.Request, MaxID)
	c.text("correlation.trace", e.Correlation.Trace, MaxID)
	c.text("decision.rule", e.Decision.Rule, MaxID)
	c.text("decision.scope", e.Decision.Scope, MaxID)
	c.text("decision.grant", e.Decision.Grant, MaxID)
	c.text("decision.policy", e.Decision.Policy, MaxID)
	c.text("decision.mask", e.Decision.Mask, MaxID)
	for i := range slots {
		if p := e.slot(i); p != nil {
			c.private(slotField(i), p)
		}
	}
	if d := e.Disclosure; d != nil {
		c.text("disclosure.description", d.Description, MaxText)
		c.text("disclosure.authority", d.Authority, MaxID)
		c.text("disclosure.frequency", d.Frequency, MaxText)
		c.time("disclosure.last", d.Last)
		if d.Count < 0 || int64(d.Count) > maxInt {
			c.wrong("disclosure.count")
		}
		if d.Recipient.IsZero() {
			c.missing("disclosure.recipient")
		}
		if d.Description == "" {
			c.missing("disclosure.description")
		}
	}
	if len(e.Detail) > MaxList {
		c.wrong("detail")
	}
	for k, v := range e.Detail {
		if !isCode(k) || len(k) > MaxName {
			c.wrong("detail")
		}
		c.text("detail", v, MaxText)
	}
}

// maxInt is the largest integer that every JSON reader keeps exactly (RFC 8259, section 6).
const maxInt = 1<<53 - 1

// checker collects complaints, each field once.
type checker struct{ bad InvalidError }

func (c *checker) err() error {
	if len(c.bad.Missing)+len(c.bad.Wrong) == 0 {
		return nil
	}
	bad := c.bad // only a bad event costs an allocation
	return &bad
}

func (c *checker) missing(field string) {
	if !slices.Contains(c.bad.Missing, field) {
		c.bad.Missing = append(c.bad.Missing, field)
	}
}

func (c *checker) wrong(field string) {
	if !slices.Contains(c.bad.Wrong, field) {
		c.bad.Wrong = append(c.bad.Wrong, field)
	}
}

func (c *checker) text(field, s string, limit int) {
	if !clean(s, limit) {
		c.wrong(field)
	}
}

func (c *checker) required(field, s string, limit int) {
	if s == "" {
		c.missing(field)
	}
	c.text(field, s, limit)
}

func (c *checker) list(field string, list []string, count, limit int) {
	if len(list) > count {
		c.wrong(field)
	}
	for _, s := range list {
		c.required(field, s, limit)
	}
}

func (c *checker) object(o *Object) {
	c.required("objects.type", o.Type, MaxName)
	c.text("objects.id", o.ID, MaxID)
	c.text("objects.version", o.Version, MaxID)
	c.text("objects.category", o.Category, MaxName)
	c.text("objects.origin", o.Origin, MaxID)
	c.list("objects.labels", o.Labels, MaxList, MaxName)
	c.list("objects.fields", o.Fields, MaxFields, MaxName)
}

func (c *checker) private(field string, p *Private) {
	if v, ok := p.Reveal(); ok && len(v) > MaxPrivate {
		c.wrong(field)
	}
	if p.commitment != nil && len(p.commitment) != sha256.Size {
		c.wrong(field)
	}
}

// time asks for a year of four digits.
func (c *checker) time(field string, t time.Time) {
	if y := t.UTC().Year(); y < 1 || y > 9999 {
		c.wrong(field)
	}
}

// clean reports whether s is short enough and well-formed UTF-8 without control characters.
func clean(s string, limit int) bool {
	if len(s) > limit {
		return false
	}
	for i := range len(s) {
		switch b := s[i]; {
		case b < ' ' || b == 0x7f:
			return false
		case b >= utf8.RuneSelf:
			return utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
		}
	}
	return true
}

// isCode reports whether s consists of ASCII letters, digits, dots, dashes and underscores.
func isCode(s string) bool {
	for _, b := range []byte(s) {
		switch {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', b == '.', b == '-', b == '_':
		default:
			return false
		}
	}
	return s != ""
}

// isUUID reports whether s is a UUID in lower-case form (RFC 9562, section 4).
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, b := range []byte(s) {
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if b != '-' {
				return false
			}
		case '0' <= b && b <= '9', 'a' <= b && b <= 'f':
		default:
			return false
		}
	}
	return true
}

// FitID returns s if an event can hold it as an identifier. Otherwise it returns a stand-in: a
// readable rest of s, a tilde and a hash of s, so that two different texts stay different.
// Use it for what a stranger can choose, such as an ID from a URL, so that hostile bytes do
// not keep an attempt out of the log.
func FitID(s string) string {
	if clean(s, MaxID) {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	var rest strings.Builder
	for _, r := range s {
		if rest.Len() >= MaxName {
			break
		}
		if r == utf8.RuneError || unicode.IsControl(r) {
			r = '_'
		}
		rest.WriteRune(r)
	}
	return rest.String() + "~" + hex.EncodeToString(sum[:16])
}
