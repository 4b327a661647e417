package support

import (
	"context"
	"fmt"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/evidence"
	"github.com/wardkit/wardkit/rbac"
)

// Controls states whether the platform's people have standing access to a tenant, and how they are let in, for a
// review packet. It satisfies evidence.Source and names nobody.
func (d *Desk) Controls(ctx context.Context, t audit.Tenant) ([]evidence.Control, error) {
	open := map[string]record{}
	waiting, inside := 0, 0
	for row, err := range d.p.Store.List(ctx, Query{Tenant: t, Open: true}, "") {
		if err != nil {
			return nil, unavailable("listing", err)
		}
		r, err := d.unseal(ctx, row)
		if err != nil {
			return nil, err
		}
		open[r.ID] = r
		switch {
		case r.State == Requested:
			waiting++
		case r.Inside(d.now()):
			inside++
		}
	}
	endless, stray, live, err := d.visits(ctx, t, open)
	if err != nil {
		return nil, err
	}
	standing := evidence.Control{
		ID: "support.no_standing_access", What: "People of the platform have no standing access: each right of theirs has an end, and the tenant approved it.",
		State: evidence.InForce, Detail: fmt.Sprintf("rights in force: %d, without an end: %d, without an approval: %d", live, endless, stray),
		Verified: "counted in the grants in force", Citations: []string{"45 CFR 164.308(a)(4)(ii)(B)", "45 CFR 164.312(a)(1)", "45 CFR 164.502(b)"},
	}
	if endless+stray > 0 {
		standing.State, standing.Warning = evidence.Failing, "A right of the platform's people stands without an end or without an approval. It lets nobody in; somebody should revoke it."
	}
	visits := evidence.Control{
		ID: "support.visits", What: "People of the platform come in when the tenant has approved it, for hours, with a support role, and seen by the tenant.",
		State: evidence.InForce, Detail: fmt.Sprintf("longest %v, usual %v, inside: %d, waiting for an answer: %d", d.o.Longest, d.o.Usual, inside, waiting),
		Verified: "read from the configuration and the open accesses", Citations: []string{"45 CFR 164.308(a)(3)(ii)(A)", "45 CFR 164.312(d)", "NIST SP 800-53, MA-4"},
	}
	if err := d.Health(ctx); err != nil {
		visits.State, visits.Warning = evidence.Partly, "What is over closes with the next request, but nobody is reminded and endings may not be recorded yet."
	}
	if d.o.InsecureWritesPHI {
		visits.Warning += " Support roles may change health information."
	}
	return []evidence.Control{standing, visits}, nil
}

// visits counts the rights of visitors, those without an end, and those that no open access explains.
func (d *Desk) visits(ctx context.Context, t audit.Tenant, open map[string]record) (endless, stray, live int, err error) {
	now := d.now()
	for g, err := range d.p.Grants.List(ctx, t, "") {
		if err != nil {
			return 0, 0, 0, unavailable("listing grants", err)
		}
		if g.Source != rbac.SourceSupport && !rbac.IsVisitor(g.Person) || !g.Live(now) {
			continue
		}
		live++
		r, ok := open[g.ID]
		switch {
		case g.Until.IsZero():
			endless++
		case !ok || r.State != Approved:
			stray++
		}
	}
	return endless, stray, live, nil
}
