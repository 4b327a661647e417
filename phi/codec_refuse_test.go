package phi_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// Values that somebody moved or changed in the database.
func TestTamperedRows(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	c := contacts(t, v)
	seal := func(tenant audit.Tenant, id string, who audit.Patient) *phi.Record {
		p := someContact()
		p.ID, p.Who = id, who
		rec, err := c.Seal(t.Context(), tenant, p)
		require.NoError(t, err)
		return rec
	}
	mine := seal(clinic, "r-1", "p-1")
	type cols = map[string]phi.Sealed
	for name, tc := range map[string]struct {
		change func(c cols, field string)
		want   error
	}{
		"two columns exchanged": {func(c cols, f string) { c["name"], c["note"] = c["note"], c["name"] }, phi.ErrSwapped},
		"another patient's":     {func(c cols, f string) { c[f] = seal(clinic, "r-2", "p-2").Col(f) }, phi.ErrSwapped},
		"another tenant's":      {func(c cols, f string) { c[f] = seal("clinic-2", "r-1", "p-1").Col(f) }, phi.ErrForeignTenant},
		"another row's":         {func(c cols, f string) { c[f] = seal(clinic, "r-9", "p-1").Col(f) }, phi.ErrAltered},
		"a bit":                 {func(c cols, f string) { c[f][60] ^= 1 }, phi.ErrAltered},
		"cut":                   {func(c cols, f string) { c[f] = c[f][:70] }, phi.ErrTruncated},
		"cut to nothing":        {func(c cols, f string) { c[f] = phi.Sealed{} }, phi.ErrTruncated},
		"plaintext":             {func(c cols, f string) { c[f] = phi.Sealed("Jane Doe") }, phi.ErrUnknownSuite},
		"another suite":         {func(c cols, f string) { c[f][0] = 2 }, phi.ErrUnknownSuite},
		"unknown key":           {func(c cols, f string) { c[f][2] ^= 1 }, phi.ErrUnknownKey},
		"tenant scope":          {func(c cols, f string) { c[f][1] &^= 1 }, phi.ErrSwapped},
	} {
		for _, field := range []string{"name", "note"} { // the first of the row, and one that shares its key
			row := contactRow(c, mine)
			for f, s := range row.Cols {
				row.Cols[f] = bytes.Clone(s)
			}
			tc.change(row.Cols, field)
			requireTampered(t, c, row, field, tc.want, name)
		}
	}
}

func requireTampered(t *testing.T, c *phi.Codec[contact], row phi.Row, field string, want error, name string) {
	t.Helper()
	out, err := c.Open(t.Context(), clinic, row)
	if err == nil {
		text := map[string]phi.Text{"name": out.Name, "note": out.Note}[field]
		ctx, _ := request(t, &notes{}, map[phi.Class]phi.Level{phi.ClassName: phi.Full, phi.ClassClinical: phi.Full})
		var s string
		s, err = text.Reveal(ctx)
		require.Empty(t, s, name)
		require.False(t, text.Equal(phi.NewText("Jane Doe")) || text.Equal(phi.NewText("sleeps badly")) || text.Equal(text), name)
		_, sealErr := c.Seal(t.Context(), clinic, &contact{ID: "r-1", Who: "p-1", Phone: text})
		require.ErrorIs(t, sealErr, want, name)
	}
	require.ErrorIs(t, err, want, name)
	var f *phi.FieldError
	require.ErrorAs(t, err, &f, name)
	require.Equal(t, "contact."+field, f.Field, name)
	requireSilent(t, err)
}

