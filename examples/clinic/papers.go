package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
)

// Paper is a letter about a patient or a questionnaire that a patient filled in. Deleting puts it
// aside, from where it can be put back; purging destroys it.
type Paper struct {
	ID      string        `phi:",row"`
	Patient audit.Patient `phi:",patient"`
	Tenant  audit.Tenant
	Kind    string
	Author  audit.ActorID
	Created time.Time
	Deleted time.Time // zero: it is in the record

	Title phi.Text `phi:"title,class=clinical"`
	Body  phi.Text `phi:"body,class=clinical"`
}

// RBAC says where the paper belongs.
func (p Paper) RBAC() rbac.Attrs {
	return rbac.Attrs{ID: p.ID, Tenant: p.Tenant, Patient: p.Patient, Author: p.Author}
}

// The columns of clinic_paper by which rules select rows.
var paperColumns = rbac.Columns{ID: "id", Tenant: "tenant", Patient: "patient", Author: "author"}

// What can be done with papers: letters and questionnaires are categories of their own.
var (
	letterRead   = rbac.Define[Paper]("letter.read", paperColumns, rbac.Verb(audit.Read), rbac.PHI(), rbac.InCategory(rbac.Documents))
	letterAdd    = rbac.Define[Patient]("letter.add", patientColumns, rbac.Verb(audit.Create), rbac.PHI(), rbac.InCategory(rbac.Documents), rbac.Object("patient"))
	letterDelete = rbac.Define[Paper]("letter.delete", paperColumns, rbac.Verb(audit.Delete), rbac.PHI(), rbac.InCategory(rbac.Documents))
	letterPurge  = rbac.Define[Paper]("letter.purge", paperColumns, rbac.Verb(audit.Delete), rbac.PHI(), rbac.Destructive(), rbac.NeedReason(), rbac.StepUp(freshly), rbac.InCategory(rbac.Documents))
	formRead     = rbac.Define[Paper]("form.read", paperColumns, rbac.Verb(audit.Read), rbac.PHI(), rbac.InCategory(rbac.Forms))
	formAdd      = rbac.Define[Patient]("form.add", patientColumns, rbac.Verb(audit.Create), rbac.PHI(), rbac.InCategory(rbac.Forms), rbac.Object("patient"))
	formDelete   = rbac.Define[Paper]("form.delete", paperColumns, rbac.Verb(audit.Delete), rbac.PHI(), rbac.InCategory(rbac.Forms))
	formPurge    = rbac.Define[Paper]("form.purge", paperColumns, rbac.Verb(audit.Delete), rbac.PHI(), rbac.Destructive(), rbac.NeedReason(), rbac.StepUp(freshly), rbac.InCategory(rbac.Forms))
)

// paperKind is a kind of paper, which its path is named after.
type paperKind struct {
	Path, One, Many     string
	category            rbac.Category
	read, remove, purge rbac.Action[Paper]
	add                 rbac.Action[Patient]
}

func paperKinds() []paperKind {
	return []paperKind{
		{"letters", "Letter", "Letters", rbac.Documents, letterRead, letterDelete, letterPurge, letterAdd},
		{"forms", "Questionnaire", "Questionnaires", rbac.Forms, formRead, formDelete, formPurge, formAdd},
	}
}

// noun is what events call a paper of this kind.
func (k paperKind) noun() string { return strings.TrimSuffix(k.Path, "s") }

func paperActions() (all []rbac.AnyAction) {
	for _, k := range paperKinds() {
		all = append(all, k.read, k.add, k.remove, k.purge)
	}
	return all
}

// The steps of a paper as the audit records them, behind its noun.
const (
	stepAdded    = ".added"
	stepDeleted  = ".deleted"
	stepRestored = ".restored"
	stepPurged   = ".purged"
)

// papers keeps letters and questionnaires.
type papers struct {
	*books
	codec *phi.Codec[Paper]
	now   func() time.Time
}

func newPapers(b *books, vault *phi.Vault) (*papers, error) {
	codec, err := phi.For[Paper](vault, "paper")
	return &papers{b, codec, time.Now}, err
}

// of returns the papers of a kind that a patient has and the filter lets through, newest first.
func (s *papers) of(ctx context.Context, f rbac.Filter[Paper], k paperKind, patient string) ([]*Paper, error) {
	where, args := f.SQL(s.db.dialect(), "d", 0)
	return s.query(ctx, where+" AND d.kind = ? AND d.patient = ? ORDER BY d.id DESC", append(args, k.Path, patient))
}

// get returns a paper of a kind, or rbac.ErrNotFound.
func (s *papers) get(ctx context.Context, k paperKind, id string) (Paper, error) {
	all, err := s.query(ctx, "d.tenant = ? AND d.kind = ? AND d.id = ?", []any{string(tenant), k.Path, id})
	if err != nil {
		return Paper{}, err
	}
	if len(all) == 0 {
		return Paper{}, rbac.ErrNotFound
	}
	return *all[0], nil
}

