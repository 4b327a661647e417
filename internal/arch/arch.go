// Package arch holds the rules of the house: who may import whom, where drivers and net/http
// may appear, what a package may keep, what is documented. Its tests apply them to this
// module; planted violations show that each rule can fail.
package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Rule is one rule of the house.
type Rule struct {
	Name   string // short, the subtest's name
	Clause string // what it demands
	Check  func(*House) []string
}

// Rules returns all rules that look at source.
func Rules() []Rule {
	return slices.Concat(importRules(), stateRules(), proseRules(), sizeRules())
}

// House is the source of a module.
type House struct {
	Module   string
	Packages []*Package
	Texts    map[string]string // every source and text file by path
	Nested   []string          // folders with a go.mod of their own; nothing in them is read
	fset     *token.FileSet
}

// Package is one folder with Go files.
type Package struct {
	Dir   string // path inside the module, "." for its root
	Files []*File
	units func() []*unit
}

// File is one Go file.
type File struct {
	Name    string
	Test    bool
	Imports []string
	Syntax  *ast.File
	Lines   int
	pkg     *Package
}

// Path returns the file's path inside the module.
func (f *File) Path() string { return path.Join(f.pkg.Dir, f.Name) }

// Domain returns the first element of the package's folder.
func (p *Package) Domain() string {
	domain, _, _ := strings.Cut(p.Dir, "/")
	return domain
}

// Base returns the last element of the package's folder.
func (p *Package) Base() string { return path.Base(p.Dir) }

// Load reads a module's source tree. Folders that the go command ignores are not packages.
func Load(fsys fs.FS) (*House, error) {
	h := &House{Texts: map[string]string{}, fset: token.NewFileSet()}
	mod, err := fs.ReadFile(fsys, "go.mod")
	if err != nil {
		return nil, err
	}
	line, _, _ := strings.Cut(string(mod), "\n")
	h.Module = strings.TrimSpace(strings.TrimPrefix(line, "module"))
	err = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return h.enter(fsys, name)
		case !isText(name):
			return nil
		}
		return h.read(fsys, name)
	})
	return h, err
}

// enter decides whether a folder is read.
func (h *House) enter(fsys fs.FS, dir string) error {
	base := path.Base(dir)
	switch {
	case dir == ".":
		return nil
	case base == ".git" || base == "node_modules" || base == "vendor":
		return fs.SkipDir
	}
	if _, err := fs.Stat(fsys, path.Join(dir, "go.mod")); err == nil && !ignored(dir) {
		h.Nested = append(h.Nested, dir)
		return fs.SkipDir
	}
	return nil
}

func isText(name string) bool {
	switch path.Ext(name) {
	case ".go", ".sql", ".md", ".html", ".css", ".js", ".sh", ".yml", ".yaml":
		return true
	}
	return path.Base(name) == "run"
}

func (h *House) read(fsys fs.FS, name string) error {
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	h.Texts[name] = string(text)
	if path.Ext(name) != ".go" || ignored(name) {
		return nil
	}
	syntax, err := parser.ParseFile(h.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	p := h.folder(path.Dir(name))
	f := &File{
		Name:   path.Base(name),
		Test:   strings.HasSuffix(name, "_test.go"),
		Syntax: syntax,
		Lines:  strings.Count(string(text), "\n"),
		pkg:    p,
	}
	for _, spec := range syntax.Imports {
		target, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		f.Imports = append(f.Imports, target)
	}
	p.Files = append(p.Files, f)
	return nil
}

// ignored reports whether the go command would not look at the file or folder.
func ignored(name string) bool {
	for element := range strings.SplitSeq(name, "/") {
		if element == "testdata" || strings.HasPrefix(element, ".") || strings.HasPrefix(element, "_") {
			return true
		}
	}
	return false
}

func (h *House) folder(dir string) *Package {
	for _, p := range h.Packages {
		if p.Dir == dir {
			return p
		}
	}
	p := &Package{Dir: dir}
	p.units = sync.OnceValue(func() []*unit { return h.resolve(p) })
	h.Packages = append(h.Packages, p)
	return p
}

// Files returns every Go file, with the tests or without.
func (h *House) files(tests bool) (all []*File) {
	for _, p := range h.Packages {
		for _, f := range p.Files {
			if tests || !f.Test {
				all = append(all, f)
			}
		}
	}
	return all
}

// inside returns the folder of an import path of this module.
func (h *House) inside(target string) (dir string, ok bool) {
	if target == h.Module {
		return ".", true
	}
	return strings.CutPrefix(target, h.Module+"/")
}

// at returns where in the source a node begins.
func (h *House) at(n ast.Node) string {
	p := h.fset.Position(n.Pos())
	return fmt.Sprintf("%s:%d", p.Filename, p.Line)
}

// isDomain reports whether dir belongs to one of the nine domains.
func isDomain(domain string) bool {
	switch domain {
	case "audit", "phi", "authn", "mfa", "session", "rbac", "consent", "retention", "upload":
		return true
	}
	return false
}
