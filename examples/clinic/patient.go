package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/phisql"
	"github.com/wardkit/wardkit/rbac"
)

// Patient is a patient's record. Everything that says who it is or what it is about is
// sealed in the database and cannot be printed from here.
type Patient struct {
	ID      string `phi:",row,patient"`
	Tenant  audit.Tenant
	Version int64
	Created time.Time

	Name  phi.Text `phi:"name,class=name"`
	MRN   phi.Text `phi:"mrn,class=mrn"`
	Birth phi.Date `phi:"birth,class=date"`
	Phone phi.Text `phi:"phone,class=phone"`
	Email phi.Text `phi:"email,class=email"`
	SSN   phi.Text `phi:"ssn,class=ssn"`
	Note  phi.Text `phi:"note,class=clinical"`

	Therapist audit.ActorID // who cares for the patient now
	Destroyed bool          // the data is, and only ID is left
}

// RBAC says where the record belongs.
func (p Patient) RBAC() rbac.Attrs {
	return rbac.Attrs{ID: p.ID, Tenant: p.Tenant, Patient: audit.Patient(p.ID)}
}

var (
	// errInput: a form is not filled in properly. Its text is fit for people.
	errInput = errors.New("please check what you typed")
	// errChanged: somebody else saved the record in the meantime.
	errChanged = errors.New("somebody else changed this record meanwhile")
)

// patients keeps the patients' records.
type patients struct {
	*books
	vault *phi.Vault
	codec *phi.Codec[Patient]
	terms *phisql.Store
	now   func() time.Time
}

func newPatients(b *books, vault *phi.Vault, terms *phisql.Store, names *phi.Frequencies) (*patients, error) {
	codec, err := phi.For[Patient](vault, "patient", phi.WithIndex("phone", phi.Phone("US")),
		phi.WithUnique("email", phi.Email()), phi.WithUnique("mrn", phi.MRN()), phi.WithWords("name", phi.Name(), names))
	if err != nil {
		return nil, err
	}
	return &patients{b, vault, codec, terms, time.Now}, nil
}

// pageSize is how many patients a list shows.
const pageSize = 100

// current selects the therapist in charge, who has cared for the patient longest; none for a patient
// without one.
const current = `(SELECT c.therapist FROM clinic_care c
	WHERE c.tenant = p.tenant AND c.patient = p.id AND (c.until = 0 OR c.until > ?) ORDER BY c.since, c.therapist LIMIT 1)`

// list returns a page of the patients that the filter lets through, after the given id, and one
// more where there are more.
// With find, only patients with that name, phone number, e-mail address or record number, as far as the list
// shows it.
func (s *patients) list(ctx context.Context, f rbac.Filter[Patient], find, after string) ([]*Patient, error) {
	where, args := f.SQL(s.db.dialect(), "p", 0)
	args = append([]any{s.now().UnixMicro()}, args...)
	if find != "" {
		ids, err := s.search(ctx, f.Sight(), find)
		if err != nil || len(ids) == 0 {
			return nil, err
		}
		where += " AND p.id IN (?" + strings.Repeat(", ?", len(ids)-1) + ")"
		for _, id := range ids {
			args = append(args, id)
		}
	}
	args = append(args, after, pageSize+1)
	return s.query(ctx, where+" AND p.id > ? ORDER BY p.id LIMIT ?", args)
}

func (s *patients) query(ctx context.Context, where string, args []any) ([]*Patient, error) {
	all, _, err := s.page(ctx, where, args)
	return all, err
}

// page returns also the id of the last row there is, "" for none: patients whose data was destroyed
// are left out, see living.
func (s *patients) page(ctx context.Context, where string, args []any) (all []*Patient, last string, err error) {
	rows, err := s.db.pool.QueryContext(ctx, s.db.q(`SELECT p.id, p.version, p.created, `+current+`, `+
		s.codec.Columns("p.")+` FROM clinic_patient p WHERE `+where), args...)
	if err != nil {
		return nil, "", err
	}
	defer rows.Close()
	var sealed []phi.Row
	var plain []plainColumns
	for rows.Next() {
		var row phi.Row
		var c plainColumns
		if err := rows.Scan(s.codec.Dest(&row, &row.ID, &c.version, &c.created, &c.therapist)...); err != nil {
			return nil, "", err
		}
		sealed, plain = append(sealed, row), append(plain, c)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, "", err
	}
	opened, err := living(ctx, s.codec, sealed) // one look-up for the keys of the page
	if err != nil {
		return nil, "", err
	}
	for i, p := range opened {
		last = sealed[i].ID
		if p != nil {
			plain[i].fill(p)
			all = append(all, p)
		}
	}
	return all, last, nil
}