func (s *papers) query(ctx context.Context, where string, args []any) ([]*Paper, error) {
	rows, err := s.db.pool.QueryContext(ctx, s.db.q(`SELECT d.id, d.patient, d.kind, d.author, d.created, d.deleted, `+
		s.codec.Columns("d.")+` FROM clinic_paper d WHERE `+where), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var sealed []phi.Row
	var plain []Paper
	for rows.Next() {
		var row phi.Row
		var p Paper
		var created, deleted int64
		if err := rows.Scan(s.codec.Dest(&row, &row.ID, &row.Patient, &p.Kind, &p.Author, &created, &deleted)...); err != nil {
			return nil, err
		}
		p.Created = time.UnixMicro(created).UTC()
		if deleted != 0 {
			p.Deleted = time.UnixMicro(deleted).UTC()
		}
		sealed, plain = append(sealed, row), append(plain, p)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	opened, err := living(ctx, s.codec, sealed)
	if err != nil {
		return nil, err
	}
	var all []*Paper
	for i, p := range opened {
		if p == nil {
			continue
		}
		p.Tenant, p.Kind, p.Author, p.Created, p.Deleted = tenant, plain[i].Kind, plain[i].Author, plain[i].Created, plain[i].Deleted
		all = append(all, p)
	}
	return all, nil
}

// typedPaper is what somebody types.
type typedPaper struct{ Title, Body string }

func (p typedPaper) check() error {
	switch {
	case p.Title == "" || len(p.Title) > 120:
		return fmt.Errorf("%w: the title is missing or too long", errInput)
	case p.Body == "" || len(p.Body) > maxNote:
		return fmt.Errorf("%w: the text is missing or too long", errInput)
	}
	return nil
}

// add writes a new paper into a patient's record.
func (s *papers) add(ctx context.Context, g rbac.Granted[Patient], k paperKind, typed typedPaper) (string, error) {
	if !g.Allows(k.add) {
		return "", rbac.ErrDenied
	}
	return s.write(ctx, k, g.Resource().ID, typed)
}

func (s *papers) write(ctx context.Context, k paperKind, patient string, typed typedPaper) (string, error) {
	if err := typed.check(); err != nil {
		return "", err
	}
	actor, _ := audit.ActorFrom(ctx)
	now := s.now()
	p := &Paper{ID: "d-" + strings.ToLower(rand.Text()), Patient: audit.Patient(patient), Title: phi.NewText(typed.Title), Body: phi.NewText(typed.Body)}
	record, err := s.codec.Seal(ctx, tenant, p)
	if err != nil {
		return "", err
	}
	p.Kind = k.Path
	return p.ID, s.change(ctx, paperEvent(*p, k, stepAdded, audit.Create), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, s.db.q(`INSERT INTO clinic_paper (tenant, id, kind, patient, author, created, deleted, `+
			s.codec.Columns("")+`) VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?)`),
			record.Args(string(tenant), p.ID, k.Path, patient, string(actor.ID), now.UnixMicro())...)
		return err
	})
}

// setAside deletes a paper so that it can be put back, or puts it back.
func (s *papers) setAside(ctx context.Context, g rbac.Granted[Paper], k paperKind, aside bool) error {
	if !g.Allows(k.remove) {
		return rbac.ErrDenied
	}
	p, to, step := g.Resource(), int64(0), stepRestored
	if aside {
		to, step = s.now().UnixMicro(), stepDeleted
	}
	return s.change(ctx, paperEvent(p, k, step, audit.Update), func(tx *sql.Tx) error {
		return touched(tx.ExecContext(ctx, s.db.q(`UPDATE clinic_paper SET deleted = ? WHERE tenant = ? AND id = ? AND (deleted = 0) = ?`),
			to, string(tenant), p.ID, aside))
	})
}

// purge destroys a paper that was deleted before.
func (s *papers) purge(ctx context.Context, g rbac.Granted[Paper], k paperKind) error {
	p := g.Resource()
	switch {
	case !g.Allows(k.purge):
		return rbac.ErrDenied
	case p.Deleted.IsZero():
		return errChanged
	}
	return s.change(ctx, paperEvent(p, k, stepPurged, audit.Delete), func(tx *sql.Tx) error {
		return touched(tx.ExecContext(ctx, s.db.q(`DELETE FROM clinic_paper WHERE tenant = ? AND id = ? AND deleted <> 0`), string(tenant), p.ID))
	})
}

func paperEvent(p Paper, k paperKind, step string, verb audit.Verb) audit.Event {
	return recordEvent(audit.Action(k.noun()+step), verb, string(p.Patient), audit.Object{Type: k.noun(), ID: p.ID, Category: string(k.category)})
}
