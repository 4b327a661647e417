package phi

import "strings"

// foldAliases is international that knows the aliases of Argentina and Brazil too.
func foldAliases(digits string) (string, error) {
	number, err := international(digits)
	if err != nil {
		return "", err
	}
	if rest, ok := strings.CutPrefix(number, "+549"); ok && len(rest) == 10 {
		return "+54" + rest, nil
	}
	if rest, ok := strings.CutPrefix(number, "+55"); ok {
		return "+55" + ninthDigit(rest), nil
	}
	return number, nil
}

// nationalAR reads a number as it is dialled in Argentina: an area code of two to four digits
// and a subscriber's number, ten digits in all, a 0 before, and for mobiles 15 in between or 9
// in front. Since areas differ in length, 15 is looked for after two, three and four digits; in
// a number of twelve digits there is no other explanation.
func nationalAR(digits string, abroad folding) (string, error) {
	if rest, ok := strings.CutPrefix(digits, "00"); ok {
		return abroad(rest)
	}
	digits = strings.TrimPrefix(digits, "0")
	if rest, ok := strings.CutPrefix(digits, "54"); ok && len(digits) > 11 {
		digits = rest
	}
	if rest, ok := strings.CutPrefix(digits, "9"); ok && len(rest) == 10 {
		digits = rest
	}
	if len(digits) == 12 {
		digits = without15(digits)
	}
	if len(digits) != 10 || digits[0] < '1' || digits[0] > '3' {
		return "", errNormal
	}
	return "+54" + digits, nil
}

// without15 removes the mobile prefix after the area code. Area codes of two digits are 11
// alone, those of three digits are tried before those of four.
func without15(digits string) string {
	areas := []int{3, 4}
	if strings.HasPrefix(digits, "11") {
		areas = []int{2}
	}
	for _, area := range areas {
		if digits[area:area+2] == "15" {
			return digits[:area] + digits[area+2:]
		}
	}
	return digits
}

// nationalBR reads a number as it is dialled in Brazil: an area code of two digits and eight or
// nine digits, after 0, or 0 and the two digits of a carrier.
func nationalBR(digits string, abroad folding) (string, error) {
	if rest, ok := strings.CutPrefix(digits, "00"); ok {
		return abroad(rest)
	}
	if rest, ok := strings.CutPrefix(digits, "0"); ok {
		digits = rest
		if len(digits) > 11 {
			digits = digits[2:]
		}
	}
	if rest, ok := strings.CutPrefix(digits, "55"); ok && len(digits) > 11 {
		digits = rest
	}
	if len(digits) != 10 && len(digits) != 11 || digits[0] == '0' || digits[1] == '0' {
		return "", errNormal
	}
	return "+55" + ninthDigit(digits), nil
}

// ninthDigit adds the 9 that Brazil put before all mobile numbers, which began with 6 to 9.
func ninthDigit(national string) string {
	if len(national) == 10 && national[2] >= '6' {
		return national[:2] + "9" + national[2:]
	}
	return national
}
