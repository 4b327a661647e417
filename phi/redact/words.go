package redact

import (
	"strings"

	"github.com/wardkit/wardkit/phi"
)

// labelled recognises what stands behind a label that says what it is: "MRN# 00123", "Member ID: X12".
func (t *text) labelled(i int) (Finding, bool) {
	class, used := t.labelClass(i)
	if class == "" {
		return Finding{}, false
	}
	k := i + used
	for k < len(t.toks) && filler(t.lower(k)) && !strings.Contains(t.gap(k-1), "\n") {
		k++
	}
	last := k
	if k+1 < len(t.toks) && t.toks[k].digits == 0 && t.toks[k].upper && t.toks[k].letters <= 4 && t.gap(k) == "-" {
		last++ // "HC-00123"
	}
	if last >= len(t.toks) || t.toks[last].digits == 0 || t.toks[last].size() < 4 && !t.continues(last) || !near(t.gap(k-1)) {
		return Finding{}, false
	}
	for last+1 < len(t.toks) && t.gap(last) == "-" && t.toks[last+1].digits > 0 {
		last++
	}
	return t.found(k, last, class, "label"), true
}

// near is what may be between a label and what it names.
func near(gap string) bool {
	return len(gap) <= 4 && !strings.ContainsAny(gap, "\n;,(")
}

func filler(w string) bool {
	switch w {
	case "no", "num", "number", "nr", "is", "id", "was", "número", "numero", "es":
		return true
	}
	return false
}

// labelClass returns the class of a label and of how many words it is.
func (t *text) labelClass(i int) (phi.Class, int) {
	second := t.lower(i + 1)
	switch t.lower(i) {
	case "mrn", "chart", "expediente", "emr", "ehr":
		return phi.ClassMRN, 1
	case "medical", "patient", "hospital":
		switch second {
		case "record", "id", "number", "no", "chart":
			return phi.ClassMRN, 2
		}
	case "member", "subscriber", "policy", "insurance", "medicare", "medicaid", "beneficiary", "póliza", "poliza", "plan":
		switch second {
		case "id", "number", "no", "is", "policy":
			return phi.ClassHealthPlan, 2
		}
		if t.gap(i) == ": " || t.gap(i) == " #" || t.gap(i) == "# " || t.gap(i) == "#" {
			return phi.ClassHealthPlan, 1
		}
	case "acct", "account", "cuenta", "invoice":
		return phi.ClassAccount, 1
	case "license", "licence", "licencia", "cédula", "cedula", "passport", "pasaporte", "npi", "dea":
		return phi.ClassLicence, 1
	case "plate", "placa", "placas":
		return phi.ClassVehicle, 1
	case "serial", "implant", "pacemaker":
		return phi.ClassDevice, 1
	}
	return "", 0
}

// titled recognises names behind a title or a label: "Mrs. Ana Ruiz", "Patient: Tomas Berg".
func (t *text) titled(i int) (Finding, bool) {
	w := t.lower(i)
	labelled := false
	switch w {
	case "mr", "mrs", "ms", "mx", "miss", "sr", "sra", "srta", "don", "doña":
		if !t.toks[i].upper {
			return Finding{}, false
		}
	case "dr", "dra", "prof":
	case "patient", "pt", "name", "nombre", "paciente", "mother", "father", "spouse", "wife", "husband", "daughter", "son", "guardian", "sibling",
		"brother", "sister", "madre", "padre", "esposa", "esposo", "hija", "hijo", "contact", "signed", "from", "to", "cc", "attending", "provider", "therapist":
		labelled = true
	default:
		return Finding{}, false
	}
	if gap := t.gap(i); labelled && !strings.HasPrefix(gap, ":") || !labelled && gap != " " && gap != ". " {
		return Finding{}, false
	}
	if labelled && len(t.gap(i)) > 3 {
		return Finding{}, false
	}
	first, last := i+1, -1
	for k := first; k < len(t.toks) && k < first+5; k++ {
		tok := t.toks[k]
		if k > first && !nameGap(t.gap(k-1)) || !tok.word() || !tok.upper && !(k > first && particle(t.lower(k))) {
			break
		}
		if tok.upper && !title(t.lower(k)) {
			last = k
		}
	}
	if last < 0 {
		return Finding{}, false
	}
	if title(t.lower(first)) { // "Patient: Mrs. Ana Ruiz" is found at its title
		first++
	}
	return t.found(min(first, last), last, phi.ClassName, "title"), true
}

func title(w string) bool {
	switch w {
	case "mr", "mrs", "ms", "mx", "dr", "dra", "sr", "sra", "prof":
		return true
	}
	return false
}

func nameGap(gap string) bool {
	return gap == " " || gap == "-" || gap == "'" || gap == "’" || gap == ". " || gap == ", "
}
