package audit

import (
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"time"
)

// Version is the version of the encoding that Encode writes. Older versions stay readable and
// verifiable for ever.
const Version = 1

// Encode returns the canonical bytes of an event: JSON with sorted keys, without white space,
// floats, nulls and absent fields, times in UTC with exactly six decimals. They are also
// canonical in the sense of RFC 8785. Log stores, hashes and exports exactly these bytes.
//
// Private values enter as {"$c": base64(SHA-256(salt ‖ value))}. Encode takes events whose
// private values are commitments already, such as Decode returns; a private value without
// one makes the event invalid.
func Encode(e Event) ([]byte, error) {
	if err := e.checkEncodable(); err != nil {
		return nil, err
	}
	b, err := encode(make([]byte, 0, usualSize), &e)
	if err != nil {
		return nil, err
	}
	return b[1:], nil
}

// checkEncodable is Validate for an event that must be complete.
func (e *Event) checkEncodable() error {
	c := &checker{}
	e.check(c)
	c.required("id", e.ID, 36)
	if e.Recorded.IsZero() {
		c.missing("recorded")
	}
	for i := range slots {
		if p := e.slot(i); p != nil && p.value != nil && p.commitment == nil {
			c.wrong(slotField(i))
		}
	}
	if e.Actor.Origin.IsValid() && e.origin.commitment == nil {
		c.wrong("actor.origin")
	}
	return c.err()
}

// usualSize is room for most events.
const usualSize = 768

// encode writes a zero byte and version 1, which together are what the leaf hashes, behind an
// empty slice, and refuses what is larger than MaxBody.
func encode(room []byte, e *Event) ([]byte, error) {
	w := writer{room}
	w.b = append(w.b, 0, '{')
	w.act(e)
	w.changes(e.Changes)
	w.client(e)
	w.clock(e.Clock)
	w.context(e)
	w.disclosure(e.Disclosure)
	w.str("id", e.ID)
	w.objects(e.Objects)
	w.occurred(e.Occurred)
	w.outcome(e)
	w.list("pat", len(e.Patients), func(i int) string { return string(e.Patients[i]) })
	w.str("pou", e.Purpose)
	w.private("qry", e.Search)
	w.time("rec", e.Recorded)
	w.server(e.Server)
	w.str("ten", string(e.Tenant))
	w.num("v", Version)
	w.actor(&e.Actor, e.Tenant)
	w.private("why", e.Why)
	w.b = append(w.b, '}')
	if len(w.b) > 1+MaxBody {
		return nil, &InvalidError{Wrong: []string{"size"}}
	}
	return w.b, nil
}

// writer appends canonical JSON. Keys have to be written in order; empty values are left out.
type writer struct{ b []byte }

func (w *writer) act(e *Event) {
	at := w.begin("act")
	w.str("c", string(e.Verb))
	w.str("v", string(e.Action))
	w.end(at)
}

func (w *writer) changes(changes []Change) {
	if len(changes) == 0 {
		return
	}
	w.beginList("chg")
	for _, c := range changes {
		w.item()
		w.b = append(w.b, '{')
		w.bytes("a", c.After)
		w.bytes("b", c.Before)
		w.str("f", c.Field)
		w.b = append(w.b, '}')
	}
	w.b = append(w.b, ']')
}

func (w *writer) client(e *Event) {
	at := w.begin("cli")
	w.str("app", e.Client.App)
	w.str("dev", e.Actor.Device)
	w.private("ip", e.origin)
	w.str("loc", e.Client.Location)
	w.end(at)
}

func (w *writer) clock(c Clock) {
	if !c.Known {
		return
	}
	at := w.begin("clk")
	w.num("err_us", c.ErrMicros)
	w.bool("sync", c.Synced)
	w.end(at)
}

// context writes the correlation, the decision and the details.
func (w *writer) context(e *Event) {
	at := w.begin("cor")
	w.str("req", e.Correlation.Request)
	w.str("tr", e.Correlation.Trace)
	w.end(at)
	at = w.begin("dec")
	w.str("grant", e.Decision.Grant)
	w.str("mask", e.Decision.Mask)
	w.str("policy", e.Decision.Policy)
	w.str("rule", e.Decision.Rule)
	w.str("scope", e.Decision.Scope)
	w.end(at)
	if len(e.Detail) == 0 {
		return
	}
	at = w.begin("det")
	for _, k := range slices.Sorted(maps.Keys(e.Detail)) {
		w.key(k)
		w.value(e.Detail[k])
	}
	w.end(at)
}

func (w *writer) disclosure(d *Disclosure) {
	if d == nil {
		return
	}
	at := w.begin("dis")
	w.private("addr", d.Address)
	w.str("auth", d.Authority)
	w.str("desc", d.Description)
	w.str("freq", d.Frequency)
	w.time("last", d.Last)
	if d.Count != 0 {
		w.num("n", int64(d.Count))
	}
	w.private("to", d.Recipient)
	w.end(at)
}

