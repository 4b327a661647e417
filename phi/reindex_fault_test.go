package phi_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// rotateIndex runs one rotation of the index on a server of its own, with the fault armed.
func (f *fault) rotateIndex(t *testing.T, w *world, h *roster) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	armed := f.n
	f.n = -1
	store, kms, log := f.hooks(), &hookedKMS{KMS: w.kms, hooked: f.hooks()}, &faultLog{h.log, f.hooks()}
	store.KeyStore = w.store
	v := openVault(t, kms, &store, &phi.Options{Now: w.clk.Now})
	page := h.page(v, 3)
	r, err := phi.NewRotator(v, log, platform, &phi.RotatorOptions{
		Batch: 2, Patience: -1, Settle: -1, Terms: &hookedTerms{h.terms, f.hooks()},
		Rows: []phi.IndexRows{{Entity: "member", Page: func(ctx context.Context, t audit.Tenant, cursor string) ([]phi.Terms, string, error) {
			if err := f.strike("page"); err != nil {
				return nil, "", err
			}
			return page(ctx, t, cursor)
		}}},
	})
	require.NoError(t, err)
	f.n, f.calls, f.cancel = armed, 0, cancel
	_, err = r.Rotate(ctx, phi.RotateIndex, clinic)
	return err
}

// Whichever call fails, hangs, or takes effect without an answer: the rotation ends with an
// error, every row is found by everybody, no duplicate gets in, and the next rotation finishes
// the work.
func TestIndexRotationFaults(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"fail", "cut", "stall"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			seen := map[string]bool{}
			for n := 1; ; n++ {
				op := indexFaultAt(t, mode, n)
				if op == "" {
					require.Greater(t, n, 25)
					break
				}
				seen[op] = true
			}
			for _, op := range []string{
				"record", "begin", "advance", "rotations", "current", "create", "kms.wrap", "page",
				"terms.require", "terms.reindex", "terms.behind", "terms.drop",
			} {
				require.True(t, seen[op], "%s was made to %s", op, mode)
			}
		})
	}
}

func indexFaultAt(t *testing.T, mode string, n int) string {
	t.Helper()
	w := newWorld()
	h := newRoster(t, phi.NewMemoryTerms())
	other := w.vault(t)
	for i := range 4 {
		require.NoError(t, h.save(other, newMember(i)))
	}
	f := &fault{n: n, mode: mode}
	err := f.rotateIndex(t, w, h)
	if f.struck == "" {
		require.NoError(t, err)
		return ""
	}
	require.Error(t, err, f.struck)
	require.NotContains(t, err.Error(), "clinic-1")
	require.NotContains(t, err.Error(), "m-00")
	if mode != "stall" {
		require.ErrorIs(t, err, errDown, f.struck)
	}
	w.clk.Advance(phi.DefaultCacheTTL)
	for i, v := range []*phi.Vault{other, w.vault(t)} {
		h.complete(v)
		twin := newMember(1)
		twin.ID = "m-twin"
		require.ErrorIs(t, h.save(v, twin), phi.ErrDuplicate, f.struck)
		require.NoError(t, h.save(v, newMember(4+i)), f.struck)
	}
	job, err := h.rotator(w.vault(t), phi.RotatorOptions{}).Rotate(t.Context(), phi.RotateIndex, clinic)
	require.NoError(t, err, f.struck)
	require.False(t, job.Finished.IsZero())
	h.requireRotated(w.vault(t), byte(job.Target))
	return f.struck
}

// requireRotated checks what a finished rotation promises.
func (h *roster) requireRotated(v *phi.Vault, epoch byte) {
	h.t.Helper()
	h.complete(v)
	behind, err := h.terms.Behind(context.Background(), clinic, epoch)
	require.NoError(h.t, err)
	require.Empty(h.t, behind)
	old, err := h.terms.DropTerms(context.Background(), clinic, epoch, 1)
	require.NoError(h.t, err)
	require.Zero(h.t, old, "no term of an older epoch is left")
}

