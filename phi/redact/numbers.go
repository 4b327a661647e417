package redact

import "github.com/wardkit/wardkit/phi"

// ssn recognises social security numbers, which have areas, groups and serials that are never given
// out, and taxpayer identification numbers, which look alike.
func (t *text) ssn(i int) (Finding, bool) {
	last := -1
	switch {
	case t.shape(i, 3, 2, 4) && t.gap(i) == t.gap(i+1):
		last = i + 2
	case t.shape(i, 9) && t.said(i, 4, "ssn", "ss", "social", "security", "itin", "seguro"):
		last = i
	default:
		return Finding{}, false
	}
	d := t.digits(i, last)
	if d[:3] == "000" || d[:3] == "666" || d[3:5] == "00" || d[5:] == "0000" {
		return Finding{}, false
	}
	if d[0] == '9' {
		return t.found(i, last, phi.ClassOtherID, "itin"), true
	}
	return t.found(i, last, phi.ClassSSN, "ssn"), true
}

// phone recognises telephone numbers of the North American plan in the ways they are written, and
// those of other countries behind a plus sign.
func (t *text) phone(i int) (Finding, bool) {
	class := phi.ClassPhone
	if t.said(i, 3, "fax", "telefax") {
		class = phi.ClassFax
	}
	from := t.toks[i].from
	if t.before(i) == '(' {
		from--
	}
	if from > 0 && t.s[from-1] == '+' {
		return t.international(i, from-1, class)
	}
	one := 0
	if t.toks[i].number() && t.at(i) == "1" && i+1 < len(t.toks) && (separates(t.gap(i)) || t.gap(i) == " (" || t.gap(i) == "-(") {
		one = 1
	}
	for _, lengths := range [][]int{{3, 3, 4}, {3, 7}, {10}} {
		if k := i + one; t.tail(k, lengths...) && plan(t.digits(k, k+len(lengths)-1)) {
			f := t.found(i, k+len(lengths)-1, class, "phone")
			f.From = from
			return t.extension(f, k+len(lengths)-1), true
		}
	}
	if t.shape(i, 11) && t.at(i)[0] == '1' && plan(t.digits(i, i)[1:]) {
		return t.found(i, i, class, "phone"), true
	}
	if t.shape(i, 3, 4) && t.gap(i) != "/" && t.at(i)[0] >= '2' && (t.gap(i) == "-" || t.said(i, 3, "phone", "tel", "cell", "call", "fax", "mobile")) {
		return t.found(i, i+1, class, "phone"), true
	}
	return Finding{}, false
}

// tail is shape without a look at what is before, because of the country's code.
func (t *text) tail(i int, lengths ...int) bool {
	if i > 0 && i < len(t.toks) && t.at(i-1) == "1" {
		for k, n := range lengths {
			if i+k >= len(t.toks) || !t.toks[i+k].number() || t.toks[i+k].digits != n || k > 0 && !separates(t.gap(i+k-1)) {
				return false
			}
		}
		return !t.continues(i + len(lengths) - 1)
	}
	return t.shape(i, lengths...)
}

// plan reports whether ten digits are a number of the North American plan.
func plan(d string) bool {
	return len(d) == 10 && d[0] >= '2' && d[3] >= '2' && d[1:3] != "11" && d[4:6] != "11"
}

// international takes up to 15 digits behind a plus sign (ITU-T E.164).
func (t *text) international(i, from int, class phi.Class) (Finding, bool) {
	last, digits := -1, 0
	for k := i; k < len(t.toks) && t.toks[k].number(); k++ {
		if digits += t.toks[k].digits; digits > 15 || k > i && !separates(t.gap(k-1)) && t.gap(k-1) != " (" {
			break
		}
		if digits >= 8 {
			last = k
		}
	}
	if last < 0 {
		return Finding{}, false
	}
	f := t.found(i, last, class, "phone")
	f.From = from
	return t.extension(f, last), true
}

// extension adds "ext. 12" to a number.
func (t *text) extension(f Finding, last int) Finding {
	switch t.lower(last + 1) {
	case "ext", "x", "extension":
		if last+2 < len(t.toks) && t.toks[last+2].number() && t.toks[last+2].digits <= 6 {
			f.To = t.toks[last+2].to
		}
	}
	return f
}

// npi recognises national provider identifiers by their check digit (45 CFR 162.406).
func (t *text) npi(i int) (Finding, bool) {
	if !t.shape(i, 10) {
		return Finding{}, false
	}
	d := t.digits(i, i)
	if d[0] != '1' && d[0] != '2' || !luhn("80840"+d) {
		return Finding{}, false
	}
	return t.found(i, i, phi.ClassLicence, "npi"), true
}

// card recognises payment cards by their check digit (ISO/IEC 7812-1), in one piece or in groups.
func (t *text) card(i int) (Finding, bool) {
	if t.continued(i) {
		return Finding{}, false
	}
	last, digits := i, 0
	for k := i; k < len(t.toks) && t.toks[k].number(); k++ {
		if k > i && (t.gap(k-1) != " " && t.gap(k-1) != "-" || t.toks[k].digits < 4 && digits < 12) {
			break
		}
		digits += t.toks[k].digits
		last = k
	}
	if t.toks[i].digits < 4 || digits < 13 || digits > 19 || t.continues(last) {
		return Finding{}, false
	}
	d := t.digits(i, last)
	if d[0] < '3' || d[0] > '6' || !luhn(d) {
		return Finding{}, false
	}
	return t.found(i, last, phi.ClassAccount, "card"), true
}

// nss recognises Mexican social security numbers, eleven digits with a check digit, where the text
// says so: too many other numbers have that form.
func (t *text) nss(i int) (Finding, bool) {
	last := i
	if t.shape(i, 2, 2, 2, 4, 1) {
		last = i + 4
	} else if !t.shape(i, 11) {
		return Finding{}, false
	}
	if !t.said(i, 4, "nss", "imss", "seguro", "social") || !luhn(t.digits(i, last)) {
		return Finding{}, false
	}
	return t.found(i, last, phi.ClassSSN, "nss"), true
}

// nhs recognises numbers of the National Health Service of England where the text says so.
func (t *text) nhs(i int) (Finding, bool) {
	last := i
	if t.shape(i, 3, 3, 4) {
		last = i + 2
	} else if !t.shape(i, 10) {
		return Finding{}, false
	}
	if !t.said(i, 3, "nhs") {
		return Finding{}, false
	}
	d, sum := t.digits(i, last), 0
	for k := range 9 {
		sum += int(d[k]-'0') * (10 - k)
	}
	if check := (11 - sum%11) % 11; check == 10 || check != int(d[9]-'0') {
		return Finding{}, false
	}
	return t.found(i, last, phi.ClassMRN, "nhs"), true
}

// imei recognises the numbers of mobile devices where the text says so.
func (t *text) imei(i int) (Finding, bool) {
	if !t.shape(i, 15) || !t.said(i, 3, "imei", "device") || !luhn(t.digits(i, i)) {
		return Finding{}, false
	}
	return t.found(i, i, phi.ClassDevice, "imei"), true
}

// luhn is the check of ISO/IEC 7812-1, annex B, over digits.
func luhn(d string) bool {
	sum := 0
	for i := range len(d) {
		n := int(d[len(d)-1-i] - '0')
		if i%2 == 1 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}

// found is a finding over tokens i to j.
func (t *text) found(i, j int, class phi.Class, rule string) Finding {
	return Finding{t.toks[i].from, t.toks[j].to, class, rule}
}
