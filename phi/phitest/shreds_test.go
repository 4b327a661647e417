package phitest_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/internal/conform"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/phitest"
)

// destroyer is a key store whose Destroy or Destroyed is broken.
type destroyer struct {
	*phi.MemoryKeys
	destroy   func(context.Context, phi.KeySlot) (int, error)
	destroyed func(context.Context, string) (int, error)
}

func newDestroyer() *destroyer {
	m := phi.NewMemoryKeys()
	return &destroyer{m, m.Destroy, m.Destroyed}
}

func (d *destroyer) Destroy(ctx context.Context, s phi.KeySlot) (int, error) {
	return d.destroy(ctx, s)
}

func (d *destroyer) Destroyed(ctx context.Context, namespace string) (int, error) {
	return d.destroyed(ctx, namespace)
}

// keepsLatest leaves the key that seals.
func keepsLatest() phi.KeyStore {
	d := newDestroyer()
	d.destroy = func(ctx context.Context, s phi.KeySlot) (int, error) {
		k, missing := d.Current(ctx, s)
		n, err := d.MemoryKeys.Destroy(ctx, s)
		if missing == nil && err == nil && k.Epoch > 1 {
			err = d.Create(ctx, k)
		}
		return n, err
	}
	return d
}

// whoeverHasTheID destroys the keys of whoever has that id.
func whoeverHasTheID() phi.KeyStore {
	d := newDestroyer()
	d.destroy = func(ctx context.Context, s phi.KeySlot) (int, error) {
		n, err := d.MemoryKeys.Destroy(ctx, s)
		if s.Tenant == "clinic-1" && err == nil {
			s.Tenant = "clinic-2"
			_, err = d.MemoryKeys.Destroy(ctx, s)
		}
		return n, err
	}
	d.destroyed = func(ctx context.Context, namespace string) (int, error) {
		n, err := d.MemoryKeys.Destroyed(ctx, namespace)
		return n / 2, err
	}
	return d
}

func destroysAnything() phi.KeyStore {
	d := newDestroyer()
	d.destroy = func(ctx context.Context, s phi.KeySlot) (int, error) {
		n, err := d.MemoryKeys.Destroy(ctx, s)
		if errors.Is(err, phi.ErrBinding) {
			return 0, nil
		}
		return n, err
	}
	return d
}

func countsOneMore() phi.KeyStore {
	d := newDestroyer()
	d.destroyed = func(ctx context.Context, namespace string) (int, error) {
		n, err := d.MemoryKeys.Destroyed(ctx, namespace)
		return n + 1, err
	}
	return d
}

func oneDestroys() phi.KeyStore {
	d := newDestroyer()
	var busy sync.Mutex
	d.destroy = func(ctx context.Context, s phi.KeySlot) (int, error) {
		if !busy.TryLock() {
			return 0, errors.New("busy")
		}
		defer busy.Unlock()
		time.Sleep(time.Millisecond)
		return d.MemoryKeys.Destroy(ctx, s)
	}
	return d
}

func deafDestroy() phi.KeyStore {
	d := newDestroyer()
	d.destroy = func(ctx context.Context, s phi.KeySlot) (int, error) {
		return d.MemoryKeys.Destroy(context.WithoutCancel(ctx), s)
	}
	return d
}

func TestShredJournals(t *testing.T) {
	t.Parallel()
	t.Run("memory", func(t *testing.T) {
		phitest.TestShreds(t, func(testing.TB) phi.ShredJournal { return phi.NewMemoryShreds() })
	})
	t.Run("file", func(t *testing.T) {
		phitest.TestShreds(t, func(t testing.TB) phi.ShredJournal {
			f, err := phi.OpenShredFile(t.TempDir() + "/shreds")
			require.NoError(t, err)
			return f
		})
	})
	require.NoError(t, phitest.CheckShreds(t.Context(), func() (phi.ShredJournal, error) { return phi.NewMemoryShreds(), nil }))
	require.Error(t, phitest.CheckShreds(t.Context(), func() (phi.ShredJournal, error) { return deafJournal(), nil }))
}

// shredMutant is a journal broken where a function is set.
type shredMutant struct {
	*phi.MemoryShreds
	append func(context.Context, phi.Shredded) error
	has    func(context.Context, string, audit.Tenant, audit.Patient) (bool, error)
	list   func(context.Context, string) iter.Seq2[phi.Shredded, error]
}

