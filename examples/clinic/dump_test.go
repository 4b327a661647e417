package main

import (
	"bytes"
	"database/sql"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi/phitest"
)

// dumpFolder returns the bytes of every file below dir: what a stolen backup holds.
func dumpFolder(t *testing.T, dir string) []byte {
	t.Helper()
	var all bytes.Buffer
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		all.Write(content)
		return err
	})
	require.NoError(t, err)
	require.NotZero(t, all.Len())
	return all.Bytes()
}

// dumpPostgres returns every value of every table of the schema as text, binary columns
// both in hexadecimal and as the bytes they are.
func dumpPostgres(t *testing.T, pool *sql.DB) []byte {
	t.Helper()
	var all bytes.Buffer
	names, err := pool.QueryContext(t.Context(), `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()`)
	require.NoError(t, err)
	var tables []string
	for names.Next() {
		var name string
		require.NoError(t, names.Scan(&name))
		tables = append(tables, name)
	}
	require.NoError(t, names.Err())
	require.NotEmpty(t, tables)
	for _, table := range tables {
		dumpTable(t, pool, table, &all)
	}
	return all.Bytes()
}

func dumpTable(t *testing.T, pool *sql.DB, table string, all *bytes.Buffer) {
	t.Helper()
	rows, err := pool.QueryContext(t.Context(), `SELECT * FROM "`+table+`"`)
	require.NoError(t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(t, err)
	values := make([]any, len(columns))
	for i := range values {
		values[i] = new(any)
	}
	for rows.Next() {
		require.NoError(t, rows.Scan(values...))
		for _, v := range values {
			switch v := (*v.(*any)).(type) {
			case []byte:
				all.Write(v)
				fmt.Fprintf(all, " %s ", hex.EncodeToString(v))
			case int64:
				text := strconv.FormatInt(v, 10)
				if v > 1e14 { // a time: its digits could be anybody's number by chance
					text = text[:8] + "_" + text[8:]
				}
				all.WriteString(text + " ")
			default:
				fmt.Fprintf(all, "%v ", v)
			}
		}
	}
	require.NoError(t, rows.Err())
}

// secrets are all texts of the walk that may not be anywhere in clear.
func (w *walk) secrets() (all []string) {
	for n := range demoPatients {
		p := demoPatient(n)
		all = append(all, p.Name, p.MRN, p.Phone, p.Email, p.SSN, strings.TrimPrefix(p.Phone, "+1 "), demoNote(n))
		if family := strings.Fields(p.Name)[1]; len(family) > 7 { // shorter ones are in random text by chance
			all = append(all, family)
		}
	}
	for _, m := range demoAccounts() {
		all = append(all, m.Name, m.Email)
	}
	form := walkIn()
	for _, field := range []string{"name", "mrn", "phone", "email", "ssn"} {
		all = append(all, form.Get(field))
	}
	all = append(all, "+16465550177", "Villanueva", "Lighthouse Mutual", "Lighthouse", newcomer.name, newcomer.email, revealReason, walkNote, "typed in another tab",
		demoPassword, newcomer.password, path.Base(w.link))
	for _, p := range w.cast {
		all = append(all, p.secret, grouped(p.secret))
		for _, value := range p.kept {
			all = append(all, value, value[len(value)-43:])
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// grouped writes a key the way the enrolment page does.
func grouped(key string) string {
	var groups []string
	for group := range slices.Chunk([]byte(key), 4) {
		groups = append(groups, string(group))
	}
	return strings.Join(groups, " ")
}

// keys are the bytes of the walk's secrets that are numbers rather than texts.
func (w *walk) keys(t *testing.T) (all [][]byte) {
	t.Helper()
	for _, p := range w.cast {
		key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(p.secret)
		require.NoError(t, err)
		all = append(all, key)
		for _, value := range p.kept {
			raw, err := base64.RawURLEncoding.DecodeString(value[len(value)-43+1:]) // whole groups of four
			if err == nil {
				all = append(all, raw)
			}
		}
	}
	return all
}

// nothingInClear: whoever steals the database and the logs reads nothing about anybody, and
// cannot sign in with it.
func (w *walk) nothingInClear() {
	w.step("dump_and_log_hold_nothing_in_clear", func(t *testing.T) {
		secrets := w.secrets()
		require.Greater(t, len(secrets), 300)
		canary, err := phitest.NewCanary(secrets...)
		require.NoError(t, err)
		r := w.alma.request(http.MethodPost, "/team/invite", nil)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		require.Equal(t, http.StatusForbidden, w.alma.send(r).status)
		require.Eventually(t, func() bool { return strings.Contains(w.logged(), "cross_origin") }, 2*time.Minute, 5*time.Millisecond,
			"the clinic logs, and the search sees it")
		plant(t, w.args, canary.Decoy())
		check := func(when string) {
			stolen := append(w.dump(t), w.logged()...)
			canary.Check(t, "dump and log "+when, bytes.NewReader(stolen))
			for i, key := range w.keys(t) {
				require.NotContains(t, string(stolen), string(key), "key %d, %s", i, when)
			}
		}
		check("while it runs")
		w.clinic.stop() // an SQLite database is folded into one file now
		check("after it stopped")
	})
}

// plant writes a text in clear into the clinic's own database, where the clinic never looks.
func plant(t *testing.T, args []string, text string) {
	t.Helper()
	c, err := parseConfig(args)
	require.NoError(t, err)
	db, err := connect(t.Context(), c)
	require.NoError(t, err)
	defer db.pool.Close()
	_, err = db.pool.ExecContext(t.Context(), db.q("INSERT INTO clinic_demo (tenant, kind, id, created, body) VALUES (?, ?, ?, ?, ?)"),
		string(tenant), "planted", text[:4], 0, []byte(text))
	require.NoError(t, err)
}

// TestDumpWouldShowWhatLeaks proves that the search of the walk finds what it looks for.
func TestDumpWouldShowWhatLeaks(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, dump func(*testing.T) []byte) {
		leaked := []string{demoPatient(5).Name, demoPatient(5).Phone, demoPatient(5).Email, demoPatient(5).SSN, demoPassword}
		start(t, append(args, "-demo=false")...)
		canary, err := phitest.NewCanary(leaked...)
		require.NoError(t, err)
		found, _, err := canary.Search(bytes.NewReader(dump(t)))
		require.NoError(t, err)
		require.Empty(t, found)
		for i, text := range leaked {
			plant(t, args, fmt.Sprintf("%04d %s", i, text))
		}
		found, _, err = canary.Search(bytes.NewReader(dump(t)))
		require.NoError(t, err)
		for i := range leaked {
			require.Contains(t, found, fmt.Sprintf("value %d in clear", i))
		}
	})
}
