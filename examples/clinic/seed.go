package main

import (
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/authn"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
)

// demoPassword is every demo account's password.
const demoPassword = "maple river lantern"

// demoAccount is an invented member of the team.
type demoAccount struct {
	ID    audit.ActorID
	Name  string
	Email string
	Role  string
	role  rbac.RoleName
}

// demoOutsider is the invented patient who has an account: the first of the list.
func demoOutsider() demoAccount {
	return demoAccount{"demo-patient", demoPatient(0).Name, demoPatient(0).Email, "Patient", rbac.PatientRole}
}

func demoAccounts() []demoAccount {
	return []demoAccount{
		{"demo-admin", "Alma Reyes", "alma.reyes@example.com", "Clinic Admin", roleAdmin},
		{"demo-therapist-1", "Tomas Berg", "tomas.berg@example.com", "Therapist", roleTherapist},
		{"demo-therapist-2", "Nadia Okafor", "nadia.okafor@example.com", "Therapist", roleTherapist},
		{"demo-desk", "Iris Lund", "iris.lund@example.com", "Front Desk", roleFrontDesk},
		{"demo-finance", "Paul Serra", "paul.serra@example.com", "Finance", roleFinance},
	}
}

// demoPatients is how many invented patients there are.
const demoPatients = 60

// demoPatient invents patient n: names from two lists, a reserved phone number (555-01xx), a
// reserved e-mail domain and a social security number that is never issued (area 900).
func demoPatient(n int) registration {
	given := []string{"Ava", "Bruno", "Celia", "Dario", "Elsa", "Felix", "Greta", "Hugo", "Ines", "Jonas"}
	family := []string{"Abara", "Brandt", "Castell", "Dufour", "Eklund", "Farrow"}
	g, f := given[n%10], family[n/10%6]
	therapist := audit.ActorID("demo-therapist-1")
	if n%2 == 1 {
		therapist = "demo-therapist-2"
	}
	return registration{
		Name:      g + " " + f,
		MRN:       fmt.Sprintf("HC-%05d", 20417+61*n),
		Birth:     fmt.Sprintf("%d-%02d-%02d", 1945+n, 1+n%12, 1+n%28),
		Phone:     fmt.Sprintf("+1 212 555 %04d", 100+n),
		Email:     fmt.Sprintf("%s.%s@example.com", lower(g), lower(f)),
		SSN:       fmt.Sprintf("900-%02d-%04d", 10+n, 1000+37*n),
		Therapist: therapist,
	}
}

func demoNote(n int) string {
	return []string{
		"Sleeps better since the walks in the evening. Continue weekly.",
		"Panic on the train twice this month; breathing exercise helped.",
		"Grief work after the loss in spring. Sister may be called in a crisis.",
		"Back at work half days. Next session: plan for full days.",
	}[n%4]
}

func lower(s string) string {
	b := []byte(s)
	for i := range b {
		b[i] |= 0x20 // ASCII names only
	}
	return string(b)
}

// unmixed refuses a demo in the database of a clinic, and a clinic in the database of a demo:
// everybody knows the passwords of the demo's accounts.
func (a *app) unmixed(ctx context.Context) error {
	invented := map[audit.ActorID]bool{}
	for _, account := range demoAccounts() {
		invented[account.ID] = true
	}
	filled, others := false, false
	for p, err := range a.people.People(ctx, tenant, "") {
		if err != nil {
			return err
		}
		filled = filled || invented[p.ID]
		others = others || !invented[p.ID]
	}
	switch {
	case a.demo == nil && filled:
		return errors.New("-demo=false: this database was filled by the demo, whose passwords everybody knows; use another -data or -db")
	case a.demo != nil && others && !filled:
		return errors.New("-demo: this database holds a clinic that was not filled by the demo; use -demo=false, or another -data or -db")
	}
	return nil
}

// seed fills an empty database with invented people. Interrupted, it goes on where it was.
func (a *app) seed(ctx context.Context) error {
	done, err := rows[string](ctx, a.demo, kindSeed)
	if err != nil {
		return err
	}
	if err := a.seedOperators(ctx); err != nil || len(done) > 0 {
		return err
	}
	for _, account := range demoAccounts() {
		if err := a.seedAccount(ctx, account, audit.KindStaff); err != nil {
			return err
		}
		if err := a.staff.put(ctx, member{account.ID, account.Name, account.Email}); err != nil {
			return err
		}
	}
	for n := range demoPatients {
		if err := a.seedPatient(ctx, n); err != nil {
			return err
		}
	}
	if err := a.seedOutsider(ctx); err != nil {
		return err
	}
	if err := a.seedPapers(ctx); err != nil {
		return err
	}
	err = a.log.Record(ctx, audit.Event{
		Tenant: tenant, Actor: audit.System(tenant, "setup"), Action: "demo.seeded", Verb: audit.Create,
		Objects: []audit.Object{{Type: "demo", ID: "seed"}},
	})
	if err != nil {
		return err
	}
	if _, err := a.db.pool.ExecContext(ctx, a.db.q(`DELETE FROM clinic_demo WHERE tenant = ?`), string(tenant)); err != nil {
		return err
	}
	return a.demo.put(ctx, kindSeed, "done", "done", false)
}

