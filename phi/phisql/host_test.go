package phisql_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/phisql"
	"github.com/wardkit/wardkit/phi/phitest"
)

const clinic audit.Tenant = "clinic-1"

// patient is a host's row: ten sealed fields, an id, and a column of the host's own.
type patient struct {
	ID        string   `phi:",row,patient"`
	Therapist string   //
	Given     phi.Text `phi:"given,class=name"`
	Family    phi.Text `phi:"family,class=name"`
	Born      phi.Text `phi:"born,class=date"`
	Phone     phi.Text `phi:"phone,class=phone"`
	Email     phi.Text `phi:"email,class=email"`
	Street    phi.Text `phi:"street,class=geography"`
	MRN       phi.Text `phi:"mrn,class=mrn"`
	SSN       phi.Text `phi:"ssn,class=ssn"`
	Plan      phi.Text `phi:"plan,class=health_plan"`
	Note      phi.Text `phi:"note,class=clinical"`
}

// host is what a host writes: its table, its statements.
type host struct {
	t      testing.TB
	e      enginetest.Engine
	store  *phisql.Store
	codec  *phi.Codec[patient]
	insert string
	sel    string
}

func newHost(t testing.TB, e enginetest.Engine) *host {
	store := openStore(t, e)
	v, err := phi.Open(t.Context(), "app", phi.NewMemoryKMS(), store, nil)
	require.NoError(t, err)
	codec, err := phi.For[patient](v, "patient",
		phi.WithIndex("phone", phi.Phone("US")), phi.WithUnique("email", phi.Email()), phi.WithUnique("mrn", phi.MRN()))
	require.NoError(t, err)
	blob := "BLOB"
	if e.Dialect == sqlkit.Postgres {
		blob = "BYTEA"
	}
	_, err = e.Pool.ExecContext(t.Context(), `CREATE TABLE patient (tenant TEXT, id TEXT PRIMARY KEY, therapist TEXT, `+
		strings.ReplaceAll(codec.Columns(""), ",", " "+blob+",")+` `+blob+`)`)
	require.NoError(t, err)
	kit := e.Kit(t)
	return &host{
		t: t, e: e, store: store, codec: codec,
		insert: kit.Rebind(`INSERT INTO patient (tenant, id, therapist, ` + codec.Columns("") + `) VALUES ` + sqlkit.List(13)),
		sel:    kit.Rebind(`SELECT id, therapist, ` + codec.Columns("") + ` FROM patient WHERE tenant = ? AND id = ?`),
	}
}

func (h *host) add(p *patient) error {
	rec, err := h.codec.Seal(h.t.Context(), clinic, p)
	if err != nil {
		return err
	}
	return h.write(rec, p.Therapist)
}

func (h *host) get(id string) (*patient, error) {
	var row phi.Row
	var therapist string
	err := h.e.Pool.QueryRowContext(h.t.Context(), h.sel, string(clinic), id).Scan(h.codec.Dest(&row, &row.ID, &therapist)...)
	if err != nil {
		return nil, err
	}
	p, err := h.codec.Open(h.t.Context(), clinic, row)
	if err == nil {
		p.Therapist = therapist
	}
	return p, err
}

func newPatient(id, phone, email, mrn string) *patient {
	return &patient{
		ID: id, Therapist: "u-7", Given: phi.NewText("Wilhelmina"), Family: phi.NewText("Featherstone"),
		Born: phi.NewText("1984-02-29"), Phone: phi.NewText(phone), Email: phi.NewText(email),
		MRN: phi.NewText(mrn), SSN: phi.NewText("987-65-4321"), Note: phi.NewText("Sleeps badly since the move."),
	}
}

func TestHostRoundTrip(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		h := newHost(t, open(t))
		in := newPatient("p-1", "(555) 555-0123", "Wil@Example.com", "A-100")
		require.NoError(t, h.add(in))
		out, err := h.get("p-1")
		require.NoError(t, err)
		require.Equal(t, "u-7", out.Therapist)
		require.True(t, out.Family.Equal(in.Family))
		require.True(t, out.Note.Equal(in.Note))
		require.True(t, out.Street.IsZero(), "no value stays no value")

		q, err := h.codec.Lookup(t.Context(), clinic, "phone", "+1 555.555.0123")
		require.NoError(t, err)
		ids, err := h.store.Lookup(t.Context(), clinic, q)
		require.NoError(t, err)
		require.Equal(t, []string{"p-1"}, ids)
		require.Equal(t, []string{"p-1"}, h.search(q))
		ids, err = h.store.Lookup(t.Context(), "clinic-2", q)
		require.NoError(t, err)
		require.Empty(t, ids)
	})
}

