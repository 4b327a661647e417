package reqcheck_test

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/reqcheck"
)

const root = "../.."

// head is the block of a document with two requirements.
const head = "```ids 2\nS01 L02\n```\n| id | requirement | state | tests |\n|---|---|---|---|\n"

// The document itself is well-formed, and every test it names exists in the source.
func TestTheDocumentNamesTestsThatExist(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "docs", "requirements.md"))
	require.NoError(t, err)
	table, err := reqcheck.Parse(string(text))
	require.NoError(t, err)
	require.Len(t, table, 100)
	there := map[string]map[string]bool{} // package to functions
	for _, r := range table {
		for _, test := range r.Tests {
			name, _, _ := strings.Cut(test.Name, "/")
			if there[test.Package] == nil {
				there[test.Package] = functions(t, test.Package)
			}
			require.True(t, there[test.Package][name], "%s: there is no %s", r.ID, test)
		}
	}
}

var testFunction = regexp.MustCompile(`(?m)^func ((?:Test|Example|Fuzz)\w*)\(`)

func functions(t testing.TB, folder string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(folder), "*_test.go"))
	require.NoError(t, err)
	for _, path := range files {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, m := range testFunction.FindAllStringSubmatch(string(text), -1) {
			names[m[1]] = true
		}
	}
	return names
}

func TestParse(t *testing.T) {
	t.Parallel()
	table, err := reqcheck.Parse(head +
		"| S01 | sign in | done | `authn TestSignIn` <br> `mfa/mfasql TestStore/*/advance-once` on sqlite, postgres |\n" +
		"| L02 | provision | not yet | |\n")
	require.NoError(t, err)
	require.Equal(t, []reqcheck.Requirement{
		{ID: "S01", Text: "sign in", State: "done", Tests: []reqcheck.Test{
			{Package: "authn", Name: "TestSignIn"},
			{Package: "mfa/mfasql", Name: "TestStore/sqlite/advance-once"},
			{Package: "mfa/mfasql", Name: "TestStore/postgres/advance-once"},
		}},
		{ID: "L02", Text: "provision", State: "not yet"},
	}, table)
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	rest := "| L02 | provision | not yet | |\n"
	for name, document := range map[string]string{
		"no ids":            strings.Replace(head, "```ids", "```text", 1) + rest,
		"a wrong number":    strings.Replace(head, "ids 2", "ids 3", 1) + rest,
		"an id twice":       strings.Replace(head, "S01 L02", "S01 S01", 1) + rest,
		"a strange id":      strings.Replace(head, "S01", "X1", 1) + rest,
		"a missing row":     head + rest,
		"a row too many":    head + "| S01 | a | not yet | |\n| S99 | a | not yet | |\n" + rest,
		"a row twice":       head + "| S01 | a | not yet | |\n| S01 | a | not yet | |\n" + rest,
		"no text":           head + "| S01 |  | not yet | |\n" + rest,
		"an unknown state":  head + "| S01 | a | soon | |\n" + rest,
		"done without test": head + "| S01 | a | done | |\n" + rest,
		"not yet with test": head + "| S01 | a | not yet | `mfa TestX` |\n" + rest,
		"three cells":       head + "| S01 | a | not yet |\n" + rest,
		"no test":           head + "| S01 | a | done | see mfa |\n" + rest,
		"engines, no star":  head + "| S01 | a | done | `mfa TestX` on sqlite |\n" + rest,
		"a star, no engine": head + "| S01 | a | done | `mfa TestX/*` |\n" + rest,
		"an unknown engine": head + "| S01 | a | done | `mfa TestX/*` on oracle |\n" + rest,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := reqcheck.Parse(document)
			require.Error(t, err)
		})
	}
}

