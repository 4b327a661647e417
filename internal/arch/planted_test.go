package arch_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/arch"
)

const module = "example.com/house"

// tree makes a house of files; a text that does not begin with a package clause gets one, and
// the module's own path is written $.
func tree(t *testing.T, files map[string]string) *arch.House {
	t.Helper()
	fsys := fstest.MapFS{"go.mod": {Data: []byte("module " + module + "\n\ngo 1.26.0\n")}}
	for name, text := range files {
		text = strings.ReplaceAll(text, "$", module)
		if strings.HasSuffix(name, ".go") && !strings.Contains(text, "package ") {
			text = "// Package x is planted.\npackage x\n\n" + text
		}
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	h, err := arch.Load(fsys)
	require.NoError(t, err)
	return h
}

// plant is a tree for one rule: with a violation, or close to one.
type plant struct {
	name  string
	files map[string]string
	bad   string // part of what the rule says; empty for a tree that is fine
}

// one is a tree of a single file.
func one(name, text string) map[string]string { return map[string]string{name: text} }

func imports(target string) string { return "import _ \"" + target + "\"\n" }

// Each rule catches every violation planted for it, and lets what comes close pass.
func TestRulesCatchPlantedViolations(t *testing.T) {
	t.Parallel()
	planted := plants()
	for _, r := range arch.Rules() {
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			caught, passed := 0, 0
			for _, p := range planted[r.Name] {
				bad := strings.Join(r.Check(tree(t, p.files)), "\n")
				if p.bad == "" {
					require.Empty(t, bad, p.name)
					passed++
					continue
				}
				require.Contains(t, bad, p.bad, p.name)
				require.Equal(t, 1, strings.Count(bad+"\n", "\n"), "%s: %s", p.name, bad)
				caught++
			}
			require.Positive(t, caught, "nothing shows that the rule can fail")
			require.Positive(t, passed, "nothing shows that the rule can pass")
		})
	}
	require.Len(t, planted, len(arch.Rules()), "a plant without a rule")
}

func plants() map[string][]plant {
	all := map[string][]plant{}
	for _, group := range []map[string][]plant{importPlants(), statePlants(), prosePlants(), sizePlants()} {
		for name, plants := range group {
			all[name] = plants
		}
	}
	return all
}