// search is a host's own statement with the subquery in it.
func (h *host) search(q phi.Query) []string {
	sub, args := h.store.Subquery(clinic, q, 3)
	rows, err := h.e.Pool.QueryContext(h.t.Context(), h.e.Kit(h.t).Rebind(`SELECT id FROM patient WHERE tenant = ? AND therapist = ? AND id IN (`)+sub+`) ORDER BY id`,
		append([]any{string(clinic), "u-7"}, args...)...)
	require.NoError(h.t, err)
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		require.NoError(h.t, rows.Scan(&id))
		ids = append(ids, id)
	}
	require.NoError(h.t, rows.Err())
	return ids
}

func TestSubqueryPlaceholders(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		h := newHost(t, open(t))
		q, err := h.codec.Lookup(t.Context(), clinic, "email", "a@example.com")
		require.NoError(t, err)
		text, args := h.store.Subquery(clinic, q, 0)
		require.Equal(t, 4, strings.Count(text, "?"))
		require.Len(t, args, 4)
		if h.e.Dialect == sqlkit.Postgres {
			text, _ = h.store.Subquery(clinic, q, 5)
			require.Contains(t, text, "$5")
			require.Contains(t, text, "$8")
			require.NotContains(t, text, "?")
		}
		text, args = h.store.Subquery(clinic, phi.Query{Entity: "patient", Field: "email", Unique: true}, 0)
		require.Contains(t, text, "1 = 0", "no terms match nothing")
		require.Len(t, args, 3)
	})
}

// A duplicate leaves the host's transaction usable and takes nothing with it.
func TestDuplicateInHostTransaction(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		h := newHost(t, open(t))
		require.NoError(t, h.add(newPatient("p-1", "555-555-0101", "wil@example.com", "A1")))
		err := h.add(newPatient("p-2", "555-555-0102", " WIL@example.com ", "A2"))
		var d *phi.DuplicateError
		require.ErrorAs(t, err, &d)
		require.Equal(t, "email", d.Field)
		_, err = h.get("p-2")
		require.ErrorIs(t, err, sql.ErrNoRows)

		rec, err := h.codec.Seal(t.Context(), clinic, newPatient("p-3", "555-555-0103", "wil@example.com", "A3"))
		require.NoError(t, err)
		tx, err := h.e.Pool.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		defer tx.Rollback()
		require.ErrorIs(t, h.store.WithTx(tx).SaveTerms(t.Context(), clinic, rec.Terms()), phi.ErrDuplicate)
		_, err = tx.ExecContext(t.Context(), h.insert, rec.Args(string(clinic), "p-3", "u-7")...)
		require.NoError(t, err, "the transaction goes on")
		require.NoError(t, tx.Commit())
		q, err := h.codec.Lookup(t.Context(), clinic, "mrn", "A3")
		require.NoError(t, err)
		require.Empty(t, h.search(q), "the mrn of the refused save is not held")
	})
}

// A rollback takes the terms with the row.
func TestRollbackTakesTerms(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		h := newHost(t, open(t))
		rec, err := h.codec.Seal(t.Context(), clinic, newPatient("p-1", "555-555-0101", "wil@example.com", "A1"))
		require.NoError(t, err)
		tx, err := h.e.Pool.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		require.NoError(t, h.store.WithTx(tx).SaveTerms(t.Context(), clinic, rec.Terms()))
		require.NoError(t, tx.Rollback())
		require.NoError(t, h.add(newPatient("p-2", "555-555-0101", "wil@example.com", "A1")))
	})
}

