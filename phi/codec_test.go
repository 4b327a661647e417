package phi_test

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
)

// contact is a patient's row with every sort of field and index.
type contact struct {
	ID    string        `phi:",row"`
	Who   audit.Patient `phi:",patient"`
	Name  phi.Text      `phi:"name,class=name"`
	Phone phi.Text      `phi:"phone,class=phone"`
	Email phi.Text      `phi:"email,class=email"`
	Note  phi.Text      `phi:"note,class=clinical"`
	Draft phi.Text      `phi:"-"`
	Color string
}

func contacts(t testing.TB, v *phi.Vault) *phi.Codec[contact] {
	t.Helper()
	c, err := phi.For[contact](v, "contact", phi.WithIndex("phone", phi.Phone("US")), phi.WithUnique("email", phi.Email()))
	require.NoError(t, err)
	return c
}

func someContact() *contact {
	return &contact{
		ID: "r-1", Who: "p-1", Name: phi.NewText("Jane Doe"), Phone: phi.NewText("555-555-0123"),
		Email: phi.NewText("jane@example.com"), Note: phi.NewText("sleeps badly"), Color: "blue",
	}
}

func contactRow(c *phi.Codec[contact], rec *phi.Record) phi.Row {
	row := rowOf(c, rec)
	row.Patient = "p-1"
	return row
}

func TestCodecRoundTrip(t *testing.T) {
	t.Parallel()
	c := contacts(t, newVault(t))
	require.Equal(t, []string{"name", "phone", "email", "note"}, c.Fields())
	require.Equal(t, "c.name, c.phone, c.email, c.note", c.Columns("c."))
	in := someContact()
	rec, err := c.Seal(t.Context(), clinic, in)
	require.NoError(t, err)
	out, err := c.Open(t.Context(), clinic, contactRow(c, rec))
	require.NoError(t, err)
	require.Equal(t, "r-1", out.ID)
	require.Equal(t, audit.Patient("p-1"), out.Who)
	require.True(t, out.Name.Equal(in.Name))
	require.True(t, out.Phone.Equal(in.Phone))
	require.True(t, out.Email.Equal(in.Email))
	require.True(t, out.Note.Equal(in.Note))
	require.True(t, out.Draft.IsZero(), "left out")
	require.Empty(t, out.Color, "the host's own")
	require.Equal(t, phi.ClassClinical, out.Note.Class())
}

// What the codec seals, the vault opens at the documented place, and the other way round.
func TestCodecPlaces(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	c := contacts(t, v)
	rec, err := c.Seal(t.Context(), clinic, someContact())
	require.NoError(t, err)
	at := phi.At{Tenant: clinic, Field: "contact.phone", Patient: "p-1", Row: "r-1"}
	plain, err := v.Unseal(t.Context(), at, rec.Col("phone"))
	require.NoError(t, err)
	require.Equal(t, "555-555-0123", string(plain))
	row := contactRow(c, rec)
	row.Cols["phone"], err = v.Seal(t.Context(), at, []byte("555-555-0124"))
	require.NoError(t, err)
	out, err := c.Open(t.Context(), clinic, row)
	require.NoError(t, err)
	require.True(t, out.Phone.Equal(phi.NewText("555-555-0124")))
}

func TestRowsShareASalt(t *testing.T) {
	t.Parallel()
	c := contacts(t, newVault(t))
	a, err := c.Seal(t.Context(), clinic, someContact())
	require.NoError(t, err)
	b, err := c.Seal(t.Context(), clinic, someContact())
	require.NoError(t, err)
	require.Equal(t, a.Col("name")[:30], a.Col("note")[:30], "one salt for the row")
	require.NotEqual(t, a.Col("name")[30:42], a.Col("note")[30:42], "a nonce for each field")
	require.NotEqual(t, a.Col("name")[18:30], b.Col("name")[18:30], "another for another row")
}

