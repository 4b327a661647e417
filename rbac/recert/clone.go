package recert

import (
	"maps"
	"slices"
)

// clone returns c with lists and maps of its own.
func (c Campaign) clone() Campaign {
	c.Spec = c.Spec.clone()
	c.Told = maps.Clone(c.Told)
	c.Late.Accesses = slices.Clone(c.Late.Accesses)
	return c
}

func (s Spec) clone() Spec {
	s.Kinds, s.Roles, s.Named = slices.Clone(s.Kinds), slices.Clone(s.Roles), slices.Clone(s.Named)
	s.OnDue = maps.Clone(s.OnDue)
	return s
}

// clone returns i with lists of its own.
func (i Item) clone() Item {
	i.Access = i.Access.clone()
	i.Fallback, i.Steps = slices.Clone(i.Fallback), slices.Clone(i.Steps)
	i.Decision.Reach = i.Decision.Reach.clone()
	i.Effects = slices.Clone(i.Effects)
	for n := range i.Effects {
		i.Effects[n].Others = slices.Clone(i.Effects[n].Others)
	}
	return i
}

func (a Access) clone() Access {
	a.Reach = a.Reach.clone()
	a.Context.Conflicts = slices.Clone(a.Context.Conflicts)
	return a
}

func (r Reach) clone() Reach {
	return Reach{slices.Clone(r.Practices), slices.Clone(r.Locations), slices.Clone(r.Queues)}
}
