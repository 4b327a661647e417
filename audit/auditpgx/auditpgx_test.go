package auditpgx_test

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditpgx"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/internal/enginetest"
)

// host is a program that uses pgx and keeps charts.
type host struct {
	t       testing.TB
	address string
	pool    *pgxpool.Pool
	store   *auditsql.Store
	log     *audit.Log
}

func newHost(t testing.TB) *host {
	t.Helper()
	db, address := enginetest.PostgresSchema(t)
	store, err := auditsql.Postgres(db, bytes.Repeat([]byte{7}, 32))
	require.NoError(t, err)
	require.NoError(t, store.Migrate(t.Context()))
	log, err := audit.New(store, audit.DropOpenings{}, nil)
	require.NoError(t, err)
	pool, err := pgxpool.New(t.Context(), address)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	_, err = pool.Exec(t.Context(), `CREATE TABLE chart (note TEXT)`)
	require.NoError(t, err)
	return &host{t, address, pool, store, log}
}

func (h *host) begin() pgx.Tx {
	h.t.Helper()
	tx, err := h.pool.Begin(h.t.Context())
	require.NoError(h.t, err)
	h.t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
	return tx
}

// write is the host's own statement.
func (h *host) write(tx pgx.Tx) {
	h.t.Helper()
	_, err := tx.Exec(h.t.Context(), `INSERT INTO chart (note) VALUES ('one')`)
	require.NoError(h.t, err)
}

func (h *host) prepare(events ...audit.Event) *auditsql.Prepared {
	h.t.Helper()
	p, err := h.store.Prepare(h.t.Context(), h.log, events...)
	require.NoError(h.t, err)
	return p
}

func (h *host) record(tx pgx.Tx, events ...audit.Event) error {
	h.t.Helper()
	return auditpgx.RecordTx(h.t.Context(), tx, h.prepare(events...))
}

// notes counts the host's own rows.
func (h *host) notes() (n int) {
	h.t.Helper()
	require.NoError(h.t, h.pool.QueryRow(h.t.Context(), `SELECT count(*) FROM chart`).Scan(&n))
	return n
}

// order lists the IDs of what can be found, the first first.
func (h *host) order() (ids []string) {
	h.t.Helper()
	page, err := h.log.Query(h.t.Context(), audit.Query{Tenant: "secret-clinic", Limit: audit.MaxLimit})
	require.NoError(h.t, err)
	for _, e := range page.Events {
		ids = append(ids, e.ID)
	}
	slices.Reverse(ids)
	return ids
}

// secret is an event with an ID, whose every text begins with "secret".
func secret() audit.Event {
	return audit.Event{
		ID: audit.NewID(time.Now()), Tenant: "secret-clinic", Action: "secret.write", Verb: audit.Create,
		Actor:    audit.Actor{ID: "secret-u", Kind: audit.KindStaff, Tenant: "secret-clinic"},
		Patients: []audit.Patient{"secret-p"},
		Objects:  []audit.Object{{Type: "secret", ID: "secret-o"}},
	}
}

// closed asks for a typed error that tells nothing.
func closed(t testing.TB, err, sentinel error) {
	t.Helper()
	require.ErrorIs(t, err, sentinel)
	require.NotRegexp(t, `(?i)secret|audit_|chart|insert|select`, err.Error())
}

func TestRecordTxSharesTheFate(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	e, second := secret(), secret()
	tx := h.begin()
	h.write(tx)
	require.NoError(t, h.record(tx, e, second))
	require.Empty(t, h.order(), "not committed, not there")
	require.NoError(t, tx.Rollback(t.Context()))
	require.Empty(t, h.order())
	require.Zero(t, h.notes())

	tx = h.begin()
	h.write(tx)
	require.NoError(t, h.record(tx, e, second), "the IDs are free again")
	require.NoError(t, h.record(tx), "nothing to record")
	require.NoError(t, tx.Commit(t.Context()))
	require.Equal(t, []string{e.ID, second.ID}, h.order())
	require.Equal(t, 1, h.notes())
	b, err := h.store.Backlog(t.Context())
	require.NoError(t, err)
	require.Equal(t, audit.Backlog{}, b)
}

