package recert

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// maxNamed is how many people a Spec can name.
const maxNamed = 50

// normal returns s with its defaults, or ErrSpec with the name of a field.
func (s Spec) normal() (Spec, error) {
	s = s.clone()
	if s.Days == 0 {
		s.Days = 30
	}
	if s.Hold == 0 {
		s.Hold = 14
	}
	slices.Sort(s.Kinds)
	s.Kinds = slices.Compact(s.Kinds)
	slices.Sort(s.Roles)
	s.Roles = slices.Compact(s.Roles)
	for _, f := range []struct {
		ok   bool
		name string
	}{
		{isName(s.Name), "Name"},
		{len(s.Kinds) <= 32 && !slices.ContainsFunc(s.Kinds, func(k Kind) bool { return !isCode(string(k)) }), "Kinds"},
		{len(s.Roles) <= 200 && !slices.ContainsFunc(s.Roles, func(r string) bool { return !isID(r) }), "Roles"},
		{s.Days >= 1 && s.Days <= 366, "Days"},
		{slices.Contains([]int{0, 1, 3, 6, 12}, s.Every), "Every"},
		{s.Every == 0 || s.Days <= 31*s.Every, "Days"},
		{s.Rule == "" || isCode(s.Rule), "Rule"},
		{len(s.Named) <= maxNamed && distinct(s.Named), "Named"},
		{isID(s.Owner), "Owner"},
		{s.Hold >= 1 && s.Hold <= 90, "Hold"},
		{s.onDue(), "OnDue"},
		{(s.KeepWhy != "") == s.keeps() && (s.KeepWhy == "" || isCode(s.KeepWhy)), "KeepWhy"},
	} {
		if !f.ok {
			return Spec{}, fmt.Errorf("%w: %s", ErrSpec, f.name)
		}
	}
	return s, nil
}

func isName(s string) bool {
	return strings.TrimSpace(s) != "" && len(s) <= 200 && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

func distinct[T ~string](ids []T) bool {
	seen := map[T]bool{}
	for _, id := range ids {
		if seen[id] || !isID(id) {
			return false
		}
		seen[id] = true
	}
	return true
}

func (s *Spec) onDue() bool {
	for risk, do := range s.OnDue {
		if !slices.Contains([]Risk{RiskAdmin, RiskPHI, RiskOther}, risk) || !slices.Contains([]OnDue{Suspend, Revoke, Keep}, do) {
			return false
		}
	}
	return true
}

func (s *Spec) keeps() bool {
	for _, do := range s.OnDue {
		if do == Keep {
			return true
		}
	}
	return false
}

// due returns what becomes of undecided access of this class.
func (s *Spec) due(r Risk) OnDue {
	if do, ok := s.OnDue[r]; ok {
		return do
	}
	return Suspend
}

// wants reports whether an access is what the campaign is about.
func (s *Spec) wants(a *Access) bool {
	return (len(s.Kinds) == 0 || slices.Contains(s.Kinds, a.Kind)) && (len(s.Roles) == 0 || slices.Contains(s.Roles, a.Role))
}

// query is what is asked for, as text.
func (s *Spec) query(now time.Time) string {
	list := func(n int, join func() string) string {
		if n == 0 {
			return "all"
		}
		return join()
	}
	kinds := list(len(s.Kinds), func() string {
		var out []string
		for _, k := range s.Kinds {
			out = append(out, string(k))
		}
		return strings.Join(out, ",")
	})
	roles := list(len(s.Roles), func() string { return strings.Join(s.Roles, ",") })
	return "access live at " + now.Format(time.RFC3339Nano) + "; kinds: " + kinds + "; roles: " + roles
}

// months returns the first time of the series after now: every so many months from the anchor, on its
// day of the month or on the last that the month has.
func months(anchor time.Time, every int, now time.Time) time.Time {
	if every == 0 {
		return time.Time{}
	}
	for n := every; ; n += every {
		first := time.Date(anchor.Year(), anchor.Month()+time.Month(n), 1, anchor.Hour(), anchor.Minute(), anchor.Second(), anchor.Nanosecond(), time.UTC)
		last := first.AddDate(0, 1, -1).Day()
		if at := first.AddDate(0, 0, min(anchor.Day(), last)-1); at.After(now) {
			return at
		}
	}
}
