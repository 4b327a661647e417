package main

import (
	"database/sql"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

const shredReason = "asked for in writing, number 2026-07"

// shredding is the story of a patient whose data is destroyed.
type shredding struct {
	*story
	alma, tom, ava *person
	name, path     string
	put            func(t *testing.T) // puts the copy back
	account        string             // of the portal
	traces         [][]byte           // of the address that it signs in with
}

func (w *shredding) id() string { return strings.TrimPrefix(w.path, "/patients/") }

// TestShredStory: a patient's data is destroyed, with a certificate; everybody else's stays, and a copy of
// the database from before brings nothing back.
func TestShredStory(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		w := &shredding{story: tell(t, args...), name: demoPatient(0).Name}
		w.alma, w.tom, w.ava = w.enter(), w.enter(), w.enter()
		w.arrive()
		w.refused()
		w.copied()
		w.destroyed()
		w.gone("destroyed")
		w.restored()
		w.gone("restored")
		w.alma.speaksPlainly()
	})
}

func (w *shredding) arrive() {
	w.step("a_record_with_everything_in_it", func(t *testing.T) {
		w.alma.signIn(alma, demoPassword)
		w.tom.signIn(tom, demoPassword)
		require.Equal(t, "/me", w.ava.post("/sign-in", credentials(demoPatient(0).Email)).path)
		w.path = w.alma.patient(demoPatient(0).Email)
		desk := w.enter()
		desk.signIn(iris, demoPassword)
		desk.claim(w.path)
		w.tom.post(w.path+"/note/lock", url.Values{"note": {"half a sentence"}, "version": {"2"}})
		require.Equal(t, http.StatusOK, w.tom.proves(w.tom.get("/locked?to=/patients"), byPassword()).status)
		require.Len(t, w.alma.named(w.name), 1)
		w.remember(t)
	})
}

// destroy sends the form, and the proof that it asks for.
func (p *person) destroy(path, name, reason string) page {
	p.t.Helper()
	return p.sure(p.post(path+"/destroy", url.Values{"name": {name}, "reason": {reason}}))
}

func (w *shredding) refused() {
	w.step("not_by_everybody_not_by_mistake_and_not_what_is_held", func(t *testing.T) {
		require.Equal(t, http.StatusForbidden, w.tom.get(w.path+"/destroy").status)
		require.Equal(t, http.StatusForbidden, w.tom.post(w.path+"/destroy", url.Values{"name": {w.name}, "reason": {shredReason}}).status)
		require.NotContains(t, w.tom.get(w.path).body, w.path+"/destroy")
		require.Contains(t, w.alma.get(w.path).body, w.path+"/destroy")
		require.Equal(t, http.StatusUnauthorized, w.alma.post(w.path+"/destroy", url.Values{"name": {w.name}, "reason": {shredReason}}).status, "who is there is asked each time")
		at := w.alma.destroy(w.path, w.name, "")
		require.Contains(t, at.text(), "Nothing was destroyed. Please type a reason")
		for _, name := range []string{"", demoPatient(1).Name, "Ava"} {
			at := w.alma.destroy(w.path, name, shredReason)
			require.Equal(t, http.StatusUnprocessableEntity, at.status, name)
			require.Contains(t, at.text(), "Nothing was destroyed.")
		}
		held := w.alma.patient(demoPatient(2).Email)
		form := url.Values{"type": {"patient"}, "covers": {demoPatient(2).MRN}, "matter": {"2026-014"}, "reason": {"asked by counsel"}}
		require.Equal(t, retentionPath+"?done=held", w.alma.sure(w.alma.post(retentionPath+"/holds", form)).path)
		require.Contains(t, w.alma.get(held+"/destroy").text(), "A legal hold keeps this record.")
		require.NotContains(t, w.alma.get(held+"/destroy").body, `action="`+held+`/destroy"`)
		at = w.alma.destroy(held, demoPatient(2).Name, shredReason)
		require.Equal(t, http.StatusConflict, at.status, at.text())
		require.Equal(t, http.StatusOK, w.alma.get(held).status)
		require.Equal(t, http.StatusOK, w.alma.get(w.path).status)
	})
}

func (w *shredding) copied() {
	w.step("a_copy_is_made", func(t *testing.T) {
		w.put = backup(t, w.story)
	})
}

