package phi_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

func TestReseal(t *testing.T) {
	t.Parallel()
	w := newWorld()
	v := w.vault(t)
	w.populate(t, v)
	for _, s := range w.values {
		stale, err := v.Stale(t.Context(), s.at, s.sealed)
		require.NoError(t, err)
		require.False(t, stale)
		anew, err := v.Reseal(t.Context(), s.at, s.sealed)
		require.NoError(t, err)
		require.Nil(t, anew)
	}
	_, err := w.rotator(t, v).Rotate(t.Context(), phi.RotatePatients, clinic)
	require.NoError(t, err)
	for _, s := range w.values {
		stale, err := v.Stale(t.Context(), s.at, s.sealed)
		require.NoError(t, err)
		require.Equal(t, s.at.Tenant == clinic, stale)
		anew, err := v.Reseal(t.Context(), s.at, s.sealed)
		require.NoError(t, err)
		if s.at.Tenant != clinic {
			require.Nil(t, anew)
			continue
		}
		plain, err := v.Unseal(t.Context(), s.at, anew)
		require.NoError(t, err)
		require.Equal(t, s.plain, string(plain))
		again, err := v.Reseal(t.Context(), s.at, anew)
		require.NoError(t, err)
		require.Nil(t, again, "once is enough")
	}
}

// What does not open is not sealed anew, whatever key it names.
func TestResealDoesNotLaunder(t *testing.T) {
	t.Parallel()
	w := newWorld()
	v := w.vault(t)
	w.populate(t, v)
	_, err := w.rotator(t, v).Rotate(t.Context(), phi.RotatePatients, clinic)
	require.NoError(t, err)
	mine, other := w.values[0], w.values[1]
	for name, c := range map[string]struct {
		sealed phi.Sealed
		want   error
	}{
		"another patient's": {other.sealed, phi.ErrSwapped},
		"altered":           {flip(mine.sealed), phi.ErrAltered},
		"plaintext":         {phi.Sealed("Jane Doe, who was never sealed at all, and is long enough to look like it"), phi.ErrUnknownSuite},
		"cut":               {mine.sealed[:40], phi.ErrTruncated},
		"unknown key":       {append(append(mine.sealed[:2:2], make([]byte, 16)...), mine.sealed[18:]...), phi.ErrUnknownKey},
	} {
		anew, err := v.Reseal(t.Context(), mine.at, c.sealed)
		require.ErrorIs(t, err, c.want, name)
		require.Nil(t, anew)
	}
	_, err = v.Reseal(t.Context(), phi.At{}, mine.sealed)
	require.ErrorIs(t, err, phi.ErrBinding)
}

// table is a host's table of sealed rows.
type table struct {
	mu   sync.Mutex
	rows map[string]phi.Row
}

// step seals the next two rows anew, with the condition that each still is as it was read.
func (tb *table) step(codec *phi.Codec[Patient]) phi.Step {
	return func(ctx context.Context, cursor string) (string, int, error) {
		tb.mu.Lock()
		ids := slices.Sorted(maps.Keys(tb.rows))
		tb.mu.Unlock()
		ids = slices.DeleteFunc(ids, func(id string) bool { return id <= cursor })
		if len(ids) == 0 {
			return "", 0, nil
		}
		ids = ids[:min(2, len(ids))]
		for _, id := range ids {
			tb.mu.Lock()
			row := tb.rows[id]
			tb.mu.Unlock()
			fresh, err := codec.Reseal(ctx, clinic, row)
			if err != nil {
				return "", 0, err
			}
			tb.update(row, fresh)
		}
		return ids[len(ids)-1], len(ids), nil
	}
}

func (tb *table) update(read phi.Row, fresh map[string]phi.Sealed) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	now := maps.Clone(tb.rows[read.ID].Cols)
	for name, s := range fresh {
		if slices.Equal(now[name], read.Cols[name]) {
			now[name] = s
		}
	}
	tb.rows[read.ID] = phi.Row{ID: read.ID, Cols: now}
}

