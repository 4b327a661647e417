package supposedacts

import (
	"context"
	"net/http"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

type patient struct{ id string }

func (p patient) RBAC() rbac.Attrs { return rbac.Attrs{ID: p.id} }

type note struct{ id string }

func (n note) RBAC() rbac.Attrs { return rbac.Attrs{ID: n.id} }

var (
	read = rbac.Define[patient]("patient.read", rbac.Columns{ID: "id", Tenant: "tenant"}, rbac.Verb(audit.Read))
	_    http.Handler
	_    context.Context
)

// want: cannot use then (variable of type *rbac.Supposed) as *rbac.Authorizer value
func f(ctx context.Context, then *rbac.Supposed) {
	_, _ = rbac.Check(ctx, then, read, patient{})
}
