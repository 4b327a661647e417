package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// In the demo anybody can play a dishonest owner of the database: somebody who needs no
// application, no password and no right, and whom no trigger stops. What was there before is kept,
// sealed, so that it can be put back.

// kindTampered are the demo's rows that hold what was there before.
const kindTampered = "tampered"

// cell is one column of a stored row.
type cell struct {
	Name  string
	Null  bool   `json:",omitempty"`
	Int   int64  `json:",omitempty"`
	Bytes []byte `json:",omitempty"`
	Kind  byte   // of the value: i or b
}

func (c cell) value() any {
	switch {
	case c.Null:
		return nil
	case c.Kind == 'i':
		return c.Int
	}
	return append([]byte{}, c.Bytes...)
}

// tampered row is an event as it was stored.
type tamperedRow struct {
	Place int64
	Said  string // what was done to it
	Row   []cell
}

func (t *tamperedRow) cell(name string) *cell {
	for i := range t.Row {
		if t.Row[i].Name == name {
			return &t.Row[i]
		}
	}
	return &cell{}
}

// tamper changes the log directly in the database.
func (a *app) tamper(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	if !a.form(w, r) {
		return
	}
	ctx, err := r.Context(), error(nil)
	switch r.PostForm.Get("how") {
	case "blame":
		err = a.tamperBlame(ctx)
	case "byte":
		err = a.tamperByte(ctx)
	case "delete":
		err = a.tamperDelete(ctx)
	default:
		a.fail(w, r, http.StatusUnprocessableEntity)
		return
	}
	switch {
	case errors.Is(err, sql.ErrNoRows):
		a.showProof(w, r, http.StatusConflict, view{Problem: "Nothing was changed: no event is covered yet that this can be done to. Wait ten seconds."}, proofData{})
	case err != nil:
		a.fail(w, r, http.StatusServiceUnavailable)
	default:
		http.Redirect(w, r, "/audit/proof?done=tampered#tamper", http.StatusSeeOther)
	}
}

// tamperBlame has an event say that somebody else did it, and computes its hash anew.
func (a *app) tamperBlame(ctx context.Context) error {
	to := map[string]string{}
	all := demoAccounts()
	for i, who := range all {
		to[string(who.ID)] = string(all[(i+1)%len(all)].ID)
	}
	return a.eachCovered(ctx, func(e audit.Entry, t tamperedRow) (bool, error) {
		from, other, packed := []byte(e.Actor), []byte(to[string(e.Actor)]), t.cell("body")
		if n := bytes.Count(packed.Bytes, from); len(other) == 0 || n == 0 || n != bytes.Count(e.Body, from) {
			return false, nil
		}
		body := bytes.ReplaceAll(e.Body, from, other)
		if _, err := audit.Decode(body); err != nil {
			return false, nil
		}
		leaf := audit.Leaf(body)
		t.Said = "Event number " + strconv.FormatInt(e.Index, 10) + " now says that " + to[string(e.Actor)] + " did it, not " + string(e.Actor) + ". Its hash was computed anew, so the audit page shows it as if nothing had happened."
		return true, a.asOwner(ctx, t, `UPDATE audit_entry SET body = ?, leaf = ? WHERE place = ?`, bytes.ReplaceAll(packed.Bytes, from, other), leaf[:], t.Place)
	})
}

// tamperByte changes one letter of an event.
func (a *app) tamperByte(ctx context.Context) error {
	return a.eachCovered(ctx, func(e audit.Entry, t tamperedRow) (bool, error) {
		body := bytes.Clone(t.cell("body").Bytes)
		if len(body) < 3 {
			return false, nil
		}
		body[len(body)-2] ^= 1
		t.Said = "One letter of event number " + strconv.FormatInt(e.Index, 10) + " was changed."
		return true, a.asOwner(ctx, t, `UPDATE audit_entry SET body = ? WHERE place = ?`, body, t.Place)
	})
}

// tamperDelete deletes an event.
func (a *app) tamperDelete(ctx context.Context) error {
	return a.eachCovered(ctx, func(e audit.Entry, t tamperedRow) (bool, error) {
		t.Said = "Event number " + strconv.FormatInt(e.Index, 10) + " was deleted."
		return true, a.asOwner(ctx, t, `DELETE FROM audit_entry WHERE place = ?`, t.Place)
	})
}