// plainColumns are the columns that are not sealed.
type plainColumns struct {
	version, created int64
	therapist        sql.NullString
}

func (c plainColumns) fill(p *Patient) {
	p.Tenant, p.Version, p.Created = tenant, c.version, time.UnixMicro(c.created).UTC()
	p.Therapist = audit.ActorID(c.therapist.String)
}

// count returns how many patients the filter lets through.
func (s *patients) count(ctx context.Context, f rbac.Filter[Patient]) (n int, err error) {
	where, args := f.SQL(s.db.dialect(), "p", 0)
	err = s.db.pool.QueryRowContext(ctx, s.db.q(`SELECT COUNT(*) FROM clinic_patient p WHERE `+where), args...).Scan(&n)
	return n, err
}

// find returns the ids of the patients with this phone number, e-mail address or medical record
// number, however it is written. Whether the asker may see them is for the filter to say.
func (s *patients) find(ctx context.Context, text string) ([]string, error) {
	everything := phi.NewSight(map[phi.Class]phi.Level{phi.ClassPhone: phi.Full, phi.ClassMRN: phi.Full, phi.ClassEmail: phi.Full})
	return s.findIn(ctx, everything, text)
}

// findIn is find by what the sight shows in full.
func (s *patients) findIn(ctx context.Context, sight phi.Sight, text string) ([]string, error) {
	fields := map[string]phi.Class{"phone": phi.ClassPhone, "mrn": phi.ClassMRN}
	if strings.Contains(text, "@") {
		fields = map[string]phi.Class{"email": phi.ClassEmail}
	}
	var all []string
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		if sight.Level(fields[field]) < phi.Full {
			continue
		}
		query, err := s.codec.Lookup(ctx, tenant, field, text)
		if errors.Is(err, phi.ErrNotNormal) {
			continue
		}
		if err != nil {
			return nil, err
		}
		ids, err := s.terms.Lookup(ctx, tenant, query)
		if err != nil {
			return nil, err
		}
		all = append(all, ids...)
	}
	return all, nil
}

// termsAfter returns what the next patients are found by, for a renewal of the index.
func (s *patients) termsAfter(ctx context.Context, t audit.Tenant, after string) (all []phi.Terms, next string, err error) {
	found, next, err := s.page(ctx, "p.tenant = ? AND p.id > ? ORDER BY p.id LIMIT ?", []any{s.now().UnixMicro(), string(t), after, pageSize})
	for _, p := range found {
		terms, err := s.codec.Terms(ctx, t, p)
		if err != nil {
			return nil, "", err
		}
		all = append(all, terms)
	}
	return all, next, err
}

// known returns the id if there is such a patient.
func (s *patients) known(ctx context.Context, id string) ([]string, error) {
	_, err := s.get(ctx, id)
	if errors.Is(err, rbac.ErrNotFound) {
		return nil, nil
	}
	return []string{id}, err
}

// get returns one record, or rbac.ErrNotFound.
func (s *patients) get(ctx context.Context, id string) (Patient, error) {
	all, err := s.query(ctx, "p.tenant = ? AND p.id = ?", []any{s.now().UnixMicro(), string(tenant), id})
	if err != nil {
		return Patient{}, err
	}
	if len(all) == 0 {
		return Patient{}, rbac.ErrNotFound
	}
	return *all[0], nil
}

// registration is what the front desk types.
type registration struct {
	Name, MRN, Birth, Phone, Email, SSN string
	Therapist                           audit.ActorID
}

