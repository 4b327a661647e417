package rbac

import "github.com/wardkit/wardkit/phi"

// sightOf is how much a preset role sees: 45 CFR 164.502(b), the minimum necessary.
type sightOf uint8

const (
	seesNothing  sightOf = iota
	seesNames            // to make an appointment
	seesContact          // what it takes to recognise and reach a patient
	seesClaims           // what a claim needs
	seesAccounts         // contact, insurance and payments
	seesChart            // and what is written about health
	seesPatient          // and the photograph: who meets the patient
	seesOneself          // everything but identifiers in full
)

// levels returns a map of its own for each call: hosts change what Presets returns.
func (s sightOf) levels() map[phi.Class]phi.Level {
	m := map[phi.Class]phi.Level{}
	full := func(classes ...phi.Class) {
		for _, c := range classes {
			m[c] = phi.Full
		}
	}
	switch s {
	case seesNothing:
		return m
	case seesNames:
		full(phi.ClassName, phi.ClassDate, phi.ClassPhone, phi.ClassEmail)
		return m
	case seesClaims:
		full(phi.ClassName, phi.ClassDate, phi.ClassGeography, phi.ClassMRN, phi.ClassHealthPlan, phi.ClassAccount, phi.ClassFinancial)
		m[phi.ClassPhone] = phi.Partial
		return m
	}
	full(phi.ClassName, phi.ClassDate, phi.ClassPhone, phi.ClassEmail, phi.ClassGeography, phi.ClassMRN)
	if s >= seesAccounts {
		m[phi.ClassSSN] = phi.Mask
		full(phi.ClassHealthPlan, phi.ClassFinancial)
	}
	if s >= seesChart {
		full(phi.ClassClinical)
	}
	if s >= seesPatient {
		full(phi.ClassPhoto)
	}
	return m
}
