package phi

import (
	"errors"
	"strings"
)

// Phone normalises a telephone number to E.164, "+15555550123", as somebody in region would
// dial it: "US", "CA", "MX", "AR" or "BR". Whether the number is in service, or could be, does
// not matter. Extensions do not count.
//
// Mexican mobile numbers have one form: +52 55…, +52 1 55…, 044 55… and 045 55… are the
// same, though services still send the old ones. In the regions AR and BR so have those of
// Argentina (+54 9 11…, +54 11…, 011 15…; the form without the 9) and Brazil (mobile numbers
// with and without the ninth digit; the form with it). In the regions US, CA and MX, whose
// version 1 is older than that, they do not: for a new index take PhoneFolded.
//
// In an index of last digits the fragment is digits; there is no index of prefixes.
func Phone(region string) Normaliser {
	if region == "AR" || region == "BR" {
		return phone(region, 1, foldAliases)
	}
	return phone(region, 1, international)
}

// PhoneFolded is Phone that folds the aliases of Mexico, Argentina and Brazil in every region:
// version 2 of the normaliser in the regions US, CA and MX, and Phone itself in AR and BR.
//
// An index that has terms of version 1 moves to it row by row: save each row's terms anew with a
// Codec that has PhoneFolded, and until that is done look up with both, the other having Phone.
func PhoneFolded(region string) Normaliser {
	if region == "AR" || region == "BR" {
		return Phone(region)
	}
	return phone(region, 2, foldAliases)
}

// folding brings the digits of an international number into one form.
type folding func(digits string) (string, error)

func phone(region string, version int, abroad folding) Normaliser {
	national := dialling(region)
	n := NewNormaliser("phone."+strings.ToLower(region), version, func(s string) (string, error) {
		return normalPhone(s, national, abroad)
	})
	n.first, n.last = nil, digitsOnly
	if national == nil {
		n.err = errors.New("phone numbers of this region are not known; use NewNormaliser")
	}
	return n
}

// dialling returns how a region dials.
func dialling(region string) func(digits string, abroad folding) (string, error) {
	switch region {
	case "US", "CA":
		return nationalNANP
	case "MX":
		return nationalMX
	case "AR":
		return nationalAR
	case "BR":
		return nationalBR
	}
	return nil
}

func normalPhone(s string, national func(string, folding) (string, error), abroad folding) (string, error) {
	s = strings.ReplaceAll(s, "＋", "+")
	s = strings.TrimPrefix(strings.TrimSpace(s), "tel:")
	s = cutExtension(s)
	rest, plus := strings.CutPrefix(strings.TrimSpace(s), "+")
	digits, err := digitsOf(rest, "-.()/")
	if err != nil {
		return "", err
	}
	if digits == "" && !plus {
		return "", nil
	}
	if !plus {
		return national(digits, abroad)
	}
	return abroad(digits)
}

// cutExtension drops "x12", "ext. 12", "#12" and the parameters of a tel: URI.
func cutExtension(s string) string {
	if i := strings.IndexAny(s, "xX#;,eE"); i > 0 {
		ext := strings.TrimLeft(strings.ToLower(s[i:]), "extnsio.# ;,=:")
		if _, err := digitsOf(ext, "-."); err == nil {
			return s[:i]
		}
	}
	return s
}

// international checks the length, E.164 section 6.2.1: at most 15 digits, and folds the
// aliases of the country.
func international(digits string) (string, error) {
	if len(digits) < 8 || len(digits) > 15 || digits[0] == '0' {
		return "", errNormal
	}
	if rest, ok := strings.CutPrefix(digits, "1"); ok && len(rest) != 10 {
		return "", errNormal
	}
	if rest, ok := strings.CutPrefix(digits, "521"); ok && len(rest) == 10 {
		digits = "52" + rest
	}
	return "+" + digits, nil
}

func nationalNANP(digits string, abroad folding) (string, error) {
	if rest, ok := strings.CutPrefix(digits, "011"); ok {
		return abroad(rest)
	}
	if len(digits) == 11 && digits[0] == '1' {
		return "+" + digits, nil
	}
	if len(digits) == 10 && digits[0] != '0' {
		return "+1" + digits, nil
	}
	return "", errNormal
}

func nationalMX(digits string, abroad folding) (string, error) {
	if rest, ok := strings.CutPrefix(digits, "00"); ok {
		return abroad(rest)
	}
	for _, prefix := range []string{"044", "045", "01", "521", "52", "1", ""} {
		if rest, ok := strings.CutPrefix(digits, prefix); ok && len(rest) == 10 && rest[0] != '0' {
			return "+52" + rest, nil
		}
	}
	return "", errNormal
}
