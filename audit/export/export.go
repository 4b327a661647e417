package export

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/internal/signed"
	"github.com/wardkit/wardkit/audit/tlog"
)

// Encoder writes events in one format. JSONLines and CSV are some.
type Encoder interface {
	// Name is the format's name in the manifest, for example "jsonl".
	Name() string
	// Begin appends what is before the first event.
	Begin(dst []byte) []byte
	// Append appends one event. It has its Index, Body and Leaf.
	Append(dst []byte, e *audit.Entry) ([]byte, error)
}

// PurgedEncoder is an Encoder that also tells of places whose events were purged. One that is not
// leaves them out.
type PurgedEncoder interface {
	Encoder
	// AppendPurged appends the stored leaf hashes of the places from an index on, 1 to 1,024.
	AppendPurged(dst []byte, from int64, leaves [][32]byte) []byte
}

// Request says what to export.
type Request struct {
	Tenant audit.Tenant
	// Without a Filter: everything from this index on, up to the end of the signed tree; 0 is all.
	// The next export begins at Manifest.To.
	From int64
	// Filter selects events, the newest first; not together with From.
	Filter *Filter
	// Encoder is the format; nil is JSONLines.
	Encoder Encoder
}

// Options are what New can be told. The zero value is safe.
type Options struct {
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Exporter exports logs. It is safe for concurrent use.
type Exporter struct {
	src    tlog.Source
	trees  *tlog.Log
	rec    audit.Recorder
	signer *signed.Signer
	now    func() time.Time
}

// New returns an Exporter of the events in src that trees cover. The recorder hears of every
// export before its first byte. The origin names the exporter, for example
// "clinic.example.com/export", and key, an Ed25519 key, signs its manifests; not the key for
// checkpoints.
func New(src tlog.Source, trees *tlog.Log, rec audit.Recorder, origin string, key crypto.Signer, o *Options) (*Exporter, error) {
	var problems []error
	if src == nil || trees == nil || rec == nil {
		problems = append(problems, errors.New("no source, no trees or no recorder"))
	}
	s, err := signed.New(origin, key)
	if err != nil {
		problems = append(problems, err)
	}
	if err == nil && trees != nil && s.VerifierKey() == trees.VerifierKey() {
		problems = append(problems, errors.New("the exporter needs a key or an origin of its own"))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	x := &Exporter{src, trees, rec, s, time.Now}
	if o != nil && o.Now != nil {
		x.now = o.Now
	}
	return x, nil
}

// VerifierKey returns what manifests are checked with.
func (x *Exporter) VerifierKey() string { return x.signer.VerifierKey() }

// Export writes the events to w and returns the signed manifest, which goes beside them. That the
// actor in ctx exports is recorded, durably, before the first byte (audit.ActionExportCreated;
// its object is the export, type "audit_export"). Private values leave as commitments.
//
// An export without a filter holds every event from Request.From to the end of the latest signed
// tree, and its manifest proves it; events that are not covered yet are in the next one. If the
// events, with a filter those that it selects, are not those that were signed, there is no manifest
// and the error is tlog.ErrTampered.
//
// Places whose events were purged are exported as their hashes, in formats that have a line for them
// (PurgedEncoder), and counted in the manifest. If a purge in the log does not allow it, by the
// rules of tlog.Verify, there is no manifest: tlog.ErrUncoveredPurge. That is also the answer where
// a purge is executed while this runs and was not covered when it began: export again.
//
// Errors: ErrRequest; tlog.ErrUncovered if there is nothing from that index on; ErrWrite;
// ErrUnavailable; tlog.ErrTampered. Without a manifest what was written is nothing.
func (x *Exporter) Export(ctx context.Context, w io.Writer, r Request) (manifest []byte, err error) {
	if r.Encoder == nil {
		r.Encoder = JSONLines{}
	}
	if err := r.validate(); err != nil {
		return nil, err
	}
	proof, err := x.trees.Range(ctx, r.Tenant, r.From)
	if err != nil {
		return nil, err
	}
	now := x.now().UTC().Truncate(time.Microsecond)
	m := Manifest{
		Origin: x.signer.Name(), ID: audit.NewID(now), Format: r.Encoder.Name(), Made: now, Tenant: r.Tenant,
		From: r.From, To: proof.Head.Size, Filter: r.Filter,
		Left: proof.Left, Head: proof.Head, Path: proof.Path, Checkpoint: proof.Checkpoint,
	}
	if err := x.record(ctx, &m); err != nil {
		return nil, err
	}
	if err := x.write(ctx, w, r, proof, &m); err != nil {
		return nil, err
	}
	return sign(x.signer, &m)
}

// write writes the file and says in the manifest what it is.
func (x *Exporter) write(ctx context.Context, w io.Writer, r Request, proof tlog.Range, m *Manifest) (err error) {
	file := newDigest()
	defer func() { m.SHA256 = file.end() }()
	out := newOutput(io.MultiWriter(file, w), r.Encoder)
	if r.Filter == nil {
		err = x.all(ctx, out, proof)
	} else {
		err = x.some(ctx, out, r, proof.Head)
	}
	if err == nil {
		err = out.flush()
	}
	m.Count, m.Purged, m.Bytes = out.count, out.purged, out.bytes
	return err
}

func (r *Request) validate() error {
	switch f := r.Filter; {
	case r.Tenant == "" || r.From < 0 || r.Filter != nil && r.From != 0:
		return ErrRequest
	case f != nil && (f.ResourceID != "" && f.ResourceType == "" || !f.End.IsZero() && f.End.Before(f.Start)):
		return ErrRequest
	case f != nil && max(len(f.Actors), len(f.Actions), len(f.Outcomes)) > audit.MaxValues:
		return ErrRequest
	}
	return nil
}

// record tells the log who exports what.
func (x *Exporter) record(ctx context.Context, m *Manifest) error {
	detail := map[string]string{"format": m.Format, "from": strconv.FormatInt(m.From, 10), "to": strconv.FormatInt(m.To, 10)}
	e := audit.Event{
		Tenant: m.Tenant, Action: audit.ActionExportCreated, Verb: audit.Execute,
		Objects: []audit.Object{{Type: "audit_export", ID: m.ID}}, Detail: detail,
	}
	if m.Filter != nil {
		text, err := json.Marshal(m.Filter)
		if err != nil {
			return unavailable("recording an export", err)
		}
		sum := sha256.Sum256(text)
		detail["filter"] = hex.EncodeToString(sum[:])
		if m.Filter.Patient != "" {
			e.Patients = []audit.Patient{m.Filter.Patient}
		}
	}
	if actor, ok := audit.ActorFrom(ctx); ok {
		e.Actor = actor
	}
	if err := x.rec.Record(ctx, e); err != nil {
		return unavailable("recording an export", err)
	}
	return nil
}

// some writes what a filter selects, and compares each event with the tree.
func (x *Exporter) some(ctx context.Context, out *output, r Request, h tlog.Head) error {
	leaves, below := x.trees.Leaves(ctx, h), h.Size
	for e, err := range x.src.List(ctx, r.Filter.store(r.Tenant), below, math.MaxInt) {
		if err != nil {
			return readError(err)
		}
		if e.Index < 0 || e.Index >= below || audit.Leaf(e.Body) != e.Leaf {
			return tlog.ErrAltered
		}
		below = e.Index
		signed, err := leaves.At(e.Index)
		if err != nil {
			return err
		}
		if signed != e.Leaf {
			return tlog.ErrAltered
		}
		if err := out.add(&e); err != nil {
			return err
		}
	}
	return nil
}

func readError(err error) error {
	if errors.Is(err, audit.ErrDamaged) {
		return tlog.ErrAltered
	}
	return unavailable("reading events", err)
}
