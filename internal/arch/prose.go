package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strings"
)

func proseRules() []Rule {
	return []Rule{
		{"package comments", "every package says what it is", checkPackageDocs},
		{"comments", "every exported name has a comment, which begins with the name", checkDocs},
		{"store methods", "every method of an exported …Store interface answers its questions in a comment", checkStoreDocs},
		{"unfinished", "nothing is marked as unfinished", checkUnfinished},
	}
}

func checkPackageDocs(h *House) (bad []string) {
	for _, p := range h.Packages {
		found, code := false, false
		for _, f := range p.Files {
			code = code || !f.Test
			found = found || !f.Test && f.Syntax.Doc.Text() != ""
		}
		if code && !found {
			bad = append(bad, p.Dir+" has no package comment")
		}
	}
	return bad
}

func checkDocs(h *House) (bad []string) {
	for _, f := range h.files(false) {
		for _, d := range f.Syntax.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && exportedReceiver(d) {
					bad = append(bad, h.undocumented(d.Name, d.Doc)...)
				}
			case *ast.GenDecl:
				bad = append(bad, h.undocumentedGroup(d)...)
			}
		}
	}
	return bad
}

// exportedReceiver reports whether d is no method, or one of an exported type.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return true
	}
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}

// undocumented asks for a comment that begins with the name.
func (h *House) undocumented(name *ast.Ident, doc *ast.CommentGroup) []string {
	switch text := doc.Text(); {
	case text == "":
		return []string{fmt.Sprintf("%s: %s has no comment", h.at(name), name.Name)}
	case !beginsWith(text, name.Name):
		return []string{fmt.Sprintf("%s: the comment of %s does not begin with it", h.at(name), name.Name)}
	}
	return nil
}

func beginsWith(text, name string) bool {
	rest, ok := strings.CutPrefix(text, name)
	if !ok {
		for _, article := range []string{"A ", "An ", "The "} {
			if rest, ok = strings.CutPrefix(text, article+name); ok {
				break
			}
		}
	}
	return ok && rest != "" && !token.IsIdentifier(rest[:1])
}

// undocumentedGroup lets one comment of a group stand for its constants or variables, and a
// comment at the end of a line for that line.
func (h *House) undocumentedGroup(d *ast.GenDecl) (bad []string) {
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() {
				doc := s.Doc
				if doc == nil && !d.Lparen.IsValid() {
					doc = d.Doc
				}
				bad = append(bad, h.undocumented(s.Name, doc)...)
			}
		case *ast.ValueSpec:
			for _, name := range s.Names {
				if name.IsExported() && d.Doc.Text() == "" && s.Doc.Text() == "" && s.Comment.Text() == "" {
					bad = append(bad, fmt.Sprintf("%s: %s has no comment", h.at(name), name.Name))
				}
			}
		}
	}
	return bad
}

func checkStoreDocs(h *House) (bad []string) {
	for _, i := range interfaces(h) {
		if !strings.HasSuffix(i.name.Name, "Store") || !i.name.IsExported() {
			continue
		}
		for _, m := range i.syntax.Methods.List {
			if len(m.Names) > 0 && m.Doc.Text() == "" {
				bad = append(bad, fmt.Sprintf("%s: %s.%s has no comment", h.at(m), i.name.Name, m.Names[0].Name))
			}
		}
	}
	return bad
}

// checkUnfinished reads every text of the module, hidden folders and test data included.
func checkUnfinished(h *House) (bad []string) {
	mark := regexp.MustCompile(`\b(?:TO` + `DO|FIX` + `ME|XX` + `X)\b`)
	for _, name := range slices.Sorted(maps.Keys(h.Texts)) {
		for i, line := range strings.Split(h.Texts[name], "\n") {
			if mark.MatchString(line) {
				bad = append(bad, fmt.Sprintf("%s:%d: marked as unfinished", name, i+1))
			}
		}
	}
	return bad
}