// A server that stood still while the others went on is refused by the store, and gets
// through with what it seals next.
func TestSleeperIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld()
	h := newRoster(t, phi.NewMemoryTerms())
	sleeper := w.vault(t)
	require.NoError(t, h.save(sleeper, newMember(0)))
	terms, err := members(t, sleeper).Terms(t.Context(), clinic, newMember(1))
	require.NoError(t, err)
	_, err = h.rotator(w.vault(t), phi.RotatorOptions{}).Rotate(t.Context(), phi.RotateIndex, clinic)
	require.NoError(t, err)
	require.ErrorIs(t, h.terms.SaveTerms(t.Context(), clinic, terms), phi.ErrStaleTerms)
	require.ErrorIs(t, h.save(sleeper, newMember(1)), phi.ErrStaleTerms)
	w.clk.Advance(phi.DefaultCacheTTL)
	require.NoError(t, h.save(sleeper, newMember(1)))
	h.complete(sleeper)
}

// Rows that no page has, and rows that are duplicates already, are reported and not passed
// over: terms of the old root stay as long as they are needed.
func TestIndexRotationStuck(t *testing.T) {
	t.Parallel()
	w := newWorld()
	h := newRoster(t, phi.NewMemoryTerms())
	v := w.vault(t)
	require.NoError(t, h.save(v, newMember(0)))
	orphan, err := members(t, v).Terms(t.Context(), clinic, newMember(1))
	require.NoError(t, err)
	require.NoError(t, h.terms.SaveTerms(t.Context(), clinic, orphan))
	r := h.rotator(v, phi.RotatorOptions{})
	for range 2 {
		job, err := r.Rotate(t.Context(), phi.RotateIndex, clinic)
		require.ErrorIs(t, err, phi.ErrStuck)
		require.ErrorContains(t, err, `1 rows, of entity "member"`)
		require.NotContains(t, err.Error(), "m-00")
		require.Equal(t, []int{1, 1}, []int{job.Done, job.Failed})
		require.Equal(t, phi.PhaseDual, job.Phase)
	}
	require.Contains(t, h.log.phases(), "stopped")
	require.Equal(t, []string{"m-001"}, h.found(v, "email", "m1@example.com"), "what has no row is found still")
	require.NoError(t, h.terms.DeleteTerms(t.Context(), clinic, "member", "m-001"))
	_, err = r.Rotate(t.Context(), phi.RotateIndex, clinic)
	require.NoError(t, err)
	h.requireRotated(v, 2)
}

// Two rows with one e-mail, which only somebody who writes to the database can have made.
func TestIndexRotationFindsDuplicates(t *testing.T) {
	t.Parallel()
	w := newWorld()
	h := newRoster(t, phi.NewMemoryTerms())
	v := w.vault(t)
	for i := range 3 {
		require.NoError(t, h.save(v, newMember(i)))
	}
	h.rows["m-002"].Email = phi.NewText("m0@example.com")
	job, err := h.rotator(v, phi.RotatorOptions{}).Rotate(t.Context(), phi.RotateIndex, clinic)
	require.ErrorIs(t, err, phi.ErrStuck)
	require.ErrorIs(t, err, phi.ErrDuplicate)
	require.Equal(t, []int{2, 1, 3}, []int{job.Done, job.Failed, job.Total})
	h.rows["m-002"].Email = phi.NewText("m2@example.com")
	_, err = h.rotator(v, phi.RotatorOptions{}).Rotate(t.Context(), phi.RotateIndex, clinic)
	require.NoError(t, err)
	h.requireRotated(v, 2)
}

func TestRotateIndexRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld()
	v := w.vault(t)
	h := newRoster(t, phi.NewMemoryTerms())
	_, err := w.rotator(t, v).Rotate(t.Context(), phi.RotateIndex, clinic)
	require.ErrorIs(t, err, phi.ErrBinding, "no term store")
	_, err = h.rotator(v, phi.RotatorOptions{}).Rotate(t.Context(), phi.RotateIndex, "")
	require.ErrorIs(t, err, phi.ErrBinding, "no tenant")
	rows := phi.IndexRows{Entity: "member", Page: h.page(v, 3)}
	for name, o := range map[string]*phi.RotatorOptions{
		"rows without terms": {Rows: []phi.IndexRows{rows}},
		"terms without rows": {Terms: h.terms},
		"no page":            {Terms: h.terms, Rows: []phi.IndexRows{{Entity: "member"}}},
		"no entity":          {Terms: h.terms, Rows: []phi.IndexRows{{Page: rows.Page}}},
		"twice":              {Terms: h.terms, Rows: []phi.IndexRows{rows, rows}},
	} {
		_, err := phi.NewRotator(v, h.log, platform, o)
		require.Error(t, err, name)
	}
	require.NoError(t, h.save(v, newMember(0)))
	foreign, endless := rows, rows
	foreign.Entity = "staff"
	endless.Page = func(ctx context.Context, t audit.Tenant, _ string) ([]phi.Terms, string, error) {
		return nil, "same", nil
	}
	lazy := rows // of a vault that has not followed
	lazy.Page = h.page(w.vault(t), 3)
	_, _, err = lazy.Page(t.Context(), clinic, "")
	require.NoError(t, err)
	for name, c := range map[string]struct {
		rows phi.IndexRows
		want error
	}{"another entity": {foreign, phi.ErrBinding}, "endless": {endless, phi.ErrBinding}, "another vault": {lazy, phi.ErrStaleTerms}} {
		r, err := phi.NewRotator(v, h.log, platform, &phi.RotatorOptions{Terms: h.terms, Rows: []phi.IndexRows{c.rows}, Settle: -1})
		require.NoError(t, err)
		_, err = r.Rotate(t.Context(), phi.RotateIndex, clinic)
		require.ErrorIs(t, err, c.want, name)
	}
}

