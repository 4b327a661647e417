package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/evidence"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
)

// chapters are the parts that state their controls, in the order of the packet: one line each.
func (a *app) chapters() []evidence.Section {
	return []evidence.Section{
		{Name: "Signing in", From: a.people},
		{Name: "Second factors", From: a.factors},
		{Name: "Sessions", From: a.sessions},
		{Name: "Who may see and do what", From: a.access},
		{Name: "Programs and agents", From: a.machines},
		{Name: "Encryption", From: phi.Statement(a.vault, a.patients.codec, a.claims.codec, a.papers.codec)},
		{Name: "Recording", From: evidence.Log(a.log)},
		{Name: "Proof of the audit", From: a.trees},
		{Name: "Incidents", From: a.incidents},
		{Name: "Platform support", From: a.support},
		{Name: "Review of the audit", From: a.reviewer},
		{Name: "Emergencies", From: a.emergency},
		{Name: "Access reviews", From: a.campaigns},
		{Name: "How long the audit is kept", From: a.keeper},
		{Name: attestedChapter, From: a.attested},
	}
}

const attestedChapter = "Attested by people"

func (a *app) packet(ctx context.Context) evidence.Packet {
	return evidence.Collect(ctx, tenant, time.Now(), a.chapters(), nil)
}

// controlRow is a control in plain words.
type controlRow struct {
	evidence.Control
	State, Tag, Until string
}

type controlChapter struct {
	Name string
	Rows []controlRow
}

type controlsData struct {
	Standing         string
	Open, All        int
	Chapters         []controlChapter
	MayAttest, Packs bool
	Attested         []attestedRow
	Claims           []claimable
	Typed            typedAttestation
}

func (a *app) controlRoutes(mux *rbac.Mux) {
	here := rbac.For(mux, rbac.TenantOf)
	here.Handle("GET /settings/controls", controlsRead, a.controlsPage)
	here.Handle("POST /settings/controls/packet", controlsPacket, a.servePacket)
	here.Handle("POST /settings/controls/attest", controlsAttest, a.attest)
	here.Handle("POST /settings/controls/withdraw", controlsAttest, a.withdrawAttestation)
	one := rbac.For(mux, func(ctx context.Context, r *http.Request) (Patient, error) {
		return a.patients.get(ctx, r.PathValue("patient"))
	})
	one.Handle("GET /patients/{patient}/disclosures", accountingRead, a.accountingPage)
	one.Handle("GET /patients/{patient}/disclosures/print", accountingRead, a.accountingPrint)
	one.Handle("GET /patients/{patient}/disclosures/csv", accountingRead, a.accountingCSV)
	one.Handle("POST /patients/{patient}/disclosures", disclosureRecord, a.recordDisclosure)
	mine := rbac.For(mux, a.ownPatient)
	mine.Handle("GET /me/access", accessRead, a.viewersPage)
	mine.Handle("GET /me/disclosures", accessRead, a.ownDisclosures)
}

func (a *app) controlsPage(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	a.showControls(w, r, http.StatusOK, view{}, typedAttestation{})
}

func (a *app) showControls(w http.ResponseWriter, r *http.Request, status int, v view, typed typedAttestation) {
	ctx := r.Context()
	p := a.packet(ctx)
	d := controlsData{Standing: p.Standing, Open: len(p.Open()), Claims: claimables(), Typed: typed, MayAttest: holds(ctx, a, controlsAttest), Packs: holds(ctx, a, controlsPacket)}
	for _, s := range p.Sections {
		chapter := controlChapter{Name: s.Name}
		for _, c := range s.Controls {
			row := controlRow{Control: c}
			row.State, row.Tag = controlState(c.State)
			if !c.Expires.IsZero() {
				row.Until = c.Expires.In(a.config.zone).Format("2 Jan 2006")
			}
			chapter.Rows = append(chapter.Rows, row)
		}
		d.All += len(chapter.Rows)
		d.Chapters = append(d.Chapters, chapter)
	}
	if d.MayAttest {
		var err error
		if d.Attested, err = a.attestedRows(ctx); err != nil {
			a.fail(w, r, http.StatusServiceUnavailable)
			return
		}
	}
	v.Title, v.Data = "Security controls", d
	a.render(w, r, status, "controls", v)
}

// controlState is how a control stands, in words.
func controlState(s evidence.State) (text, tag string) {
	switch s {
	case evidence.InForce:
		return "In force", "tag-good"
	case evidence.Partly:
		return "Partly", "tag-warn"
	case evidence.NotUsed:
		return "Not used", ""
	case evidence.Attested:
		return "Somebody attests it", "tag-good"
	case evidence.Expired:
		return "Nobody attests it any more", "tag-bad"
	case evidence.Failing:
		return "Failing", "tag-bad"
	}
	return "Unknown", "tag-bad"
}

// packetForm is one form in which the packet is handed out.
type packetForm struct {
	name, file, media string
	write             func(*evidence.Packet) ([]byte, error)
}

func packetForms() []packetForm {
	return []packetForm{
		{"html", "controls.html", "text/html; charset=utf-8", (*evidence.Packet).HTML},
		{"markdown", "controls.md", "text/markdown; charset=utf-8", func(p *evidence.Packet) ([]byte, error) { return p.Markdown(), nil }},
		{"json", "controls.json", "application/json", (*evidence.Packet).JSON},
	}
}

// servePacket hands out the packet. Which bytes left the clinic is on record before they do.
func (a *app) servePacket(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	if !a.form(w, r) {
		return
	}
	forms := packetForms()
	i := slices.IndexFunc(forms, func(f packetForm) bool { return f.name == r.PostForm.Get("form") })
	if i < 0 {
		a.fail(w, r, http.StatusUnprocessableEntity)
		return
	}
	p := a.packet(r.Context())
	text, err := forms[i].write(&p)
	if err == nil {
		sum := sha256.Sum256(text)
		err = a.log.Record(r.Context(), audit.Event{
			Tenant: tenant, Action: actionPacketServed, Verb: audit.Read, Objects: []audit.Object{{Type: "controls", ID: string(tenant), Category: string(rbac.SecurityLog)}},
			Detail: map[string]string{"form": forms[i].name, "sha256": hex.EncodeToString(sum[:])},
		})
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", forms[i].media)
	w.Header().Set("Content-Disposition", `attachment; filename="`+forms[i].file+`"`)
	_, _ = w.Write(text)
}