var (
	mrnPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ./-]{2,19}$`)
	ssnPattern = regexp.MustCompile(`^\d{3}-?\d{2}-?\d{4}$`)
)

// check says what is wrong with the form, in words for people.
func (f registration) check() error {
	born, err := time.Parse(time.DateOnly, f.Birth)
	switch {
	case f.Name == "" || len(f.Name) > 120:
		return fmt.Errorf("%w: the name is missing or too long", errInput)
	case f.MRN != "" && !mrnPattern.MatchString(f.MRN):
		return fmt.Errorf("%w: a medical record number has 3 to 20 letters and digits", errInput)
	case err != nil || born.After(time.Now()) || born.Year() < 1880:
		return fmt.Errorf("%w: the date of birth is not a date in the past", errInput)
	case f.Phone == "":
		return fmt.Errorf("%w: the phone number is missing", errInput)
	case f.Email == "":
		return fmt.Errorf("%w: the e-mail address is missing", errInput)
	case f.SSN != "" && !ssnPattern.MatchString(f.SSN):
		return fmt.Errorf("%w: a social security number has nine digits", errInput)
	case f.Therapist == "":
		return fmt.Errorf("%w: choose a therapist", errInput)
	}
	return nil
}

// register writes a new record with its search terms, its therapist and its event, all or
// nothing. An e-mail address or record number that another patient has is a *phi.DuplicateError.
func (s *patients) register(ctx context.Context, f registration) (id string, err error) {
	if err := f.check(); err != nil {
		return "", err
	}
	birth, err := phi.ParseDate(f.Birth)
	if err != nil {
		return "", err
	}
	if f.MRN == "" {
		f.MRN = newMRN()
	}
	p := &Patient{
		ID: newPatientID(), Name: phi.NewText(f.Name), MRN: phi.NewText(f.MRN), Birth: birth,
		Phone: phi.NewText(f.Phone), Email: phi.NewText(f.Email), SSN: phi.NewText(f.SSN),
	}
	record, err := s.codec.Seal(ctx, tenant, p)
	if err != nil {
		return "", err
	}
	e := recordEvent(actionRegistered, audit.Create, p.ID, audit.Object{Type: "patient", ID: p.ID, Version: "1", Category: string(rbac.Demographics)})
	err = s.change(ctx, e, func(tx *sql.Tx) error { return s.insert(ctx, tx, p.ID, f.Therapist, record) })
	return p.ID, err
}

func (s *patients) insert(ctx context.Context, tx *sql.Tx, id string, therapist audit.ActorID, r *phi.Record) error {
	if err := s.terms.WithTx(tx).SaveTerms(ctx, tenant, r.Terms()); err != nil {
		return err
	}
	now := s.now().UnixMicro()
	_, err := tx.ExecContext(ctx, s.db.q(`INSERT INTO clinic_patient (tenant, id, version, created, terms, `+s.codec.Columns("")+
		`) VALUES (?, ?, ?, ?, ?`+strings.Repeat(", ?", len(s.codec.Fields()))+`)`), r.Args(string(tenant), id, 1, now, indexVersion)...)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, s.db.q(`INSERT INTO clinic_care (tenant, therapist, patient, since, until) VALUES (?, ?, ?, ?, 0)`),
		string(tenant), string(therapist), id, now)
	return err
}

// saveNote replaces the clinical note. It takes the proof that somebody may, and refuses
// with errChanged if the record is not the version that was read.
func (s *patients) saveNote(ctx context.Context, g rbac.Granted[Patient], version int64, note string) error {
	if !g.Allows(noteWrite) {
		return rbac.ErrDenied
	}
	return s.writeNote(ctx, g.Resource(), version, note)
}

// seedNote writes the first note of an invented patient.
func (s *patients) seedNote(ctx context.Context, id, note string) error {
	p, err := s.get(ctx, id)
	if err != nil {
		return err
	}
	return s.writeNote(ctx, p, p.Version, note)
}

func (s *patients) writeNote(ctx context.Context, p Patient, version int64, note string) error {
	p.Note = phi.NewText(note)
	record, err := s.codec.Seal(ctx, tenant, &p)
	if err != nil {
		return err
	}
	// What was there before has its hash in the event before; the text itself is in none.
	after, err := s.vault.Term(ctx, tenant, "patient.note.changed", note)
	if err != nil {
		return err
	}
	e := recordEvent(actionNoteSaved, audit.Update, p.ID, audit.Object{
		Type: "note", ID: p.ID, Version: strconv.FormatInt(version+1, 10), Category: string(rbac.Notes),
	})
	e.Changes = []audit.Change{{Field: "note", After: after}}
	actor, _ := audit.ActorFrom(ctx)
	return s.change(ctx, e, func(tx *sql.Tx) error {
		if err := dropDraft(ctx, s.db, tx, actor.ID, p.ID); err != nil {
			return err
		}
		return touched(tx.ExecContext(ctx, s.db.q(`UPDATE clinic_patient SET note = ?, version = version + 1
			WHERE tenant = ? AND id = ? AND version = ?`), record.Col("note"), string(tenant), p.ID, version))
	})
}

// recordEvent says that a patient's record was changed; who did it is in the context.
func recordEvent(action audit.Action, verb audit.Verb, patient string, o audit.Object) audit.Event {
	return audit.Event{Tenant: tenant, Action: action, Verb: verb, Patients: []audit.Patient{audit.Patient(patient)}, Objects: []audit.Object{o}}
}

func newPatientID() string { return "p-" + strings.ToLower(rand.Text()) }

// newMRN is a medical record number for somebody who brings none: short enough to be read out
// on the phone. Among 32^8 two are hardly ever the same; then the second is refused.
func newMRN() string {
	text := rand.Text()
	return "HC-" + text[:4] + "-" + text[4:8]
}
