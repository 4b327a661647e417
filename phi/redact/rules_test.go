package redact_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/phi/redact"
)

// detect returns "class rule: text" of what Rules finds.
func detect(t *testing.T, s string) (out []string) {
	t.Helper()
	found, err := redact.Rules{}.Detect(t.Context(), s)
	require.NoError(t, err)
	for _, f := range found {
		require.True(t, f.From >= 0 && f.From < f.To && f.To <= len(s), "within the text: %q", s)
		out = append(out, string(f.Class)+" "+f.Rule+": "+s[f.From:f.To])
	}
	return out
}

// TestRules: numbers and codes are reserved, published as examples, or made up with a right check
// digit.
func TestRules(t *testing.T) {
	for text, want := range map[string]string{
		// Social security numbers: 078-05-1120 was printed on a card in a shop's wallets.
		"SSN 078-05-1120.":                      "ssn ssn: 078-05-1120",
		"number 078 05 1120":                    "ssn ssn: 078 05 1120",
		"her SSN is 078051120":                  "ssn ssn: 078051120",
		"ITIN 912-70-1234":                      "other_id itin: 912-70-1234",
		"call 212-555-0142 today":               "phone phone: 212-555-0142",
		"call (212) 555-0142":                   "phone phone: (212) 555-0142",
		"call +1 (212) 555-0142 ext. 12 now":    "phone phone: +1 (212) 555-0142 ext. 12",
		"call 1-212-555-0142":                   "phone phone: 1-212-555-0142",
		"cell 2125550142":                       "phone phone: 2125550142",
		"cell 12125550142":                      "phone phone: 12125550142",
		"+52 55 5555 0142 in Mexico":            "phone phone: +52 55 5555 0142",
		"fax: 646.555.0199":                     "fax phone: 646.555.0199",
		"call 555-0142":                         "phone phone: 555-0142",
		"by 1234567893":                         "licence npi: 1234567893",
		"seen by 1245319599":                    "licence npi: 1245319599",
		"card 4111 1111 1111 1111":              "account card: 4111 1111 1111 1111",
		"paid with 378282246310005":             "account card: 378282246310005",
		"NHS number 943 476 5919":               "mrn nhs: 943 476 5919",
		"IMEI 490154203237518":                  "device imei: 490154203237518",
		"MBI 1EG4-TE5-MK73":                     "health_plan mbi: 1EG4-TE5-MK73",
		"mbi 1eg4te5mk73":                       "health_plan mbi: 1eg4te5mk73",
		"prescriber AB1234563":                  "licence dea: AB1234563",
		"CURP HEGG560427MVZRRL04":               "other_id curp: HEGG560427MVZRRL04",
		"RFC GODE561231GR8":                     "other_id rfc: GODE561231GR8",
		"VIN 1M8GDM9AXKP042788":                 "vehicle vin: 1M8GDM9AXKP042788",
		"IBAN GB82 WEST 1234 5698 7654 32 paid": "account iban: GB82 WEST 1234 5698 7654 32",
		"IBAN DE89370400440532013000":           "account iban: DE89370400440532013000",
		"write to ana.ruiz+x@mail.example.com.": "email email: ana.ruiz+x@mail.example.com",
		"see https://example.com/p?id=7, or":    "url url: https://example.com/p?id=7",
		"see www.example.com.":                  "url url: www.example.com",
		"from 192.0.2.14 at noon":               "ip ip: 192.0.2.14",
		"from 2001:db8::7 at noon":              "ip ip: 2001:db8::7",
		"seen 2024-03-14":                       "date date: 2024-03-14",
		"seen 2024-03-14T09:30:00Z":             "date date: 2024-03-14T09",
		"seen 3/14/2024":                        "date date: 3/14/2024",
		"seen 14.3.24":                          "date date: 14.3.24",
		"seen March 14th, 2024 again":           "date date: March 14th, 2024",
		"seen Mar 14":                           "date date: Mar 14",
		"since March 2024":                      "date date: March 2024",
		"visto el 3 de marzo de 2024":           "date date: 3 de marzo de 2024",
		"on 3/14 she":                           "date date: 3/14",
		"a 92-year-old":                         "date age: 92",
		"aged 101":                              "date age: 101",
		"un paciente de 93 años":                "date age: 93",
		"lives in Springfield, IL 62704":        "geography zip: Springfield, IL 62704",
		"From Springfield, IL 62704":            "geography zip: Springfield, IL 62704",
		"zip 10001":                             "geography zip: 10001",
		"at 62704-1234":                         "geography zip: 62704-1234",
		"at 12 Maple Grove Street, Apt. 4B ok":  "geography street: 12 Maple Grove Street, Apt. 4B",
		"vive en Calle de los Olivos 27":        "geography street: Calle de los Olivos 27",
		"MRN: HC-00123":                         "mrn label: HC-00123",
		"MRN 0012345":                           "mrn label: 0012345",
		"MRN# is 00-1234-5":                     "mrn label: 00-1234-5",
		"Member ID: XK44512":                    "health_plan label: XK44512",
		"account no. 88-1234":                   "account label: 88-1234",
		"license F1234567":                      "licence label: F1234567",
		"serial 9X77123":                        "device label: 9X77123",
		"Mrs. Ana Ruiz came":                    "name title: Ana Ruiz",
		"Patient: Tomas van der Berg":           "name title: Tomas van der Berg",
		"Nombre: María José Pérez-Luna":         "name title: María José Pérez-Luna",
		"Dr. O'Neil agrees":                     "name title: O'Neil",
	} {
		t.Run(text, func(t *testing.T) { require.Equal(t, []string{want}, detect(t, text)) })
	}
}

