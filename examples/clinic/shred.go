package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/phisql"
	"github.com/wardkit/wardkit/rbac"
)

// namespace is under which the clinic's keys are kept.
const namespace = "wardkit-clinic"

// keptYears is how long a record is kept after its last entry where nothing else is said. HIPAA names no time for
// medical records; the states do, most of them less than this, and longer ones for children: a clinic
// sets its own with -keep-records.
const keptYears = 10

// What can be done about the end of a record. The administrators and the privacy officer destroy, one at
// a time, as they destroy letters.
var (
	shredOpen    = rbac.Define[Patient]("patient.destroy_open", patientColumns, rbac.Verb(audit.Read), rbac.PHI(), rbac.InCategory(rbac.Retention))
	patientShred = rbac.Define[Patient]("patient.destroy", patientColumns, rbac.Verb(audit.Delete), rbac.PHI(), rbac.Destructive(), rbac.NeedReason(), rbac.StepUp(freshly), rbac.InCategory(rbac.Retention))
)

func shredActions() []rbac.AnyAction { return []rbac.AnyAction{shredOpen, patientShred} }

// withShred gives what the presets leave to each clinic.
func withShred(roles []rbac.Role) []rbac.Role {
	for i := range roles {
		switch roles[i].Name {
		case rbac.ClinicAdmin, rbac.ClinicAdminFull, rbac.PrivacyOfficer:
			roles[i].Allow = append(roles[i].Allow, rbac.In(rbac.Tenant, shredOpen, patientShred))
		}
	}
	return roles
}

func shredWords() []option {
	return []option{
		{"patient.destroy_open", "Look at the destruction of a patient’s data"},
		{"patient.destroy", "Ask to destroy a patient’s data"},
		{string(phi.ActionShredOrdered), "Destruction of a patient’s data ordered"},
		{string(phi.ActionShredded), "Patient’s data destroyed"},
		{string(phi.ActionShredReplayed), "Patient’s data destroyed again, after an old copy was put back"},
	}
}

// openShreds opens the journal of whose data was destroyed: a file, or a database that several servers
// share. It must not be put back together with the clinic's database.
func (a *app) openShreds(ctx context.Context) (err error) {
	c := a.config
	if !isPostgres(c.shreds) {
		path := c.shreds
		if path == "" {
			path = filepath.Join(c.data, "clinic.shreds")
		}
		if a.shreds, err = phi.OpenShredFile(path); err != nil {
			return fmt.Errorf("-shreds: %w", err)
		}
		return nil
	}
	pool, err := sql.Open("pgx", c.shreds)
	if err != nil {
		return errors.New("-shreds: the address cannot be used")
	}
	a.shredPool = pool
	journal, err := phisql.PostgresShreds(pool)
	if err == nil {
		err = journal.Migrate(ctx)
	}
	if err != nil {
		return errors.New("-shreds: the database does not answer; check the address, the network and the password")
	}
	a.shreds = journal
	return nil
}

func isPostgres(address string) bool {
	return strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://")
}

func (a *app) wireShred() (err error) {
	a.shredder, err = phi.NewShredder(a.vault, a.log, shredGate{a}, &phi.ShredderOptions{Forget: a.forget})
	return err
}

// destroyed reports whether a patient's data was destroyed.
func (a *app) destroyed(ctx context.Context, patient string) (bool, error) {
	return a.shreds.Has(ctx, namespace, tenant, audit.Patient(patient))
}

// shredGate asks what keeps a patient's data.
type shredGate struct{ a *app }

// Held reports whether something keeps the patient's data. What is destroyed already is kept by nothing: a
// destruction that a crash cut off has to come to its end.
func (g shredGate) Held(ctx context.Context, _ audit.Tenant, p audit.Patient) (bool, error) {
	gone, err := g.a.destroyed(ctx, string(p))
	if err != nil || gone {
		return false, err
	}
	k, err := g.a.retains(ctx, p)
	return k.Hold || !k.Until.IsZero(), err
}

// retained is what keeps a patient's data.
type retained struct {
	Hold  bool
	Until time.Time // zero: the record was kept for long enough
}

func (a *app) retains(ctx context.Context, p audit.Patient) (k retained, err error) {
	if k.Hold, err = a.held(ctx, p); err != nil {
		return k, err
	}
	last, err := a.lastEntry(ctx, p)
	if err != nil {
		return k, err
	}
	if until := last.AddDate(a.config.keepRecords, 0, 0); a.now().Before(until) {
		k.Until = until
	}
	return k, nil
}