// The sealed values of a row are in one piece of memory, but none can grow into the next.
func TestColumnsAreApart(t *testing.T) {
	t.Parallel()
	c := contacts(t, newVault(t))
	rec, err := c.Seal(t.Context(), clinic, someContact())
	require.NoError(t, err)
	note := bytes.Clone(rec.Col("note"))
	for _, f := range c.Fields() {
		_ = append(rec.Col(f), "overwritten by an append"...)
	}
	require.Equal(t, note, []byte(rec.Col("note")))
}

// A field that was not replaced is written back byte for byte; a replaced one is not.
func TestUntouchedFields(t *testing.T) {
	t.Parallel()
	c := contacts(t, newVault(t))
	rec, err := c.Seal(t.Context(), clinic, someContact())
	require.NoError(t, err)
	out, err := c.Open(t.Context(), clinic, contactRow(c, rec))
	require.NoError(t, err)
	out.Phone = phi.NewText("555-555-0199")
	again, err := c.Seal(t.Context(), clinic, out)
	require.NoError(t, err)
	for _, f := range []string{"name", "email", "note"} {
		require.Equal(t, rec.Col(f), again.Col(f), f)
	}
	require.NotEqual(t, rec.Col("phone"), again.Col("phone"))
	require.Len(t, again.Terms().List, 2, "terms are complete, whatever was touched")
	require.Equal(t, rec.Terms().List[1], again.Terms().List[1])
	require.NotEqual(t, rec.Terms().List[0].Value, again.Terms().List[0].Value)

	mixed, err := c.Open(t.Context(), clinic, contactRow(c, again))
	require.NoError(t, err)
	require.True(t, mixed.Phone.Equal(phi.NewText("555-555-0199")), "fields of two salts in one row")
	require.True(t, mixed.Name.Equal(phi.NewText("Jane Doe")))
}

// A value that moves to another field or row is sealed anew, for that place.
func TestMovedValues(t *testing.T) {
	t.Parallel()
	c := contacts(t, newVault(t))
	out := reopenContact(t, c, someContact())
	moved := &contact{ID: "r-2", Who: "p-2", Name: out.Note, Note: out.Note}
	rec, err := c.Seal(t.Context(), clinic, moved)
	require.NoError(t, err)
	row := rowOf(c, rec)
	row.Patient = "p-2"
	got, err := c.Open(t.Context(), clinic, row)
	require.NoError(t, err)
	require.True(t, got.Name.Equal(phi.NewText("sleeps badly")))
	require.True(t, got.Note.Equal(phi.NewText("sleeps badly")))

	_, err = c.Seal(t.Context(), "clinic-2", &contact{ID: "r-1", Who: "p-1", Name: out.Name})
	require.ErrorIs(t, err, phi.ErrForeignTenant, "a value of another tenant stays there")
	_, err = c.Seal(t.Context(), "clinic-2", &contact{ID: "r-1", Who: "p-1", Phone: out.Phone})
	require.ErrorIs(t, err, phi.ErrForeignTenant)
}

func reopenContact(t *testing.T, c *phi.Codec[contact], p *contact) *contact {
	t.Helper()
	rec, err := c.Seal(t.Context(), clinic, p)
	require.NoError(t, err)
	out, err := c.Open(t.Context(), clinic, contactRow(c, rec))
	require.NoError(t, err)
	return out
}

func TestNoValueIsNull(t *testing.T) {
	t.Parallel()
	c := contacts(t, newVault(t))
	p := &contact{ID: "r-1", Who: "p-1", Name: phi.NewText(""), Email: phi.NewText("  ")}
	rec, err := c.Seal(t.Context(), clinic, p)
	require.NoError(t, err)
	require.Nil(t, rec.Col("phone"))
	require.NotNil(t, rec.Col("name"), "empty is a value")
	require.Empty(t, rec.Terms().List, "an empty value has no term, so it is no duplicate")
	out, err := c.Open(t.Context(), clinic, contactRow(c, rec))
	require.NoError(t, err)
	require.True(t, out.Phone.IsZero())
	require.True(t, out.Name.Equal(phi.NewText("")))
}