// TestRulesPassOver: what notes are full of and nobody is identified by.
func TestRulesPassOver(t *testing.T) {
	for _, text := range []string{
		"", "BP 120/80, pulse 72, temp 98.6, pain 5/10", "sertraline 50 mg twice a day for 12 weeks", "a 45-year-old", "PHQ-9 score 17, GAD-7 score 12",
		"078-05-0000", "000-12-3456", "666-12-3456", "078-00-1120", "SSN 666121234", "078-05.1120",
		"4111 1111 1111 1112", "1234567890", "AB1234564", "HEGG560427MVZRRL05", "GODE561231GR9", "1M8GDM9A1KP042788", "GB83 WEST 1234 5698 7654 32",
		"ICD-10 F32.1 and F41.1, CPT 90837", "in 2024 and 2025", "13/32/2024", "room 12, bed 3", "version 1.2.3", "at 12:30:45", "ratio 1:2", "5-0142",
		"icd F411 is not a label", "50 Tablets were given", "chart reviewed", "the plan is to rest", "Name of the group", "May be better", "111-555-0142",
		"dose 2.5-5 mg", "1EG4-TE5-MK7S", "3/14 of the dose", "a@b", "it costs 90 or 92 dollars", "Sr was normal", "212-155-0142", "NHS number 143 476 5919", "1SG4-TE5-MK73", "order 7-3-14-2024", "3/14/3024",
	} {
		t.Run(text, func(t *testing.T) { require.Empty(t, detect(t, text)) })
	}
}

func TestScrub(t *testing.T) {
	text := "Mrs. Ana Ruiz (078-05-1120) called from 212-555-0142 on 3/14/2024; write to ana@example.com."
	r, err := redact.Scrub(t.Context(), text, redact.Rules{}, redact.NewKnown(redact.Identifier{Class: phi.ClassName, Value: "Ana Ruiz"}))
	require.NoError(t, err)
	require.Equal(t, "Mrs. [name] ([ssn]) called from [phone] on [date]; write to [email].", r.Text)
	require.Equal(t, map[phi.Class]int{phi.ClassName: 1, phi.ClassSSN: 1, phi.ClassPhone: 1, phi.ClassDate: 1, phi.ClassEmail: 1}, r.Counts)
}

type lying struct{ f redact.Finding }

func (l lying) Detect(context.Context, string) ([]redact.Finding, error) {
	return []redact.Finding{l.f}, nil
}

type failing struct{}

func (failing) Detect(context.Context, string) ([]redact.Finding, error) {
	return nil, context.DeadlineExceeded
}

// TestScrubFailsClosed: no detector, one that fails or lies: no text.
func TestScrubFailsClosed(t *testing.T) {
	_, err := redact.Scrub(t.Context(), "Ana")
	require.ErrorIs(t, err, redact.ErrDetector)
	for _, f := range []redact.Finding{{From: -1, To: 1}, {From: 2, To: 2}, {From: 2, To: 1}, {From: 0, To: 4}} {
		r, err := redact.Scrub(t.Context(), "Ana", redact.Rules{}, lying{f})
		require.ErrorIs(t, err, redact.ErrDetector)
		require.Zero(t, r)
	}
	r, err := redact.Scrub(t.Context(), "Ana", failing{})
	require.ErrorIs(t, err, redact.ErrDetector)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, redact.ErrDetector.Error(), err.Error())
	require.Zero(t, r)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, d := range []redact.Detector{redact.Rules{}, redact.NewKnown(redact.Identifier{Class: phi.ClassName, Value: "Ana"})} {
		_, err = redact.Scrub(ended, "Ana", d)
		require.ErrorIs(t, err, context.Canceled)
	}
	r, err = redact.Scrub(t.Context(), "Ana", lying{redact.Finding{From: 0, To: 3}})
	require.NoError(t, err)
	require.Equal(t, "[other_id]", r.Text, "without a class")
}

