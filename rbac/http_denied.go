package rbac

import (
	"context"
	"net/http"

	"github.com/wardkit/wardkit/audit"
)

// Denied is what HTTPOptions.Error can tell who was refused, or have them mend: which action on
// what, and why. Its Object is the one that StepUps and Approvals were asked about.
type Denied struct {
	Decision Decision // Decision.Challenge says what has to be proven
	Action   audit.Action
	Object   audit.Object
}

type deniedKey struct{}

// DeniedFrom returns what the request that HTTPOptions.Error answers was refused for, and false
// where the person may not know or there is nothing to tell: for 404, 405 and 503, and for who is
// not signed in.
func DeniedFrom(ctx context.Context) (Denied, bool) {
	d, ok := ctx.Value(deniedKey{}).(Denied)
	return d, ok
}

// told returns r with what its answer may tell.
func (d Decision) told(r *http.Request, a *Attrs, status int) *http.Request {
	if d.def == nil || d.Code == CodeAnonymous || status == http.StatusNotFound {
		return r
	}
	return r.WithContext(context.WithValue(r.Context(), deniedKey{}, Denied{d, d.def.name, d.object(a)}))
}