func sweepWorld(t *testing.T) (*world, *phi.Vault, *phi.Codec[Patient], *table) {
	w := newWorld()
	v := w.vault(t)
	codec, err := phi.For[Patient](v, "patient")
	require.NoError(t, err)
	tb := &table{rows: map[string]phi.Row{}}
	for i := range 7 {
		id := fmt.Sprint("p-", i)
		rec, err := codec.Seal(t.Context(), clinic, &Patient{ID: id, Name: phi.NewText("Name " + id), Phone: phi.NewText("555-010" + fmt.Sprint(i))})
		require.NoError(t, err)
		tb.rows[id] = phi.Row{ID: id, Cols: map[string]phi.Sealed{"name": rec.Col("name"), "phone": rec.Col("phone"), "email": nil}}
	}
	return w, v, codec, tb
}

// stale counts the columns under an old key, and checks that all open.
func (tb *table) stale(t *testing.T, v *phi.Vault, codec *phi.Codec[Patient]) (n int) {
	for id, row := range tb.rows {
		for name, s := range row.Cols {
			if s == nil {
				continue
			}
			old, err := v.Stale(t.Context(), phi.At{Tenant: clinic, Field: "patient." + name, Patient: audit.Patient(id), Row: id}, s)
			require.NoError(t, err)
			if old {
				n++
			}
		}
		p, err := codec.Open(t.Context(), clinic, row)
		require.NoError(t, err)
		require.True(t, p.Name.Equal(phi.NewText("Name "+id)))
	}
	return n
}

func TestSweep(t *testing.T) {
	t.Parallel()
	w, v, codec, tb := sweepWorld(t)
	r := w.rotator(t, v)
	_, err := r.Rotate(t.Context(), phi.RotatePatients, clinic)
	require.NoError(t, err)
	require.Equal(t, 14, tb.stale(t, v, codec))
	job, err := r.Sweep(t.Context(), clinic, "patient", 7, tb.step(codec))
	require.NoError(t, err)
	require.Equal(t, []int{7, 7}, []int{job.Done, job.Total})
	require.False(t, job.Finished.IsZero())
	require.Zero(t, tb.stale(t, v, codec))
	require.Equal(t, []string{"begun", "finished", "begun", "finished"}, w.log.phases())
	require.Equal(t, "rows", w.log.events[2].Detail["kind"])
}

