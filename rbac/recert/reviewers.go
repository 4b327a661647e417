package recert

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/rbac"
)

// excluded says why who may not review a, whatever anybody names them, or nil.
func (a *Access) excluded(who audit.ActorID) error {
	switch {
	case who == "" || who == itself || rbac.IsVisitor(who):
		return ErrReviewer
	case who == a.Subject || who == a.For:
		return ErrSelf
	case (a.Admin || a.Kind == KindMachine) && who == a.By: // a program does what its maker tells it
		return ErrGrantor
	}
	return nil
}

// about are the people whom an access serves.
func (a *Access) about() []audit.ActorID {
	if a.For == "" || a.For == a.Subject {
		return []audit.ActorID{a.Subject}
	}
	return []audit.ActorID{a.Subject, a.For}
}

// pairs are who reviews whom in one campaign, by how many items.
type pairs map[[2]audit.ActorID]int

// pairsOf returns those of all items.
func pairsOf(items []Item) pairs {
	p := pairs{}
	for n := range items {
		p.add(&items[n], 1)
	}
	return p
}

func (p pairs) add(i *Item, n int) {
	for _, whom := range i.Access.about() {
		p[[2]audit.ActorID{i.Reviewer, whom}] += n
	}
}

// mutual reports whether somebody whom a is about reviews who.
func (p pairs) mutual(who audit.ActorID, a *Access) bool {
	return slices.ContainsFunc(a.about(), func(whom audit.ActorID) bool { return p[[2]audit.ActorID{whom, who}] > 0 })
}

// may says why who cannot become the reviewer of a, or nil.
func (p pairs) may(who audit.ActorID, a *Access) error {
	if err := a.excluded(who); err != nil {
		return err
	}
	if p.mutual(who, a) {
		return ErrMutual
	}
	return nil
}

// next hands i to the first of its fallback chain who may review it; nobody: an exception.
func (p pairs) next(i *Item) {
	for n, who := range i.Fallback {
		if p.may(who, &i.Access) == nil {
			i.Reviewer, i.Fallback = who, slices.Clone(i.Fallback[n+1:])
			p.add(i, 1)
			return
		}
	}
	i.Reviewer, i.Fallback = "", nil
}

// deal finds a reviewer for each item from its fallback chain. Who reviews others is dealt with first
// and together: of three people each can review another one, but not if the first two were given away
// carelessly. What nobody may review has no Reviewer afterwards.
func deal(items []Item) {
	reviewers := map[audit.ActorID]bool{}
	for n := range items {
		for _, who := range items[n].Fallback {
			reviewers[who] = true
		}
	}
	var theirs, others []*Item
	for n := range items {
		i := &items[n]
		if slices.ContainsFunc(i.Access.about(), func(who audit.ActorID) bool { return reviewers[who] }) {
			theirs = append(theirs, i)
		} else {
			others = append(others, i)
		}
	}
	slices.SortStableFunc(theirs, func(a, b *Item) int { return cmp.Compare(len(a.Fallback), len(b.Fallback)) })
	p, steps := pairs{}, dealSteps
	if !p.search(theirs, &steps) {
		p = pairs{}
		for _, i := range theirs {
			p.next(i)
		}
	}
	for _, i := range others {
		p.next(i)
	}
}

// dealSteps is how many ways are tried at most.
const dealSteps = 50_000

// search finds a reviewer for every one of items, those first that come first in their chains.
func (p pairs) search(items []*Item, steps *int) bool {
	if len(items) == 0 {
		return true
	}
	i := items[0]
	chain := i.Fallback
	for n, who := range chain {
		if *steps--; *steps < 0 {
			break
		}
		if p.may(who, &i.Access) != nil {
			continue
		}
		i.Reviewer, i.Fallback = who, slices.Clone(chain[n+1:])
		p.add(i, 1)
		if p.search(items[1:], steps) {
			return true
		}
		p.add(i, -1)
	}
	i.Reviewer, i.Fallback = "", chain
	return false
}

// chain returns who is there and might review a, in order: whom the rule finds, who is named, the owner.
func (r *Campaigns) chain(ctx context.Context, there *attendance, s *Spec, a Access) ([]audit.ActorID, error) {
	var found []audit.ActorID
	if s.Rule != "" {
		if r.p.Reviewers == nil {
			return nil, fmt.Errorf("%w: Rule", ErrSpec)
		}
		var err error
		if found, err = r.p.Reviewers.Reviewers(ctx, there.t, s.Rule, a.clone()); err != nil {
			return nil, unavailable("finding reviewers", err)
		}
	}
	var out []audit.ActorID
	for _, who := range append(slices.Concat(found, s.Named), s.Owner) {
		if isID(who) && a.excluded(who) == nil && !slices.Contains(out, who) {
			out = append(out, who)
		}
	}
	out, err := there.only(ctx, out)
	return out[:min(len(out), maxNamed)], err
}
