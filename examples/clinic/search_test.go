package main

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi"
)

// named returns the paths of the patients that a search for a name finds.
func (p *person) named(name string) (paths []string) {
	p.t.Helper()
	at := p.post("/patients/find", url.Values{"q": {name}})
	require.Equal(p.t, http.StatusOK, at.status, at.text())
	for _, id := range at.links(patientLink) {
		paths = append(paths, "/patients/"+id)
	}
	slices.Sort(paths)
	return paths
}

// TestSearchByName: whole words of names find the searcher's own patients and nobody else's, and the
// audit says whom they saw.
func TestSearchByName(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		s := tell(t, args...)
		boss, therapist, other := s.enter(), s.enter(), s.enter()
		boss.signIn(alma, demoPassword)
		therapist.signIn(tom, demoPassword)
		other.signIn(nad, demoPassword)
		s.step("words_in_any_order_and_writing", func(t *testing.T) {
			require.Len(t, boss.named("abara"), 10)
			ava := boss.named("Ava Abara")
			require.Len(t, ava, 1)
			require.Equal(t, []string{boss.patient(demoPatient(0).Email)}, ava)
			for _, typed := range []string{"ABARA, ava", "  ávà   ÁBARA ", "abara"} {
				require.Contains(t, boss.named(typed), ava[0], typed)
			}
			for _, typed := range []string{"Ava Brandt Abara", "aba", "Ava Abara Nobody", "·", "'", "%", strings.Repeat("a ", 120)} {
				require.NotContains(t, boss.named(typed), ava[0], typed)
			}
		})
		s.step("only_whom_the_searcher_may_list", func(t *testing.T) {
			mine, theirs := therapist.named("abara"), other.named("abara")
			require.Len(t, mine, 5)
			require.Len(t, theirs, 5)
			require.Equal(t, boss.named("abara"), slices.Sorted(slices.Values(append(mine, theirs...))))
			require.Empty(t, other.named("Ava Abara"))
			nobody := newPerson(t, s.clinic)
			require.Empty(t, nobody.post("/patients/find", url.Values{"q": {"abara"}}).links(patientLink))
		})
		s.step("who_was_seen_is_on_record", func(t *testing.T) {
			found := therapist.named("Elsa Farrow")
			require.Len(t, found, 1)
			at := boss.get("/audit?" + url.Values{"period": {"24h"}, "patient": {strings.TrimPrefix(found[0], "/patients/")}, "actor": {tomID}}.Encode())
			require.Contains(t, at.text(), "Look at patients")
			require.NotContains(t, boss.get("/audit?"+url.Values{"period": {"24h"}, "patient": {strings.TrimPrefix(boss.named("Jonas Farrow")[0], "/patients/")}, "actor": {tomID}}.Encode()).text(), "Tomas Berg Look at patients")
		})
		s.step("no_term_is_shared_by_many", func(t *testing.T) {
			c, err := parseConfig(args)
			require.NoError(t, err)
			d, err := connect(t.Context(), c)
			require.NoError(t, err)
			defer d.pool.Close()
			most := func(field string) (rows, shared int) {
				err := d.pool.QueryRowContext(t.Context(), d.q(`SELECT SUM(n), MAX(n) FROM (SELECT COUNT(*) AS n FROM phi_term
					WHERE entity = 'patient' AND field = ? GROUP BY term) AS terms`), field).Scan(&rows, &shared)
				require.NoError(t, err)
				return rows, shared
			}
			rows, shared := most("name.words")
			require.Equal(t, 2*demoPatients, rows, "two words each")
			require.LessOrEqual(t, shared, 4, "ten patients have each family name")
		})
	})
}

// TestNameFrequencies: the tables are ones that an index takes, in normal form, and what releases write stays
// findable only while no share gets smaller.
func TestNameFrequencies(t *testing.T) {
	t.Parallel()
	f, err := nameFrequencies(false)
	require.NoError(t, err)
	require.Equal(t, 150, f.Buckets("garcia"))
	require.Equal(t, 50, f.Buckets("smith"))
	require.Equal(t, 50, f.Buckets("thomas"))
	require.Equal(t, 20, f.Buckets("lee"))
	require.Equal(t, 1, f.Buckets("abara"))
	for name := range commonNames() {
		normal, err := phi.Name().Normalise(name)
		require.NoError(t, err)
		require.Equal(t, name, normal)
	}
	g, err := nameFrequencies(true)
	require.NoError(t, err)
	require.Equal(t, 150, g.Buckets("garcia"))
	require.Greater(t, g.Buckets("abara"), 500)
}