// Embedded structs give their fields, ids may be named types, an entity may have no patient.
func TestEmbeddedAndTenantScope(t *testing.T) {
	t.Parallel()
	type Address struct {
		Street phi.Text `phi:"street,class=geography"`
	}
	type badge string
	type staff struct {
		Address
		Badge badge    `phi:",row"`
		Phone phi.Text `phi:"phone,class=phone"`
	}
	v := newVault(t)
	c, err := phi.For[staff](v, "staff")
	require.NoError(t, err)
	require.Equal(t, []string{"street", "phone"}, c.Fields())
	p := &staff{Address{phi.NewText("12 Elm Street")}, "b-1", phi.NewText("555-555-0123")}
	out := reopen(t, c, p)
	require.Equal(t, badge("b-1"), out.Badge)
	require.True(t, out.Street.Equal(p.Street))
	require.True(t, out.Phone.Equal(p.Phone))
	rec, err := c.Seal(t.Context(), clinic, out)
	require.NoError(t, err)
	require.Equal(t, byte(0), rec.Col("street")[1]&3, "tenant scope")
	row := rowOf(c, rec)
	row.Cols["street"], row.Cols["phone"] = row.Cols["phone"], row.Cols["street"]
	out, err = c.Open(t.Context(), clinic, row)
	require.NoError(t, err)
	require.False(t, out.Street.Equal(p.Phone), "a field of tenant scope has a key of its own")
}

func TestDestAndArgs(t *testing.T) {
	t.Parallel()
	c := contacts(t, newVault(t))
	rec, err := c.Seal(t.Context(), clinic, &contact{ID: "r-1", Who: "p-1", Name: phi.NewText("Jane Doe"), Phone: phi.NewText("555-555-0123")})
	require.NoError(t, err)
	args := rec.Args("clinic-1", "r-1")
	require.Len(t, args, 6)
	require.Equal(t, []any{"clinic-1", "r-1", rec.Col("name"), rec.Col("phone"), phi.Sealed(nil), phi.Sealed(nil)}, args)

	var row phi.Row
	var color string
	dest := c.Dest(&row, &row.ID, &color)
	require.Len(t, dest, 6)
	for i, f := range c.Fields() {
		scan := dest[2+i].(interface{ Scan(any) error })
		if s := rec.Col(f); s != nil {
			require.NoError(t, scan.Scan([]byte(s)))
		} else {
			require.NoError(t, scan.Scan(nil))
		}
	}
	got, loaded := row.Col("name")
	require.True(t, loaded)
	require.Equal(t, rec.Col("name"), got)
	got, loaded = row.Col("email")
	require.True(t, loaded, "NULL is loaded")
	require.Nil(t, got)
	_, loaded = row.Col("nmae")
	require.False(t, loaded)
	row.ID, row.Patient = "r-1", "p-1"
	out, err := c.Open(t.Context(), clinic, row)
	require.NoError(t, err)
	require.True(t, out.Name.Equal(phi.NewText("Jane Doe")) && out.Email.IsZero())
	again, err := c.Seal(t.Context(), clinic, out)
	require.NoError(t, err)
	require.Equal(t, rec.Args()[:2], again.Args()[:2])

	twin, err := phi.For[contact](newVault(t), "contact")
	require.NoError(t, err)
	_, err = twin.Open(t.Context(), clinic, row)
	require.ErrorIs(t, err, phi.ErrUnknownKey, "by name, where another codec scanned it")
	narrow, err := phi.For[person](newVault(t), "contact")
	require.NoError(t, err)
	_, err = narrow.Open(t.Context(), clinic, row)
	require.ErrorIs(t, err, phi.ErrNoField)
	row.Cols = map[string]phi.Sealed{"name": rec.Col("phone")}
	out, err = c.Open(t.Context(), clinic, row)
	require.NoError(t, err)
	require.False(t, out.Name.Equal(phi.NewText("Jane Doe")), "what the host put there counts")
	require.True(t, out.Phone.Equal(phi.NewText("555-555-0123")))

	unscanned := phi.Row{ID: "r-1", Patient: "p-1"}
	c.Dest(&unscanned)
	out, err = c.Open(t.Context(), clinic, unscanned)
	require.NoError(t, err)
	_, err = c.Seal(t.Context(), clinic, out)
	require.ErrorIs(t, err, phi.ErrNotLoaded)

	err = dest[2].(interface{ Scan(any) error }).Scan(int64(5550123))
	require.ErrorContains(t, err, "contact.name")
	require.NotContains(t, err.Error(), "5550123")
}

