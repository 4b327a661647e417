package main

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
)

// Claim is a bill to a patient's insurer on its way: submitted, denied, appealed, paid. The
// table says where it stands; how it came there is in the audit, one event for each step.
type Claim struct {
	ID      string        `phi:",row"`
	Patient audit.Patient `phi:",patient"`
	Tenant  audit.Tenant
	Version int64
	Created time.Time
	State   claimState

	Served phi.Text `phi:"served,class=date"`
	Payer  phi.Text `phi:"payer,class=health_plan"`
	Amount phi.Text `phi:"amount,class=financial"`
}

// RBAC says where the claim belongs.
func (c Claim) RBAC() rbac.Attrs {
	return rbac.Attrs{ID: c.ID, Tenant: c.Tenant, Patient: c.Patient}
}

type claimState string

const (
	stateSubmitted claimState = "submitted"
	stateDenied    claimState = "denied"
	stateAppealed  claimState = "appealed"
	statePaid      claimState = "paid"
)

// The steps of a claim as the audit records them.
const (
	claimSubmitted audit.Action = "claim.submitted"
	claimDenied    audit.Action = "claim.denied"
	claimAppealed  audit.Action = "claim.appealed"
	claimPaid      audit.Action = "claim.paid"
)

// claimStep is what can happen to a claim.
type claimStep struct {
	ID, Name string
	from     []claimState
	to       claimState
	action   audit.Action
	Reasons  []option // one of them has to be named
}

func claimSteps() []claimStep {
	return []claimStep{
		{"deny", "The insurer denied it", []claimState{stateSubmitted, stateAppealed}, stateDenied, claimDenied, denials()},
		{"appeal", "Appeal", []claimState{stateDenied}, stateAppealed, claimAppealed, nil},
		{"pay", "It was paid", []claimState{stateSubmitted, stateAppealed}, statePaid, claimPaid, nil},
	}
}

// denials are the reasons that insurers give. They are codes, because events hold no free text.
func denials() []option {
	return []option{
		{"not_covered", "Not covered"},
		{"information_missing", "Information missing"},
		{"late", "Sent too late"},
		{"duplicate", "Sent twice"},
	}
}

func denialText(code string) string { return wordOf(denials(), code) }

// stepsFrom are the steps that a claim in this state can take.
func stepsFrom(s claimState) (open []claimStep) {
	for _, step := range claimSteps() {
		if slices.Contains(step.from, s) {
			open = append(open, step)
		}
	}
	return open
}

// claims keeps the claims.
type claims struct {
	*books
	codec *phi.Codec[Claim]
	flow  audit.Workflow // what an event of each step has to say
	now   func() time.Time
}

func newClaims(b *books, vault *phi.Vault) (*claims, error) {
	codec, err := phi.For[Claim](vault, "claim")
	if err != nil {
		return nil, err
	}
	flow, err := audit.NewWorkflow("claim",
		audit.Step{Action: claimSubmitted, Verb: audit.Create, Patient: true},
		audit.Step{Action: claimDenied, Verb: audit.Update, Patient: true, Needs: []string{"reason"}},
		audit.Step{Action: claimAppealed, Verb: audit.Update, Patient: true},
		audit.Step{Action: claimPaid, Verb: audit.Update, Patient: true},
	)
	return &claims{b, codec, flow, time.Now}, err
}

// event is a step as the audit records it, with the version of the claim after it.
func (s *claims) event(c *Claim, action audit.Action, detail map[string]string) (audit.Event, error) {
	e, err := s.flow.Event(action, c.ID, c.Patient, detail)
	if err == nil {
		e.Tenant = tenant
		e.Objects[0].Version, e.Objects[0].Category = strconv.FormatInt(c.Version, 10), string(rbac.Billing)
	}
	return e, err
}

// claimPageSize is how many claims a list shows.
const claimPageSize = 50

// list returns a page of the claims that the filter lets through, newest first, of one patient
// if one is named, older than the given id if one is.
func (s *claims) list(ctx context.Context, f rbac.Filter[Claim], patient, before string) ([]*Claim, error) {
	where, args := f.SQL(s.db.dialect(), "c", 0)
	if patient != "" {
		where += " AND c.patient = ?"
		args = append(args, patient)
	}
	if before != "" {
		where += " AND c.id < ?"
		args = append(args, before)
	}
	return s.query(ctx, where+" ORDER BY c.id DESC LIMIT ?", append(args, claimPageSize))
}

