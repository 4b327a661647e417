package phisql_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/enginetest"
	"github.com/wardkit/wardkit/internal/sqlkit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/phisql"
)

// The child process rotates and prints a line whenever it has come further; the parent kills
// it without warning.
const (
	childEngine  = "PHISQL_CRASH_ENGINE"
	childAddress = "PHISQL_CRASH_ADDRESS"
	childKind    = "PHISQL_CRASH_KIND"
	childKeys    = "PHISQL_CRASH_KEYS" // key files, the current one first
)

func TestMain(m *testing.M) {
	if os.Getenv(childEngine) != "" {
		if err := crashChild(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func crashChild() error {
	ctx := context.Background()
	driver, address, open, dialect := "pgx", os.Getenv(childAddress), phisql.Postgres, sqlkit.Postgres
	if os.Getenv(childEngine) == "sqlite" {
		driver, open, dialect = "sqlite", phisql.SQLite, sqlkit.SQLite
		address = "file:" + filepath.ToSlash(address) + "?_pragma=busy_timeout(100)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
	}
	pool, err := sql.Open(driver, address)
	if err != nil {
		return err
	}
	store, err := open(pool)
	if err != nil {
		return err
	}
	kms, err := ringOf(strings.Split(os.Getenv(childKeys), "|"))
	if err != nil {
		return err
	}
	progress := func(job phi.Rotation) {
		fmt.Println(job.ID, job.Done, job.Total)
		time.Sleep(20 * time.Millisecond) // so that who is killed has not finished by then
	}
	if phi.RotationKind(os.Getenv(childKind)) == phi.RotateIndex {
		kit, err := sqlkit.Open(pool, dialect)
		if err != nil {
			return err
		}
		return crashIndex(ctx, kms, store, pool, kit, progress)
	}
	v, err := phi.Open(ctx, "app", kms, store, nil)
	if err != nil {
		return err
	}
	r, err := phi.NewRotator(v, audit.Discard{}, "platform", &phi.RotatorOptions{Batch: 3, Progress: progress})
	if err != nil {
		return err
	}
	switch kind := phi.RotationKind(os.Getenv(childKind)); kind {
	case phi.RotateRows:
		kit, err := sqlkit.Open(pool, dialect)
		if err != nil {
			return err
		}
		_, err = r.Sweep(ctx, clinic, "note", 0, resealNotes(v, pool, kit))
		return err
	case phi.RotateKEK:
		_, err = r.Rotate(ctx, kind, "")
		return err
	default:
		_, err = r.Rotate(ctx, kind, clinic)
		return err
	}
}

func ringOf(paths []string) (*phi.Ring, error) {
	var all []phi.RingKMS
	for _, path := range paths {
		k, err := phi.OpenKeyFile(path)
		if err != nil {
			return nil, err
		}
		all = append(all, k)
	}
	return phi.NewRing(all[0], all[1:]...)
}

// A rotation that is killed again and again, two processes at a time, is finished by those
// that come after, and every value stays readable in between.
func TestRotationKilled(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "test.db")
		rotationKilled(t, enginetest.Engine{Name: "sqlite", Pool: enginetest.OpenSQLite(t, path), Dialect: sqlkit.SQLite}, path)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		pool, address := enginetest.PostgresSchema(t)
		rotationKilled(t, enginetest.Engine{Name: "postgres", Pool: pool, Dialect: sqlkit.Postgres}, address)
	})
}

