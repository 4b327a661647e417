package phi_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// slowKeys does something before it answers which root there is.
type slowKeys struct {
	*phi.MemoryKeys
	then func()
}

func (s *slowKeys) Get(ctx context.Context, ids ...phi.KeyID) ([]phi.Key, error) {
	found, err := s.MemoryKeys.Get(ctx, ids...)
	if len(found) > 0 && found[0].Purpose == phi.PurposeData && s.then != nil {
		then := s.then
		s.then = nil
		then()
	}
	return found, err
}

// TestShredWhileAnotherOpens: a server that was asking for a key while the patient was shredded does not have it
// for longer than the certificate says.
func TestShredWhileAnotherOpens(t *testing.T) {
	t.Parallel()
	w := newShredWorld(t, phi.NewMemoryShreds())
	slow := &slowKeys{MemoryKeys: w.keys}
	other, err := phi.Open(t.Context(), "app", w.kms, slow, &phi.Options{Shreds: w.journal, CacheTTL: time.Minute, Now: func() time.Time { return w.now }})
	require.NoError(t, err)
	var c phi.Certificate
	slow.then = func() {
		c, err = w.shredder(t, w.v, hold{}, nil).Shred(byOfficer(t), "t", "p-1", "asked")
		require.NoError(t, err)
		w.now = w.now.Add(50 * time.Second)
	}
	_ = w.reads(t, other, "p-1")
	require.Nil(t, slow.then)
	w.now = c.Everywhere.Add(time.Second)
	require.ErrorIs(t, w.reads(t, other, "p-1"), phi.ErrShredded)
}

// TestVaultWithoutItsJournal: a server that was given no journal does not open what others destroyed, once a
// backup brings it back; nor does it begin anew for the patient.
func TestVaultWithoutItsJournal(t *testing.T) {
	t.Parallel()
	w := newShredWorld(t, phi.NewMemoryShreds())
	_, err := w.shredder(t, w.v, hold{}, nil).Shred(byOfficer(t), "t", "p-1", "asked")
	require.NoError(t, err)
	_, err = phi.Open(t.Context(), "app", w.kms, w.keys, nil)
	require.ErrorIs(t, err, phi.ErrJournal)
}

// TestShredFileAgain: where an Append failed because the disk did, the next one does not take the line
// that it sees for durable.
func TestShredFileAgain(t *testing.T) {
	t.Parallel()
	f, err := phi.OpenShredFile(filepath.Join(t.TempDir(), "shreds"))
	require.NoError(t, err)
	e := phi.Shredded{Namespace: "app", Tenant: "t", Patient: "p-1", At: time.Unix(1, 0)}
	f.WithSync(func(*os.File) error { return errors.New("the disk is gone") })
	require.Error(t, f.Append(t.Context(), e))
	require.Error(t, f.Append(t.Context(), e))
	f.WithSync((*os.File).Sync)
	require.NoError(t, f.Append(t.Context(), e))
	n := 0
	for _, err := range f.List(t.Context(), "app") {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 1, n)
}

// TestShredFileAtOnce: lists are read while others add.
func TestShredFileAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shreds")
	var files []*phi.ShredFile
	for range 3 {
		f, err := phi.OpenShredFile(path)
		require.NoError(t, err)
		files = append(files, f)
	}
	var all sync.WaitGroup
	for i, f := range files {
		for k := range 2 {
			all.Go(func() {
				for n := range 50 {
					p := audit.Patient(fmt.Sprintf("p-%d", (n*7+i+k)%60))
					if err := f.Append(context.Background(), phi.Shredded{Namespace: "app", Tenant: "t", Patient: p, At: time.Unix(1, 0)}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Go(func() {
			for range 50 {
				for _, err := range f.List(context.Background(), "app") {
					if err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	again, err := phi.OpenShredFile(path)
	require.NoError(t, err)
	have := map[audit.Patient]bool{}
	for e, err := range again.List(t.Context(), "app") {
		require.NoError(t, err)
		have[e.Patient] = true
	}
	require.NotEmpty(t, have)
}
