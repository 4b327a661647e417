package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/tlog"
	"github.com/wardkit/wardkit/rbac"
)

// provenEvent is the file that proves one event: its canonical bytes and what leads from them to a
// signed checkpoint (tlog.Proof.Check).
type provenEvent struct {
	Key   string     `json:"key"`   // the verifier key; compare it with the one you were given
	Event string     `json:"event"` // the canonical bytes, as text
	Proof tlog.Proof `json:"proof"`
}

// prove returns the proof of an event. tlog.ErrUncovered if no checkpoint covers it yet.
func (a *app) proveEvent(ctx context.Context, id string) (provenEvent, error) {
	entry, err := a.events.Get(ctx, tenant, id)
	if err != nil {
		return provenEvent{}, err
	}
	proof, err := a.trees.Prove(ctx, tenant, entry.Index)
	if err == nil {
		err = proof.Check(a.trees.VerifierKey(), entry.Body)
	}
	return provenEvent{a.trees.VerifierKey(), string(entry.Body), proof}, err
}

// coverFacts say where an event is in the log, and whether a checkpoint covers it.
func (a *app) coverFacts(ctx context.Context, id string) []fact {
	p, err := a.proveEvent(ctx, id)
	switch {
	case errors.Is(err, tlog.ErrUncovered):
		return []fact{{Name: "Covered", Value: "not yet; within about ten seconds"}}
	case errors.Is(err, tlog.ErrTampered) || errors.Is(err, tlog.ErrProof):
		return []fact{{Name: "Covered", Value: "No! What is stored is not what was signed", Href: "/audit/proof"}}
	case err != nil:
		return []fact{{Name: "Covered", Value: "cannot be said just now"}}
	}
	return []fact{
		{Name: "Number", Value: strconv.FormatInt(p.Proof.Index, 10)},
		{Name: "Covered", Value: "by the checkpoint of " + a.config.exactly(p.Proof.Head.At), Href: "/audit/proof"},
		{Name: "Proof", Value: "Download the proof of this event", Href: "/audit/proof/" + id},
	}
}

// eventProof is the proof of an event as a file.
func (a *app) eventProof(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	ctx, id := r.Context(), r.PathValue("event")
	p, err := a.proveEvent(ctx, id)
	if err == nil { // which event left the clinic is on record
		err = audit.Seen(ctx, "", audit.Object{Type: "audit_event", ID: id, Category: string(rbac.AuditLog)})
	}
	var text []byte
	if err == nil {
		text, err = json.MarshalIndent(p, "", "\t")
	}
	switch {
	case errors.Is(err, audit.ErrNotFound), errors.Is(err, audit.ErrBadQuery), errors.Is(err, tlog.ErrUncovered):
		a.fail(w, r, http.StatusNotFound)
		return
	case errors.Is(err, tlog.ErrTampered), errors.Is(err, tlog.ErrProof), errors.Is(err, audit.ErrDamaged):
		a.damaged(w, r)
		return
	case err != nil:
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="event-`+id+`.json"`)
	_, _ = w.Write(text)
}

// damaged answers where an event is not what was recorded.
func (a *app) damaged(w http.ResponseWriter, r *http.Request) {
	m := message{
		Text: "The database was changed behind the application’s back: an event that belongs here is not what was recorded, so nothing is shown. Treat this as a security incident.",
		Href: "/audit/proof", Link: "Check the whole audit",
	}
	a.render(w, r, http.StatusInternalServerError, "message", view{Title: "The audit was changed", Data: m})
}
