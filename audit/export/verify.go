package export

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"

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
	// with a filter, and for formats that do not hold the events' canonical bytes.
	Whole bool
}

// Verify reads an export and compares it with its manifest; it needs no database. Progress, if it
// is not nil, is told the number of bytes read now and then.
//
// Errors: ErrManifest; tlog.ErrCheckpoint; ErrContent if the export is not what was signed, also if
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
	if m.Head.Tenant != m.Tenant || m.To != m.Head.Size {
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
	if out.Whole {
		_, err = proof.Check(keys.Log, v.peaks)
	}
	return out, err
}

type verifier struct {
	m            *Manifest
	file         hash.Hash
	peaks        *tlog.Peaks
	count, bytes int64
	last         int64 // index of the line before
	progress     func(int64)
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
	case jsonl && v.count != v.m.Count:
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
	index, body, ok := parseLine(line)
	if !ok || !v.follows(index) {
		return ErrContent
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

// follows reports whether an index is the next one: without a filter each, with one the newest first.
func (v *verifier) follows(index int64) bool {
	if v.m.Filter == nil {
		return index == v.m.From+v.count
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