func importPlants() map[string][]plant {
	return map[string][]plant{
		"folders": {
			{"root package", one("x.go", ""), ". holds Go files"},
			{"tenth domain", one("billing/x.go", ""), "billing holds Go files"},
			{"deep in a foreign folder", one("pkg/util/x.go", ""), "pkg/util holds Go files"},
			{"test only", one("tools/x_test.go", ""), "tools holds Go files"},
			{"examples itself", one("examples/x.go", ""), "examples holds Go files itself"},
			{"internal itself", one("internal/x.go", ""), "internal holds Go files itself"},
			{"known folders", map[string]string{
				"audit/x.go": "", "upload/uploadsql/x.go": "", "examples/clinic/x.go": "", "internal/arch/x.go": "", "docs/a.md": "",
				".ci/x.go": "", "rbac/testdata/src/x.go": "", "_old/x.go": "",
			}, ""},
		},
		"modules": {
			{"escape", map[string]string{"audit/x/go.mod": "module x\n", "audit/x/x.go": "broken"}, "audit/x is a module of its own"},
			{"bench inside", one("internal/bench/x.go", ""), "internal/bench belongs to this module"},
			{"interop inside", one("internal/interop/oidc/x.go", ""), "internal/interop/oidc belongs to this module"},
			{"as they should be", map[string]string{
				"internal/bench/go.mod": "module bench\n", "internal/bench/x.go": "broken", "internal/interop/go.mod": "module interop\n",
				".ci/tools/go.mod": "module tools\n", "rbac/testdata/go.mod": "module testdata\n",
			}, ""},
		},
		"floors": {
			{"sideways", one("authn/x.go", imports("$/session")), "authn/x.go imports session"},
			{"sideways into a subpackage", one("authn/x.go", imports("$/session/sessiontest")), "imports session/sessiontest"},
			{"sideways in a test", one("rbac/x_test.go", imports("$/session")), "rbac/x_test.go imports session"},
			{"up", one("audit/x.go", imports("$/phi")), "audit/x.go imports phi"},
			{"up in a test", one("audit/auditsql/x_test.go", imports("$/phi")), "imports phi"},
			{"up to two", one("phi/x.go", imports("$/rbac")), "phi/x.go imports rbac"},
			{"up to the roof", one("session/x.go", imports("$/examples/clinic")), "imports examples/clinic"},
			{"internal into a domain", one("internal/sqlkit/x.go", imports("$/audit")), "internal/sqlkit/x.go imports audit"},
			{"another name", one("authn/x.go", "import s \"$/session\"\n\nvar _ s.Manager"), "imports session"},
			{"downwards", map[string]string{
				"authn/x.go":               imports("$/phi") + imports("$/audit") + imports("$/internal/sqlkit"),
				"audit/auditsql/x.go":      imports("$/audit") + imports("$/internal/sqlkit"),
				"examples/clinic/x.go":     imports("$/authn") + imports("$/session/sessionsql"),
				"internal/sqlkit/x.go":     imports("$/internal/conform"),
				"internal/docs/x_test.go":  imports("$/rbac"),
				"session/sessionsql/x.go":  imports("$/session"),
				"mfa/x.go":                 imports("example.com/housekeeping/session"),
				"retention/export/x.go":    imports("$/retention"),
				"examples/quickstart/x.go": imports("$/rbac/rbachttp"),
			}, ""},
		},
		"cores": {
			{"core into its store", one("audit/x.go", imports("$/audit/auditsql")), "audit/x.go imports audit/auditsql"},
			{"core into an option", one("authn/x.go", imports("$/authn/samlsso")), "imports authn/samlsso"},
			{"tests and privates", map[string]string{
				"audit/x_test.go": imports("$/audit/audittest"), "authn/x.go": imports("$/authn/internal/hash"),
				"audit/auditsql/x.go": imports("$/audit"),
			}, ""},
		},
		"examples": {
			{"internals", one("examples/clinic/x.go", imports("$/internal/sqlkit")), "imports internal/sqlkit"},
			{"test engines", map[string]string{
				"examples/clinic/x_test.go": imports("$/internal/enginetest"), "examples/clinic/x.go": imports("$/rbac"),
			}, ""},
		},
		"drivers": {
			{"sqlite in a store", one("audit/auditsql/x.go", imports("modernc.org/sqlite")), "imports modernc.org/sqlite"},
			{"pgx in a kit", one("internal/sqlkit/x.go", imports("github.com/jackc/pgx/v5/pgconn")), "imports github.com/jackc/pgx/v5/pgconn"},
			{"pq", one("phi/phisql/x.go", imports("github.com/lib/pq")), "imports github.com/lib/pq"},
			{"redis in a core", one("session/x.go", imports("github.com/redis/go-redis/v9")), "imports github.com/redis/go-redis/v9"},
			{"redis in an sql store", one("session/sessionsql/x.go", imports("github.com/redis/go-redis/v9")), "go-redis"},
			{"sqlite in a redis store", one("session/sessionredis/x.go", imports("modernc.org/sqlite")), "modernc"},
			{"sqlite in auditpgx", one("audit/auditpgx/x.go", imports("modernc.org/sqlite")), "modernc"},
			{"where they belong", map[string]string{
				"audit/auditsql/x_test.go": imports("modernc.org/sqlite"), "examples/clinic/x.go": imports("modernc.org/sqlite"),
				"internal/enginetest/x.go": imports("github.com/jackc/pgx/v5"), "audit/auditpgx/x.go": imports("github.com/jackc/pgx/v5"),
				"audit/cmd/auditverify/x.go": imports("modernc.org/sqlite"), "session/sessionredis/x.go": imports("github.com/redis/go-redis/v9"),
				"audit/x.go": imports("modernc.org/sqlitetools"),
			}, ""},
		},
		"http": {
			{"in the core", one("session/session.go", imports("net/http")), "session/session.go imports net/http"},
			{"a relative", one("rbac/guard.go", imports("net/http/httptest")), "imports net/http/httptest"},
			{"in a subpackage", one("audit/audittest/x.go", imports("net/http")), "imports net/http"},
			{"in internal", one("internal/docs/x.go", imports("net/http")), "imports net/http"},
			{"where it belongs", map[string]string{
				"session/http.go": imports("net/http"), "session/http_cookie.go": imports("net/http"), "audit/audithttp/hold.go": imports("net/http"),
				"rbac/x_test.go": imports("net/http/httptest"), "examples/clinic/x.go": imports("net/http"), "authn/oidcsso/x.go": imports("net/http"),
				"session/client.go": imports("net/netip"),
			}, ""},
		},
	}
}

