package redact

import (
	"context"

	"github.com/wardkit/wardkit/phi"
)

// Rules is the Detector of what can be recognised by its form: by check digits (provider, prescriber
// and Medicare identifiers, cards, bank accounts, vehicles, CURP, RFC, NSS, NHS), by structure
// (social security and telephone numbers, e-mail, web and network addresses, dates, postal codes,
// streets, ages over 89) and by what stands before it ("MRN", "Mrs."). English and Spanish.
type Rules struct{}

// Detect returns what the rules recognise. Its error is the context's.
func (Rules) Detect(ctx context.Context, s string) ([]Finding, error) {
	var out []Finding
	add := func(f Finding) { out = append(out, f) }
	addresses(s, add)
	t := newText(s)
	end := 0
	for i := range t.toks {
		if i%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if t.toks[i].from >= end { // a part of what was found is nothing of its own
			end = max(end, t.rules(i, false, add))
		}
	}
	return out, nil
}

// rules adds what begins at token i and returns where it ends. In a line of a log, dates, bare
// numbers and words are no finding: every line is full of them.
func (t *text) rules(i int, log bool, add func(Finding)) (end int) {
	all := [...]func(*text, int) (Finding, bool){
		(*text).mbi, (*text).dea, (*text).curp, (*text).rfc, (*text).vin, (*text).iban, (*text).labelled, // letters too
		(*text).titled, (*text).date, (*text).street,
		(*text).ssn, (*text).nss, (*text).nhs, (*text).imei, (*text).npi, (*text).card, (*text).phone, (*text).oldAge, (*text).zip, // numbers
	}
	const words, numbers = 7, 10
	for k, rule := range all {
		if k >= numbers && !t.toks[i].number() {
			return end
		}
		if log && k >= words && k < numbers || log && t.common(i) {
			continue
		}
		if f, ok := rule(t, i); ok {
			add(f)
			end = max(end, f.To)
			if k >= words {
				return end
			}
		}
	}
	return end
}

// Classes are what Rules finds.
func (Rules) Classes() []phi.Class {
	return []phi.Class{
		phi.ClassName, phi.ClassGeography, phi.ClassDate, phi.ClassPhone, phi.ClassFax, phi.ClassEmail, phi.ClassSSN, phi.ClassMRN,
		phi.ClassHealthPlan, phi.ClassAccount, phi.ClassLicence, phi.ClassVehicle, phi.ClassDevice, phi.ClassURL, phi.ClassIP, phi.ClassOtherID,
	}
}
