package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/auditsql"
	"github.com/wardkit/wardkit/audit/audittest"
	"github.com/wardkit/wardkit/audit/export"
	"github.com/wardkit/wardkit/audit/tlog"
	"github.com/wardkit/wardkit/audit/tlog/tlogsql"
	"github.com/wardkit/wardkit/internal/enginetest"
)

func key(seed string) ed25519.PrivateKey {
	sum := sha256.Sum256([]byte(seed))
	return ed25519.NewKeyFromSeed(sum[:])
}

// house is a database with a log of 300 events, and what its operator gives out.
type house struct {
	pool   *sql.DB
	where  []string // flags that name the database
	events *auditsql.Store
	trees  *tlog.Log
	x      *export.Exporter
	now    time.Time // zero: now
	dir    string
	sinks  string
	logKey string
}

func newHouse(t *testing.T, engine string) *house {
	t.Helper()
	h := &house{dir: t.TempDir()}
	h.sinks = filepath.Join(h.dir, "checkpoints")
	var trees *tlogsql.Store
	if engine == "sqlite" {
		path := filepath.Join(h.dir, "log.db")
		h.pool, h.where = enginetest.OpenSQLite(t, path), []string{"-sqlite", path}
		events, err := auditsql.SQLite(h.pool)
		require.NoError(t, err)
		trees, err = tlogsql.SQLite(h.pool)
		require.NoError(t, err)
		h.events = events
	} else {
		pool, address := enginetest.PostgresSchema(t)
		h.pool, h.where = pool, []string{"-postgres", address}
		events, err := auditsql.Postgres(pool, bytes.Repeat([]byte{7}, 32))
		require.NoError(t, err)
		trees, err = tlogsql.Postgres(pool)
		require.NoError(t, err)
		h.events = events
	}
	require.NoError(t, h.events.Migrate(t.Context()))
	require.NoError(t, trees.Migrate(t.Context()))
	var err error
	h.trees, err = tlog.New(h.events, trees, "clinic.example.com/audit", key("log"), &tlog.Options{Now: h.clock, Sinks: []tlog.Sink{tlog.NewFileSink(h.sinks)}})
	require.NoError(t, err)
	h.x, err = export.New(h.events, h.trees, audittest.NewRecorder(), "clinic.example.com/export", key("export"), nil)
	require.NoError(t, err)
	h.logKey = h.trees.VerifierKey()
	h.now = time.Date(2018, 5, 4, 12, 0, 0, 0, time.UTC)
	h.add(t, 300)
	h.now = time.Time{}
	return h
}

// clock is the time, or another one.
func (h *house) clock() time.Time {
	if h.now.IsZero() {
		return time.Now()
	}
	return h.now
}

// purge lets two people agree that some of the first 300 events are destroyed, which are so.
func (h *house) purge(t *testing.T, agreed, destroyed audit.Span) {
	t.Helper()
	p := audit.Purge{ID: "plan-1", Spans: []audit.Span{agreed}, Newest: time.Date(2018, 5, 4, 13, 0, 0, 0, time.UTC), Months: 72, By: [2]audit.ActorID{"u-1", "u-2"}}
	e, err := p.Event("clinic")
	require.NoError(t, err)
	e.Actor = audit.System("clinic", "purge")
	log, err := audit.New(h.events, audit.DropOpenings{}, nil)
	require.NoError(t, err)
	require.NoError(t, log.Record(t.Context(), e))
	h.add(t, 0)
	require.NoError(t, h.events.Purge(t.Context(), "clinic", []audit.Span{destroyed}))
}

