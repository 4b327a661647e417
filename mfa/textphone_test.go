package mfa_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/mfa"
)

func TestParsePhone(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"+14155550123":          "+14155550123",
		" +1 (415) 555-0123 ":   "+14155550123",
		"+1.415.555.0123":       "+14155550123",
		"+18765550123":          "+18765550123", // Jamaica: a number, of another region
		"+442079460958":         "+442079460958",
		"+49 1522 3433333":      "+4915223433333",
		"+67012345":             "+67012345",
		"+353 20 915 5555":      "+353209155555",
		"+123456789012345":      "", // North America has ten digits
		"+381234567890123":      "+381234567890123",
		"+3812345678901234":     "", // sixteen digits
		"+4412345":              "", // seven digits
		"4155550123":            "",
		"14155550123":           "",
		"0014155550123":         "",
		"+1 415 555 0123 ext 4": "",
		"+1415555012":           "",
		"+141555501234":         "",
		"+10155550123":          "", // area code from 0
		"+11155550123":          "",
		"+19115550123":          "", // ends in 11
		"+14150550123":          "", // exchange from 0
		"+14159110123":          "",
		"+12915550123":          "", // x9x is kept free
		"+19005550123":          "", // premium
		"+18005550123":          "", // toll-free
		"+18335550123":          "",
		"+15005550123":          "", // personal
		"+15215550123":          "", // machines
		"+17105550123":          "", // government
		"+04155550123":          "",
		"+8816123456789":        "", // satellite
		"+882161234567":         "", // international networks
		"+979123456789":         "", // international premium
		"+80012345678":          "", // international freephone
		"+87812345678":          "", // personal
		"+21012345678":          "", // nobody's
		"++14155550123":         "",
		"+1415555012３":          "", // a full-width digit
		"+1415\x005550123":      "",
		"dr.lin@example.com":    "",
		"":                      "",
		"+":                     "",
		strings.Repeat("+", 99): "",
	} {
		p, err := mfa.ParsePhone(typed)
		if want == "" {
			require.ErrorIs(t, err, mfa.ErrNumber, "%q", typed)
		} else {
			require.NoError(t, err, "%q", typed)
		}
		require.Equal(t, want, p.Reveal(), "%q", typed)
	}
}

func TestPhonesAndCodesPrintAsWhatTheyAre(t *testing.T) {
	t.Parallel()
	p, err := mfa.ParsePhone(linsNumber)
	require.NoError(t, err)
	code, err := mfa.NewTextCode()
	require.NoError(t, err)
	m := mfa.TextMessage{ID: "m-1", Number: p, Code: code}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		shown := fmt.Sprintf(verb, m) + fmt.Sprintf(verb, &m) + fmt.Sprintf(verb, p) + fmt.Sprintf(verb, code)
		require.NotContains(t, shown, "5550123", verb)
		require.NotContains(t, shown, code.Reveal(), verb)
		require.Contains(t, shown, "[phone number]", verb)
		require.Contains(t, shown, "[text message code]", verb)
	}
	text, err := json.Marshal(m)
	require.NoError(t, err)
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Info("sent", "number", p, "code", code, "all", m)
	for _, shown := range []string{string(text), logged.String()} {
		require.NotContains(t, shown, "5550123")
		require.NotContains(t, shown, code.Reveal())
		require.Contains(t, shown, "[phone number]")
	}
	require.Empty(t, mfa.Phone{}.Reveal()+mfa.Phone{}.Hint()+mfa.TextCode{}.Reveal())
	require.Equal(t, "@clinic.example.com #"+code.Reveal(), code.Line("clinic.example.com"))
}

// Each of a million codes is equally likely, those with leading zeros too: 60,000 of them fill
// each tenth of the range and each last digit with 6,000, give or take five standard deviations.
func TestTextCodesAreUniform(t *testing.T) {
	t.Parallel()
	const all = 60_000
	var tenths, last [10]int
	for range all {
		code, err := mfa.NewTextCode()
		s := code.Reveal()
		if err != nil || len(s) != 6 || strings.Trim(s, "0123456789") != "" {
			t.Fatalf("%q, %v", s, err)
		}
		tenths[s[0]-'0']++
		last[s[5]-'0']++
	}
	for _, counts := range [][10]int{tenths, last} {
		for _, n := range counts {
			require.InDelta(t, all/10, n, 5*74)
		}
	}
}

// Every code that a country has is found in its numbers, and no code is the beginning of another.
func TestCallingCodes(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	for i := range 1000 {
		digits := fmt.Sprintf("%03d", i)
		if code := mfa.CallingCode(digits); code != "" {
			require.True(t, strings.HasPrefix(digits, code))
			found[code] = true
		}
	}
	for code := range found {
		for i := 1; i < len(code); i++ {
			require.False(t, found[code[:i]], code)
		}
	}
	require.Len(t, found, 2+44+161)
	for _, code := range []string{"1", "7", "20", "27", "44", "49", "98", "211", "299", "355", "389", "420", "423", "509", "599", "692", "855", "886", "977", "998"} {
		require.True(t, found[code], code)
	}
	for _, none := range []string{"0", "210", "288", "384", "422", "671", "684", "699", "800", "808", "870", "878", "881", "882", "883", "888", "979", "999"} {
		require.False(t, found[none], none)
	}
}

// What is read is written as it is read: "+" and digits, and read again as itself.
func FuzzParsePhone(f *testing.F) {
	for _, seed := range []string{linsNumber, "+1 (415) 555-0123", "+442079460958", "+", "", "+8816123456789", "+1\x00", "+٤٤٢٠٧٩٤٦"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		p, err := mfa.ParsePhone(typed)
		if err != nil {
			require.ErrorIs(t, err, mfa.ErrNumber)
			require.Empty(t, p.Reveal())
			return
		}
		number := p.Reveal()
		require.Regexp(t, `^\+[1-9][0-9]{7,14}$`, number)
		again, err := mfa.ParsePhone(number)
		require.NoError(t, err)
		require.Equal(t, number, again.Reveal())
		require.True(t, strings.HasPrefix(number, p.Prefix()))
		require.Regexp(t, `^\+[0-9]{4,6}$`, p.Prefix())
		require.Equal(t, "•• "+number[len(number)-2:], p.Hint())
	})
}
