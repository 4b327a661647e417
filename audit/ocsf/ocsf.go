package ocsf

import (
	"cmp"
	"encoding/base64"
	"maps"
	"slices"
	"strconv"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/export"
	"github.com/wardkit/wardkit/audit/internal/wire"
)

// Version is the version of the schema.
const Version = "1.2.0"

// Events is the export.Encoder. The zero value names wardkit as the product.
type Events struct {
	Product, Vendor string // metadata.product; texts without control characters
}

var _ export.Encoder = Events{}

// Name implements export.Encoder.
func (Events) Name() string { return "ocsf-1.2" }

// Begin implements export.Encoder.
func (Events) Begin(dst []byte) []byte { return dst }

// Classes and activities of OCSF.
const (
	classAuthentication = 3002
	classAPI            = 6003

	activityLogon  = 1
	activityLogoff = 2
	activityOther  = 99
)

// Append implements export.Encoder. An event whose bytes are not canonical: audit.ErrDamaged.
func (x Events) Append(dst []byte, entry *audit.Entry) ([]byte, error) {
	e, err := audit.Decode(entry.Body)
	if err != nil {
		return dst, err
	}
	l := line{Writer: &wire.Writer{B: dst}, e: &e, entry: entry}
	class, activity := kind(&e)
	l.Root()
	l.Int("class_uid", class)
	l.Int("category_uid", class/1000)
	l.Int("activity_id", activity)
	if activity == activityOther {
		l.Str("activity_name", string(e.Action))
	}
	l.Int("type_uid", class*100+activity)
	l.Int("time", e.Recorded.UnixMilli())
	l.outcome()
	l.metadata(x)
	l.actor(class)
	if class == classAPI {
		l.api()
	} else {
		l.authentication()
	}
	l.Begin("src_endpoint")
	l.Str("name", cmp.Or(e.Client.App, "unknown"))
	if e.Client.Location != "" {
		l.Str("zone", e.Client.Location)
	}
	l.End()
	l.unmapped()
	l.End()
	l.B = append(l.B, '\n')
	return l.B, nil
}

// kind returns the class and the activity.
func kind(e *audit.Event) (class, activity int64) {
	switch e.Action {
	case "authn.sign_in", "machine.enter", "machine.token":
		return classAuthentication, activityLogon
	case "authn.sign_out", "session.end":
		return classAuthentication, activityLogoff
	case "authn.step", "authn.reauthenticate", "mfa.verified", "mfa.failed", "mfa.replayed", "mfa.text_verified", "mfa.text_failed":
		return classAuthentication, activityOther
	}
	switch e.Verb {
	case audit.Create:
		return classAPI, 1
	case audit.Read:
		return classAPI, 2
	case audit.Update:
		return classAPI, 3
	case audit.Delete:
		return classAPI, 4
	}
	return classAPI, activityOther
}

type line struct {
	*wire.Writer
	e     *audit.Event
	entry *audit.Entry
}

// outcome writes status and severity: informational, low, medium and high for 0, 4, 8 and 12.
func (l *line) outcome() {
	l.Int("severity_id", 1+int64(l.e.Outcome)/4)
	if l.e.Outcome == audit.Success {
		l.Int("status_id", 1)
	} else {
		l.Int("status_id", 2)
	}
	l.Str("status_code", l.e.Code)
}

func (l *line) metadata(x Events) {
	l.Raw(`"metadata":{"version":"`, Version, `"`)
	l.Begin("product")
	l.Str("name", cmp.Or(x.Product, "wardkit"))
	l.Str("vendor_name", cmp.Or(x.Vendor, x.Product, "wardkit"))
	l.Str("version", l.e.Server.Version)
	l.End()
	l.Str("uid", l.e.ID)
	l.Int("sequence", l.entry.Index)
	l.Str("log_name", "audit")
	l.Str("event_code", string(l.e.Action))
	l.Str("tenant_uid", string(l.e.Tenant))
	l.Str("correlation_uid", l.e.Correlation.Request)
	l.Str("log_provider", l.e.Server.ID)
	l.End()
}

