package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"strings"
)

func stateRules() []Rule {
	return []Rule{
		{"init", "no init functions", checkInit},
		{"state", "no mutable package-level state: only error sentinels, embedded files, interface assertions, compiled patterns, and values, arrays and structs of literals, none ever changed; in examples and tests also rbac.Define", checkState},
		{"foreign state", "nobody assigns to a variable of another package", checkForeign},
		{"clock", "stores read no clock: now is an argument", checkClock},
	}
}

func checkInit(h *House) (bad []string) {
	for _, f := range h.files(true) {
		for _, d := range f.Syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				bad = append(bad, h.at(fn)+": init")
			}
		}
	}
	return bad
}

// checkState looks at what a variable is made from and at whether anything in its folder
// changes it. A test may keep what it likes as long as nothing changes it.
func checkState(h *House) (bad []string) {
	for _, p := range h.Packages {
		changed := h.changed(p)
		for _, f := range p.Files {
			for _, v := range variables(f) {
				switch {
				case v.name.Name == "_" || v.embedded:
				case !f.Test && !constantLike(f, h.Module, v):
					bad = append(bad, fmt.Sprintf("%s: %s is a variable", h.at(v.name), v.name.Name))
				case f.Test && v.value == nil:
					bad = append(bad, fmt.Sprintf("%s: %s is set later", h.at(v.name), v.name.Name))
				case changed[v.name] != "":
					bad = append(bad, fmt.Sprintf("%s: %s is changed at %s", h.at(v.name), v.name.Name, changed[v.name]))
				}
			}
		}
	}
	return bad
}

type variable struct {
	name     *ast.Ident
	value    ast.Expr // nil if it has none of its own
	embedded bool
}

// variables lists a file's package-level variables.
func variables(f *File) (all []variable) {
	for _, d := range f.Syntax.Decls {
		group, ok := d.(*ast.GenDecl)
		if !ok || group.Tok != token.VAR {
			continue
		}
		for _, s := range group.Specs {
			spec := s.(*ast.ValueSpec) //nolint:forcetypeassert // what a var group is made of
			for i, name := range spec.Names {
				v := variable{name: name, embedded: isEmbed(group.Doc) || isEmbed(spec.Doc)}
				if len(spec.Values) == len(spec.Names) {
					v.value = spec.Values[i]
				}
				all = append(all, v)
			}
		}
	}
	return all
}

func isEmbed(doc *ast.CommentGroup) bool {
	if doc == nil {
		return false
	}
	for _, c := range doc.List {
		if strings.HasPrefix(c.Text, "//go:embed ") {
			return true
		}
	}
	return false
}

// constantLike reports whether v would be a constant if Go had constants of its type.
func constantLike(f *File, module string, v variable) bool {
	switch e := v.value.(type) {
	case *ast.CallExpr:
		pkg, name := callee(f, e)
		switch pkg + "." + name {
		case "errors.New", "fmt.Errorf":
			return true
		case "regexp.MustCompile", "encoding/base32.WithPadding", "encoding/base64.WithPadding",
			"time.Date", "net/netip.MustParseAddr", "net/netip.MustParsePrefix":
			return !v.name.IsExported()
		case module + "/rbac.Define":
			return f.pkg.Domain() == "examples"
		}
	case *ast.SelectorExpr, *ast.Ident: // one sentinel under another package's name
		return isSentinel(e) && strings.HasPrefix(v.name.Name, "Err")
	case *ast.CompositeLit:
		return !v.name.IsExported() && literals(e)
	}
	return false
}

// callee returns the package and name of a called function, or of the method called on one of
// the package's variables.
func callee(f *File, call *ast.CallExpr) (pkg, name string) {
	fun := call.Fun
	switch e := fun.(type) {
	case *ast.IndexExpr:
		fun = e.X
	case *ast.IndexListExpr:
		fun = e.X
	}
	selector, ok := fun.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	x := selector.X
	if inner, ok := x.(*ast.SelectorExpr); ok {
		x = inner.X
	}
	id, ok := x.(*ast.Ident)
	if !ok {
		return "", ""
	}
	return importedAs(f, id.Name), selector.Sel.Name
}

// importedAs returns the import path behind a package name in f.
func importedAs(f *File, name string) string {
	for i, spec := range f.Syntax.Imports {
		target := f.Imports[i]
		local := target[strings.LastIndex(target, "/")+1:]
		if spec.Name != nil {
			local = spec.Name.Name
		}
		if local == name {
			return target
		}
	}
	return ""
}

func isSentinel(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.SelectorExpr:
		return strings.HasPrefix(e.Sel.Name, "Err")
	case *ast.Ident:
		return strings.HasPrefix(e.Name, "Err")
	}
	return false
}

// literals reports whether e is an array, or a struct with named fields, of literals and
// constants, so that copying it copies all of it.
func literals(e *ast.CompositeLit) bool {
	array, ok := e.Type.(*ast.ArrayType)
	isArray := ok && array.Len != nil
	if ok && (!isArray || shared(array.Elt)) {
		return false
	}
	if _, ok := e.Type.(*ast.MapType); ok {
		return false
	}
	for _, element := range e.Elts {
		pair, named := element.(*ast.KeyValueExpr)
		if named {
			_, field := pair.Key.(*ast.Ident)
			named, element = field, pair.Value
		}
		if !named && !isArray && e.Type != nil {
			return false // a map or slice behind a name
		}
		switch x := element.(type) {
		case *ast.BasicLit, *ast.Ident, *ast.SelectorExpr:
		case *ast.CompositeLit:
			if !literals(x) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// shared reports whether a copy of a value of this type shares memory with it.
func shared(t ast.Expr) bool {
	switch t := t.(type) {
	case *ast.ArrayType:
		return t.Len == nil || shared(t.Elt)
	case *ast.MapType, *ast.StarExpr, *ast.ChanType, *ast.FuncType, *ast.InterfaceType:
		return true
	}
	return false
}

func checkForeign(h *House) (bad []string) {
	for _, p := range h.Packages {
		for _, u := range p.units() {
			u.eachChange(func(e ast.Expr) {
				selector, ok := e.(*ast.SelectorExpr)
				if !ok {
					return
				}
				if id, ok := selector.X.(*ast.Ident); ok && u.isPackage(id) {
					bad = append(bad, fmt.Sprintf("%s: changes %s.%s", h.at(e), id.Name, selector.Sel.Name))
				}
			})
		}
	}
	return bad
}

func checkClock(h *House) (bad []string) {
	for _, f := range h.files(false) {
		base := f.pkg.Base()
		if !isDomain(f.pkg.Domain()) || !strings.HasSuffix(base, "sql") && !strings.HasSuffix(base, "redis") {
			continue
		}
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			if selector, ok := n.(*ast.SelectorExpr); ok {
				id, ok := selector.X.(*ast.Ident)
				switch {
				case !ok || importedAs(f, id.Name) != "time":
				case selector.Sel.Name == "Now", selector.Sel.Name == "Since", selector.Sel.Name == "Until":
					bad = append(bad, fmt.Sprintf("%s: time.%s", h.at(selector), selector.Sel.Name))
				}
			}
			return true
		})
	}
	return bad
}