func statePlants() map[string][]plant {
	return map[string][]plant{
		"init": {
			{"init", one("audit/x.go", "func init() {}"), "audit/x.go:4: init"},
			{"in a test", one("audit/x_test.go", "func init() {}"), "init"},
			{"in an example", one("examples/clinic/x.go", "func init() {}"), "init"},
			{"a method", one("audit/x.go", "type t int\n\nfunc (t) init() {}\n\nfunc initial() {}"), ""},
		},
		"state": {
			{"counter", one("audit/x.go", "var n int"), "n is a variable"},
			{"map", one("audit/x.go", "var m = map[string]int{}"), "m is a variable"},
			{"slice", one("audit/x.go", "var s = []string{\"a\"}"), "s is a variable"},
			{"pointer", one("audit/x.go", "var p = &struct{ n int }{}"), "p is a variable"},
			{"lock", one("audit/x.go", "import \"sync\"\n\nvar mu sync.Mutex"), "mu is a variable"},
			{"pool", one("audit/x.go", "import \"sync\"\n\nvar pool = sync.Pool{New: func() any { return 1 }}"), "pool is a variable"},
			{"function", one("audit/x.go", "var now = func() int { return 1 }"), "now is a variable"},
			{"swappable", one("audit/x.go", "import \"time\"\n\nvar now = time.Now"), "now is a variable"},
			{"exported pattern", one("audit/x.go", "import \"regexp\"\n\nvar Word = regexp.MustCompile(`a`)"), "Word is a variable"},
			{"changed pattern", one("audit/x.go", "import \"regexp\"\n\nvar word = regexp.MustCompile(`a`)\n\nfunc f() { word = nil }"), "word is changed"},
			{"changed sentinel", one("audit/x.go", "import \"errors\"\n\nvar errX = errors.New(\"x\")\n\nfunc f() { errX = nil }"), "errX is changed"},
			{"changed elsewhere", map[string]string{
				"audit/x.go": "import \"errors\"\n\nvar errX = errors.New(\"x\")", "audit/y.go": "func f() { p := &errX; _ = p }",
			}, "errX is changed at audit/y.go:4"},
			{"exported array", one("audit/x.go", "var Words = [...]string{\"a\"}"), "Words is a variable"},
			{"written array", one("audit/x.go", "var words = [...]string{\"a\"}\n\nfunc f() { words[0] = \"b\" }"), "words is changed"},
			{"array handed out", one("audit/x.go", "var words = [...]string{\"a\"}\n\nfunc f() []string { return words[:] }"), "words is changed"},
			{"array of slices", one("audit/x.go", "var words = [...][]string{{\"a\"}}"), "words is a variable"},
			{"array of pointers", one("audit/x.go", "type t struct{}\n\nvar ts = [...]*t{new(t)}"), "ts is a variable"},
			{"struct with a map", one("audit/x.go", "type t struct{ m map[int]int }\n\nvar v = t{m: map[int]int{}}"), "v is a variable"},
			{"counted struct", one("audit/x.go", "type t struct{ n int }\n\nvar v = t{n: 1}\n\nfunc f() { v.n++ }"), "v is changed"},
			{"a map by name", one("audit/x.go", "type t map[string]string\n\nvar v = t{\"a\": \"b\"}"), "v is a variable"},
			{"other directive", one("audit/x.go", "//go:generate echo\nvar s string"), "s is a variable"},
			{"call without a name", one("audit/x.go", "var f = func() int { return 1 }()"), "f is a variable"},
			{"Define in a domain", one("authn/x.go", "import \"$/rbac\"\n\nvar read = rbac.Define[int](\"x\")"), "read is a variable"},
			{"another Define in an example", one("examples/clinic/x.go", "import \"$/phi\"\n\nvar read = phi.Define[int](\"x\")"), "read is a variable"},
			{"own Define in an example", one("examples/clinic/x.go", "type r struct{}\n\nfunc (r) Define() int { return 1 }\n\nfunc f() {}\n\nvar read = r{}.Define()"), "read is a variable"},
			{"state in an example", one("examples/clinic/x.go", "var cache = map[string]string{}"), "cache is a variable"},
			{"changed Define", one("examples/clinic/x.go", "import \"$/rbac\"\n\nvar read = rbac.Define[int](\"x\")\n\nfunc f() { read = rbac.Define[int](\"y\") }"), "read is changed"},
			{"set later in a test", one("audit/x_test.go", "var n int"), "n is set later"},
			{"changed in a test", one("audit/x_test.go", "var seen = map[string]int{}\n\nfunc f() { seen[\"a\"]++ }"), "seen is changed"},
			{"what may stay", map[string]string{
				"audit/errors.go": "import (\n\t\"errors\"\n\t\"fmt\"\n)\n\nvar (\n\tErrA = errors.New(\"a\")\n\tErrB = fmt.Errorf(\"b: %w\", ErrA)\n)",
				"audit/auditsql/x.go": "import (\n\t\"embed\"\n\t\"$/audit\"\n\t\"$/internal/sqlkit\"\n)\n\n//go:embed migrations\nvar files embed.FS\n\n" +
					"var _ audit.Store = (*Store)(nil)\n\nvar ErrUnsafe = sqlkit.ErrUnsafe",
				"audit/audithttp/x.go": "import _ \"embed\"\n\nvar (\n\t//go:embed a.txt\n\ta string\n)",
				"mfa/x.go": "import (\n\t\"encoding/base32\"\n\t\"regexp\"\n\t\"slices\"\n\t\"time\"\n)\n\nvar word = regexp.MustCompile(`a`)\n\n" +
					"var plain = base32.StdEncoding.WithPadding(base32.NoPadding)\n\nvar names = [...]string{\"a\", \"b\"}\n\n" +
					"var start = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)\n\nvar both = [...]struct{ a, b string }{{\"a\", \"b\"}}\n\n" +
					"func f() bool { word := 1; word++; return slices.Contains(names[:], \"a\") }",
				"examples/clinic/x.go": "import (\n\t\"$/rbac\"\n)\n\nvar columns = rbac.Columns{ID: \"id\"}\n\n" +
					"var (\n\tread = rbac.Define[int](\"x\", columns)\n\tlist = rbac.Define[rbac.InTenant](\"y\")\n)",
				"audit/x_test.go": "import \"$/audit\"\n\nvar staff = audit.Actor{ID: \"a\"}\n\nvar cases = []string{\"a\"}\n\nfunc f() { cases := cases; cases = nil; _ = cases }",
			}, ""},
		},
		"foreign state": {
			{"another package's variable", one("audit/x.go", "import \"net/http\"\n\nfunc f() { http.DefaultClient = nil }"), "changes http.DefaultClient"},
			{"in a test", one("audit/x_test.go", "import \"$/audit\"\n\nfunc f() { audit.ErrA = nil }"), "changes audit.ErrA"},
			{"by address", one("audit/x.go", "import \"os\"\n\nfunc f() *[]string { return &os.Args }"), "changes os.Args"},
			{"another import name", one("audit/x.go", "import h \"net/http\"\n\nfunc f() { h.DefaultClient = nil }"), "changes h.DefaultClient"},
			{"a field of a local", one("audit/x.go", "import \"net/http\"\n\nfunc f() { http := struct{ A int }{}; http.A = 1 }\n\nvar _ = http.MethodGet"), ""},
		},
		"clock": {
			{"now", one("audit/auditsql/x.go", "import \"time\"\n\nfunc f() { _ = time.Now() }"), "time.Now"},
			{"handed on", one("audit/auditsql/x.go", "import \"time\"\n\nfunc f() func() time.Time { return time.Now }"), "time.Now"},
			{"since", one("session/sessionredis/x.go", "import clock \"time\"\n\nfunc f(t clock.Time) { _ = clock.Since(t) }"), "time.Since"},
			{"elsewhere", map[string]string{
				"audit/log.go": "import \"time\"\n\nfunc f() { _ = time.Now() }", "audit/auditsql/x.go": "import \"time\"\n\nfunc f() { _ = time.Second }",
				"audit/auditsql/x_test.go": "import \"time\"\n\nfunc f() { _ = time.Now() }",
			}, ""},
		},
	}
}

