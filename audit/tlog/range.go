package tlog

import (
	"context"

	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/wardkit/wardkit/audit"
)

// Range shows that some events are all there are of a tenant from a place on, up to the end of its
// signed tree. Whoever checks computes the tree's hash from Left and the events.
type Range struct {
	From       int64  // index of the first event
	Left       []Hash // peaks of the tree of size From
	Head       Head   // the tree at the end
	Path       []Hash // from Head up to the checkpoint's root
	Checkpoint string
}

// Range returns the proof for the events of a tenant from an index on, up to the latest
// checkpoint of this Log. ErrUncovered if no signed tree goes as far; ErrTampered if what is
// stored does not prove it any more.
func (l *Log) Range(ctx context.Context, t audit.Tenant, from int64) (Range, error) {
	head, root, note := l.covered(t)
	if from < 0 || from >= head.Size {
		return Range{}, ErrUncovered
	}
	var ask []int64
	for level := 62; level >= 0; level-- {
		if from>>level&1 == 1 {
			ask = append(ask, merkle.StoredHashIndex(level, from>>level-1))
		}
	}
	r := Range{From: from, Left: []Hash{}, Head: head, Checkpoint: string(note)}
	if len(ask) > 0 {
		left, err := l.reader(ctx, t, head.Size, head.Root).ReadHashes(ask)
		if err != nil {
			return Range{}, proofError(err)
		}
		r.Left = hashesOf(left)
	}
	path, err := merkle.ProveRecord(root.Size, head.N, l.reader(ctx, "", root.Size, root.Root))
	if err != nil {
		return Range{}, proofError(err)
	}
	r.Path = hashesOf(path)
	return r, nil
}

// Peaks returns where the events begin. ErrProof if Left does not fit.
func (r Range) Peaks() (*Peaks, error) { return NewPeaks(r.From, r.Left) }

// Check checks that the tree at the end is the signed one: p are the peaks of Range.Peaks with
// every event's leaf hash pushed. It returns the checkpoint. ErrCheckpoint if that is not signed with
// the verifier key, ErrProof if the events are others.
func (r Range) Check(verifierKey string, p *Peaks) (Checkpoint, error) {
	c, err := OpenCheckpoint([]byte(r.Checkpoint), verifierKey)
	if err != nil {
		return Checkpoint{}, err
	}
	if p.Size() != r.Head.Size || p.Root() != r.Head.Root ||
		merkle.CheckRecord(merklesOf(r.Path), c.Size, merkle.Hash(c.Root), r.Head.N, r.Head.leaf()) != nil {
		return Checkpoint{}, ErrProof
	}
	return c, nil
}
