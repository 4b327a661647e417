package reqcheck

import (
	"fmt"
	"strings"
)

// Check returns what keeps the table from being true, one line each: a named test that did not
// run, was skipped, failed, or has a subtest that was skipped.
func Check(table []Requirement, results Results) (problems []string) {
	for _, r := range table {
		for _, t := range r.Tests {
			if why := wrong(t, results); why != "" {
				problems = append(problems, fmt.Sprintf("%s: %s %s", r.ID, t, why))
			}
		}
	}
	return problems
}

func wrong(t Test, results Results) string {
	switch results[t] {
	case "":
		return "did not run"
	case "skip":
		return "was skipped"
	case "fail":
		return "failed"
	}
	for other, action := range results {
		if other.Package == t.Package && strings.HasPrefix(other.Name, t.Name+"/") && action != "pass" {
			return "passed only in part: " + other.Name
		}
	}
	return ""
}

// Summary counts the states and the tests, for the end of a run.
func Summary(table []Requirement) string {
	states, tests := map[string]int{}, 0
	for _, r := range table {
		states[r.State]++
		tests += len(r.Tests)
	}
	return fmt.Sprintf("%d requirements: %d done, %d partly, %d not yet; %d named tests, all passed",
		len(table), states[Done], states[Partly], states[NotYet], tests)
}