// held reports whether a legal hold is about the patient, or about somebody or something that the audit
// shows to have had to do with the patient.
func (a *app) held(ctx context.Context, p audit.Patient) (bool, error) {
	holds, err := a.keeper.Holds(ctx, tenant)
	if err != nil {
		return false, err
	}
	for _, h := range holds {
		switch {
		case !h.InForce(a.now()):
			continue
		case h.All, h.Patient == p:
			return true, nil
		case h.Patient != "":
			continue
		}
		q := audit.Query{Tenant: tenant, Patient: p, ResourceType: h.ObjectType, ResourceID: h.ObjectID, Limit: 1}
		if h.Actor != "" {
			q.Actors = []audit.ActorID{h.Actor}
		}
		page, err := a.log.Query(ctx, q)
		if err != nil || len(page.Events) > 0 {
			return true, err
		}
	}
	return false, nil
}

// entries are what counts as an entry in a record.
func entries() []audit.Action {
	all := []audit.Action{actionRegistered, actionNoteSaved, claimSubmitted, claimDenied, claimAppealed, claimPaid}
	for _, k := range paperKinds() {
		all = append(all, audit.Action(k.noun()+stepAdded))
	}
	return all
}

// lastEntry is when something came into the record: by its rows, and by the audit, which knows of notes
// that were changed.
func (a *app) lastEntry(ctx context.Context, p audit.Patient) (time.Time, error) {
	var last int64
	who := []any{string(tenant), string(p), string(tenant), string(p), string(tenant), string(p)}
	err := a.db.pool.QueryRowContext(ctx, a.db.q(`SELECT COALESCE(MAX(at), 0) FROM (
		SELECT created AS at FROM clinic_patient WHERE tenant = ? AND id = ?
		UNION ALL SELECT created FROM clinic_claim WHERE tenant = ? AND patient = ?
		UNION ALL SELECT created FROM clinic_paper WHERE tenant = ? AND patient = ?) AS entries`), who...).Scan(&last)
	if err != nil {
		return time.Time{}, err
	}
	page, err := a.log.Query(ctx, audit.Query{Tenant: tenant, Patient: p, Actions: entries(), Limit: 1})
	if err != nil {
		return time.Time{}, err
	}
	at := time.UnixMicro(last).UTC()
	for _, e := range page.Events {
		if e.Recorded.After(at) {
			at = e.Recorded
		}
	}
	return at, nil
}

// forget removes what is readable without the patient's key, and the rows that nobody can read any more:
// the account of the portal, the terms of the search, the record and all that belongs to it.
func (a *app) forget(ctx context.Context, t audit.Tenant, p audit.Patient) error {
	account, err := a.portal.account(ctx, string(p))
	if err == nil {
		err = a.people.Remove(ctx, t, account, "the data of the patient was destroyed")
	}
	if err != nil && !errors.Is(err, rbac.ErrNotFound) && !errors.Is(err, authn.ErrNotFound) && !errors.Is(err, authn.ErrState) {
		return err
	}
	return a.db.inTx(ctx, func(tx *sql.Tx) error {
		for _, statement := range []string{
			`DELETE FROM clinic_draft WHERE tenant = ? AND patient = ?`,
			`DELETE FROM clinic_paper WHERE tenant = ? AND patient = ?`,
			`DELETE FROM clinic_claim WHERE tenant = ? AND patient = ?`,
			`DELETE FROM clinic_portal WHERE tenant = ? AND patient = ?`,
			`DELETE FROM clinic_care WHERE tenant = ? AND patient = ?`,
			`DELETE FROM clinic_patient WHERE tenant = ? AND id = ?`,
		} {
			if _, err := tx.ExecContext(ctx, a.db.q(statement), string(t), string(p)); err != nil {
				return err
			}
		}
		// After the row: whoever was writing it has written its terms by now, or will find it gone.
		return a.patients.terms.WithTx(tx).DeleteTerms(ctx, t, "patient", string(p))
	})
}

// finishShreds destroys again what an old copy of the database brought back, and finishes what a crash cut
// off: a patient in the journal without a certificate gets one. Nobody is served before.
func (a *app) finishShreds(ctx context.Context) error {
	if _, err := a.shredder.Replay(ctx); err != nil {
		return fmt.Errorf("destroying again what was destroyed: %w", err)
	}
	for e, err := range a.shreds.List(ctx, namespace) {
		if err != nil {
			return err
		}
		page, err := a.log.Query(ctx, audit.Query{Tenant: tenant, Patient: e.Patient, Actions: []audit.Action{phi.ActionShredded}, Limit: 1})
		if err == nil && len(page.Events) == 0 {
			_, err = a.shredder.Shred(ctx, tenant, e.Patient, "finished by the server: there was no certificate")
		}
		if err != nil {
			return fmt.Errorf("certifying what was destroyed: %w", err)
		}
	}
	return nil
}

func (a *app) now() time.Time {
	if a.config.now != nil {
		return a.config.now()
	}
	return time.Now()
}
