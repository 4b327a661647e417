package main

import (
	"context"
	"database/sql"
	"errors"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
)

const tables = `
CREATE TABLE claim (id TEXT PRIMARY KEY, tenant TEXT NOT NULL, practice TEXT NOT NULL, patient TEXT NOT NULL,
	state TEXT NOT NULL, amount INTEGER NOT NULL, name BLOB NOT NULL);
CREATE TABLE payment (id TEXT PRIMARY KEY, tenant TEXT NOT NULL, practice TEXT NOT NULL, patient TEXT NOT NULL,
	claim TEXT NOT NULL, amount INTEGER NOT NULL);`

// books keep the claims and payments. What lists asks for a Filter and what changes for a Granted,
// so neither can be called without a decision.
type books struct {
	db    *sql.DB
	codec *phi.Codec[Claim]
}

func newBooks(ctx context.Context, db *sql.DB, vault *phi.Vault) (*books, error) {
	codec, err := phi.For[Claim](vault, "claim")
	if err != nil {
		return nil, err
	}
	_, err = db.ExecContext(ctx, tables)
	return &books{db, codec}, err
}

// claim returns one claim for its guard, or rbac.ErrNotFound.
func (b *books) claim(ctx context.Context, id string) (Claim, error) {
	all, err := b.query(ctx, "c.tenant = ? AND c.id = ?", []any{string(company), id})
	if err != nil {
		return Claim{}, err
	}
	if len(all) == 0 {
		return Claim{}, rbac.ErrNotFound
	}
	return *all[0], nil
}

// claims returns the claims that the filter lets through.
func (b *books) claims(ctx context.Context, f rbac.Filter[Claim]) ([]*Claim, error) {
	where, args := f.SQL(rbac.SQLite, "c", 0)
	return b.query(ctx, where+" ORDER BY c.id", args)
}

func (b *books) query(ctx context.Context, where string, args []any) ([]*Claim, error) {
	rows, err := b.db.QueryContext(ctx, `SELECT c.id, c.patient, c.practice, c.state, c.amount, `+b.codec.Columns("c.")+
		` FROM claim c WHERE `+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var sealed []phi.Row
	var plain []Claim
	for rows.Next() {
		var row phi.Row
		var c Claim
		if err := rows.Scan(b.codec.Dest(&row, &row.ID, &row.Patient, &c.Practice, &c.State, &c.Amount)...); err != nil {
			return nil, err
		}
		sealed, plain = append(sealed, row), append(plain, c)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	all, err := b.codec.OpenAll(ctx, company, sealed)
	if err != nil {
		return nil, err
	}
	for i, c := range all {
		c.Practice, c.State, c.Amount = plain[i].Practice, plain[i].State, plain[i].Amount
	}
	return all, nil
}

// add writes a claim of the demonstration.
func (b *books) add(ctx context.Context, c *Claim) error {
	sealed, err := b.codec.Seal(ctx, company, c)
	if err != nil {
		return err
	}
	_, err = b.db.ExecContext(ctx, `INSERT INTO claim (id, tenant, practice, patient, state, amount, name) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		c.ID, string(company), string(c.Practice), string(c.Patient), c.State, c.Amount, sealed.Col("name"))
	return err
}

// setState changes a claim that somebody may change.
func (b *books) setState(ctx context.Context, g rbac.Granted[Claim], state string) error {
	if !g.Allows(claimUpdate) {
		return rbac.ErrDenied
	}
	_, err := b.db.ExecContext(ctx, `UPDATE claim SET state = ? WHERE tenant = ? AND id = ?`, state, string(company), g.Resource().ID)
	return err
}

// post writes a payment that somebody may post.
func (b *books) post(ctx context.Context, g rbac.Granted[Payment]) error {
	if !g.Allows(paymentPost) {
		return rbac.ErrDenied
	}
	p := g.Resource()
	_, err := b.db.ExecContext(ctx, `INSERT INTO payment (id, tenant, practice, patient, claim, amount) VALUES (?, ?, ?, ?, ?, ?)`,
		p.ID, string(company), string(p.Practice), string(p.Patient), p.Claim, p.Amount)
	return err
}

// payment returns one payment for its guard, or rbac.ErrNotFound.
func (b *books) payment(ctx context.Context, id string) (Payment, error) {
	p := Payment{ID: id}
	err := b.db.QueryRowContext(ctx, `SELECT practice, patient, claim, amount FROM payment WHERE tenant = ? AND id = ?`, string(company), id).
		Scan(&p.Practice, &p.Patient, &p.Claim, &p.Amount)
	if errors.Is(err, sql.ErrNoRows) {
		return Payment{}, rbac.ErrNotFound
	}
	return p, err
}

// sum is one line of the report.
type sum struct {
	practice     rbac.PracticeID
	claims       int
	billed, paid int64 // cents
}

// report sums up what two filters let through: the claims by one, the payments by the other.
func (b *books) report(ctx context.Context, claims rbac.Filter[Claim], payments rbac.Filter[Payment]) ([]sum, error) {
	mine, args := claims.SQL(rbac.SQLite, "c", 0)
	theirs, more := payments.SQL(rbac.SQLite, "p", len(args))
	rows, err := b.db.QueryContext(ctx, `SELECT c.practice, count(*), sum(c.amount),
		(SELECT COALESCE(sum(p.amount), 0) FROM payment p WHERE p.practice = c.practice AND `+theirs+`)
		FROM claim c WHERE `+mine+` GROUP BY c.practice ORDER BY c.practice`, append(more, args...)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []sum
	for rows.Next() {
		var s sum
		if err := rows.Scan(&s.practice, &s.claims, &s.billed, &s.paid); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, rows.Err()
}

// patientOf is the patient of the n-th practice's m-th claim in the demonstration.
func patientOf(practice rbac.PracticeID, m int) audit.Patient {
	return audit.Patient(string(practice) + "-patient-" + string(rune('a'+m)))
}
