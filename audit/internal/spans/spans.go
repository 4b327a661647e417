// Package spans computes with places of a tenant's order: lists of spans that ascend and neither
// meet nor overlap, as audit.Purger has them.
package spans

import (
	"slices"
	"sort"

	"github.com/wardkit/wardkit/audit"
)

// Are reports whether a list is one, of places from to to-1.
func Are(list []audit.Span, from, to int64) bool {
	end := from - 1
	for _, s := range list {
		if s.From <= end || s.To <= s.From {
			return false
		}
		end = s.To
	}
	return len(list) == 0 || end <= to
}

// Clip returns what of a list lies between from and to-1.
func Clip(list []audit.Span, from, to int64) []audit.Span {
	i := sort.Search(len(list), func(i int) bool { return list[i].To > from })
	j := i + sort.Search(len(list)-i, func(j int) bool { return list[i+j].From >= to })
	if i == j {
		return nil
	}
	out := slices.Clone(list[i:j])
	out[0].From = max(out[0].From, from)
	out[len(out)-1].To = min(out[len(out)-1].To, to)
	return out
}

// Count returns how many places a list names.
func Count(list []audit.Span) (n int64) {
	for _, s := range list {
		n += s.To - s.From
	}
	return n
}

// Join appends a list to one that ends before it.
func Join(list, more []audit.Span) []audit.Span {
	if n := len(list); n > 0 && len(more) > 0 && list[n-1].To == more[0].From {
		list[n-1].To = more[0].To
		more = more[1:]
	}
	return append(list, more...)
}

// Union returns the places that are in one of many spans, which need not be in order.
func Union(all []audit.Span) (out []audit.Span) {
	slices.SortFunc(all, func(a, b audit.Span) int { return int(max(-1, min(1, a.From-b.From))) })
	for _, s := range all {
		if n := len(out); n > 0 && s.From <= out[n-1].To {
			out[n-1].To = max(out[n-1].To, s.To)
			continue
		}
		out = append(out, s)
	}
	return out
}

// Without returns the places of a list that are not in another.
func Without(list, cut []audit.Span) (out []audit.Span) {
	for _, s := range list {
		for len(cut) > 0 && cut[0].To <= s.From {
			cut = cut[1:]
		}
		for _, c := range cut {
			if c.From >= s.To {
				break
			}
			if c.From > s.From {
				out = append(out, audit.Span{From: s.From, To: c.From})
			}
			s.From = c.To
		}
		if s.From < s.To {
			out = append(out, s)
		}
	}
	return out
}

// Meet reports whether two lists have a place in common.
func Meet(a, b []audit.Span) bool {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].To <= b[0].From:
			a = a[1:]
		case b[0].To <= a[0].From:
			b = b[1:]
		default:
			return true
		}
	}
	return false
}
