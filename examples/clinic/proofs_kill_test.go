package main

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestCheckGoesOn: a check whose server was killed is done by the next one.
func TestCheckGoesOn(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		s := tell(t, args...)
		boss := s.enter()
		boss.signIn(alma, demoPassword)
		boss.covered()
		s.step("server_died_while_checking", func(t *testing.T) {
			s.clinic.kill()
			c, err := parseConfig(args)
			require.NoError(t, err)
			now, later := time.Now(), time.Now().Add(time.Hour)
			changeArgs(t, c, `INSERT INTO clinic_check (tenant, id, asked, person, old, runner, beat, done, many, ended, result)
				VALUES ('harbor-clinic', '01', ?, 'demo-admin', '', 'dead', ?, 7, 9, 0, '')`, now.UnixMicro(), later.UnixMicro())
			s.restart(t)
			require.Contains(t, boss.get("/audit/proof").body, `<progress max="9" value="7"`, "somebody may still be at it")
			changeArgs(t, c, `UPDATE clinic_check SET beat = ? WHERE id = '01'`, now.Add(-time.Minute).UnixMicro())
			require.Contains(t, boss.result().text(), "Whole: all")
		})
		s.step("server_is_killed_just_after_it_was_asked", func(t *testing.T) {
			_, err := boss.attempt("/audit/proof/check", url.Values{})
			require.NoError(t, err)
			s.clinic.kill()
			s.restart(t)
			require.Contains(t, boss.result().text(), "Whole: all")
			require.Len(t, boss.get("/audit?action=proof.check_ended").table(), 2, "each has one result")
		})
	})
}

// TestTwoServersCover: both sign what the audit has come to, over one database, and one goes on when
// the other is killed.
func TestTwoServersCover(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		if len(args) < 4 {
			t.Skip("SKIPPED: one SQLite file is for one server")
		}
		one, two := tell(t, args...), tell(t, args...)
		first, second := one.enter(), two.enter()
		first.signIn(alma, demoPassword)
		second.signIn(tom, demoPassword)
		for range 5 {
			first.get("/patients")
			second.get("/patients")
			first.covered()
		}
		require.Contains(t, first.verify("").text(), "Whole: all")
		old := first.checkpoint()
		one.clinic.kill()
		first.clinic = two.clinic
		first.get("/patients")
		first.covered()
		at := first.verify(old)
		require.Contains(t, at.text(), "Whole: all")
		require.Contains(t, first.get("/audit/health").fact(t, "Covered by signed checkpoints"), "yes")
	})
}
