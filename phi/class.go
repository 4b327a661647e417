package phi

// Class is the kind of personal data a field holds. The first group are the identifiers of
// the Safe Harbor method, 45 CFR 164.514(b)(2)(i)(A) to (R); the second are ours.
type Class string

// The classes.
const (
	ClassName       Class = "name"        // (A)
	ClassGeography  Class = "geography"   // (B) anything smaller than a state
	ClassDate       Class = "date"        // (C) dates but the year, ages over 89
	ClassPhone      Class = "phone"       // (D)
	ClassFax        Class = "fax"         // (E)
	ClassEmail      Class = "email"       // (F)
	ClassSSN        Class = "ssn"         // (G)
	ClassMRN        Class = "mrn"         // (H) medical record numbers
	ClassHealthPlan Class = "health_plan" // (I)
	ClassAccount    Class = "account"     // (J)
	ClassLicence    Class = "licence"     // (K) certificates and licences
	ClassVehicle    Class = "vehicle"     // (L)
	ClassDevice     Class = "device"      // (M)
	ClassURL        Class = "url"         // (N)
	ClassIP         Class = "ip"          // (O)
	ClassBiometric  Class = "biometric"   // (P)
	ClassPhoto      Class = "photo"       // (Q)
	ClassOtherID    Class = "other_id"    // (R) any other identifying number or code

	ClassClinical  Class = "clinical"  // what care is about: notes, answers, diagnoses
	ClassFinancial Class = "financial" // what is paid and by whom

	// Unclassified is the class of a Text that no codec has placed.
	Unclassified Class = ""
)

// Classes returns every class but Unclassified, in the order of the regulation.
func Classes() []Class {
	return []Class{
		ClassName, ClassGeography, ClassDate, ClassPhone, ClassFax, ClassEmail, ClassSSN,
		ClassMRN, ClassHealthPlan, ClassAccount, ClassLicence, ClassVehicle, ClassDevice,
		ClassURL, ClassIP, ClassBiometric, ClassPhoto, ClassOtherID, ClassClinical, ClassFinancial,
	}
}

// Level is how much of a value somebody may see.
type Level uint8

// The levels. The zero value hides.
const (
	Hide    Level = iota // not even its shape
	Mask                 // that there is a value
	Partial              // an excerpt that helps to recognise it: last four digits, initials
	Full
)

// String returns "hide", "mask", "partial" or "full".
func (l Level) String() string {
	switch l {
	case Mask:
		return "mask"
	case Partial:
		return "partial"
	case Full:
		return "full"
	}
	return "hide"
}
