package arch

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// unit is what the compiler would see at once: a package with its inner tests, or its outer
// tests. Its names are resolved without the packages it imports, which is enough to tell a
// variable of the package from a local of the same name.
type unit struct {
	files []*File
	info  *types.Info
}

// resolve returns the units of a package.
func (h *House) resolve(p *Package) (units []*unit) {
	byName := map[string]*unit{}
	for _, f := range p.Files {
		name := f.Syntax.Name.Name
		if byName[name] == nil {
			byName[name] = &unit{info: &types.Info{
				Defs: map[*ast.Ident]types.Object{},
				Uses: map[*ast.Ident]types.Object{},
			}}
			units = append(units, byName[name])
		}
		byName[name].files = append(byName[name].files, f)
	}
	for _, u := range units {
		config := types.Config{Error: func(error) {}, Importer: nowhere{}, DisableUnusedImportCheck: true}
		syntax := make([]*ast.File, len(u.files))
		for i, f := range u.files {
			syntax[i] = f.Syntax
		}
		// The error is that nothing could be imported.
		_, _ = config.Check(h.Module+"/"+p.Dir, h.fset, syntax, u.info)
	}
	return units
}

// nowhere is an importer that finds an empty package at every path.
type nowhere struct{}

// Import returns an empty package, so that its name is known.
func (nowhere) Import(path string) (*types.Package, error) {
	p := types.NewPackage(path, lastElement(path))
	p.MarkComplete()
	return p, nil
}

// lastElement guesses a package's name from its path: "v5" and the like name their parent.
func lastElement(path string) string {
	elements := strings.Split(path, "/")
	for i := len(elements) - 1; i > 0; i-- {
		if e := elements[i]; len(e) < 2 || e[0] != 'v' || e[1] < '0' || e[1] > '9' {
			return e
		}
	}
	return elements[0]
}

// changed tells for each package-level variable of p where something changes it: assigns to
// it or to a part of it, counts it up, takes its address, or slices it if it is an array.
func (h *House) changed(p *Package) map[*ast.Ident]string {
	found := map[*ast.Ident]string{}
	for _, u := range p.units() {
		declared := map[types.Object]*ast.Ident{}
		for _, f := range u.files {
			for _, v := range variables(f) {
				declared[u.info.Defs[v.name]] = v.name
			}
		}
		u.eachChange(func(e ast.Expr) {
			if id := root(e); id != nil {
				if name := declared[u.info.Uses[id]]; name != nil {
					found[name] = h.at(e)
				}
			}
		})
	}
	return found
}

// isPackage reports whether id names an imported package here.
func (u *unit) isPackage(id *ast.Ident) bool {
	_, ok := u.info.Uses[id].(*types.PkgName)
	return ok
}

// eachChange calls f with every expression that something changes or could change through it.
func (u *unit) eachChange(f func(ast.Expr)) {
	reading := map[ast.Expr]bool{}
	for _, file := range u.files {
		ast.Inspect(file.Syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if onlyReads(file, n) {
					reading[n.Args[0]] = true
				}
			case *ast.AssignStmt:
				if n.Tok != token.DEFINE {
					for _, e := range n.Lhs {
						f(e)
					}
				}
			case *ast.IncDecStmt:
				f(n.X)
			case *ast.UnaryExpr:
				if n.Op == token.AND {
					f(n.X)
				}
			case *ast.SliceExpr:
				if !reading[n] && u.isArray(n.X) {
					f(n.X)
				}
			case *ast.RangeStmt:
				if n.Tok == token.ASSIGN {
					f(n.Key)
					f(n.Value)
				}
			}
			return true
		})
	}
}

// onlyReads reports whether a call is one of package slices that leaves its argument alone.
func onlyReads(f *File, call *ast.CallExpr) bool {
	pkg, name := callee(f, call)
	if pkg != "slices" || len(call.Args) == 0 {
		return false
	}
	switch name {
	case "All", "Values", "Clone", "Contains", "ContainsFunc", "Index", "IndexFunc", "BinarySearch", "BinarySearchFunc":
		return true
	}
	return false
}

func (u *unit) isArray(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	if !ok || u.info.Uses[id] == nil {
		return false
	}
	_, ok = u.info.Uses[id].Type().Underlying().(*types.Array)
	return ok
}

// root returns the variable that a change of e changes.
func root(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}
