// Package exporttest makes audit events of all kinds, for tests of a host's own export.Encoder.
//
//	for name, e := range exporttest.Shapes() {
//		entry, err := exporttest.Entry(e, 12)
//		line, err := myEncoder{}.Append(nil, &entry)
//	}
//
// It protects nothing: no private value that it makes is anybody's. What the host still does is to
// check what its encoder wrote. Compatibility: the events may become more and may change.
package exporttest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Tenant is the tenant of all of them.
const Tenant audit.Tenant = "clinic-17"

// Noon is when they were recorded.
func Noon() time.Time { return time.Date(2026, 5, 4, 12, 0, 0, 123456000, time.UTC) }

// Entry returns what a log makes of an event: its place, its canonical bytes with commitments to
// private values, and its leaf hash.
func Entry(e audit.Event, index int64) (audit.Entry, error) {
	log, err := audit.New(audit.NewMemory(), audit.DropOpenings{}, &audit.Options{Now: Noon})
	if err != nil {
		return audit.Entry{}, err
	}
	all, err := log.Prepare(context.Background(), e)
	if err != nil {
		return audit.Entry{}, err
	}
	all[0].Index = index
	return all[0], nil
}

// Full is an event in which everything is said, each text another one.
func Full() audit.Event {
	at := Noon()
	return audit.Event{
		ID: "0193a5c0-7c4f-7abc-8def-000000000001", Tenant: Tenant,
		Occurred: audit.Period{Start: at.Add(-time.Hour), End: at.Add(-time.Minute)}, Clock: audit.Clock{Known: true, Synced: true, ErrMicros: 850},
		Action: "chart.read", Verb: audit.Read, Code: "fine",
		Actor: audit.Actor{
			ID: "u-9", Kind: audit.KindAgent, Tenant: "platform-3", OnBehalfOf: "u-8", Session: "s-7", AuthTime: at.Add(-2 * time.Hour),
			Methods: []string{"pwd", "hwk"}, Assurance: audit.AAL2, PhishingResistant: true, Origin: netip.MustParseAddr("192.0.2.77"),
			Device: "Firefox on Windows", Emergency: "em-6", Organization: "org-5", Roles: []string{"clinician", "on call"},
		},
		Client: audit.Client{App: "web", Location: "ward 4"}, Server: audit.Server{ID: "api-3", Site: "us-east", Version: "1.42"},
		Patients: []audit.Patient{"p-1234"},
		Objects: []audit.Object{
			{Type: "observation", ID: "o-77", Version: "v3", Category: "results", Labels: []string{"42CFR2", "very private"}, Origin: "lab-acme", Fields: []string{"value", "unit"}},
			{Type: "note", ID: "n-78"},
		},
		Search: audit.NewPrivate("secret search"), Purpose: "TREAT", Why: audit.NewPrivate("secret reason"),
		Correlation: audit.Correlation{Request: "req-11", Trace: "tr-12"},
		Decision:    audit.Decision{Rule: "rule-13", Scope: "scope-14", Grant: "grant-15", Policy: "policy-16", Mask: "mask-17"},
		Changes:     []audit.Change{{Field: "phone", Before: []byte("before-18"), After: []byte("after-19")}},
		Detail:      map[string]string{"step": "detail-20", "channel": "detail-21"},
	}
}