// eachCovered calls f with events that a checkpoint covers and nobody has tampered with, the newest
// first, until it has done something to one. sql.ErrNoRows if it did nothing.
func (a *app) eachCovered(ctx context.Context, f func(audit.Entry, tamperedRow) (bool, error)) error {
	proof, err := a.trees.Range(ctx, tenant, 0)
	if err != nil {
		return errors.Join(sql.ErrNoRows, err) // what is damaged already covers nothing
	}
	const far = 200
	for e, err := range a.events.List(ctx, audit.Filter{Tenant: tenant}, proof.Head.Size, far) {
		if err != nil {
			break
		}
		row, err := a.stored(ctx, e)
		if err != nil {
			return err
		}
		if done, err := f(e, row); done || err != nil {
			return err
		}
	}
	return sql.ErrNoRows
}

// stored reads the row of an event as the database has it.
func (a *app) stored(ctx context.Context, e audit.Entry) (t tamperedRow, err error) {
	rows, err := a.db.pool.QueryContext(ctx, a.db.q(`SELECT * FROM audit_entry WHERE place = (SELECT no FROM audit_tenant WHERE tenant = ?) * 1099511627776 + ?`), string(tenant), e.Index)
	if err != nil {
		return t, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil || !rows.Next() {
		return t, errors.Join(err, rows.Err(), sql.ErrNoRows)
	}
	values, dest := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		dest[i] = &values[i]
	}
	if err := rows.Scan(dest...); err != nil {
		return t, err
	}
	for i, name := range names {
		c := cell{Name: name, Null: values[i] == nil, Kind: 'b'}
		switch v := values[i].(type) {
		case int64:
			c.Int, c.Kind = v, 'i'
		case []byte:
			c.Bytes = v
		}
		t.Row = append(t.Row, c)
	}
	t.Place = t.cell("place").Int
	return t, rows.Err()
}

// asOwner keeps what is there and runs a statement that the triggers would refuse.
func (a *app) asOwner(ctx context.Context, t tamperedRow, statement string, args ...any) error {
	if err := a.demo.put(ctx, kindTampered, strconv.FormatInt(t.Place, 10), t, false); err != nil {
		return err
	}
	return a.unguarded(ctx, func(tx *sql.Tx) error {
		return touched(tx.ExecContext(ctx, a.db.q(statement), args...))
	})
}

// unguarded runs write with the triggers out of the way, and puts them back in the same transaction.
func (a *app) unguarded(ctx context.Context, write func(*sql.Tx) error) error {
	return a.db.inTx(ctx, func(tx *sql.Tx) error {
		before, after := []string{`ALTER TABLE audit_entry DISABLE TRIGGER USER`}, []string{`ALTER TABLE audit_entry ENABLE TRIGGER USER`}
		if !a.db.postgres {
			var err error
			if before, after, err = triggers(ctx, tx); err != nil {
				return err
			}
		}
		if err := execAll(ctx, tx, before); err != nil {
			return err
		}
		if err := write(tx); err != nil {
			return err
		}
		return execAll(ctx, tx, after)
	})
}

// triggers returns what drops the triggers of SQLite, and what makes them again.
func triggers(ctx context.Context, tx *sql.Tx) (drop, create []string, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_entry'`)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			return nil, nil, err
		}
		drop, create = append(drop, `DROP TRIGGER `+name), append(create, text)
	}
	return drop, create, rows.Err()
}

func execAll(ctx context.Context, tx *sql.Tx, statements []string) error {
	for _, s := range statements {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// tampered says what was done and not undone.
func (a *app) tampered(ctx context.Context) (said []string, err error) {
	all, err := rows[tamperedRow](ctx, a.demo, kindTampered)
	for _, t := range all {
		said = append(said, t.Said)
	}
	return said, err
}

// undoTampering puts back what was there before.
func (a *app) undoTampering(w http.ResponseWriter, r *http.Request, _ rbac.Granted[rbac.InTenant]) {
	ctx := r.Context()
	all, err := rows[tamperedRow](ctx, a.demo, kindTampered)
	for _, t := range all {
		if err == nil {
			err = a.putBack(ctx, t)
		}
	}
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable)
		return
	}
	http.Redirect(w, r, "/audit/proof?done=untampered#tamper", http.StatusSeeOther)
}

func (a *app) putBack(ctx context.Context, t tamperedRow) error {
	var names, marks []string
	var values []any
	for _, c := range t.Row {
		names, marks, values = append(names, c.Name), append(marks, "?"), append(values, c.value())
	}
	return a.unguarded(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, a.db.q(`DELETE FROM audit_entry WHERE place = ?`), t.Place); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, a.db.q(`INSERT INTO audit_entry (`+strings.Join(names, ", ")+`) VALUES (`+strings.Join(marks, ", ")+`)`), values...); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, a.db.q(`DELETE FROM clinic_demo WHERE tenant = ? AND kind = ? AND id = ?`), string(tenant), kindTampered, strconv.FormatInt(t.Place, 10))
		return err
	})
}
