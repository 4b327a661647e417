package phi_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/phitest"
)

type patient struct {
	ID    string   `phi:",row,patient"`
	Name  phi.Text `phi:"name,class=name"`
	Phone phi.Text `phi:"phone,class=phone"`
}

func TestSmoke(t *testing.T) {
	ctx := t.Context()
	v, err := phi.Open(ctx, "test", phitest.NewKMS(), phi.NewMemoryKeys(), nil)
	require.NoError(t, err)
	c, err := phi.For[patient](v, "patient", phi.WithIndex("phone", phi.Phone("US")))
	require.NoError(t, err)
	rec, err := c.Seal(ctx, "t", &patient{ID: "p1", Name: phi.NewText("Jane Doe"), Phone: phi.NewText("(555) 555-0123")})
	require.NoError(t, err)
	require.Len(t, rec.Terms().List, 1)
	p, err := c.Open(ctx, "t", phi.Row{ID: "p1", Cols: map[string]phi.Sealed{"name": rec.Col("name"), "phone": rec.Col("phone")}})
	require.NoError(t, err)
	_, err = p.Name.Reveal(ctx)
	require.ErrorIs(t, err, phi.ErrNoSight)
	ctx = audit.WithActor(ctx, audit.System("t", "x"))
	ctx, err = phi.InsecureFullSight(ctx, audit.Discard{}, "test")
	require.NoError(t, err)
	s, err := p.Name.Reveal(ctx)
	require.NoError(t, err)
	require.Equal(t, "Jane Doe", s)
}