func (w *shredding) destroyed() {
	w.step("destroyed_with_a_certificate", func(t *testing.T) {
		at := w.alma.destroy(w.path, strings.ToUpper(w.name), shredReason)
		require.Equal(t, w.path+"/destroy?done=destroyed", at.path, at.text())
		require.Contains(t, at.fact(t, "Ordered"), "by Alma Reyes: "+shredReason)
		require.Contains(t, at.fact(t, "Destroyed"), "Keys destroyed then: 1")
		require.Equal(t, w.id(), at.fact(t, "Patient"))
		require.NotContains(t, at.text(), w.name)
		require.Equal(t, w.path+"/destroy", w.alma.destroy(w.path, w.name, shredReason).path, "a second time shows the certificate")
	})
}

// gone checks that nothing of the patient is left, and everything of the others.
func (w *shredding) gone(when string) {
	w.step("nothing_is_left_when_"+when, func(t *testing.T) {
		at := w.alma.get(w.path)
		require.Equal(t, http.StatusGone, at.status)
		require.Contains(t, at.text(), "The data of this patient was destroyed.")
		require.NotContains(t, at.text(), w.name)
		require.Equal(t, http.StatusOK, w.alma.get(w.path+"/access").status, "who had seen it stays on record")
		require.Equal(t, http.StatusOK, w.alma.get(w.path+"/history").status)
		for _, path := range []string{"/note", "/portal", "/disclosures", "/note/history"} {
			require.Contains(t, []int{http.StatusNotFound, http.StatusForbidden}, w.alma.get(w.path+path).status, path)
		}
		require.Equal(t, http.StatusNotFound, w.tom.get(w.path).status)
		for _, typed := range []string{w.name, demoPatient(0).Phone, demoPatient(0).Email, demoPatient(0).MRN} {
			require.Empty(t, w.alma.named(typed), typed)
		}
		list := w.alma.get("/patients")
		require.Contains(t, list.text(), "You may open 59 records.")
		require.NotContains(t, list.text(), w.name)
		require.Equal(t, http.StatusOK, w.alma.get("/claims").status)

		other := w.tom.patient(demoPatient(4).Email)
		require.Contains(t, w.tom.get(other).text(), demoNote(4))
		require.NotEqual(t, "/me", w.ava.get("/me").path, "the patient's session is over")
		require.NotEqual(t, "/me", w.ava.post("/sign-in", credentials(demoPatient(0).Email)).path)
		w.nothingIn(t, "clinic_patient", "id")
		for _, table := range []string{"clinic_claim", "clinic_paper", "clinic_draft", "clinic_care", "clinic_portal", "phi_key"} {
			w.nothingIn(t, table, "patient")
		}
		for _, table := range []string{"phi_term", "phi_unique"} {
			w.nothingIn(t, table, "row_id")
		}
		w.noAddress(t)
	})
}