// A page of rows of many patients costs one look-up in the key store.
func TestOpenAll(t *testing.T) {
	t.Parallel()
	kms, keys := phi.NewMemoryKMS(), newSpyKeys()
	c, err := phi.For[person](openVault(t, kms, keys, nil), "person")
	require.NoError(t, err)
	var rows []phi.Row
	for i := range 50 {
		rec, err := c.Seal(t.Context(), clinic, &person{ID: fmt.Sprint("p-", i), Name: phi.NewText(fmt.Sprint("Jane ", i))})
		require.NoError(t, err)
		rows = append(rows, rowOf(c, rec))
	}
	fresh, err := phi.For[person](openVault(t, kms, keys, nil), "person")
	require.NoError(t, err)
	before := keys.count()
	people, err := fresh.OpenAll(t.Context(), clinic, rows)
	require.NoError(t, err)
	require.Equal(t, 2, keys.count()-before, "the patients' keys, and the root that wraps them")
	require.Len(t, people, 50)
	for i, p := range people {
		require.True(t, p.Name.Equal(phi.NewText(fmt.Sprint("Jane ", i))))
	}
	before = keys.count()
	_, err = fresh.OpenAll(t.Context(), clinic, rows)
	require.NoError(t, err)
	require.Equal(t, before, keys.count(), "cached")

	rows[7].Cols["name"] = rows[8].Cols["name"]
	_, err = fresh.OpenAll(t.Context(), clinic, rows)
	require.ErrorIs(t, err, phi.ErrSwapped)
	people, err = fresh.OpenAll(t.Context(), clinic, nil)
	require.NoError(t, err)
	require.Empty(t, people)

	down := errors.New("down")
	keys.failAt, keys.err = 1, down
	other, err := phi.For[person](openVaultRetry(t, kms, keys, func(f func() error) {
		if f() != nil {
			require.NoError(t, f())
		}
	}), "person")
	require.NoError(t, err)
	keys.failAt = 1
	_, err = other.OpenAll(t.Context(), clinic, rows)
	require.ErrorIs(t, err, phi.ErrUnavailable)
	keys.failAt = 2
	_, err = other.OpenAll(t.Context(), clinic, rows)
	require.ErrorIs(t, err, phi.ErrUnavailable)
}