// A sweep that died goes on after the last step that was stored; two at once do no harm.
func TestSweepResumes(t *testing.T) {
	t.Parallel()
	w, v, codec, tb := sweepWorld(t)
	_, err := w.rotator(t, v).Rotate(t.Context(), phi.RotatePatients, clinic)
	require.NoError(t, err)
	steps := 0
	died := errors.New("killed")
	job, err := w.rotator(t, v).Sweep(t.Context(), clinic, "patient", 0, func(ctx context.Context, cursor string) (string, int, error) {
		if steps++; steps == 3 {
			return "", 0, died
		}
		return tb.step(codec)(ctx, cursor)
	})
	require.ErrorIs(t, err, died)
	require.Equal(t, 4, job.Done)
	require.Equal(t, 6, tb.stale(t, v, codec))

	var cursors []string
	var mu sync.Mutex
	var wg sync.WaitGroup
	var errs [2]error
	for i := range errs {
		wg.Go(func() {
			_, errs[i] = w.rotator(t, v).Sweep(t.Context(), clinic, "patient", 0, func(ctx context.Context, cursor string) (string, int, error) {
				mu.Lock()
				cursors = append(cursors, cursor)
				mu.Unlock()
				return tb.step(codec)(ctx, cursor)
			})
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs[:]...))
	require.Equal(t, "p-3", cursors[0], "not from the beginning")
	require.Zero(t, tb.stale(t, v, codec))
	now, err := w.store.Rotation(t.Context(), "app", job.ID)
	require.NoError(t, err)
	require.False(t, now.Finished.IsZero())
}

// A value that a user changes between a step's look and its write is the user's.
func TestSweepLosesNoUpdate(t *testing.T) {
	t.Parallel()
	w, v, codec, tb := sweepWorld(t)
	_, err := w.rotator(t, v).Rotate(t.Context(), phi.RotatePatients, clinic)
	require.NoError(t, err)
	row := tb.rows["p-1"]
	fresh, err := codec.Reseal(t.Context(), clinic, row)
	require.NoError(t, err)
	require.Len(t, fresh, 2)
	rec, err := codec.Seal(t.Context(), clinic, &Patient{ID: "p-1", Name: phi.NewText("Married Name"), Phone: phi.NewText("555-0101")})
	require.NoError(t, err)
	tb.rows["p-1"] = phi.Row{ID: "p-1", Cols: map[string]phi.Sealed{"name": rec.Col("name"), "phone": row.Cols["phone"]}}
	tb.update(row, fresh)
	p, err := codec.Open(t.Context(), clinic, tb.rows["p-1"])
	require.NoError(t, err)
	require.True(t, p.Name.Equal(phi.NewText("Married Name")))
	require.True(t, p.Phone.Equal(phi.NewText("555-0101")))
}

func TestSweepRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld()
	r := w.rotator(t, w.vault(t))
	none := func(context.Context, string) (string, int, error) { return "", 0, nil }
	for _, c := range []struct {
		tenant audit.Tenant
		name   string
		step   phi.Step
	}{{"", "rows", none}, {clinic, "", none}, {clinic, "Jane Doe", none}, {clinic, "rows", nil}, {"\x00", "rows", none}} {
		_, err := r.Sweep(t.Context(), c.tenant, c.name, 0, c.step)
		require.ErrorIs(t, err, phi.ErrBinding)
	}
	require.Empty(t, w.log.events)
	job, err := r.Sweep(t.Context(), clinic, "rows", 0, none)
	require.NoError(t, err, "no rows at all")
	require.Zero(t, job.Done)
}

func TestCodecResealRefuses(t *testing.T) {
	t.Parallel()
	_, _, codec, tb := sweepWorld(t)
	row := tb.rows["p-1"]
	_, err := codec.Reseal(t.Context(), "", row)
	require.ErrorIs(t, err, phi.ErrBinding)
	_, err = codec.Reseal(t.Context(), clinic, phi.Row{Cols: row.Cols})
	require.ErrorIs(t, err, phi.ErrBinding)
	_, err = codec.Reseal(t.Context(), clinic, phi.Row{ID: "p-1", Cols: map[string]phi.Sealed{"nose": nil}})
	require.ErrorIs(t, err, phi.ErrNoField)
	_, err = codec.Reseal(t.Context(), clinic, phi.Row{ID: "p-2", Cols: row.Cols})
	require.ErrorIs(t, err, phi.ErrSwapped)
	var f *phi.FieldError
	require.ErrorAs(t, err, &f)
	requireSilent(t, err)
}

// A server that still has the old key in its cache notices that another one has rotated.
func TestResealOnAnotherServer(t *testing.T) {
	t.Parallel()
	w := newWorld()
	v, other := w.vault(t), w.vault(t)
	w.populate(t, v)
	for _, p := range []audit.Patient{"p-1", ""} {
		require.NoError(t, w.seal(other, clinic, p))
	}
	_, err := w.rotator(t, v).Rotate(t.Context(), phi.RotatePatients, clinic)
	require.NoError(t, err)
	for _, s := range w.values {
		if s.at.Tenant != clinic {
			continue
		}
		anew, err := other.Reseal(t.Context(), s.at, s.sealed)
		require.NoError(t, err)
		require.NotNil(t, anew)
		id, err := anew.KeyID()
		require.NoError(t, err)
		purpose := phi.PurposePatient
		if s.at.Patient == "" {
			purpose = phi.PurposeData
		}
		require.Equal(t, w.current(t, purpose, s.at.Patient).ID, id)
	}
}