func rotationKilled(t *testing.T, e enginetest.Engine, address string) {
	old, next := filepath.Join(t.TempDir(), "old"), filepath.Join(t.TempDir(), "next")
	require.NoError(t, phi.CreateKeyFile(old))
	require.NoError(t, phi.CreateKeyFile(next))
	before, err := ringOf([]string{old})
	require.NoError(t, err)
	ring, err := ringOf([]string{next, old})
	require.NoError(t, err)
	nt := newNotes(t, e, before, 50)
	v := nt.vault(t, before)
	for i := range 25 { // roots for RotateKEK
		_, err := v.Seal(t.Context(), phi.At{Tenant: audit.Tenant(fmt.Sprint("tenant-", i)), Field: "f", Row: "r"}, nil)
		require.NoError(t, err)
	}
	c := crash{t, nt, ring, []string{
		childEngine + "=" + e.Name, childAddress + "=" + address, childKeys + "=" + next + "|" + old,
	}}
	c.until(phi.RotateRoot)
	require.Zero(t, c.behind())
	require.Zero(t, nt.readable(t, ring), "the same keys")
	c.until(phi.RotatePatients)
	require.Zero(t, c.behind())
	require.Equal(t, 50, nt.readable(t, ring), "new keys, old values")
	c.until(phi.RotateRows)
	require.Zero(t, nt.readable(t, ring), "new keys, new values")
	c.until(phi.RotateKEK)
	after, err := ringOf([]string{next})
	require.NoError(t, err)
	nt.readable(t, after)

	// The slower of two children may have begun another rotation after the faster one had ended.
	var rotations, least, most int
	kit := e.Kit(t)
	require.NoError(t, kit.Get(t.Context(), []any{&rotations}, `SELECT count(DISTINCT target) FROM phi_rotation WHERE kind = 'patients'`))
	require.NoError(t, kit.Get(t.Context(), []any{&least, &most}, `SELECT min(e), max(e) FROM
		(SELECT max(epoch) AS e FROM phi_key WHERE purpose = 'patient' GROUP BY tenant, patient) AS latest`))
	require.Equal(t, []int{1 + rotations, 1 + rotations}, []int{least, most}, "one new key for each patient, whoever was killed when")
}

type crash struct {
	t    *testing.T
	nt   *notes
	kms  phi.KMS
	envs []string
}

func (c *crash) behind() int {
	status, err := newRotator(c.t, c.nt.vault(c.t, c.kms)).Status(c.t.Context(), clinic)
	require.NoError(c.t, err)
	return status.Behind
}

// until starts children in pairs and kills them after a few lines, until a rotation of the
// kind is finished. It is one and the same rotation for all of them.
func (c *crash) until(kind phi.RotationKind) {
	c.t.Helper()
	kills := 0
	for lines := 2; ; lines++ {
		var wg sync.WaitGroup
		var killed [2]bool
		for i := range killed {
			wg.Go(func() { killed[i] = c.child(kind, lines+i) })
		}
		wg.Wait()
		c.nt.readable(c.t, c.kms)
		tenant := clinic
		if kind == phi.RotateKEK {
			tenant = ""
		}
		all, err := newRotator(c.t, c.nt.vault(c.t, c.kms)).Rotations(c.t.Context(), tenant, "", 10)
		require.NoError(c.t, err)
		var mine []phi.Rotation
		for _, job := range all {
			if job.Kind == kind {
				mine = append(mine, job)
			}
		}
		if len(mine) > 0 && !mine[len(mine)-1].Finished.IsZero() {
			c.t.Logf("%s: %d processes killed", kind, kills)
			require.GreaterOrEqual(c.t, kills, 2)
			c.settle(kind, tenant)
			return
		}
		require.LessOrEqual(c.t, len(mine), 1)
		for _, k := range killed {
			if k {
				kills++
			}
		}
	}
}

// settle finishes a second rotation that the slower of two children may have begun after the
// faster one had ended.
func (c *crash) settle(kind phi.RotationKind, tenant audit.Tenant) {
	r := newRotator(c.t, c.nt.vault(c.t, c.kms))
	all, err := r.Rotations(c.t.Context(), tenant, "", 10)
	require.NoError(c.t, err)
	for _, job := range all {
		if job.Kind == kind && job.Finished.IsZero() && kind != phi.RotateRows {
			_, err := r.Work(c.t.Context(), job)
			require.NoError(c.t, err)
		}
	}
}

// child runs one process until it has printed n lines, and reports whether it was killed.
func (c *crash) child(kind phi.RotationKind, n int) (killed bool) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), c.envs...), childKind+"="+string(kind))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		c.t.Error(err)
		return false
	}
	lines := bufio.NewScanner(out)
	for i := 1; lines.Scan(); i++ {
		if i == n {
			_ = cmd.Process.Kill() // SIGKILL; nothing is flushed
			killed = true
		}
	}
	if err := cmd.Wait(); err != nil && !killed {
		c.t.Errorf("a child failed: %v %s", err, stderr.String())
	}
	return killed
}