func (w *shredding) nothingIn(t *testing.T, table, column string) {
	t.Helper()
	d := w.database(t)
	defer d.pool.Close()
	var mine, all int
	require.NoError(t, d.pool.QueryRowContext(t.Context(), d.q(`SELECT COUNT(*) FROM `+table+` WHERE `+column+` = ?`), w.id()).Scan(&mine))
	require.NoError(t, d.pool.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM `+table).Scan(&all))
	require.Zero(t, mine, table)
	if table != "clinic_claim" && table != "clinic_draft" && table != "clinic_portal" {
		require.Positive(t, all, "%s: the others' are there", table)
	}
}

func (s *story) database(t *testing.T) *database {
	t.Helper()
	c, err := parseConfig(s.args)
	require.NoError(t, err)
	d, err := connect(t.Context(), c)
	require.NoError(t, err)
	return d
}

func (w *shredding) restored() {
	w.step("an_old_copy_is_put_back", func(t *testing.T) {
		w.clinic.stop()
		w.put(t)
		d := w.database(t)
		var keys int
		require.NoError(t, d.pool.QueryRowContext(t.Context(), d.q(`SELECT COUNT(*) FROM phi_key WHERE patient = ?`), w.id()).Scan(&keys))
		require.NoError(t, d.pool.Close())
		require.Equal(t, 1, keys, "the copy has the key")
		w.restart(t)
		w.alma.cookies, w.tom.cookies, w.ava.cookies = map[string]string{}, map[string]string{}, map[string]string{}
		w.alma.signIn(alma, demoPassword)
		w.tom.signIn(tom, demoPassword)
		at := w.alma.get(w.path + "/destroy")
		require.Contains(t, at.fact(t, "Destroyed again"), "Keys in it: 1")
		require.NotEmpty(t, at.fact(t, "Destroyed"), "and there is a certificate again")
		require.Len(t, w.alma.events(url.Values{"period": {"24h"}, "action": {string(phi.ActionShredReplayed)}}), 1)
	})
}

// backup copies a story's database and returns what puts the copy back. The clinic is started again.
func backup(t *testing.T, s *story) (put func(*testing.T)) {
	t.Helper()
	s.clinic.stop()
	defer s.restart(t)
	d := s.database(t)
	defer d.pool.Close()
	if !d.postgres {
		c, err := parseConfig(s.args)
		require.NoError(t, err)
		file := filepath.Join(c.data, "clinic.db")
		_, err = d.pool.ExecContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)")
		require.NoError(t, err)
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		return func(t *testing.T) {
			for _, end := range []string{"-wal", "-shm"} {
				_ = os.Remove(file + end)
			}
			require.NoError(t, os.WriteFile(file, content, 0o600))
		}
	}
	tables := tablesOf(t, d.pool)
	for _, table := range tables {
		_, err := d.pool.ExecContext(t.Context(), `CREATE TABLE old_`+table+` AS TABLE `+table)
		require.NoError(t, err)
	}
	return func(t *testing.T) {
		d := s.database(t)
		defer d.pool.Close()
		require.NoError(t, d.inTx(t.Context(), func(tx *sql.Tx) error {
			// As pg_restore --disable-triggers does it.
			if _, err := tx.ExecContext(t.Context(), `SET LOCAL session_replication_role = replica`); err != nil {
				return err
			}
			if _, err := tx.ExecContext(t.Context(), `TRUNCATE `+strings.Join(tables, ", ")); err != nil {
				return err
			}
			for _, table := range tables {
				if _, err := tx.ExecContext(t.Context(), `INSERT INTO `+table+` OVERRIDING SYSTEM VALUE SELECT * FROM old_`+table); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}

func tablesOf(t *testing.T, pool *sql.DB) (tables []string) {
	t.Helper()
	rows, err := pool.QueryContext(t.Context(), `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'`)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		tables = append(tables, name)
	}
	require.NoError(t, rows.Err())
	require.Greater(t, len(tables), 20)
	return tables
}

// TestShredGoesOnAfterKill: a server that is killed as soon as the journal has the patient has promised it; the
// next one finishes, certificate included.
func TestShredGoesOnAfterKill(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		s := tell(t, args...)
		boss := s.enter()
		boss.signIn(alma, demoPassword)
		c, err := parseConfig(args)
		require.NoError(t, err)
		journal := filepath.Join(c.data, "clinic.shreds")
		certified := func(t *testing.T, path string) {
			at := boss.get(path + "/destroy")
			require.Equal(t, http.StatusOK, at.status, at.text())
			require.Contains(t, at.text(), "Certificate of destruction")
			require.NotEmpty(t, at.fact(t, "Destroyed"))
			require.Equal(t, http.StatusGone, boss.get(path).status)
		}
		for n := range 3 {
			path := boss.patient(demoPatient(n).Email)
			s.step("killed_after_the_journal", func(t *testing.T) {
				proof := boss.proofOf(boss.post(path+"/destroy", url.Values{"name": {demoPatient(n).Name}, "reason": {shredReason}}))
				at := boss.send(boss.request(http.MethodPost, "/confirm", proof))
				require.Equal(t, http.StatusTemporaryRedirect, at.status, at.text())
				before, r := size(t, journal), boss.request(http.MethodPost, at.header.Get("Location"), proof)
				go func() { _, _, _ = s.clinic.exchange(r) }()
				require.Eventually(t, func() bool { return size(t, journal) > before }, 30*time.Second, time.Duration(1+n)*time.Millisecond)
				s.clinic.kill()
				s.restart(t)
				certified(t, path)
			})
		}
		s.step("killed_before_anything_else", func(t *testing.T) {
			path := boss.patient(demoPatient(3).Email)
			s.clinic.kill()
			f, err := phi.OpenShredFile(journal)
			require.NoError(t, err)
			require.NoError(t, f.Append(t.Context(), phi.Shredded{Namespace: namespace, Tenant: tenant, Patient: audit.Patient(strings.TrimPrefix(path, "/patients/")), At: time.Now()}))
			s.restart(t)
			certified(t, path)
			require.Contains(t, boss.get(path+"/destroy").text(), "finished by the server")
			before := boss.events(url.Values{"period": {"24h"}, "action": {string(phi.ActionShredded)}})
			require.Len(t, before, 4)
			s.clinic.stop()
			s.restart(t)
			require.Len(t, boss.events(url.Values{"period": {"24h"}, "action": {string(phi.ActionShredded)}}), 4, "each has one certificate")
		})
		s.step("a_lost_journal_stops_the_clinic", func(t *testing.T) {
			s.clinic.stop()
			require.NoError(t, os.Rename(journal, journal+".away"))
			said, code := runClinic(t, append(args, "-addr", "127.0.0.1:0")...)
			require.Equal(t, 1, code)
			require.Contains(t, said, "journal of shreds")
			require.NoError(t, os.Rename(journal+".away", journal))
			s.restart(t)
		})
	})
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Size()
}

