package main

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
	"github.com/wardkit/wardkit/session"
)

// Draft is a note that somebody was writing when the screen was locked, sealed like the note
// itself. It is that person's alone.
type Draft struct {
	ID      string        `phi:",row"` // person and patient
	Patient audit.Patient `phi:",patient"`
	Note    phi.Text      `phi:"note,class=clinical"`

	Version int64 // of the record that the person had before them
	Saved   time.Time
}

const (
	actionDraftKept      audit.Action = "note.draft_kept"
	actionDraftDiscarded audit.Action = "note.draft_discarded"
)

// drafts keep what was being written.
type drafts struct {
	*books
	codec *phi.Codec[Draft]
}

func newDrafts(b *books, vault *phi.Vault) (*drafts, error) {
	codec, err := phi.For[Draft](vault, "draft")
	return &drafts{b, codec}, err
}

func draftID(person audit.ActorID, patient string) string { return string(person) + "/" + patient }

// get returns the person's draft, rbac.ErrNotFound if there is none.
func (s *drafts) get(ctx context.Context, person audit.ActorID, patient string) (*Draft, error) {
	var row phi.Row
	var version, saved int64
	err := s.db.pool.QueryRowContext(ctx, s.db.q(`SELECT id, patient, version, saved, `+s.codec.Columns("")+
		` FROM clinic_draft WHERE tenant = ? AND id = ?`), string(tenant), draftID(person, patient)).
		Scan(s.codec.Dest(&row, &row.ID, &row.Patient, &version, &saved)...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, rbac.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	d, err := s.codec.Open(ctx, tenant, row)
	if err != nil {
		return nil, err
	}
	d.Version, d.Saved = version, time.UnixMicro(saved)
	return d, nil
}

// keep writes the person's draft in the place of an older one.
func (s *drafts) keep(ctx context.Context, person audit.ActorID, patient string, version int64, note string) error {
	d := &Draft{ID: draftID(person, patient), Patient: audit.Patient(patient), Note: phi.NewText(note)}
	record, err := s.codec.Seal(ctx, tenant, d)
	if err != nil {
		return err
	}
	return s.change(ctx, draftEvent(actionDraftKept, audit.Create, patient), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, s.db.q(`INSERT INTO clinic_draft (tenant, id, patient, version, saved, `+s.codec.Columns("")+
			`) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, id) DO UPDATE
			SET version = excluded.version, saved = excluded.saved, note = excluded.note`),
			record.Args(string(tenant), d.ID, patient, version, time.Now().UnixMicro())...)
		return err
	})
}

// discard throws the person's draft away.
func (s *drafts) discard(ctx context.Context, person audit.ActorID, patient string) error {
	return s.change(ctx, draftEvent(actionDraftDiscarded, audit.Delete, patient), func(tx *sql.Tx) error {
		return dropDraft(ctx, s.db, tx, person, patient)
	})
}

func dropDraft(ctx context.Context, db *database, tx *sql.Tx, person audit.ActorID, patient string) error {
	_, err := tx.ExecContext(ctx, db.q(`DELETE FROM clinic_draft WHERE tenant = ? AND id = ?`), string(tenant), draftID(person, patient))
	return err
}

func draftEvent(action audit.Action, verb audit.Verb, patient string) audit.Event {
	return recordEvent(action, verb, patient, audit.Object{Type: "note", ID: patient, Category: string(rbac.Notes)})
}

// lockNote keeps what is in the form and locks the screen. Whatever becomes of the form, the
// screen is locked.
func (a *app) lockNote(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	ctx, patient := r.Context(), g.Resource().ID
	s, _ := session.From(ctx)
	err := r.ParseForm()
	version, _ := strconv.ParseInt(r.PostForm.Get("version"), 10, 64)
	note := strings.TrimSpace(r.PostForm.Get("note"))
	if err == nil && note != "" && len(note) <= maxNote {
		err = a.drafts.keep(ctx, s.Person, patient, version, note)
	}
	if err = errors.Join(err, a.sessions.Lock(ctx)); err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	http.Redirect(w, r, "/locked?to=/patients/"+patient+"/note", http.StatusSeeOther)
}

// discardDraft throws away what was kept.
func (a *app) discardDraft(w http.ResponseWriter, r *http.Request, g rbac.Granted[Patient]) {
	s, _ := session.From(r.Context())
	if err := a.drafts.discard(r.Context(), s.Person, g.Resource().ID); err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	http.Redirect(w, r, "/patients/"+g.Resource().ID+"/note?done=discarded", http.StatusSeeOther)
}

// resume puts a draft of the person into the form of the note.
func (a *app) resume(ctx context.Context, d *patientData) error {
	s, _ := session.From(ctx)
	draft, err := a.drafts.get(ctx, s.Person, d.ID)
	if errors.Is(err, rbac.ErrNotFound) {
		return nil
	}
	if err == nil {
		d.Note, err = draft.Note.View(ctx)
	}
	if err == nil {
		d.Version, d.Kept = draft.Version, a.config.when(draft.Saved)
	}
	return err
}
