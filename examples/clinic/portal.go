package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/rbac"
)

// portal keeps which account is which patient's own: the relation by which a patient sees their
// record and nobody else's.
type portal struct{ db *database }

// ownRecord is that relation, as the policy reads it.
func ownRecord() rbac.TableRelation {
	return rbac.TableRelation{Table: "clinic_portal", Tenant: "tenant", Subject: "account", Object: "patient", From: "since"}
}

// What can be done about patients' accounts. The desk gives access, as it keeps the addresses;
// therapists see whether there is one.
var (
	portalRead   = rbac.Define[Patient]("portal.read", patientColumns, rbac.Verb(audit.Read), rbac.InCategory(rbac.CareTeam))
	portalManage = rbac.Define[Patient]("portal.manage", patientColumns, rbac.Verb(audit.Create), rbac.InCategory(rbac.CareTeam))
	portalReset  = rbac.Define[Patient]("portal.reset_factor", patientColumns, rbac.Verb(audit.Create), rbac.StepUp(eachTime), rbac.InCategory(rbac.CareTeam))
)

// eachTime is how old a proof may be where the rules say nothing stricter: it is asked for before
// each time, whatever an administrator chose.
const eachTime = time.Second

func portalActions() []rbac.AnyAction { return []rbac.AnyAction{portalRead, portalManage, portalReset} }

// account returns the account of a patient, rbac.ErrNotFound where there never was one.
func (s *portal) account(ctx context.Context, patient string) (audit.ActorID, error) {
	return s.one(ctx, `SELECT account FROM clinic_portal WHERE tenant = ? AND patient = ?`, patient)
}

// patient returns whose record an account may see, rbac.ErrNotFound where it is nobody's.
func (s *portal) patient(ctx context.Context, account audit.ActorID) (string, error) {
	id, err := s.one(ctx, `SELECT patient FROM clinic_portal WHERE tenant = ? AND account = ?`, string(account))
	return string(id), err
}

func (s *portal) one(ctx context.Context, statement, of string) (audit.ActorID, error) {
	var id string
	err := s.db.pool.QueryRowContext(ctx, s.db.q(statement), string(tenant), of).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", rbac.ErrNotFound
	}
	return audit.ActorID(id), err
}

// prepare returns the account that a patient has or, new, will have. The row comes before the
// account, under the given id where there is none: an invitation that is interrupted goes on with
// the same one, and until the account is there nobody can use the row.
func (s *portal) prepare(ctx context.Context, patient string, id audit.ActorID) (audit.ActorID, error) {
	_, err := s.db.pool.ExecContext(ctx, s.db.q(`INSERT INTO clinic_portal (tenant, account, patient, since) VALUES (?, ?, ?, ?)
		ON CONFLICT (tenant, patient) DO NOTHING`), string(tenant), string(id), patient, time.Now().UnixMicro())
	if err != nil {
		return "", err
	}
	return s.account(ctx, patient)
}

// replace gives a patient another account in place of one that was closed for good.
func (s *portal) replace(ctx context.Context, patient string, old audit.ActorID) (audit.ActorID, error) {
	id := newAccountID()
	err := touched(s.db.pool.ExecContext(ctx, s.db.q(`UPDATE clinic_portal SET account = ?, since = ? WHERE tenant = ? AND patient = ? AND account = ?`),
		string(id), time.Now().UnixMicro(), string(tenant), patient, string(old)))
	return id, err
}

func newAccountID() audit.ActorID { return audit.ActorID("u-" + strings.ToLower(rand.Text())) }

// openPortal invites a patient to see their own record. The address is the one that the clinic has
// on record: who can read its mail is who the clinic writes to anyway.
func (a *app) openPortal(ctx context.Context, patient, email string) error {
	id, err := a.portal.prepare(ctx, patient, newAccountID())
	if err != nil {
		return err
	}
	found, err := a.people.Account(ctx, tenant, id)
	if err == nil && found.Person.State == authn.Removed {
		if id, err = a.portal.replace(ctx, patient, id); err == nil {
			_, err = a.people.Account(ctx, tenant, id)
		}
	}
	switch {
	case err == nil:
		return authn.ErrExists
	case !errors.Is(err, authn.ErrNotFound):
		return err
	}
	_, err = a.people.Invite(ctx, tenant, authn.Newcomer{ID: id, Kind: audit.KindPatient, Identifier: email, Role: string(rbac.PatientRole)})
	return err
}
