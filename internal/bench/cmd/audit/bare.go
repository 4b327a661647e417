package main

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
)

// bare is what a page cannot be quicker than, on this machine and in these minutes: a statement
// that does nothing, and one that reads as many rows as a page, as far apart as those of one
// patient are, and does not look at them.
type bare struct {
	one, rows *sql.Stmt
	heads     []int64 // the newest place of each tenant
}

const (
	pageRows = 51
	pageGap  = 499
)

func prepareBare(ctx context.Context, e *engine) (b bare, err error) {
	const rows = `SELECT place, recorded, outcome, id, leaf, body FROM audit_entry WHERE place `
	places := "IN (?" + strings.Repeat(", ?", pageRows-1) + ")"
	if e.name == "PostgreSQL" {
		places = "= ANY ($1::bigint[])"
	}
	if b.one, err = e.db.PrepareContext(ctx, `SELECT 1`); err != nil {
		return b, err
	}
	if b.rows, err = e.db.PrepareContext(ctx, rows+places); err != nil {
		return b, err
	}
	heads, err := e.db.QueryContext(ctx, `SELECT no * 1099511627776 + size - 1 FROM audit_tenant WHERE tenant LIKE 'clinic-%'`)
	if err != nil {
		return b, err
	}
	for heads.Next() {
		var head int64
		err = errors.Join(err, heads.Scan(&head))
		b.heads = append(b.heads, head)
	}
	return b, errors.Join(err, heads.Err(), heads.Close())
}

func bareOne(ctx context.Context, a *archive, _ *rand.Rand) (rows int, err error) {
	err = a.bare.one.QueryRowContext(ctx).Scan(&rows)
	return rows, err
}

func bareRows(ctx context.Context, a *archive, r *rand.Rand) (n int, err error) {
	head := a.bare.heads[r.IntN(len(a.bare.heads))]
	args, list := make([]any, pageRows), make([]string, pageRows)
	for i := range args {
		place := head - int64(i)*pageGap
		args[i], list[i] = place, strconv.FormatInt(place, 10)
	}
	if a.name == "PostgreSQL" {
		args = []any{"{" + strings.Join(list, ",") + "}"}
	}
	rows, err := a.bare.rows.QueryContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var place, recorded, outcome int64
		var id, leaf, body sql.RawBytes
		if err := rows.Scan(&place, &recorded, &outcome, &id, &leaf, &body); err != nil {
			return n, err
		}
		n++
	}
	return n, rows.Err()
}
