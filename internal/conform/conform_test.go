package conform_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkit/wardkit/internal/conform"
)

// counter keeps a small contract: it starts at zero, and Add adds one.
type counter struct{ n, start, add int }

func newCounter() *counter { return &counter{add: 1} }

func (c *counter) Add()       { c.n += c.add }
func (c *counter) Value() int { return c.n + c.start }

var errBroken = errors.New("broken")

func want(ok bool) error {
	if ok {
		return nil
	}
	return errBroken
}

type rule = conform.Rule[*counter]

func startsAtZero() rule {
	return rule{Name: "zero", Clause: "a new counter is zero", Run: func(_ context.Context, c *counter) error {
		return want(c.Value() == 0)
	}}
}

func adds() rule {
	return rule{Name: "adds", Clause: "Add adds one", Run: func(_ context.Context, c *counter) error {
		before := c.Value()
		c.Add()
		return want(c.Value() == before+1)
	}}
}

func both() []rule { return []rule{startsAtZero(), adds()} }

func starting(n int) func() *counter { return func() *counter { return &counter{start: n, add: 1} } }
func adding(n int) func() *counter   { return func() *counter { return &counter{add: n} } }

func opens() (*counter, error) { return newCounter(), nil }

func TestSuite(t *testing.T) {
	t.Parallel()
	conform.Test(t, both(), func(testing.TB) *counter { return newCounter() })
}

func TestMutants(t *testing.T) {
	t.Parallel()
	conform.Mutants(t, both(), map[string]func() *counter{"zero": starting(1), "adds": adding(2)})
}

func TestCheckMutants(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	check := func(rules []rule, mutants map[string]func() *counter) error {
		return conform.CheckMutants(ctx, rules, mutants)
	}
	sound := map[string]func() *counter{"zero": starting(1), "adds": adding(2)}
	require.NoError(t, check(both(), sound))

	require.EqualError(t, check(both(), map[string]func() *counter{"zero": starting(1)}),
		"rule adds has no mutant: nothing shows that it can fail")
	require.EqualError(t, check(both(), map[string]func() *counter{"zero": starting(1), "adds": nil}),
		"rule adds has no mutant: nothing shows that it can fail")
	require.EqualError(t, check([]rule{adds()}, map[string]func() *counter{"adds": adding(2), "zer0": newCounter}),
		"mutant zer0 has no rule")
	require.EqualError(t, check(both(), map[string]func() *counter{"zero": newCounter, "adds": adding(2)}),
		"rule zero does not catch its mutant")
	require.EqualError(t, check(both(), map[string]func() *counter{"zero": func() *counter { return &counter{start: 1, add: 2} }, "adds": adding(2)}),
		"rule adds catches the mutant of zero: broken")
	require.ErrorContains(t, check(nil, nil), "no rules")
}

// Every rule meets a fresh copy, so that one rule's traces do not convict a mutant of another.
func TestMutantsAreFresh(t *testing.T) {
	t.Parallel()
	var opened atomic.Int64
	fresh := func() *counter {
		opened.Add(1)
		return starting(1)()
	}
	require.NoError(t, conform.CheckMutants(t.Context(), both(), map[string]func() *counter{"zero": fresh, "adds": adding(2)}))
	require.EqualValues(t, 2, opened.Load())
}

// A mutant may make its rule stumble: that is caught, too, with the place.
func TestPanicsAreBroken(t *testing.T) {
	t.Parallel()
	none := func() *counter { return nil }
	require.NoError(t, conform.CheckMutants(t.Context(), []rule{adds()}, map[string]func() *counter{"adds": none}))
	err := conform.Check(t.Context(), both(), func() (*counter, error) { return nil, nil })
	require.ErrorContains(t, err, "zero: panic: ")
	require.ErrorContains(t, err, "adds: panic: ")
	require.ErrorContains(t, err, "conform_test.go")
}

func TestCheck(t *testing.T) {
	t.Parallel()
	require.NoError(t, conform.Check(t.Context(), both(), opens))

	err := conform.Check(t.Context(), both(), func() (*counter, error) { return &counter{start: 1, add: 2}, nil })
	require.ErrorIs(t, err, errBroken)
	require.EqualError(t, err, "zero: broken (the contract says: a new counter is zero)\nadds: broken (the contract says: Add adds one)")

	opened := 0
	err = conform.Check(t.Context(), both(), func() (*counter, error) {
		if opened++; opened == 2 {
			return nil, errBroken
		}
		return starting(1)(), nil
	})
	require.EqualError(t, err, "zero: broken (the contract says: a new counter is zero)\nopening a store for adds: broken")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, conform.Check(ctx, both(), opens), context.Canceled)
}

func TestIncompleteSuites(t *testing.T) {
	t.Parallel()
	unnamed, unsaid, undone := adds(), adds(), adds()
	unnamed.Name, unsaid.Clause, undone.Run = "", "", nil
	for name, rules := range map[string][]rule{
		"none": {}, "twice": {adds(), startsAtZero(), adds()}, "unnamed": {unnamed}, "unsaid": {unsaid}, "undone": {undone},
	} {
		require.Error(t, conform.Check(t.Context(), rules, opens), name)
	}
}

// A rule's context ends, so that a store that hangs does not hang the suite.
func TestRulesHaveADeadline(t *testing.T) {
	t.Parallel()
	limited := rule{Name: "limited", Clause: "there is a deadline", Run: func(ctx context.Context, _ *counter) error {
		_, ok := ctx.Deadline()
		return want(ok)
	}}
	require.NoError(t, conform.Check(t.Context(), []rule{limited}, opens))
	conform.Test(t, []rule{limited}, func(testing.TB) *counter { return newCounter() })
}

// TestVerdicts runs the suites below as tests of their own, in another process, because a
// failing subtest fails the test around it.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"broken store":  "--- FAIL: TestVerdicts/run/adds",
		"no rules":      "the suite has no rules",
		"missed mutant": "rule zero does not catch its mutant",
		"no mutant":     "rule adds has no mutant",
	} {
		if run := os.Getenv("CONFORM_TEST_VERDICT"); run != "" {
			if run == name {
				t.Run("run", verdicts(name))
			}
			continue
		}
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestVerdicts$", "-test.v")
		cmd.Env = append(os.Environ(), "CONFORM_TEST_VERDICT="+name)
		out, err := cmd.CombinedOutput()
		require.Error(t, err, name)
		require.Contains(t, string(out), want, name)
		require.NotContains(t, string(out), "panic", name)
	}
}

func verdicts(name string) func(*testing.T) {
	return func(t *testing.T) {
		switch name {
		case "broken store":
			conform.Test(t, both(), func(testing.TB) *counter { return adding(2)() })
		case "no rules":
			conform.Test(t, nil, func(testing.TB) *counter { return newCounter() })
		case "missed mutant":
			conform.Mutants(t, both(), map[string]func() *counter{"zero": newCounter, "adds": adding(2)})
		case "no mutant":
			conform.Mutants(t, both(), map[string]func() *counter{"zero": starting(1)})
		default:
			panic(fmt.Sprintf("no verdict %q", name))
		}
	}
}
