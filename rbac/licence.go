package rbac

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/wardkit/wardkit/audit"
)

// Licence names a professional licence or registration: lower-case letters, digits and
// underscores. The constants are the common ones; a host adds its own.
type Licence string

// Common licences.
const (
	// NPI is the National Provider Identifier (45 CFR 162.406): who signs notes and claims.
	NPI Licence = "npi"
	// DEA is the registration to prescribe controlled substances (21 CFR 1301.11).
	DEA Licence = "dea"
	// Cedula is the Mexican cédula profesional (Ley General de Salud, article 83).
	Cedula Licence = "cedula"
)

// Licences tells who holds which licence. It is the host's: a table of its staff, a register
// of the state. A role says what somebody's job is, a licence what the law lets them do; an
// action may need both.
type Licences interface {
	// Licensed reports whether person of tenant t holds l, unexpired and not suspended, at
	// now. An error means that it could not be found out: the caller denies.
	Licensed(ctx context.Context, t audit.Tenant, person audit.ActorID, l Licence, now time.Time) (bool, error)
}

// NeedLicence says that the action is only for who holds l, whatever the role: signing a
// note, prescribing. It is asked with every decision; New refuses a policy with such an
// action without Options.Licences.
func NeedLicence(l Licence) Opt { return Opt{func(d *definition) { d.licence = l }} }

// licensed denies what dec allows if the actor has not the licence that the action needs.
func (s *subject) licensed(ctx context.Context, dec *Decision, us int64) error {
	if !dec.Allowed || dec.def.licence == "" {
		return nil
	}
	return s.holdsLicence(ctx, dec, us)
}

func (s *subject) holdsLicence(ctx context.Context, dec *Decision, us int64) error {
	if s.z.o.Licences == nil {
		dec.withdraw(CodeLicence)
		return nil
	}
	ok, err := s.z.o.Licences.Licensed(ctx, s.tenant, s.id, dec.def.licence, time.UnixMicro(us).UTC())
	if err != nil {
		dec.withdraw(CodeUndecided)
		return fmt.Errorf("%w: asking for a licence: %w", ErrUndecided, err)
	}
	if !ok {
		dec.withdraw(CodeLicence)
	}
	return nil
}

// withdraw makes dec a denial.
func (dec *Decision) withdraw(code Code) {
	*dec = dec.denied(code)
}

// licensed reports whether an action of p needs a licence.
func (p *Policy) licensed() bool {
	return slices.ContainsFunc(p.actions, func(d *definition) bool { return d.licence != "" })
}