// actor writes who acts; where it is a sign-in, also as the user.
func (l *line) actor(class int64) {
	l.Begin("actor")
	l.user()
	if l.e.Actor.Session != "" {
		l.Begin("session")
		l.Str("uid", l.e.Actor.Session)
		l.End()
	}
	l.Str("invoked_by", string(l.e.Actor.OnBehalfOf))
	l.End()
	if class == classAuthentication {
		l.user()
	}
}

// user types: 1 is a person, 3 the system, 0 unknown.
func (l *line) user() {
	a := &l.e.Actor
	l.Begin("user")
	if a.ID != "" {
		l.Str("uid", string(a.ID))
	} else {
		l.Str("name", "anonymous")
	}
	switch a.Kind {
	case audit.KindStaff, audit.KindPatient, audit.KindProxy:
		l.Int("type_id", 1)
	case audit.KindService, audit.KindAgent, audit.KindSystem:
		l.Int("type_id", 3)
	default:
		l.Int("type_id", 0)
	}
	if a.Organization != "" {
		l.Begin("org")
		l.Str("uid", a.Organization)
		l.End()
	}
	if len(a.Roles) > 0 {
		l.List("groups")
		for _, r := range a.Roles {
			l.Object()
			l.Str("name", r)
			l.End()
		}
		l.EndList()
	}
	l.End()
}

func (l *line) authentication() {
	e := l.e
	l.Begin("service")
	l.Str("name", cmp.Or(e.Server.ID, "unknown"))
	l.End()
	if e.Actor.Assurance >= audit.AAL2 {
		l.Bool("is_mfa", true)
	}
}

// patientType is the type of objects that are patients themselves.
const patientType = "patient"

// api writes the operation and, as resources, patients and objects. A patient who is an object, too, is
// one resource: the object, which says more.
func (l *line) api() {
	e := l.e
	l.Begin("api")
	l.Str("operation", string(e.Action))
	if e.Correlation.Request != "" {
		l.Begin("request")
		l.Str("uid", e.Correlation.Request)
		l.End()
	}
	if e.Server.ID != "" {
		l.Begin("service")
		l.Str("name", e.Server.ID)
		l.End()
	}
	l.End()
	if len(e.Patients)+len(e.Objects) == 0 {
		return
	}
	l.List("resources")
	for i, p := range e.Patients {
		if slices.Contains(e.Patients[:i], p) || slices.ContainsFunc(e.Objects, func(o audit.Object) bool { return o.Type == patientType && o.ID == string(p) }) {
			continue
		}
		l.Object()
		l.Str("type", patientType)
		l.Str("uid", string(p))
		l.End()
	}
	for i := range e.Objects {
		o := &e.Objects[i]
		l.Object()
		l.Str("type", o.Type)
		l.Str("uid", o.ID)
		l.Str("version", o.Version)
		if len(o.Labels) > 0 {
			l.List("labels")
			for _, label := range o.Labels {
				l.Value(label)
			}
			l.EndList()
		}
		l.End()
	}
	l.EndList()
}

// unmapped is what a detection may want and the schema has no place for.
func (l *line) unmapped() {
	e := l.e
	l.Begin("unmapped")
	l.Str("leaf", base64.StdEncoding.EncodeToString(l.entry.Leaf[:]))
	l.Str("verb", string(e.Verb))
	l.Str("actor_kind", string(e.Actor.Kind))
	l.Str("emergency", e.Actor.Emergency)
	l.Str("purpose", e.Purpose)
	l.Str("device", e.Actor.Device)
	l.Str("rule", e.Decision.Rule)
	l.Str("scope", e.Decision.Scope)
	l.Str("grant", e.Decision.Grant)
	l.Str("trace", e.Correlation.Trace)
	if e.Actor.Assurance != audit.AAL0 {
		l.Str("assurance", strconv.Itoa(int(e.Actor.Assurance)))
	}
	if e.Disclosure != nil {
		l.Bool("disclosure", true)
	}
	if len(e.Detail) > 0 {
		l.Begin("detail")
		for _, k := range slices.Sorted(maps.Keys(e.Detail)) {
			l.Str(k, e.Detail[k])
		}
		l.End()
	}
	l.End()
}
