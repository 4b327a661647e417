package phi_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi"
)

type eightFields struct {
	ID string   `phi:",row,patient"`
	A  phi.Text `phi:"a,class=clinical"`
	B  phi.Text `phi:"b,class=clinical"`
	C  phi.Text `phi:"c,class=clinical"`
	D  phi.Text `phi:"d,class=clinical"`
	E  phi.Text `phi:"e,class=clinical"`
	F  phi.Text `phi:"f,class=clinical"`
	G  phi.Text `phi:"g,class=clinical"`
	H  phi.Text `phi:"h,class=clinical"`
}

func (e *eightFields) all() [8]phi.Text {
	return [8]phi.Text{e.A, e.B, e.C, e.D, e.E, e.F, e.G, e.H}
}

func benchVault(b testing.TB) *phi.Vault {
	v, err := phi.Open(b.Context(), "bench", phi.NewMemoryKMS(), phi.NewMemoryKeys(), nil)
	require.NoError(b, err)
	return v
}

var benchAt = phi.At{Tenant: "clinic", Field: "patient.phone", Patient: "p-1", Row: "p-1"}

func BenchmarkSeal64(b *testing.B) {
	v, plain := benchVault(b), []byte(strings.Repeat("x", 64))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Seal(b.Context(), benchAt, plain); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnseal64(b *testing.B) {
	v := benchVault(b)
	s, err := v.Seal(b.Context(), benchAt, []byte(strings.Repeat("x", 64)))
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Unseal(b.Context(), benchAt, s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTerm(b *testing.B) {
	v := benchVault(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Term(b.Context(), "clinic", "patient.phone", "+15555550123"); err != nil {
			b.Fatal(err)
		}
	}
}

func fullRow() *eightFields {
	t := phi.NewText(strings.Repeat("x", 64))
	return &eightFields{"p-1", t, t, t, t, t, t, t, t}
}

func BenchmarkSealRow8(b *testing.B) {
	c, err := phi.For[eightFields](benchVault(b), "row")
	require.NoError(b, err)
	p := fullRow()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Seal(b.Context(), "clinic", p); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpenRow8 opens a row and compares every field, which decrypts it.
func BenchmarkOpenRow8(b *testing.B) {
	c, err := phi.For[eightFields](benchVault(b), "row")
	require.NoError(b, err)
	rec, err := c.Seal(b.Context(), "clinic", fullRow())
	require.NoError(b, err)
	row := phi.Row{ID: "p-1", Cols: map[string]phi.Sealed{}}
	for _, f := range c.Fields() {
		row.Cols[f] = rec.Col(f)
	}
	want := phi.NewText(strings.Repeat("x", 64))
	b.ReportAllocs()
	for b.Loop() {
		p, err := c.Open(b.Context(), "clinic", row)
		if err != nil {
			b.Fatal(err)
		}
		for _, t := range p.all() {
			if !t.Equal(want) {
				b.Fatal("wrong")
			}
		}
	}
}
