package phi_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi"
)

func TestStages(t *testing.T) {
	t.Parallel()
	require.Equal(t, []phi.Stage{phi.StagePlain, phi.StageDual, phi.StageCutover, phi.StageSealed}, phi.Stages())
	for i, s := range phi.Stages() {
		require.NoError(t, s.Validate())
		for j, previous := range phi.Stages() {
			err := s.Follow(previous)
			if i-j >= -1 && i-j <= 1 {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, phi.ErrStage)
			}
		}
		require.True(t, s.WritesClear() || s.WritesSealed())
	}
	for _, s := range []phi.Stage{"", "PLAIN", "dropped"} {
		require.ErrorIs(t, s.Validate(), phi.ErrStage)
		require.ErrorIs(t, s.Follow(phi.StagePlain), phi.ErrStage)
		require.ErrorIs(t, phi.StagePlain.Follow(s), phi.ErrStage)
		require.False(t, s.ReadsClear() || s.WritesClear() || s.WritesSealed(), "no stage allows nothing")
		_, err := phi.Pick(s, phi.NewText("a"), phi.NewText("b"))
		require.ErrorIs(t, err, phi.ErrStage)
	}
}

func TestPick(t *testing.T) {
	t.Parallel()
	a, b, none := phi.NewText("clear"), phi.NewText("sealed"), phi.Text{}
	for _, c := range []struct {
		stage         phi.Stage
		clear, sealed phi.Text
		want          phi.Text
		err           error
	}{
		{phi.StagePlain, a, b, a, nil},
		{phi.StagePlain, none, b, none, nil},
		{phi.StageDual, a, none, a, nil},
		{phi.StageDual, none, b, none, nil}, // a plain server has removed it since
		{phi.StageCutover, a, b, b, nil},
		{phi.StageCutover, none, b, b, nil},
		{phi.StageCutover, none, none, none, nil},
		{phi.StageCutover, a, none, none, phi.ErrNotSealed},
		{phi.StageSealed, a, b, b, nil},
		{phi.StageSealed, a, none, none, phi.ErrNotSealed},
	} {
		got, err := phi.Pick(c.stage, c.clear, c.sealed)
		require.ErrorIs(t, err, c.err)
		require.True(t, got.Equal(c.want), "%s", c.stage)
	}
}

// columns is a row's two columns; a nil one is NULL.
type columns struct{ clear, sealed *string }

// server is a program that was started in a stage.
type server struct{ stage phi.Stage }

func (s server) write(c *columns, v *string) {
	c.clear, c.sealed = nil, nil
	if s.stage.WritesClear() {
		c.clear = v
	}
	if s.stage.WritesSealed() {
		c.sealed = v
	} else if s.stage == phi.StagePlain {
		c.sealed = nil
	}
}

// oldRelease is a plain server of the time before there was a sealed column.
func oldRelease(c *columns, v *string) { c.clear = v }

func (s server) read(c columns) (*string, error) {
	text := func(p *string) phi.Text {
		if p == nil {
			return phi.Text{}
		}
		return phi.NewText(*p)
	}
	got, err := phi.Pick(s.stage, text(c.clear), text(c.sealed))
	if err != nil || got.IsZero() {
		return nil, err
	}
	for _, v := range []*string{c.clear, c.sealed} {
		if v != nil && got.Equal(phi.NewText(*v)) {
			return v, nil
		}
	}
	return nil, fmt.Errorf("a value from nowhere")
}

// Every order of writes by servers of two stages that may run at once, on the way to sealed:
// whoever reads sees what was written last.
func TestStagesTogether(t *testing.T) {
	t.Parallel()
	x, y := "x", "y"
	values := []*string{&x, &y, nil}
	stages := phi.Stages()
	// In each phase two neighbours run; between the phases the host does what Stage says.
	for seed := range 6 * 6 * 6 {
		c := columns{clear: &x} // as it was before anything was sealed
		last := &x
		moves := []int{seed % 6, seed / 6 % 6, seed / 36 % 6}
		for phase, move := range moves {
			pair := []server{{stages[phase]}, {stages[phase+1]}}
			who, v := move%2, values[move/2]
			if phase == 0 && who == 0 {
				oldRelease(&c, v)
			} else {
				pair[who].write(&c, v)
			}
			last = v
			for _, s := range pair {
				got, err := s.read(c)
				require.NoError(t, err, "%d in phase %d", seed, phase)
				require.Equal(t, last, got, "%d in phase %d, read by %s", seed, phase, s.stage)
			}
			if phase == 0 { // all are dual: the sweep
				c.sealed = c.clear
			}
		}
		c.clear = nil // all are sealed: the second sweep
		got, err := server{phi.StageSealed}.read(c)
		require.NoError(t, err)
		require.Equal(t, last, got)
	}
}

// A sealed column that holds a plaintext is an error in every stage that reads it, and never
// taken for the value.
func TestPlainInSealedColumn(t *testing.T) {
	t.Parallel()
	codec, err := phi.For[Patient](newVault(t), "patient")
	require.NoError(t, err)
	for _, plain := range []string{"Jane Doe", "phi1.Jane", ""} {
		_, err = codec.Open(t.Context(), clinic, phi.Row{ID: "p-1", Cols: map[string]phi.Sealed{"name": phi.Sealed(plain)}})
		require.Error(t, err)
		require.NotContains(t, err.Error(), "Jane")
		var s phi.Sealed
		if plain != "" {
			require.Error(t, s.Scan(plain))
		}
	}
}