func (h *house) add(t *testing.T, n int) {
	t.Helper()
	log, err := audit.New(h.events, audit.DropOpenings{}, &audit.Options{Now: h.clock})
	require.NoError(t, err)
	for i := range n {
		require.NoError(t, log.Record(t.Context(), audit.Event{
			Tenant: "clinic", Action: "patient.read", Verb: audit.Read, Patients: []audit.Patient{audit.Patient(fmt.Sprint("p-", i))},
			Actor: audit.Actor{ID: "u-1", Kind: audit.KindStaff, Tenant: "clinic"},
		}))
	}
	for {
		placed, err := h.events.Sequence(t.Context(), 1000)
		require.NoError(t, err)
		if placed == 0 {
			break
		}
	}
	_, err = h.trees.Integrate(t.Context())
	require.NoError(t, err)
}

// database runs the command on the database.
func (h *house) database(more ...string) (status int, out, errs string) {
	return command(append(append([]string{"database", "-log-key", h.logKey}, h.where...), more...)...)
}

func command(args ...string) (status int, out, errs string) {
	var o, e strings.Builder
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	status = run(ctx, args, &o, &e)
	return status, o.String(), e.String()
}

// alter changes an event, as the database's owner can.
func (h *house) alter(t *testing.T, place int) {
	t.Helper()
	drop := `DROP TRIGGER audit_entry_no_update`
	if h.where[0] == "-postgres" {
		drop = `DROP TRIGGER audit_entry_update ON audit_entry`
	}
	_, _ = h.pool.ExecContext(t.Context(), drop) // the second time there is none
	_, err := h.pool.ExecContext(t.Context(), fmt.Sprintf(`UPDATE audit_entry SET body = leaf WHERE place = %d`, int64(1)<<40+int64(place)))
	require.NoError(t, err)
}

// TestDatabase: a stranger with the command, the key and the file of checkpoints.
func TestDatabase(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, engine)
			state := filepath.Join(h.dir, "state")
			code, out, errs := h.database("-checkpoint", h.sinks)
			require.Equal(t, exitWhole, code, errs)
			require.Contains(t, out, "whole: 300 events, tenants: 1")
			code, out, _ = h.database()
			require.Equal(t, exitWhole, code)
			require.Contains(t, out, "without an old checkpoint nobody can tell")

			one := filepath.Join(h.dir, "one")
			require.NoError(t, os.WriteFile(one, h.trees.Checkpoint(), 0o600))
			code, _, errs = h.database("-checkpoint", one, "-mode", "sampled", "-samples", "20")
			require.Equal(t, exitWhole, code, errs)

			code, out, errs = h.database("-mode", "incremental", "-state", state)
			require.Equal(t, exitWhole, code, errs)
			require.Contains(t, out, "nothing wrong in what was read: 300 events")
			h.add(t, 20)
			code, out, errs = h.database("-mode", "incremental", "-state", state)
			require.Equal(t, exitWhole, code, errs)
			require.Contains(t, out, "nothing wrong in what was read: 20 events")
			require.NotContains(t, out, "nobody can tell", "the state holds a checkpoint")

			h.alter(t, 17)
			code, out, errs = h.database("-checkpoint", h.sinks)
			require.Equal(t, exitTampered, code)
			require.Contains(t, out, `tenant "clinic", events 17 to 17`)
			require.Contains(t, errs, "not what was signed")
			code, _, _ = h.database("-mode", "sampled", "-samples", "5000")
			require.Equal(t, exitTampered, code)

			h.logKey = h.x.VerifierKey()
			code, _, _ = h.database()
			require.Equal(t, exitTampered, code, "another key")
		})
	}
}