// proofOf is the form of the page that asks who is there, filled in.
func (p *person) proofOf(at page) url.Values {
	p.t.Helper()
	require.Equal(p.t, http.StatusUnauthorized, at.status, at.text())
	_, inner, _ := strings.Cut(at.body, `action="/confirm">`)
	inner, _, _ = strings.Cut(inner, "</form>")
	form := byPassword()
	for _, m := range regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`).FindAllStringSubmatch(inner, -1) {
		if m[1] != "csrf" {
			form.Add(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
		}
	}
	return form
}

// TestRestoreUnderRunningServer: rows and keys that come back while the clinic runs open for nobody, and do
// not keep others from their lists.
func TestRestoreUnderRunningServer(t *testing.T) {
	t.Parallel()
	a := opened(t, "-data", t.TempDir())
	ctx := audit.WithActor(t.Context(), audit.System(tenant, "setup"))
	require.NoError(t, a.greet(ctx, io.Discard))
	one, err := a.patients.find(ctx, demoPatient(0).Email)
	require.NoError(t, err)
	id := audit.Patient(one[0])
	kept := map[string]string{"clinic_patient": "id", "clinic_paper": "patient", "phi_key": "patient"}
	for table, column := range kept {
		_, err := a.db.pool.ExecContext(ctx, `CREATE TABLE old_`+table+` AS SELECT * FROM `+table+` WHERE `+column+` = ?`, string(id))
		require.NoError(t, err)
	}
	_, err = a.shredder.Shred(ctx, tenant, id, shredReason)
	require.NoError(t, err)
	for table := range kept {
		res, err := a.db.pool.ExecContext(ctx, `INSERT INTO `+table+` SELECT * FROM old_`+table)
		require.NoError(t, err)
		n, err := res.RowsAffected()
		require.NoError(t, err)
		require.Positive(t, n, table)
	}
	keys, err := a.keysLeft(ctx, id)
	require.NoError(t, err)
	require.Contains(t, keys, "some", "the certificate says what is there")
	found, err := a.patients.query(ctx, "p.tenant = ? ORDER BY p.id", []any{time.Now().UnixMicro(), string(tenant)})
	require.NoError(t, err)
	require.Len(t, found, demoPatients-1)
	papers, err := a.papers.query(ctx, "d.tenant = ?", []any{string(tenant)})
	require.NoError(t, err)
	require.Len(t, papers, 6)
	terms, next, err := a.patients.termsAfter(ctx, tenant, "")
	require.NoError(t, err)
	require.Len(t, terms, demoPatients-1)
	require.NotEmpty(t, next, "and a page that leaves somebody out is not the last")
	require.NoError(t, a.finishShreds(ctx))
	all, err := a.patients.known(ctx, string(id))
	require.NoError(t, err)
	require.Empty(t, all)
	var left int
	require.NoError(t, a.db.pool.QueryRowContext(ctx, `SELECT COUNT(*) FROM phi_key WHERE patient = ?`, string(id)).Scan(&left))
	require.Zero(t, left)
	keys, err = a.keysLeft(ctx, id)
	require.NoError(t, err)
	require.Equal(t, "none", keys)
	require.NoError(t, a.db.pool.Close())
	_, err = a.keysLeft(ctx, id)
	require.Error(t, err)
}

func opened(t *testing.T, args ...string) *app {
	t.Helper()
	c, err := parseConfig(append([]string{"-url", "http://localhost:8080"}, args...))
	require.NoError(t, err)
	a, err := open(t.Context(), c, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(a.close)
	return a
}