func TestSealRowRefuses(t *testing.T) {
	t.Parallel()
	c := contacts(t, newVault(t))
	for name, tc := range map[string]struct {
		tenant audit.Tenant
		change func(*contact)
		want   error
		field  string
	}{
		"no tenant":   {"", func(*contact) {}, phi.ErrBinding, ""},
		"no row id":   {clinic, func(p *contact) { p.ID = "" }, phi.ErrBinding, ""},
		"no patient":  {clinic, func(p *contact) { p.Who = "" }, phi.ErrBinding, ""},
		"too long":    {clinic, func(p *contact) { p.Note = phi.NewText(strings.Repeat("x", phi.MaxValue+1)) }, phi.ErrTooLong, "contact.note"},
		"not a phone": {clinic, func(p *contact) { p.Phone = phi.NewText("call Jane") }, phi.ErrNotNormal, "contact.phone"},
		"not a mail":  {clinic, func(p *contact) { p.Email = phi.NewText("Jane") }, phi.ErrNotNormal, "contact.email"},
	} {
		p := someContact()
		tc.change(p)
		rec, err := c.Seal(t.Context(), tc.tenant, p)
		require.ErrorIs(t, err, tc.want, name)
		require.Nil(t, rec, "%s: there is nothing to write", name)
		requireSilent(t, err)
		if rule, ok := strings.CutPrefix(name, "no "); ok {
			require.ErrorContains(t, err, rule+" is empty")
		}
		var f *phi.FieldError
		require.Equal(t, tc.field != "", errors.As(err, &f), name)
		if f != nil {
			require.Equal(t, tc.field, f.Field, name)
		}
	}
}

func TestNilCodec(t *testing.T) {
	t.Parallel()
	var c *phi.Codec[contact]
	_, err := c.Seal(t.Context(), clinic, someContact())
	require.ErrorIs(t, err, phi.ErrCodec)
	_, err = c.Open(t.Context(), clinic, phi.Row{})
	require.ErrorIs(t, err, phi.ErrCodec)
	_, err = c.OpenAll(t.Context(), clinic, nil)
	require.ErrorIs(t, err, phi.ErrCodec)
	_, err = c.Lookup(t.Context(), clinic, "phone", "555-555-0123")
	require.ErrorIs(t, err, phi.ErrCodec)
	_, err = c.Terms(t.Context(), clinic, someContact())
	require.ErrorIs(t, err, phi.ErrCodec)
	_, err = c.Reseal(t.Context(), clinic, phi.Row{ID: "r-1"})
	require.ErrorIs(t, err, phi.ErrCodec)
	real := contacts(t, newVault(t))
	_, err = real.Seal(t.Context(), clinic, nil)
	require.ErrorIs(t, err, phi.ErrCodec)
	_, err = real.Open(t.Context(), clinic, phi.Row{ID: "r-1"})
	require.ErrorIs(t, err, phi.ErrBinding)
	_, err = real.Open(t.Context(), "", phi.Row{ID: "r-1", Patient: "p-1"})
	require.ErrorIs(t, err, phi.ErrBinding)
	require.Panics(t, func() {
		rec, err := real.Seal(t.Context(), clinic, someContact())
		require.NoError(t, err)
		rec.Col("nmae")
	})
}

// Everything that is wrong with a type is said at once.
func TestTagErrors(t *testing.T) {
	t.Parallel()
	type inner struct {
		Deep phi.Text `phi:"deep,class=name"`
	}
	type bad struct {
		*inner
		A      string   `phi:",row"`
		B      string   `phi:",row"`
		C      int      `phi:",patient"`
		D      string   `phi:"named,row"`
		E      string   `phi:",column"`
		F      phi.Text `phi:"f"`
		G      phi.Text `phi:"g,class=nonsense"`
		H      phi.Text `phi:"Upper,class=name"`
		I      phi.Text `phi:"i,class=name"`
		J      phi.Text `phi:"i,class=name"`
		K      phi.Text
		L      phi.Text `phi:"l,class=name,index"`
		hidden phi.Text `phi:"hidden,class=name"`
	}
	v := newVault(t)
	_, err := phi.For[bad](v, "Bad Name", phi.WithIndex("nowhere", phi.Email()), phi.WithIndex("i", phi.Phone("XX")),
		phi.WithIndex("i", phi.Email()), phi.WithUnique("i", phi.Email()), nil)
	require.ErrorIs(t, err, phi.ErrCodec)
	for _, want := range []string{
		"Bad Name", "Deep:", "B:", "C:", "D:", `unknown option "column"`, "F:", "G:", `"Upper"`, "J:", "is taken", "K:", "without a tag",
		"L:", "hidden:", "exported", `"nowhere"`, "region", "two indexes", "nil option",
	} {
		require.ErrorContains(t, err, want)
	}
	for _, fine := range []string{"A:", "I:"} {
		require.NotContains(t, err.Error(), "\n"+fine)
	}

	_, err = phi.For[string](v, "text")
	require.ErrorIs(t, err, phi.ErrCodec)
	_, err = phi.For[struct {
		ID string `phi:",row"`
	}](v, "empty")
	require.ErrorContains(t, err, "no field is sealed")
	_, err = phi.For[struct {
		Name phi.Text `phi:"name,class=name"`
	}](v, "rowless")
	require.ErrorContains(t, err, "row id")
	_, err = phi.For[person](nil, "person")
	require.ErrorIs(t, err, phi.ErrCodec)
	_ = bad{}.hidden
}

