package main

import (
	"net/url"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestInterruptedSeedingGoesOn: a first start that is killed in the middle is finished by the
// next one.
func TestInterruptedSeedingGoesOn(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, args []string, _ func(*testing.T) []byte) {
		c, err := parseConfig(args)
		require.NoError(t, err)
		child := exec.Command(os.Args[0], append([]string{"-addr", "127.0.0.1:0"}, args...)...)
		child.Env = append(os.Environ(), childVariable+"=1")
		require.NoError(t, child.Start())
		defer func() { _ = child.Wait() }()
		require.Eventually(t, func() bool { return count(t, c, "SELECT COUNT(*) FROM clinic_patient") >= 5 }, time.Minute, 5*time.Millisecond)
		require.NoError(t, child.Process.Kill())
		_ = child.Wait()
		// The kill may come between a patient and the note: make sure that it did, and that it did
		// not come too late on a slow machine.
		change(t, c, "UPDATE clinic_patient SET note = NULL WHERE id = (SELECT MIN(id) FROM clinic_patient)")
		change(t, c, "DELETE FROM clinic_demo WHERE kind = 'seed'")

		s := tell(t, args...)
		require.Equal(t, demoPatients, count(t, c, "SELECT COUNT(*) FROM clinic_patient"))
		require.Equal(t, demoPatients, count(t, c, "SELECT COUNT(*) FROM clinic_patient WHERE note IS NOT NULL"))
		require.Equal(t, demoPatients, count(t, c, "SELECT COUNT(*) FROM clinic_care"))
		boss := s.enter()
		require.Contains(t, boss.signIn(alma, demoPassword).text(), "60 Patients")
		require.Len(t, boss.get("/team").table(), len(demoAccounts()))
		for _, account := range demoAccounts()[1:] {
			at := newPerson(t, s.clinic).post("/sign-in", url.Values{"email": {account.Email}, "password": {demoPassword}})
			require.Equal(t, "/sign-in/enrol", at.path)
		}
	})
}

// count asks the clinic's database beside the clinic; -1 before there is one.
func count(t *testing.T, c config, statement string) (n int) {
	t.Helper()
	if _, err := os.Stat(c.data + "/clinic.key"); err != nil {
		return -1
	}
	db, err := connect(t.Context(), c)
	require.NoError(t, err)
	defer db.pool.Close()
	if db.pool.QueryRowContext(t.Context(), statement).Scan(&n) != nil {
		return -1
	}
	return n
}

func change(t *testing.T, c config, statement string) {
	t.Helper()
	db, err := connect(t.Context(), c)
	require.NoError(t, err)
	defer db.pool.Close()
	_, err = db.pool.ExecContext(t.Context(), statement)
	require.NoError(t, err)
}

// changeArgs changes the clinic's database beside the clinic, as time would.
func changeArgs(t *testing.T, c config, statement string, args ...any) {
	t.Helper()
	db, err := connect(t.Context(), c)
	require.NoError(t, err)
	defer db.pool.Close()
	res, err := db.pool.ExecContext(t.Context(), db.q(statement), args...)
	require.NoError(t, err)
	n, err := res.RowsAffected()
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
}
