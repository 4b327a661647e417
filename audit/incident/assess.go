package incident

import (
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Rating is how much an answer speaks for the information being compromised.
type Rating string

// The ratings. An answer without one was not given.
const (
	Low    Rating = "low"
	Medium Rating = "medium"
	High   Rating = "high"
)

// Answer is the answer to one factor, with the reasons.
type Answer struct {
	Rating Rating `json:"rating"`
	Why    string `json:"why"`
}

func (a Answer) given() bool {
	return (a.Rating == Low || a.Rating == Medium || a.Rating == High) && a.Why != ""
}

// Exception is one of the three of 45 CFR 164.402(1).
type Exception string

// The exceptions.
const (
	NoException Exception = ""
	Unintended  Exception = "unintended"   // (i) the workforce, in good faith and within its authority
	Inadvertent Exception = "inadvertent"  // (ii) between two who are both authorised at the same entity
	NotRetained Exception = "not_retained" // (iii) who got it could not reasonably have kept it
)

// Conclusion is what follows from an assessment.
type Conclusion string

// The conclusions. Breach can always be concluded: nobody has to assess what they report anyway
// (45 CFR 164.402(2)).
const (
	Breach         Conclusion = "breach"
	LowProbability Conclusion = "low_probability"
	Excepted       Conclusion = "excepted"
	Secured        Conclusion = "secured" // encrypted or destroyed as HHS's guidance says: not unsecured (164.402)
)

// Assessment is the risk assessment of 45 CFR 164.402(2), with the four factors, and who made it.
// It is documentation on which the burden of proof rests (164.414(b)).
type Assessment struct {
	Nature    Answer `json:"nature"`    // (i) nature and extent, with how likely people can be identified again
	Recipient Answer `json:"recipient"` // (ii) who used it, or to whom it was disclosed
	Acquired  Answer `json:"acquired"`  // (iii) whether it was acquired or viewed
	Mitigated Answer `json:"mitigated"` // (iv) how far the risk was mitigated

	Exception    Exception  `json:"exception,omitempty"`
	ExceptionWhy string     `json:"exception_why,omitempty"`
	SecuredWhy   string     `json:"secured_why,omitempty"` // with what it was encrypted, and where the key was
	Conclusion   Conclusion `json:"conclusion"`

	By       audit.ActorID `json:"by"`
	At       time.Time     `json:"at"`
	Signed   audit.ActorID `json:"signed,omitempty"` // who agreed, another person than By
	SignedAt time.Time     `json:"signed_at,omitzero"`
	Declined bool          `json:"declined,omitempty"` // somebody else looked and did not agree
}

func (a *Assessment) factors() []Answer {
	return []Answer{a.Nature, a.Recipient, a.Acquired, a.Mitigated}
}

// Allows reports whether the answers allow a conclusion. A low probability needs all four factors,
// each with its reasons, at least one of them low, and not more of them high than low.
func (a *Assessment) Allows(c Conclusion) bool {
	switch c {
	case Breach:
		return true
	case LowProbability:
		low, high := 0, 0
		for _, f := range a.factors() {
			if !f.given() {
				return false
			}
			if f.Rating == Low {
				low++
			}
			if f.Rating == High {
				high++
			}
		}
		return low > 0 && high <= low
	case Excepted:
		return a.ExceptionWhy != "" && (a.Exception == Unintended || a.Exception == Inadvertent || a.Exception == NotRetained)
	case Secured:
		return a.SecuredWhy != ""
	}
	return false
}

// check completes and checks what somebody filled in.
func (a *Assessment) check() error {
	for _, f := range []*Answer{&a.Nature, &a.Recipient, &a.Acquired, &a.Mitigated} {
		if err := clean(&f.Why, "factors", false); err != nil {
			return err
		}
		if f.Rating != "" && f.Rating != Low && f.Rating != Medium && f.Rating != High {
			return wrong("rating")
		}
	}
	for _, s := range []*string{&a.ExceptionWhy, &a.SecuredWhy} {
		if err := clean(s, "why", false); err != nil {
			return err
		}
	}
	switch a.Exception {
	case NoException, Unintended, Inadvertent, NotRetained:
	default:
		return wrong("exception")
	}
	if !a.Allows(a.Conclusion) {
		return ErrAssessment
	}
	return nil
}
