package rbac

// Exception is a section of 45 CFR Part 171 that says when not fulfilling a request for
// electronic health information is not information blocking.
type Exception string

// The exceptions that a denial by access control can fall under.
const (
	PreventingHarm      Exception = "45 CFR 171.201" // subpart B
	Privacy             Exception = "45 CFR 171.202" // subpart B
	Security            Exception = "45 CFR 171.203" // subpart B
	Infeasibility       Exception = "45 CFR 171.204" // subpart B
	HealthITPerformance Exception = "45 CFR 171.205" // subpart B
)

// Exceptions returns the information-blocking exceptions under which a denial with this code
// may fall, nil for a code that refuses nobody information: what is allowed, what can be
// mended on the spot, changes of grants, what is not there. It is where a compliance officer
// begins, and no legal conclusion: each exception has conditions of its own, most of them
// about the host's written practices. The exceptions of subpart C are about how and at what
// price a request is fulfilled; no denial of this package falls under them.
//
//	not_signed_in, assurance_required,  Security: who asks is not known well enough
//	step_up_required, second_person     (171.203(a)–(c): a tailored, uniform practice)
//	other_tenant, no_permission,        Privacy: a precondition of the law is not met
//	nothing, out_of_scope,              (171.202(b); minimum necessary, 45 CFR 164.502(b))
//	beyond_scopes, person_may_not
//	forbidden                           Privacy (164.508(a)(2), 42 CFR 2.31); PreventingHarm,
//	                                    where a licensed professional has decided so for this
//	                                    patient (171.201(c)(1)); a label alone is no decision
//	undecided                           HealthITPerformance while it is down (171.205(a)),
//	                                    Infeasibility for what is beyond control (171.204(a)(1))
//	licence_required                    none: it is about acts, not about information
//	reason_required                     none: the person is asked for it and goes on
func (c Code) Exceptions() []Exception {
	switch c {
	case CodeAnonymous, CodeAssurance, CodeStepUp, CodeSecondPerson:
		return []Exception{Security}
	case CodeOtherTenant, CodeNoPermission, CodeNothing, CodeOutOfScope, CodeScopes, CodePerson:
		return []Exception{Privacy}
	case CodeForbidden:
		return []Exception{Privacy, PreventingHarm}
	case CodeUndecided:
		return []Exception{HealthITPerformance, Infeasibility}
	}
	return nil
}
