package phi

import "strings"

// CivilDate normalises a date to the form of RFC 3339, "1984-02-29". It reads the year first,
// with dashes, slashes, dots or nothing in between: "1984-02-29", "1984/2/29", "19840229". What
// begins with a day or a month is refused, because 03/04 is read in two ways. In an index of
// prefixes, "1984" finds the year and "1984-02" the month.
func CivilDate() Normaliser { return builtin("date", normalDate, firstOfDate, nil) }

func normalDate(s string) (string, error) {
	parts, err := dateParts(s)
	switch {
	case err != nil || len(parts) == 0:
		return "", err
	case len(parts) == 1 && len(parts[0]) == 8: // 19840229
		parts = []string{parts[0][:4], parts[0][4:6], parts[0][6:]}
	case len(parts) != 3 || len(parts[0]) != 4:
		return "", errNormal
	}
	d, err := parseDay(parts[0] + "-" + twoDigits(parts[1]) + "-" + twoDigits(parts[2]))
	if err != nil {
		return "", errNormal
	}
	return d.String(), nil
}

// firstOfDate normalises what a date begins with, up to the whole.
func firstOfDate(s string) (string, error) {
	parts, err := dateParts(s)
	switch {
	case err != nil || len(parts) == 0:
		return "", err
	case len(parts) == 3 || len(parts[0]) == 8:
		return normalDate(s)
	case len(parts[0]) != 4:
		return "", errNormal
	}
	if len(parts) == 2 {
		return parts[0] + "-" + twoDigits(parts[1]), nil
	}
	return parts[0], nil
}

// dateParts returns the numbers of a date, each as ASCII digits.
func dateParts(s string) (parts []string, err error) {
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune("-/.‐‑‒–—−／．", r) {
			return '-'
		}
		return r
	}, strings.TrimSpace(s))
	if s == "" {
		return nil, nil
	}
	for p := range strings.SplitSeq(s, "-") {
		digits, err := digitsOf(p, "")
		if err != nil || digits == "" || len(digits) > 8 {
			return nil, errNormal
		}
		parts = append(parts, digits)
	}
	if len(parts) > 3 {
		return nil, errNormal
	}
	return parts, nil
}

func twoDigits(s string) string {
	if len(s) == 1 {
		return "0" + s
	}
	return s
}