func (w *writer) objects(objects []Object) {
	if len(objects) == 0 {
		return
	}
	w.beginList("obj")
	for i := range objects {
		o := &objects[i]
		w.item()
		w.b = append(w.b, '{')
		w.str("cat", o.Category)
		w.strings("fld", o.Fields)
		w.str("id", o.ID)
		w.strings("lbl", o.Labels)
		w.str("org", o.Origin)
		w.str("t", o.Type)
		w.str("ver", o.Version)
		w.b = append(w.b, '}')
	}
	w.b = append(w.b, ']')
}

func (w *writer) occurred(p Period) {
	at := w.begin("occ")
	w.time("e", p.End)
	w.time("s", p.Start)
	w.end(at)
}

func (w *writer) outcome(e *Event) {
	at := w.begin("out")
	w.num("c", int64(e.Outcome))
	w.str("why", e.Code)
	w.end(at)
}

func (w *writer) server(s Server) {
	at := w.begin("srv")
	w.str("id", s.ID)
	w.str("site", s.Site)
	w.str("ver", s.Version)
	w.end(at)
}

// actor leaves out the actor's tenant where it is the event's.
func (w *writer) actor(a *Actor, tenant Tenant) {
	at := w.begin("who")
	if a.Assurance != AAL0 {
		w.num("aal", int64(a.Assurance))
	}
	w.time("at", a.AuthTime)
	w.str("em", a.Emergency)
	w.str("id", string(a.ID))
	w.str("k", string(a.Kind))
	w.strings("m", a.Methods)
	w.str("of", string(a.OnBehalfOf))
	w.str("org", a.Organization)
	if a.PhishingResistant {
		w.bool("phr", true)
	}
	w.strings("role", a.Roles)
	w.str("sess", a.Session)
	if a.Tenant != tenant {
		w.str("ten", string(a.Tenant))
	}
	w.end(at)
}

// begin opens an object; end closes it, or takes it back if nothing was written into it.
func (w *writer) begin(k string) int {
	at := len(w.b)
	w.key(k)
	w.b = append(w.b, '{')
	return at
}

func (w *writer) end(at int) {
	if w.b[len(w.b)-1] == '{' {
		w.b = w.b[:at]
		return
	}
	w.b = append(w.b, '}')
}

func (w *writer) beginList(k string) {
	w.key(k)
	w.b = append(w.b, '[')
}

// item writes the comma between two values.
func (w *writer) item() {
	if last := w.b[len(w.b)-1]; last != '{' && last != '[' {
		w.b = append(w.b, ',')
	}
}

func (w *writer) key(k string) {
	w.item()
	b := append(w.b, '"')
	b = append(b, k...)
	w.b = append(b, '"', ':')
}

func (w *writer) str(k, s string) {
	if s != "" {
		w.key(k)
		w.value(s)
	}
}

// value writes a string. Control characters were refused, so two escapes are all there is.
func (w *writer) value(s string) {
	b := append(w.b, '"')
	start := 0
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(append(b, s[start:i]...), '\\')
			start = i
		}
	}
	w.b = append(append(b, s[start:]...), '"')
}

func (w *writer) strings(k string, list []string) {
	w.list(k, len(list), func(i int) string { return list[i] })
}

func (w *writer) list(k string, n int, at func(int) string) {
	if n == 0 {
		return
	}
	w.beginList(k)
	for i := range n {
		w.item()
		w.value(at(i))
	}
	w.b = append(w.b, ']')
}

func (w *writer) num(k string, n int64) {
	w.key(k)
	w.b = strconv.AppendInt(w.b, n, 10)
}

func (w *writer) bool(k string, v bool) {
	w.key(k)
	w.b = strconv.AppendBool(w.b, v)
}

func (w *writer) bytes(k string, v []byte) {
	if len(v) > 0 {
		w.key(k)
		w.b = append(w.b, '"')
		w.b = base64.StdEncoding.AppendEncode(w.b, v)
		w.b = append(w.b, '"')
	}
}

func (w *writer) time(k string, t time.Time) {
	if !t.IsZero() {
		w.key(k)
		w.b = append(w.b, '"')
		w.b = appendTime(w.b, t.UTC())
		w.b = append(w.b, '"')
	}
}

// appendTime is AppendFormat of 2006-01-02T15:04:05.000000Z, at a third of its price, for years of
// four digits.
func appendTime(b []byte, t time.Time) []byte {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	b = append(digits(b, year, 4), '-')
	b = append(digits(b, int(month), 2), '-')
	b = append(digits(b, day, 2), 'T')
	b = append(digits(b, hour, 2), ':')
	b = append(digits(b, minute, 2), ':')
	b = append(digits(b, second, 2), '.')
	return append(digits(b, t.Nanosecond()/1000, 6), 'Z')
}

// digits appends n with exactly this many digits.
func digits(b []byte, n, width int) []byte {
	b = append(b, "000000"[:width]...)
	for i := len(b) - 1; n > 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return b
}

func (w *writer) private(k string, p Private) {
	if p.commitment != nil {
		w.key(k)
		w.b = append(w.b, `{"$c":"`...)
		w.b = base64.StdEncoding.AppendEncode(w.b, p.commitment)
		w.b = append(w.b, '"', '}')
	}
}