// TestExport: a stranger with the command, an export, its manifest and two keys.
func TestExport(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "sqlite")
	for _, format := range []export.Encoder{export.JSONLines{}, export.CSV{}} {
		file, manifest := filepath.Join(h.dir, "e."+format.Name()), filepath.Join(h.dir, "m."+format.Name())
		var b bytes.Buffer
		ctx := audit.WithActor(t.Context(), audit.Actor{ID: "u-1", Kind: audit.KindStaff, Tenant: "clinic"})
		signed, err := h.x.Export(ctx, &b, export.Request{Tenant: "clinic", Encoder: format})
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(file, b.Bytes(), 0o600))
		require.NoError(t, os.WriteFile(manifest, signed, 0o600))
		args := []string{"export", "-log-key", h.logKey, "-export-key", h.x.VerifierKey(), "-manifest", manifest, file}
		code, out, errs := command(args...)
		require.Equal(t, exitWhole, code, errs)
		require.Contains(t, out, `whole: 300 events of "clinic"`)
		require.Contains(t, out, "clinic.example.com/audit\n1\n")
		require.Equal(t, format.Name() == "jsonl", strings.Contains(out, "proven by the lines themselves"))

		b.Bytes()[b.Len()/2] ^= 1
		require.NoError(t, os.WriteFile(file, b.Bytes(), 0o600))
		code, _, errs = command(args...)
		require.Equal(t, exitTampered, code, errs)
	}
}

// TestPurged: what two people agreed to is counted, whatever else is missing is found.
func TestPurged(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, engine)
			state := filepath.Join(h.dir, "state")
			code, _, errs := h.database("-mode", "incremental", "-state", state)
			require.Equal(t, exitWhole, code, errs)
			h.purge(t, audit.Span{From: 0, To: 120}, audit.Span{From: 0, To: 100})
			for _, mode := range [][]string{nil, {"-mode", "incremental", "-state", state}} {
				code, out, errs := h.database(append(mode, "-checkpoint", h.sinks)...)
				require.Equal(t, exitWhole, code, errs)
				require.Contains(t, out, "100 events were purged", mode)
			}
			code, out, errs := h.database("-mode", "sampled", "-samples", "200")
			require.Equal(t, exitWhole, code, errs)
			require.Contains(t, out, "events were purged")

			file, manifest := filepath.Join(h.dir, "e"), filepath.Join(h.dir, "m")
			for _, format := range []export.Encoder{export.JSONLines{}, export.CSV{}} {
				var b bytes.Buffer
				ctx := audit.WithActor(t.Context(), audit.Actor{ID: "u-1", Kind: audit.KindStaff, Tenant: "clinic"})
				signed, err := h.x.Export(ctx, &b, export.Request{Tenant: "clinic", Encoder: format})
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(file, b.Bytes(), 0o600))
				require.NoError(t, os.WriteFile(manifest, signed, 0o600))
				code, out, errs = command("export", "-log-key", h.logKey, "-export-key", h.x.VerifierKey(), "-manifest", manifest, file)
				require.Equal(t, exitWhole, code, errs)
				require.Contains(t, out, "whole: 201 events")
				require.Contains(t, out, "100 more were purged; of these the export has "+purgedText(format.Name() == "jsonl"))
			}

			require.NoError(t, h.events.Purge(t.Context(), "clinic", []audit.Span{{From: 119, To: 122}}))
			for _, mode := range [][]string{nil, {"-mode", "incremental", "-state", state}} {
				code, out, errs = h.database(mode...)
				require.Equal(t, exitTampered, code)
				require.Contains(t, out, `tenant "clinic", events 120 to 121: `)
				require.Contains(t, out, "no purge covers")
				require.Contains(t, errs, "not what was signed")
			}
		})
	}
}