// The log chooses the ID where the event has none.
func TestRecordTxWithoutID(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	tx := h.begin()
	e := secret()
	e.ID = ""
	require.NoError(t, h.record(tx, e, e))
	require.NoError(t, tx.Commit(t.Context()))
	require.Len(t, h.order(), 2)
}

// A nested transaction of pgx is a savepoint.
func TestRecordTxNested(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	tx := h.begin()
	kept, gone, last := secret(), secret(), secret()
	require.NoError(t, h.record(tx, kept))
	nested, err := tx.Begin(t.Context())
	require.NoError(t, err)
	require.NoError(t, h.record(nested, gone))
	require.NoError(t, nested.Rollback(t.Context()))
	nested, err = tx.Begin(t.Context())
	require.NoError(t, err)
	require.NoError(t, h.record(nested, last))
	require.NoError(t, nested.Commit(t.Context()))
	require.NoError(t, tx.Commit(t.Context()))
	require.Equal(t, []string{kept.ID, last.ID}, h.order())
}

// What cannot be recorded does not happen, even for a host that looks at no error.
func TestRecordTxRefuses(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	there, waiting := secret(), secret()
	require.NoError(t, h.log.Record(t.Context(), there))
	require.Equal(t, []string{there.ID}, h.order())
	require.NoError(t, h.log.Record(t.Context(), waiting))
	for name, taken := range map[string]audit.Event{
		"an ID placed":      there,
		"an ID that waits":  waiting,
		"one ID of another": {ID: there.ID, Tenant: there.Tenant, Action: "secret.read", Verb: audit.Read, Actor: there.Actor},
	} {
		tx := h.begin()
		h.write(tx)
		closed(t, h.record(tx, secret(), taken), audit.ErrConflict)
		require.ErrorIs(t, tx.Commit(t.Context()), pgx.ErrTxClosed, name)
		require.Zero(t, h.notes(), name)
		err := h.record(tx, secret())
		closed(t, err, audit.ErrUnconfirmed)
		require.ErrorIs(t, err, pgx.ErrTxClosed, name)
	}
	require.Equal(t, []string{there.ID, waiting.ID}, h.order())
}

// What is prepared once is recorded once, before and after it has its place.
func TestRecordTxAgain(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	e := secret()
	e.ID = ""
	p := h.prepare(e)
	for range 2 {
		tx := h.begin()
		require.NoError(t, auditpgx.RecordTx(t.Context(), tx, p))
		require.NoError(t, tx.Rollback(t.Context()))
	}
	tx := h.begin()
	require.NoError(t, auditpgx.RecordTx(t.Context(), tx, p))
	require.NoError(t, tx.Commit(t.Context()))
	for range 2 {
		tx := h.begin()
		h.write(tx)
		closed(t, auditpgx.RecordTx(t.Context(), tx, p), audit.ErrConflict)
		require.ErrorIs(t, tx.Commit(t.Context()), pgx.ErrTxClosed)
		require.Len(t, h.order(), 1)
	}
	require.Zero(t, h.notes())
}

// A nested transaction is taken back alone; the outer one is the host's.
func TestRecordTxRefusesNested(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	there := secret()
	require.NoError(t, h.log.Record(t.Context(), there))
	tx := h.begin()
	h.write(tx)
	nested, err := tx.Begin(t.Context())
	require.NoError(t, err)
	h.write(nested)
	closed(t, h.record(nested, there), audit.ErrConflict)
	require.ErrorIs(t, nested.Commit(t.Context()), pgx.ErrTxClosed)
	require.NoError(t, tx.Commit(t.Context()))
	require.Equal(t, 1, h.notes())
}

func TestRecordTxNeedsAll(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	require.Error(t, auditpgx.RecordTx(t.Context(), nil, h.prepare(secret())))
	other, err := auditsql.SQLite(enginetest.SQLite(t).Pool)
	require.NoError(t, err)
	foreign, err := other.Prepare(t.Context(), h.log, secret())
	require.NoError(t, err)
	for name, p := range map[string]*auditsql.Prepared{"nothing": nil, "nothing prepared": {}, "for another engine": foreign} {
		tx := h.begin()
		h.write(tx)
		require.Error(t, auditpgx.RecordTx(t.Context(), tx, p), name)
		require.ErrorIs(t, tx.Commit(t.Context()), pgx.ErrTxClosed, name)
	}
	require.Zero(t, h.notes())
}

