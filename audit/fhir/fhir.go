package fhir

import (
	"slices"
	"strconv"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/export"
	"github.com/wardkit/wardkit/audit/internal/wire"
)

// Extensions of the lines.
const (
	// LogEntryURL is a complex extension of the resource: "tenant", "index" (decimal), "leaf"
	// (base64, 32 bytes) and, where an event has several lines, "part" as "2/3".
	LogEntryURL = "https://github.com/wardkit/wardkit/fhir/log-entry"
	// CommitmentURL is an extension in the place of a private value: SHA-256(salt ‖ value), base64.
	CommitmentURL = "https://github.com/wardkit/wardkit/fhir/commitment"
)

// maxPairs is how many pairs of patient and object one event may become.
const maxPairs = 4096

// AuditEvents is the export.Encoder.
type AuditEvents struct{}

var _ export.Encoder = AuditEvents{}

// Name implements export.Encoder.
func (AuditEvents) Name() string { return "fhir-r4-auditevent" }

// Begin implements export.Encoder.
func (AuditEvents) Begin(dst []byte) []byte { return dst }

// Append implements export.Encoder. An event whose bytes are not canonical: audit.ErrDamaged.
func (AuditEvents) Append(dst []byte, entry *audit.Entry) ([]byte, error) {
	e, err := audit.Decode(entry.Body)
	if err != nil {
		return dst, err
	}
	r := resource{Writer: &wire.Writer{B: dst}, e: &e, entry: entry, parts: 1}
	patients := once(e.Patients)
	if len(patients) < 2 || len(patients)*len(e.Objects) > maxPairs {
		r.patients, r.objects = patients, e.Objects
		r.write()
		return r.B, nil
	}
	r.parts = len(patients)
	for i, p := range patients {
		r.part, r.patients = i+1, patients[i:i+1]
		r.objects = slices.DeleteFunc(slices.Clone(e.Objects), func(o audit.Object) bool {
			return o.Type == patientType && o.ID != string(p) && slices.Contains(patients, audit.Patient(o.ID))
		})
		r.write()
	}
	return r.B, nil
}

// patientType is the type of objects that are patients themselves.
const patientType = "patient"

func once(list []audit.Patient) []audit.Patient {
	for i, p := range list {
		if slices.Contains(list[:i], p) {
			return once(slices.Delete(slices.Clone(list), i, i+1))
		}
	}
	return list
}

// resource is one line on its way.
type resource struct {
	*wire.Writer
	e        *audit.Event
	entry    *audit.Entry
	patients []audit.Patient
	objects  []audit.Object
	part     int // from 1; 0 where there is one line only
	parts    int
	shape    shape
}

func (r *resource) write() {
	e := r.e
	r.shape = shapeOf(e, len(r.patients), len(r.objects))
	r.Root()
	r.Raw(`"resourceType":"AuditEvent","id":"`, e.ID)
	if r.parts > 1 {
		r.B = strconv.AppendInt(append(r.B, '.'), int64(r.part), 10)
	}
	r.B = append(r.B, '"')
	if r.shape.profile != "" {
		r.Raw(`"meta":{"profile":["`, profileBase, r.shape.profile, `"]}`)
	}
	r.logEntry()
	r.Raw(`"type":{"system":"`, r.shape.kind.system, `","code":"`, r.shape.kind.code, `"}`)
	r.List("subtype")
	for _, c := range r.shape.subtypes {
		if c != (coding{}) {
			r.coding(c)
		}
	}
	r.coding(coding{actionSystem, string(e.Action)}) // an action needs no escape
	r.EndList()
	r.Str("action", string(r.shape.verb))
	if !e.Occurred.Start.IsZero() {
		r.Begin("period")
		r.Time("start", e.Occurred.Start)
		r.Time("end", e.Occurred.End)
		r.End()
	}
	r.Time("recorded", e.Recorded)
	r.Str("outcome", strconv.Itoa(int(e.Outcome)))
	r.Str("outcomeDesc", e.Code)
	r.purpose()
	r.agents()
	r.source()
	r.entities()
	r.End()
	r.B = append(r.B, '\n')
}

// logEntry ties the line to the log.
func (r *resource) logEntry() {
	r.Raw(`"extension":[{"url":"`, LogEntryURL, `","extension":[{"url":"tenant"`)
	r.Str("valueString", string(r.e.Tenant))
	r.B = append(r.B, `},{"url":"index","valueString":"`...)
	r.B = strconv.AppendInt(r.B, r.entry.Index, 10)
	r.B = append(r.B, `"},{"url":"leaf"`...)
	r.Bytes("valueBase64Binary", r.entry.Leaf[:])
	if r.parts > 1 {
		r.B = append(r.B, `},{"url":"part"`...)
		r.Str("valueString", strconv.Itoa(r.part)+"/"+strconv.Itoa(r.parts))
	}
	r.B = append(r.B, "}]}]"...)
}
