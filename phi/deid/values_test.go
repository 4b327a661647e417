package deid

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDatesToYearAndAgesOver89(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct{ plain, year, age string }{
		{"1984-06-01", "1984", "42"},
		{"1984-06-02", "1984", "41"},
		{"1937-01-01", "1937", "89"},
		{"1936-12-31", "90+", "89"}, // will be 90 in a year that the file may be read
		{"1936-06-01", "90+", "90+"},
		{"1900-01-01", "90+", "90+"},
		{"2027-01-01", "2027", ""}, // an appointment to come
		{"2030-13-01", "", ""},
		{"1984", "", ""},
		{"84-06-01", "", ""},
		{"1984-06-01T10:00:00Z", "", ""},
		{"Jane", "", ""},
		{"", "", ""},
	} {
		require.Equal(t, c.year, yearOf(c.plain, now), c.plain)
		if c.plain != "1984" {
			require.Equal(t, c.age, ageOf(c.plain, now), c.plain)
		}
	}
	for plain, want := range map[string]string{"0": "0", "89": "89", "90": "90+", "89.5": "", "-1": "", "12345678901234567890": ""} {
		require.Equal(t, want, ageOf(plain, now), plain)
	}
}

func TestZIPCodesToThreeDigits(t *testing.T) {
	t.Parallel()
	p := Census2000()
	require.Len(t, p.few, 17)
	require.Equal(t, "2000 (decennial Census)", p.Date())
	require.NotEmpty(t, p.Source())
	for _, few := range strings.Fields("036 059 063 102 203 556 692 790 821 823 830 831 878 879 884 890 893") {
		require.Equal(t, "000", p.cut(few+"01"), few)
		require.Equal(t, "000", p.cut(few+"99-1234"), few)
	}
	for zip, want := range map[string]string{
		"10025": "100", "10025-0001": "100", "1002": "", "100250": "", "10025-": "", "10025-12": "", "١٠٠٢٥": "",
		"12 Main St, Springfield 10025": "", "SW1A 1AA": "", "": "", "10025\n": "",
	} {
		require.Equal(t, want, p.cut(zip), zip)
	}
	require.Equal(t, "000", new(Prefixes).cut("10025"), "without a list every area has few people")
}

// TestUnknownAreas: of an area that is none, or where nobody is counted, no digit leaves.
func TestUnknownAreas(t *testing.T) {
	t.Parallel()
	p := Census2000()
	for _, area := range strings.Fields("000 001 004 005 055 090 098 099 192 204 213 269 340 343 345 348 353 399 419 429 459 517 519 552 568 569 589 621 643 649 699 702 733 771 819 849 869 885 888 899 909 929 962 966 987") {
		require.Equal(t, "000", p.cut(area+"01"), area)
		require.Equal(t, "000", p.cut(area+"01-2345"), area)
	}
	kept := 0
	for n := range 1000 {
		area := fmt.Sprintf("%03d", n)
		if got := p.cut(area + "12"); got != "000" {
			require.Equal(t, area, got)
			kept++
		}
	}
	require.Greater(t, kept, 840)
	require.Less(t, kept, 900)
	for _, area := range strings.Fields("006 010 054 056 089 100 201 206 299 300 349 398 400 458 499 500 567 599 600 693 700 799 800 883 889 898 900 961 967 969 995 999") {
		require.Equal(t, area, p.cut(area+"01"), area)
	}
	last := ""
	for r := range strings.FieldsSeq(areas) {
		require.Regexp(t, `^\d{3}-\d{3}$`, r)
		require.Less(t, last, r[:3])
		require.LessOrEqual(t, r[:3], r[4:])
		last = r[4:]
	}
}

func TestReadPrefixes(t *testing.T) {
	t.Parallel()
	p, err := ReadPrefixes(strings.NewReader("# source: the host\n# date: 2020\n100\n"))
	require.NoError(t, err)
	require.Equal(t, "000", p.cut("10025"))
	require.Equal(t, "036", p.cut("03601"))
	for _, bad := range []string{
		"", "100\n", "# source: x\n100\n", "# date: 2020\n100\n", "# source: x\n# date: 2020\n", "# source: x\n# date: 2020\n100\n100\n",
		"# source: x\n# date: 2020\n10\n", "# source: x\n# date: 2020\n1000\n", "# source: x\n# date: 2020\nabc\n", "# source: x\n# source: y\n# date: 2020\n100\n",
		"# source: \n# date: 2020\n100\n", "# source: x\n# date: 2020\n100\n\n",
	} {
		_, err := ReadPrefixes(strings.NewReader(bad))
		require.ErrorIs(t, err, ErrPrefixes, bad)
	}
}

func FuzzValues(f *testing.F) {
	f.Add("1984-06-01")
	f.Add("10025-1234")
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	p := Census2000()
	f.Fuzz(func(t *testing.T, s string) {
		for _, out := range []string{yearOf(s, now), ageOf(s, now)} {
			require.LessOrEqual(t, len(out), 4)
		}
		require.Contains(t, []int{0, 3}, len(p.cut(s)))
	})
}