// Values that a codec would not find, and so would neither seal nor restore, are refused
// instead of being lost; what is left out on purpose is left out.
func TestValuesThatNobodyWouldSeal(t *testing.T) {
	t.Parallel()
	type address struct{ Street phi.Text }
	type node struct {
		Next *node
		Born []phi.Date
	}
	type deep struct {
		ID      string   `phi:",row"`
		Name    phi.Text `phi:"name,class=name"`
		Address address
		Pointer *phi.Text
		List    []phi.Number
		Pair    [2]phi.Date
		Map     map[string]phi.Text
		Node    *node
		Nested  struct{ Home struct{ Phone *phi.Text } }
		Tagged  *phi.Text `phi:"tagged,class=name"`
		Free    struct {
			Count int
			Next  []*node `phi:"-"`
		}
		Out []phi.Text `phi:"-"`
	}
	_, err := phi.For[deep](newVault(t), "deep")
	require.ErrorIs(t, err, phi.ErrCodec)
	for _, field := range []string{"Address", "Pointer", "List", "Pair", "Map", "Node", "Nested", "Tagged"} {
		require.ErrorContains(t, err, field+": ")
	}
	require.NotContains(t, err.Error(), "Free")
	require.NotContains(t, err.Error(), "Out")

	type Left struct {
		Fax phi.Text `phi:"fax,class=fax"`
	}
	type some struct {
		Left `phi:"-"`
		ID   string     `phi:",row"`
		Age  phi.Number `phi:"age,class=date"`
	}
	c, err := phi.For[some](newVault(t), "some")
	require.NoError(t, err)
	require.Equal(t, []string{"age"}, c.Fields())
}

// A row of which any field fails is no record at all, whatever the field's place.
func TestRowsFailWhole(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	c, err := phi.For[eightFields](v, "row")
	require.NoError(t, err)
	long := phi.NewText(strings.Repeat("x", phi.MaxValue+1))
	for i, spoil := range []func(*eightFields){
		func(p *eightFields) { p.A = long }, func(p *eightFields) { p.D = long }, func(p *eightFields) { p.H = long },
	} {
		p := fullRow()
		spoil(p)
		rec, err := c.Seal(t.Context(), clinic, p)
		require.ErrorIs(t, err, phi.ErrTooLong, i)
		require.Nil(t, rec)
	}
}

// A column that the SELECT left out is not taken for no value.
func TestColumnsNotLoaded(t *testing.T) {
	t.Parallel()
	c := contacts(t, newVault(t))
	rec, err := c.Seal(t.Context(), clinic, someContact())
	require.NoError(t, err)
	out, err := c.Open(t.Context(), clinic, phi.Row{ID: "r-1", Patient: "p-1", Cols: map[string]phi.Sealed{"name": rec.Col("name")}})
	require.NoError(t, err)
	require.True(t, out.Name.Equal(phi.NewText("Jane Doe")))
	require.False(t, out.Note.IsZero())
	ctx, _ := request(t, &notes{}, map[phi.Class]phi.Level{phi.ClassClinical: phi.Full})
	_, err = out.Note.Reveal(ctx)
	require.ErrorIs(t, err, phi.ErrNotLoaded)
	_, err = c.Seal(t.Context(), clinic, out)
	require.ErrorIs(t, err, phi.ErrNotLoaded, "it would be lost")
	var f *phi.FieldError
	require.ErrorAs(t, err, &f)
	require.Equal(t, "contact.phone", f.Field)

	_, err = c.Open(t.Context(), clinic, phi.Row{ID: "r-1", Patient: "p-1", Cols: map[string]phi.Sealed{"nmae": rec.Col("name")}})
	require.ErrorIs(t, err, phi.ErrNoField)
}