func prosePlants() map[string][]plant {
	return map[string][]plant{
		"package comments": {
			{"none", one("audit/x.go", "package audit"), "audit has no package comment"},
			{"only in a test", map[string]string{"audit/x.go": "package audit", "audit/x_test.go": "// Package audit is.\npackage audit"}, "audit has no"},
			{"one file", map[string]string{"audit/doc.go": "// Package audit is.\npackage audit", "audit/x.go": "package audit", "phi/x_test.go": "package phi"}, ""},
		},
		"comments": {
			{"function", one("audit/x.go", "func F() {}"), "F has no comment"},
			{"wrong beginning", one("audit/x.go", "// Does it.\nfunc F() {}"), "the comment of F does not begin with it"},
			{"longer name", one("audit/x.go", "// Fast does it.\nfunc F() {}"), "does not begin with it"},
			{"method", one("audit/x.go", "// T is.\ntype T int\n\nfunc (t *T) M() {}"), "M has no comment"},
			{"method of a generic type", one("audit/x.go", "// T is.\ntype T[A any] int\n\nfunc (t T[A]) M() {}"), "M has no comment"},
			{"type", one("audit/x.go", "type T int"), "T has no comment"},
			{"type in a group", one("audit/x.go", "// Types.\ntype (\n\tT int\n)"), "T has no comment"},
			{"constant", one("audit/x.go", "const C = 1"), "C has no comment"},
			{"variable in a group", one("audit/x.go", "var (\n\t// A is.\n\tA = 1\n\tB = 2\n)"), "B has no comment"},
			{"directive only", one("audit/x.go", "//go:noinline\nfunc F() {}"), "F has no comment"},
			{"fine", one("audit/x.go", "// F does.\nfunc F() {}\n\n// A T is.\ntype T int\n\n// C and D are.\nconst (\n\tC = 1\n\tD = 2\n)\n\n"+
				"const (\n\tE = 3 // three\n)\n\n// M does.\nfunc (T) M() {}\n\ntype t int\n\nfunc (t) M() {}\n\nfunc f() {}\n\n// V: what it says.\nvar V = 1"), ""},
			{"tests are free", one("audit/x_test.go", "func F() {}"), ""},
		},
		"store methods": {
			{"no comment", one("audit/x.go", "type Store interface {\n\t// Get gets.\n\tGet()\n\tPut()\n}"), "Store.Put has no comment"},
			{"key store", one("phi/x.go", "type KeyStore interface{ Get() }"), "KeyStore.Get has no comment"},
			{"fine", one("audit/x.go", "type Store interface {\n\t// Get gets.\n\tGet()\n\tOther\n}\n\ntype reader interface{ Read() }\n\ntype Recorder interface{ Record() }"), ""},
		},
		"unfinished": {
			{"comment", one("audit/x.go", "// TO"+"DO: more"), "audit/x.go:4: marked as unfinished"},
			{"context", one("audit/x.go", "var c = context.TO"+"DO()"), "audit/x.go:4"},
			{"sql", one("audit/a.sql", "-- FIX"+"ME\n"), "audit/a.sql:1"},
			{"docs", one("docs/a.md", "XX"+"X\n"), "docs/a.md:1"},
			{"test data", one("rbac/testdata/x.go", "// TO"+"DO"), "rbac/testdata/x.go:4"},
			{"workflow", one(".github/workflows/a.yml", "# TO"+"DO\n"), ".github/workflows/a.yml:1"},
			{"words", one("audit/x.go", "// mastodon, to do, TODOS"), ""},
		},
	}
}

