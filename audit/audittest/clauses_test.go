package audittest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/audit/audittest"
)

// explained are the parts of the contract's comments that say why or what for: nothing a
// store could break. What takes several processes or a crash is not for TestStore either:
// TestFork and TestCrash look at that.
func explained() map[string][]string {
	return map[string][]string{
		"Store": {
			"Store keeps entries and never changes them. It holds no logic: Log validates, encodes, groups and retries.",
			"Every answer the comments give is a rule of audittest.TestStore, named after its contract; what takes a second process or a crash is one of audittest.TestFork and audittest.TestCrash.",
		},
		"Entry": {
			"Entry is one event as a store keeps it.",
			"Body is the event; Tenant, ID, Recorded, Actor, Action, Outcome, Patients and Objects repeat parts of it so that a store can find it.",
			"place in the tenant's order, dense from 0; -1 until it has one",
			"each once", "each once; ID may be empty",
			"SHA-256(0x00 ‖ Body), the leaf hash of RFC 6962",
		},
		"Filter": {"always set"},
		"Append": {
			": Sequence gives it",
			"Nil means that they survive a crash of the process and of the machine.", // TestCrash
		},
		"Sequence": {
			"also from two processes: each entry is placed once.",                         // TestFork, TestCrash
			", or killed: all or none of the call are placed, and the next call goes on.", // TestCrash
		},
		"Backlog": {"Backlog is what a store holds that has no place in the order yet.", "entries, counted up to 100,000"},
		"Get":     {", they are in Body"},
		"List":    {"; limit is at least 1"},
		"Count":   {},
		"Erase":   {"Nil means that the erasure survives a crash."}, // TestCrash
		"Purge": {
			", which are not empty, ascend and neither meet nor overlap",
			"Cancelled half-way, or killed:",
			"Nil means that it survives a crash.", // a store's own tests
		},
		"Purged": {"It is what the store says, not a proof: whether it was allowed is in the log (PurgeOf)."},
	}
}

// TestClauses compares the rules with the contract as it is written: each rule quotes a piece
// of it that no other rule quotes, and beside the rules and the explanations nothing is left.
func TestClauses(t *testing.T) {
	t.Parallel()
	rest, whole := contract(t), contract(t)
	require.Len(t, rest, len(explained()))
	take := func(scope, clause, whose string) {
		text, ok := rest[scope]
		require.True(t, ok, "%s: the contract has no comment on %s", whose, scope)
		require.Contains(t, text, clause, "%s quotes what the contract of %s does not say, or a rule before it quoted already", whose, scope)
		rest[scope] = strings.Replace(text, clause, "|", 1)
	}
	for scope, texts := range explained() {
		for _, text := range texts {
			take(scope, text, "an explanation")
		}
	}
	for _, r := range audittest.Rules() {
		scope, clause, ok := strings.Cut(r.Clause, ": ")
		require.True(t, ok, r.Name)
		take(scope, clause, r.Name)
	}
	for _, r := range audittest.PurgeRules() {
		scope, clause, ok := strings.Cut(r.Clause, ": ")
		require.True(t, ok, r.Name)
		take(scope, clause, r.Name)
	}
	for _, a := range audittest.Attacks() {
		scope, clause, _ := strings.Cut(a.Clause, ": ")
		require.Contains(t, whole[scope], clause, a.Name)
	}
	for scope, text := range rest {
		words := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		for _, w := range words {
			require.Contains(t, []string{"and", "but", scope}, w, "the contract of %s says more than the rules: %s", scope, text)
		}
	}
}

// contract reads the comments of audit's store.go and purged.go, by type and method, each on one
// line.
func contract(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	say := func(scope string, comments ...*ast.CommentGroup) {
		for _, c := range comments {
			out[scope] += strings.Join(strings.Fields(c.Text()), " ") + " "
		}
	}
	for _, name := range []string{"../store.go", "../purged.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range file.Decls {
			if group, ok := d.(*ast.GenDecl); ok && group.Tok == token.TYPE {
				for _, s := range group.Specs {
					typeContract(group, s.(*ast.TypeSpec), say)
				}
			}
		}
	}
	return out
}

func typeContract(group *ast.GenDecl, spec *ast.TypeSpec, say func(scope string, comments ...*ast.CommentGroup)) {
	switch x := spec.Type.(type) {
	case *ast.StructType:
		switch spec.Name.Name {
		case "Ref", "Span", "Purge": // no promise of a store
			return
		}
		say(spec.Name.Name, group.Doc)
		for _, f := range x.Fields.List {
			say(spec.Name.Name, f.Comment)
		}
	case *ast.InterfaceType:
		if spec.Name.Name == "Store" {
			say("Store", group.Doc)
		}
		for _, m := range x.Methods.List {
			if len(m.Names) == 1 {
				say(m.Names[0].Name, m.Doc)
			}
		}
	}
}
