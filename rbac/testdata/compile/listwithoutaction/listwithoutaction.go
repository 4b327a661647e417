package listwithoutaction

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

// want: not enough arguments in call to rbac.HandleList[patient]
func f(m *rbac.Mux) {
	rbac.HandleList[patient](m, "GET /x", func(http.ResponseWriter, *http.Request, rbac.Filter[patient]) {})
}