// Two open transactions with the same tenant, which nobody has recorded for before, do not wait
// for each other, nor does anybody else; the order is that of the commits.
func TestRecordTxHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	first, second := h.begin(), h.begin()
	a, b, c := secret(), secret(), secret()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, auditpgx.RecordTx(ctx, first, h.prepare(a)))
	require.NoError(t, auditpgx.RecordTx(ctx, second, h.prepare(b)))
	require.NoError(t, h.log.Record(ctx, c))
	require.Equal(t, []string{c.ID}, h.order())
	require.NoError(t, second.Commit(ctx))
	require.Equal(t, []string{c.ID, b.ID}, h.order())
	require.NoError(t, first.Commit(ctx))
	require.Equal(t, []string{c.ID, b.ID, a.ID}, h.order())
}

// The same ID in two open transactions: the second waits for the first, and no longer than its
// deadline.
func TestRecordTxOneIDTwice(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	e := secret()
	first, second, third := h.begin(), h.begin(), h.begin()
	require.NoError(t, h.record(first, e))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := auditpgx.RecordTx(ctx, second, h.prepare(e))
	closed(t, err, audit.ErrUnconfirmed)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, first.Commit(t.Context()))
	closed(t, h.record(third, e), audit.ErrConflict)
	require.Equal(t, []string{e.ID}, h.order())
}

// A denial survives the rollback: it is recorded with Record, on the store's connections.
func TestDenialSurvives(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	tx := h.begin()
	require.NoError(t, h.record(tx, secret()))
	denied := secret()
	denied.Outcome, denied.Code = audit.Failure, "policy"
	require.NoError(t, h.log.Record(t.Context(), denied))
	require.NoError(t, tx.Rollback(t.Context()))
	require.Equal(t, []string{denied.ID}, h.order())
}

// A host that does not wait for its commits waits for those that record.
func TestCommitsSynchronously(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	conn, err := pgx.Connect(t.Context(), h.address)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	setting := func() (v string) {
		require.NoError(t, conn.QueryRow(t.Context(), `SHOW synchronous_commit`).Scan(&v))
		return v
	}
	_, err = conn.Exec(t.Context(), `SET synchronous_commit = off`)
	require.NoError(t, err)
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	require.NoError(t, h.record(tx, secret()))
	require.Equal(t, "on", setting())
	require.NoError(t, tx.Commit(t.Context()))
	require.Equal(t, "off", setting(), "the host's session keeps its setting")
}

// However the host's pgx talks to the server, which with a pooler in between it may have to
// change.
func TestEveryWayOfTalking(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	var want []string
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec,
		pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		config, err := pgx.ParseConfig(h.address)
		require.NoError(t, err)
		config.DefaultQueryExecMode = mode
		conn, err := pgx.ConnectConfig(t.Context(), config)
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close(context.Background()) })
		for range 2 {
			tx, err := conn.Begin(t.Context())
			require.NoError(t, err)
			one, two := secret(), secret()
			require.NoError(t, h.record(tx, one, two), mode.String())
			require.NoError(t, tx.Commit(t.Context()))
			want = append(want, one.ID, two.ID)
			tx, err = conn.Begin(t.Context())
			require.NoError(t, err)
			closed(t, h.record(tx, one), audit.ErrConflict)
		}
	}
	require.Equal(t, want, h.order())
}

// The server ends the session within the transaction, the tables are not there, the
// transaction has failed already: an error that tells nothing, and nothing is there.
func TestServerFails(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	for _, fault := range []string{`SELECT pg_terminate_backend(pg_backend_pid())`, `DROP TABLE audit_pending`, `SELECT 1/0`} {
		tx := h.begin()
		h.write(tx)
		_, _ = tx.Exec(t.Context(), fault)
		closed(t, h.record(tx, secret()), audit.ErrUnconfirmed)
		require.Error(t, tx.Commit(t.Context()))
		require.Zero(t, h.notes())
	}
	require.Empty(t, h.order())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tx := h.begin()
	err := auditpgx.RecordTx(ctx, tx, h.prepare(secret()))
	require.ErrorIs(t, err, context.Canceled)
	require.Error(t, tx.Commit(t.Context()))
}
