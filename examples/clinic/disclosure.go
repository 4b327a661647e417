package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// authority is a ground on which records leave the clinic without the patient having agreed, and
// which a patient may therefore ask about (45 CFR 164.528(a)(1)).
type authority struct {
	ID, Name string
	purpose  string // HL7 v3 ActReason
}

func authorities() []authority {
	return []authority{
		{"164.512(a)", "A law requires it", "HLEGAL"},
		{"164.512(b)", "Public health, such as a report of an infection", "PUBHLTH"},
		{"164.512(c)", "Abuse, neglect or violence at home", "HLEGAL"},
		{"164.512(d)", "Health oversight, such as a licensing board", "HOPERAT"},
		{"164.512(e)", "A court or a lawyer asked for it", "HLEGAL"},
		{"164.512(f)", "The police asked for it", "HLEGAL"},
		{"164.512(g)", "A coroner or funeral director", "HLEGAL"},
		{"164.512(h)", "Donation of organs or tissue", "DONAT"},
		{"164.512(i)", "Research", "HRESCH"},
		{"164.512(j)", "A serious threat to somebody", "THREAT"},
		{"164.512(k)", "Military and other work of the government", "HLEGAL"},
		{"164.512(l)", "Workers’ compensation", "HLEGAL"},
		{"164.402", "By mistake, or without permission", ""},
	}
}

// authorityWords are the words for a ground, its paragraph where there are none.
func authorityWords(id string) string {
	for _, a := range authorities() {
		if a.ID == id {
			return a.Name
		}
	}
	return id
}

// disclosable are the kinds of record that can leave the clinic: a brief description is made of
// them, so that nobody types what should not be in the log.
func disclosable() []recordKind {
	return slices.DeleteFunc(recordKinds(), func(k recordKind) bool {
		return !slices.Contains([]rbac.Category{rbac.Demographics, rbac.Identifiers, rbac.Notes, rbac.Documents, rbac.Forms, rbac.Billing}, k.category)
	})
}

// typedDisclosure is the form of a disclosure.
type typedDisclosure struct {
	Day, Last, Count, Frequency string
	Recipient, Address          string
	Authority, Held             string
	What                        []string
}

// Has reports whether a box is ticked.
func (t typedDisclosure) Has(kind string) bool { return slices.Contains(t.What, kind) }

func readDisclosure(r *http.Request) typedDisclosure {
	f := func(name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }
	return typedDisclosure{f("day"), f("last"), f("count"), f("frequency"), f("recipient"), f("address"), f("authority"), f("held"), r.PostForm["what"]}
}

// heldUntil is the detail of a disclosure that an agency asked not to tell the patient of, until the
// end of a day (45 CFR 164.528(a)(2)).
const heldUntil = "held_until"

// event is the disclosure as it goes on record, or what is wrong with the form, in words.
func (t typedDisclosure) event(patient string, now time.Time, zone *time.Location) (e audit.Event, problem string) {
	day, badDay := time.ParseInLocation(time.DateOnly, t.Day, zone)
	ground := slices.IndexFunc(authorities(), func(a authority) bool { return a.ID == t.Authority })
	var what []string
	for _, k := range disclosable() {
		if t.Has(string(k.category)) {
			what = append(what, k.name)
		}
	}
	d := audit.Disclosure{Recipient: audit.NewPrivate(t.Recipient), Address: audit.NewPrivate(t.Address), Description: strings.Join(what, "; "), Authority: t.Authority, Frequency: t.Frequency}
	switch {
	case badDay != nil || day.After(now) || day.Before(now.AddDate(-50, 0, 0)):
		return e, "the day is missing, or lies in the future"
	case t.Recipient == "" || len(t.Recipient) > 200 || len(t.Address) > 300 || len(t.Frequency) > 100:
		return e, "say who got it, in at most 200 characters"
	case strings.ContainsFunc(t.Recipient+t.Address+t.Frequency, func(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }):
		return e, "there is a character that cannot be kept"
	case ground < 0:
		return e, "choose why it was given"
	case len(what) == 0:
		return e, "tick what was given"
	case !t.series(&d, day, now, zone):
		return e, "a series has a last day, not before the first and not in the future, and says how many there were"
	}
	e = recordEvent(actionDisclosed, audit.Execute, patient, audit.Object{Type: "patient", ID: patient, Category: string(rbac.Exports)})
	e.Occurred, e.Purpose, e.Disclosure = audit.Period{Start: day.UTC(), End: day.AddDate(0, 0, 1).UTC()}, authorities()[ground].purpose, &d
	if t.Held != "" {
		held, err := time.ParseInLocation(time.DateOnly, t.Held, zone)
		if err != nil || !held.After(now) || held.After(now.AddDate(5, 0, 0)) {
			return e, "the day until which an agency asked not to tell the patient lies in the future"
		}
		e.Detail = map[string]string{heldUntil: t.Held}
	}
	return e, ""
}

// series fills in what belongs to several disclosures of one kind (164.528(b)(3)).
func (t typedDisclosure) series(d *audit.Disclosure, day, now time.Time, zone *time.Location) bool {
	if t.Last == "" && t.Count == "" {
		return true
	}
	last, err := time.ParseInLocation(time.DateOnly, t.Last, zone)
	n, bad := strconv.Atoi(t.Count)
	if err != nil || bad != nil || n < 2 || n > 100_000 || last.Before(day) || last.After(now) {
		return false
	}
	d.Last, d.Count = last.UTC(), n
	return true
}

// heldBack tells which disclosures the patient is not told of now, and counts them. A date that
// cannot be read holds back for ever: telling cannot be undone.
func (a *app) heldBack(count *int) func(context.Context, audit.Event) (bool, error) {
	return func(_ context.Context, e audit.Event) (bool, error) {
		text := e.Detail[heldUntil]
		if text == "" {
			return false, nil
		}
		day, err := time.ParseInLocation(time.DateOnly, text, a.config.zone)
		held := err != nil || time.Now().Before(day.AddDate(0, 0, 1))
		if held {
			*count++
		}
		return held, nil
	}
}

// recordDisclosure writes down that something about a patient left the clinic.
func (a *app) recordDisclosure(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	if !a.form(w, r) {
		return
	}
	typed, p := readDisclosure(r), g.Resource()
	e, problem := typed.event(p.ID, time.Now(), a.config.zone)
	if problem != "" {
		a.showAccounting(w, r, http.StatusUnprocessableEntity, p, view{Problem: "Please check what you typed: " + problem + "."}, typed)
		return
	}
	switch err := a.log.Record(r.Context(), e); {
	case errors.Is(err, audit.ErrInvalid):
		a.showAccounting(w, r, http.StatusUnprocessableEntity, p, view{Problem: "Please check what you typed: there is a character that cannot be kept."}, typed)
	case err != nil:
		a.fail(w, r, http.StatusServiceUnavailable)
	default:
		http.Redirect(w, r, "/patients/"+p.ID+"/disclosures?done=disclosed", http.StatusSeeOther)
	}
}
