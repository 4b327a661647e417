package arch

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

func importRules() []Rule {
	return []Rule{
		{"folders", "no Go outside the nine domains, examples and internal, no root package", checkFolders},
		{"modules", "only internal/bench and internal/interop are modules of their own, and they are", checkModules},
		{"floors", "a package imports its own domain, internal and lower floors only", checkFloors},
		{"cores", "a domain's own package imports none of its subpackages, so that nobody pays for what they do not import", checkCores},
		{"examples", "an example's program uses nothing a host could not", checkExamples},
		{"drivers", "drivers only in tests, examples, internal/enginetest, audit/auditpgx and audit/cmd/auditverify; Redis also in …redis", checkDrivers},
		{"http", "net/http only in http*.go or packages named for it", checkHTTP},
	}
}

// floor returns where a domain stands; internal is on the ground, beside audit.
func floor(domain string) int {
	switch domain {
	case "audit", "internal":
		return 0
	case "phi":
		return 1
	case "examples":
		return 3
	}
	return 2
}

func checkFolders(h *House) (bad []string) {
	for _, p := range h.Packages {
		domain := p.Domain()
		if p.Dir == "." || !isDomain(domain) && domain != "examples" && domain != "internal" {
			bad = append(bad, fmt.Sprintf("%s holds Go files", p.Dir))
		}
		if domain == p.Dir && (domain == "examples" || domain == "internal") {
			bad = append(bad, fmt.Sprintf("%s holds Go files itself", p.Dir))
		}
	}
	return bad
}

func checkModules(h *House) (bad []string) {
	own := func(dir string) bool { return dir == "internal/bench" || dir == "internal/interop" }
	for _, dir := range h.Nested {
		if !own(dir) {
			bad = append(bad, fmt.Sprintf("%s is a module of its own: no rule looks at it", dir))
		}
	}
	for _, p := range h.Packages {
		elements := strings.Split(p.Dir, "/")
		if len(elements) > 1 && own(path.Join(elements[:2]...)) {
			bad = append(bad, fmt.Sprintf("%s belongs to this module: its dependencies enter go.mod", p.Dir))
		}
	}
	return bad
}

// checkFloors holds for tests, too, except those of internal: they look at the whole house.
func checkFloors(h *House) (bad []string) {
	for _, f := range h.files(true) {
		from := f.pkg.Domain()
		for _, target := range f.Imports {
			dir, ok := h.inside(target)
			if !ok {
				continue
			}
			to, _, _ := strings.Cut(dir, "/")
			switch {
			case to == from, to == "internal", from == "internal" && f.Test:
			case from != "internal" && floor(to) < floor(from):
			default:
				bad = append(bad, fmt.Sprintf("%s imports %s", f.Path(), dir))
			}
		}
	}
	return bad
}

func checkCores(h *House) (bad []string) {
	for _, f := range h.files(false) {
		if !isDomain(f.pkg.Dir) {
			continue
		}
		for _, target := range f.Imports {
			dir, ok := h.inside(target)
			if ok && strings.HasPrefix(dir, f.pkg.Dir+"/") && !strings.HasPrefix(dir, f.pkg.Dir+"/internal/") {
				bad = append(bad, fmt.Sprintf("%s imports %s", f.Path(), dir))
			}
		}
	}
	return bad
}

func checkExamples(h *House) (bad []string) {
	for _, f := range h.files(false) {
		if f.pkg.Domain() != "examples" {
			continue
		}
		for _, target := range f.Imports {
			if dir, ok := h.inside(target); ok && strings.HasPrefix(dir, "internal/") {
				bad = append(bad, fmt.Sprintf("%s imports %s", f.Path(), dir))
			}
		}
	}
	return bad
}

// driver returns the database that an import path is a driver of, "" if it is none.
func driver(target string) string {
	for _, d := range []struct{ prefix, database string }{
		{"modernc.org/sqlite", "sqlite"},
		{"github.com/mattn/go-sqlite3", "sqlite"},
		{"github.com/ncruces/go-sqlite3", "sqlite"},
		{"github.com/jackc/pgx", "postgres"},
		{"github.com/lib/pq", "postgres"},
		{"github.com/redis/go-redis", "redis"},
		{"github.com/go-sql-driver/mysql", "mysql"},
	} {
		if target == d.prefix || strings.HasPrefix(target, d.prefix+"/") {
			return d.database
		}
	}
	return ""
}

func checkDrivers(h *House) (bad []string) {
	for _, f := range h.files(false) {
		for _, target := range f.Imports {
			database := driver(target)
			if database == "" || mayDrive(f.pkg, database) {
				continue
			}
			bad = append(bad, fmt.Sprintf("%s imports %s", f.Path(), target))
		}
	}
	return bad
}

func mayDrive(p *Package, database string) bool {
	switch {
	case p.Domain() == "examples", p.Dir == "internal/enginetest", p.Dir == "audit/cmd/auditverify":
		return true
	case p.Dir == "audit/auditpgx":
		return database == "postgres"
	case isDomain(p.Domain()) && strings.HasSuffix(p.Base(), "redis"):
		return database == "redis"
	}
	return false
}

// httpPackages speak HTTP by their nature and are named for what they speak over it.
func httpPackages() []string {
	return []string{"authn/oidcsso", "authn/samlsso", "authn/scim", "mfa/passkey"}
}

func checkHTTP(h *House) (bad []string) {
	for _, f := range h.files(false) {
		p := f.pkg
		if p.Domain() == "examples" || strings.HasSuffix(p.Base(), "http") || slices.Contains(httpPackages(), p.Dir) ||
			strings.HasPrefix(f.Name, "http") {
			continue
		}
		for _, target := range f.Imports {
			if target == "net/http" || strings.HasPrefix(target, "net/http/") {
				bad = append(bad, fmt.Sprintf("%s imports %s", f.Path(), target))
			}
		}
	}
	return bad
}