func TestScrubJoinsOverlaps(t *testing.T) {
	r, err := redact.Scrub(t.Context(), "0123456789", lying{redact.Finding{From: 1, To: 4, Class: phi.ClassDate}},
		lying{redact.Finding{From: 3, To: 9, Class: phi.ClassPhone}}, lying{redact.Finding{From: 8, To: 10, Class: phi.ClassGeography}})
	require.NoError(t, err)
	require.Equal(t, "0[phone]", r.Text)
	require.Equal(t, map[phi.Class]int{phi.ClassPhone: 1}, r.Counts)
}

// TestFindingTellsNothing: a finding may be logged.
func TestFindingTellsNothing(t *testing.T) {
	require.Equal(t, "ssn by ssn, 11 bytes", redact.Finding{From: 4, To: 15, Class: phi.ClassSSN, Rule: "ssn"}.String())
}

func TestKnown(t *testing.T) {
	k := redact.NewKnown(
		redact.Identifier{Class: phi.ClassName, Value: "María Will Pérez-O'Connor"}, redact.Identifier{Class: phi.ClassPhone, Value: "+1 646 555 0177"},
		redact.Identifier{Class: phi.ClassEmail, Value: "mariawp@example.com"}, redact.Identifier{Class: phi.ClassSSN, Value: "078-05-1120"},
		redact.Identifier{Class: phi.ClassMRN, Value: "HC-0A12"}, redact.Identifier{Class: phi.ClassDate, Value: "1985-03-14"},
		redact.Identifier{Class: phi.ClassGeography, Value: "2714 Juniper Street, Apt 4"}, redact.Identifier{Class: phi.ClassName}, redact.Identifier{Class: phi.ClassAccount, Value: "7"},
	)
	for text, want := range map[string]string{
		"maria came": "name", "MARIA came": "name", "Maris came": "name", "Marai came": "name", "Mari came": "", "Marria came": "name", "Marinas came": "",
		"Will came": "name", "she will come": "", "perez came": "name", "Peres came": "name", "Connor came": "name", "conor came": "name",
		"at 6465550177": "phone", "at 646 555-0177": "phone", "at 1 (646) 555.0177": "phone", "at 555 0177": "phone", "at 6465550178": "phone", "at 6465550999": "",
		"as mariawp there": "email", "as mariawp@example.com there": "email", "ssn 078051120": "ssn", "ssn ending 1120": "ssn", "bed 1120": "",
		"record hc 0a12": "mrn", "record HC0A12": "mrn", "record HC0A13": "", "born 03/14/1985": "date", "born 14-03-1985": "date", "born 19850314": "date",
		"lives at 2714 there": "geography", "on juniper there": "geography", "on the street there": "",
		"７ ６４６ ５５５ ０１７７": "phone",
	} {
		t.Run(text, func(t *testing.T) {
			found, err := k.Detect(t.Context(), text)
			require.NoError(t, err)
			var classes []string
			for _, f := range found {
				classes = append(classes, string(f.Class))
			}
			if want == "" {
				require.Empty(t, classes)
			} else {
				require.Contains(t, strings.Join(classes, " "), want)
			}
		})
	}
}

// FuzzScrub: whatever the text, findings lie within it, what is left is not found again as what it
// was, and a text without findings stays as it is.
func FuzzScrub(f *testing.F) {
	for _, s := range []string{"Mrs. Ana Ruiz, 078-05-1120, +1 (212) 555-0142", "\xff\xfe 12", "on 3/14", "1-1-1", "@.", "a@b.c.", "::1", "www.", "1 2 3 4 5 6 7 8 9 0 1 2 3", "(", "+", "4B Apt"} {
		f.Add(s)
	}
	known := redact.NewKnown(redact.Identifier{Class: phi.ClassName, Value: "Ana Ruiz"}, redact.Identifier{Class: phi.ClassPhone, Value: "2125550142"})
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 4096 {
			return
		}
		r, err := redact.Scrub(t.Context(), s, redact.Rules{}, known)
		require.NoError(t, err)
		if len(r.Counts) == 0 {
			require.Equal(t, s, r.Text)
		}
		left, err := known.Detect(t.Context(), r.Text)
		require.NoError(t, err)
		require.Empty(t, left, "%q", r.Text)
		_, err = redact.ScanLog(strings.NewReader(s), redact.Identifier{Class: phi.ClassName, Value: "Ana Ruiz"})
		require.NoError(t, err)
	})
}
