package phi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// hold is a ShredGate: whom it holds, or why it cannot be asked.
type hold struct {
	held bool
	err  error
}

func (g hold) Held(context.Context, audit.Tenant, audit.Patient) (bool, error) { return g.held, g.err }

// ledger remembers events, or refuses them.
type ledger struct {
	events []audit.Event
	fail   func(audit.Event) error
}

func (l *ledger) Record(_ context.Context, events ...audit.Event) error {
	for _, e := range events {
		if l.fail != nil {
			if err := l.fail(e); err != nil {
				return err
			}
		}
		if err := e.Validate(); err != nil {
			return err
		}
		l.events = append(l.events, e)
	}
	return nil
}

func (l *ledger) actions() (out []audit.Action) {
	for _, e := range l.events {
		out = append(out, e.Action)
	}
	return out
}

// shredWorld is a vault with a journal, and values of two patients.
type shredWorld struct {
	keys    *phi.MemoryKeys
	kms     *phi.MemoryKMS
	journal phi.ShredJournal
	v       *phi.Vault
	rec     ledger
	sealed  map[audit.Patient]phi.Sealed
	now     time.Time
}

func at(p audit.Patient) phi.At {
	return phi.At{Tenant: "t", Field: "patient.note", Patient: p, Row: "r-1"}
}