// 64 writers add a patient with the same e-mail at once: one patient, one row, one term.
func TestUniqueUnder64Writers(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		h := newHost(t, open(t))
		writers := 64
		if testing.Short() {
			writers = 16
		}
		recs := make([]*phi.Record, writers)
		for i := range recs {
			var err error
			recs[i], err = h.codec.Seal(t.Context(), clinic, newPatient(fmt.Sprintf("p-%02d", i), "555-555-0101", "wil@example.com", fmt.Sprint("A", i)))
			require.NoError(t, err)
		}
		errs := make([]error, writers)
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() { errs[i] = h.write(recs[i], "u-7") })
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
				continue
			}
			require.ErrorIs(t, err, phi.ErrDuplicate)
		}
		require.Equal(t, 1, won)
		var rows, terms int
		require.NoError(t, h.e.Kit(t).Get(t.Context(), []any{&rows}, `SELECT count(*) FROM patient`))
		require.NoError(t, h.e.Kit(t).Get(t.Context(), []any{&terms}, `SELECT count(*) FROM phi_unique`))
		require.Equal(t, 1, rows)
		require.Equal(t, 2, terms, "e-mail and record number of the one")
	})
}

// write adds a sealed row, again while the engine is busy.
func (h *host) write(rec *phi.Record, therapist string) error {
	for {
		err := h.once(rec, therapist)
		if err == nil || !sqlkit.IsBusy(err) {
			return err
		}
	}
}

func (h *host) once(rec *phi.Record, therapist string) error {
	ctx := h.t.Context()
	tx, err := h.e.Pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, h.insert, rec.Args(string(clinic), rec.Terms().Row, therapist)...); err != nil {
		return err
	}
	if err := h.store.WithTx(tx).SaveTerms(ctx, clinic, rec.Terms()); err != nil {
		return err
	}
	return tx.Commit()
}

// A dump of every table shows none of the values, in no form.
func TestDumpHoldsNoPlaintext(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		h := newHost(t, open(t))
		c, err := phitest.NewCanary("Wilhelmina", "Featherstone", "1984-02-29", "(555) 555-0123", "+15555550123",
			"wil@example.com", "A-100-77", "A10077", "987-65-4321", "Sleeps badly")
		require.NoError(t, err)
		p := newPatient("p-1", "(555) 555-0123", "wil@example.com", "A-100-77")
		p.Therapist = c.Decoy()
		require.NoError(t, h.add(p))
		c.Check(t, "the database", dumpAll(t, h.e))
	})
}

func dumpAll(t *testing.T, e enginetest.Engine) io.Reader {
	t.Helper()
	var b bytes.Buffer
	for _, table := range []string{"patient", "phi_key", "phi_term", "phi_unique"} {
		rows, err := e.Pool.QueryContext(t.Context(), `SELECT * FROM `+table)
		require.NoError(t, err)
		cols, err := rows.Columns()
		require.NoError(t, err)
		n := 0
		for ; rows.Next(); n++ {
			vals := make([]any, len(cols))
			for i := range vals {
				vals[i] = new(sql.RawBytes)
			}
			require.NoError(t, rows.Scan(vals...))
			for _, v := range vals {
				b.Write(*v.(*sql.RawBytes))
				b.WriteByte('\n')
			}
		}
		require.NoError(t, errors.Join(rows.Err(), rows.Close()))
		require.NotZero(t, n, table)
	}
	return &b
}

// A Text given to database/sql by mistake is an error, not a plaintext column.
func TestTextCannotReachSQL(t *testing.T) {
	t.Parallel()
	enginetest.SQL(t, func(t *testing.T, open func(testing.TB) enginetest.Engine) {
		t.Parallel()
		h := newHost(t, open(t))
		rebind := h.e.Kit(t).Rebind
		_, err := h.e.Pool.ExecContext(t.Context(), rebind(`UPDATE patient SET given = ?`), phi.NewText("Wilhelmina"))
		require.ErrorIs(t, err, phi.ErrUnsealed)
		_, err = h.e.Pool.ExecContext(t.Context(), rebind(`UPDATE patient SET given = ?`), phi.Sealed("Wilhelmina"))
		require.ErrorIs(t, err, phi.ErrUnsealed)
		require.NotContains(t, err.Error(), "Wilhelmina")
	})
}