// TestOldPatientsByName: what earlier releases wrote is found by name soon after the start.
func TestOldPatientsByName(t *testing.T) {
	t.Parallel()
	folders, err := filepath.Glob(filepath.Join("testdata", "release-*"))
	require.NoError(t, err)
	require.NotEmpty(t, folders)
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Parallel()
			s := tell(t, "-data", oldFolder(t, folder))
			boss := s.enter()
			boss.signInByDemo(alma)
			require.Eventually(t, func() bool { return len(boss.named("farrow")) == 10 }, time.Minute, 50*time.Millisecond)
			require.Equal(t, []string{boss.patient(demoPatient(50).Email)}, boss.named("farrow ava"))
		})
	}
}

// TestFillTermsGoesOn: rows that have their terms are not written again, a row that somebody changes meanwhile
// is left for the next time, and what is left is done then.
func TestFillTermsGoesOn(t *testing.T) {
	t.Parallel()
	c, err := parseConfig([]string{"-data", oldFolder(t, filepath.Join("testdata", "release-0.4")), "-url", "http://localhost:8080"})
	require.NoError(t, err)
	a, err := open(t.Context(), c, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(a.close)
	s := a.patients
	behind := func() (n int) {
		require.NoError(t, a.db.pool.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM clinic_patient WHERE terms < ?`, indexVersion).Scan(&n))
		return n
	}
	all := behind()
	require.GreaterOrEqual(t, all, demoPatients)
	names := phi.NewSight(map[phi.Class]phi.Level{phi.ClassName: phi.Full})
	ids, err := s.search(t.Context(), names, demoPatient(3).Name)
	require.NoError(t, err)
	require.Empty(t, ids)
	one, err := s.find(t.Context(), demoPatient(3).Email)
	require.NoError(t, err)
	p, err := s.get(t.Context(), one[0])
	require.NoError(t, err)

	changed := p
	changed.Version--
	require.ErrorIs(t, s.fillOne(t.Context(), &changed), errChanged)
	require.Equal(t, all, behind(), "a record that is another one by now")
	require.NoError(t, s.fillOne(t.Context(), &p))
	require.Equal(t, all-1, behind())
	ids, err = s.search(t.Context(), names, demoPatient(3).Name)
	require.NoError(t, err)
	require.Equal(t, one, ids)

	var id string
	var sealed []byte
	require.NoError(t, a.db.pool.QueryRowContext(t.Context(), `SELECT id, name FROM clinic_patient WHERE terms < ? ORDER BY id LIMIT 1`, indexVersion).Scan(&id, &sealed))
	write := func(name []byte) {
		_, err := a.db.pool.ExecContext(t.Context(), `UPDATE clinic_patient SET name = ? WHERE id = ?`, name, id)
		require.NoError(t, err)
	}
	damaged := bytes.Clone(sealed)
	damaged[len(damaged)-1]++
	write(damaged)
	left, err := s.fillSome(t.Context())
	require.NoError(t, err)
	require.True(t, left)
	require.Equal(t, 1, behind(), "nobody waits for a damaged record")
	write(sealed)
	left, err = s.fillSome(t.Context())
	require.NoError(t, err)
	require.False(t, left)
	require.Zero(t, behind())
	for n := range demoPatients {
		ids, err := s.search(t.Context(), names, demoPatient(n).Name)
		require.NoError(t, err)
		require.Len(t, ids, 1, demoPatient(n).Name)
		byMail, err := s.find(t.Context(), demoPatient(n).Email)
		require.NoError(t, err)
		require.Equal(t, ids, byMail, "the terms of before are there too")
	}
	hidden := phi.NewSight(map[phi.Class]phi.Level{phi.ClassName: phi.Partial, phi.ClassPhone: phi.Mask, phi.ClassEmail: phi.Partial, phi.ClassMRN: phi.Partial})
	for _, sight := range []phi.Sight{hidden, {}} {
		for _, typed := range []string{demoPatient(3).Name, demoPatient(3).Phone, demoPatient(3).Email, demoPatient(3).MRN} {
			ids, err := s.search(t.Context(), sight, typed)
			require.NoError(t, err)
			require.Empty(t, ids, "what is not shown in full is not found by")
		}
	}
}