func newShredWorld(t *testing.T, journal phi.ShredJournal) *shredWorld {
	t.Helper()
	w := &shredWorld{keys: phi.NewMemoryKeys(), kms: phi.NewMemoryKMS(), journal: journal, sealed: map[audit.Patient]phi.Sealed{}, now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	w.v = w.open(t)
	for _, p := range []audit.Patient{"p-1", "p-2", ""} {
		s, err := w.v.Seal(t.Context(), at(p), []byte("note of "+p))
		require.NoError(t, err)
		w.sealed[p] = s
	}
	return w
}

func (w *shredWorld) open(t *testing.T) *phi.Vault {
	t.Helper()
	v, err := phi.Open(t.Context(), "app", w.kms, w.keys, &phi.Options{Shreds: w.journal, CacheTTL: time.Minute, Now: func() time.Time { return w.now }})
	require.NoError(t, err)
	return v
}

func (w *shredWorld) shredder(t *testing.T, v *phi.Vault, g phi.ShredGate, o *phi.ShredderOptions) *phi.Shredder {
	t.Helper()
	s, err := phi.NewShredder(v, &w.rec, g, o)
	require.NoError(t, err)
	return s
}

func byOfficer(t *testing.T) context.Context {
	return audit.WithActor(t.Context(), audit.Actor{ID: "u-1", Kind: audit.KindStaff, Tenant: "t"})
}

// reads opens the patient's note with a vault.
func (w *shredWorld) reads(t *testing.T, v *phi.Vault, p audit.Patient) error {
	t.Helper()
	plain, err := v.Unseal(t.Context(), at(p), w.sealed[p])
	if err == nil {
		require.Equal(t, "note of "+string(p), string(plain))
	}
	return err
}

func TestShred(t *testing.T) {
	w := newShredWorld(t, phi.NewMemoryShreds())
	var forgotten []audit.Patient
	s := w.shredder(t, w.v, hold{}, &phi.ShredderOptions{Forget: func(_ context.Context, tn audit.Tenant, p audit.Patient) error {
		require.Equal(t, audit.Tenant("t"), tn)
		forgotten = append(forgotten, p)
		return nil
	}})
	other := w.open(t)
	require.NoError(t, w.reads(t, other, "p-1"))
	c, err := s.Shred(byOfficer(t), "t", "p-1", "asked to be forgotten")
	require.NoError(t, err)
	require.Equal(t, phi.Certificate{Tenant: "t", Patient: "p-1", Keys: 1, At: w.now, Everywhere: w.now.Add(time.Minute)}, c)
	require.Equal(t, []audit.Patient{"p-1"}, forgotten)
	require.Equal(t, []audit.Action{phi.ActionShredOrdered, phi.ActionShredded}, w.rec.actions())
	why, ok := w.rec.events[0].Why.Reveal()
	require.True(t, ok)
	require.Equal(t, "asked to be forgotten", why)
	require.Equal(t, map[string]string{"keys": "1", "everywhere": "2026-03-01T00:01:00Z"}, w.rec.events[1].Detail)
	for _, e := range w.rec.events {
		require.Equal(t, []audit.Patient{"p-1"}, e.Patients)
		require.Equal(t, audit.ActorID("u-1"), e.Actor.ID)
	}

	require.ErrorIs(t, w.reads(t, w.v, "p-1"), phi.ErrShredded, "at once where it was done")
	require.NoError(t, w.reads(t, w.v, "p-2"))
	require.NoError(t, w.reads(t, w.v, ""))
	require.NoError(t, w.reads(t, other, "p-1"), "another server's memory")
	w.now = c.Everywhere
	require.ErrorIs(t, w.reads(t, other, "p-1"), phi.ErrShredded, "and nowhere after that")
	for _, v := range []*phi.Vault{w.v, other, w.open(t)} {
		_, err = v.Seal(t.Context(), at("p-1"), []byte("new"))
		require.ErrorIs(t, err, phi.ErrShredded, "nothing new for the patient")
	}
	c, err = s.Shred(byOfficer(t), "t", "p-1", "again")
	require.NoError(t, err)
	require.Zero(t, c.Keys)
}

// slowJournal takes its time.
type slowJournal struct {
	phi.ShredJournal
	during func()
}

func (j *slowJournal) Append(ctx context.Context, e phi.Shredded) error {
	if j.during != nil {
		j.during()
	}
	return j.ShredJournal.Append(ctx, e)
}

// TestCertificateOfASlowJournal: a key that is loaded while the journal writes is gone when the
// certificate says so, and not before.
func TestCertificateOfASlowJournal(t *testing.T) {
	t.Parallel()
	j := &slowJournal{ShredJournal: phi.NewMemoryShreds()}
	w := newShredWorld(t, j)
	other := w.open(t)
	began := w.now
	j.during = func() {
		w.now = w.now.Add(40*time.Second + 250*time.Millisecond)
		require.NoError(t, w.reads(t, other, "p-1"))
	}
	c, err := w.shredder(t, w.v, hold{}, nil).Shred(byOfficer(t), "t", "p-1", "asked to be forgotten")
	require.NoError(t, err)
	require.Equal(t, began, c.At)
	require.Equal(t, w.now.Add(time.Minute), c.Everywhere)
	require.Equal(t, "2026-03-01T00:01:40.25Z", w.rec.events[1].Detail["everywhere"])
	w.now = c.Everywhere.Add(-time.Second)
	require.NoError(t, w.reads(t, other, "p-1"), "another server's memory")
	w.now = c.Everywhere
	require.ErrorIs(t, w.reads(t, other, "p-1"), phi.ErrShredded)
}

// TestShredSurvivesRestore: an older key store is put back. Every vault goes on refusing, and Replay
// destroys the keys that came back.
func TestShredSurvivesRestore(t *testing.T) {
	file, err := phi.OpenShredFile(filepath.Join(t.TempDir(), "shreds"))
	require.NoError(t, err)
	w := newShredWorld(t, file)
	backup := phi.NewMemoryKeys()
	copyKeys(t, w.keys, backup)
	_, err = w.shredder(t, w.v, hold{}, nil).Shred(byOfficer(t), "t", "p-1", "asked")
	require.NoError(t, err)

	w.keys = backup
	v := w.open(t)
	require.ErrorIs(t, w.reads(t, v, "p-1"), phi.ErrShredded, "before anything was replayed")
	require.NoError(t, w.reads(t, v, "p-2"))
	w.rec.events = nil
	s := w.shredder(t, v, hold{held: true}, nil)
	n, err := s.Replay(byOfficer(t))
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, []audit.Action{phi.ActionShredReplayed}, w.rec.actions())
	require.Equal(t, audit.System("t", "phi.shredder"), w.rec.events[0].Actor, "nobody ordered it now")
	require.Equal(t, audit.KindSystem, w.rec.events[0].Actor.Kind)
	_, err = backup.Current(t.Context(), phi.KeySlot{Namespace: "app", Tenant: "t", Purpose: phi.PurposePatient, Patient: "p-1"})
	require.ErrorIs(t, err, phi.ErrKeyNotFound)
	n, err = s.Replay(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
	require.Len(t, w.rec.events, 1, "nothing to say")
}

// copyKeys is a backup.
func copyKeys(t *testing.T, from, to *phi.MemoryKeys) {
	t.Helper()
	for _, s := range []phi.KeySlot{
		{Namespace: "app", Purpose: phi.PurposeCanary},
		{Namespace: "app", Tenant: "t", Purpose: phi.PurposeData},
		{Namespace: "app", Tenant: "t", Purpose: phi.PurposePatient, Patient: "p-1"},
		{Namespace: "app", Tenant: "t", Purpose: phi.PurposePatient, Patient: "p-2"},
	} {
		k, err := from.Current(t.Context(), s)
		require.NoError(t, err)
		require.NoError(t, to.Create(t.Context(), k))
	}
}

// TestLostJournal: a journal that knows of fewer than the key store opens no vault.
func TestLostJournal(t *testing.T) {
	w := newShredWorld(t, phi.NewMemoryShreds())
	_, err := w.shredder(t, w.v, hold{}, nil).Shred(byOfficer(t), "t", "p-1", "asked")
	require.NoError(t, err)
	_, err = phi.Open(t.Context(), "app", w.kms, w.keys, &phi.Options{Shreds: phi.NewMemoryShreds()})
	require.ErrorIs(t, err, phi.ErrJournal)
	_, err = phi.Open(t.Context(), "app", w.kms, w.keys, &phi.Options{Shreds: brokenJournal{w.journal, errors.New("down")}})
	require.ErrorIs(t, err, phi.ErrUnavailable)
}

type brokenJournal struct {
	phi.ShredJournal
	err error
}

func (b brokenJournal) Has(context.Context, string, audit.Tenant, audit.Patient) (bool, error) {
	return false, b.err
}
func (b brokenJournal) Append(context.Context, phi.Shredded) error { return b.err }
func (b brokenJournal) List(ctx context.Context, n string) iter.Seq2[phi.Shredded, error] {
	return func(yield func(phi.Shredded, error) bool) { yield(phi.Shredded{}, b.err) }
}

// TestShredFailsClosed: each call that fails on the way leaves the patient readable, or gone; never a
// certificate for what did not happen, and trying again does the rest.
func TestShredFailsClosed(t *testing.T) {
	down := errors.New("down")
	t.Run("held", func(t *testing.T) {
		w := newShredWorld(t, phi.NewMemoryShreds())
		for _, g := range []hold{{held: true}, {err: down}} {
			_, err := w.shredder(t, w.v, g, nil).Shred(byOfficer(t), "t", "p-1", "asked")
			require.Error(t, err)
			require.Equal(t, g.held, errors.Is(err, phi.ErrHeld))
			require.NotErrorIs(t, w.reads(t, w.open(t), "p-1"), phi.ErrShredded)
		}
		require.Empty(t, w.rec.events)
	})
	t.Run("order not recorded", func(t *testing.T) {
		w := newShredWorld(t, phi.NewMemoryShreds())
		w.rec.fail = func(audit.Event) error { return down }
		_, err := w.shredder(t, w.v, hold{}, nil).Shred(byOfficer(t), "t", "p-1", "asked")
		require.ErrorIs(t, err, phi.ErrUnrecorded)
		require.NoError(t, w.reads(t, w.open(t), "p-1"), "what is not recorded does not happen")
	})
	t.Run("certificate not recorded", func(t *testing.T) {
		w := newShredWorld(t, phi.NewMemoryShreds())
		w.rec.fail = func(e audit.Event) error {
			if e.Action == phi.ActionShredded {
				return down
			}
			return nil
		}
		s := w.shredder(t, w.v, hold{}, nil)
		_, err := s.Shred(byOfficer(t), "t", "p-1", "asked")
		require.ErrorIs(t, err, phi.ErrUnrecorded)
		require.ErrorIs(t, w.reads(t, w.open(t), "p-1"), phi.ErrShredded)
		w.rec.fail = nil
		_, err = s.Shred(byOfficer(t), "t", "p-1", "asked")
		require.NoError(t, err)
	})
	t.Run("journal", func(t *testing.T) {
		w := newShredWorld(t, phi.NewMemoryShreds())
		b := &switchedJournal{ShredJournal: w.journal}
		w.journal = b
		v := w.open(t)
		b.err = down
		require.ErrorIs(t, w.reads(t, v, "p-1"), phi.ErrUnavailable, "nobody is opened without asking")
		_, err := v.Seal(t.Context(), at("p-3"), []byte("x"))
		require.ErrorIs(t, err, phi.ErrUnavailable)
		require.NoError(t, w.reads(t, v, ""), "what belongs to no patient")
		_, err = w.shredder(t, v, hold{}, nil).Shred(byOfficer(t), "t", "p-1", "asked")
		require.ErrorIs(t, err, phi.ErrUnavailable)
		_, err = w.shredder(t, v, hold{}, nil).Replay(t.Context())
		require.ErrorIs(t, err, phi.ErrUnavailable)
		b.err = nil
		require.NoError(t, w.reads(t, v, "p-1"))
	})
	t.Run("key store and host", func(t *testing.T) {
		w := newShredWorld(t, phi.NewMemoryShreds())
		failing := true
		keys := &failingKeys{MemoryKeys: w.keys, fail: &failing}
		v, err := phi.Open(t.Context(), "app", w.kms, keys, &phi.Options{Shreds: w.journal})
		require.NoError(t, err)
		forgets := errors.New("still down")
		s := w.shredder(t, v, hold{}, &phi.ShredderOptions{Forget: func(context.Context, audit.Tenant, audit.Patient) error { return forgets }})
		_, err = s.Shred(byOfficer(t), "t", "p-1", "asked")
		require.ErrorIs(t, err, phi.ErrUnavailable)
		require.ErrorIs(t, w.reads(t, w.open(t), "p-1"), phi.ErrShredded, "the journal has it")
		failing = false
		_, err = s.Shred(byOfficer(t), "t", "p-1", "asked")
		require.ErrorIs(t, err, phi.ErrUnavailable)
		require.NotContains(t, w.rec.actions(), phi.ActionShredded)
		forgets = nil
		_, err = s.Shred(byOfficer(t), "t", "p-1", "asked")
		require.NoError(t, err)
	})
}

type switchedJournal struct {
	phi.ShredJournal
	err error
}

func (s *switchedJournal) now() phi.ShredJournal {
	if s.err != nil {
		return brokenJournal{s.ShredJournal, s.err}
	}
	return s.ShredJournal
}

func (s *switchedJournal) Has(ctx context.Context, n string, t audit.Tenant, p audit.Patient) (bool, error) {
	return s.now().Has(ctx, n, t, p)
}

func (s *switchedJournal) Append(ctx context.Context, e phi.Shredded) error {
	return s.now().Append(ctx, e)
}

func (s *switchedJournal) List(ctx context.Context, n string) iter.Seq2[phi.Shredded, error] {
	return s.now().List(ctx, n)
}

type failingKeys struct {
	*phi.MemoryKeys
	fail *bool
}

func (f *failingKeys) Destroy(ctx context.Context, s phi.KeySlot) (int, error) {
	if *f.fail {
		return 0, errors.New("down")
	}
	return f.MemoryKeys.Destroy(ctx, s)
}

func TestShredRefuses(t *testing.T) {
	w := newShredWorld(t, phi.NewMemoryShreds())
	s := w.shredder(t, w.v, hold{}, nil)
	for _, c := range []struct {
		tenant  audit.Tenant
		patient audit.Patient
		why     string
	}{{"", "p-1", "x"}, {"t", "", "x"}, {"t", "p-1", ""}, {"t", "p\x00", "x"}} {
		_, err := s.Shred(byOfficer(t), c.tenant, c.patient, c.why)
		require.ErrorIs(t, err, phi.ErrBinding)
	}
	_, err := s.Shred(byOfficer(t), "other", "p-1", "x")
	require.ErrorIs(t, err, phi.ErrForeignTenant, "somebody of another tenant")
	_, err = s.Shred(t.Context(), "t", "p-1", "x")
	require.ErrorIs(t, err, phi.ErrForeignTenant, "nobody")
	without, err := phi.Open(t.Context(), "app", w.kms, w.keys, nil)
	require.NoError(t, err)
	for _, try := range []func() (*phi.Shredder, error){
		func() (*phi.Shredder, error) { return phi.NewShredder(nil, &w.rec, hold{}, nil) },
		func() (*phi.Shredder, error) { return phi.NewShredder(without, &w.rec, hold{}, nil) },
		func() (*phi.Shredder, error) { return phi.NewShredder(w.v, nil, hold{}, nil) },
		func() (*phi.Shredder, error) { return phi.NewShredder(w.v, &w.rec, nil, nil) },
	} {
		_, err = try()
		require.Error(t, err)
	}
}

// TestShredWhileOthersWrite: whatever vaults that seal for a patient do at the same time, afterwards
// nothing of the patient opens.
func TestShredWhileOthersWrite(t *testing.T) {
	w := newShredWorld(t, phi.NewMemoryShreds())
	var wg sync.WaitGroup
	var mu sync.Mutex
	var written []phi.Sealed
	for range 4 {
		v := w.open(t)
		wg.Go(func() {
			for range 50 {
				if s, err := v.Seal(t.Context(), at("p-9"), []byte("x")); err == nil {
					mu.Lock()
					written = append(written, s)
					mu.Unlock()
				} else if !errors.Is(err, phi.ErrShredded) && !errors.Is(err, phi.ErrUnavailable) && !errors.Is(err, phi.ErrRolledBack) {
					t.Errorf("sealing: %v", err)
				}
			}
		})
	}
	_, err := w.shredder(t, w.v, hold{}, nil).Shred(byOfficer(t), "t", "p-9", "asked")
	require.NoError(t, err)
	wg.Wait()
	w.now = w.now.Add(time.Hour)
	v := w.open(t)
	for _, s := range written {
		_, err := v.Unseal(t.Context(), at("p-9"), s)
		require.ErrorIs(t, err, phi.ErrShredded)
	}
}

// TestShredFile: a journal survives a crash in the middle of a line, is read by other processes as
// it grows, and refuses to be shortened or altered.
func TestShredFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shreds")
	one, err := phi.OpenShredFile(path)
	require.NoError(t, err)
	other, err := phi.OpenShredFile(path)
	require.NoError(t, err)
	entry := func(p string) phi.Shredded {
		return phi.Shredded{Namespace: "app", Tenant: "t", Patient: audit.Patient(p), At: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	}
	has := func(f *phi.ShredFile, p string) bool {
		ok, err := f.Has(t.Context(), "app", "t", audit.Patient(p))
		require.NoError(t, err)
		return ok
	}
	require.NoError(t, one.Append(t.Context(), entry("p-1")))
	require.True(t, has(other, "p-1"))

	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	cut, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = cut.WriteString(`{"v":1,"namespace":"app","ten`)
	require.NoError(t, err)
	require.NoError(t, cut.Close())
	require.True(t, has(one, "p-1"))
	require.NoError(t, other.Append(t.Context(), entry("p-2")))
	require.True(t, has(one, "p-2"))
	again, err := phi.OpenShredFile(path)
	require.NoError(t, err)
	require.True(t, has(again, "p-2"))

	require.NoError(t, os.WriteFile(path, whole, 0o600))
	_, err = one.Has(t.Context(), "app", "t", "p-9")
	require.ErrorIs(t, err, phi.ErrJournal, "shortened")
	require.ErrorIs(t, one.Append(t.Context(), entry("p-9")), phi.ErrJournal)
	require.NoError(t, os.Remove(path))
	_, err = again.Has(t.Context(), "app", "t", "p-9")
	require.ErrorIs(t, err, phi.ErrJournal, "removed")
	for _, bad := range []string{"x\n", "{}\n", `{"v":2,"namespace":"a","tenant":"t","patient":"p","at":"2026-03-01T00:00:00Z"}` + "\n", `{"v":1,"namespace":"a","tenant":"t","patient":"p","at":"2026-03-01T00:00:00Z","x":1}` + "\n", `{"v":1,"namespace":"a","tenant":"t","patient":"","at":"2026-03-01T00:00:00Z"}` + "\n", "\n"} {
		require.NoError(t, os.WriteFile(path, append(bytes.Clone(whole), bad...), 0o600))
		_, err = phi.OpenShredFile(path)
		require.ErrorIs(t, err, phi.ErrJournal, bad)
	}
	_, err = phi.OpenShredFile(filepath.Join(path, "below", "a file"))
	require.Error(t, err)
	require.NotContains(t, fmt.Sprint(err), path)
}
