package tlog

import (
	"context"
	"errors"

	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/wardkit/wardkit/audit"
)

// Proof shows that one event was in the log when a checkpoint was signed. It is data that can be
// kept, printed and sent (JSON), and needs nothing but the event and the verifier key to be
// checked.
type Proof struct {
	Index      int64  `json:"index"` // of the event in its tenant's order
	Head       Head   `json:"head"`  // the tenant's tree
	Event      []Hash `json:"event"` // from the event up to Head.Root (RFC 6962, section 2.1.1)
	Path       []Hash `json:"path"`  // from Head up to the checkpoint's root
	Checkpoint string `json:"checkpoint"`
}

// Prove returns the proof that the event at an index of a tenant's order is covered by the
// latest checkpoint of this Log. ErrUncovered if no signed tree covers it yet, or there is none;
// ErrTampered if what is stored does not prove it any more.
func (l *Log) Prove(ctx context.Context, t audit.Tenant, index int64) (Proof, error) {
	head, root, note := l.covered(t)
	if index < 0 || index >= head.Size {
		return Proof{}, ErrUncovered
	}
	event, err := merkle.ProveRecord(head.Size, index, l.reader(ctx, t, head.Size, head.Root))
	if err != nil {
		return Proof{}, proofError(err)
	}
	path, err := merkle.ProveRecord(root.Size, head.N, l.reader(ctx, "", root.Size, root.Root))
	if err != nil {
		return Proof{}, proofError(err)
	}
	return Proof{index, head, hashesOf(event), hashesOf(path), string(note)}, nil
}

// covered returns a tenant's newest head and the checkpoint over it.
func (l *Log) covered(t audit.Tenant) (Head, Checkpoint, []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heads[t], Checkpoint{l.signer.Name(), l.root.size, l.hash}, l.note
}

// Check checks the proof with a verifier key (Log.VerifierKey) for an event's canonical bytes,
// audit.Stored.Body. ErrCheckpoint if the checkpoint is not signed with that key, ErrProof if the
// rest does not lead from these bytes to it.
func (p Proof) Check(verifierKey string, body []byte) error {
	c, err := OpenCheckpoint([]byte(p.Checkpoint), verifierKey)
	if err != nil {
		return err
	}
	leaf := merkle.Hash(audit.Leaf(body))
	if merkle.CheckRecord(merklesOf(p.Event), p.Head.Size, merkle.Hash(p.Head.Root), p.Index, leaf) != nil ||
		merkle.CheckRecord(merklesOf(p.Path), c.Size, merkle.Hash(c.Root), p.Head.N, p.Head.leaf()) != nil {
		return ErrProof
	}
	return nil
}

// Growth shows that the log at a checkpoint is the beginning of the log at a later one: nothing
// that the older covers was changed, removed or put in another order (RFC 6962, section 2.1.2).
type Growth struct {
	Path       []Hash `json:"path"`
	Checkpoint string `json:"checkpoint"` // the later one
}

// Grown returns the proof that the latest checkpoint of this Log continues an older one.
// ErrRolledBack if the older one has more than there is.
func (l *Log) Grown(ctx context.Context, old Checkpoint) (Growth, error) {
	_, root, note := l.covered("")
	switch {
	case old.Size < 1 || note == nil:
		return Growth{}, ErrUncovered
	case old.Size > root.Size:
		return Growth{}, ErrRolledBack
	}
	path, err := merkle.ProveTree(root.Size, old.Size, l.reader(ctx, "", root.Size, root.Root))
	if err != nil {
		return Growth{}, proofError(err)
	}
	return Growth{hashesOf(path), string(note)}, nil
}

// Check checks that the later checkpoint is signed with the verifier key and continues the older
// one, which whoever checks has kept themselves. ErrRolledBack if it is shorter; ErrProof if it
// does not continue it.
func (g Growth) Check(verifierKey string, old Checkpoint) error {
	c, err := OpenCheckpoint([]byte(g.Checkpoint), verifierKey)
	switch {
	case err != nil:
		return err
	case c.Origin != old.Origin || old.Size < 1:
		return ErrProof
	case c.Size < old.Size:
		return ErrRolledBack
	}
	if merkle.CheckTree(merklesOf(g.Path), c.Size, merkle.Hash(c.Root), old.Size, merkle.Hash(old.Root)) != nil {
		return ErrProof
	}
	return nil
}

// reader reads the hashes of a tree, all of them proven by its root.
func (l *Log) reader(ctx context.Context, t audit.Tenant, size int64, root Hash) merkle.HashReader {
	return merkle.TileHashReader(merkle.Tree{N: size, Hash: merkle.Hash(root)}, &tiles{ctx: ctx, src: l.src, store: l.store, tenant: t})
}

// tiles reads one tree's tiles: the lowest level from the events or the root log, the others
// from the store.
type tiles struct {
	ctx    context.Context
	src    Source
	store  Store
	tenant audit.Tenant
}

// Height implements merkle.TileReader.
func (r *tiles) Height() int { return tileHeight }

// SaveTiles implements merkle.TileReader; nothing is kept.
func (r *tiles) SaveTiles([]merkle.Tile, [][]byte) {}

// ReadTiles implements merkle.TileReader.
func (r *tiles) ReadTiles(ask []merkle.Tile) ([][]byte, error) {
	out := make([][]byte, len(ask))
	var kept []Tile
	for i, t := range ask {
		if t.L > 0 {
			kept = append(kept, Tile{Level: t.L, N: t.N})
			continue
		}
		data, err := r.leaves(t.N*tileWidth, t.N*tileWidth+int64(t.W))
		if err != nil {
			return nil, err
		}
		out[i] = data
	}
	if len(kept) == 0 {
		return out, nil
	}
	data, err := r.store.Tiles(r.ctx, r.tenant, kept)
	if err != nil || len(data) != len(kept) {
		return nil, unavailable("reading a tree", err)
	}
	for i, t := range ask {
		if t.L == 0 {
			continue
		}
		if len(data[0]) < t.W*merkle.HashSize {
			return nil, ErrAltered
		}
		out[i], data = data[0][:t.W*merkle.HashSize], data[1:]
	}
	return out, nil
}

func (r *tiles) leaves(from, to int64) ([]byte, error) {
	var data []byte
	if r.tenant != "" {
		leaves, err := leavesOf(r.ctx, r.src, r.tenant, from, to)
		for _, h := range leaves {
			data = append(data, h[:]...)
		}
		return data, err
	}
	for h, err := range r.store.Heads(r.ctx, from) {
		if err != nil {
			return nil, unavailable("reading the root log", err)
		}
		if from == to {
			break
		}
		leaf := h.leaf()
		data = append(data, leaf[:]...)
		from++
	}
	if from != to {
		return nil, ErrMissing
	}
	return data, nil
}

// proofError tells why hashes could not be had: the package underneath only says that they do
// not fit.
func proofError(err error) error {
	if errors.Is(err, ErrUnavailable) || errors.Is(err, ErrTampered) {
		return err
	}
	return ErrAltered
}

func hashesOf[S ~[]merkle.Hash](in S) []Hash {
	out := make([]Hash, len(in))
	for i, h := range in {
		out[i] = Hash(h)
	}
	return out
}

func merklesOf(in []Hash) []merkle.Hash {
	out := make([]merkle.Hash, len(in))
	for i, h := range in {
		out[i] = merkle.Hash(h)
	}
	return out
}
