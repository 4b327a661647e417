package export

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"

	"github.com/wardkit/wardkit/audit"
	"github.com/wardkit/wardkit/audit/internal/spans"
	"github.com/wardkit/wardkit/audit/tlog"
)

// Keys are what an export is checked with; none of them is a secret.
type Keys struct {
	Export string // Exporter.VerifierKey
	Log    string // tlog.Log.VerifierKey
}

// Verified is what a verification proved.
type Verified struct {
	Manifest   Manifest
	Checkpoint tlog.Checkpoint
	// Whole says that these are all events from Manifest.From to Manifest.To-1 of the signed tree:
	// the lines prove it by themselves. Otherwise the manifest's signature says so: for an export
	// with a filter, and for formats that do not hold the events' canonical bytes. Of the
	// Manifest.Purged among them the lines prove the hashes, and purges that the export holds allow that
	// they are missing.
	Whole bool
}

// Verify reads an export and compares it with its manifest; it needs no database. Progress, if it
// is not nil, is told the number of bytes read now and then.
//
// Where events were purged, a later event of the same export has to be the purge that names them, with
// two people and an age of 72 months at least at the time of the signed tree; otherwise it is
// tlog.ErrUncoveredPurge. That they were as old as it says is not in an export: tlog.Verify proves
// that from the log, and an Exporter asked it.
//
// Errors: ErrManifest; tlog.ErrCheckpoint; tlog.ErrUncoveredPurge; ErrContent if the export is not what was signed, also if
// it is longer or shorter; tlog.ErrProof if the events are not those of the signed tree;
// what r failed with.
func Verify(r io.Reader, manifest []byte, keys Keys, progress func(read int64)) (Verified, error) {
	m, err := OpenManifest(manifest, keys.Export)
	if err != nil {
		return Verified{}, err
	}
	if progress == nil {
		progress = func(int64) {}
	}
	v := &verifier{m: &m, file: sha256.New(), progress: progress}
	proof := tlog.Range{From: m.From, Left: m.Left, Head: m.Head, Path: m.Path, Checkpoint: m.Checkpoint}
	out := Verified{Manifest: m, Whole: m.Format == (JSONLines{}).Name() && m.Filter == nil}
	if m.Head.Tenant != m.Tenant || m.To != m.Head.Size || !m.adds() {
		return out, ErrContent
	}
	if out.Checkpoint, err = tlog.OpenCheckpoint([]byte(m.Checkpoint), keys.Log); err != nil {
		return out, err
	}
	if v.peaks, err = proof.Peaks(); err != nil {
		return out, err
	}
	if err := v.read(r); err != nil {
		return out, err
	}
	if !out.Whole {
		return out, nil
	}
	if _, err = proof.Check(keys.Log, v.peaks); err != nil {
		return out, err
	}
	return out, v.covered()
}

// covered finds out whether what is missing was allowed to be. The purges are whole: the tree is made of
// their bytes.
func (v *verifier) covered() error {
	for _, p := range v.purges {
		if !v.m.Head.At.Before(p.Newest.AddDate(0, p.Months, 0)) {
			v.missing = spans.Without(v.missing, p.Spans)
		}
	}
	if len(v.missing) > 0 {
		return tlog.ErrUncoveredPurge
	}
	return nil
}

type verifier struct {
	m            *Manifest
	file         hash.Hash
	peaks        *tlog.Peaks
	count, bytes int64
	purged       int64
	last         int64 // index of the line before
	missing      []audit.Span
	purges       []purge
	progress     func(int64)
}

// adds reports whether the numbers can be those of an export. Those of JSON Lines are proven besides.
func (m *Manifest) adds() bool {
	switch {
	case m.Purged < 0 || m.Filter != nil && m.Purged != 0:
		return false
	case m.Filter != nil || m.Format == (JSONLines{}).Name():
		return true
	}
	return m.Count == m.To-m.From-m.Purged
}

// maxLine is the longest line of JSON Lines, in bytes: an event has 64 KiB at most.
const maxLine = 1 << 20

// read reads the whole export.
func (v *verifier) read(r io.Reader) error {
	in := bufio.NewReaderSize(r, maxLine)
	line := v.block
	if v.m.Format == (JSONLines{}).Name() {
		line = v.line
	}
	told := int64(0)
	for {
		err := line(in)
		if v.bytes-told >= 1<<20 {
			told = v.bytes
			v.progress(v.bytes)
		}
		if v.bytes > v.m.Bytes {
			return ErrContent
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	v.progress(v.bytes)
	jsonl := v.m.Format == (JSONLines{}).Name()
	switch {
	case v.bytes != v.m.Bytes, tlog.Hash(v.file.Sum(nil)) != v.m.SHA256:
		return ErrContent
	case jsonl && (v.count != v.m.Count || v.purged != v.m.Purged):
		return ErrContent
	}
	return nil
}

// block reads a part of a format that has no lines to look at.
func (v *verifier) block(in *bufio.Reader) error {
	if _, err := in.Peek(1); err != nil {
		return readFailed(err)
	}
	b, _ := in.Peek(in.Buffered()) // it is there
	v.file.Write(b)
	v.bytes += int64(len(b))
	_, err := in.Discard(len(b))
	return readFailed(err)
}

// line reads an event.
func (v *verifier) line(in *bufio.Reader) error {
	line, err := in.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull), errors.Is(err, io.EOF) && len(line) > 0:
		return ErrContent
	case err != nil:
		return readFailed(err)
	}
	v.file.Write(line)
	v.bytes += int64(len(line))
	if from, leaves, ok := parsePurged(line); ok {
		return v.hashes(from, leaves)
	}
	index, body, ok := parseLine(line)
	if !ok || !v.follows(index) {
		return ErrContent
	}
	if len(v.missing) > 0 && bytes.Contains(body, []byte(purgeExecuted)) {
		if p, ok := purgeIn(body[1:], v.m.Tenant, index); ok && spans.Meet(v.missing, p.Spans) {
			v.purges = append(v.purges, p)
		}
	}
	body[0] = 0 // RFC 6962: a leaf's hash begins with a zero byte
	leaf := sha256.Sum256(body)
	if v.m.Filter == nil {
		v.peaks.Push(leaf)
	}
	v.count++
	v.last = index
	return nil
}

// purgeExecuted is in the canonical bytes of every purge, and of little else.
const purgeExecuted = `"` + string(audit.ActionPurgeExecuted) + `"`

// hashes takes over a line with the hashes of what was purged.
func (v *verifier) hashes(from int64, leaves []tlog.Hash) error {
	if v.m.Filter != nil || !v.follows(from) {
		return ErrContent
	}
	for _, leaf := range leaves {
		v.peaks.Push(leaf)
	}
	n := int64(len(leaves))
	v.purged += n
	v.missing = spans.Join(v.missing, []audit.Span{{From: from, To: from + n}})
	return nil
}

// follows reports whether an index is the next one: without a filter each, with one the newest first.
func (v *verifier) follows(index int64) bool {
	if v.m.Filter == nil {
		return index == v.m.From+v.count+v.purged
	}
	return index < v.m.To && (v.count == 0 || index < v.last)
}

func readFailed(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return fmt.Errorf("export: reading: %w", err)
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
