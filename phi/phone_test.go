package phi_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi"
)

// The golden vectors of version 2, which never change: in every region, whichever way an
// international number is written, an alias has the same form.
func TestPhoneFolded(t *testing.T) {
	t.Parallel()
	for _, region := range []string{"US", "CA", "MX", "AR", "BR"} {
		for in, want := range map[string]string{
			"+52 1 55 1234 5678":    "+525512345678",
			"+52 55 1234 5678":      "+525512345678",
			"+54 9 11 2345-6789":    "+541123456789",
			"+54 11 2345-6789":      "+541123456789",
			"tel:+54-9-2966-432100": "+542966432100",
			"+55 11 6123-4567":      "+5511961234567",
			"+55 (11) 96123-4567":   "+5511961234567",
			"+55 11 2345-6789":      "+551123456789",
			"+1 555 555 0123":       "+15555550123",
			"+44 20 7946 0018":      "+442079460018",
			"":                      "",
		} {
			got, err := phi.PhoneFolded(region).Normalise(in)
			require.NoError(t, err, "%s %s", region, in)
			require.Equal(t, want, got, "%s %s", region, in)
		}
		for _, bad := range []string{"+", "+0155555501", "+1 555 555 01234", "call mom"} {
			_, err := phi.PhoneFolded(region).Normalise(bad)
			require.ErrorIs(t, err, phi.ErrNotNormal, "%s %s", region, bad)
		}
	}
	for _, tc := range [][3]string{
		{"US", "011 54 9 11 2345-6789", "+541123456789"},
		{"US", "011 55 11 6123-4567", "+5511961234567"},
		{"US", "011 52 1 55 1234 5678", "+525512345678"},
		{"US", "(555) 555-0123 x12", "+15555550123"},
		{"CA", "1-555-555-0123", "+15555550123"},
		{"MX", "00 54 9 11 2345 6789", "+541123456789"},
		{"MX", "00 55 11 6123 4567", "+5511961234567"},
		{"MX", "044 55 1234 5678", "+525512345678"},
		{"MX", "00 1 555 555 0123", "+15555550123"},
		{"AR", "011 15-2345-6789", "+541123456789"},
		{"BR", "0 15 11 6123-4567", "+5511961234567"},
	} {
		got, err := phi.PhoneFolded(tc[0]).Normalise(tc[1])
		require.NoError(t, err, tc)
		require.Equal(t, tc[2], got, tc)
	}
}

// Version 1 stays what it was, so that what it was computed from is found.
func TestPhoneVersion1KeepsAliasesApart(t *testing.T) {
	t.Parallel()
	for _, tc := range [][3]string{
		{"US", "+54 9 11 2345-6789", "+5491123456789"},
		{"CA", "011 55 11 6123-4567", "+551161234567"},
		{"MX", "00 54 9 11 2345 6789", "+5491123456789"},
		{"MX", "+52 1 55 1234 5678", "+525512345678"},
	} {
		got, err := phi.Phone(tc[0]).Normalise(tc[1])
		require.NoError(t, err, tc)
		require.Equal(t, tc[2], got, tc)
	}
	require.Equal(t, phi.Phone("AR").ID(), phi.PhoneFolded("AR").ID())
	_, err := phi.For[contact](newVault(t), "contact", phi.WithIndex("phone", phi.PhoneFolded("FR")))
	require.ErrorIs(t, err, phi.ErrCodec)
}

// An index moves from version 1 to 2 row by row, while both are asked: at no moment is a row
// not found, and afterwards every alias finds it.
func TestMovingToPhoneFolded(t *testing.T) {
	t.Parallel()
	v, store := newVault(t), phi.NewMemoryTerms()
	codec := func(n phi.Normaliser) *phi.Codec[contact] {
		c, err := phi.For[contact](v, "contact", phi.WithIndex("phone", n))
		require.NoError(t, err)
		return c
	}
	old, latest := codec(phi.Phone("US")), codec(phi.PhoneFolded("US"))
	found := func(c *phi.Codec[contact], number string) []string {
		q, err := c.Lookup(t.Context(), clinic, "phone", number)
		require.NoError(t, err)
		ids, err := store.Lookup(t.Context(), clinic, q)
		require.NoError(t, err)
		return ids
	}
	save := func(c *phi.Codec[contact], row string) {
		p := someContact()
		p.ID, p.Phone = row, phi.NewText("+54 9 11 2345-6789")
		terms, err := c.Terms(t.Context(), clinic, p)
		require.NoError(t, err)
		require.NoError(t, store.SaveTerms(t.Context(), clinic, terms))
	}
	rows := []string{"r-1", "r-2", "r-3"}
	for _, row := range rows {
		save(old, row)
	}
	require.Empty(t, found(old, "+54 11 2345-6789"), "which is why one moves")
	for i := range rows {
		save(latest, rows[i])
		both := append(found(old, "+54 9 11 2345-6789"), found(latest, "+54 9 11 2345-6789")...)
		require.ElementsMatch(t, rows, both)
	}
	require.Equal(t, rows, found(latest, "011 54 11 2345 6789"))
	require.Empty(t, found(old, "+54 9 11 2345-6789"))
}
