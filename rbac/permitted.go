package rbac

import (
	"context"

	"github.com/wardkit/wardkit/audit"
)

// MayAnywhere returns which of all the policy's actions the actor in ctx may do somewhere: what
// a menu or a page without a record shows. Of tenant-level actions it is the decision; of the
// others some record may be reached, and May tells about each. Like Check it only asks; an error wraps
// ErrUndecided and comes with the empty set.
func MayAnywhere(ctx context.Context, z *Authorizer) (Permitted, error) {
	s, err := z.asked(ctx)
	if err != nil {
		return Permitted{}, err
	}
	out := Permitted{map[audit.Action]struct{}{}}
	for _, d := range s.policy.actions {
		dec, err := s.decideAny(ctx, d, d.anywhere(s.tenant), s.at())
		if err != nil {
			return Permitted{}, err
		}
		if dec.Allowed {
			out.names[d.name] = struct{}{}
		}
	}
	return out, nil
}

// anywhere is the resource of a tenant-level action, nil for an action on records.
func (d *definition) anywhere(t audit.Tenant) *Attrs {
	if !d.tenantLevel() {
		return nil
	}
	return &Attrs{Tenant: t}
}
