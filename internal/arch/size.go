package arch

import (
	"fmt"
	"go/ast"
	"strings"
)

// The limits of size.
const (
	maxMethods   = 5
	maxFile      = 450
	maxStatement = 60
)

func sizeRules() []Rule {
	return []Rule{
		{"interfaces", "an interface of a domain has at most five methods, or only joins others", checkInterfaces},
		{"files", "a file has at most 450 lines, tests left out", checkFiles},
		{"functions", "a function has at most 60 lines", checkFunctions},
	}
}

// declared is an interface declared in a domain.
type declared struct {
	file   *File
	name   *ast.Ident
	syntax *ast.InterfaceType
}

// interfaces lists those of all domains, tests left out.
func interfaces(h *House) (all []declared) {
	for _, f := range h.files(false) {
		if !isDomain(f.pkg.Domain()) {
			continue
		}
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if i, ok := spec.Type.(*ast.InterfaceType); ok {
					all = append(all, declared{f, spec.Name, i})
				}
			}
			return true
		})
	}
	return all
}

func checkInterfaces(h *House) (bad []string) {
	all := interfaces(h)
	for _, i := range all {
		if n := countMethods(h, all, i, 0); n > maxMethods && !joins(i) {
			bad = append(bad, fmt.Sprintf("%s: %s has %d methods", h.at(i.name), i.name.Name, n))
		}
	}
	return bad
}

// joins reports whether i has no methods but those of several interfaces it embeds: a name for
// what implements them all.
func joins(i declared) bool {
	for _, m := range i.syntax.Methods.List {
		if len(m.Names) > 0 {
			return false
		}
	}
	return len(i.syntax.Methods.List) > 1
}

// countMethods counts embedded interfaces of the domains with all their methods, others as one.
func countMethods(h *House, all []declared, i declared, depth int) (n int) {
	if depth > len(all) {
		return 0 // a cycle, which does not compile
	}
	for _, m := range i.syntax.Methods.List {
		switch e := m.Type.(type) {
		case *ast.FuncType:
			n += len(m.Names)
		case *ast.Ident:
			n += countEmbedded(h, all, i.file.pkg.Dir, e.Name, depth)
		case *ast.SelectorExpr:
			id, _ := e.X.(*ast.Ident)
			dir, ok := "", false
			if id != nil {
				dir, ok = h.inside(importedAs(i.file, id.Name))
			}
			if !ok {
				n++
				continue
			}
			n += countEmbedded(h, all, dir, e.Sel.Name, depth)
		}
	}
	return n
}

func countEmbedded(h *House, all []declared, dir, name string, depth int) int {
	for _, i := range all {
		if i.file.pkg.Dir == dir && i.name.Name == name {
			return countMethods(h, all, i, depth+1)
		}
	}
	return 1
}

func checkFiles(h *House) (bad []string) {
	for _, f := range h.files(false) {
		if f.Lines > maxFile {
			bad = append(bad, fmt.Sprintf("%s has %d lines", f.Path(), f.Lines))
		}
	}
	return bad
}

// checkFunctions leaves out tests and conformance suites, whose functions tell stories.
func checkFunctions(h *House) (bad []string) {
	for _, f := range h.files(false) {
		if strings.HasSuffix(f.pkg.Base(), "test") {
			continue
		}
		for _, d := range f.Syntax.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := h.fset.Position(fn.End()).Line - h.fset.Position(fn.Pos()).Line + 1; n > maxStatement {
				bad = append(bad, fmt.Sprintf("%s: %s has %d lines", h.at(fn), fn.Name.Name, n))
			}
		}
	}
	return bad
}
