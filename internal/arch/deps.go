package arch

import (
	"fmt"
	"strings"
)

// Dependency is one package that another needs, directly or not.
type Dependency struct {
	Path     string
	Standard bool
	Module   string // empty for the standard library
}

// CoreDependencies returns what is wrong with the dependencies of a core: package audit or
// phi of the module, which everybody imports. They need the standard library, golang.org/x
// and each other only, and neither net/http nor database/sql; phi may speak to drivers.
func CoreDependencies(module, core string, all []Dependency) (bad []string) {
	for _, d := range all {
		switch {
		case d.Path == "net/http" || strings.HasPrefix(d.Path, "net/http/"),
			d.Path == "database/sql",
			d.Path == "database/sql/driver" && core != "phi":
			bad = append(bad, fmt.Sprintf("%s needs %s", core, d.Path))
		case d.Standard, d.Module == module, strings.HasPrefix(d.Module, "golang.org/x/"):
		default:
			bad = append(bad, fmt.Sprintf("%s needs %s", core, d.Path))
		}
	}
	return bad
}