// run is the output of a go test -json in which everything happens.
const run = `{"Action":"start","Package":"github.com/wardkit/wardkit/mfa"}
{"Action":"run","Package":"github.com/wardkit/wardkit/mfa","Test":"TestGood"}
{"Action":"output","Package":"github.com/wardkit/wardkit/mfa","Test":"TestGood","Output":"noise\n"}
{"Action":"pass","Package":"github.com/wardkit/wardkit/mfa","Test":"TestGood","Elapsed":0}
{"Action":"output","Package":"github.com/wardkit/wardkit/mfa","Test":"TestStore/postgres","Output":"    SKIPPED: WARDKIT_POSTGRES is not set\n"}
{"Action":"skip","Package":"github.com/wardkit/wardkit/mfa","Test":"TestStore/postgres","Elapsed":0}
{"Action":"pass","Package":"github.com/wardkit/wardkit/mfa","Test":"TestStore/sqlite","Elapsed":0}
{"Action":"pass","Package":"github.com/wardkit/wardkit/mfa","Test":"TestStore","Elapsed":0}
{"Action":"output","Package":"github.com/wardkit/wardkit/mfa","Test":"TestBad","Output":"    wrong answer\n"}
{"Action":"fail","Package":"github.com/wardkit/wardkit/mfa","Test":"TestBad","Elapsed":0}
{"Action":"pass","Package":"github.com/wardkit/wardkit/mfa","Test":"TestBad","Elapsed":0}
{"Action":"output","Package":"github.com/wardkit/wardkit/mfa","Output":"PASS\n"}
{"Action":"output","Package":"github.com/wardkit/wardkit/mfa","Output":"ok  \tgithub.com/wardkit/wardkit/mfa\t0.010s\n"}
{"ImportPath":"x","Action":"build-output","Output":"does not compile\n"}
not json
{"Action":"pass","Package":"github.com/wardkit/wardkit/mfa","Elapsed":0}`

func TestReadShowsWhatGoTestWouldShow(t *testing.T) {
	t.Parallel()
	var human strings.Builder
	results := reqcheck.Results{}
	require.NoError(t, results.Read(strings.NewReader(run), &human))
	require.Equal(t, "    SKIPPED: WARDKIT_POSTGRES is not set\n    wrong answer\n"+
		"ok  \tgithub.com/wardkit/wardkit/mfa\t0.010s\ndoes not compile\nnot json\n", human.String())
	require.Equal(t, 3, results.Count("pass"))
	require.Equal(t, 1, results.Count("skip"))
	require.Equal(t, 1, results.Count("fail"), "a test that failed once has failed")
}

func TestCheck(t *testing.T) {
	t.Parallel()
	results := reqcheck.Results{}
	require.NoError(t, results.Read(strings.NewReader(run), io.Discard))
	for name, want := range map[string]string{
		"TestGood":           "",
		"TestStore/sqlite":   "",
		"TestStore/postgres": "was skipped",
		"TestStore":          "passed only in part: TestStore/postgres",
		"TestBad":            "failed",
		"TestGone":           "did not run",
		"TestStor":           "did not run",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table := []reqcheck.Requirement{{ID: "S01", Tests: []reqcheck.Test{{Package: "mfa", Name: name}}}}
			problems := reqcheck.Check(table, results)
			if want == "" {
				require.Empty(t, problems)
				return
			}
			require.Equal(t, []string{"S01: mfa " + name + " " + want}, problems)
		})
	}
	another := []reqcheck.Requirement{{ID: "S01", Tests: []reqcheck.Test{{Package: "authn", Name: "TestGood"}}}}
	require.Len(t, reqcheck.Check(another, results), 1, "a test of the same name elsewhere is another test")
}

func TestSummary(t *testing.T) {
	t.Parallel()
	table, err := reqcheck.Parse(head + "| S01 | a | done | `mfa TestX` |\n| L02 | b | not yet | |\n")
	require.NoError(t, err)
	require.Equal(t, "2 requirements: 1 done, 0 partly, 1 not yet; 1 named tests, all passed", reqcheck.Summary(table))
}