// TestUsage: mistakes are 2, what cannot be found out is 3, and neither is ever 0 or 1.
func TestUsage(t *testing.T) {
	t.Parallel()
	code, out, _ := command("-h")
	require.Equal(t, exitWhole, code)
	for _, word := range []string{"auditverify export", "auditverify database", "-checkpoint", "exit status", "no secret", "A purge destroys"} {
		require.Contains(t, out, word)
	}
	for _, about := range []string{"export", "database"} {
		code, again, errs := command(about, "-h")
		require.Equal(t, exitWhole, code)
		require.Equal(t, out, again+errs)
	}
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage")
	require.NoError(t, os.WriteFile(garbage, []byte("garbage"), 0o600))
	h := newHouse(t, "sqlite")
	for name, c := range map[string]struct {
		args []string
		want int
	}{
		"nothing":          {nil, exitUsage},
		"another command":  {[]string{"verify"}, exitUsage},
		"unknown flag":     {[]string{"database", "-force"}, exitUsage},
		"no key":           {[]string{"database", "-sqlite", garbage}, exitUsage},
		"both databases":   {[]string{"database", "-log-key", "k", "-sqlite", garbage, "-postgres", "x"}, exitUsage},
		"no database":      {[]string{"database", "-log-key", "k"}, exitUsage},
		"not there":        {[]string{"database", "-log-key", h.logKey, "-sqlite", filepath.Join(dir, "none")}, exitUsage},
		"mode":             {append([]string{"database", "-log-key", "k", "-mode", "quick"}, h.where...), exitUsage},
		"state alone":      {append([]string{"database", "-log-key", "k", "-state", "x"}, h.where...), exitUsage},
		"no state":         {append([]string{"database", "-log-key", "k", "-mode", "incremental"}, h.where...), exitUsage},
		"samples":          {append([]string{"database", "-log-key", "k", "-mode", "sampled", "-samples", "0"}, h.where...), exitUsage},
		"a bad state":      {append([]string{"database", "-log-key", h.logKey, "-mode", "incremental", "-state", garbage}, h.where...), exitUsage},
		"a bad checkpoint": {append([]string{"database", "-log-key", h.logKey, "-checkpoint", garbage}, h.where...), exitTampered},
		"a bad key":        {append([]string{"database", "-log-key", "k"}, h.where...), exitUsage},
		"half a key":       {append([]string{"database", "-log-key", h.logKey[:len(h.logKey)-3]}, h.where...), exitUsage},
		"a mistyped key":   {append([]string{"database", "-log-key", strings.Replace(h.logKey, "+", "+0", 1)}, h.where...), exitUsage},
		"a bad export key": {[]string{"export", "-log-key", h.logKey, "-export-key", "k", "-manifest", garbage, garbage}, exitUsage},
		"a bad log key":    {[]string{"export", "-log-key", "k", "-export-key", h.x.VerifierKey(), "-manifest", garbage, garbage}, exitUsage},
		"no tables":        {[]string{"database", "-log-key", h.logKey, "-sqlite", garbage}, exitUncertain},
		"no server":        {[]string{"database", "-log-key", h.logKey, "-postgres", "postgres://127.0.0.1:1/none?connect_timeout=1"}, exitUncertain},
		"no manifest":      {[]string{"export", "-log-key", h.logKey, "-export-key", h.x.VerifierKey(), "-manifest", filepath.Join(dir, "none"), garbage}, exitUsage},
		"no export":        {[]string{"export", "-log-key", h.logKey, "-export-key", h.x.VerifierKey(), "-manifest", garbage, filepath.Join(dir, "none")}, exitUsage},
		"a bad manifest":   {[]string{"export", "-log-key", h.logKey, "-export-key", h.x.VerifierKey(), "-manifest", garbage, garbage}, exitTampered},
		"export of what":   {[]string{"export", "-log-key", h.logKey}, exitUsage},
	} {
		code, _, errs := command(c.args...)
		require.Equal(t, c.want, code, "%s: %s", name, errs)
		require.NotEmpty(t, errs, name)
		if strings.Contains(name, "key") && name != "no key" {
			require.Contains(t, errs, "is not a verifier key", name)
			require.NotContains(t, errs, "signed", name)
		}
	}
}

// TestItOnlyReads: a verification writes nothing into the database.
func TestItOnlyReads(t *testing.T) {
	t.Parallel()
	d := database{sqlite: filepath.Join(t.TempDir(), "log.db")}
	require.NoError(t, os.WriteFile(d.sqlite, nil, 0o600))
	events, _, end, err := d.open()
	require.NoError(t, err)
	defer end()
	require.Error(t, events.Migrate(t.Context()))
}