func TestLookup(t *testing.T) {
	t.Parallel()
	c, terms := contacts(t, newVault(t)), phi.NewMemoryTerms()
	rec, err := c.Seal(t.Context(), clinic, someContact())
	require.NoError(t, err)
	require.NoError(t, terms.SaveTerms(t.Context(), clinic, rec.Terms()))
	find := func(tenant audit.Tenant, field, value string) []string {
		q, err := c.Lookup(t.Context(), tenant, field, value)
		require.NoError(t, err)
		ids, err := terms.Lookup(t.Context(), tenant, q)
		require.NoError(t, err)
		return ids
	}
	require.Equal(t, []string{"r-1"}, find(clinic, "phone", "+1 (555) 555-0123"))
	require.Equal(t, []string{"r-1"}, find(clinic, "email", "JANE@example.com"))
	require.Empty(t, find(clinic, "phone", "555-555-0124"))
	require.Empty(t, find(clinic, "phone", " "), "nothing is not everything")
	require.Empty(t, find("clinic-2", "phone", "555-555-0123"))

	_, err = c.Lookup(t.Context(), clinic, "name", "Jane Doe")
	require.ErrorIs(t, err, phi.ErrNoIndex)
	_, err = c.Lookup(t.Context(), clinic, "nmae", "Jane Doe")
	require.ErrorIs(t, err, phi.ErrNoIndex)
	_, err = c.Lookup(t.Context(), clinic, "phone", "Jane's")
	require.ErrorIs(t, err, phi.ErrNotNormal)
	require.NotContains(t, err.Error(), "Jane")
	_, err = c.Lookup(t.Context(), "", "phone", "555-555-0123")
	require.ErrorIs(t, err, phi.ErrBinding)

	twin := someContact()
	twin.ID, twin.Who = "r-2", "p-2"
	rec, err = c.Seal(t.Context(), clinic, twin)
	require.NoError(t, err)
	err = terms.SaveTerms(t.Context(), clinic, rec.Terms())
	var d *phi.DuplicateError
	require.ErrorAs(t, err, &d)
	require.Equal(t, "email", d.Field)
	requireSilent(t, err)
}

// One opened row is read, compared and sealed again by many goroutines.
func TestRowConcurrently(t *testing.T) {
	t.Parallel()
	c := contacts(t, newVault(t))
	out := reopenContact(t, c, someContact())
	var wg sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		wg.Go(func() {
			if !out.Name.Equal(phi.NewText("Jane Doe")) || !out.Note.Equal(phi.NewText("sleeps badly")) {
				errs[i] = errors.New("not equal")
				return
			}
			_, errs[i] = c.Seal(t.Context(), clinic, out)
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
}

func FuzzCodec(f *testing.F) {
	c := contacts(f, newVault(f))
	f.Add("Jane Doe", "555-555-0123", "jane@example.com", "note")
	f.Add("", "", "", "\x00\xff")
	f.Fuzz(func(t *testing.T, name, phone, email, note string) {
		in := &contact{ID: "r-1", Who: "p-1", Name: phi.NewText(name), Phone: phi.NewText(phone), Email: phi.NewText(email), Note: phi.NewText(note)}
		rec, err := c.Seal(t.Context(), clinic, in)
		if err != nil {
			require.ErrorIs(t, err, phi.ErrNotNormal)
			require.Nil(t, rec)
			return
		}
		out, err := c.Open(t.Context(), clinic, contactRow(c, rec))
		require.NoError(t, err)
		require.True(t, out.Name.Equal(in.Name) && out.Phone.Equal(in.Phone) && out.Email.Equal(in.Email) && out.Note.Equal(in.Note))
		again, err := c.Seal(t.Context(), clinic, out)
		require.NoError(t, err)
		require.Equal(t, rec.Terms(), again.Terms())
		for _, f := range c.Fields() {
			require.Equal(t, rec.Col(f), again.Col(f))
		}
	})
}

// A row of eight fields is sealed, and opened and decrypted, in six allocations.
func TestRowAllocations(t *testing.T) {
	c, err := phi.For[eightFields](newVault(t), "row")
	require.NoError(t, err)
	p := fullRow()
	var rows [2]phi.Row // opened in turns, so that the key has kept what opens the other
	for i := range rows {
		rec, err := c.Seal(t.Context(), clinic, p)
		require.NoError(t, err)
		rows[i] = rowOf(c, rec)
	}
	other, turn := phi.NewText("of another length"), 0
	for name, f := range map[string]func(){
		"sealing": func() { _, _ = c.Seal(t.Context(), clinic, p) },
		"opening": func() {
			turn++
			p, _ := c.Open(t.Context(), clinic, rows[turn%2])
			for _, t := range p.all() {
				_ = t.Equal(other)
			}
		},
	} {
		allocs := testing.AllocsPerRun(200, f)
		require.True(t, raceDetector || allocs <= 6, "%s: %v", name, allocs)
	}
}
