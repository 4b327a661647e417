package deid

import (
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