// The last epoch that fits into a term is reached, and not passed.
func TestIndexEpochsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld()
	h := newRoster(t, phi.NewMemoryTerms())
	v := w.vault(t)
	require.NoError(t, h.save(v, newMember(0)))
	r := h.rotator(v, phi.RotatorOptions{})
	for range 254 {
		_, err := r.Rotate(t.Context(), phi.RotateIndex, clinic)
		require.NoError(t, err)
	}
	h.requireRotated(w.vault(t), 255)
	_, err := r.Rotate(t.Context(), phi.RotateIndex, clinic)
	require.ErrorIs(t, err, phi.ErrBinding)
	h.requireRotated(w.vault(t), 255)
}

// A rotation table that was put back from a copy is noticed by whoever has seen it further.
func TestIndexRolledBack(t *testing.T) {
	t.Parallel()
	w := newWorld()
	h := newRoster(t, phi.NewMemoryTerms())
	hidden := false
	store := &rollback{KeyStore: w.store, hidden: &hidden}
	v := openVault(t, w.kms, store, &phi.Options{Now: w.clk.Now})
	_, err := h.rotator(v, phi.RotatorOptions{}).Rotate(t.Context(), phi.RotateIndex, clinic)
	require.NoError(t, err)
	_, err = v.Term(t.Context(), clinic, "i", "x")
	require.NoError(t, err)
	hidden = true
	w.clk.Advance(phi.DefaultCacheTTL)
	_, err = v.Term(t.Context(), clinic, "i", "x")
	require.ErrorIs(t, err, phi.ErrRolledBack)
}

// rollback hides the rotations of indexes.
type rollback struct {
	phi.KeyStore
	hidden *bool
}

func (r *rollback) Rotations(ctx context.Context, q phi.RotationQuery) ([]phi.Rotation, error) {
	if *r.hidden && q.Kind == phi.RotateIndex {
		return nil, ctx.Err()
	}
	return r.KeyStore.Rotations(ctx, q)
}

// Run takes a rotation of an index through its phases, and does other work while servers
// follow.
func TestRunRotatesIndex(t *testing.T) {
	t.Parallel()
	w := newWorld()
	h := newRoster(t, phi.NewMemoryTerms())
	v := openVault(t, w.kms, w.store, &phi.Options{CacheTTL: time.Millisecond})
	for i := range 4 {
		require.NoError(t, h.save(v, newMember(i)))
	}
	var phases []phi.RotationPhase
	r := h.rotator(v, phi.RotatorOptions{Settle: 30 * time.Millisecond, Poll: 5 * time.Millisecond, Progress: func(job phi.Rotation) {
		if job.Kind == phi.RotateIndex {
			phases = append(phases, job.Phase)
		}
	}})
	begun, err := r.Begin(t.Context(), phi.RotateIndex, clinic)
	require.NoError(t, err)
	again, err := r.Begin(t.Context(), phi.RotateIndex, clinic)
	require.NoError(t, err)
	require.Equal(t, begun.ID, again.ID)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	require.Eventually(t, func() bool {
		job, err := w.store.Rotation(t.Context(), "app", begun.ID)
		return err == nil && !job.Finished.IsZero()
	}, 50*time.Second, 5*time.Millisecond)
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	require.Contains(t, phases, phi.PhaseDual)
	h.requireRotated(w.vault(t), 2)
	require.NotContains(t, fmt.Sprint(h.log.phases()), "stopped", "waiting is no failure")
	require.False(t, errors.Is(err, phi.ErrStuck))
}