func newShredMutant() *shredMutant {
	m := phi.NewMemoryShreds()
	return &shredMutant{m, m.Append, m.Has, m.List}
}

func (m *shredMutant) Append(ctx context.Context, e phi.Shredded) error { return m.append(ctx, e) }
func (m *shredMutant) Has(ctx context.Context, n string, t audit.Tenant, p audit.Patient) (bool, error) {
	return m.has(ctx, n, t, p)
}

func (m *shredMutant) List(ctx context.Context, n string) iter.Seq2[phi.Shredded, error] {
	return m.list(ctx, n)
}

func deafJournal() phi.ShredJournal {
	m := newShredMutant()
	m.append = func(ctx context.Context, e phi.Shredded) error {
		return m.MemoryShreds.Append(context.WithoutCancel(ctx), e)
	}
	return m
}

// listing replaces what List yields.
func (m *shredMutant) listing(change func([]phi.Shredded) []phi.Shredded) {
	m.list = func(ctx context.Context, n string) iter.Seq2[phi.Shredded, error] {
		return func(yield func(phi.Shredded, error) bool) {
			var all []phi.Shredded
			for e, err := range m.MemoryShreds.List(ctx, n) {
				if err != nil {
					yield(e, err)
					return
				}
				all = append(all, e)
			}
			for _, e := range change(all) {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

func TestShredMutants(t *testing.T) {
	t.Parallel()
	conform.Mutants(t, phitest.ShredRules(), map[string]func() phi.ShredJournal{
		"appended_is_there": func() phi.ShredJournal {
			m := newShredMutant()
			m.append = func(ctx context.Context, e phi.Shredded) error {
				e.Patient = audit.Patient(strings.ReplaceAll(string(e.Patient), "%", ""))
				return m.MemoryShreds.Append(ctx, e)
			}
			return m
		},
		"patients_are_apart": func() phi.ShredJournal {
			m := newShredMutant()
			m.has = func(ctx context.Context, n string, t audit.Tenant, p audit.Patient) (bool, error) {
				if t == "clinic-2" {
					t = "clínica-1"
				}
				return m.MemoryShreds.Has(ctx, n, t, p)
			}
			return m
		},
		"append_again_changes_nothing": func() phi.ShredJournal {
			m := newShredMutant()
			var last time.Time
			m.append = func(ctx context.Context, e phi.Shredded) error {
				last = e.At
				return m.MemoryShreds.Append(ctx, e)
			}
			m.append = locked(m.append)
			m.listing(func(all []phi.Shredded) []phi.Shredded {
				for i := range all {
					all[i].At = last
				}
				return all
			})
			return m
		},
		"append_at_once_is_one_entry": func() phi.ShredJournal {
			m := newShredMutant()
			var mu sync.Mutex
			extra := 0
			m.append = func(ctx context.Context, e phi.Shredded) error {
				has, err := m.MemoryShreds.Has(ctx, e.Namespace, e.Tenant, e.Patient)
				if err != nil {
					return err
				}
				time.Sleep(time.Millisecond)
				again, _ := m.MemoryShreds.Has(ctx, e.Namespace, e.Tenant, e.Patient)
				mu.Lock()
				defer mu.Unlock()
				if !has && again {
					extra++
				}
				return m.MemoryShreds.Append(ctx, e)
			}
			m.listing(func(all []phi.Shredded) []phi.Shredded {
				for range extra {
					all = append(all, all[0])
				}
				return all
			})
			return m
		},
		"list_is_in_order": func() phi.ShredJournal {
			m := newShredMutant()
			m.listing(func(all []phi.Shredded) []phi.Shredded {
				slices.SortFunc(all, func(a, b phi.Shredded) int { return strings.Compare(string(a.Patient), string(b.Patient)) })
				return all
			})
			return m
		},
		"shreds_cancelled_means_an_error": deafJournal,
	})
}

func locked(f func(context.Context, phi.Shredded) error) func(context.Context, phi.Shredded) error {
	var mu sync.Mutex
	return func(ctx context.Context, e phi.Shredded) error {
		mu.Lock()
		defer mu.Unlock()
		return f(ctx, e)
	}
}
