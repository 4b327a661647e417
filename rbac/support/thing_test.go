package support_test

import (
	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/phi"
	"github.com/wardkit/wardkit/rbac"
)

const phiSSN = phi.ClassSSN

// thing is a record of a patient.
type thing struct{ id string }

func (x thing) RBAC() rbac.Attrs {
	return rbac.Attrs{ID: x.id, Tenant: clinic, Patient: audit.Patient(x.id), Practice: "north"}
}