func sizePlants() map[string][]plant {
	return map[string][]plant{
		"interfaces": {
			{"six", one("audit/x.go", "type i interface{ A(); B(); C(); D(); E(); F() }"), "i has 6 methods"},
			{"five and one embedded", one("audit/x.go", "import \"io\"\n\ntype I interface{ A(); B(); C(); D(); E(); io.Closer }"), "I has 6 methods"},
			{"embedded of the package", one("audit/x.go", "type a interface{ A(); B(); C() }\n\ntype I interface{ D(); E(); F(); a }"), "I has 6 methods"},
			{"embedded of a lower floor", map[string]string{
				"audit/x.go": "type S interface{ A(); B(); C() }", "authn/x.go": "import \"$/audit\"\n\ntype I interface{ D(); E(); F(); audit.S }",
			}, "I has 6 methods"},
			{"renamed big one", one("audit/x.go", "type a interface{ A(); B(); C(); D(); E(); F() }\n"), "a has 6 methods"},
			{"inside a function", one("audit/x.go", "func f() {\n\ttype i interface{ A(); B(); C(); D(); E(); F() }\n}"), "i has 6 methods"},
			{"fine", map[string]string{
				"audit/x.go":           "type I interface{ A(); B(); C(); D(); E() }\n\ntype J interface{ F(); G() }\n\ntype Both interface{ I; J }\n\ntype n interface{ ~int | ~string }",
				"audit/x_test.go":      "type i interface{ A(); B(); C(); D(); E(); F() }",
				"examples/clinic/x.go": "type i interface{ A(); B(); C(); D(); E(); F() }",
			}, ""},
		},
		"files": {
			{"451 lines", one("audit/x.go", strings.Repeat("\n", 448)), "audit/x.go has 451 lines"},
			{"450 lines", one("audit/x.go", strings.Repeat("\n", 447)), ""},
			{"a test", one("audit/x_test.go", strings.Repeat("\n", 448)), ""},
		},
		"functions": {
			{"61 lines", one("audit/x.go", "func f() {\n"+strings.Repeat("\n", 59)+"}"), "f has 61 lines"},
			{"60 lines", one("audit/x.go", "func f() {\n"+strings.Repeat("\n", 58)+"}"), ""},
			{"tests", map[string]string{
				"audit/x_test.go": "func f() {\n" + strings.Repeat("\n", 59) + "}", "audit/audittest/x.go": "func f() {\n" + strings.Repeat("\n", 59) + "}",
			}, ""},
		},
	}
}

// A tree that cannot be read is an error, never a house without violations.
func TestLoadFails(t *testing.T) {
	t.Parallel()
	_, err := arch.Load(fstest.MapFS{"audit/x.go": {Data: []byte("package x")}})
	require.Error(t, err, "no go.mod")
	_, err = arch.Load(fstest.MapFS{"go.mod": {Data: []byte("module x\n")}, "audit/x.go": {Data: []byte("package")}})
	require.Error(t, err, "no Go")
}
