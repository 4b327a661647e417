package phi_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

func recordCodec(t *testing.T) (*phi.Codec[record], *record) {
	t.Helper()
	c, err := phi.For[record](newVault(t), "patient")
	require.NoError(t, err)
	return c, reopen(t, c, &record{
		ID: "p-1", Name: phi.NewText("Jane Doe"), Email: phi.NewText("jane@example.com"),
		SSN: phi.NewText("987-65-4321"), Note: phi.NewText("sleeps badly"),
	})
}

func TestViewShowsWhatTheSightLeaves(t *testing.T) {
	t.Parallel()
	c, p := recordCodec(t)
	log := &notes{}
	ctx, trail := request(t, log, map[phi.Class]phi.Level{phi.ClassName: phi.Full, phi.ClassSSN: phi.Partial, phi.ClassEmail: phi.Mask})
	v, err := c.View(ctx, p)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"name": "Jane Doe", "ssn": "•••-••-4321", "email": "•••@•••", "note": phi.Hidden}, v)
	text, err := json.Marshal(v)
	require.NoError(t, err)
	for _, secret := range []string{"jane@example.com", "987", "65-", "sleeps"} {
		require.NotContains(t, string(text), secret)
	}
	require.NoError(t, trail.Flush(ctx))
	require.Len(t, log.events, 1)
	require.Equal(t, []audit.Object{{Type: "patient", ID: "p-1", Fields: []string{"name", "ssn:partial"}}}, log.events[0].Objects)
	require.Equal(t, []audit.Patient{"p-1"}, log.events[0].Patients)

	var back record
	require.ErrorIs(t, back.Note.UnmarshalText([]byte(v["note"])), phi.ErrMark, "what was hidden does not come back as a value")
	require.ErrorIs(t, back.SSN.UnmarshalText([]byte(v["ssn"])), phi.ErrMark)
	require.ErrorIs(t, back.Email.UnmarshalText([]byte(v["email"])), phi.ErrMark)
	require.True(t, back.Email.IsZero())
}

func TestViewOfSomeFields(t *testing.T) {
	t.Parallel()
	c, p := recordCodec(t)
	log := &notes{}
	ctx, trail := request(t, log, map[phi.Class]phi.Level{phi.ClassName: phi.Full, phi.ClassSSN: phi.Full})
	v, err := c.View(ctx, p, "ssn")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"ssn": "987-65-4321"}, v)
	require.NoError(t, trail.Flush(ctx))
	require.Equal(t, []string{"ssn"}, log.events[0].Objects[0].Fields, "what was not asked for was not seen")
	_, err = c.View(ctx, p, "name", "shoes")
	require.ErrorIs(t, err, phi.ErrNoField)

	part, err := c.Open(ctx, clinic, rowWithout(t, c, p, "note"))
	require.NoError(t, err)
	_, err = c.View(ctx, part, "name", "note")
	require.NoError(t, err, "hidden, so not even asked for")
	all, _ := request(t, log, map[phi.Class]phi.Level{phi.ClassClinical: phi.Full})
	_, err = c.View(all, part, "note")
	require.ErrorIs(t, err, phi.ErrNotLoaded)
}

func rowWithout(t *testing.T, c *phi.Codec[record], p *record, field string) phi.Row {
	t.Helper()
	rec, err := c.Seal(t.Context(), clinic, p)
	require.NoError(t, err)
	row := rowOf(c, rec)
	delete(row.Cols, field)
	return row
}

func TestViewFailsClosed(t *testing.T) {
	t.Parallel()
	c, p := recordCodec(t)
	v, err := c.View(t.Context(), p)
	require.ErrorIs(t, err, phi.ErrNoSight)
	require.Nil(t, v)
	_, err = c.View(t.Context(), &record{})
	require.ErrorIs(t, err, phi.ErrNoSight, "a row without values needs a decision as well")
	bare := phi.WithSight(t.Context(), phi.NewSight(map[phi.Class]phi.Level{phi.ClassName: phi.Full}))
	v, err = c.View(bare, p)
	require.ErrorIs(t, err, phi.ErrUnrecorded)
	require.Nil(t, v)
	log := &notes{}
	ctx, trail := request(t, log, map[phi.Class]phi.Level{phi.ClassName: phi.Full})
	require.NoError(t, trail.Flush(ctx))
	trail.Return()
	log.fail(errors.New("disk full"))
	v, err = c.View(ctx, p)
	require.ErrorIs(t, err, phi.ErrUnrecorded)
	require.Nil(t, v)
	other := audit.WithActor(ctx, audit.Actor{ID: "u-2", Kind: audit.KindStaff, Tenant: "elsewhere"})
	_, err = c.View(other, p)
	require.ErrorIs(t, err, phi.ErrNotAllowed)
	_, err = c.View(ctx, nil)
	require.ErrorIs(t, err, phi.ErrCodec)
	v, err = c.View(phi.WithSight(t.Context(), phi.Sight{}), &record{Name: phi.NewText("Jane Doe")})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"name": phi.Hidden, "email": "", "ssn": "", "note": ""}, v, "a value that no row placed has no class")
}