// Shapes are events of every kind that formats tell apart.
func Shapes() map[string]audit.Event {
	all := map[string]audit.Event{}
	add := func(name string, change func(*audit.Event)) {
		e := audit.Event{
			ID: "0193a5c0-7c4f-7abc-8def-000000000002", Tenant: Tenant, Action: "note.read", Verb: audit.Read, Purpose: "TREAT",
			Actor:    audit.Actor{ID: "u-1", Kind: audit.KindStaff, Tenant: Tenant, Session: "s-1", Origin: netip.MustParseAddr("192.0.2.77")},
			Patients: []audit.Patient{"p-1"}, Objects: []audit.Object{{Type: "note", ID: "n-1"}}, Client: audit.Client{App: "web"}, Server: audit.Server{ID: "api-1"},
			Correlation: audit.Correlation{Request: "req-1"},
		}
		change(&e)
		all[name] = e
	}
	for verb, name := range map[audit.Verb]string{audit.Create: "create", audit.Read: "read", audit.Update: "update", audit.Delete: "delete", audit.Execute: "execute"} {
		add(name, func(e *audit.Event) { e.Verb = verb })
		add(name+" without patient", func(e *audit.Event) { e.Verb, e.Patients = verb, nil })
		add(name+" without object", func(e *audit.Event) { e.Verb, e.Objects = verb, nil })
		add(name+" of nothing", func(e *audit.Event) { e.Verb, e.Objects, e.Patients = verb, nil, nil })
		add(name+" denied", func(e *audit.Event) { e.Verb, e.Outcome, e.Code = verb, audit.Failure, "denied" })
		add(name+" of several patients", func(e *audit.Event) { e.Verb, e.Patients = verb, []audit.Patient{"p-1", "p-2", "p-1", "p-3"} })
		add(name+" of several objects", func(e *audit.Event) {
			e.Verb, e.Objects = verb, append(e.Objects, audit.Object{Type: "note", ID: "n-2"}, audit.Object{Type: "task"})
		})
		add(name+" in an emergency", func(e *audit.Event) { e.Verb, e.Actor.Emergency = verb, "em-1" })
		add(name+" by nobody", func(e *audit.Event) {
			e.Verb, e.Actor, e.Client, e.Server = verb, audit.Anonymous(Tenant, netip.Addr{}), audit.Client{}, audit.Server{}
		})
	}
	search := func(e *audit.Event) {
		e.Verb, e.Search, e.Action = audit.Execute, audit.NewPrivate("secret search"), "note.search"
	}
	add("search", search)
	add("search without patient", func(e *audit.Event) { search(e); e.Patients = nil })
	add("search that finds several", func(e *audit.Event) { search(e); e.Patients = []audit.Patient{"p-1", "p-2"} })
	add("disclosure", func(e *audit.Event) {
		e.Action = "record.disclose"
		e.Disclosure = &audit.Disclosure{Recipient: audit.NewPrivate("secret recipient"), Address: audit.NewPrivate("secret address"), Description: "a test result", Authority: "164.512(b)", Count: 2, Frequency: "monthly", Last: Noon()}
	})
	add("disclosure as an update", func(e *audit.Event) {
		e.Verb, e.Disclosure, e.Objects = audit.Update, &audit.Disclosure{Recipient: audit.NewPrivate("secret recipient"), Description: "all"}, nil
	})
	add("disclosure denied", func(e *audit.Event) {
		e.Outcome, e.Code, e.Disclosure = audit.Failure, "denied", &audit.Disclosure{Recipient: audit.NewPrivate("secret recipient"), Description: "all"}
	})
	for _, a := range []audit.Action{"authn.sign_in", "authn.step", "session.end", audit.ActionRead, audit.ActionEnabled, audit.ActionPrivilegeChanged, audit.ActionExportCreated} {
		add(string(a), func(e *audit.Event) { e.Action, e.Verb, e.Patients, e.Objects = a, audit.Execute, nil, nil })
	}
	all["full"] = Full()
	return all
}

// Random returns a valid event that depends on the seed alone.
func Random(seed1, seed2 uint64) audit.Event {
	r := rand.New(rand.NewPCG(seed1, seed2))
	alphabet := []rune(`abcXYZ019 ."\/{}[]:,<>&'%+=-_|é日 🙂`)
	text := func(most int) string {
		var b []rune
		for range r.IntN(most) {
			b = append(b, alphabet[r.IntN(len(alphabet))])
		}
		return string(b)
	}
	word := func(most int) string { return "w" + text(most) }
	words := func() (all []string) {
		for range r.IntN(3) {
			all = append(all, word(9))
		}
		return all
	}
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	e := audit.Event{
		ID: fmt.Sprintf("%08x-0000-7000-8000-%012x", r.Uint32(), r.Uint32()), Tenant: audit.Tenant(word(9)),
		Action: audit.Action(pick("note.read", "authn.sign_in", "authn.step", "audit.read", "rbac.grant", "export.created", "x")), Verb: audit.Verb(pick("C", "R", "U", "D", "E")),
		Outcome: audit.Outcome(4 * r.IntN(4)), Code: word(5), Purpose: pick("", "TREAT", text(9)), Search: audit.NewPrivate(text(9)), Why: audit.NewPrivate(text(9)),
		Actor: audit.Actor{
			ID: audit.ActorID(word(9)), Kind: audit.Kind(pick("staff", "patient", "service", "agent", "system")), OnBehalfOf: audit.ActorID(text(5)), Session: text(9),
			Methods: words(), Roles: words(), Device: text(9), Emergency: pick("", "", text(4)), Organization: text(5), Assurance: audit.Assurance(r.IntN(4)),
		},
		Client: audit.Client{App: text(5), Location: text(5)}, Server: audit.Server{ID: text(5), Site: text(5), Version: text(5)},
		Correlation: audit.Correlation{Request: text(9), Trace: text(9)}, Decision: audit.Decision{Rule: text(9), Grant: text(9)},
	}
	if r.IntN(8) == 0 {
		e.Actor = audit.Anonymous(e.Tenant, netip.Addr{})
	}
	if r.IntN(2) == 0 {
		e.Actor.Origin = netip.AddrFrom4([4]byte{192, 0, 2, byte(r.IntN(256))})
	}
	for range r.IntN(4) {
		e.Patients = append(e.Patients, audit.Patient(word(4)))
	}
	for range r.IntN(4) {
		e.Objects = append(e.Objects, audit.Object{Type: pick("patient", word(5)), ID: text(5), Version: text(3), Category: text(5), Labels: words(), Origin: text(4), Fields: words()})
	}
	if r.IntN(4) == 0 {
		e.Disclosure = &audit.Disclosure{Recipient: audit.NewPrivate(word(9)), Address: audit.NewPrivate(text(9)), Description: word(9), Count: r.IntN(3)}
	}
	if r.IntN(3) == 0 {
		e.Detail = map[string]string{"k": text(9), "key.2": text(9)}
		e.Changes = []audit.Change{{Field: word(4), Before: []byte(text(4)), After: []byte(text(4))}}
	}
	return e
}