// get returns one claim, or rbac.ErrNotFound.
func (s *claims) get(ctx context.Context, id string) (Claim, error) {
	all, err := s.query(ctx, "c.tenant = ? AND c.id = ?", []any{string(tenant), id})
	switch {
	case err != nil:
		return Claim{}, err
	case len(all) == 0:
		return Claim{}, rbac.ErrNotFound
	}
	return *all[0], nil
}

func (s *claims) query(ctx context.Context, where string, args []any) ([]*Claim, error) {
	rows, err := s.db.pool.QueryContext(ctx, s.db.q(`SELECT c.id, c.patient, c.version, c.created, c.state, `+
		s.codec.Columns("c.")+` FROM clinic_claim c WHERE `+where), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var sealed []phi.Row
	var plain []Claim
	for rows.Next() {
		var row phi.Row
		var c Claim
		var created int64
		if err := rows.Scan(s.codec.Dest(&row, &row.ID, &row.Patient, &c.Version, &created, &c.State)...); err != nil {
			return nil, err
		}
		c.Created = time.UnixMicro(created).UTC()
		sealed, plain = append(sealed, row), append(plain, c)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	opened, err := living(ctx, s.codec, sealed)
	if err != nil {
		return nil, err
	}
	var all []*Claim
	for i, c := range opened {
		if c == nil {
			continue
		}
		c.Tenant, c.Version, c.Created, c.State = tenant, plain[i].Version, plain[i].Created, plain[i].State
		all = append(all, c)
	}
	return all, nil
}

// bill is what somebody types to submit a claim.
type bill struct{ Served, Payer, Amount string }

var amountPattern = regexp.MustCompile(`^[1-9]\d{0,5}(\.\d{2})?$`)

// check says what is wrong with the form, in words for people.
func (b bill) check(now time.Time) error {
	served, err := time.Parse(time.DateOnly, b.Served)
	switch {
	case err != nil || served.After(now) || served.Year() < 2000:
		return fmt.Errorf("%w: the day of the visit is not a day in the past", errInput)
	case b.Payer == "" || len(b.Payer) > 120:
		return fmt.Errorf("%w: the insurer is missing or too long", errInput)
	case !amountPattern.MatchString(b.Amount):
		return fmt.Errorf("%w: the amount is written like 120 or 120.50", errInput)
	}
	return nil
}

// submit writes a new claim and its first step.
func (s *claims) submit(ctx context.Context, g rbac.Granted[Patient], b bill) (id string, err error) {
	if !g.Allows(claimSubmit) {
		return "", rbac.ErrDenied
	}
	now := s.now()
	if err := b.check(now); err != nil {
		return "", err
	}
	c := &Claim{
		ID: "c-" + audit.NewID(now), Patient: audit.Patient(g.Resource().ID), Version: 1, State: stateSubmitted,
		Served: phi.NewText(b.Served), Payer: phi.NewText(b.Payer), Amount: phi.NewText(b.Amount),
	}
	record, err := s.codec.Seal(ctx, tenant, c)
	if err != nil {
		return "", err
	}
	e, err := s.event(c, claimSubmitted, nil)
	if err != nil {
		return "", err
	}
	e.Objects = append(e.Objects, audit.Object{Type: "patient", ID: g.Resource().ID}) // it is part of the record's history too
	err = s.change(ctx, e, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, s.db.q(`INSERT INTO clinic_claim (tenant, id, patient, version, created, state, `+s.codec.Columns("")+
			`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`), record.Args(string(tenant), c.ID, string(c.Patient), c.Version, now.UnixMicro(), string(c.State))...)
		return err
	})
	return c.ID, err
}

// take moves a claim one step on. It refuses with errChanged if the claim is not the version
// that was read, and with errInput without a reason where one is needed.
func (s *claims) take(ctx context.Context, g rbac.Granted[Claim], step claimStep, version int64, reason string) error {
	c := g.Resource()
	var detail map[string]string
	switch known := slices.ContainsFunc(step.Reasons, func(o option) bool { return o.ID == reason }); {
	case !g.Allows(claimChange):
		return rbac.ErrDenied
	case c.Version != version || !slices.Contains(step.from, c.State):
		return errChanged
	case known:
		detail = map[string]string{"reason": reason}
	case len(step.Reasons) > 0:
		return fmt.Errorf("%w: choose the reason", errInput)
	}
	c.Version++
	e, err := s.event(&c, step.action, detail)
	if err != nil {
		return err
	}
	return s.change(ctx, e, func(tx *sql.Tx) error {
		return touched(tx.ExecContext(ctx, s.db.q(`UPDATE clinic_claim SET state = ?, version = version + 1
			WHERE tenant = ? AND id = ? AND version = ?`), string(step.to), string(tenant), c.ID, version))
	})
}