// seedAccount takes the way that everybody takes: an invitation, its mail, its link.
func (a *app) seedAccount(ctx context.Context, account demoAccount, kind audit.Kind) error {
	return a.seedAccountOf(ctx, tenant, account, kind)
}

func (a *app) seedAccountOf(ctx context.Context, t audit.Tenant, account demoAccount, kind audit.Kind) error {
	found, err := a.people.Account(ctx, t, account.ID)
	switch {
	case errors.Is(err, authn.ErrNotFound):
		_, err = a.people.Invite(ctx, t, authn.Newcomer{ID: account.ID, Kind: kind, Identifier: account.Email, Role: string(account.role)})
	case err == nil && found.Person.State == authn.Invited:
		err = a.people.Resend(ctx, t, account.ID)
	}
	if err != nil {
		return err
	}
	if found.Person.State == authn.Active {
		return nil
	}
	return a.acceptInvitation(ctx, account)
}

// seedOutsider lets one of the invented patients see their own record.
func (a *app) seedOutsider(ctx context.Context) error {
	account := demoOutsider()
	ids, err := a.patients.find(ctx, account.Email)
	if err != nil {
		return err
	}
	if len(ids) != 1 {
		return errors.New("the invented patient is not there")
	}
	if _, err := a.portal.prepare(ctx, ids[0], account.ID); err != nil {
		return err
	}
	return a.seedAccount(ctx, account, audit.KindPatient)
}

func (a *app) acceptInvitation(ctx context.Context, account demoAccount) error {
	if _, err := a.people.Deliver(ctx); err != nil {
		return err
	}
	mails, err := rows[demoMail](ctx, a.demo, kindMail)
	if err != nil {
		return err
	}
	for _, m := range mails {
		if m.To == account.Email && m.Link != "" {
			_, err := a.people.CompleteSetUp(ctx, path.Base(m.Link), authn.Answer{Password: authn.NewPassword(demoPassword)}, authn.Client{Device: "demo"})
			return err
		}
	}
	return errors.New("an invitation did not arrive")
}

func (a *app) seedPatient(ctx context.Context, n int) error {
	f := demoPatient(n)
	id, err := a.patients.register(ctx, f)
	var duplicate *phi.DuplicateError
	if errors.As(err, &duplicate) { // an interrupted start had come this far, perhaps without the note
		return a.seedMissingNote(ctx, f, n)
	}
	if err != nil {
		return err
	}
	return a.patients.seedNote(ctx, id, demoNote(n))
}

func (a *app) seedMissingNote(ctx context.Context, f registration, n int) error {
	ids, err := a.patients.find(ctx, f.Email)
	if err != nil {
		return err
	}
	for _, id := range ids {
		p, err := a.patients.get(ctx, id)
		if err != nil {
			return err
		}
		if p.Note.IsZero() {
			if err := a.patients.seedNote(ctx, id, demoNote(n)); err != nil {
				return err
			}
		}
	}
	return nil
}

// seedPapers gives a few patients a letter and a questionnaire.
func (a *app) seedPapers(ctx context.Context) error {
	texts := []typedPaper{
		{"Letter to the family doctor", "Thank you for sending your patient. We meet weekly; I will write again in spring."},
		{"Questionnaire before the first visit", "Sleep: poor. Appetite: good. Takes part in: walks, choir."},
	}
	for n := range 4 {
		ids, err := a.patients.find(ctx, demoPatient(n).Email)
		if err != nil {
			return err
		}
		for i, k := range paperKinds() {
			for _, id := range ids {
				if err := a.seedPaper(ctx, k, id, texts[i]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// seedPaper writes a paper unless an interrupted start had come this far.
func (a *app) seedPaper(ctx context.Context, k paperKind, patient string, text typedPaper) error {
	there, err := a.papers.query(ctx, "d.tenant = ? AND d.kind = ? AND d.patient = ?", []any{string(tenant), k.Path, patient})
	if err == nil && len(there) == 0 {
		_, err = a.papers.write(ctx, k, patient, text)
	}
	return err
}
