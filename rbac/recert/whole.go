package recert

// whole reports what keeps a campaign from being signed, or from having been signed as it is: an item
// that is not closed (ErrOpen), or contents that no sequence of changes leads to (ErrDamaged).
func whole(c *Campaign, items []Item) error {
	digest, count, err := FrozenDigest(sequence(items))
	switch {
	case err != nil:
		return err
	case digest != c.Snapshot.Digest || count != c.Snapshot.Count:
		return ErrDamaged
	}
	counts, reviews := Counts{}, pairsOf(items)
	for n := range items {
		i := &items[n]
		counts.add(i, 1)
		if i.State != ItemClosed {
			return ErrOpen
		}
		if i.Seq != int64(n+1) || !i.decidedWell() || !i.endedWell() || i.Reviewer != "" && reviews.mutual(i.Reviewer, &i.Access) {
			return ErrDamaged
		}
	}
	if counts != c.Counts {
		return ErrDamaged
	}
	return nil
}

// decidedWell reports whether who decided about i was the one who had to, and could have.
func (i *Item) decidedWell() bool {
	switch who := i.Decision.By; {
	case i.Decision.IsZero():
		return i.Outcome == Gone
	case who == itself:
		return i.Decision.Do == RevokeIt
	default:
		return who == i.Reviewer && i.Access.excluded(who) == nil
	}
}

// endedWell reports whether the outcome of a closed item is what its decision led to, and its last
// effect was made and confirmed.
func (i *Item) endedWell() bool {
	e := i.last()
	made := func(do Change) bool { return e != nil && e.Do == do && e.Done() && e.Denied && !e.Made.IsZero() }
	switch i.Outcome {
	case Certified: // what was not given back does not stay
		return i.Decision.Do == Certify && i.current() != "" && (e == nil || made(ChangeResume))
	case Limited:
		return i.Decision.Do == CertifyUntil && !i.Decision.Until.IsZero() && made(ChangeLimit)
	case Reduced:
		return i.Decision.Do == Reduce && i.Decision.Reach.less(i.Access.Reach.tidy()) && made(ChangeReduce)
	case Revoked:
		return i.Decision.Do == RevokeIt && made(ChangeRevoke)
	case Gone: // whatever was ordered came too late
		return !made(ChangeRevoke)
	}
	return false
}
