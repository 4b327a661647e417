package stringforbid

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

// want: cannot use "patient.read" (constant of type string) as rbac.AnyAction value
func f() {
	_ = rbac.Forbid{Labels: rbac.LabelVIP, Actions: []rbac.AnyAction{"patient.read"}}
}
